// The steps by which compaction changes a log, as the running broker takes them and as the replay of its
// journal takes them again. A group of neighbouring segments gets new files, `<base>.log.cleaned` and so on,
// beside the old ones:
//   begun    noted before the first of these files is made, so that a start knows what to remove
//   swapped  noted when they are complete on stable storage. From this entry on the new segment takes the
//            group's place, at once and whole: readers that hold old bytes keep them, nobody else finds them.
//            Old segments stay on the disk until the entry is durable; then the new files are renamed over
//            the first one's, and the janitor removes the others
//   none     the new files have their names, or they were given up and are gone
//   passed   everything below an offset has been compacted against itself
// The entry (EntryKind::compaction): argument = step; segment_base = base of the group's first segment (for
// begun, swapped, none); base_offset = the group's end for swapped, the offset for passed; content of swapped
// = size u64, first_timestamp i64, index, stored index, then the offsets i64 of markers of aborted
// transactions that were dropped. index: entries u32, time_entries u32, until u64, last_position u64,
// last_time i64, max_timestamp i64, offset i64; little endian.
#pragma once

#include <string>
#include <vector>

#include "core/journal/format.hpp"
#include "core/log/directory.hpp"
#include "core/log/log_state.hpp"

namespace tailwater::log {

// What the files of a group's new segment are called until they have their names.
std::string passing_path(const LogState& log, Offset base, FileKind kind);

struct CompactionSwap {
  Offset base;      // of the group's first segment, and of the new one
  Offset end;       // `next` of its last segment, and of the new one
  Segment segment;  // of the new one: size, first_timestamp, index, stored
  std::vector<Offset> dropped_aborts;
};

// Each changes the log in memory and puts its entry into the journal's queue.
void begin_compaction(Directory& dir, LogState& log, Offset base);
void swap_segments(Directory& dir, LogState& log, const CompactionSwap& swap);
void end_compaction(Directory& dir, LogState& log);
void pass_compaction(Directory& dir, LogState& log, Offset passed);
// All of these entries are durable.
inline bool compaction_settled(const LogState& log) {
  return log.compaction.durable == log.compaction.pushed;
}

// Of an entry in the journal; false if it contradicts the log.
bool replay_compaction(Directory& dir, LogState& log, const journal::EntryCursor::Entry& entry);

}  // namespace tailwater::log
