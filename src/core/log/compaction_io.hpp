// The two ends of a compaction's copying, without the disk: SegmentWalk gives the batches of a segment that
// is fed to it in blocks, SegmentOutput makes the files of a new segment, operation by operation, so that
// they end exactly and are on stable storage when it is finished. The job carries the operations out, one at
// a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "base/disk.hpp"
#include "core/cache/block_pool.hpp"
#include "core/log/segment.hpp"
#include "records/batch.hpp"

namespace tailwater::log {

inline constexpr std::size_t kCompactionBlock = std::size_t{1} << 20;

class SegmentWalk {
 public:
  // A segment of `size` bytes, from its beginning, with the offsets from `base` up to `next`, exclusive; none
  // of them is missing if it is gapless.
  void open(std::uint64_t size, Offset base, Offset next, bool gapless = false);

  // The next whole batch among what was fed; valid until feed().
  std::optional<records::BatchView> next();
  // All of it was given. Broken: bytes were met that cannot be batches, or a batch with offsets that cannot be
  // there; no checksum covers its base offset.
  bool at_end() const { return read_ == size_ && walked_ == window_.size(); }
  bool broken() const { return broken_; }
  // What to read next, at a disk block; nothing if all was read.
  struct Range {
    std::uint64_t at = 0;
    std::size_t size = 0;
  };
  std::optional<Range> wanted() const;
  // The bytes of that range, possibly followed by others of its last disk block.
  void feed(Bytes bytes);

 private:
  bool in_place(const records::BatchView& batch) const;

  std::uint64_t size_ = 0;
  std::uint64_t read_ = 0;
  Offset floor_;  // no batch that follows begins below
  Offset next_;
  bool gapless_ = false;
  Buffer window_;
  std::size_t walked_ = 0;  // of window_
  bool broken_ = false;
};

class SegmentOutput {
 public:
  SegmentOutput(cache::BlockPool& pool, Offset base, std::uint32_t index_interval);
  ~SegmentOutput();
  SegmentOutput(const SegmentOutput&) = delete;
  SegmentOutput& operator=(const SegmentOutput&) = delete;

  void add(Bytes batch, Offset last, std::int64_t max_timestamp);
  // No more batches come.
  void finish();

  // The next operation, and on which file; its kind, place and content are filled in. Asked for again when
  // the one before is done. Nothing: more batches are wanted, or everything is on stable storage.
  struct Wish {
    FileKind file = FileKind::records;
    DiskOp op;
  };
  std::optional<Wish> next();

  std::uint64_t size() const { return size_; }
  // Of a batch at the end: whether positions and offsets still fit a segment's index.
  bool fits(std::size_t bytes) const { return size_ + bytes <= INT32_MAX; }
  bool has(FileKind kind) const;
  // What the files hold, when all is done: size, first and largest timestamps, index.
  Segment segment() const;

 private:
  enum class Step : std::uint8_t { records, index, time_index, truncate, sync, done };
  std::optional<Wish> next_of_records();
  std::optional<Wish> next_of_index(FileKind kind);
  std::optional<Wish> room(FileKind kind, std::uint64_t size);
  Buffer& content(FileKind kind) { return content_[static_cast<std::size_t>(kind)]; }

  cache::BlockPool& pool_;
  Offset base_;
  std::uint32_t index_interval_;
  Step step_ = Step::records;
  bool finishing_ = false;
  Buffer content_[kFileKinds];  // of the records: from what was written on
  std::size_t taken_ = 0;       // of the records' content
  MutableBytes block_;
  std::uint64_t size_ = 0;
  std::uint64_t written_ = 0;  // of the records, in whole disk blocks
  std::uint64_t allocated_[kFileKinds] = {};
  std::size_t cut_ = 0;  // kinds
  std::size_t synced_ = 0;
  std::int64_t first_timestamp_ = -1;
  IndexState index_;
  IndexState stored_;
};

}  // namespace tailwater::log
