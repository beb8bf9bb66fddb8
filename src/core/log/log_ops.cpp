#include "core/log/log_ops.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "core/log/producer_snapshot.hpp"
#include "core/log/tail.hpp"

namespace tailwater::log {

void drop_segment(Directory& dir, LogState& log, Segment& segment, Duration delay) {
  dir.forget_files(segment);
  dir.shared.forget_blocks(segment, 0, segment.flushed);
  if (segment.exists) dir.janitor.doom_files(log, segment, delay);
}

namespace {

Segment make_segment(Directory& dir, Offset base) {
  Segment segment;
  segment.base = base;
  segment.next = base;
  segment.gapless = true;
  segment.number = dir.shared.next_segment_number++;
  segment.fresh = dir.online();
  return segment;
}

// Nothing of the log beyond `place` was framed or is durable any more.
void clamp(const LogState& log, const CutPlace& place, JournalPoint& point) {
  const bool beyond =
      point.segment > place.segment || (point.segment == place.segment && point.position > place.position);
  if (beyond) {
    point.segment = place.segment;
    point.position = place.position;
    // All that is not flushed is in frames from `dirty` on, this block included.
    point.block.reset();
    if (place.position % journal::kBlock != 0) point.block = log.dirty;
  }
  point.offset = std::min(point.offset, place.end);
}

void set_head_due(LogState& log, const CutPlace& place, std::uint64_t flushed) {
  const bool cuts_flushed_block = place.position % journal::kBlock != 0 && place.position == flushed;
  // An entry before the cut may still wait for its frame, also in an earlier segment.
  const bool before = log.head_segment < place.segment ||
                      (log.head_segment == place.segment && log.head_due <= place.position);
  const bool stays = log.head_due != kNoPosition && before;
  if (cuts_flushed_block) {
    log.head_segment = place.segment;
    log.head_due = place.position;
  } else if (!stays) {
    log.head_due = kNoPosition;
  }
}

}  // namespace

LogState& add_log(Directory& dir, const LogIdentity& identity, Offset start) {
  auto owned = std::make_unique<LogState>();
  LogState& log = *owned;
  log.dir = &dir;
  log.identity = identity;
  log.start = log.end = log.durable_end = log.durable_start = start;
  log.segments.push_back(make_segment(dir, start));
  log.framed.segment = log.durable.segment = start;
  log.framed.offset = log.durable.offset = start;
  dir.own(std::move(owned));
  return log;
}

void forget_log(Directory& dir, LogState& log) {
  for (Segment& segment : log.segments) {
    dir.forget_files(segment);
    dir.shared.forget_blocks(segment, 0, segment.flushed);
  }
  while (!log.chunks.empty()) {
    dir.shared.tail.drop(log.chunks.back());
    log.chunks.pop_back();
  }
  dir.clear_dirty(log);
  // What still waits for a frame says nothing about it any more.
  ++log.generation;
  std::erase(dir.ripe, &log);
  log.removed = true;
  dir.disown(log);
}

void note_batch(LogState& log, const records::BatchView& batch) {
  log.epochs.begin(batch.leader_epoch(), batch.base_offset());
  if (batch.has_producer()) log.producer_table().apply(batch);
}

void apply_roll(Directory& dir, LogState& log, Offset base) {
  CHECK(base >= log.end);
  log.active().sealed = true;
  log.rolled_bytes = log.active().size;
  log.segments.push_back(make_segment(dir, base));
  if (log.producers) log.active().snapshot = encode_snapshot(log.producers->producers());
}

void apply_truncate(Directory& dir, LogState& log, const CutPlace& place) {
  ++log.generation;
  while (log.active().base > place.segment) {
    drop_segment(dir, log, log.active(), {});
    log.segments.pop_back();
  }
  Segment& segment = log.active();
  CHECK(segment.base == place.segment);
  CHECK(place.position <= segment.size);
  // It takes batches again: its files are opened for that.
  if (std::exchange(segment.sealed, false)) dir.forget_files(segment);
  segment.exact = false;
  if (place.position < segment.flushed) {
    dir.shared.forget_blocks(segment, place.position, segment.flushed);
    segment.flushed = place.position;
  }
  // The index may be in its files further than the records are taken to be (Replay::settle_cut).
  std::erase_if(segment.direct, [&](const Segment::Blocks& run) { return run.to > place.position; });
  if (place.position < segment.stored.until) segment.stored = place.index;
  segment.size = place.position;
  segment.next = place.end;
  segment.index = place.index;
  segment.walked.clear();
  if (place.position == 0) segment.first_timestamp = segment.untimed_since = -1;
  cut_chunks(log, dir.shared.tail, place.segment, place.position, place.end);
  log.end = place.end;
  log.start = std::min(log.start, log.end);
  log.durable_start = std::min(log.durable_start, log.start);
  log.compaction.passed = std::min(log.compaction.passed, log.end);
  log.durable_end = std::min(log.durable_end, log.end);
  log.epochs.truncate(log.end);
  if (log.producers) log.producers->truncate(log.end);
  log.hint = {};
  clamp(log, place, log.framed);
  clamp(log, place, log.durable);
  // What was kept of frames on their way becomes durable with them, but is known to be only with the cut's own entry:
  // until then the log needs them.
  const bool on_the_way =
      log.durable.segment != log.framed.segment || log.durable.position != log.framed.position;
  if (on_the_way && !log.durable.partial) log.durable.partial = dir.ring.durable();
  set_head_due(log, place, segment.flushed);
}

Buffer encode_cut(const CutPlace& place) {
  Buffer content(48);
  std::byte* at = content.data();
  store_little(at, place.index.entries);
  store_little(at + 4, place.index.time_entries);
  store_little(at + 8, place.index.until);
  store_little(at + 16, place.index.last_position);
  store_little(at + 24, place.index.last_time);
  store_little(at + 32, place.index.max_timestamp);
  store_little(at + 40, place.index.max_timestamp_offset.value);
  return content;
}

bool decode_cut(Bytes content, CutPlace& place) {
  if (content.size() < 48) return false;
  const std::byte* at = content.data();
  place.index.entries = load_little<std::uint32_t>(at);
  place.index.time_entries = load_little<std::uint32_t>(at + 4);
  place.index.until = load_little<std::uint64_t>(at + 8);
  place.index.last_position = load_little<std::uint64_t>(at + 16);
  place.index.last_time = load_little<std::int64_t>(at + 24);
  place.index.max_timestamp = load_little<std::int64_t>(at + 32);
  place.index.max_timestamp_offset = Offset{load_little<std::int64_t>(at + 40)};
  return true;
}

void apply_log_start(Directory& dir, LogState& log, Offset start, Duration delay) {
  if (start < log.start) return;
  log.start = start;
  while (log.segments.size() > 1 && log.segments.front().next <= start) {
    Segment& segment = log.segments.front();
    // A start would look for it: it goes when retention looks at the log again.
    if (dir.names_run_of(segment)) break;
    while (!log.chunks.empty() && log.chunks.front()->segment_base == segment.base) {
      dir.shared.tail.drop(log.chunks.front());
      log.chunks.pop_front();
    }
    drop_segment(dir, log, segment, delay);
    log.segments.erase(log.segments.begin());
  }
  log.epochs.advance_start(start);
  if (log.producers) log.producers->advance_start(start);
}

void apply_restart(Directory& dir, LogState& log, Offset start) {
  ++log.generation;
  while (!log.chunks.empty()) {
    dir.shared.tail.drop(log.chunks.back());
    log.chunks.pop_back();
  }
  for (Segment& segment : log.segments) drop_segment(dir, log, segment, {});
  log.segments.clear();
  log.segments.push_back(make_segment(dir, start));
  log.start = log.end = log.durable_end = log.durable_start = start;
  log.epochs.clear();
  log.compaction.passed = start;
  if (log.producers) log.producers->clear();
  log.hint = {};
  log.hot_hint = {};
  log.head_due = kNoPosition;
  log.framed = {start, 0, start, {}, {}};
  log.durable = log.framed;
}

}  // namespace tailwater::log
