#include "core/log/compaction_io.hpp"

#include <algorithm>
#include <utility>

#include "core/journal/format.hpp"
#include "core/log/tail.hpp"

namespace tailwater::log {

namespace {

using journal::kBlock;
using journal::round_up;

constexpr std::uint64_t kAllocateStep = std::uint64_t{16} << 20;

}  // namespace

// --- SegmentWalk

void SegmentWalk::open(std::uint64_t size, Offset base, Offset next, bool gapless) {
  size_ = size;
  floor_ = base;
  next_ = next;
  gapless_ = gapless;
  read_ = 0;
  window_.clear();
  walked_ = 0;
  broken_ = false;
}

bool SegmentWalk::in_place(const records::BatchView& batch) const {
  const Offset base = batch.base_offset();
  const bool follows = gapless_ ? base == floor_ : base >= floor_;
  return follows && base < next_ && batch.last_offset() >= base && batch.last_offset() < next_;
}

std::optional<records::BatchView> SegmentWalk::next() {
  if (broken_ || walked_ == window_.size()) return std::nullopt;
  const Bytes rest = Bytes(window_).subspan(walked_);
  const Result<records::BatchView> batch = records::parse_batch(rest);
  if (batch) {
    broken_ = !in_place(*batch);
    if (broken_) return std::nullopt;
    walked_ += batch->size();
    floor_ = batch->last_offset() + 1;
    return *batch;
  }
  const std::uint64_t left = size_ - read_ + rest.size();
  const bool more_helps = batch.error().code == Errc::truncated && read_ < size_ &&
                          (rest.size() < records::kBatchHeaderSize || peek_batch(rest.data()).size <= left);
  broken_ = !more_helps;
  return std::nullopt;
}

std::optional<SegmentWalk::Range> SegmentWalk::wanted() const {
  if (broken_ || read_ == size_) return std::nullopt;
  return Range{read_, static_cast<std::size_t>(std::min<std::uint64_t>(size_ - read_, kCompactionBlock))};
}

void SegmentWalk::feed(Bytes bytes) {
  const auto range = wanted();
  const Bytes counted = bytes.first(std::min(bytes.size(), range ? range->size : 0));
  window_.erase(window_.begin(), window_.begin() + static_cast<std::ptrdiff_t>(walked_));
  walked_ = 0;
  window_.insert(window_.end(), counted.begin(), counted.end());
  read_ += counted.size();
}

// --- SegmentOutput

SegmentOutput::SegmentOutput(cache::BlockPool& pool, Offset base, std::uint32_t index_interval)
    : pool_(pool), base_(base), index_interval_(index_interval) {}

SegmentOutput::~SegmentOutput() {
  if (!block_.empty()) pool_.give(block_);
}

void SegmentOutput::add(Bytes batch, Offset last, std::int64_t max_timestamp) {
  const std::uint32_t time_entries = index_.time_entries;
  const auto mark = index_batch(
      index_, {.last_offset = last, .position = size_, .size = batch.size(), .max_timestamp = max_timestamp},
      index_interval_);
  Segment named;
  named.base = base_;
  if (mark) append_index_entry(named, *mark, content(FileKind::index));
  if (index_.time_entries > time_entries) {
    append_time_entry(named, mark->max_timestamp, mark->max_timestamp_offset, content(FileKind::time_index));
  }
  if (first_timestamp_ < 0) first_timestamp_ = max_timestamp;
  Buffer& records = content(FileKind::records);
  records.insert(records.end(), batch.begin(), batch.end());
  size_ += batch.size();
}

void SegmentOutput::finish() {
  finishing_ = true;
  stored_ = index_;
  if (size_ == 0 || stored_.max_timestamp <= stored_.last_time) return;
  Segment named;
  named.base = base_;
  append_time_entry(named, stored_.max_timestamp, stored_.max_timestamp_offset,
                    content(FileKind::time_index));
  stored_.last_time = stored_.max_timestamp;
  ++stored_.time_entries;
}

bool SegmentOutput::has(FileKind kind) const {
  return has_file(segment(), kind);
}

Segment SegmentOutput::segment() const {
  Segment segment;
  segment.base = base_;
  segment.size = size_;
  segment.first_timestamp = first_timestamp_;
  segment.index = index_;
  segment.stored = stored_;
  return segment;
}

std::optional<SegmentOutput::Wish> SegmentOutput::room(FileKind kind, std::uint64_t size) {
  std::uint64_t& allocated = allocated_[static_cast<std::size_t>(kind)];
  const std::uint64_t needed = round_up(size, kBlock);
  if (allocated >= needed) return std::nullopt;
  Wish wish{kind, {}};
  wish.op.kind = DiskOpKind::preallocate;
  wish.op.at = allocated;
  wish.op.size = std::max(needed, finishing_ ? needed : allocated + kAllocateStep) - allocated;
  allocated += wish.op.size;
  return wish;
}

std::optional<SegmentOutput::Wish> SegmentOutput::next_of_records() {
  Buffer& records = content(FileKind::records);
  const std::size_t left = records.size() - taken_;
  const std::size_t length = std::min(left, kCompactionBlock);
  if (length == 0 || (length < kCompactionBlock && !finishing_)) return std::nullopt;
  const std::size_t padded = round_up(length, kBlock);
  if (auto wish = room(FileKind::records, written_ + padded)) return wish;
  if (block_.empty()) block_ = pool_.take(kCompactionBlock);
  const auto from = records.begin() + static_cast<std::ptrdiff_t>(taken_);
  const auto end = std::copy_n(from, length, block_.begin());
  std::fill(end, block_.begin() + static_cast<std::ptrdiff_t>(padded), std::byte{0});
  taken_ += length;
  if (taken_ == records.size() || taken_ >= 2 * kCompactionBlock) {
    records.erase(records.begin(), records.begin() + static_cast<std::ptrdiff_t>(taken_));
    taken_ = 0;
  }
  Wish wish{FileKind::records, {}};
  wish.op.kind = DiskOpKind::write;
  wish.op.at = written_;
  wish.op.pieces.push_back(block_.first(padded));
  written_ += padded;
  return wish;
}

std::optional<SegmentOutput::Wish> SegmentOutput::next_of_index(FileKind kind) {
  const Buffer& entries = content(kind);
  if (entries.empty()) return std::nullopt;
  if (auto wish = room(kind, entries.size())) return wish;
  Wish wish{kind, {}};
  wish.op.kind = DiskOpKind::write;
  wish.op.pieces.push_back(entries);
  return wish;
}

std::optional<SegmentOutput::Wish> SegmentOutput::next() {
  while (step_ != Step::done) {
    std::optional<Wish> wish;
    switch (step_) {
      case Step::records:
        wish = next_of_records();
        if (!wish && !finishing_) return std::nullopt;
        if (!wish) step_ = Step::index;
        break;
      case Step::index:
      case Step::time_index: {
        const FileKind kind = step_ == Step::index ? FileKind::index : FileKind::time_index;
        wish = next_of_index(kind);
        // One write holds all entries.
        if (!wish || wish->op.kind == DiskOpKind::write)
          step_ = step_ == Step::index ? Step::time_index : Step::truncate;
        break;
      }
      case Step::truncate: {
        const auto kind = static_cast<FileKind>(cut_);
        const std::uint64_t size = kind == FileKind::records ? size_ : content(kind).size();
        const bool longer = allocated_[cut_] > size;
        if (++cut_ == kFileKinds) step_ = Step::sync;
        if (!longer) break;
        wish.emplace();
        wish->file = kind;
        wish->op.kind = DiskOpKind::truncate;
        wish->op.size = size;
        break;
      }
      case Step::sync: {
        const auto kind = static_cast<FileKind>(synced_);
        if (++synced_ == kFileKinds) step_ = Step::done;
        if (!has(kind)) break;
        wish.emplace();
        wish->file = kind;
        wish->op.kind = DiskOpKind::sync;
        break;
      }
      case Step::done:
        break;
    }
    if (wish) return wish;
  }
  return std::nullopt;
}

}  // namespace tailwater::log
