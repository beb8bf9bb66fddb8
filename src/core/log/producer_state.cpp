#include "core/log/producer_state.hpp"

#include <algorithm>

#include "records/control.hpp"

namespace tailwater::log {

namespace {

bool by_id(const Producer& producer, ProducerId id) {
  return producer.id < id;
}

void remember(Producer& producer, const ProducerBatch& batch) {
  if (producer.batch_count == kBatchesKept) {
    std::move(producer.batches.begin() + 1, producer.batches.end(), producer.batches.begin());
    --producer.batch_count;
  }
  producer.batches[producer.batch_count++] = batch;
}

}  // namespace

const Producer* ProducerTable::find(ProducerId id) const {
  const auto place = std::lower_bound(producers_.begin(), producers_.end(), id, by_id);
  return place == producers_.end() || place->id != id ? nullptr : &*place;
}

Producer& ProducerTable::entry(ProducerId id) {
  const auto place = std::lower_bound(producers_.begin(), producers_.end(), id, by_id);
  if (place != producers_.end() && place->id == id) return *place;
  Producer& fresh = *producers_.insert(place, Producer{});
  fresh.id = id;
  fresh.epoch = ProducerEpoch{-1};
  return fresh;
}

ProducerTable::Verdict ProducerTable::check(const records::BatchInfo& info) const {
  const Producer* producer = find(info.producer_id);
  if (producer == nullptr) return {};
  const std::int32_t last_sequence = records::sequence_after(info.base_sequence, info.last_offset_delta);
  if (info.producer_epoch == producer->epoch) {
    for (std::size_t each = 0; each < producer->batch_count; ++each) {
      const ProducerBatch& batch = producer->batches[each];
      if (batch.last_sequence == last_sequence && batch.first_sequence() == info.base_sequence)
        return {{}, &batch};
    }
  }
  if (info.producer_epoch < producer->epoch) return {AppendRefusal::invalid_producer_epoch};
  const ProducerBatch* newest = producer->newest();
  if (info.producer_epoch != producer->epoch) {
    // An epoch of -1 is that of a producer of whom a truncation left nothing but an open transaction.
    if (info.base_sequence != 0 && producer->epoch.value >= 0) return {AppendRefusal::out_of_order_sequence};
  } else {
    // A marker may have begun this epoch; then the first batch comes next.
    const std::int32_t expected = newest == nullptr ? 0 : records::sequence_after(newest->last_sequence, 1);
    if (info.base_sequence != expected) return {AppendRefusal::out_of_order_sequence};
  }
  if (!info.transactional && producer->transaction_first.value >= 0)
    return {AppendRefusal::invalid_txn_state};
  return {};
}

void ProducerTable::apply(const records::BatchView& batch) {
  if (!batch.has_producer()) return;
  Producer& producer = entry(batch.producer_id());
  if (batch.producer_epoch() > producer.epoch) {
    producer.epoch = batch.producer_epoch();
    producer.batch_count = 0;
  }
  if (batch.is_control()) {
    end_transaction(producer, batch);
    return;
  }
  producer.last_timestamp = batch.max_timestamp();
  if (batch.base_sequence() >= 0) {
    remember(producer, {.last_sequence = batch.last_sequence(),
                        .offset_delta = batch.last_offset_delta(),
                        .last_offset = batch.last_offset(),
                        .timestamp = batch.max_timestamp()});
  }
  if (batch.is_transactional() && producer.transaction_first.value < 0) {
    producer.transaction_first = batch.base_offset();
    open_.push_back(batch.base_offset());
  }
}

void ProducerTable::find_open() {
  open_.clear();
  for (const Producer& each : producers_) {
    if (each.transaction_first.value >= 0) open_.push_back(each.transaction_first);
  }
  std::sort(open_.begin(), open_.end());
}

void ProducerTable::end_transaction(Producer& producer, const records::BatchView& batch) {
  const std::optional<records::EndMarker> marker = records::read_end_marker(batch);
  if (!marker) return;
  producer.coordinator_epoch = marker->coordinator_epoch;
  producer.last_timestamp = batch.max_timestamp();
  const Offset first = producer.transaction_first;
  producer.transaction_first = Offset{-1};
  ended_.push_back({producer.id, first, batch.last_offset()});
  if (first.value < 0) return;
  open_.erase(std::lower_bound(open_.begin(), open_.end(), first));
  if (marker->type != records::ControlType::abort) return;
  const Offset stable = open_.empty() ? batch.last_offset() + 1 : open_.front();
  aborted_.push_back({producer.id, first, batch.last_offset(), stable});
}

void ProducerTable::truncate(Offset end) {
  for (Producer& producer : producers_) {
    while (producer.batch_count > 0 && producer.newest()->last_offset >= end) {
      if (--producer.batch_count == 0) producer.epoch = ProducerEpoch{-1};
    }
    if (producer.transaction_first >= end) producer.transaction_first = Offset{-1};
  }
  const auto reopen = [&](ProducerId id, Offset first) {
    if (first.value >= 0 && first < end) entry(id).transaction_first = first;
  };
  for (const Ended& ended : ended_) {
    if (ended.marker < end) continue;
    // A marker may have begun an epoch, and made the batches of the one before be forgotten.
    if (Producer& producer = entry(ended.producer); producer.batch_count == 0)
      producer.epoch = ProducerEpoch{-1};
    reopen(ended.producer, ended.first);
  }
  for (const Aborted& aborted : aborted_) {
    if (aborted.last >= end) reopen(aborted.producer, aborted.first);
  }
  std::erase_if(producers_, [](const Producer& producer) {
    return producer.batch_count == 0 && producer.transaction_first.value < 0;
  });
  std::erase_if(aborted_, [&](const Aborted& aborted) { return aborted.last >= end; });
  std::erase_if(ended_, [&](const Ended& ended) { return ended.marker >= end; });
  find_open();
}

void ProducerTable::advance_start(Offset start) {
  std::erase_if(aborted_, [&](const Aborted& aborted) { return aborted.last < start; });
}

void ProducerTable::expire(WallTime now, std::int64_t expiration_ms) {
  std::erase_if(producers_, [&](const Producer& producer) {
    return producer.transaction_first.value < 0 && now.ms - producer.last_timestamp >= expiration_ms;
  });
}

void ProducerTable::forget_aborted(const std::vector<Offset>& markers) {
  if (markers.empty()) return;
  std::erase_if(aborted_,
                [&](const Aborted& aborted) { return std::ranges::binary_search(markers, aborted.last); });
}

void ProducerTable::clear() {
  producers_.clear();
  open_.clear();
  aborted_.clear();
  ended_.clear();
}

std::optional<Offset> ProducerTable::first_unstable(Offset high_watermark) const {
  std::optional<Offset> first;
  if (!open_.empty()) first = open_.front();
  for (const Ended& ended : ended_) {
    if (ended.marker < high_watermark || ended.first.value < 0) continue;
    if (!first || ended.first < *first) first = ended.first;
  }
  return first;
}

void ProducerTable::release_below(Offset high_watermark) {
  std::erase_if(ended_, [&](const Ended& ended) { return ended.marker < high_watermark; });
}

void ProducerTable::aborted_in(Offset from, Offset upper, std::vector<AbortedTransaction>& out) const {
  const auto begin =
      std::lower_bound(aborted_.begin(), aborted_.end(), from,
                       [](const Aborted& aborted, Offset offset) { return aborted.last < offset; });
  for (auto each = begin; each != aborted_.end(); ++each) {
    if (each->first < upper) out.push_back({each->producer, each->first});
    if (each->last_stable >= upper) break;
  }
}

void ProducerTable::restore(std::vector<Producer> producers, std::vector<Aborted> aborted,
                            std::vector<Ended> ended) {
  producers_ = std::move(producers);
  aborted_ = std::move(aborted);
  ended_ = std::move(ended);
  find_open();
}

}  // namespace tailwater::log
