#include "core/log/compaction_job.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "core/log/producer_snapshot.hpp"

namespace tailwater::log {

namespace {

// What a step may look at, in bytes of records without compression: well below a millisecond's work.
constexpr std::size_t kStepBytes = std::size_t{128} << 10;
// An entry of compaction in the journal at most.
constexpr std::uint64_t kNoteBytes = 8'192;
constexpr FileKind kAllKinds[] = {FileKind::records, FileKind::index, FileKind::time_index};

std::size_t place_of(FileKind kind) {
  return static_cast<std::size_t>(kind);
}

}  // namespace

CompactionJob::CompactionJob(std::uint64_t number, Directory& dir, LogState& log, CompactionPace& pace,
                             const CompactionRange& range)
    : number_(number), dir_(dir), log_(log), pace_(pace), generation_(log.generation) {
  CHECK(range.segments < log.segments.size());
  CHECK(log.compaction.step == CompactionStep::none);
  for (std::size_t each = 0; each < range.segments; ++each) {
    const Segment& segment = log.segments[each];
    CHECK(segment.sealed && segment.exact && segment.flushed == segment.size);
    sources_.push_back({.base = segment.base,
                        .next = segment.next,
                        .number = segment.number,
                        .size = segment.size,
                        .index_entries = segment.stored.entries,
                        .time_entries = segment.stored.time_entries,
                        .gapless = segment.gapless});
    // Pass 1 begins with the segment that holds the first dirty offset.
    if (segment.next <= range.terms.first_dirty) source_ = each + 1;
  }
  filter_ = std::make_unique<CompactionFilter>(range.terms, log.producers.get());
  if (source_ < sources_.size()) walk_source();
  ++log_.references;
  ++dir_.compacting;
}

CompactionJob::CompactionJob(std::uint64_t number, Directory& dir, LogState& log, CompactionPace& pace)
    : number_(number), dir_(dir), log_(log), pace_(pace), generation_(log.generation) {
  CHECK(log.compaction.step != CompactionStep::none);
  phase_ = log.compaction.step == CompactionStep::swapped ? Phase::swap : Phase::discard;
  cancelled_ = true;
  ++log_.references;
  ++dir_.compacting;
}

CompactionJob::~CompactionJob() {
  if (!block_.empty()) dir_.shared.pool.give(block_);
}

// --- going on and ending

Instant CompactionJob::next_deadline() const {
  if (phase_ == Phase::over || outstanding_ > 0) return Instant::max();
  if (!dir_.online() || log_.removed) return Instant{};
  if (dir_.stopping && waits_for_room()) return Instant{};
  if (place_at_ > dir_.now.monotonic) return place_at_;
  if (phase_ == Phase::begin && !compaction_settled(log_)) return Instant::max();
  if (phase_ == Phase::swap && !swap_settled()) return Instant::max();
  const bool computes = phase_ != Phase::swap && phase_ != Phase::discard;
  if (!computes) return Instant{};
  if (has_room()) return pace_.ready_at();
  // Room in the journal comes with completions.
  return is_stuck() ? Instant{} : Instant::max();
}

bool CompactionJob::has_room() const {
  return dir_.accepts() && dir_.has_room(kNoteBytes);
}

// The journal has no room, and gets none before the disk does.
bool CompactionJob::is_stuck() const {
  return dir_.full() && !has_room();
}

bool CompactionJob::waits_for_room() const {
  if (phase_ == Phase::over || outstanding_ > 0 || !dir_.online() || log_.removed) return false;
  if (place_at_ > dir_.now.monotonic) return true;
  return phase_ == Phase::swap && !swap_settled() && is_stuck();
}

bool CompactionJob::may_compute() const {
  return has_room() && dir_.now.monotonic >= pace_.ready_at();
}

// Whether all segments of the round are what they were.
bool CompactionJob::may_go_on() const {
  if (dir_.stopping || generation_ != log_.generation || !log_.config.compact) return false;
  return std::all_of(sources_.begin() + static_cast<std::ptrdiff_t>(group_begin_), sources_.end(),
                     [&](const Source& source) {
                       const Segment* segment = log_.segment_at(source.base);
                       return segment != nullptr && segment->number == source.number;
                     });
}

void CompactionJob::cancel() {
  cancelled_ = true;
  phase_ = log_.compaction.step == CompactionStep::begun ? Phase::discard : Phase::over;
  if (phase_ == Phase::over) end();
}

// The log or its directory is gone: nothing is left to be done.
void CompactionJob::abandon() {
  close_outputs();
  // Whoever waits for a segment's new files gets an answer from the disk.
  if (!log_.removed) {
    if (const Segment* segment = log_.segment_at(log_.compaction.base)) {
      for (const FileHandle file : segment->files) {
        if (file != 0) dir_.shared.files.arrived(file);
      }
    }
  }
  end();
}

void CompactionJob::end_here() {
  cancelled_ = true;
  if (filter_) {
    result_.counts = filter_->counts();
    result_.map_used_percent = filter_->map_used_percent();
  }
  filter_.reset();
  output_.reset();
  if (!block_.empty()) dir_.shared.pool.give(std::exchange(block_, {}));
}

void CompactionJob::end() {
  end_here();
  phase_ = Phase::over;
  --dir_.compacting;
  --log_.references;
}

void CompactionJob::turn() {
  if (phase_ == Phase::over || outstanding_ > 0) return;
  if (!dir_.online() || log_.removed) {
    abandon();
    return;
  }
  if (dir_.stopping && waits_for_room()) {
    result_.left = true;
    end();
    return;
  }
  if (place_at_ > dir_.now.monotonic) return;
  if (phase_ == Phase::swap) {
    note_taken();
    if (swap_settled()) place();
    return;
  }
  if (phase_ == Phase::discard) {
    discard();
    return;
  }
  if (is_stuck()) result_.no_room = true;
  if (!may_go_on() || is_stuck()) {
    cancel();
    return;
  }
  if (phase_ == Phase::begin && compaction_settled(log_)) phase_ = Phase::copy;
  if (!may_compute()) return;
  switch (phase_) {
    case Phase::map:
      map();
      return;
    case Phase::copy:
      copy();
      return;
    case Phase::seal:
      if (!write_on()) swap();
      return;
    default:
      return;
  }
}

void CompactionJob::walk_source() {
  const Source& source = sources_[source_];
  walk_.open(source.size, source.base, source.next, source.gapless);
}

// --- pass 1

void CompactionJob::map() {
  for (std::size_t looked = 0; looked < kStepBytes;) {
    if (source_ == sources_.size()) {
      filter_->all_noted();
      next_group();
      return;
    }
    const auto batch = walk_.next();
    if (batch) {
      if (!filter_->note(*batch)) {
        next_group();
        return;
      }
      // Decompression is the dear part: such a batch is a step of its own.
      looked += batch->codec() == records::Codec::none ? batch->size() : kStepBytes;
    } else if (walk_.at_end()) {
      if (++source_ < sources_.size()) walk_source();
    } else {
      read_on();
      return;
    }
  }
}

// --- pass 2

// Neighbours go together as long as the result cannot be larger than a segment may be.
void CompactionJob::next_group() {
  if (group_end_ == 0) filter_->begin_pass_2();
  group_begin_ = group_end_;
  const bool all = group_begin_ == sources_.size() || sources_[group_begin_].base >= filter_->map_end();
  if (all) {
    if (filter_->map_end() > log_.compaction.passed) pass_compaction(dir_, log_, filter_->map_end());
    result_.finished = true;
    end();
    return;
  }
  std::uint64_t size = 0;
  std::uint64_t entries = 0;
  std::uint64_t time_entries = 0;
  for (; group_end_ < sources_.size(); ++group_end_) {
    const Source& source = sources_[group_end_];
    size += source.size;
    entries += source.index_entries;
    time_entries += source.time_entries;
    const bool first = group_end_ == group_begin_;
    const bool fits =
        size <= log_.config.segment_bytes && entries * kIndexEntrySize <= log_.config.segment_index_bytes &&
        time_entries * kTimeEntrySize <= log_.config.segment_index_bytes &&
        source.next - sources_[group_begin_].base <= INT32_MAX && source.base < filter_->map_end();
    if (!first && !fits) break;
  }
  begin_group();
}

void CompactionJob::begin_group() {
  const Offset base = sources_[group_begin_].base;
  output_.emplace(dir_.shared.pool, base, log_.config.index_interval_bytes);
  source_ = group_begin_;
  walk_source();
  begin_compaction(dir_, log_, base);
  phase_ = Phase::begin;
}

void CompactionJob::copy() {
  for (std::size_t looked = 0; looked < kStepBytes;) {
    if (write_on()) return;
    if (source_ == group_end_) {
      output_->finish();
      phase_ = Phase::seal;
      return;
    }
    const auto batch = walk_.next();
    if (batch) {
      const CompactionFilter::Cleaned cleaned = filter_->clean(*batch, rebuilt_);
      emit(*batch, cleaned);
      if (cancelled_) return;
      looked += batch->codec() == records::Codec::none ? cleaned.work : kStepBytes;
    } else if (walk_.at_end()) {
      if (++source_ < group_end_) walk_source();
    } else {
      read_on();
      return;
    }
  }
}

void CompactionJob::emit(const records::BatchView& batch, CompactionFilter::Cleaned cleaned) {
  if (cleaned.kind == CompactionFilter::Cleaned::Kind::gone) return;
  const bool whole = cleaned.kind == CompactionFilter::Cleaned::Kind::whole;
  const records::BatchView kept = whole ? batch : records::BatchView(rebuilt_);
  if (!output_->fits(kept.size())) {
    result_.broken = true;
    cancel();
    return;
  }
  output_->add(kept.bytes(), kept.last_offset(), kept.max_timestamp());
}

// --- the group's end

void CompactionJob::swap() {
  close_outputs();
  CompactionSwap swap{.base = sources_[group_begin_].base,
                      .end = sources_[group_end_ - 1].next,
                      .segment = output_->segment(),
                      .dropped_aborts = filter_->take_dropped_aborts()};
  for (std::size_t each = group_begin_; each < group_end_; ++each)
    result_.bytes_before += sources_[each].size;
  result_.bytes_after += swap.segment.size;
  std::ranges::sort(swap.dropped_aborts);
  swap_segments(dir_, log_, swap);
  output_.reset();
  group_begin_ = group_end_;
  taken_.reset();
  phase_ = Phase::swap;
}

// Retention or a truncation took the segment at once.
void CompactionJob::note_taken() {
  if (taken_ || log_.segment_at(log_.compaction.base) != nullptr) return;
  // The entry comes into the queue only when the log's head is there.
  if (log_.loading_head || !log_.held.empty()) return;
  taken_ = dir_.journal.last_number();
}

// Whether the swap is durable, and so is that its segment went, if it did: else a power loss would bring back a
// segment whose files were removed.
bool CompactionJob::swap_settled() const {
  if (!compaction_settled(log_)) return false;
  if (log_.segment_at(log_.compaction.base) != nullptr) return true;
  return taken_ && dir_.journal.durable_number() >= *taken_;
}

// The swap is durable: the new files take the names of the old ones, one that has no successor goes.
void CompactionJob::place() {
  phase_ = Phase::place;
  place_again_ = false;
  const Offset base = log_.compaction.base;
  const Segment* segment = log_.segment_at(base);
  for (const FileKind kind : kAllKinds) {
    const std::string path = log_.path(base, kind);
    if (segment == nullptr) {
      name(DiskOpKind::remove, passing_path(log_, base, kind));
      name(DiskOpKind::remove, path);
    } else if (segment->exists && has_file(*segment, kind)) {
      name(DiskOpKind::rename, passing_path(log_, base, kind), path);
    } else {
      name(DiskOpKind::remove, path);
    }
  }
  export_aborted(base);
}

// The index of aborted transactions of the segment that the group became (producer_snapshot.hpp).
void CompactionJob::export_aborted(Offset base) {
  const std::string path = log_.path(base, FileKind::aborted);
  const Segment* segment = log_.segment_at(base);
  Buffer content;
  if (segment != nullptr && log_.producers) {
    content = encode_aborted(log_.producers->aborted(), base, segment->next);
  }
  if (content.empty()) return name(DiskOpKind::remove, path);
  DiskOp op = dir_.op(DiskOpKind::replace, Part::compaction, detail(Role::aborted));
  op.path = path;
  op.content = std::move(content);
  count_sent();
  dir_.shared.outbox.push_back(std::move(op));
}

void CompactionJob::discard() {
  close_outputs();
  phase_ = Phase::place;
  place_again_ = false;
  for (const FileKind kind : kAllKinds) {
    name(DiskOpKind::remove, passing_path(log_, log_.compaction.base, kind));
  }
}

// The files have their names, or are gone.
void CompactionJob::named() {
  const Offset base = log_.compaction.base;
  end_compaction(dir_, log_);
  if (const Segment* segment = log_.segment_at(base)) {
    for (const FileHandle file : segment->files) {
      if (file != 0) dir_.shared.files.arrived(file);
    }
  }
  if (cancelled_) {
    end();
  } else {
    next_group();
  }
}

// --- the disk

void CompactionJob::read_on() {
  const auto range = walk_.wanted();
  if (!range) {
    result_.broken = true;
    cancel();
    return;
  }
  if (block_.empty()) block_ = dir_.shared.pool.take(kCompactionBlock);
  Segment* const segment = log_.segment_at(sources_[source_].base);
  CHECK(segment != nullptr);
  source_file_ = dir_.file_of(log_, *segment, FileKind::records);
  DiskOp op;
  op.kind = DiskOpKind::read;
  op.at = range->at;
  op.memory = block_.first(journal::round_up(range->size, kDiskBlock));
  pace_.spend(range->size, dir_.now.monotonic);
  result_.bytes_moved += range->size;
  submit(source_file_, Role::read, std::move(op));
}

// Sends the next operation on the new files; false if there is none now.
bool CompactionJob::write_on() {
  auto wish = output_->next();
  if (!wish) return false;
  FileHandle& file = output_files_[place_of(wish->file)];
  if (file == 0) {
    file = dir_.shared.files.add({.dir = dir_.id,
                                  .dir_index = dir_.index,
                                  .path = passing_path(log_, log_.compaction.base, wish->file),
                                  .use = Files::Use::write,
                                  .direct = wish->file == FileKind::records,
                                  .durable = true});
  }
  std::uint64_t bytes = 0;
  for (const Bytes piece : wish->op.pieces) bytes += piece.size();
  pace_.spend(bytes, dir_.now.monotonic);
  result_.bytes_moved += bytes;
  output_file_ = file;
  submit(file, Role::output, std::move(wish->op));
  return true;
}

std::uint64_t CompactionJob::detail(Role role) const {
  return number_ << kRoleBits | static_cast<std::uint64_t>(role);
}

void CompactionJob::count_sent() {
  ++outstanding_;
  ++log_.file_uses;
}

void CompactionJob::submit(FileHandle file, Role role, DiskOp op) {
  op.token = make_token(Part::compaction, dir_.index, detail(role));
  count_sent();
  dir_.shared.files.submit(file, std::move(op));
}

void CompactionJob::name(DiskOpKind kind, std::string path, std::string path2) {
  DiskOp op = dir_.op(kind, Part::compaction, detail(Role::name));
  op.path = std::move(path);
  op.path2 = std::move(path2);
  op.durable = true;
  count_sent();
  dir_.shared.outbox.push_back(std::move(op));
}

void CompactionJob::close_outputs() {
  for (FileHandle& file : output_files_) {
    if (file != 0) dir_.shared.files.forget(file);
    file = 0;
  }
}

void CompactionJob::completed(const DiskDone& done) {
  --outstanding_;
  --log_.file_uses;
  const auto role = static_cast<Role>(detail_of(done.token) & ((1U << kRoleBits) - 1));
  if (role == Role::read) dir_.shared.files.release(source_file_);
  if (role == Role::output) dir_.shared.files.release(output_file_);
  if (!dir_.online() || log_.removed) return;
  const Errc code = done.outcome ? Errc{} : done.outcome.error().code;
  if (role == Role::name || role == Role::aborted) {
    // What was renamed is there already; and for an export for others a full disk is no reason to stop.
    const bool is_full = code == Errc::out_of_space;
    const bool is_fine = role == Role::name ? code == Errc::not_found || is_full : is_full;
    if (!done.outcome && !is_fine && dir_.check(done)) return;
    // A name may need a block of the directory. Until it has one, the log stays at this step.
    if (role == Role::name && is_full) {
      place_again_ = true;
      place_at_ = dir_.room_retry_at();
      result_.no_room = true;
    }
    if (outstanding_ > 0) return;
    // The others may have taken longer than the wait for room.
    if (place_again_) {
      phase_ = log_.compaction.step == CompactionStep::swapped ? Phase::swap : Phase::discard;
    } else {
      named();
    }
    return;
  }
  if (role == Role::output) {
    if (!done.outcome && code == Errc::out_of_space) {
      result_.no_room = true;
      cancel();
    } else {
      dir_.check(done);
    }
    return;
  }
  if (!may_go_on()) return;                           // also the reason why the file may be gone
  if (!done.outcome && code == Errc::out_of_space) {  // of descriptors
    result_.no_room = true;
    cancel();
    return;
  }
  if (dir_.check(done)) return;
  const auto range = walk_.wanted();
  CHECK(range.has_value());
  if (*done.outcome < range->size) {
    dir_.take_offline({Errc::storage, log_.path(sources_[source_].base, FileKind::records) +
                                          " is shorter than it should be"});
    return;
  }
  walk_.feed(Bytes(block_).first(range->size));
}

}  // namespace tailwater::log
