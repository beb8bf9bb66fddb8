#include "core/log/compaction_ops.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "core/log/log_ops.hpp"

namespace tailwater::log {

namespace {

using journal::EntryKind;

constexpr std::size_t kIndexSize = 48;
constexpr std::size_t kSwapSize = 16 + 2 * kIndexSize;
constexpr std::size_t kAbortSize = 8;

std::byte* put(std::byte* at, const IndexState& index) {
  store_little(at, index.entries);
  store_little(at + 4, index.time_entries);
  store_little(at + 8, index.until);
  store_little(at + 16, index.last_position);
  store_little(at + 24, index.last_time);
  store_little(at + 32, index.max_timestamp);
  store_little(at + 40, index.max_timestamp_offset.value);
  return at + kIndexSize;
}

IndexState get_index(const std::byte* at) {
  return {.entries = load_little<std::uint32_t>(at),
          .time_entries = load_little<std::uint32_t>(at + 4),
          .until = load_little<std::uint64_t>(at + 8),
          .last_position = load_little<std::uint64_t>(at + 16),
          .last_time = load_little<std::int64_t>(at + 24),
          .max_timestamp = load_little<std::int64_t>(at + 32),
          .max_timestamp_offset = Offset{load_little<std::int64_t>(at + 40)}};
}

Buffer encode(const CompactionSwap& swap) {
  Buffer content(kSwapSize + swap.dropped_aborts.size() * kAbortSize);
  std::byte* at = content.data();
  store_little(at, swap.segment.size);
  store_little(at + 8, swap.segment.first_timestamp);
  at = put(put(at + 16, swap.segment.index), swap.segment.stored);
  for (const Offset dropped : swap.dropped_aborts) {
    store_little(at, dropped.value);
    at += kAbortSize;
  }
  return content;
}

bool decode(Bytes content, CompactionSwap& swap) {
  if (content.size() < kSwapSize || (content.size() - kSwapSize) % kAbortSize != 0) return false;
  const std::byte* const at = content.data();
  swap.segment.size = load_little<std::uint64_t>(at);
  swap.segment.first_timestamp = load_little<std::int64_t>(at + 8);
  swap.segment.index = get_index(at + 16);
  swap.segment.stored = get_index(at + 16 + kIndexSize);
  for (std::size_t from = kSwapSize; from < content.size(); from += kAbortSize) {
    swap.dropped_aborts.emplace_back(load_little<std::int64_t>(at + from));
  }
  return true;
}

void note(Directory& dir, LogState& log, CompactionStep step, Offset base, Offset offset,
          Buffer content = {}) {
  ++log.compaction.pushed;
  dir.journal.push(log, {.kind = EntryKind::compaction,
                         .segment = base,
                         .base_offset = offset,
                         .argument = static_cast<std::uint32_t>(step),
                         .content = std::move(content)});
}

void apply_begun(LogState& log, Offset base) {
  log.compaction.step = CompactionStep::begun;
  log.compaction.base = base;
}

// A round begins when everything that it may touch is in its files, ended exactly; a replay need not know
// yet.
void settle_in_files(Segment& segment) {
  if (segment.exact && segment.flushed == segment.size) return;
  segment.exists = segment.size > 0;
  segment.exact = true;
  segment.flushed = segment.size;
  segment.stored = segment.index;
  if (segment.stored.max_timestamp > segment.stored.last_time) {
    segment.stored.last_time = segment.stored.max_timestamp;
    ++segment.stored.time_entries;
  }
}

// Whether the group is a row of whole sealed segments.
bool fits(const LogState& log, const CompactionSwap& swap) {
  bool begins = false;
  for (const Segment& segment : log.segments) {
    begins = begins || segment.base == swap.base;
    if (begins && !segment.sealed) return false;
    if (segment.next == swap.end && begins) return swap.segment.size <= INT32_MAX;
  }
  return false;
}

void apply_swap(Directory& dir, LogState& log, const CompactionSwap& swap) {
  const auto first = std::ranges::find(log.segments, swap.base, &Segment::base);
  const auto last = std::ranges::find_if(first, log.segments.end(),
                                         [&](const Segment& segment) { return segment.next == swap.end; });
  CHECK(last != log.segments.end());
  // What memory has of these segments and of those before them is old, or in the files as well.
  while (!log.chunks.empty() && log.chunks.front()->segment_base <= last->base) {
    dir.shared.tail.drop(log.chunks.front());
    log.chunks.pop_front();
  }
  for (auto before = log.segments.begin(); before != first; ++before) settle_in_files(*before);
  for (auto old = first; old != std::next(last); ++old) {
    // The first one's files are replaced or removed with the next step.
    if (old == first) old->exists = false;
    drop_segment(dir, log, *old, Duration::from_ms(log.config.file_delete_delay_ms));
  }
  Segment segment;
  segment.base = swap.base;
  segment.next = swap.end;
  segment.size = segment.flushed = swap.segment.size;
  segment.first_timestamp = swap.segment.first_timestamp;
  segment.index = swap.segment.index;
  segment.stored = swap.segment.stored;
  segment.exists = segment.size > 0;
  segment.sealed = segment.exact = true;
  segment.number = dir.shared.next_segment_number++;
  *first = segment;
  log.segments.erase(std::next(first), std::next(last));
  log.hint = {};
  log.compaction.step = CompactionStep::swapped;
  log.compaction.base = swap.base;
  if (log.producers) log.producers->forget_aborted(swap.dropped_aborts);
}

}  // namespace

std::string passing_path(const LogState& log, Offset base, FileKind kind) {
  return log.path(base, kind) + ".cleaned";
}

void begin_compaction(Directory& dir, LogState& log, Offset base) {
  apply_begun(log, base);
  note(dir, log, CompactionStep::begun, base, {});
}

void swap_segments(Directory& dir, LogState& log, const CompactionSwap& swap) {
  CHECK(fits(log, swap));
  apply_swap(dir, log, swap);
  note(dir, log, CompactionStep::swapped, swap.base, swap.end, encode(swap));
}

void end_compaction(Directory& dir, LogState& log) {
  log.compaction.step = CompactionStep::none;
  note(dir, log, CompactionStep::none, log.compaction.base, {});
}

void pass_compaction(Directory& dir, LogState& log, Offset passed) {
  log.compaction.passed = passed;
  note(dir, log, CompactionStep::passed, {}, passed);
}

bool replay_compaction(Directory& dir, LogState& log, const journal::EntryCursor::Entry& entry) {
  const Offset base{entry.header.segment_base};
  const Offset offset{entry.header.base_offset};
  switch (static_cast<CompactionStep>(entry.header.argument)) {
    case CompactionStep::none:
      log.compaction.step = CompactionStep::none;
      return true;
    case CompactionStep::begun:
      apply_begun(log, base);
      return true;
    case CompactionStep::swapped: {
      CompactionSwap swap{.base = base, .end = offset, .segment = {}, .dropped_aborts = {}};
      if (!decode(entry.content, swap) || !fits(log, swap)) return false;
      apply_swap(dir, log, swap);
      return true;
    }
    case CompactionStep::passed:
      if (offset > log.end) return false;
      log.compaction.passed = offset;
      return true;
  }
  return false;
}

}  // namespace tailwater::log
