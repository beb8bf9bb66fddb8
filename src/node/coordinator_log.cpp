#include "node/coordinator_log.hpp"

#include <utility>

#include "records/batch.hpp"

namespace tailwater::node {

namespace {

// What one turn loads of all coordinators together: some thousand offsets, a few milliseconds.
constexpr std::size_t kLoadStepBytes = std::size_t{256} << 10;

// What the log needs to know of a batch that a coordinator of ours made.
records::BatchInfo info_of(const records::BatchView& batch) {
  return {.size = batch.size(),
          .records_count = batch.records_count(),
          .last_offset_delta = batch.last_offset_delta(),
          .first_timestamp = batch.base_timestamp(),
          .max_timestamp = batch.max_timestamp(),
          .producer_id = batch.producer_id(),
          .producer_epoch = batch.producer_epoch(),
          .base_sequence = batch.base_sequence(),
          .codec = batch.codec(),
          .transactional = batch.is_transactional(),
          .records_walked = true};
}

}  // namespace

CoordinatorLog::CoordinatorLog(Context& context, Partitions& partitions, PartitionKey key)
    : context_(context), partitions_(partitions), key_(key) {}

std::string CoordinatorLog::name() const {
  const cluster::TopicHandle topic = context_.image->topic(key_.topic_id);
  return (topic ? topic->name : std::string("a deleted topic")) + "-" + std::to_string(key_.partition.value);
}

CoordinatorLog::LoadStep CoordinatorLog::load(const Replay& replay) {
  PartitionState* found = partition();
  if (!can_load() || found == nullptr || found->log == nullptr) return LoadStep::none;
  if (!std::exchange(begun_, true)) next_ = found->log->start_offset();
  const Offset end = found->log->end_offset();
  if (next_ >= end) {
    loading_ = false;
    load_buffer_ = {};
    return LoadStep::done;
  }
  log::Storage& storage = partitions_.storage();
  std::vector<Bytes> pieces;
  const log::ReadPlan plan = storage.plan_read(
      *found->log, {.from = next_, .bytes_max = kLoadStepBytes, .upper_bound = end}, pieces);
  switch (plan.kind) {
    case log::ReadPlan::Kind::hot:
      break;
    case log::ReadPlan::Kind::need:
      ticket_ = plan.ticket;
      return LoadStep::none;
    case log::ReadPlan::Kind::at_end:
      next_ = end;  // compaction has left nothing behind this offset
      return LoadStep::taken;
    case log::ReadPlan::Kind::out_of_range:
    case log::ReadPlan::Kind::failed:
    case log::ReadPlan::Kind::corrupt:
      context_.note(LogLevel::error, "cannot load " + name() + " from offset " + std::to_string(next_.value));
      load_failed_ = true;
      return LoadStep::none;
  }
  load_buffer_.clear();  // a batch may lie across pieces
  for (const Bytes piece : pieces) load_buffer_.insert(load_buffer_.end(), piece.begin(), piece.end());
  storage.unpin(plan.pin);
  records::BatchCursor cursor(load_buffer_);
  while (const auto batch = cursor.next()) {
    if (batch->last_offset() < next_) continue;
    const Result<void> replayed = replay(batch->bytes());
    if (!replayed) {
      context_.note(LogLevel::error, "a batch of " + name() + " cannot be read: " + replayed.error().message);
    }
  }
  next_ = plan.next;
  return LoadStep::taken;
}

std::size_t CoordinatorLog::batch_bytes_max() const {
  const PartitionState* found = partition();
  return found == nullptr || found->log == nullptr ? SIZE_MAX : found->log->config().segment_bytes;
}

bool CoordinatorLog::write(std::uint64_t token, Buffer batch) {
  PartitionState* found = partition();
  if (found == nullptr || found->log == nullptr) {
    outcomes_.push_back({token, wire::ErrorCode::not_coordinator});
  } else if (batch.size() > batch_bytes_max()) {
    outcomes_.push_back({token, wire::ErrorCode::record_list_too_large});
  } else if (!deferred_.empty() || partitions_.held_back()) {
    deferred_.push_back({token, std::move(batch)});
  } else {
    return write_now(*found, token, batch);
  }
  return false;
}

void CoordinatorLog::retry() {
  if (deferred_.empty()) return;
  PartitionState* found = partition();
  if (found == nullptr || found->log == nullptr) return;
  while (!deferred_.empty() && !partitions_.held_back()) {
    const Deferred next = std::move(deferred_.front());
    deferred_.pop_front();
    write_now(*found, next.token, next.batch);
  }
}

bool CoordinatorLog::write_now(PartitionState& partition, std::uint64_t token, Bytes batch) {
  const records::BatchView view(batch);
  // A transaction may have ended while the batch waited for room.
  if (view.is_transactional() &&
      !partitions_.in_transaction(partition, {view.producer_id(), view.producer_epoch()}) &&
      partitions_.verifies_transactions()) {
    outcomes_.push_back({token, wire::ErrorCode::invalid_txn_state});
    return false;
  }
  const auto appended =
      partitions_.storage().append(*partition.log, batch, info_of(view),
                                   {.epoch = partition.epoch, .origin = log::Origin::broker}, context_.now);
  if (appended) {
    writing_.push({appended->last, token});
    return true;
  }
  if (appended.error() == log::AppendRefusal::held_back) {
    deferred_.push_front({token, Buffer(batch.begin(), batch.end())});
    return false;
  }
  const bool too_large = appended.error() == log::AppendRefusal::too_large;
  outcomes_.push_back(
      {token, too_large ? wire::ErrorCode::record_list_too_large : wire::ErrorCode::kafka_storage_error});
  for (const Deferred& write : std::exchange(deferred_, {})) {
    outcomes_.push_back({write.token, wire::ErrorCode::kafka_storage_error});
  }
  return false;
}

void CoordinatorLog::advanced(Offset end) {
  while (!writing_.empty() && writing_.front().last < end) {
    outcomes_.push_back({writing_.front().token, wire::ErrorCode::none});
    writing_.pop();
  }
}

void CoordinatorLog::advanced() {
  const PartitionState* found = partition();
  if (found != nullptr && found->log != nullptr) advanced(found->log->durable_end());
}

void CoordinatorLog::directory_failed() {
  const PartitionState* found = partition();
  const bool lost = found == nullptr || found->log == nullptr ||
                    partitions_.storage().report(found->log->identity().dir).state == log::DirState::offline;
  if (!lost) return;
  for (; !writing_.empty(); writing_.pop()) {
    outcomes_.push_back({writing_.front().token, wire::ErrorCode::kafka_storage_error});
  }
  for (const Deferred& write : std::exchange(deferred_, {})) {
    outcomes_.push_back({write.token, wire::ErrorCode::kafka_storage_error});
  }
}

}  // namespace tailwater::node
