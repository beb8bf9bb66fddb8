#include "core/log/direct_runs.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "base/plant.hpp"
#include "core/log/directory.hpp"
#include "core/log/extent.hpp"

namespace tailwater::log {

namespace {

constexpr std::size_t kRecords = static_cast<std::size_t>(FileKind::records);
constexpr std::uint64_t kRoomAheadMax = std::uint64_t{32} << 20;

}  // namespace

DirectRuns::~DirectRuns() {
  for (Run& run : runs_) {
    if (run.chunk != nullptr) dir_.shared.tail.unpin(run.chunk);
  }
}

bool DirectRuns::possible(const LogState& log) const {
  return dir_.shared.options.direct_run_bytes > 0 && !dir_.soft && !log.config.compact;
}

bool DirectRuns::may_take(const LogState& log) const {
  return possible(log) && !dir_.journal.frames().empty();
}

bool DirectRuns::takes(const Pending& entry) const {
  return entry.kind == journal::EntryKind::batches && possible(*entry.log) &&
         entry.to - entry.from >= dir_.shared.options.direct_run_bytes &&
         last_block(entry.to) > first_block(entry.from) && !entry.begun;
}

DirectRuns::Way DirectRuns::way_of(LogState& log, const Pending& run) {
  if (!takes(run) || log.removed || run.generation != log.generation || log.flush_outdated())
    return Way::journal;
  Segment* const segment = log.segment_at(run.segment);
  if (segment == nullptr || segment->sealed) return Way::journal;
  if (segment->flushed == 0) {
    dir_.flusher.hasten(log);
    return Way::journal;
  }
  if (!has_room(log, *segment, run.to)) return Way::journal;
  const bool too_many =
      in_flight_ > 0 && in_flight_ + (run.to - run.from) > dir_.shared.options.direct_bytes_in_flight;
  return log.runs_direct || too_many ? Way::later : Way::direct;
}

bool DirectRuns::has_room(LogState& log, Segment& segment, std::uint64_t to) {
  const std::uint64_t room = segment.extended ? segment.allocated[kRecords] : 0;
  const std::uint64_t needed = journal::round_up(to, journal::kBlock);
  if (needed + room_ahead(needed) / 2 > room && room < log.config.segment_bytes) extend(log, segment, needed);
  return needed <= room;
}

// A file that grows gets larger and larger steps.
std::uint64_t DirectRuns::room_ahead(std::uint64_t size) const {
  const std::uint64_t least = 4 * std::uint64_t{dir_.shared.options.direct_run_bytes};
  return std::max(least, std::min(size, kRoomAheadMax));
}

// Where space is had by writing zeros nothing else may write behind the file's end meanwhile. A flush of what has its
// room does not: with large runs one follows the other, and the room would run out if it had to wait for a gap.
bool DirectRuns::may_extend(const LogState& log, const Segment& segment) {
  if (log.extending) return false;
  if (!log.flushing) return true;
  return segment.extended && log.flushing_segment <= segment.base &&
         (log.flushing_segment < segment.base || log.flushing_to <= segment.allocated[kRecords]);
}

// Gives the file size and blocks ahead. The first flush has reserved blocks and left the size alone.
void DirectRuns::extend(LogState& log, Segment& segment, std::uint64_t to) {
  if (!may_extend(log, segment) || dir_.stopping || dir_.now.monotonic < extend_not_before_) return;
  const std::uint64_t from = segment.extended ? segment.allocated[kRecords] : 0;
  const std::uint64_t most = std::max<std::uint64_t>(to, log.config.segment_bytes);
  Run more;
  more.role = Role::extend;
  more.log = &log;
  more.segment = segment.base;
  more.number = segment.number;
  more.from = from;
  const std::uint64_t end = std::max(from, to);
  more.to = journal::round_up(std::min(end + room_ahead(end), most), journal::kBlock);
  more.file = dir_.file_of(log, segment, FileKind::records);
  log.extending = true;
  DiskOp extend = op(DiskOpKind::preallocate, add(more));
  extend.at = more.from;
  extend.size = more.to - more.from;
  extend.extend = true;
  dir_.shared.files.submit(more.file, std::move(extend));
}

DiskOp DirectRuns::op(DiskOpKind kind, std::size_t index) const {
  return dir_.op(kind, Part::direct, index);
}

std::size_t DirectRuns::add(Run run) {
  ++run.log->references;
  dir_.shared.files.retain(run.file);
  const auto free =
      std::find_if(runs_.begin(), runs_.end(), [](const Run& each) { return each.role == Role::free; });
  const auto index = static_cast<std::size_t>(free - runs_.begin());
  if (free == runs_.end()) {
    runs_.push_back(run);
  } else {
    *free = run;
  }
  return index;
}

void DirectRuns::release(Run& run) {
  --run.log->references;
  dir_.shared.files.release(run.file);
  run = Run{};
}

void DirectRuns::begin(const Pending& entry, Lsn frame) {
  LogState& log = *entry.log;
  Segment& segment = *log.segment_at(entry.segment);
  Run run;
  run.role = Role::write;
  run.log = &log;
  run.generation = log.generation;
  run.segment = segment.base;
  run.number = segment.number;
  run.chunk = entry.chunk;
  run.file = dir_.file_of(log, segment, FileKind::records);
  run.from = first_block(entry.from);
  run.to = planted(Plant::direct_run_over_a_shared_block) ? journal::round_up(entry.to, journal::kBlock)
                                                          : last_block(entry.to);
  run.frame = frame;
  segment.last_extent = frame;
  log.runs_direct = true;
  in_flight_ += run.to - run.from;
  bytes_ += run.to - run.from;
  ++dir_.report.direct_runs;
  dir_.report.direct_bytes += run.to - run.from;
  dir_.shared.tail.pin(run.chunk);
  write(add(run));
}

void DirectRuns::write(std::size_t index) {
  const Run& run = runs_[index];
  DiskOp put = op(DiskOpKind::write, index);
  put.durable = true;
  put.urgent = true;
  put.at = run.from;
  put.pieces.push_back(run.chunk->range(run.from, run.to));
  dir_.shared.files.submit(run.file, std::move(put));
}

void DirectRuns::turn() {
  if (retry_at_ > dir_.now.monotonic) return;
  retry_at_ = Instant::max();
  for (std::size_t index = 0; index < runs_.size(); ++index) {
    if (std::exchange(runs_[index].again, false)) write(index);
  }
}

void DirectRuns::completed(const DiskDone& done) {
  Run& run = runs_[detail_of(done.token)];
  dir_.shared.files.release(run.file);
  if (run.role == Role::write) {
    written(run, done);
  } else {
    extended(run, done);
  }
}

// The run is on stable storage, or was not begun.
void DirectRuns::written(Run& run, const DiskDone& done) {
  if (dir_.online() && found_no_room(done)) {
    run.again = true;
    retry_at_ = std::min(retry_at_, dir_.now.monotonic + dir_.shared.options.full_retry_interval);
    return;
  }
  dir_.shared.tail.unpin(std::exchange(run.chunk, nullptr));
  LogState& log = *run.log;
  const Lsn frame = run.frame;
  in_flight_ -= run.to - run.from;
  log.runs_direct = false;
  Segment* const segment = log.removed ? nullptr : log.segment_at(run.segment);
  const bool known = segment != nullptr && segment->number == run.number && log.generation == run.generation;
  const Segment::Blocks blocks{run.from, run.to};
  release(run);
  if (!dir_.online() || dir_.check(done)) return;
  if (known) segment->direct.push_back(blocks);
  dir_.journal.frames().run_durable(frame);
  dir_.journal.release_held(log);
}

void DirectRuns::extended(Run& run, const DiskDone& done) {
  LogState& log = *run.log;
  log.extending = false;
  Segment* const segment = log.removed ? nullptr : log.segment_at(run.segment);
  const bool known = segment != nullptr && segment->number == run.number;
  const std::uint64_t room = run.to;
  release(run);
  if (!dir_.online()) return;
  if (found_no_room(done)) {
    extend_not_before_ = dir_.room_retry_at();
    return;
  }
  if (dir_.check(done) || !known) return;
  segment->extended = true;
  segment->allocated[kRecords] = std::max(segment->allocated[kRecords], room);
}

}  // namespace tailwater::log
