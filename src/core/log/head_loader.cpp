#include "core/log/head_loader.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "core/log/directory.hpp"

namespace tailwater::log {

namespace {

bool lacks_head(const LogState& log) {
  if (log.chunks.empty()) return false;
  const cache::Chunk& chunk = *log.chunks.back();
  return chunk.valid > chunk.start && chunk.valid == chunk.first && chunk.segment_base == log.active().base;
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
  if (log.loading_head || !lacks_head(log)) return;
  begin(log);
}

void HeadLoader::begin(LogState& log) {
  std::size_t slot = loads_.size();
  if (free_.empty()) {
    loads_.emplace_back();
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  Segment& segment = log.active();
  Load& load = loads_[slot];
  load.log = &log;
  load.chunk = log.chunks.back();
  load.file = dir_.file_of(log, segment, FileKind::records);
  load.memory = dir_.shared.pool.take(journal::kBlock);
  dir_.shared.tail.pin(load.chunk);
  ++log.references;
  ++active_;
  log.loading_head = true;

  DiskOp op = dir_.op(DiskOpKind::read, Part::head, slot);
  op.at = load.chunk->start;
  op.memory = load.memory;
  op.urgent = true;
  dir_.shared.files.submit(load.file, std::move(op));
}

void HeadLoader::completed(const DiskDone& done) {
  const std::size_t slot = detail_of(done.token);
  Load load = std::exchange(loads_[slot], {});
  free_.push_back(slot);
  --active_;
  dir_.shared.files.release(load.file);
  LogState& log = *load.log;
  --log.references;
  log.loading_head = false;
  cache::Chunk& chunk = *load.chunk;
  const std::uint64_t head = chunk.first - chunk.start;
  if (dir_.online() && !dir_.check(done)) {
    if (*done.outcome < head) {
      dir_.take_offline(
          {Errc::storage, log.path(chunk.segment_base, FileKind::records) + " is shorter than it should be"});
    } else {
      std::copy_n(load.memory.begin(), head, chunk.memory.begin());
      chunk.valid = chunk.start;
      if (log.removed) {
        dir_.journal.drop_held(log);
      } else if (lacks_head(log)) {
        // Truncated and appended to meanwhile: another block counts now.
        begin(log);
      } else {
        dir_.journal.release_held(log);
      }
    }
  }
  dir_.shared.tail.unpin(load.chunk);
  dir_.shared.pool.give(load.memory);
}

}  // namespace tailwater::log
