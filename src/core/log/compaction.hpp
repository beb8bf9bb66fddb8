// Compaction of a shard's logs (cleanup.policy=compact): looks every log.cleaner.backoff.ms which log needs
// it most, and runs one round after the other. What an earlier run left at a step goes before everything
// else. Where the disk has no room the others go on: a job at a step that waits for room is set aside, and a
// log whose round found none stands back until every other one that needs it had its turn.
//   may be compacted   from the first dirty offset up to the active segment, the last stable offset, and the
//                      first segment that is younger than min.compaction.lag.ms
//   needs it           when more than min.cleanable.dirty.ratio of these bytes is dirty, or the oldest of
//                      them is older than max.compaction.lag.ms; the dirtiest log goes first
// With each look the active segment of a log that shall stay short (LogConfig::short_from_bytes) ends if it
// has outgrown the rest.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/prng.hpp"
#include "core/log/compaction_job.hpp"
#include "core/log/compaction_pace.hpp"
#include "core/log/log_state.hpp"
#include "core/log/shared.hpp"

namespace tailwater::log {

struct CompactionNeed {
  std::size_t segments = 0;  // from the log's first one, may be compacted
  Offset first_dirty;
  Offset end;
  std::uint64_t dirty_bytes = 0;
  std::uint64_t clean_bytes = 0;
  std::int64_t delay_ms = 0;  // since the oldest dirty record ought to have been compacted
  bool unflushed = false;     // more could be, were it in its files

  // Millionths, as the configuration has it.
  std::int64_t dirty_ratio() const;
  bool is_due(const LogConfig& config) const;
};
CompactionNeed compaction_need(const LogState& log, WallTime now);

// Whether the log shall stay short, and its active segment is so much of it that it shall be compacted too.
bool outgrows_rest(const LogState& log);

class Compactor {
 public:
  Compactor(Shared& shared, const std::vector<std::unique_ptr<Directory>>& dirs);

  void turn(Now now);
  void completed(const DiskDone& done);
  Instant next_deadline() const;
  // From the next job on, and from the next look on; until then they are those of the options.
  void set_terms(std::uint64_t map_bytes, Duration interval);

  const CompactionStats& stats() const { return stats_; }

 private:
  CompactionJob* job_on(const LogState& log) const;
  bool mend_next();
  void look(Now now);
  void consider(LogState& log, WallTime now);
  void start(LogState& log, WallTime now);
  void turn_waiting(Now now);
  void finished(const CompactionJob& job, Now now);
  void report(const CompactionJob& job);

  Shared& shared_;
  const std::vector<std::unique_ptr<Directory>>& dirs_;
  std::unique_ptr<CompactionJob> job_;
  Instant job_began_;
  std::vector<std::unique_ptr<CompactionJob>> waiting_;  // for room; they compute nothing any more
  std::uint64_t next_number_ = 0;
  std::vector<bool> mended_;  // by directory
  Prng random_;
  std::uint64_t map_bytes_;
  Duration interval_;
  Instant next_look_;
  bool looking_ = false;
  LogId looked_;
  LogId best_;
  std::int64_t best_ratio_ = -1;
  std::int64_t dirtiest_ = 0;  // of this sweep
  std::int64_t longest_delay_ = 0;
  std::set<LogId> uncleanable_;
  std::set<LogId> without_room_;  // stand back
  std::set<LogId> left_;          // at a step, by the clean stop
  CompactionStats stats_;
};

}  // namespace tailwater::log
