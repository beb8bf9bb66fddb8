#include "core/log/compaction.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "core/log/directory.hpp"
#include "core/log/log_ops.hpp"

namespace tailwater::log {

namespace {

// Logs that are looked at in one turn.
constexpr std::size_t kLookSlice = 256;
// A key with its value, uncompressed, hardly takes less: for the size of the map.
constexpr std::uint64_t kRecordBytesUsual = 48;
constexpr std::int64_t kMillion = 1'000'000;
// So many jobs wait for room before no new rounds are begun.
constexpr std::size_t kWaitingMax = 16;

}  // namespace

std::int64_t CompactionNeed::dirty_ratio() const {
  const std::uint64_t all = dirty_bytes + clean_bytes;
  if (all == 0) return 0;
  // Thousands of bytes are exact enough, and cannot overflow.
  const std::uint64_t unit = all >> 40 > 0 ? 1'024 : 1;
  return static_cast<std::int64_t>(dirty_bytes / unit * kMillion / (all / unit));
}

bool CompactionNeed::is_due(const LogConfig& config) const {
  if (dirty_bytes == 0 || segments == 0) return false;
  return delay_ms > 0 || dirty_ratio() > config.min_cleanable_dirty_millionths;
}

CompactionNeed compaction_need(const LogState& log, WallTime now) {
  CompactionNeed need;
  need.first_dirty = std::max(log.compaction.passed, log.start);
  const Offset high_watermark = log.high_watermark.value_or(log.durable_end);
  Offset bound = std::min(high_watermark, log.durable_end);
  if (log.producers) bound = std::min(bound, log.producers->first_unstable(high_watermark).value_or(bound));
  std::int64_t oldest = -1;
  for (const Segment& segment : log.segments) {
    if (!segment.sealed || segment.next > bound || segment.base >= log.durable.segment) break;
    const std::int64_t newest = segment.index.max_timestamp;
    if (log.config.min_compaction_lag_ms > 0 && newest > now.ms - log.config.min_compaction_lag_ms) break;
    if (segment.unfinished()) {
      need.unflushed = true;
      break;
    }
    ++need.segments;
    need.end = segment.next;
    if (segment.next <= need.first_dirty) {
      need.clean_bytes += segment.size;
      continue;
    }
    need.dirty_bytes += segment.size;
    if (segment.first_timestamp >= 0 && (oldest < 0 || segment.first_timestamp < oldest))
      oldest = segment.first_timestamp;
  }
  if (oldest >= 0 && log.config.max_compaction_lag_ms < now.ms - oldest)
    need.delay_ms = now.ms - oldest - log.config.max_compaction_lag_ms;
  return need;
}

bool outgrows_rest(const LogState& log) {
  const std::uint64_t least = log.config.short_from_bytes;
  if (least == 0) return false;
  std::uint64_t rest = 0;
  for (const Segment& segment : log.segments) {
    if (segment.sealed) rest += segment.size;
  }
  // By an eighth, so that the log is more than half dirty when all the rest is clean.
  return log.active().size >= std::max(least, rest + rest / 8);
}

Compactor::Compactor(Shared& shared, const std::vector<std::unique_ptr<Directory>>& dirs)
    : shared_(shared),
      dirs_(dirs),
      random_(shared.options.seed ^ 0x636f'6d70'6163'7421ULL),
      map_bytes_(shared.options.compaction_map_bytes),
      interval_(shared.options.compaction_interval) {}

void Compactor::set_terms(std::uint64_t map_bytes, Duration interval) {
  map_bytes_ = map_bytes;
  // A rest that is under way ends as if it had begun with the new length.
  if (interval != interval_) next_look_ = next_look_ + (interval - interval_);
  interval_ = interval;
}

Instant Compactor::next_deadline() const {
  Instant earliest = Instant::max();
  for (const auto& job : waiting_) earliest = std::min(earliest, job->next_deadline());
  if (job_) return std::min(earliest, job_->next_deadline());
  const bool mends = std::ranges::any_of(dirs_, [&](const auto& dir) {
    return dir->online() && (dir->index >= mended_.size() || !mended_[dir->index]);
  });
  if (mends) return Instant{};
  if (!shared_.options.compaction) return earliest;
  return looking_ ? Instant{} : std::min(earliest, next_look_);
}

void Compactor::completed(const DiskDone& done) {
  // No job ends while an operation of its own is in flight.
  const std::uint64_t number = CompactionJob::number_of(done.token);
  if (job_ && job_->number() == number) return job_->completed(done);
  const auto found = std::ranges::find_if(waiting_, [&](const auto& job) { return job->number() == number; });
  CHECK(found != waiting_.end());
  (*found)->completed(done);
}

CompactionJob* Compactor::job_on(const LogState& log) const {
  if (job_ && &job_->log() == &log) return job_.get();
  const auto found = std::ranges::find_if(waiting_, [&](const auto& job) { return &job->log() == &log; });
  return found == waiting_.end() ? nullptr : found->get();
}

void Compactor::turn_waiting(Now now) {
  for (const auto& job : waiting_) {
    job->turn();
    if (job->over()) finished(*job, now);
  }
  std::erase_if(waiting_, [](const auto& job) { return job->over(); });
}

void Compactor::turn(Now now) {
  turn_waiting(now);
  if (job_) {
    job_->turn();
    if (job_->waits_for_room()) {
      job_->end_here();
      waiting_.push_back(std::move(job_));
    } else if (job_->over()) {
      finished(*job_, now);
      job_.reset();
    } else {
      return;
    }
  }
  if (mend_next()) return;
  if (shared_.options.compaction && (looking_ || next_look_ <= now.monotonic)) look(now);
}

// Whether a log was found at a step that a former run left it at.
bool Compactor::mend_next() {
  mended_.resize(dirs_.size());
  for (const auto& dir : dirs_) {
    if (!dir->online() || mended_[dir->index]) continue;
    for (const auto& [id, log] : dir->logs) {
      if (log->compaction.step == CompactionStep::none || left_.contains(id) || job_on(*log) != nullptr)
        continue;
      job_ = std::make_unique<CompactionJob>(next_number_++, *dir, *log, shared_.pace);
      return true;
    }
    mended_[dir->index] = true;
  }
  return false;
}

void Compactor::look(Now now) {
  if (!std::exchange(looking_, true)) {
    looked_ = {};
    best_ = {};
    best_ratio_ = -1;
    dirtiest_ = longest_delay_ = 0;
  }
  auto at = shared_.registry.logs.upper_bound(looked_);
  for (std::size_t looks = kLookSlice; at != shared_.registry.logs.end() && looks > 0; ++at, --looks) {
    looked_ = at->first;
    consider(state_of(*at->second), now.wall);
  }
  if (at != shared_.registry.logs.end()) return;
  looking_ = false;
  stats_.max_dirty_millionths = dirtiest_;
  stats_.max_delay_ms = longest_delay_;
  next_look_ = now.monotonic + interval_;
  if (best_ratio_ < 0) {
    without_room_.clear();
    // What could be next waits for its files. While there is other work it may wait for the journal, too.
    for (const auto& dir : dirs_) dir->flusher.hurry();
  }
  const auto best = shared_.registry.logs.find(best_);
  if (best_ratio_ < 0 || best == shared_.registry.logs.end()) return;
  start(state_of(*best->second), now.wall);
  job_began_ = now.monotonic;
}

void Compactor::consider(LogState& log, WallTime now) {
  if (!log.configured || !log.config.compact || !log.dir->accepts() || log.dir->stopping ||
      uncleanable_.contains(log.identity.id) || job_on(log) != nullptr)
    return;
  // Made while the topic was not compacted; the journal says what its files hold.
  if (std::ranges::any_of(log.segments, [&](const Segment& each) { return log.dir->names_run_of(each); })) {
    log.dir->checkpoint.want_trim(*log.last_extent());
    return;
  }
  if (outgrows_rest(log)) {
    apply_roll(*log.dir, log, log.end);
    log.dir->journal.push(log,
                          {.kind = journal::EntryKind::roll, .segment = log.end, .base_offset = log.end});
  }
  const CompactionNeed need = compaction_need(log, now);
  if (need.unflushed) log.dir->flusher.request(log);
  const std::int64_t ratio = need.dirty_ratio();
  dirtiest_ = std::max(dirtiest_, ratio);
  longest_delay_ = std::max(longest_delay_, need.delay_ms);
  const bool stands_back = without_room_.contains(log.identity.id) || waiting_.size() >= kWaitingMax;
  if (!need.is_due(log.config) || ratio <= best_ratio_ || stands_back) return;
  best_ = log.identity.id;
  best_ratio_ = ratio;
}

void Compactor::start(LogState& log, WallTime now) {
  const CompactionNeed need = compaction_need(log, now);
  if (!need.is_due(log.config)) return;
  CompactionRange range;
  range.segments = need.segments;
  range.terms.first_dirty = need.first_dirty;
  range.terms.end = need.end;
  range.terms.now = now;
  range.terms.delete_retention_ms = log.config.delete_retention_ms;
  range.terms.record_bytes_max = log.config.record_bytes_max;
  range.terms.secret.low = random_.next();
  range.terms.secret.high = random_.next();
  range.terms.keys_expected = need.dirty_bytes / kRecordBytesUsual + 1;
  range.terms.map_bytes_max = map_bytes_;
  job_ = std::make_unique<CompactionJob>(next_number_++, *log.dir, log, shared_.pace, range);
}

void Compactor::finished(const CompactionJob& job, Now now) {
  const CompactionResult& result = job.result();
  const LogId log = job.log().identity.id;
  if (result.broken) uncleanable_.insert(log);
  if (result.no_room) without_room_.insert(log);
  if (result.left) left_.insert(log);
  std::erase_if(uncleanable_, [&](LogId id) { return !shared_.registry.logs.contains(id); });
  stats_.uncleanable_logs = uncleanable_.size();
  stats_.bytes_moved += result.bytes_moved;
  stats_.unreadable_batches += result.counts.unreadable;
  if (result.finished) {
    ++stats_.rounds;
    stats_.bytes_before += result.bytes_before;
    stats_.bytes_after += result.bytes_after;
    stats_.last_end = now.monotonic;
    stats_.last_ms = (now.monotonic - job_began_).to_ms();
    stats_.max_ms = std::max(stats_.max_ms, stats_.last_ms);
    stats_.last_map_percent = result.map_used_percent;
    // The next one may be waiting already.
    next_look_ = now.monotonic;
  }
  report(job);
}

void Compactor::report(const CompactionJob& job) {
  const CompactionResult& result = job.result();
  if (job.log().removed) return;
  const std::string name = job.log().folder();
  if (result.broken) {
    shared_.news.faults.push_back(
        name +
        " cannot be compacted: its files hold bytes that are no batches, or batches with "
        "offsets that cannot be there, or would outgrow a segment");
  }
  if (result.counts.unreadable > 0) {
    shared_.news.faults.push_back(name + " has " + std::to_string(result.counts.unreadable) +
                                  " batches that cannot be read; compaction keeps them as they are");
  }
}

}  // namespace tailwater::log
