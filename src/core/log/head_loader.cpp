#include "core/log/head_loader.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "core/log/directory.hpp"

namespace tailwater::log {

namespace {

// The chunk from which the next flush of the segment starts, if it lacks the first bytes of the block there.
cache::Chunk* lacking(const LogState& log, const Segment& segment) {
  for (std::size_t each = log.chunks.size(); each-- > 0;) {
    cache::Chunk& chunk = *log.chunks[each];
    if (chunk.segment_base > segment.base) continue;
    if (chunk.segment_base < segment.base) break;
    if (chunk.first > segment.flushed) continue;
    return chunk.valid > journal::round_down(segment.flushed, journal::kBlock) ? &chunk : nullptr;
  }
  return nullptr;
}

// The same of any segment: while a head was read back, the log may have been truncated and gone on to
// another.
cache::Chunk* lacking(const LogState& log) {
  for (const Segment& segment : log.segments) {
    if (segment.flushed == segment.size) continue;
    if (cache::Chunk* const chunk = lacking(log, segment)) return chunk;
  }
  return nullptr;
}

}  // namespace

HeadLoader::~HeadLoader() {
  for (Load& load : loads_) {
    if (load.log == nullptr) continue;
    dir_.shared.tail.unpin(load.chunk);
    dir_.shared.pool.give(load.memory);
  }
}

void HeadLoader::load_if_missing(LogState& log) {
  if (!log.lacks_head || log.loading_head) return;
  if (cache::Chunk* chunk = lacking(log, log.active())) return begin(log, *chunk);
  // A look at all chunks is dear, and most logs never need one again.
  log.lacks_head = false;
  for (std::size_t each = 0; each < log.chunks.size() && !log.lacks_head; ++each) {
    log.lacks_head = log.chunks[each]->valid > log.chunks[each]->start;
  }
}

void HeadLoader::begin(LogState& log, cache::Chunk& chunk) {
  std::size_t slot = loads_.size();
  if (free_.empty()) {
    loads_.emplace_back();
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  Segment& segment = *log.segment_at(chunk.segment_base);
  Load& load = loads_[slot];
  load.log = &log;
  load.chunk = &chunk;
  load.block = journal::round_down(segment.flushed, journal::kBlock);
  load.segment_number = segment.number;
  load.file = dir_.file_of(log, segment, FileKind::records);
  load.memory = dir_.shared.pool.take(journal::kBlock);
  dir_.shared.tail.pin(load.chunk);
  ++log.references;
  ++active_;
  log.loading_head = true;
  send(slot);
}

void HeadLoader::send(std::size_t slot) {
  const Load& load = loads_[slot];
  DiskOp op = dir_.op(DiskOpKind::read, Part::head, slot);
  op.at = load.block;
  op.memory = load.memory;
  op.urgent = true;
  dir_.shared.files.submit(load.file, std::move(op));
}

// Chunks that were begun in the same block meanwhile copied as little of it as there was. Entries that wait
// may also name chunks that a truncation has taken from the log since.
void HeadLoader::place(LogState& log, const cache::Chunk& chunk, const Load& load) {
  const std::uint64_t valid = chunk.valid;
  const auto fill = [&](cache::Chunk& other) {
    if (other.segment_base != chunk.segment_base || other.start > load.block || other.valid != valid) return;
    std::copy_n(load.memory.begin(), valid - load.block, other.at(load.block));
    other.valid = load.block;
  };
  for (std::size_t each = 0; each < log.chunks.size(); ++each) fill(*log.chunks[each]);
  for (const Pending& entry : log.held) {
    if (entry.chunk != nullptr) fill(*entry.chunk);
  }
}

void HeadLoader::turn() {
  if (retry_at_ > dir_.now.monotonic) return;
  retry_at_ = Instant::max();
  for (std::size_t slot = 0; slot < loads_.size(); ++slot) {
    if (!std::exchange(loads_[slot].again, false)) continue;
    send(slot);
    dir_.shared.files.release(loads_[slot].file);
  }
}

void HeadLoader::completed(const DiskDone& done) {
  const std::size_t slot = detail_of(done.token);
  if (dir_.online() && found_no_room(done)) {
    loads_[slot].again = true;
    retry_at_ = std::min(retry_at_, dir_.now.monotonic + dir_.shared.options.full_retry_interval);
    return;
  }
  Load load = std::exchange(loads_[slot], {});
  free_.push_back(slot);
  --active_;
  dir_.shared.files.release(load.file);
  LogState& log = *load.log;
  --log.references;
  log.loading_head = false;
  cache::Chunk& chunk = *load.chunk;
  const std::uint64_t head = chunk.valid > load.block ? chunk.valid - load.block : 0;
  if (dir_.online() && !dir_.check(done)) {
    if (*done.outcome < head) {
      dir_.take_offline(
          {Errc::storage, log.path(chunk.segment_base, FileKind::records) + " is shorter than it should be"});
    } else {
      const Segment* segment = log.removed ? nullptr : log.segment_at(chunk.segment_base);
      if (head > 0 && segment != nullptr && segment->number == load.segment_number) place(log, chunk, load);
      cache::Chunk* const other = log.removed ? nullptr : lacking(log);
      if (log.removed) {
        dir_.journal.drop_held(log);
      } else if (other != nullptr) {
        // Truncated and appended to meanwhile: another block counts now.
        begin(log, *other);
      } else {
        dir_.journal.release_held(log);
      }
    }
  }
  dir_.shared.tail.unpin(load.chunk);
  dir_.shared.pool.give(load.memory);
}

}  // namespace tailwater::log
