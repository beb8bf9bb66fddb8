// Which records of a log are old or many enough to go: whole segments from the front, as Kafka decides it.
//   start  a segment goes when it lies below the log's start
//   time   when its largest timestamp is retention.ms old; one in the future holds it. Without timestamps the
//          time counts from its first batch, or from when it was first looked at in this run
//   size   while the rest still has retention.bytes
//   bound  only below the high watermark; the first segment that stays ends the look; the last one may go,
//          too (an empty one is rolled first)
// A log that is only compacted knows the first of these alone. Decides only; Storage carries it out.
#pragma once

#include "core/log/log_state.hpp"

namespace tailwater::log {

struct RetentionPlan {
  Offset start;       // the log begins here from now on; nothing to do if that is where it begins already
  bool roll = false;  // the last segment goes as well
};
RetentionPlan plan_retention(const LogState& log, WallTime now);
// To be called before, and after an append: notes the segments that have no timestamps.
void note_untimed(LogState& log, WallTime now);
void note_untimed(Segment& segment, WallTime now);

// Whether a batch of `size` bytes with this timestamp and last offset begins a new segment.
struct Arrival {
  std::uint64_t size = 0;
  Offset last_offset;
  std::int64_t max_timestamp = -1;
};
bool must_roll(const LogState& log, const Arrival& batch, WallTime now);

}  // namespace tailwater::log
