#include "core/log/retention.hpp"

#include <algorithm>

#include "base/prng.hpp"

namespace tailwater::log {

namespace {

bool too_old(const LogState& log, const Segment& segment, WallTime now) {
  const std::int64_t newest = segment.index.max_timestamp;
  const std::int64_t since = newest >= 0 ? newest : segment.untimed_since;
  return log.config.retention_ms >= 0 && since >= 0 && now.ms - since > log.config.retention_ms;
}

// So much earlier the active segment is rolled, so that logs that were made together do not roll together.
// Drawn for each segment, and the same after a restart.
std::int64_t jitter(const LogState& log, std::int64_t age_max) {
  const std::int64_t most = std::min(log.config.segment_jitter_ms, age_max);
  if (most <= 0) return 0;
  const LogIdentity& identity = log.identity;
  std::uint64_t seed = identity.topic_id.high;
  for (const std::uint64_t part :
       {identity.topic_id.low, static_cast<std::uint64_t>(identity.partition.value),
        static_cast<std::uint64_t>(log.active().base.value)})
    seed = Prng(seed ^ part).next();
  return static_cast<std::int64_t>(Prng(seed).below(static_cast<std::uint64_t>(most)));
}

}  // namespace

void note_untimed(Segment& segment, WallTime now) {
  if (segment.size > 0 && segment.index.max_timestamp < 0 && segment.untimed_since < 0)
    segment.untimed_since = now.ms;
}

void note_untimed(LogState& log, WallTime now) {
  for (Segment& segment : log.segments) note_untimed(segment, now);
}

RetentionPlan plan_retention(const LogState& log, WallTime now) {
  RetentionPlan plan{log.start, false};
  const Offset bound = std::min(log.high_watermark.value_or(log.durable_end), log.durable_end);
  std::uint64_t left = 0;
  for (const Segment& segment : log.segments) left += segment.size;
  for (const Segment& segment : log.segments) {
    if (segment.next > bound) break;
    // Compaction has left nothing of such a segment; the last one is the one that waits for records.
    if (segment.size == 0 && segment.sealed) continue;
    if (segment.size == 0) break;
    const bool below_start = segment.next <= log.start;
    const bool too_many = log.config.remove && log.config.retention_bytes >= 0 &&
                          left - segment.size >= static_cast<std::uint64_t>(log.config.retention_bytes);
    const bool old = log.config.remove && too_old(log, segment, now);
    if (!below_start && !too_many && !old) break;
    left -= segment.size;
    plan.start = std::max(plan.start, segment.next);
    plan.roll = !segment.sealed;
  }
  return plan;
}

bool must_roll(const LogState& log, const Arrival& batch, WallTime now) {
  const Segment& active = log.active();
  if (active.size == 0) return false;
  if (active.size + batch.size > log.config.segment_bytes) return true;
  if (batch.last_offset - active.base > INT32_MAX) return true;
  if (active.index.entries >= log.config.segment_index_bytes / kIndexEntrySize) return true;
  if (active.index.time_entries + 1 >= log.config.segment_index_bytes / kTimeEntrySize) return true;
  // Where there are timestamps, only these tell the time.
  const bool timed = active.first_timestamp >= 0;
  const std::int64_t since = timed ? active.first_timestamp : active.untimed_since;
  const std::int64_t newest = timed ? batch.max_timestamp : now.ms;
  if (since < 0 || newest < since) return false;
  std::int64_t age_max = log.config.segment_ms;
  if (log.config.compact) age_max = std::min(age_max, log.config.max_compaction_lag_ms);
  const std::int64_t age = newest - since;
  return age > age_max - jitter(log, age_max);
}

}  // namespace tailwater::log
