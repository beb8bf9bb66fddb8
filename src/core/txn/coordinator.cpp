// Requests: deciding, proposing, applying, and waiting for what is unfinished.
#include "core/txn/coordinator.hpp"

#include <algorithm>
#include <functional>
#include <iterator>
#include <type_traits>

#include "base/check.hpp"
#include "wire/coordinator_error.hpp"

namespace tailwater::txn {
namespace {

// Of one transactional id without its partitions: nodes of maps, two copies of its state.
constexpr std::size_t kTransactionWeight = 600;
constexpr std::size_t kPartitionWeight = 96;
// A batch with the record of a transaction, without id and partitions.
constexpr std::size_t kRecordBytesMax = 512;
// Of a proposal that is being written, without partitions.
constexpr std::size_t kProposalWeight = 400;

std::size_t weight_of(const auto& partitions) {
  std::size_t weight = 0;
  for (const TopicPartition& each : partitions) weight += kPartitionWeight + each.topic.size();
  return weight;
}

const std::string& id_of(const auto& request) {
  return std::visit([](const auto& each) -> const std::string& { return each.transactional_id; }, request);
}

}  // namespace

ErrorCode TxnCoordinator::availability() const {
  switch (phase_) {
    case Phase::loading:
      return ErrorCode::coordinator_load_in_progress;
    case Phase::active:
      return ErrorCode::none;
    case Phase::stopped:
      return ErrorCode::not_coordinator;
  }
  return ErrorCode::unknown_server_error;
}

TxnCoordinator::Transaction* TxnCoordinator::find(std::string_view id) {
  const auto found = transactions_.find(id);
  return found == transactions_.end() ? nullptr : &found->second;
}

void TxnCoordinator::reply(Turn& turn, Ticket ticket, Answer answer) {
  turn.out.replies.push_back({ticket, std::move(answer)});
}

void TxnCoordinator::refuse(Turn& turn, Ticket ticket, ErrorCode error) {
  reply(turn, ticket, {.error = error, .producer = {}, .missing = {}});
}

void TxnCoordinator::init(Ticket ticket, InitRequest request, Now now, TxnEffects& out) {
  Turn turn{now, out};
  if (request.transactional_id.empty()) return refuse(turn, ticket, ErrorCode::invalid_request);
  if (request.timeout_ms <= 0 || Duration::from_ms(request.timeout_ms) > options_.timeout_max) {
    return refuse(turn, ticket, ErrorCode::invalid_transaction_timeout);
  }
  ask(turn, {ticket, std::move(request), now.monotonic + options_.patience});
  finish(turn);
}

void TxnCoordinator::add(Ticket ticket, AddRequest request, Now now, TxnEffects& out) {
  Turn turn{now, out};
  if (request.transactional_id.empty()) return refuse(turn, ticket, ErrorCode::invalid_request);
  ask(turn, {ticket, std::move(request), now.monotonic + options_.patience});
  finish(turn);
}

void TxnCoordinator::verify(Ticket ticket, VerifyRequest request, Now now, TxnEffects& out) {
  Turn turn{now, out};
  ask(turn, {ticket, std::move(request), now.monotonic + options_.patience});
  finish(turn);
}

void TxnCoordinator::end(Ticket ticket, EndRequest request, Now now, TxnEffects& out) {
  Turn turn{now, out};
  if (request.transactional_id.empty()) return refuse(turn, ticket, ErrorCode::invalid_request);
  ask(turn, {ticket, std::move(request), now.monotonic + options_.patience});
  finish(turn);
}

void TxnCoordinator::ask(Turn& turn, Waiter waiter) {
  if (const ErrorCode error = availability(); error != ErrorCode::none) {
    return refuse(turn, waiter.ticket, error);
  }
  auto found = transactions_.find(id_of(waiter.request));
  if (found == transactions_.end()) {
    if (!std::holds_alternative<InitRequest>(waiter.request)) {
      return refuse(turn, waiter.ticket, ErrorCode::invalid_producer_id_mapping);
    }
    if (memory_ >= options_.memory_max) {
      return refuse(turn, waiter.ticket, ErrorCode::policy_violation);
    }
    found = transactions_.try_emplace(id_of(waiter.request)).first;
  }
  ask_known(turn, *found, std::move(waiter));
  settle(*found);
}

Decision TxnCoordinator::decide_for(const Transaction& transaction, const Request& request, Now now) const {
  Decision unfinished{.kind = Decision::Kind::wait, .error = {}, .next = {}};
  const bool writing = !transaction.in_flight.empty();
  if (const auto* verify = std::get_if<VerifyRequest>(&request)) {
    // Behind an end that is being written nothing belongs to what it ends.
    const auto adds = [](const InFlight& each) { return each.next.state == State::ongoing; };
    const bool runs =
        transaction.committed.state == State::ongoing && std::ranges::all_of(transaction.in_flight, adds);
    return writing && !runs ? unfinished : decide(transaction.committed, *verify);
  }
  const Metadata& seen = transaction.proposed();
  if (seen.state == State::dead) return unfinished;
  Decision decision = std::visit(
      [&]<class R>(const R& asked) {
        if constexpr (std::is_same_v<R, AddRequest>) {
          return decide(seen, asked, now.wall);
        } else if constexpr (std::is_same_v<R, VerifyRequest>) {
          return decide(seen, asked);
        } else {
          return decide(seen, asked, now.wall, fresh_id_);
        }
      },
      request);
  // A proposal stands behind what it rests on; an answer would stand before.
  return writing && decision.kind == Decision::Kind::refuse ? unfinished : decision;
}

// Whether this, and whatever follows without more partitions, goes into a batch. Counts rather too many bytes.
bool TxnCoordinator::fits_batch(std::string_view id, const Metadata& next) const {
  constexpr std::size_t topic_bytes = 16;
  constexpr std::size_t partition_bytes = 4;
  std::size_t bytes = kRecordBytesMax + id.size();
  const std::string* topic = nullptr;  // they are in order
  for (const TopicPartition& each : next.partitions) {
    bytes += partition_bytes;
    if (topic == nullptr || *topic != each.topic) bytes += topic_bytes + each.topic.size();
    topic = &each.topic;
  }
  return bytes <= std::min(options_.batch_bytes_max, log_bytes_max_);
}

Answer TxnCoordinator::answer_of(const Request& request, const Metadata& metadata) const {
  Answer answer;
  if (std::holds_alternative<InitRequest>(request)) answer.producer = metadata.producer;
  if (const auto* end = std::get_if<EndRequest>(&request)) {
    if (end->version >= ClientVersion::bumping) answer.producer = identity_after(metadata);
  }
  if (const auto* verify = std::get_if<VerifyRequest>(&request)) {
    for (const TopicPartition& each : verify->partitions) {
      const bool belongs = metadata.state == State::ongoing && metadata.partitions.contains(each);
      if (!belongs) answer.missing.push_back(each);
    }
  }
  return answer;
}

void TxnCoordinator::ask_known(Turn& turn, Entry& entry, Waiter waiter) {
  Decision decision = decide_for(entry.second, waiter.request, turn.now);
  carry_out(turn, entry, std::move(waiter), std::move(decision));
}

void TxnCoordinator::carry_out(Turn& turn, Entry& entry, Waiter waiter, Decision decision) {
  switch (decision.kind) {
    case Decision::Kind::refuse:
      if (decision.error != ErrorCode::none) return refuse(turn, waiter.ticket, decision.error);
      reply(turn, waiter.ticket, answer_of(waiter.request, entry.second.committed));
      break;
    case Decision::Kind::write: {
      auto* add = std::get_if<AddRequest>(&waiter.request);
      if (add != nullptr && !fits_batch(entry.first, decision.next)) {
        return refuse(turn, waiter.ticket, ErrorCode::unknown_server_error);
      }
      take_producer_id(entry.second.proposed(), decision.next);
      Answer answer = answer_of(waiter.request, decision.next);
      propose(turn, entry, std::move(decision.next), std::pair(waiter.ticket, std::move(answer)));
      if (add != nullptr && add->by_leader) entry.second.in_flight.back().led = std::move(add->partitions);
      break;
    }
    case Decision::Kind::write_then_ask:
      take_producer_id(entry.second.proposed(), decision.next);
      wait(turn, entry, std::move(waiter));
      propose(turn, entry, std::move(decision.next), std::nullopt);
      break;
    case Decision::Kind::wait:
      wait(turn, entry, std::move(waiter));
      break;
    case Decision::Kind::need_producer_id:
      waiting_for_ids_.push_back(std::move(waiter));
      want_producer_id(turn);
      break;
  }
}

void TxnCoordinator::take_producer_id(const Metadata& before, const Metadata& next) {
  if (!fresh_id_) return;
  const bool used = (next.producer.id == *fresh_id_ && before.producer.id != *fresh_id_) ||
                    (next.next_id == *fresh_id_ && before.next_id != *fresh_id_);
  if (used) fresh_id_.reset();
}

void TxnCoordinator::wait(Turn& turn, Entry& entry, Waiter waiter) {
  Transaction& transaction = entry.second;
  if (waiter.until <= turn.now.monotonic || transaction.waiting.size() >= options_.waiting_max) {
    return refuse(turn, waiter.ticket, ErrorCode::concurrent_transactions);
  }
  transaction.waiting.push_back(std::move(waiter));
  schedule(entry);
}

void TxnCoordinator::wake(Turn& turn, Entry& entry) {
  std::deque<Waiter> woken;
  woken.swap(entry.second.waiting);
  for (Waiter& waiter : woken) ask_known(turn, entry, std::move(waiter));
}

// --- writing

void TxnCoordinator::propose(Turn& turn, Entry& entry, Metadata next,
                             std::optional<std::pair<Ticket, Answer>> then) {
  Transaction& transaction = entry.second;
  CHECK(may_follow(transaction.proposed().state, next.state));
  const KeyValue record = encode(entry.first, next.state == State::dead ? nullptr : &next);
  builder_.reset({});
  const bool fits = builder_.add(turn.now.wall.ms, Bytes(record.key),
                                 record.value ? std::optional<Bytes>(*record.value) : std::nullopt);
  Append append{AppendToken{next_append_++}, {}};
  CHECK(fits);
  const Result<void> finished = builder_.finish(append.batch);
  CHECK(finished.has_value());
  appends_.emplace(append.token, entry.first);
  InFlight proposal;
  proposal.token = append.token;
  proposal.then = std::move(then);
  if (is_deciding(next.state)) proposal.undecided = next.partitions;
  std::set<TopicPartition> partitions = std::exchange(next.partitions, {});
  proposal.next = next;
  std::deque<InFlight>& before = transaction.in_flight;
  if (before.size() == 1)
    note_change(before.front(), transaction.committed.partitions, transaction.newest.partitions);
  if (!before.empty()) note_change(proposal, transaction.newest.partitions, partitions);
  next.partitions = std::move(partitions);
  transaction.newest = std::move(next);
  before.push_back(std::move(proposal));
  turn.out.appends.push_back(std::move(append));
}

void TxnCoordinator::note_change(InFlight& step, const std::set<TopicPartition>& before,
                                 const std::set<TopicPartition>& after) {
  step.added.clear();
  step.begins_anew = !std::ranges::includes(after, before);
  if (step.begins_anew) {
    step.added.assign(after.begin(), after.end());
  } else {
    std::ranges::set_difference(after, before, std::back_inserter(step.added));
  }
}

void TxnCoordinator::take_step(Metadata& metadata, const InFlight& step) {
  std::set<TopicPartition> partitions = std::move(metadata.partitions);
  if (step.begins_anew) partitions.clear();
  partitions.insert(step.added.begin(), step.added.end());
  metadata = step.next;
  metadata.partitions = std::move(partitions);
}

void TxnCoordinator::placed(AppendToken token, const GoesBefore& goes_before, Now now, TxnEffects& out) {
  const auto known = appends_.find(token);
  if (known == appends_.end()) return;
  Entry& entry = *transactions_.find(known->second);
  Transaction& transaction = entry.second;
  const auto in_log = std::ranges::find(transaction.in_flight, token, &InFlight::token);
  CHECK(in_log != transaction.in_flight.end());
  Turn turn{now, out};
  if (!in_log->led.empty() && in_log->then && std::ranges::all_of(in_log->led, std::ref(goes_before))) {
    reply(turn, in_log->then->first, std::move(in_log->then->second));
    in_log->then.reset();
  }
  if (!is_deciding(in_log->next.state)) return;
  std::set<TopicPartition> behind;
  for (const TopicPartition& each : in_log->undecided) {
    if (goes_before(each)) behind.insert(each);
  }
  for (const TopicPartition& each : behind) in_log->undecided.erase(each);
  send_markers(turn, entry, in_log->next, behind);
  complete_if_marked(turn, entry);
  settle(entry);
  finish(turn);
}

void TxnCoordinator::persisted(AppendToken token, ErrorCode error, Now now, TxnEffects& out) {
  const auto known = appends_.find(token);
  if (known == appends_.end()) return;
  const auto found = transactions_.find(known->second);
  CHECK(found != transactions_.end());
  appends_.erase(known);
  Entry& entry = *found;
  Transaction& transaction = entry.second;
  Turn turn{now, out};
  if (error == ErrorCode::none) {
    CHECK(transaction.in_flight.front().token == token);
    InFlight done = std::move(transaction.in_flight.front());
    transaction.in_flight.pop_front();
    if (done.then) reply(turn, done.then->first, std::move(done.then->second));
    applied(turn, entry, std::move(done));
  } else {
    withdraw(turn, entry, token, wire::coordinator_error(error));
  }
  finish(turn);
}

// A write was refused: what was proposed from there on never was.
void TxnCoordinator::withdraw(Turn& turn, Entry& entry, AppendToken from, ErrorCode error) {
  Transaction& transaction = entry.second;
  while (!transaction.in_flight.empty() && transaction.in_flight.back().token >= from) {
    InFlight lost = std::move(transaction.in_flight.back());
    transaction.in_flight.pop_back();
    appends_.erase(lost.token);
    if (is_deciding(lost.next.state)) recall_markers(transaction);
    if (!lost.then) continue;
    lost.then->second.error = error;
    reply(turn, lost.then->first, std::move(lost.then->second));
  }
  transaction.newest = transaction.in_flight.empty() ? Metadata{} : transaction.committed;
  for (const InFlight& each : transaction.in_flight) take_step(transaction.newest, each);
  // Asking again would only fail again.
  for (Waiter& waiter : std::exchange(transaction.waiting, {})) refuse(turn, waiter.ticket, error);
  if (is_deciding(transaction.committed.state))
    transaction.retry_at = turn.now.monotonic + options_.marker_retry;
  schedule(entry);
  settle(entry);
}

void TxnCoordinator::applied(Turn& turn, Entry& entry, InFlight done) {
  Transaction& transaction = entry.second;
  CHECK(may_follow(transaction.committed.state, done.next.state));
  if (transaction.in_flight.empty()) {
    transaction.committed = std::exchange(transaction.newest, {});
  } else {
    take_step(transaction.committed, done);
  }
  set_abort_time(entry, turn.now);
  const State state = transaction.committed.state;
  if (state == State::dead) transaction.committed = {};
  if (is_deciding(state)) {
    send_markers(turn, entry, transaction.committed, done.undecided);
    complete_if_marked(turn, entry);
  }
  wake(turn, entry);
  schedule(entry);
  settle(entry);
}

// The last word about an id in each call: what nobody was told of and nobody waits for is forgotten.
void TxnCoordinator::settle(Entry& entry) {
  Transaction& transaction = entry.second;
  const bool is_nothing = transaction.committed.producer.epoch == ProducerEpoch{-1} &&
                          transaction.in_flight.empty() && transaction.waiting.empty();
  if (is_nothing) {
    const auto is_its = [&](const Waiter& waiter) { return id_of(waiter.request) == entry.first; };
    if (std::ranges::none_of(waiting_for_ids_, is_its)) return forget(entry.first);
  }
  std::size_t weight =
      kTransactionWeight + 3 * entry.first.size() + weight_of(transaction.committed.partitions);
  weight += weight_of(transaction.newest.partitions);
  for (const InFlight& each : transaction.in_flight) weight += kProposalWeight + weight_of(each.added);
  memory_ += weight - transaction.accounted;
  transaction.accounted = weight;
}

void TxnCoordinator::forget(std::string_view id) {
  const auto found = transactions_.find(id);
  if (found->second.due != Instant::max()) agenda_.erase({found->second.due, found->first});
  memory_ -= found->second.accounted;
  transactions_.erase(found);
}

// --- producer ids

void TxnCoordinator::want_producer_id(Turn& turn) {
  if (!std::exchange(id_asked_, true)) turn.out.producer_id_wanted = true;
}

void TxnCoordinator::give_producer_id(ProducerId id, Now now, TxnEffects& out) {
  id_asked_ = false;
  fresh_id_ = id;
  Turn turn{now, out};
  for (Waiter& waiter : std::exchange(waiting_for_ids_, {})) ask(turn, std::move(waiter));
  finish(turn);
}

void TxnCoordinator::no_producer_id(Now now, TxnEffects& out) {
  id_asked_ = false;
  Turn turn{now, out};
  for (Waiter& waiter : std::exchange(waiting_for_ids_, {})) {
    refuse(turn, waiter.ticket, ErrorCode::coordinator_not_available);
    const auto found = transactions_.find(id_of(waiter.request));
    if (found != transactions_.end()) settle(*found);
  }
  finish(turn);
}

}  // namespace tailwater::txn
