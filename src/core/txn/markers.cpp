// The second half of a transaction's end: a marker into every partition that it has touched, for ever until
// each is there; then the id is free for the next transaction.
#include <utility>

#include "core/txn/coordinator.hpp"

namespace tailwater::txn {

void TxnCoordinator::send_markers(Turn& turn, Entry& entry, const std::set<TopicPartition>& partitions) {
  Transaction& transaction = entry.second;
  const Metadata& decided = transaction.committed;
  for (const TopicPartition& partition : partitions) {
    const MarkerToken token{next_marker_++};
    markers_.emplace(token, entry.first);
    transaction.unmarked.emplace(token, partition);
    turn.out.markers.push_back({.token = token,
                                .partition = partition,
                                .producer = decided.producer,
                                .outcome = outcome_of(decided.state),
                                .version = decided.version,
                                .coordinator_epoch = epoch_});
  }
}

void TxnCoordinator::complete_if_marked(Turn& turn, Entry& entry) {
  Transaction& transaction = entry.second;
  if (!is_deciding(transaction.committed.state) || !transaction.in_flight.empty()) return;
  if (!transaction.unmarked.empty() || !transaction.retries.empty()) return;
  transaction.retry_at = Instant::max();
  propose(turn, entry, completed(transaction.committed, turn.now.wall), std::nullopt);
}

void TxnCoordinator::marked(MarkerToken token, ErrorCode error, Now now, TxnEffects& out) {
  const auto known = markers_.find(token);
  if (known == markers_.end()) return;
  const auto found = transactions_.find(known->second);
  markers_.erase(known);
  if (found == transactions_.end()) return;
  Entry& entry = *found;
  Transaction& transaction = entry.second;
  auto marker = transaction.unmarked.extract(token);
  if (marker.empty()) return;
  Turn turn{now, out};
  switch (error) {
    case ErrorCode::none:
    case ErrorCode::unknown_topic_or_partition:  // the topic was deleted: nothing of it is left to end
      break;
    case ErrorCode::invalid_producer_epoch:  // the partition has gone on to a later epoch of this producer
      turn.out.notes.push_back("the end of a transaction of " + entry.first + " met a later epoch in " +
                               marker.mapped().topic + "-" + std::to_string(marker.mapped().partition));
      break;
    default:
      transaction.retries.insert(std::move(marker.mapped()));
      transaction.retry_at = now.monotonic + options_.marker_retry;
      break;
  }
  complete_if_marked(turn, entry);
  schedule(entry);
  finish(turn);
}

}  // namespace tailwater::txn
