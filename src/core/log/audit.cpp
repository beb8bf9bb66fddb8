#include "core/log/audit.hpp"

#include <algorithm>

#include "core/log/tail.hpp"

namespace tailwater::log {

// --- IndexMaker

void IndexMaker::batch(std::uint64_t position, const records::BatchView& batch) {
  const std::uint32_t timed = state_.time_entries;
  const auto mark =
      index_batch(state_, {batch.last_offset(), position, batch.size(), batch.max_timestamp()}, interval_);
  if (!mark) return;
  append_index_entry(segment_, *mark, index_);
  if (state_.time_entries > timed)
    append_time_entry(segment_, mark->max_timestamp, mark->max_timestamp_offset, time_index_);
}

// --- IndexAudit

IndexAudit::IndexAudit(const Segment& segment, FileKind kind, Bytes content)
    : segment_(segment), kind_(kind), content_(content.begin(), content.end()) {
  entries_ = kind == FileKind::index ? segment.stored.entries : segment.stored.time_entries;
}

void IndexAudit::wrong() {
  if (wrong_++ == 0) first_wrong_ = next_;
  ++next_;
}

void IndexAudit::batch(std::uint64_t position, const records::BatchView& batch) {
  max_timestamp_ = std::max(max_timestamp_, batch.max_timestamp());
  while (next_ < entries_ && (next_ + 1) * entry_size() <= content_.size()) {
    const std::uint32_t before = next_;
    pass(position, batch);
    if (next_ == before) return;
  }
}

// The next entry is right, is wrong, or speaks of a later batch.
void IndexAudit::pass(std::uint64_t position, const records::BatchView& batch) {
  const std::byte* entry = content_.data() + next_ * entry_size();
  if (kind_ == FileKind::index) {
    const Offset last = segment_.base + load_big<std::int32_t>(entry);
    const auto at = static_cast<std::uint32_t>(load_big<std::int32_t>(entry + 4));
    if (at > position) return;
    if (at < position || last != batch.last_offset()) return wrong();
    ++next_;
    return;
  }
  const auto timestamp = load_big<std::int64_t>(entry);
  const Offset offset = segment_.base + load_big<std::int32_t>(entry + 8);
  if (offset > batch.last_offset()) return;
  if (offset < batch.last_offset() || timestamp != max_timestamp_ || timestamp != batch.max_timestamp())
    return wrong();
  ++next_;
}

std::string IndexAudit::verdict() {
  const std::uint64_t size = std::uint64_t{entries_} * entry_size();
  if (content_.size() < size) {
    return "it has " + std::to_string(content_.size()) + " bytes, and " + std::to_string(size) +
           " belong there";
  }
  while (next_ < entries_) wrong();
  if (wrong_ == 0) return {};
  return std::to_string(wrong_) + " of its " + std::to_string(entries_) +
         " entries do not fit the segment, the first of them number " + std::to_string(first_wrong_);
}

// --- SegmentAudit

SegmentAudit::SegmentAudit(const ManifestLog& log, const Segment& segment)
    : next_(segment.next), floor_(segment.base), gapless_(segment.gapless) {
  epochs_.restore(log.epochs);
}

std::string SegmentAudit::batch(std::uint64_t position, const records::BatchView& batch) {
  const std::string name = "the batch of offsets " + std::to_string(batch.base_offset().value) + " to " +
                           std::to_string(batch.last_offset().value);
  if (position + batch.size() > UINT32_MAX) return name + " lies beyond 4 GiB";
  if (!batch.crc_matches()) return "the checksum of " + name + " does not match";
  if (batch.base_offset() < floor_ || batch.last_offset() < batch.base_offset())
    return name + " stands behind offset " + std::to_string(floor_.value - 1);
  if (batch.last_offset() >= next_)
    return name + " goes beyond the segment, which ends before " + std::to_string(next_.value);
  // Behind damage offsets are missing, which were in it.
  if (gapless_ && position == behind_ && batch.base_offset() != floor_)
    return name + " stands where offset " + std::to_string(floor_.value) + " was";
  const LeaderEpoch epoch = epochs_.at(batch.base_offset());
  if (epoch.value >= 0 && batch.leader_epoch() != epoch)
    return name + " says leader epoch " + std::to_string(batch.leader_epoch().value) + ", which was " +
           std::to_string(epoch.value) + " then";
  floor_ = batch.last_offset() + 1;
  behind_ = position + batch.size();
  ++batches_;
  records_ += static_cast<std::uint64_t>(std::max(batch.records_count(), 0));
  return {};
}

std::size_t find_batch(Bytes bytes, std::size_t from, Offset floor) {
  for (std::size_t at = from; at + records::kBatchHeaderSize <= bytes.size(); ++at) {
    if (bytes[at + records::at::kMagic] != std::byte{records::kMagic}) continue;
    const Result<records::BatchView> batch = records::parse_batch(bytes.subspan(at));
    if (batch && batch->base_offset() >= floor && batch->crc_matches()) return at;
  }
  return bytes.size();
}

}  // namespace tailwater::log
