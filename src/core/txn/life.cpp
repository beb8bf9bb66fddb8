// The life of a coordinator: loading its partition, taking over, letting go; and what it tells of itself.
#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "core/txn/coordinator.hpp"
#include "core/txn/id_pattern.hpp"
#include "records/replay.hpp"

namespace tailwater::txn {

Result<Replayed> TxnCoordinator::replay(Bytes bytes, records::Codecs* codecs) {
  CHECK(phase_ == Phase::loading);
  const auto batch = records::whole_batch(bytes);
  if (!batch) return std::unexpected(batch.error());
  if (batch->is_control()) {
    return Replayed{.foreign = static_cast<std::uint32_t>(std::max(batch->records_count(), 0))};
  }
  return records::replay<Replayed>(*batch, codecs, decode, [&](Change& read) {
    Entry& entry = *transactions_.try_emplace(read.transactional_id).first;
    entry.second.committed = read.value ? std::move(*read.value) : Metadata{};
    settle(entry);
  });
}

void TxnCoordinator::loaded(std::int32_t epoch, Now now, TxnEffects& out) {
  CHECK(phase_ == Phase::loading);
  phase_ = Phase::active;
  epoch_ = epoch;
  Turn turn{now, out};
  next_abort_scan_ = now.monotonic + options_.abort_interval;
  next_expiry_scan_ = now.monotonic + options_.expiry_interval;
  for (Entry& entry : transactions_) {
    set_abort_time(entry, now);
    if (!is_deciding(entry.second.committed.state)) continue;
    send_markers(turn, entry, entry.second.committed, entry.second.committed.partitions);
    complete_if_marked(turn, entry);
  }
  finish(turn);
}

void TxnCoordinator::unload(TxnEffects& out) {
  Turn turn{{}, out};
  const Answer gone{.error = ErrorCode::not_coordinator, .producer = {}, .missing = {}};
  for (Entry& entry : transactions_) {
    for (const Waiter& waiter : entry.second.waiting) reply(turn, waiter.ticket, gone);
    for (const InFlight& each : entry.second.in_flight) {
      if (each.then) reply(turn, each.then->first, gone);
    }
  }
  for (const Waiter& waiter : waiting_for_ids_) reply(turn, waiter.ticket, gone);
  waiting_for_ids_.clear();
  transactions_.clear();
  appends_.clear();
  markers_.clear();
  agenda_.clear();
  ongoing_.clear();
  memory_ = 0;
  phase_ = Phase::stopped;
}

// --- questions

wire::DescribeTransactionsResponse::TransactionState TxnCoordinator::describe(const std::string& id) const {
  wire::DescribeTransactionsResponse::TransactionState answer;
  answer.transactional_id = id;
  answer.error_code = id.empty() ? ErrorCode::invalid_request : availability();
  if (answer.error_code != ErrorCode::none) return answer;
  const auto found = transactions_.find(id);
  if (found == transactions_.end() || found->second.committed.producer.epoch == ProducerEpoch{-1}) {
    answer.error_code = ErrorCode::transactional_id_not_found;
    return answer;
  }
  const Metadata& metadata = found->second.committed;
  answer.transaction_state = name_of(metadata.state);
  answer.transaction_timeout_ms = metadata.timeout_ms;
  answer.transaction_start_time_ms = metadata.start_ms;
  answer.producer_id = metadata.producer.id.value;
  answer.producer_epoch = metadata.producer.epoch.value;
  for (const TopicPartition& each : metadata.partitions) {
    if (answer.topics.empty() || answer.topics.back().topic != each.topic) {
      answer.topics.emplace_back().topic = each.topic;
    }
    answer.topics.back().partitions.push_back(each.partition);
  }
  return answer;
}

ErrorCode TxnCoordinator::list(const wire::ListTransactionsRequest& request, WallTime now,
                               std::vector<wire::ListTransactionsResponse::TransactionState>& out) const {
  if (const ErrorCode error = availability(); error != ErrorCode::none) return error;
  std::optional<IdPattern> pattern;
  if (request.transactional_id_pattern && !request.transactional_id_pattern->empty()) {
    auto compiled = IdPattern::compile(*request.transactional_id_pattern);
    if (!compiled) return ErrorCode::invalid_regular_expression;
    pattern = std::move(*compiled);
  }
  const std::set<std::string_view> states(request.state_filters.begin(), request.state_filters.end());
  const std::set<std::int64_t> producers(request.producer_id_filters.begin(),
                                         request.producer_id_filters.end());
  const auto passes = [](const auto& wanted, const auto& value) {
    return wanted.empty() || wanted.contains(value);
  };
  for (const auto& [id, transaction] : transactions_) {
    const Metadata& metadata = transaction.committed;
    if (metadata.producer.epoch == ProducerEpoch{-1}) continue;
    if (!passes(states, name_of(metadata.state))) continue;
    if (!passes(producers, metadata.producer.id.value)) continue;
    if (pattern && !pattern->matches(id)) continue;
    const bool runs = metadata.state == State::ongoing || is_deciding(metadata.state);
    if (request.duration_filter >= 0 && (!runs || now.ms - metadata.start_ms <= request.duration_filter)) {
      continue;
    }
    auto& listed = out.emplace_back();
    listed.transactional_id = id;
    listed.producer_id = metadata.producer.id.value;
    listed.transaction_state = name_of(metadata.state);
  }
  return ErrorCode::none;
}

void TxnCoordinator::find_open(std::span<const OpenTransaction> asked, std::vector<bool>& known) const {
  CHECK(known.size() == asked.size());
  if (phase_ != Phase::active) {
    known.assign(asked.size(), true);
    return;
  }
  const auto producer_of = [](const OpenTransaction& each) { return each.producer.id; };
  const auto look = [&](const Transaction& transaction, ProducerId producer) {
    const auto touches = [&](const TopicPartition& each) {
      const auto adds = [&](const InFlight& step) { return std::ranges::binary_search(step.added, each); };
      return transaction.committed.partitions.contains(each) ||
             transaction.newest.partitions.contains(each) || std::ranges::any_of(transaction.in_flight, adds);
    };
    const auto of_it = std::ranges::equal_range(asked, producer, {}, producer_of);
    for (auto each = of_it.begin(); each != of_it.end(); ++each) {
      if (touches(each->partition)) known[static_cast<std::size_t>(each - asked.begin())] = true;
    }
  };
  for (const auto& [id, transaction] : transactions_) {
    look(transaction, transaction.committed.producer.id);
    for (const InFlight& each : transaction.in_flight) {
      if (each.next.producer.id != transaction.committed.producer.id)
        look(transaction, each.next.producer.id);
    }
  }
}

}  // namespace tailwater::txn
