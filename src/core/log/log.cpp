#include "core/log/log.hpp"

#include <algorithm>
#include <utility>

#include "core/log/directory.hpp"
#include "core/log/log_state.hpp"

namespace tailwater::log {

Log::Log(std::unique_ptr<LogState> state) : state_(std::move(state)) {}
Log::~Log() = default;

const LogIdentity& Log::identity() const {
  return state_->identity;
}
LogId Log::id() const {
  return state_->identity.id;
}
const LogConfig& Log::config() const {
  return state_->config;
}
Offset Log::start_offset() const {
  return state_->start;
}
Offset Log::end_offset() const {
  return state_->end;
}
Offset Log::durable_end() const {
  return state_->durable_end;
}
Offset Log::stable_end() const {
  return state_->dir->soft ? state_->durable.offset : state_->durable_end;
}
Offset Log::durable_start() const {
  return state_->durable_start;
}
LeaderEpoch Log::epoch() const {
  return state_->epochs.latest();
}
LeaderEpoch Log::start_epoch() const {
  return state_->epochs.at(state_->start);
}
EpochEnd Log::end_offset_for(LeaderEpoch epoch) const {
  return state_->epochs.end_of(epoch, state_->end);
}

std::uint64_t Log::size_bytes() const {
  std::uint64_t size = 0;
  for (const Segment& segment : state_->segments) size += segment.size;
  return size;
}

namespace {

ProducerFacts facts_of(const Producer& producer) {
  const ProducerBatch* newest = producer.newest();
  return {.id = producer.id,
          .epoch = producer.epoch,
          .last_sequence = newest == nullptr ? -1 : newest->last_sequence,
          .last_timestamp = producer.last_timestamp,
          .coordinator_epoch = producer.coordinator_epoch,
          .transaction_first = producer.transaction_first};
}

}  // namespace

std::optional<ProducerFacts> Log::producer(ProducerId id) const {
  const Producer* known = state_->producers ? state_->producers->find(id) : nullptr;
  if (known == nullptr) return std::nullopt;
  return facts_of(*known);
}

std::vector<ProducerFacts> Log::producers() const {
  std::vector<ProducerFacts> all;
  if (!state_->producers) return all;
  for (const Producer& each : state_->producers->producers()) all.push_back(facts_of(each));
  return all;
}

bool Log::has_open_transactions() const {
  return state_->producers && state_->producers->has_open();
}

bool Log::is_new(const records::BatchInfo& info) const {
  if (!state_->producers) return true;
  const ProducerTable::Verdict verdict = state_->producers->check(info);
  return !verdict.refusal && verdict.duplicate == nullptr;
}

Offset Log::first_unstable_offset() const {
  if (!state_->producers) return state_->end;
  const Offset high_watermark = state_->high_watermark.value_or(state_->durable_end);
  // A transaction's first records may be gone already.
  return std::max(state_->producers->first_unstable(high_watermark).value_or(state_->end), state_->start);
}

}  // namespace tailwater::log
