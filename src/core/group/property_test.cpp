// Goal: what must hold whatever clients, clocks, logs and crashes do: one owner per partition and generation,
// every request ends in time, an acknowledged offset is never lost, sessions end, a group whose clients live
// becomes stable, and a replayed log is the state that wrote it. Method: model consumers (dynamic and static,
// old and new versions) against one coordinator under virtual time, with slow and failing writes, restarts in
// the middle of writes, pauses, crashes and departures, over many seeds.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "base/prng.hpp"
#include "core/group/test_harness.hpp"

namespace tailwater::group {
namespace {

constexpr std::int32_t kPartitions = 8;
constexpr std::int32_t kRebalanceMs = 20'000;
constexpr std::int32_t kWriteMs = 2'000;
// The longest that a parked request may wait: a join phase or a sync, and the write of the assignment.
constexpr std::int64_t kAnswerMs = kRebalanceMs + 2 * kWriteMs;
const std::string kGroup = "g";

struct Faults {
  bool writes_fail = false;
  bool restarts = false;
  bool clients_fail = true;
  bool clients_are_hasty = false;  // they give each other hardly any time, or none, to join
};

enum class Doing : std::uint8_t { idle, joining, syncing, owning, gone };

struct Client {
  std::string name;
  std::optional<std::string> instance;
  std::int16_t version = 9;
  std::int32_t session_ms = 10'000;
  std::int32_t rebalance_ms = kRebalanceMs;
  Protocols protocols;
  Doing doing = Doing::idle;
  std::string member_id;
  std::int32_t generation = -1;
  Ticket ticket;
  int asked_in = 0;  // which coordinator it asked
  Instant paused_until;
  Instant next_beat;
  std::set<std::int32_t> owned;
};

class World {
 public:
  World(std::uint64_t seed, Faults faults) : random_(seed), faults_(faults), harness_(options(random_)) {
    harness_.persists_at_once = false;
    const std::size_t count = 1 + random_.below(5);
    for (std::size_t index = 0; index < count; ++index) add_client();
  }

  void run(int steps) {
    for (int step = 0; step < steps && !testing::Test::HasFailure(); ++step) {
      // Often many requests meet one write that is in flight.
      pass_time(static_cast<std::int64_t>(random_.one_in(2) ? random_.below(3) : random_.below(1'500)));
      if (faults_.clients_fail) maybe_disturb();
      if (faults_.restarts && random_.one_in(60)) restart();
      for (Client& client : clients_) act(client);
      check();
    }
  }

  void heal() {
    faults_ = {.clients_fail = false};
    for (Client& client : clients_) {
      client.paused_until = Instant{};
      client.rebalance_ms = kRebalanceMs;
    }
  }

  // Everybody who lives owns something of the same generation, and nothing is without an owner.
  void expect_stable() {
    ASSERT_EQ(harness_.state(), "Stable");
    std::set<std::int32_t> all;
    std::set<std::int32_t> generations;
    for (const Client& client : clients_) {
      if (client.doing == Doing::gone) continue;
      EXPECT_EQ(client.doing, Doing::owning) << client.name;
      generations.insert(client.generation);
      all.insert(client.owned.begin(), client.owned.end());
    }
    EXPECT_EQ(generations.size(), 1u);
    EXPECT_EQ(all.size(), static_cast<std::size_t>(kPartitions));
  }

  void expect_same_after_replay() {
    while (!harness_.appends.empty()) write_one(ErrorCode::none);
    const auto before = durable_state(*harness_.coordinator);
    GroupCoordinator other(harness_.options, Prng(1));
    for (const Buffer& batch : harness_.log) ASSERT_TRUE(other.replay(batch).has_value());
    GroupEffects out;
    other.loaded(harness_.now, out);
    EXPECT_EQ(durable_state(other), before);
  }

  void everybody_dies() {
    for (Client& client : clients_) client.doing = Doing::gone;
    // Joins that are parked count as alive until their phase ends; then the last sessions run.
    for (int second = 0; second < 120; ++second) pass_time(1'000);
    EXPECT_EQ(harness_.state(), "Empty");
  }

  bool has_living() const {
    return std::ranges::any_of(clients_, [](const Client& client) { return client.doing != Doing::gone; });
  }
  int generations_owned() const { return static_cast<int>(owners_.size()); }

 private:
  static Options options(Prng& random) {
    Options chosen;
    if (random.one_in(3)) chosen.initial_rebalance_delay = Duration{};
    chosen.expiry_interval =
        Duration::from_ms(3'600'000'000);  // a deleted group would count its generations anew
    return chosen;
  }

  void add_client() {
    constexpr std::int16_t versions[] = {0, 3, 4, 5, 8, 9};
    Client client;
    client.name = "c" + std::to_string(clients_.size());
    client.version = versions[random_.below(std::size(versions))];
    if (client.version >= 5 && random_.one_in(3)) client.instance = "i" + client.name;
    client.session_ms = static_cast<std::int32_t>(6'000 + random_.below(10'000));
    if (faults_.clients_are_hasty) {
      constexpr std::int32_t patience_ms[] = {0, 0, 1, 300, 2'000, kRebalanceMs};
      client.rebalance_ms = patience_ms[random_.below(std::size(patience_ms))];
    }
    client.protocols = some_protocols();
    clients_.push_back(std::move(client));
  }

  Protocols some_protocols() {
    Protocols protocols = {{"range", subscription_to({"t" + std::to_string(random_.below(3))})}};
    // The log remembers of each member the chosen protocol alone, so after a restart that one must suit
    // everybody.
    const bool has_both = faults_.restarts || random_.one_in(2);
    const auto place = random_.one_in(2) ? protocols.begin() : protocols.end();
    if (has_both) protocols.insert(place, {"sticky", subscription_to({"t"})});
    return protocols;
  }

  // ---- time and the log
  void pass_time(std::int64_t ms) {
    for (std::int64_t left = ms; left > 0;) {
      const std::int64_t piece = std::min<std::int64_t>(left, 250);
      harness_.advance_ms(piece);
      left -= piece;
      write_some();
    }
  }
  void write_some() {
    while (!harness_.appends.empty() && !random_.one_in(4)) {
      const bool fails = faults_.writes_fail && random_.one_in(6);
      write_one(fails ? ErrorCode::not_enough_replicas : ErrorCode::none);
      oldest_write_ = harness_.now.monotonic;
    }
    if (harness_.appends.empty()) oldest_write_ = harness_.now.monotonic;
    const bool overdue = harness_.now.monotonic - oldest_write_ > Duration::from_ms(kWriteMs);
    if (overdue) write_one(ErrorCode::none);
  }
  void write_one(ErrorCode error) {
    failed_a_write_ |= error != ErrorCode::none;
    harness_.persist_one(error);
  }
  // Some of what is in flight reaches the log without anybody being told.
  void restart() {
    while (!harness_.appends.empty() && !random_.one_in(3)) {
      harness_.log.push_back(std::move(harness_.appends.front().batch));
      harness_.appends.pop_front();
    }
    harness_.restart();
    highest_answered_ = -1;  // a generation that was not written is forgotten
    ++coordinators_;
  }

  // ---- clients
  void maybe_disturb() {
    if (random_.one_in(40) && clients_.size() < 12) add_client();
    Client& client = clients_[random_.below(clients_.size())];
    if (client.doing == Doing::gone) return;
    const Instant now = harness_.now.monotonic;
    switch (random_.below(60)) {
      case 0:  // a long pause, such as of a garbage collector
        client.paused_until = now + Duration::from_ms(static_cast<std::int64_t>(random_.below(40'000)));
        break;
      case 1:  // the process dies; a static one comes back and knows nothing, others are never seen again
        client.doing = client.instance ? Doing::idle : Doing::gone;
        client.owned.clear();
        client.member_id.clear();
        client.generation = -1;
        if (client.doing == Doing::gone) add_client();
        break;
      case 2:
        if (client.member_id.empty()) break;
        harness_.leave({{client.member_id, client.instance}});
        client.doing = Doing::gone;
        add_client();
        break;
      case 3:  // it subscribes to something else
        client.protocols = some_protocols();
        if (client.doing == Doing::owning || client.doing == Doing::syncing) client.doing = Doing::idle;
        break;
      case 4:  // its connection breaks; it asks again over another
        if (client.doing == Doing::joining || client.doing == Doing::syncing) client.doing = Doing::idle;
        break;
      default:
        break;
    }
  }

  void act(Client& client) {
    if (client.doing == Doing::gone || harness_.now.monotonic < client.paused_until) return;
    switch (client.doing) {
      case Doing::idle:
        return ask_to_join(client);
      case Doing::joining:
        if (harness_.answered(client.ticket)) joined(client, harness_.joined(client.ticket));
        return;
      case Doing::syncing:
        if (harness_.answered(client.ticket)) synced(client, harness_.synced(client.ticket));
        return;
      case Doing::owning:
        return work(client);
      case Doing::gone:
        return;
    }
  }

  void ask_to_join(Client& client) {
    client.owned.clear();
    client.doing = Doing::joining;
    client.asked_in = coordinators_;
    client.ticket = harness_.join({.member = client.member_id,
                                   .instance = client.instance,
                                   .client = client.name,
                                   .version = client.version,
                                   .session_ms = client.session_ms,
                                   .rebalance_ms = client.rebalance_ms,
                                   .protocols = client.protocols});
    parked_.emplace(client.ticket, harness_.now.monotonic);
  }

  void joined(Client& client, const wire::JoinGroupResponse& answer) {
    client.doing = Doing::idle;
    if (answer.error_code == ErrorCode::member_id_required) {
      client.member_id = answer.member_id;
      return ask_to_join(client);
    }
    if (answer.error_code != ErrorCode::none) return failed(client, answer.error_code);
    client.member_id = answer.member_id;
    client.generation = answer.generation_id;
    if (client.asked_in == coordinators_)
      highest_answered_ = std::max(highest_answered_, answer.generation_id);
    SyncSpec spec{.member = client.member_id, .generation = client.generation, .instance = client.instance};
    const bool leads = answer.leader == answer.member_id && !answer.skip_assignment;
    EXPECT_EQ(answer.leader == answer.member_id, !answer.members.empty());
    if (leads) {
      for (std::int32_t partition = 0; partition < kPartitions; ++partition) {
        const auto& member = answer.members[random_.below(answer.members.size())];
        spec.assignments[member.member_id] += static_cast<char>('0' + partition);
      }
    }
    client.doing = Doing::syncing;
    client.ticket = harness_.sync(spec);
    parked_.emplace(client.ticket, harness_.now.monotonic);
  }

  void synced(Client& client, const wire::SyncGroupResponse& answer) {
    client.doing = Doing::idle;
    if (answer.error_code != ErrorCode::none) return failed(client, answer.error_code);
    client.doing = Doing::owning;
    for (const char digit : text_of(answer.assignment)) client.owned.insert(digit - '0');
    const std::string who = client.instance.value_or(client.member_id);
    for (const std::int32_t partition : client.owned) {
      const auto [owner, is_new] = owners_[client.generation].emplace(partition, who);
      EXPECT_TRUE(is_new || owner->second == who) << "generation " << client.generation << ", partition "
                                                  << partition << ": " << owner->second << " and " << who;
    }
  }

  void failed(Client& client, ErrorCode error) {
    client.doing = Doing::idle;
    client.owned.clear();
    switch (error) {
      case ErrorCode::unknown_member_id:
        client.member_id.clear();
        client.generation = -1;
        return;
      case ErrorCode::fenced_instance_id:  // another process of that instance is alive: ours is the new one
        client.member_id.clear();
        return;
      case ErrorCode::illegal_generation:
      case ErrorCode::rebalance_in_progress:
      case ErrorCode::coordinator_not_available:
      case ErrorCode::not_coordinator:
        return;
      case ErrorCode::inconsistent_group_protocol:  // everybody supports "range"
      default:
        ADD_FAILURE() << client.name << ": " << name(error);
    }
  }

  void work(Client& client) {
    if (random_.one_in(3)) commit(client);
    if (harness_.now.monotonic < client.next_beat) return;
    client.next_beat = harness_.now.monotonic + Duration::from_ms(2'000);
    const ErrorCode error = harness_.heartbeat(client.member_id, client.generation, client.instance);
    if (error != ErrorCode::none) failed(client, error);
  }

  void commit(const Client& client) {
    if (client.owned.empty()) return;
    const std::int32_t partition = *client.owned.begin();
    // Sometimes it is a thread that has not noticed the last rebalance.
    const std::int32_t generation = random_.one_in(10) ? client.generation - 1 : client.generation;
    const bool is_stale = generation < highest_answered_;
    const Ticket ticket = harness_.commit({.member = client.member_id,
                                           .generation = generation,
                                           .instance = client.instance,
                                           .partition = partition,
                                           .offset = ++last_offset_});
    if (harness_.answered(ticket)) {
      EXPECT_NE(harness_.committed(ticket), ErrorCode::none) << "before it is durable";
      return;
    }
    EXPECT_FALSE(is_stale) << "a commit of generation " << generation << " was taken after "
                           << highest_answered_;
    commits_.push_back({ticket, partition, last_offset_});
  }

  // ---- what must hold
  void check() {
    std::erase_if(parked_, [&](const auto& entry) {
      if (harness_.answered(entry.first)) return true;
      const Duration waited = harness_.now.monotonic - entry.second;
      EXPECT_LE(waited.to_ms(), kAnswerMs) << "ticket " << entry.first.value;
      return false;
    });
    std::erase_if(commits_, [&](const Commit& commit) {
      if (!harness_.answered(commit.ticket)) return false;
      if (harness_.committed(commit.ticket) == ErrorCode::none) {
        acknowledged_[commit.partition] = std::max(acknowledged_[commit.partition], commit.offset);
      }
      return true;
    });
    for (const auto& [partition, offset] : acknowledged_) {
      const std::int64_t fetched = harness_.fetch("t", partition);
      EXPECT_GE(fetched, offset) << "partition " << partition;
      // Values grow from commit to commit; unacknowledged ones may turn up after a restart only.
      if (coordinators_ == 0 && !failed_a_write_ && commits_.empty()) {
        EXPECT_EQ(fetched, offset) << "partition " << partition;
      }
    }
  }

  struct Commit {
    Ticket ticket;
    std::int32_t partition = 0;
    std::int64_t offset = 0;
  };

  Prng random_;
  Faults faults_;
  Harness harness_;
  std::vector<Client> clients_;
  std::map<Ticket, Instant> parked_;
  std::vector<Commit> commits_;
  std::map<std::int32_t, std::map<std::int32_t, std::string>> owners_;  // generation -> partition -> who
  std::map<std::int32_t, std::int64_t> acknowledged_;
  std::int64_t last_offset_ = 0;
  std::int32_t highest_answered_ = -1;
  int coordinators_ = 0;
  Instant oldest_write_;
  bool failed_a_write_ = false;
};

// TAILWATER_SEEDS multiplies the number of seeds, for long runs.
void run_worlds(std::uint64_t seeds, Faults faults) {
  const char* factor = std::getenv("TAILWATER_SEEDS");
  if (factor != nullptr) seeds *= std::strtoull(factor, nullptr, 10);
  int owned = 0;
  for (std::uint64_t seed = 1; seed <= seeds && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world(seed, faults);
    world.run(600);
    owned += world.generations_owned();
    world.heal();
    world.run(400);
    if (world.has_living()) world.expect_stable();
    world.expect_same_after_replay();
    world.everybody_dies();
    world.expect_same_after_replay();
  }
  EXPECT_GT(owned, static_cast<int>(seeds) * 5) << "the runs were idle";
}

TEST(Property, ClientsComeAndGo) {
  run_worlds(60, {});
}
TEST(Property, WritesFail) {
  run_worlds(60, {.writes_fail = true});
}
TEST(Property, CoordinatorsRestart) {
  run_worlds(60, {.restarts = true});
}
TEST(Property, ClientsAreHasty) {
  run_worlds(120, {.restarts = true, .clients_are_hasty = true});
}
TEST(Property, Everything) {
  run_worlds(120, {.writes_fail = true, .restarts = true});
}

TEST(Property, TheSameSeedGivesTheSameEffects) {
  const auto log_of = [](std::uint64_t seed) {
    Harness harness;
    Prng random(seed);
    std::vector<std::string> members;
    for (int step = 0; step < 200; ++step) {
      switch (random.below(4)) {
        case 0:
          members.push_back(harness.new_id());
          break;
        case 1:
          if (!members.empty()) harness.join({.member = members[random.below(members.size())]});
          break;
        case 2:
          harness.commit({.group = "h" + std::to_string(random.below(3)), .offset = step});
          break;
        default:
          harness.advance_ms(static_cast<std::int64_t>(random.below(4'000)));
      }
    }
    return harness.log;
  };
  EXPECT_EQ(log_of(5), log_of(5));
  EXPECT_NE(log_of(5), log_of(6));
}

}  // namespace
}  // namespace tailwater::group
