// Judges a segment batch by batch, and its indexes beside it, against what the log's state says of them: for
// tools that look at a log directory while no broker uses it. Whoever uses it reads the files. Total on any
// bytes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "core/log/epochs.hpp"
#include "core/log/manifest.hpp"
#include "core/log/segment.hpp"
#include "records/batch.hpp"

namespace tailwater::log {

// The sparse indexes that belong to the batches of a segment, made from nothing but these.
class IndexMaker {
 public:
  IndexMaker(const Segment& segment, std::uint32_t interval) : segment_(segment), interval_(interval) {}
  // In the order of the batches.
  void batch(std::uint64_t position, const records::BatchView& batch);

  const IndexState& state() const { return state_; }
  const Buffer& index() const { return index_; }
  const Buffer& time_index() const { return time_index_; }

 private:
  Segment segment_;
  std::uint32_t interval_;
  IndexState state_;
  Buffer index_;
  Buffer time_index_;
};

// What an index file holds, compared with the batches as they come by.
class IndexAudit {
 public:
  IndexAudit(const Segment& segment, FileKind kind, Bytes content);
  void batch(std::uint64_t position, const records::BatchView& batch);
  // After the last batch: what is wrong, a sentence without its point; empty: nothing.
  std::string verdict();

 private:
  std::size_t entry_size() const { return kind_ == FileKind::index ? kIndexEntrySize : kTimeEntrySize; }
  void wrong();
  void pass(std::uint64_t position, const records::BatchView& batch);

  const Segment& segment_;
  FileKind kind_;
  Buffer content_;
  std::uint32_t entries_ = 0;
  std::uint32_t next_ = 0;
  std::uint32_t wrong_ = 0;
  std::uint32_t first_wrong_ = 0;
  std::int64_t max_timestamp_ = -1;
};

class SegmentAudit {
 public:
  SegmentAudit(const ManifestLog& log, const Segment& segment);
  // The whole batch at `position`: what is wrong with it; empty: nothing.
  std::string batch(std::uint64_t position, const records::BatchView& batch);
  // Below this offset no further batch may begin.
  Offset floor() const { return floor_; }
  std::uint64_t batches() const { return batches_; }
  std::uint64_t records() const { return records_; }

 private:
  Epochs epochs_;
  Offset next_;
  Offset floor_;
  bool gapless_;
  std::uint64_t behind_ = 0;  // the last batch that was right
  std::uint64_t batches_ = 0;
  std::uint64_t records_ = 0;
};

// Where, from `from` on, the bytes become batches again: the first place with a whole one whose checksum is
// right and whose offsets are not below `floor`. The size of `bytes` if there is none.
std::size_t find_batch(Bytes bytes, std::size_t from, Offset floor);

}  // namespace tailwater::log
