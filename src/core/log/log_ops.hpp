// The changes of a log in memory, as both the running broker and the replay of its journal make them. Nothing
// here writes to the journal or decides; what goes from the files is handed to the janitor.
#pragma once

#include <memory>

#include "core/log/directory.hpp"
#include "core/log/log_state.hpp"
#include "records/batch.hpp"

namespace tailwater::log {

// A log without records whose first segment begins at `start`; known to the directory from now on.
LogState& add_log(Directory& dir, const LogIdentity& identity, Offset start);
// No longer known; its memory goes, the object stays until nothing refers to it.
void forget_log(Directory& dir, LogState& log);

// A batch that is in memory already (account_batch) counts for epochs and producers.
void note_batch(LogState& log, const records::BatchView& batch);

// The segment is taken out of the log by whoever calls; its files go after `delay`.
void drop_segment(Directory& dir, LogState& log, Segment& segment, Duration delay);

void apply_roll(Directory& dir, LogState& log, Offset base);

// Where a log ends after a truncation, and the state of that segment's index there.
struct CutPlace {
  Offset segment;
  std::uint64_t position = 0;
  Offset end;
  IndexState index;
};
void apply_truncate(Directory& dir, LogState& log, const CutPlace& place);
Buffer encode_cut(const CutPlace& place);
bool decode_cut(Bytes content, CutPlace& place);

// `delay` is that of the removal of segments that lie wholly below.
void apply_log_start(Directory& dir, LogState& log, Offset start, Duration delay);
void apply_restart(Directory& dir, LogState& log, Offset start);

}  // namespace tailwater::log
