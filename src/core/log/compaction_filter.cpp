#include "core/log/compaction_filter.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/check.hpp"
#include "records/control.hpp"
#include "records/record.hpp"

namespace tailwater::log {

using records::BatchView;
using records::RecordView;

CompactionFilter::CompactionFilter(const CompactionTerms& terms, const ProducerTable* producers)
    : terms_(terms),
      map_(terms.secret, terms.keys_expected, terms.map_bytes_max),
      map_end_(terms.first_dirty) {
  if (producers == nullptr) return;
  aborted_ = producers->aborted();
  std::ranges::sort(aborted_, {}, [](const Aborted& each) { return std::tuple(each.producer, each.first); });
  for (const Producer& producer : producers->producers()) {
    const ProducerBatch* const newest = producer.newest();
    last_batches_.push_back({.id = producer.id,
                             .epoch = producer.epoch,
                             .last_offset = newest ? newest->last_offset : Offset{-1}});
  }
}

// --- what a batch is

bool CompactionFilter::is_aborted(const BatchView& batch) const {
  if (!batch.is_transactional() || batch.is_control()) return false;
  const auto behind = std::upper_bound(
      aborted_.begin(), aborted_.end(), std::tuple(batch.producer_id(), batch.base_offset()),
      [](const auto& place, const Aborted& each) { return place < std::tuple(each.producer, each.first); });
  if (behind == aborted_.begin()) return false;
  const Aborted& aborted = *std::prev(behind);
  return aborted.producer == batch.producer_id() && batch.base_offset() < aborted.last;
}

// What the table knows of the batch's producer, if the batch is of the present epoch of one without a last
// batch: markers are all that this epoch left.
CompactionFilter::LastOf* CompactionFilter::known_by_markers(const BatchView& batch) {
  LastOf* const last = last_of(batch);
  if (last == nullptr || last->last_offset.value >= 0) return nullptr;
  return batch.is_control() && batch.producer_epoch() == last->epoch ? last : nullptr;
}

CompactionFilter::LastOf* CompactionFilter::last_of(const BatchView& batch) {
  if (!batch.has_producer()) return nullptr;
  const auto last = std::ranges::lower_bound(last_batches_, batch.producer_id(), {}, &LastOf::id);
  return last == last_batches_.end() || last->id != batch.producer_id() ? nullptr : &*last;
}

bool CompactionFilter::keeps_producer(const BatchView& batch) {
  if (const LastOf* last = known_by_markers(batch)) return batch.last_offset() >= last->last_marker;
  const LastOf* const last = last_of(batch);
  return last != nullptr && last->last_offset.value >= 0 && batch.last_offset() == last->last_offset;
}

// Whether the marker goes now. Then readers must not be told of its transaction any more, or they would wait
// for the marker and drop what the producer wrote later.
bool CompactionFilter::drops_marker(const BatchView& batch, bool data_is_gone) {
  const auto horizon = batch.delete_horizon();
  if (!data_is_gone || !horizon || *horizon > terms_.now.ms) return false;
  const auto marker = records::read_end_marker(batch);
  if (!marker || marker->type != records::ControlType::abort) return true;
  if (dropped_aborts_.size() >= kDroppedMax) return false;
  dropped_aborts_.push_back(batch.last_offset());
  return true;
}

bool CompactionFilter::keeps_record(const BatchView& batch, const RecordView& record) const {
  const Offset offset = records::offset_of(batch, record);
  if (offset >= map_end_) return true;
  if (!record.key) return false;
  const auto newest = map_.find(*record.key);
  if (newest && offset < *newest) return false;
  return record.value || batch.delete_horizon().value_or(INT64_MAX) > terms_.now.ms;
}

// The records as they are without compression; nothing if they cannot be read. REQUIRES: the CRC is right.
std::optional<Bytes> CompactionFilter::open(const BatchView& batch) {
  const std::size_t cap = records::decompressed_cap(batch.records().size(), terms_.record_bytes_max);
  const auto opened = codecs_.open(batch.codec(), batch.records(), cap);
  if (!opened) return std::nullopt;
  records::RecordCursor cursor(*opened, batch.records_count());
  std::int64_t before = -1;
  bool sound = batch.records_count() >= 0;
  while (const auto record = cursor.next()) {
    sound = sound && record->offset_delta > before && record->offset_delta <= batch.last_offset_delta();
    before = record->offset_delta;
  }
  if (cursor.fault() || !sound) return std::nullopt;
  return *opened;
}

// --- pass 1

bool CompactionFilter::note(const BatchView& batch) {
  ++counts_.batches;
  const Offset next = batch.last_offset() + 1;
  if (next <= map_end_) return true;
  if (next > terms_.end) return true;  // what its header says cannot be
  const bool sound = batch.crc_matches();
  if (LastOf* last = sound ? known_by_markers(batch) : nullptr) last->last_marker = batch.last_offset();
  if (sound && !batch.is_control() && !is_aborted(batch)) {
    // What cannot be read stays as it is, and replaces nothing.
    const auto opened = open(batch);
    records::RecordCursor cursor(opened.value_or(Bytes{}), opened ? batch.records_count() : 0);
    while (const auto record = cursor.next()) {
      const Offset offset = records::offset_of(batch, *record);
      if (!record->key || offset < terms_.first_dirty) continue;
      if (!map_.put(*record->key, offset)) {
        map_end_ = offset;
        return false;
      }
    }
  }
  map_end_ = next;
  return true;
}

// --- pass 2

CompactionFilter::Cleaned CompactionFilter::clean(const BatchView& batch, Buffer& out) {
  ++counts_.batches;
  const auto count = static_cast<std::uint64_t>(std::max(batch.records_count(), 0));
  counts_.records_read += count;
  if (!batch.crc_matches()) {
    ++counts_.unreadable;
    counts_.records_kept += count;
    return {Cleaned::Kind::whole, batch.size()};
  }
  const bool keeps_empty = keeps_producer(batch) || batch.last_offset() + 1 == terms_.end;
  const bool is_marker = batch.is_control() && batch.is_transactional();
  bool data_is_gone = false;
  if (batch.is_transactional()) {
    if (batch.is_control()) {
      data_is_gone = with_data_.erase(batch.producer_id()) == 0;
    } else {
      with_data_.insert(batch.producer_id());
    }
  }
  const bool goes = is_marker ? drops_marker(batch, data_is_gone) : is_aborted(batch);
  if (goes || count == 0) {
    if (!keeps_empty) return {Cleaned::Kind::gone, batch.size()};
    return count == 0 ? Cleaned{Cleaned::Kind::whole, batch.size()} : empty(batch, out);
  }
  if (batch.is_control() && !is_marker) {
    counts_.records_kept += count;
    return {Cleaned::Kind::whole, batch.size()};
  }
  const auto opened = open(batch);
  if (!opened) {
    ++counts_.unreadable;
    counts_.records_kept += count;
    return {Cleaned::Kind::whole, batch.size()};
  }
  kept_.assign(count, true);
  std::size_t kept = count;
  bool has_tombstones = false;
  if (!is_marker) {
    records::RecordCursor cursor(*opened, batch.records_count());
    for (std::size_t index = 0; const auto record = cursor.next(); ++index) {
      if (!keeps_record(batch, *record)) {
        kept_[index] = false;
        --kept;
      } else if (!record->value) {
        has_tombstones = true;
      }
    }
  }
  counts_.records_kept += kept;
  const std::size_t work = batch.size() + opened->size();
  if (kept == 0) return keeps_empty ? empty(batch, out) : Cleaned{Cleaned::Kind::gone, work};
  const bool stamps = (has_tombstones || data_is_gone) && !batch.delete_horizon();
  if (kept == count && !stamps) return {Cleaned::Kind::whole, work};
  const auto horizon = stamps ? terms_.now.ms + terms_.delete_retention_ms : batch.delete_horizon();
  Cleaned rebuilt = rebuild(batch, *opened, horizon, out);
  rebuilt.work = work + out.size();
  return rebuilt;
}

records::BatchOptions CompactionFilter::options_of(const BatchView& batch) {
  records::BatchOptions options;
  options.base_offset = batch.base_offset();
  options.leader_epoch = batch.leader_epoch();
  options.codec = batch.codec();
  options.timestamp_type = batch.timestamp_type();
  options.producer_id = batch.producer_id();
  options.producer_epoch = batch.producer_epoch();
  options.base_sequence = batch.base_sequence();
  options.transactional = batch.is_transactional();
  options.control = batch.is_control();
  options.last_offset_delta = batch.last_offset_delta();
  return options;
}

CompactionFilter::Cleaned CompactionFilter::empty(const BatchView& batch, Buffer& out) {
  records::BatchOptions options = options_of(batch);
  options.max_timestamp = batch.max_timestamp();
  builder_.reset(options);
  out.clear();
  const auto finished = builder_.finish(out, &codecs_);
  CHECK(finished.has_value());
  return {Cleaned::Kind::rebuilt, batch.size()};
}

CompactionFilter::Cleaned CompactionFilter::rebuild(const BatchView& batch, Bytes records,
                                                    std::optional<std::int64_t> horizon, Buffer& out) {
  records::BatchOptions options = options_of(batch);
  options.delete_horizon = horizon;
  if (batch.timestamp_type() == records::TimestampType::log_append_time) {
    options.max_timestamp = batch.max_timestamp();
  }
  builder_.reset(options);
  records::RecordCursor cursor(records, batch.records_count());
  bool sound = true;
  for (std::size_t index = 0; const auto record = cursor.next(); ++index) {
    if (kept_[index]) sound = sound && builder_.copy(*record, records::timestamp_of(batch, *record));
  }
  out.clear();
  // A batch that would outgrow what a batch may hold stays as it is, as does one that a codec refuses.
  if (!sound || !builder_.finish(out, &codecs_)) return {Cleaned::Kind::whole, batch.size()};
  return {Cleaned::Kind::rebuilt, batch.size()};
}

}  // namespace tailwater::log
