// Plans reads of one log: which bytes are in memory, which have to come from the disk first. Also finds
// places: by offset, by timestamp, by the end of a truncation. Pure looks: only the read hint of the log
// changes.
// GUARANTEES: a batch that comes from the disk is given away only if its checksum and its place among its
// neighbours are right (the checksum does not cover its offset); what is wrong ends in `corrupt`, is said
// once, and is read from the disk again the next time. A damaged index costs a longer walk, nothing else.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string_view>
#include <utility>
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

  std::uint64_t corrupt_reads() const { return corrupt_reads_; }
  std::uint64_t pinned() const { return pins_.size() - free_pins_.size(); }

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
  // A place where a batch begins, and the offset below which none of it can lie.
  struct Spot {
    std::uint64_t position = 0;
    Offset floor;
  };
  struct ColdRun {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    Offset next;
    Offset floor;
  };
  Look cold_run(const BlockReader::Source& source, const ReadRequest& request, ColdRun& run);
  // The header of the batch at `spot`, judged by what stands around it; `wrong` says why it is bad.
  Look cold_header(const BlockReader::Source& source, const Spot& spot, StoredBatch& batch,
                   std::string_view& wrong);
  bool cold_crc_matches(const BlockReader::Source& source, std::uint64_t position, std::uint64_t size);
  bool here(const BlockReader::Source& source, std::uint64_t from, std::uint64_t to);
  // Says it, once, and forgets what the cache has of these bytes. Gives Look::bad.
  Look damaged(const LogState& log, const Segment& segment, const Spot& spot, std::uint64_t bytes,
               std::string_view wrong);
  void index_damaged(const LogState& log, const Segment& segment, FileKind kind);
  bool first_time(const Segment& segment, FileKind kind, std::uint64_t position);
  void want_range(const BlockReader::Source& source, std::uint64_t from, std::uint64_t to);

  static Segment& segment_of(LogState& log, Offset offset);
  static bool is_hot(const LogState& log, const Segment& segment, std::uint64_t position);
  BlockReader::Source source(LogState& log, Segment& segment, FileKind kind) const;
  Look peek(LogState& log, Segment& segment, std::uint64_t position, StoredBatch& batch);
  Look copy_batch(LogState& log, Segment& segment, std::uint64_t position, std::uint64_t size);
  // The batch at `spot`, judged by what it may be there. What is wrong is said, and nothing that was walked
  // before is believed any more.
  Look batch_at(LogState& log, Segment& segment, const Spot& spot, StoredBatch& batch);
  // Goes over the batch at `spot` to the next.
  void pass(Segment& segment, Spot& spot, const StoredBatch& batch) const;
  // Goes over what is known of the segment from `spot` on, row by row, as long as `over` allows it.
  template <class Over>
  static void pass_known(const Segment& segment, Spot& spot, Over over);
  // The first batch that does not end below `offset`; the segment's end if there is none.
  Look find_offset(LogState& log, Segment& segment, Offset offset, Spot& spot);

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

  // A timestamp, and the last offset of the batch that has it; -1 if there is none.
  struct Largest {
    std::int64_t timestamp = -1;
    Offset holder;
    void count(std::int64_t other, Offset last) {
      if (other > timestamp) *this = {other, last};
    }
  };
  // The largest of what can be seen of the segment.
  Look largest_visible(LogState& log, Segment& segment, Offset upper_bound, Largest& largest);
  // Counts the batches from `from` on that end below `upper_bound`.
  Look largest_below(LogState& log, Segment& segment, Offset from, Offset upper_bound, Largest& largest);
  // Where the batches that a time index leaves open begin.
  Look time_floor(LogState& log, Segment& segment, std::int64_t timestamp, Offset& from);
  Look first_at_least(LogState& log, Segment& segment, std::int64_t timestamp, Offset upper_bound,
                      TimestampAnswer& answer);
  // The first record with such a timestamp or a later one; without one, the first that has the largest.
  Look search_batch(LogState& log, Segment& segment, std::uint64_t position, const StoredBatch& batch,
                    std::optional<std::int64_t> timestamp, Offset upper_bound, TimestampAnswer& answer);
  Look index_at(LogState& log, Segment& segment, std::uint64_t position, Offset end, IndexState& index);
  TimestampAnswer answer_need() { return {.kind = TimestampAnswer::Kind::need, .ticket = blocks_.need()}; }

  Shared& shared_;
  BlockReader& blocks_;
  std::vector<Pin> pins_;
  std::vector<std::size_t> free_pins_;
  Buffer scratch_;
  records::Codecs codecs_;
  std::uint64_t corrupt_reads_ = 0;
  std::set<std::pair<std::uint64_t, std::uint64_t>> said_;  // file and position
};

}  // namespace tailwater::log
