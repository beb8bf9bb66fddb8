// Goal: what must hold whatever clients, networks, clocks, logs and crashes do: a transaction is whole or not
// at all over its partitions (I5), what was acknowledged as committed is committed and what was aborted is
// not (I1, I4), a fenced producer writes and ends nothing (I10), late and repeated requests touch no later
// transaction (I11), and nothing stays open (I12).
// Method: model producers of both kinds, with rivals under the same transactional id, against one coordinator
// and model partitions that verify as the broker's do; requests are delayed, those of clients that bump also
// come again much later; writes and markers wait or fail, the coordinator restarts; many seeds. In half of
// them some partitions share the coordinator's journal: what is appended there does not wait, and a restart
// takes away all that is not durable.
#include <gtest/gtest.h>

#include <set>

#include "base/prng.hpp"
#include "core/txn/test_harness.hpp"

namespace tailwater::txn {
namespace {

constexpr std::int32_t kPartitions = 4;

// What the client of a transaction knows of its end.
enum class Known : std::uint8_t { open, committed, aborted, unknown };

struct Record {
  int value = 0;
  int transaction = 0;
  ProducerIdentity producer;
  std::optional<Outcome> outcome;
  std::size_t place = 0;         // in the journal: how many of the coordinator's appends stand before it
  std::size_t marker_place = 0;  // of what set the outcome
};

// One partition's log, as far as transactions go.
struct Log {
  bool shared = false;  // the coordinator's journal
  std::vector<Record> records;
  std::map<ProducerId, ProducerEpoch> epochs;
  std::vector<std::pair<std::size_t, ProducerIdentity>> written;  // by their places in the journal
  std::map<ProducerId, std::uint64_t> guards;  // counts markers: an answer from before one says nothing

  bool is_open(const ProducerIdentity& producer) const {
    return std::ranges::any_of(
        records, [&](const Record& each) { return each.producer == producer && !each.outcome; });
  }
  bool holds(int value) const { return std::ranges::find(records, value, &Record::value) != records.end(); }
  bool accepts(const ProducerIdentity& producer) const {
    const auto known = epochs.find(producer.id);
    return known == epochs.end() || known->second <= producer.epoch;
  }
  void note(std::size_t place, const ProducerIdentity& producer) {
    written.emplace_back(place, producer);
    auto& epoch = epochs.try_emplace(producer.id, producer.epoch).first->second;
    epoch = std::max(epoch, producer.epoch);
  }
  void keep_only(auto is_durable) {
    std::erase_if(records, [&](const Record& each) { return !is_durable(each.place); });
    for (Record& record : records) {
      if (!is_durable(record.marker_place)) record.outcome.reset();
    }
    epochs.clear();
    for (const auto& [place, producer] : std::exchange(written, {})) {
      if (is_durable(place)) note(place, producer);
    }
  }
};

struct Client {
  std::string id;
  ClientVersion version = ClientVersion::plain;
  ProducerIdentity producer;
  enum class Doing : std::uint8_t { starting, idle, writing, ending, gone } doing = Doing::starting;
  int transaction = -1;
  Outcome wants = Outcome::commit;
  int writes_left = 0;
  bool waits = false;  // for an answer
};

// A request on its way, with what is to be done when it is answered.
struct Request {
  enum class Kind : std::uint8_t { init, add, write, end } kind = Kind::init;
  std::size_t client = 0;
  ProducerIdentity producer;
  TopicPartition partition;
  int value = 0;
  int transaction = 0;
  Outcome outcome = Outcome::commit;
  Instant due;
  bool again = false;  // a copy of one that was delivered before
};

struct Asked {
  Request request;
  std::uint64_t guard = 0;
  int incarnation = 0;
};

class World {
 public:
  explicit World(std::uint64_t seed) : random_(seed), harness_(options()) {
    harness_.writes_at_once = harness_.marks_at_once = false;
    if (seed % 2 == 1) {
      logs_[0].shared = logs_[1].shared = true;
      harness_.goes_before = [this](const TopicPartition& each) { return logs_[each.partition].shared; };
    }
    const std::size_t clients = 2 + random_.below(4);
    for (std::size_t each = 0; each < clients; ++each) {
      Client client;
      client.id = "id" + std::to_string(random_.below(2));
      client.version = client.id == "id0" ? ClientVersion::bumping : ClientVersion::plain;
      clients_.push_back(std::move(client));
    }
  }

  void run(int steps) {
    for (int step = 0; step < steps && !testing::Test::HasFailure(); ++step) {
      pass_time(static_cast<std::int64_t>(random_.below(random_.one_in(20) ? 20'000 : 60)));
      if (random_.one_in(150)) restart();
      if (random_.one_in(40)) revive(clients_[random_.below(clients_.size())]);
      for (std::size_t each = 0; each < clients_.size(); ++each) act(each);
    }
  }

  // No faults any more, nobody begins anything: in the end nothing is open.
  void heal() {
    healing_ = true;
    for (Client& client : clients_) client.doing = Client::Doing::gone;
    for (int round = 0; round < 400; ++round) pass_time(1'000);
    for (std::int32_t partition = 0; partition < kPartitions; ++partition) {
      for (const Record& record : logs_[partition].records) {
        EXPECT_TRUE(record.outcome.has_value()) << "transaction " << record.transaction << " stays open";
      }
    }
    for (const auto* id : {"id0", "id1"}) {
      const auto state = harness_.coordinator->describe(id);
      if (state.error_code != ErrorCode::none) continue;
      EXPECT_NE(state.transaction_state, "Ongoing");
      EXPECT_FALSE(state.transaction_state.starts_with("Prepare")) << state.transaction_state;
    }
  }

  void check() const {
    std::map<int, std::set<Outcome>> outcomes;
    std::set<int> seen;
    for (const Log& log : logs_) {
      for (const Record& record : log.records) {
        if (record.outcome) outcomes[record.transaction].insert(*record.outcome);
        seen.insert(record.value);
      }
    }
    for (const auto& [transaction, found] : outcomes) {
      EXPECT_EQ(found.size(), 1U) << "transaction " << transaction << " is torn";
      const Known known = ends_.at(static_cast<std::size_t>(transaction));
      if (known == Known::committed) EXPECT_EQ(*found.begin(), Outcome::commit) << transaction;
      if (known == Known::aborted) EXPECT_EQ(*found.begin(), Outcome::abort) << transaction;
    }
    for (const int value : acknowledged_) EXPECT_TRUE(seen.contains(value));
  }

  int committed() const { return static_cast<int>(std::ranges::count(ends_, Known::committed)); }

 private:
  static Options options() {
    Options chosen;
    chosen.abort_interval = Duration::from_ms(1'000);
    return chosen;
  }

  // ---- clients

  void revive(Client& client) {  // as a new process under the same id
    if (client.transaction >= 0 && end_of(client) == Known::open) end_of(client) = Known::unknown;
    client = Client{.id = client.id, .version = client.version};
  }

  void act(std::size_t index) {
    Client& client = clients_[index];
    if (client.waits || !random_.one_in(3)) return;
    switch (client.doing) {
      case Client::Doing::starting:
        return send({.kind = Request::Kind::init, .client = index});
      case Client::Doing::idle:
        client.transaction = static_cast<int>(ends_.size());
        ends_.push_back(Known::open);
        client.writes_left = static_cast<int>(1 + random_.below(4));
        client.wants = random_.one_in(4) ? Outcome::abort : Outcome::commit;
        client.doing = Client::Doing::writing;
        return;
      case Client::Doing::writing: {
        if (client.writes_left-- == 0) {
          client.doing = Client::Doing::ending;
          return send({.kind = Request::Kind::end, .client = index, .outcome = client.wants});
        }
        const TopicPartition partition{"t", static_cast<std::int32_t>(random_.below(kPartitions))};
        const bool adds = client.version == ClientVersion::plain;
        return send({.kind = adds ? Request::Kind::add : Request::Kind::write,
                     .client = index,
                     .partition = partition,
                     .value = next_value_++});
      }
      case Client::Doing::ending:
        return send({.kind = Request::Kind::end, .client = index, .outcome = client.wants});
      case Client::Doing::gone:
        return;
    }
  }

  void send(Request request) {
    Client& client = clients_[request.client];
    client.waits = true;
    request.producer = client.producer;
    request.transaction = client.transaction;
    put(std::move(request), static_cast<std::int64_t>(random_.below(100)));
  }
  void put(Request request, std::int64_t delay_ms) {
    request.due = harness_.now.monotonic + Duration::from_ms(delay_ms);
    wire_.push_back(std::move(request));
  }

  // ---- delivery

  void deliver(Request request) {
    const Client& client = clients_[request.client];
    const bool may_come_again =
        client.version == ClientVersion::bumping && !request.again && request.kind != Request::Kind::init;
    if (may_come_again && random_.one_in(3)) {
      Request copy = request;
      copy.again = true;
      put(std::move(copy), static_cast<std::int64_t>(random_.below(120'000)));
    }
    Asked asked{.request = request, .guard = 0, .incarnation = incarnation_};
    Ticket ticket;
    switch (request.kind) {
      case Request::Kind::init:
        ticket = harness_.init(client.id);
        break;
      case Request::Kind::add:
        ticket = harness_.add(client.id, request.producer, {request.partition});
        break;
      case Request::Kind::end:
        ticket = harness_.end(client.id, request.producer, request.outcome, client.version);
        break;
      case Request::Kind::write: {
        Log& log = logs_[request.partition.partition];
        if (log.holds(request.value)) return written_.push_back(request);  // its sequence is known
        if (!log.accepts(request.producer)) return answered_write(request, false);
        if (log.is_open(request.producer)) return append(request);
        asked.guard = log.guards[request.producer.id];
        ticket = client.version == ClientVersion::bumping
                     ? harness_.add_behind(client.id, request.producer, request.partition)
                     : harness_.verify(client.id, request.producer, {request.partition});
        break;
      }
    }
    asked_.emplace(ticket, asked);
  }

  void append(const Request& request) {
    Log& log = logs_[request.partition.partition];
    // I10: whoever was fenced by an epoch that was given out writes nothing.
    const auto given = given_.find(clients_[request.client].id);
    ASSERT_TRUE(given != given_.end());
    EXPECT_GE(request.producer.epoch.value, fences_[clients_[request.client].id].epoch.value);
    EXPECT_TRUE(ends_[static_cast<std::size_t>(request.transaction)] == Known::open ||
                ends_[static_cast<std::size_t>(request.transaction)] == Known::unknown)
        << "a record of transaction " << request.transaction << " comes after its end";
    log.note(place_in(log), request.producer);
    log.records.push_back({request.value, request.transaction, request.producer, {}, place_in(log), 0});
    written_.push_back(request);
  }

  // ---- the journal

  std::size_t place_in(const Log& log) const {
    return log.shared ? harness_.log.size() + harness_.appends.size() : 0;
  }
  // The place 0 is that of everything that needs no journal.
  bool is_durable(std::size_t place) const { return place < harness_.log.size() || place <= flushed_; }

  void acknowledge() {
    std::vector<Request> durable;
    std::erase_if(written_, [&](const Request& each) {
      const auto& records = logs_[each.partition.partition].records;
      const auto record = std::ranges::find(records, each.value, &Record::value);
      if (!is_durable(record->place)) return false;
      durable.push_back(each);
      return true;
    });
    for (const Request& each : durable) answered_write(each, true);
  }

  // A copy's sender has long forgotten it.
  Client* asker_of(const Request& request) {
    Client& client = clients_[request.client];
    const bool is_its = !request.again && client.waits && client.transaction == request.transaction &&
                        client.producer == request.producer;
    return is_its ? &client : nullptr;
  }

  void answered_write(const Request& request, bool written) {
    Client* client = asker_of(request);
    if (client == nullptr) return;
    client->waits = false;
    if (written) {
      acknowledged_.insert(request.value);
    } else {
      client->wants = Outcome::abort;
    }
  }

  void answered(const Asked& asked, const Answer& answer) {
    const Request& request = asked.request;
    if (request.kind == Request::Kind::write) {
      Log& log = logs_[request.partition.partition];
      const bool belongs = answer.error == ErrorCode::none && answer.missing.empty() &&
                           log.guards[request.producer.id] == asked.guard && log.accepts(request.producer);
      return belongs ? append(request) : answered_write(request, false);
    }
    Client* client = asker_of(request);
    if (client == nullptr) {
      // Nobody heard it, but the epoch is given: older ones are fenced.
      if (request.kind == Request::Kind::init && answer.error == ErrorCode::none) given(request, answer);
      return;
    }
    client->waits = false;
    switch (request.kind) {
      case Request::Kind::init:
        if (answer.error != ErrorCode::none) return;
        given(request, answer);
        client->producer = answer.producer;
        client->doing = Client::Doing::idle;
        return;
      case Request::Kind::add:
        if (answer.error == ErrorCode::none) {
          Request write = request;
          write.kind = Request::Kind::write;
          client->waits = true;
          return put(std::move(write), static_cast<std::int64_t>(random_.below(100)));
        }
        if (answer.error == ErrorCode::producer_fenced) return revive(*client);
        client->wants = Outcome::abort;
        return;
      case Request::Kind::end:
        return ended(*client, answer);
      case Request::Kind::write:
        return;
    }
  }

  void given(const Request& request, const Answer& answer) {
    const std::string& id = clients_[request.client].id;
    given_[id] = answer.producer;
    fences_[id] = answer.producer;
  }

  void ended(Client& client, const Answer& answer) {
    switch (answer.error) {
      case ErrorCode::none:
        end_of(client) = client.wants == Outcome::commit ? Known::committed : Known::aborted;
        if (client.version == ClientVersion::bumping) client.producer = answer.producer;
        client.doing = Client::Doing::idle;
        return;
      case ErrorCode::concurrent_transactions:
      case ErrorCode::not_coordinator:
      case ErrorCode::coordinator_not_available:
        return;  // asks again
      default:
        return revive(client);
    }
  }

  Known& end_of(const Client& client) { return ends_[static_cast<std::size_t>(client.transaction)]; }

  // ---- the broker's side

  void write_marker() {
    const Marker marker = harness_.markers.front();
    if (!healing_ && random_.one_in(6)) return harness_.mark(ErrorCode::not_leader_or_follower);
    Log& log = logs_[marker.partition.partition];
    const bool open = std::ranges::any_of(log.records, [&](const Record& each) {
      return each.producer.id == marker.producer.id && !each.outcome;
    });
    EXPECT_TRUE(!open || log.epochs[marker.producer.id] <= marker.producer.epoch);
    for (Record& record : log.records) {
      if (record.producer.id != marker.producer.id || record.outcome) continue;
      record.outcome = marker.outcome;
      record.marker_place = place_in(log);
    }
    ++log.guards[marker.producer.id];
    log.note(place_in(log), marker.producer);
    harness_.mark();
  }

  void pass_time(std::int64_t ms) {
    harness_.advance_ms(ms);
    std::vector<Request> due;
    std::erase_if(wire_, [&](const Request& each) {
      if (each.due > harness_.now.monotonic) return false;
      due.push_back(each);
      return true;
    });
    for (Request& request : due) deliver(std::move(request));
    hear();
    for (int round = 0; round < 8; ++round) {
      if (!harness_.appends.empty() && (healing_ || !random_.one_in(3))) {
        const bool fails = !healing_ && random_.one_in(40);
        harness_.write(fails ? ErrorCode::request_timed_out : ErrorCode::none);
        // A journal that fails once is not written again.
        if (fails && harness_.goes_before) restart();
      }
      if (healing_ || !random_.one_in(3)) flushed_ = harness_.log.size();
      acknowledge();
      if (!harness_.markers.empty() && (healing_ || !random_.one_in(3))) write_marker();
      hear();
    }
  }

  void hear() {
    for (bool again = true; again;) {
      again = false;
      for (auto at = asked_.begin(); at != asked_.end();) {
        const Answer* answer = harness_.answer(at->first);
        if (answer == nullptr) {
          ++at;
          continue;
        }
        const Asked asked = at->second;
        at = asked_.erase(at);
        answered(asked, *answer);
        again = true;
      }
    }
  }

  // Whoever waited asks again; what was decided and not written never was.
  void restart() {
    ++incarnation_;
    for (Log& log : logs_) {
      log.keep_only([&](std::size_t place) { return is_durable(place); });
    }
    harness_.restart();
    for (const auto& [ticket, asked] : std::exchange(asked_, {})) forget(asked.request);
    for (const Request& request : std::exchange(written_, {})) forget(request);
  }
  void forget(const Request& request) {
    Client* client = asker_of(request);
    if (client == nullptr) return;
    client->waits = false;
    if (request.kind == Request::Kind::write || request.kind == Request::Kind::add) {
      client->wants = Outcome::abort;
    }
  }

  Prng random_;
  Harness harness_;
  std::vector<Client> clients_;
  std::vector<Request> wire_;
  std::map<Ticket, Asked> asked_;
  std::vector<Request> written_;  // and not acknowledged
  std::size_t flushed_ = 0;       // what stands before this many of the coordinator's appends is durable
  Log logs_[kPartitions];
  std::vector<Known> ends_;  // by transaction
  std::set<int> acknowledged_;
  std::map<std::string, ProducerIdentity> given_;
  std::map<std::string, ProducerIdentity> fences_;
  int next_value_ = 0;
  int incarnation_ = 0;
  bool healing_ = false;
};

TEST(TxnProperty, transactions_are_whole_whatever_happens) {
  const char* wanted = std::getenv("TAILWATER_SEED");
  const std::uint64_t first = wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 1;
  const std::uint64_t last = wanted != nullptr ? first : 400;
  int committed = 0;
  for (std::uint64_t seed = first; seed <= last && !HasFailure(); ++seed) {
    SCOPED_TRACE("TAILWATER_SEED=" + std::to_string(seed));
    World world(seed);
    world.run(600);
    world.check();
    world.heal();
    world.check();
    committed += world.committed();
  }
  if (wanted == nullptr) EXPECT_GT(committed, 2'000);
}

}  // namespace
}  // namespace tailwater::txn
