// Plans reads of one log: which bytes are in memory, which have to come from the disk first. Also finds
// places: by offset, by timestamp, by the end of a truncation. Pure looks: only the read hint of the log
// changes. Bytes from the disk are checked as far as walking needs: lengths that make no sense end in
// `failed`, never in a crash.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/log/blocks.hpp"
#include "core/log/log_ops.hpp"
#include "core/log/storage.hpp"
#include "core/log/tail.hpp"
#include "records/compression.hpp"

namespace tailwater::log {

class Reader {
 public:
  Reader(Shared& shared, BlockReader& blocks) : shared_(shared), blocks_(blocks) {}
  ~Reader();
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  ReadPlan plan(LogState& log, const ReadRequest& request, std::vector<Bytes>& pieces);
  void unpin(PinHandle handle);

  TimestampAnswer find_timestamp(LogState& log, WallTime at_least, Offset upper_bound);
  TimestampAnswer max_timestamp(LogState& log, Offset upper_bound);
  // Where the log ends without the batches that hold offsets >= `end`. REQUIRES: segments.front().base <= end
  // < log.end.
  TruncateAnswer find_cut(LogState& log, Offset end, CutPlace& place);

 private:
  // Whether a look got its bytes, has to wait for them, or cannot have them.
  enum class Look : std::uint8_t { found, absent, missing, bad };
  struct Pin {
    std::vector<cache::Chunk*> chunks;
    std::vector<cache::ColdBlock*> blocks;
    std::uint32_t generation = 1;  // so that no handle is 0, which means none
  };

  Pin& new_pin(PinHandle& handle);
  ReadPlan plan_hot(LogState& log, const ReadRequest& request, std::vector<Bytes>& pieces);
  ReadPlan plan_cold(LogState& log, const ReadRequest& request, std::vector<Bytes>& pieces);
  struct ColdRun {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    Offset next;
  };
  Look cold_run(const BlockReader::Source& source, const ReadRequest& request, ColdRun& run);
  void want_range(const BlockReader::Source& source, std::uint64_t from, std::uint64_t to);

  static Segment& segment_of(LogState& log, Offset offset);
  static bool is_hot(const LogState& log, const Segment& segment, std::uint64_t position);
  BlockReader::Source source(LogState& log, Segment& segment, FileKind kind) const;
  Look peek(LogState& log, Segment& segment, std::uint64_t position, StoredBatch& batch);
  Look copy_batch(LogState& log, Segment& segment, std::uint64_t position, std::uint64_t size);
  // The position of the first batch that does not end below `offset`; absent if the segment ends before.
  Look find_offset(LogState& log, Segment& segment, Offset offset, std::uint64_t& position);

  struct IndexEntry {
    Offset last_offset;
    std::uint64_t position = 0;
  };
  struct TimeEntry {
    std::int64_t timestamp = -1;
    Offset offset;
  };
  Look index_entry(LogState& log, Segment& segment, std::uint32_t number, IndexEntry& entry);
  Look time_entry(LogState& log, Segment& segment, std::uint32_t number, TimeEntry& entry);
  // The number of entries, from the first, for which `below` holds; it holds for a beginning of them.
  template <class Below>
  Look count_entries(Segment& segment, FileKind kind, Below below, std::uint32_t& count);

  Look first_at_least(LogState& log, Segment& segment, std::int64_t timestamp, Offset upper_bound,
                      TimestampAnswer& answer);
  Look search_batch(LogState& log, Segment& segment, std::uint64_t position, const StoredBatch& batch,
                    std::int64_t timestamp, Offset upper_bound, TimestampAnswer& answer);
  Look index_at(LogState& log, Segment& segment, std::uint64_t position, Offset end, IndexState& index);
  TimestampAnswer answer_need() { return {.kind = TimestampAnswer::Kind::need, .ticket = blocks_.need()}; }

  Shared& shared_;
  BlockReader& blocks_;
  std::vector<Pin> pins_;
  std::vector<std::size_t> free_pins_;
  Buffer scratch_;
  records::Codecs codecs_;
};

}  // namespace tailwater::log
