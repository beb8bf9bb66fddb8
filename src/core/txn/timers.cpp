// Time: patience of who waits, tries of markers, timeouts of transactions, expiry of transactional ids.
#include <algorithm>
#include <utility>

#include "core/txn/coordinator.hpp"

namespace tailwater::txn {
namespace {

constexpr std::size_t kExpiryStep = 1'000;  // ids that one scan looks at
constexpr Duration kExpiryPause = Duration::from_ms(100);

}  // namespace

void TxnCoordinator::schedule(Entry& entry) {
  Transaction& transaction = entry.second;
  Instant due = transaction.retry_at;
  for (const Waiter& waiter : transaction.waiting) due = std::min(due, waiter.until);
  if (due == transaction.due) return;
  if (transaction.due != Instant::max()) agenda_.erase({transaction.due, entry.first});
  if (due != Instant::max()) agenda_.emplace(due, entry.first);
  transaction.due = due;
}

void TxnCoordinator::due(Turn& turn, Entry& entry) {
  Transaction& transaction = entry.second;
  std::deque<Waiter> patient;
  for (Waiter& waiter : transaction.waiting) {
    if (waiter.until <= turn.now.monotonic) {
      refuse(turn, waiter.ticket, ErrorCode::concurrent_transactions);
    } else {
      patient.push_back(std::move(waiter));
    }
  }
  transaction.waiting = std::move(patient);
  if (transaction.retry_at <= turn.now.monotonic) {
    transaction.retry_at = Instant::max();
    const std::set<TopicPartition> again = std::exchange(transaction.retries, {});
    send_markers(turn, entry, transaction.committed, again);
    complete_if_marked(turn, entry);
  }
  schedule(entry);
  settle(entry);
}

void TxnCoordinator::set_abort_time(Entry& entry, Now now) {
  Transaction& transaction = entry.second;
  if (transaction.committed.state != State::ongoing) {
    transaction.abort_at = Instant::max();
    ongoing_.erase(entry.first);
    return;
  }
  if (!ongoing_.insert(entry.first).second) return;
  const std::int64_t age_ms = std::max<std::int64_t>(now.wall.ms - transaction.committed.start_ms, 0);
  const std::int64_t left_ms = transaction.committed.timeout_ms - age_ms;
  transaction.abort_at = now.monotonic + Duration::from_ms(std::max<std::int64_t>(left_ms, 0));
}

void TxnCoordinator::abort_overdue(Turn& turn) {
  for (const std::string& id : std::vector<std::string>(ongoing_.begin(), ongoing_.end())) {
    Entry& entry = *transactions_.find(id);
    Transaction& transaction = entry.second;
    if (transaction.abort_at > turn.now.monotonic || !transaction.in_flight.empty()) continue;
    // Whose time was over may ask who it is now (KIP-588); nobody else has been given the epoch.
    const ProducerEpoch overdue = transaction.committed.producer.epoch;
    auto next = fenced(transaction.committed, turn.now.wall, fresh_id_, overdue);
    if (!next) {
      want_producer_id(turn);
      continue;
    }
    turn.out.notes.push_back("the transaction of " + id + " has outlived its timeout of " +
                             std::to_string(transaction.committed.timeout_ms) + " ms and is aborted");
    take_producer_id(transaction.committed, *next);
    propose(turn, entry, std::move(*next), std::nullopt);
    settle(entry);
  }
}

void TxnCoordinator::expire(Turn& turn) {
  std::size_t left = kExpiryStep;
  auto at = transactions_.lower_bound(expiry_from_);
  for (; at != transactions_.end() && left > 0; ++at, --left) {
    const Transaction& transaction = at->second;
    if (!transaction.in_flight.empty() || !transaction.waiting.empty()) continue;
    if (!is_expired(transaction.committed, turn.now.wall, options_.id_expiration)) continue;
    Metadata dead = transaction.committed;
    dead.state = State::dead;
    propose(turn, *at, std::move(dead), std::nullopt);
  }
  expiry_from_ = at == transactions_.end() ? std::string() : at->first;
  next_expiry_scan_ = turn.now.monotonic + (expiry_from_.empty() ? options_.expiry_interval : kExpiryPause);
}

void TxnCoordinator::tick(Now now, TxnEffects& out) {
  if (phase_ != Phase::active) return;
  Turn turn{now, out};
  announced_ = Instant::max();
  while (!agenda_.empty() && agenda_.begin()->first <= now.monotonic) {
    Entry& entry = *transactions_.find(agenda_.begin()->second);
    agenda_.erase(agenda_.begin());
    entry.second.due = Instant::max();
    due(turn, entry);
  }
  if (next_abort_scan_ <= now.monotonic) {
    abort_overdue(turn);
    next_abort_scan_ = now.monotonic + options_.abort_interval;
  }
  if (next_expiry_scan_ <= now.monotonic) expire(turn);
  finish(turn);
}

void TxnCoordinator::finish(Turn& turn) {
  if (phase_ != Phase::active) return;
  Instant next = std::min(next_abort_scan_, next_expiry_scan_);
  if (!agenda_.empty()) next = std::min(next, agenda_.begin()->first);
  if (next == announced_) return;
  announced_ = next;
  turn.out.wake_at = next;
}

}  // namespace tailwater::txn
