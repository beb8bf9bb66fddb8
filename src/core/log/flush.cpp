#include "core/log/flush.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/check.hpp"
#include "base/plant.hpp"
#include "core/log/directory.hpp"
#include "core/log/producer_snapshot.hpp"
#include "core/log/tail.hpp"

namespace tailwater::log {

namespace {

using journal::kBlock;
using journal::round_down;
using journal::round_up;

constexpr std::uint64_t kWriteBytesMax = std::uint64_t{1} << 20;
constexpr std::uint32_t kWritesInFlightMax = 8;
constexpr std::uint64_t kAllocateStepMin = std::uint64_t{64} << 10;
constexpr std::uint64_t kAllocateStepMax = std::uint64_t{16} << 20;

std::size_t place(FileKind kind) {
  return static_cast<std::size_t>(kind);
}
constexpr FileKind kSegmentKinds[] = {FileKind::records, FileKind::index, FileKind::time_index};
constexpr FileKind kExports[] = {FileKind::snapshot, FileKind::aborted};
constexpr FileKind kAllKinds[] = {FileKind::records, FileKind::index, FileKind::time_index,
                                  FileKind::snapshot, FileKind::aborted};
// Whether a segment keeps numbers of it.
constexpr bool is_own(FileKind kind) {
  return std::ranges::find(kExports, kind) == std::end(kExports);
}

// The first write takes what it needs; a file that grows gets larger and larger steps.
std::uint64_t allocation(std::uint64_t allocated, std::uint64_t needed) {
  needed = round_up(needed, kBlock);
  if (allocated == 0) return needed;
  return std::max(needed, allocated + std::clamp(allocated, kAllocateStepMin, kAllocateStepMax));
}

}  // namespace

Flusher::~Flusher() {
  for (Job& job : jobs_) release_memory(job);
}

void Flusher::consider(LogState& log) {
  if (log.ripe || log.durable.segment != log.active().base) return;
  const std::uint64_t flushed = log.active().flushed;
  if (log.durable.position < flushed + dir_.shared.options.flush_run_bytes) return;
  log.ripe = true;
  dir_.ripe.push_back(&log);
}

// Where segments are small these rounds would be more than the others.
void Flusher::hasten(LogState& log) {
  if (log.config.segment_bytes < round_distance()) return;
  const Segment& active = log.active();
  if (log.flushing || log.durable.segment != active.base || log.durable.position <= active.flushed) return;
  hurries_ = true;
  if (log.ripe) return;
  log.ripe = true;
  dir_.ripe.push_back(&log);
}

void Flusher::request(LogState& log) {
  dir_.journal.want_sync();
  if (log.removed) return;
  requests_ = true;
  if (log.ripe) return;
  log.ripe = true;
  dir_.ripe.push_back(&log);
}

bool Flusher::under_pressure() const {
  if (dir_.growth.needs_empty_ring() || dir_.checkpoint.trim_wanted()) return true;
  if (dir_.ring_demand() > dir_.ring.capacity() / 2) return true;
  return dir_.shared.tail.dirty_bytes() > dir_.shared.dirty_bytes_max() / 2;
}

// A quarter of the ring full: none; half of it: all. There a checkpoint makes room of what was flushed, and not much
// further nobody may append any more. Logs that fill alike are ripe all at once, so that it would be too late then.
std::uint64_t Flusher::writes_for_room() const {
  const std::uint64_t part = dir_.ring.capacity() / 4;
  const std::uint64_t demand = dir_.ring_demand();
  if (demand <= part) return 0;
  return std::min<std::uint64_t>(kWritesInFlightMax * (demand - part) / part, kWritesInFlightMax);
}

// What the journal takes from one round to the next: a round costs at least one flush of the device, which
// the journal's own writes wait for, so that it should be worth it.
std::uint64_t Flusher::round_distance() const {
  return std::min<std::uint64_t>(dir_.ring.capacity() / 8, dir_.shared.options.flush_round_bytes);
}

std::uint64_t Flusher::journaled() const {
  return dir_.ring.next().value + dir_.direct.bytes();
}

// What finds no room must not hold on to what would make some: the files of a log that was removed meanwhile.
void Flusher::give_up_outdated() {
  if (!no_room_ || phase_ != Phase::write) return;
  for (Job& job : jobs_) {
    if (job.log == nullptr || job.outstanding > 0) continue;
    if (!job.log->removed && job.generation == job.log->generation) continue;
    if (std::exchange(job.step, Step::done) != Step::done) --unwritten_;
    job.no_room = false;
    finish(job);
    job.log = nullptr;
    job.parts.clear();
  }
  no_room_ = std::ranges::any_of(jobs_, [](const Job& each) { return each.no_room; });
  if (unwritten_ == 0) begin_sync();
}

void Flusher::turn() {
  give_up_outdated();
  if (retry_at_ <= dir_.now.monotonic) {
    retry_at_ = Instant::max();
    if (sync_again_ && syncs_ == 0) begin_sync();
    for (std::size_t index = 0; index < jobs_.size(); ++index) {
      Job& job = jobs_[index];
      if (!job.no_room) continue;
      if (job.outstanding > 0) {
        retry_at_ = dir_.now.monotonic + dir_.shared.options.full_retry_interval;
        continue;
      }
      job.no_room = false;
      run_step(index);
    }
  }
  if (phase_ != Phase::idle) return;
  select();
  if (!jobs_.empty()) begin_round();
}

void Flusher::select() {
  bytes_ = 0;
  files_ = 0;
  if (dir_.stopping) return select_everything();
  const bool pressure = under_pressure() || writes_for_room() > 0;
  if (pressure) select_oldest();
  // Under pressure these come along as far as the round has room.
  if (pressure || hurries_ || journaled() - round_began_ >= round_distance()) select_ripe();
}

// The files of a round stay open to its end; those of all directories' rounds fit what may be open.
bool Flusher::has_room() const {
  const StorageOptions& options = dir_.shared.options;
  const std::size_t rounds = options.dirs.size() * (options.os_ring ? 2 : 1);
  const bool files_fit = jobs_.empty() || (files_ + kPartFiles) * rounds <= options.open_files_max;
  return files_fit && bytes_ < options.flush_round_bytes && jobs_.size() < options.flush_round_logs;
}

void Flusher::select_oldest() {
  const bool everything = dir_.growth.needs_empty_ring() || dir_.checkpoint.trim_wanted() ||
                          dir_.shared.tail.dirty_bytes() > dir_.shared.dirty_bytes_max() / 2;
  const Lsn target = everything ? dir_.ring.next() : dir_.ring.trim() + dir_.ring.used() / 2;
  std::vector<LogState*> chosen;
  for (const auto& [lsn, id] : dir_.dirty) {
    if (lsn > target || chosen.size() >= dir_.shared.options.flush_round_logs) break;
    LogState* const log = dir_.logs.at(id);
    if (ready(*log)) chosen.push_back(log);
  }
  for (LogState* log : chosen) {
    if (!has_room()) break;
    take(*log);
  }
}

void Flusher::select_ripe() {
  requests_ = hurries_ = false;
  std::size_t looks = dir_.ripe.size();
  while (looks-- > 0 && has_room()) {
    LogState* const log = dir_.ripe.front();
    dir_.ripe.pop_front();
    log->ripe = false;
    if (!log->flushing && ready(*log)) take(*log);
  }
}

void Flusher::select_everything() {
  bool waiting = !dir_.journal.idle() || dir_.heads.active() > 0 || !dir_.newcomers.empty();
  for (const auto& [id, log] : dir_.logs) {
    const Segment& active = log->active();
    const bool ends_exactly = !active.exists || active.exact;
    if (!log->dirty && ends_exactly && active.flushed == active.size) continue;
    if (dir_.janitor.occupies(*log)) dir_.janitor.want(*log);
    if (waiting || !ready(*log) || !has_room()) {
      waiting = true;
      break;
    }
    take(*log);
  }
  finished_ = !waiting && jobs_.empty();
}

bool Flusher::ready(const LogState& log) const {
  return !log.removed && !log.flushing && !log.extending && log.removals == 0 && !dir_.janitor.occupies(log);
}

// Plans what can be flushed of the log now. A log with nothing left to do is no longer dirty.
bool Flusher::take(LogState& log) {
  Job job;
  job.log = &log;
  job.generation = log.generation;
  const bool quiet = log.quiet();
  plan_parts(log, job);
  if (job.parts.empty()) {
    const bool finished = std::none_of(log.segments.begin(), log.segments.end(), [&](const Segment& segment) {
      return segment.unfinished() && segment.base <= log.durable.segment &&
             (segment.base < log.durable.segment || segment.flushed < log.durable.position || segment.sealed);
    });
    if (finished && quiet && dir_.journal.expect_head(log, log.durable.segment, log.durable.position)) {
      set_head_due(log, log.durable.segment, log.durable.position);
      dir_.clear_dirty(log);
      clean_chunks(log);
    }
    return false;
  }
  if (quiet && !job.stops_short) {
    log.dirty_after.reset();
  } else if (log.durable.block) {
    log.dirty_after = log.durable.block;
  } else {
    const Lsn durable = dir_.ring.durable();
    log.dirty_after =
        std::min({durable, log.durable.partial.value_or(durable), log.framed.partial.value_or(durable)});
  }
  log.flushing = true;
  log.flushing_generation = log.generation;
  log.flushing_first = job.parts.front().base;
  log.flushing_segment = job.parts.back().base;
  log.flushing_to = round_up(job.parts.back().to, kBlock);
  ++log.references;
  for (const Part& part : job.parts) {
    for (const Bytes piece : part.pieces) bytes_ += piece.size();
    files_ += static_cast<std::size_t>(
        std::count_if(part.files, part.files + kPartFiles, [](FileHandle file) { return file != 0; }));
  }
  jobs_.push_back(std::move(job));
  return true;
}

void Flusher::plan_parts(LogState& log, Job& job) {
  const bool quiet = log.quiet();
  for (Segment& segment : log.segments) {
    if (segment.base > log.durable.segment) break;
    const bool reached = segment.base == log.durable.segment;
    const std::uint64_t limit = reached ? log.durable.position : segment.size;
    const bool whole = limit == segment.size;
    const bool last = whole && (segment.sealed || (dir_.stopping && quiet));
    // To end inside a block costs the entry that comes next the block's head.
    const bool may_cut = last || !reached || (quiet && dir_.journal.expect_head(log, segment.base, limit));
    const std::uint64_t to = may_cut ? limit : round_down(limit, kBlock);
    if (to < limit) job.stops_short = true;
    const bool to_end = last && !segment.exact && (segment.exists || to > 0);
    if (to > segment.flushed || to_end) plan_part(log, segment, to, last, job);
  }
}

// The journal no longer needs the block that the flushed bytes end in: whoever goes on there brings its head.
// Also in a segment that takes no more batches: the rest of its bytes may still wait for a frame.
void Flusher::set_head_due(LogState& log, Offset segment, std::uint64_t position) {
  if (position % kBlock == 0) return;
  log.head_segment = segment;
  log.head_due = position;
}

void Flusher::plan_part(LogState& log, Segment& segment, std::uint64_t to, bool last, Job& job) {
  Part part;
  part.number = segment.number;
  part.base = segment.base;
  part.from = to > segment.flushed ? round_down(segment.flushed, kBlock) : to;
  part.to = to;
  part.last = last;
  part.stored = segment.stored;
  Buffer& index = part.content[place(FileKind::index)];
  Buffer& time_index = part.content[place(FileKind::time_index)];
  part.at[place(FileKind::index)] = std::uint64_t{segment.stored.entries} * kIndexEntrySize;
  part.at[place(FileKind::time_index)] = std::uint64_t{segment.stored.time_entries} * kTimeEntrySize;
  if (to > segment.flushed) {
    collect_index(log, segment, to, part.stored, index, time_index);
    gather(log, segment, part);
  }
  if (last && segment.sealed && part.stored.max_timestamp > part.stored.last_time) {
    append_time_entry(segment, part.stored.max_timestamp, part.stored.max_timestamp_offset, time_index);
    part.stored.last_time = part.stored.max_timestamp;
    ++part.stored.time_entries;
  }
  part.size[place(FileKind::records)] = to;
  part.size[place(FileKind::index)] = std::uint64_t{part.stored.entries} * kIndexEntrySize;
  part.size[place(FileKind::time_index)] = std::uint64_t{part.stored.time_entries} * kTimeEntrySize;
  for (const FileKind kind : kSegmentKinds) {
    // Files that hold what a truncation took away are ended, too. And a segment that takes no more batches
    // has all of its files: Kafka's tools open one by the other.
    const bool ends = last && (segment.exists || segment.sealed);
    if (part.size[place(kind)] == 0 && segment.files[place(kind)] == 0 && !ends) continue;
    part.files[place(kind)] = dir_.file_of(log, segment, kind);
    dir_.shared.files.retain(part.files[place(kind)]);
  }
  if (last) plan_exports(log, segment, part);
  if (!last) set_head_due(log, segment.base, to);
  part.fresh = segment.fresh && !segment.exists;
  segment.exists = true;
  segment.exact = false;
  job.parts.push_back(std::move(part));
}

// Where there is nothing to tell there is no file.
void Flusher::plan_exports(LogState& log, const Segment& segment, Part& part) {
  Buffer& snapshot = part.content[place(FileKind::snapshot)];
  Offset end = log.end;
  if (segment.sealed) {
    const auto next = std::ranges::upper_bound(log.segments, segment.base, {}, &Segment::base);
    end = next->base;
    snapshot = std::exchange(next->snapshot, {});
  } else if (log.producers) {
    snapshot = encode_snapshot(log.producers->producers());
  }
  if (log.producers) {
    part.content[place(FileKind::aborted)] = encode_aborted(log.producers->aborted(), segment.base, end);
  }
  for (const FileKind kind : kExports) {
    const std::size_t size = part.content[place(kind)].size();
    if (size == 0) continue;
    part.size[place(kind)] = size;
    FileHandle& file = part.files[place(kind)];
    file = dir_.shared.files.add({.dir = dir_.id,
                                  .dir_index = dir_.index,
                                  .path = log.path(kind == FileKind::snapshot ? end : segment.base, kind),
                                  .use = Files::Use::write});
    dir_.shared.files.retain(file);
  }
}

// All of [from, to) but for what a direct run has written.
void Flusher::take_pieces(const Segment& segment, const cache::Chunk& chunk, std::uint64_t from,
                          std::uint64_t to, Part& part) {
  for (std::uint64_t at = from; at < to;) {
    const auto run = std::find_if(segment.direct.begin(), segment.direct.end(),
                                  [&](const Segment::Blocks& blocks) { return blocks.to > at; });
    std::uint64_t stop = to;
    if (run != segment.direct.end() && run->from <= at) {
      at = run->to;
      continue;
    }
    if (run != segment.direct.end()) stop = std::min(stop, run->from);
    part.pieces.push_back(chunk.range(at, stop));
    part.places.push_back(at);
    at = stop;
  }
}

void Flusher::gather(LogState& log, const Segment& segment, Part& part) {
  const std::uint64_t whole = round_down(part.to, kBlock);
  std::uint64_t at = part.from;
  for (std::size_t each = 0; each < log.chunks.size(); ++each) {
    cache::Chunk& chunk = *log.chunks[each];
    if (chunk.segment_base != part.base || chunk.end <= at || at >= part.to) continue;
    const bool more = each + 1 < log.chunks.size() && log.chunks[each + 1]->segment_base == part.base;
    // The block that two chunks share is taken from the later one, which has all of it.
    const std::uint64_t end =
        std::min(more ? log.chunks[each + 1]->start : round_up(chunk.end, kBlock), part.to);
    if (end <= at) continue;
    CHECK(chunk.valid <= at);
    const std::uint64_t whole_end = std::min(end, whole);
    if (whole_end > at) {
      dir_.shared.tail.pin(&chunk);
      part.pinned.push_back(&chunk);
      take_pieces(segment, chunk, at, whole_end, part);
      at = whole_end;
    }
    if (end > at) {
      part.cut_block = dir_.shared.pool.take(kBlock);
      const Bytes rest = chunk.range(at, end);
      const auto filled = std::copy(rest.begin(), rest.end(), part.cut_block.begin());
      std::fill(filled, part.cut_block.end(), std::byte{0});
      part.pieces.push_back(part.cut_block);
      part.places.push_back(whole);
      at = end;
    }
  }
  CHECK(at == part.to);
}

void Flusher::begin_round() {
  phase_ = Phase::write;
  round_began_ = journaled();
  unwritten_ = jobs_.size();
  names_ = false;
  for (std::size_t index = 0; index < jobs_.size(); ++index) {
    if (jobs_[index].log->folder_made) jobs_[index].step = Step::reuse;
    run_step(index);
  }
}

DiskOp Flusher::op(DiskOpKind kind, Role role, std::size_t index, FileKind file) const {
  return dir_.op(kind, log::Part::flush,
                 index << 8 | static_cast<std::uint64_t>(role) << 4 | static_cast<std::uint64_t>(file));
}

// Sends what the job's step asks for; goes on to the next if that is nothing.
void Flusher::run_step(std::size_t index) {
  Job& job = jobs_[index];
  while (job.outstanding == 0 && job.step != Step::done) {
    Part& part = job.parts[job.part];
    switch (job.step) {
      case Step::folder: {
        DiskOp make = op(DiskOpKind::create_folder, Role::folder, index, FileKind::records);
        make.path = job.log->folder();
        ++job.outstanding;
        names_ = true;
        dir_.shared.outbox.push_back(std::move(make));
        break;
      }
      case Step::reuse:
        reuse(index, part);
        break;
      case Step::allocate:
        allocate(index, part);
        break;
      case Step::write:
        write(index, part);
        break;
      case Step::end:
        end_files(index, part);
        break;
      case Step::look:
        look_for_outdated(index, part);
        break;
      case Step::done:
        break;
    }
    if (job.outstanding == 0) proceed(index);
  }
  if (job.step == Step::done && unwritten_ == 0 && phase_ == Phase::write) begin_sync();
}

void Flusher::proceed(std::size_t index) {
  Job& job = jobs_[index];
  switch (job.step) {
    case Step::folder:
      job.log->folder_made = true;
      job.step = Step::reuse;
      return;
    case Step::reuse:
      job.step = Step::allocate;
      return;
    case Step::allocate:
      job.step = Step::write;
      return;
    case Step::write:
      job.step = Step::end;
      return;
    case Step::end:
      job.step = Step::look;
      return;
    case Step::look:
      job.step = ++job.part < job.parts.size() ? Step::reuse : Step::done;
      if (job.step == Step::done) --unwritten_;
      return;
    case Step::done:
      return;
  }
}

void Flusher::submit(std::size_t index, FileHandle file, DiskOp op) {
  ++jobs_[index].outstanding;
  dir_.shared.files.submit(file, std::move(op));
}

// A file that the disk has blocks for comes to be that of a new segment.
void Flusher::reuse(std::size_t index, Part& part) {
  LogState& log = *jobs_[index].log;
  const Segment* segment = log.segment_at(part.base);
  if (!part.fresh || part.pieces.empty() || segment == nullptr || segment->number != part.number) return;
  part.spare = dir_.pool().take(std::max(likely_bytes(log, *segment), part.to));
  if (!part.spare) return;
  DiskOp move = op(DiskOpKind::rename, Role::reuse, index, FileKind::records);
  move.path = part.spare->path;
  move.path2 = log.path(part.base, FileKind::records);
  move.durable = true;
  ++jobs_[index].outstanding;
  dir_.shared.outbox.push_back(std::move(move));
}

void Flusher::reused(Job& job, const DiskDone& done) {
  const Part& part = job.parts[job.part];
  dir_.pool().taken(*part.spare, done.outcome.has_value());
  Segment* const segment = job.log->segment_at(part.base);
  if (!done.outcome || segment == nullptr || segment->number != part.number) return;
  segment->allocated[place(FileKind::records)] = part.spare->bytes;
  segment->extended = true;
}

void Flusher::allocate(std::size_t index, Part& part) {
  Segment* segment = jobs_[index].log->segment_at(part.base);
  // Truncated away meanwhile: the files stay as they are, but writing on does no harm.
  if (segment != nullptr && segment->number != part.number) segment = nullptr;
  for (const FileKind kind : kAllKinds) {
    const std::size_t k = place(kind);
    if (part.files[k] == 0 || (kind == FileKind::records ? part.pieces.empty() : part.content[k].empty()))
      continue;
    const bool own = segment != nullptr && is_own(kind);
    const std::uint64_t allocated = own ? segment->allocated[k] : 0;
    if (allocated >= round_up(part.size[k], kBlock)) continue;
    if (!is_own(kind) || (own && !segment->named[k])) names_ = true;
    DiskOp more = op(DiskOpKind::preallocate, Role::allocate, index, kind);
    more.at = allocated;
    more.size = allocation(allocated, part.size[k]) - allocated;
    // A write that lets a file grow is one that the kernel gives to a thread of its own: in a file that goes
    // on growing the size goes ahead of the records, too, until its end is cut to them.
    more.extend = kind == FileKind::records && allocated > 0;
    part.extends = part.extends || more.extend;
    part.room[k] = more.at + more.size;
    submit(index, part.files[k], std::move(more));
  }
}

void Flusher::write(std::size_t index, Part& part) {
  if (Segment* segment = jobs_[index].log->segment_at(part.base);
      segment != nullptr && segment->number == part.number) {
    for (const FileKind kind : kSegmentKinds) {
      const std::size_t k = place(kind);
      const bool written = kind == FileKind::records ? !part.pieces.empty() : !part.content[k].empty();
      if (!written) continue;
      segment->allocated[k] = std::max(segment->allocated[k], round_up(part.size[k], kBlock));
      segment->named[k] = true;
    }
  }
  for (std::size_t piece = 0; piece < part.pieces.size();) {
    DiskOp put = op(DiskOpKind::write, Role::write, index, FileKind::records);
    put.at = part.places[piece];
    std::uint64_t size = 0;
    // A piece is never longer than a chunk; one larger than the limit goes alone.
    while (piece < part.pieces.size() && part.places[piece] == put.at + size &&
           (size == 0 || size + part.pieces[piece].size() <= kWriteBytesMax)) {
      put.pieces.push_back(part.pieces[piece]);
      size += part.pieces[piece++].size();
    }
    dir_.report.flushed_bytes += size;
    ++jobs_[index].outstanding;
    writes_.push_back({part.files[place(FileKind::records)], std::move(put)});
  }
  for (const FileKind kind : kAllKinds) {
    const std::size_t k = place(kind);
    if (kind == FileKind::records || part.content[k].empty()) continue;
    DiskOp put = op(DiskOpKind::write, Role::write, index, kind);
    put.at = part.at[k];
    put.pieces.push_back(part.content[k]);
    ++jobs_[index].outstanding;
    writes_.push_back({part.files[k], std::move(put)});
  }
  pump();
}

// What is on its way stands before the journal's next frame at the disk. So it is little at the beginning of a
// round, and more the nearer the next one is, or the end of the room.
std::uint64_t Flusher::writes_at_once() const {
  const bool holds_back = dir_.ring_demand() > dir_.taking_end() || dir_.growth.needs_empty_ring() ||
                          dir_.shared.tail.dirty_bytes() >= dir_.shared.dirty_bytes_max();
  if (dir_.stopping || holds_back) return kWritesInFlightMax;
  const std::uint64_t passed = std::min(journaled() - round_began_, round_distance());
  return std::max<std::uint64_t>({kWritesInFlightMax * passed / round_distance(), writes_for_room(), 1});
}

void Flusher::pump() {
  while (!writes_.empty() && writes_in_flight_ < writes_at_once()) {
    Write next = std::move(writes_.front());
    writes_.pop_front();
    ++writes_in_flight_;
    dir_.shared.files.submit(next.file, std::move(next.op));
  }
}

void Flusher::end_files(std::size_t index, Part& part) {
  if (!part.last) return;
  Segment* segment = jobs_[index].log->segment_at(part.base);
  for (const FileKind kind : kAllKinds) {
    const std::size_t k = place(kind);
    if (part.files[k] == 0) continue;
    DiskOp cut = op(DiskOpKind::truncate, Role::end, index, kind);
    cut.size = part.size[k];
    // Of the block that the end cuts a file system with smaller ones keeps a part.
    if (segment != nullptr && segment->number == part.number && is_own(kind))
      segment->allocated[k] = round_down(part.size[k], kBlock);
    submit(index, part.files[k], std::move(cut));
  }
}

// A log of an earlier run, which may have ended in the midst of this segment.
void Flusher::look_for_outdated(std::size_t index, const Part& part) {
  const LogState& log = *jobs_[index].log;
  // A truncation may have taken the markers that were listed when the segment's files were ended before.
  const bool lists_aborted = part.files[place(FileKind::aborted)] != 0;
  if (part.last && log.generation > 0 && !lists_aborted) {
    remove(index, segment_name(part.base, FileKind::aborted));
  }
  if (!part.last || !dir_.stopping || !log.folder_possible || part.base != log.active().base) return;
  DiskOp list = op(DiskOpKind::list, Role::look, index, FileKind::snapshot);
  list.path = log.folder();
  ++jobs_[index].outstanding;
  dir_.shared.outbox.push_back(std::move(list));
}

void Flusher::remove_outdated(std::size_t index, const std::vector<std::string>& names) {
  Job& job = jobs_[index];
  const bool has_own = job.parts[job.part].files[place(FileKind::snapshot)] != 0;
  for (const std::string& name : names) {
    const std::optional<Offset> at = offset_in_name(name, FileKind::snapshot);
    if (!at || job.log->segment_at(*at) != nullptr || (has_own && *at == job.log->end)) continue;
    remove(index, name);
  }
}

void Flusher::remove(std::size_t index, const std::string& name) {
  Job& job = jobs_[index];
  DiskOp gone = op(DiskOpKind::remove, Role::remove, index, FileKind::snapshot);
  gone.path = job.log->folder() + "/" + name;
  ++job.outstanding;
  names_ = true;
  dir_.shared.outbox.push_back(std::move(gone));
}

void Flusher::completed(const DiskDone& done) {
  const std::uint64_t detail = detail_of(done.token);
  const auto role = static_cast<Role>(detail >> 4 & 0xf);
  const auto file = static_cast<FileKind>(detail & 0xf);
  const auto index = static_cast<std::size_t>(detail >> 8);
  if (role == Role::sync) {
    if (index < jobs_.size())
      dir_.shared.files.release(jobs_[index].parts[jobs_[index].part].files[place(file)]);
    --syncs_;
    if (!dir_.online()) return;
    // A sync that was not begun; with it all of them are asked for again.
    sync_again_ = sync_again_ || found_no_room(done);
    if (!found_no_room(done) && dir_.check(done)) return;
    if (syncs_ > 0) return;
    if (sync_again_) {
      retry_at_ = dir_.now.monotonic + dir_.shared.options.full_retry_interval;
    } else {
      end_round();
    }
    return;
  }
  Job& job = jobs_[index];
  const bool names_only =
      role == Role::folder || role == Role::reuse || role == Role::look || role == Role::remove;
  if (!names_only) dir_.shared.files.release(job.parts[job.part].files[place(file)]);
  --job.outstanding;
  if (role == Role::write) {
    --writes_in_flight_;
    pump();
  }
  if (!dir_.online()) return;
  // To end a file may be what makes it: an index without entries. And whatever is first asked of a file opens it:
  // a write that finds no room is one that was not begun.
  if (role != Role::reuse && found_no_room(done)) {
    job.no_room = true;
    no_room_ = true;
    retry_at_ = dir_.room_retry_at();
    return;
  }
  // It is not there any more, or does not fit into the folder: the segment gets a new file.
  const bool needs_new = role == Role::reuse && !done.outcome &&
                         (done.outcome.error().code == Errc::not_found || found_no_room(done));
  if (!needs_new && dir_.check(done)) return;
  if (role == Role::reuse) reused(job, done);
  if (role == Role::look) remove_outdated(index, done.names);
  if (role == Role::allocate && is_own(file)) {
    Segment* segment = job.log->segment_at(job.parts[job.part].base);
    const std::size_t k = place(file);
    if (segment != nullptr && segment->number == job.parts[job.part].number) {
      if (file == FileKind::records && job.parts[job.part].extends) segment->extended = true;
      segment->allocated[k] = std::max(segment->allocated[k], job.parts[job.part].room[k]);
    }
  }
  if (job.outstanding > 0 || job.no_room) return;
  if (no_room_)
    no_room_ = std::any_of(jobs_.begin(), jobs_.end(), [](const Job& each) { return each.no_room; });
  proceed(index);
  run_step(index);
}

void Flusher::begin_sync() {
  if (planted(Plant::trim_before_sync)) return end_round();
  if (planted(Plant::file_without_directory_sync)) names_ = false;
  phase_ = Phase::sync;
  sync_again_ = false;
  const bool single = std::ranges::all_of(jobs_, [](const Job& job) { return job.parts.size() == 1; });
  if (names_ || !single || files_ > dir_.shared.options.sync_each_max) {
    syncs_ = 1;
    dir_.shared.outbox.push_back(op(DiskOpKind::sync_all, Role::sync, jobs_.size(), FileKind::records));
    return;
  }
  for (std::size_t index = 0; index < jobs_.size(); ++index) {
    jobs_[index].part = 0;
    for (const FileKind kind : kAllKinds) {
      const FileHandle file = jobs_[index].parts[0].files[place(kind)];
      if (file == 0) continue;
      ++syncs_;
      dir_.shared.files.submit(file, op(DiskOpKind::sync, Role::sync, index, kind));
    }
  }
}

void Flusher::end_round() {
  for (Job& job : jobs_) {
    if (job.log != nullptr) finish(job);
  }
  jobs_.clear();
  phase_ = Phase::idle;
}

void Flusher::finish(Job& job) {
  LogState& log = *job.log;
  release_memory(job);
  release_files(job);
  log.flushing = false;
  --log.references;
  // A truncation since then has changed what the files should hold: the log stays as dirty as it was.
  if (log.removed || job.generation != log.generation) {
    log.dirty_after.reset();
    return;
  }
  for (const Part& part : job.parts) {
    Segment* segment = log.segment_at(part.base);
    if (segment == nullptr || segment->number != part.number) continue;
    if (part.to > segment->flushed) dir_.shared.forget_blocks(*segment, segment->flushed, part.to);
    segment->flushed = std::max(segment->flushed, part.to);
    std::erase_if(segment->direct, [&](const Segment::Blocks& run) { return run.to <= segment->flushed; });
    segment->stored = part.stored;
    segment->exact = part.last;
  }
  const std::optional<Lsn> after = std::exchange(log.dirty_after, std::nullopt);
  dir_.clear_dirty(log);
  if (after) dir_.set_dirty(log, *after);
  clean_chunks(log);
}

void Flusher::clean_chunks(LogState& log) {
  for (std::size_t each = 0; each < log.chunks.size(); ++each) {
    cache::Chunk* const chunk = log.chunks[each];
    const Segment* segment = log.segment_at(chunk->segment_base);
    if (segment == nullptr || segment->flushed < chunk->end) break;
    dir_.shared.tail.set_clean(chunk);
  }
}

void Flusher::release_memory(Job& job) {
  for (Part& part : job.parts) {
    for (cache::Chunk* chunk : part.pinned) dir_.shared.tail.unpin(chunk);
    part.pinned.clear();
    if (!part.cut_block.empty()) dir_.shared.pool.give(part.cut_block);
    part.cut_block = {};
  }
}

void Flusher::release_files(Job& job) {
  for (Part& part : job.parts) {
    for (const FileKind kind : kExports) {
      if (const FileHandle once = part.files[place(kind)]; once != 0) dir_.shared.files.forget(once);
    }
    for (const FileHandle file : part.files) {
      if (file != 0) dir_.shared.files.release(file);
    }
  }
}

void Flusher::abandon() {
  writes_.clear();
  retry_at_ = Instant::max();
}

}  // namespace tailwater::log
