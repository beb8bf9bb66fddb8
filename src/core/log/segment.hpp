// One segment of a log: the numbers that say what it holds, what of it is on stable storage, and where its
// files are.
//   <topic>-<partition>/<base offset, 20 digits>
//     .log        record batches as they are
//     .index      per entry i32 (last offset of a batch) - base, i32 position of that batch; one when more
//                 than index.interval.bytes passed
//     .timeindex  per entry i64 largest timestamp so far, i32 (last offset of the batch that has it) - base;
//                 timestamps grow
// Beside them, for Kafka's tools (producer_snapshot.hpp):
//     .txnindex   of a segment: which transactions' abort markers it holds
//     .snapshot   of the place where one segment ends and the next begins: what was known of the producers
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "core/cache/tail_cache.hpp"
#include "core/log/walked.hpp"

namespace tailwater::log {

enum class FileKind : std::uint8_t { records = 0, index = 1, time_index = 2, snapshot = 3, aborted = 4 };
inline constexpr std::size_t kFileKinds =
    3;  // that are a segment's own: the others are made at its end, for others
inline constexpr std::size_t kIndexEntrySize = 8;
inline constexpr std::size_t kTimeEntrySize = 12;

// A place in Files (files.hpp); 0 is none.
using FileHandle = std::uint32_t;

// How far the sparse indexes go, and the running maximum that the next entry carries.
struct IndexState {
  std::uint32_t entries = 0;
  std::uint32_t time_entries = 0;
  std::uint64_t until = 0;          // batches that begin below are accounted for
  std::uint64_t last_position = 0;  // of the batch of the last entry
  std::int64_t last_time = -1;      // of the last time entry
  std::int64_t max_timestamp = -1;  // of all batches that begin below `until`
  Offset max_timestamp_offset{-1};
  friend bool operator==(const IndexState&, const IndexState&) = default;
};

struct Segment {
  Offset base;
  Offset next;                        // of the record behind the last
  std::uint64_t size = 0;             // bytes of batches, in memory or on disk
  std::uint64_t flushed = 0;          // of them, on stable storage
  std::int64_t first_timestamp = -1;  // the first batch's; -1 while empty
  IndexState index;                   // of all batches
  IndexState stored;                  // of what the index files hold on stable storage
  bool exists = false;                // files may exist
  bool sealed = false;                // takes no more batches
  bool exact = false;                 // the files end exactly
  // Each batch begins with the offset behind the one before it, the first with the base: whoever finds a gap
  // has found damage. Not so where compaction or 'rebuild --drop-damaged' took something out, and in what an
  // older version wrote.
  bool gapless = false;

  // Not stored: the snapshot of its base, from when the segment begins until the one before it is in its
  // files.
  Buffer snapshot;

  // When it first was seen to have records and no timestamp.
  std::int64_t untimed_since = -1;

  // Not stored: what this run knows of the files.
  std::uint64_t number = 0;  // never the same for two segments of this run
  FileHandle files[kFileKinds] = {};
  std::uint64_t allocated[kFileKinds] = {};
  bool fresh = false;     // begun in this run: no file of it can be there yet
  bool extended = false;  // the file of records has as much size as blocks
  struct Blocks {
    std::uint64_t from = 0;
    std::uint64_t to = 0;
  };
  std::vector<Blocks> direct;      // beyond `flushed` and on stable storage already, see DirectRuns
  std::optional<Lsn> last_extent;  // the last frame that names a direct run; none is dropped before its trim
  bool named[kFileKinds] = {};     // written in this run: a round that makes the file also syncs its name
  Walked walked;                   // by looks that its indexes did not help

  bool unfinished() const { return flushed < size || (sealed && exists && !exact); }
};

// Whether the segment has such a file once it is flushed.
bool has_file(const Segment& segment, FileKind kind);

std::string segment_name(Offset base, FileKind kind);
// Nothing if the name is not of that kind.
std::optional<Offset> offset_in_name(std::string_view name, FileKind kind);

// Accounts for one batch in the sparse index: gives the mark if it gets an entry.
struct BatchPlace {
  Offset last_offset;
  std::uint64_t position = 0;
  std::uint64_t size = 0;
  std::int64_t max_timestamp = -1;
};
std::optional<cache::Mark> index_batch(IndexState& state, const BatchPlace& batch, std::uint32_t interval);
// Whether the mark also gets an entry in the time index; then `state` counts it.
bool count_time_entry(IndexState& state, const cache::Mark& mark);

}  // namespace tailwater::log
