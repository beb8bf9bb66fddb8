// The second half of a transaction's end: a marker into every partition that it has touched, for ever until
// each is there; then the id is free for the next transaction.
#include <utility>

#include "core/txn/coordinator.hpp"

namespace tailwater::txn {

void TxnCoordinator::send_markers(Turn& turn, Entry& entry, const Metadata& decided,
                                  const std::set<TopicPartition>& partitions) {
  Transaction& transaction = entry.second;
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
  if (!is_deciding(transaction.proposed().state)) return;
  if (!transaction.in_flight.empty() && !transaction.in_flight.back().undecided.empty()) return;
  if (!transaction.unmarked.empty() || !transaction.retries.empty()) return;
  transaction.retry_at = Instant::max();
  propose(turn, entry, completed(transaction.proposed(), turn.now.wall), std::nullopt);
  wake(turn, entry);
}

// The decision was withdrawn. Logs that have a marker of it already are as lost as the one that refused it.
void TxnCoordinator::recall_markers(Transaction& transaction) {
  for (const auto& [token, partition] : transaction.unmarked) markers_.erase(token);
  transaction.unmarked.clear();
  transaction.retries.clear();
  transaction.retry_at = Instant::max();
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
      if (!transaction.in_flight.empty()) {  // nothing can follow the decision before its markers
        transaction.in_flight.back().undecided.insert(std::move(marker.mapped()));
        break;
      }
      transaction.retries.insert(std::move(marker.mapped()));
      transaction.retry_at = now.monotonic + options_.marker_retry;
      break;
  }
  complete_if_marked(turn, entry);
  schedule(entry);
  settle(entry);
  finish(turn);
}

}  // namespace tailwater::txn
