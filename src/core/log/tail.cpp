#include "core/log/tail.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "core/journal/format.hpp"

namespace tailwater::log {

namespace {

using cache::Chunk;

constexpr std::size_t kLargestChunk = cache::kBlockSizes.back();

// Of what a log has that is not in its file, so much may be one chunk. The last chunk is not full yet, and the
// first one holds what is in the file already until all of it is: both are small beside the rest.
constexpr std::uint64_t kChunkShare = 4;
// Of the index: below it, room for its entries is made as they come.
constexpr std::uint32_t kLeastInterval = 1'024;
// A flush leaves nothing for a moment: the next chunks are not tiny for that.
constexpr std::size_t kShrinksTo = 4;  // of the one before, a part of this

std::uint64_t unflushed_before(const LogState& log, const TailPlace& place) {
  std::uint64_t bytes = 0;
  for (auto segment = log.segments.rbegin(); segment != log.segments.rend(); ++segment) {
    if (segment->base > place.segment) continue;
    const bool is_last = segment->base == place.segment;
    const std::uint64_t end = is_last ? place.position : segment->size;
    if (end <= segment->flushed && !is_last) break;
    bytes += end - std::min(end, segment->flushed);
  }
  return bytes;
}

// What is large, and comes while the batch before is on its way, goes to the disk together with what follows
// if that lies behind it (direct_runs.hpp).
constexpr std::size_t kLargeBatch = 8'192;
constexpr std::size_t kLargeTogether = 4;

std::size_t next_chunk_size(const LogState& log, const TailPlace& place, std::size_t head,
                            std::size_t batch) {
  const std::size_t needed = head + batch;
  if (log.chunks.empty()) return needed;
  const Chunk& last = *log.chunks.back();
  std::size_t wished = std::min(last.memory.size(), kLargestChunk) / kShrinksTo;
  if (batch >= kLargeBatch && !last.clean())
    wished = std::max(wished, std::min(head + batch * kLargeTogether, kLargestChunk));
  const std::uint64_t share = unflushed_before(log, place) / kChunkShare;
  for (const std::size_t size : cache::kBlockSizes) {
    if (size <= share) wished = std::max(wished, size);
  }
  return std::max(needed, wished);
}

}  // namespace

void append_index_entry(const Segment& segment, const cache::Mark& mark, Buffer& out) {
  std::byte entry[kIndexEntrySize];
  store_big(entry, static_cast<std::int32_t>(mark.last_offset - segment.base));
  store_big(entry + 4, static_cast<std::int32_t>(mark.position));
  out.insert(out.end(), entry, entry + sizeof entry);
}

void append_time_entry(const Segment& segment, std::int64_t timestamp, Offset offset, Buffer& out) {
  std::byte entry[kTimeEntrySize];
  store_big(entry, timestamp);
  store_big(entry + 8, static_cast<std::int32_t>(offset - segment.base));
  out.insert(out.end(), entry, entry + sizeof entry);
}

Segment* LogState::segment_at(Offset base) {
  const auto found =
      std::lower_bound(segments.begin(), segments.end(), base,
                       [](const Segment& segment, Offset offset) { return segment.base < offset; });
  return found == segments.end() || found->base != base ? nullptr : &*found;
}

StoredBatch peek_batch(const std::byte* at) {
  const Offset base{load_big<std::int64_t>(at + records::at::kBaseOffset)};
  return {
      .base = base,
      // Foreign bytes may name anything: the sum wraps.
      .last = Offset{static_cast<std::int64_t>(static_cast<std::uint64_t>(base.value) +
                                               static_cast<std::uint64_t>(std::int64_t{load_big<std::int32_t>(
                                                   at + records::at::kLastOffsetDelta)}))},
      .size = records::kLogOverhead +
              static_cast<std::uint32_t>(load_big<std::int32_t>(at + records::at::kBatchLength)),
      .max_timestamp = load_big<std::int64_t>(at + records::at::kMaxTimestamp)};
}

bool plausible(const StoredBatch& batch, const std::byte* at) {
  return load_big<std::int8_t>(at + records::at::kMagic) == records::kMagic &&
         batch.size >= records::kBatchHeaderSize &&
         batch.size <= records::kLogOverhead + std::uint64_t{INT32_MAX} && batch.base.value >= 0 &&
         batch.last >= batch.base;
}

TailPlace end_place(const LogState& log) {
  return {log.active().base, log.active().size, log.end};
}

Chunk* chunk_for(LogState& log, cache::TailCache& cache, const TailPlace& place, std::size_t size) {
  Chunk* last = log.chunks.empty() ? nullptr : log.chunks.back();
  const bool same_segment = last != nullptr && last->segment_base == place.segment;
  CHECK(!same_segment || last->end == place.position);
  if (same_segment && !last->sealed && last->capacity_end() - last->end >= size) {
    cache.set_dirty(last);
    return last;
  }
  const std::uint64_t start = journal::round_down(place.position, journal::kBlock);
  Chunk* chunk = cache.make(next_chunk_size(log, place, place.position - start, size));
  // An entry of the index for each so many bytes: no more than that will come.
  const std::size_t interval = std::max(log.config.index_interval_bytes, kLeastInterval);
  chunk->marks.reserve(chunk->memory.size() / interval + 1);
  chunk->owner = &log;
  chunk->segment_base = place.segment;
  chunk->start = start;
  chunk->valid = place.position;
  chunk->first = place.position;
  chunk->end = place.position;
  chunk->first_offset = place.offset;
  chunk->next_offset = place.offset;
  if (same_segment) {
    chunk->valid = std::min(std::max(start, last->valid), place.position);
    const Bytes head = last->range(chunk->valid, place.position);
    std::copy(head.begin(), head.end(), chunk->at(chunk->valid));
  }
  log.lacks_head = log.lacks_head || chunk->valid > chunk->start;
  log.chunks.push_back(chunk);
  return chunk;
}

void account_batch(LogState& log, Chunk& chunk, const StoredBatch& batch) {
  Segment& segment = log.active();
  if (segment.size >= segment.index.until) {
    const BatchPlace place{.last_offset = batch.last,
                           .position = segment.size,
                           .size = batch.size,
                           .max_timestamp = batch.max_timestamp};
    if (const auto mark = index_batch(segment.index, place, log.config.index_interval_bytes))
      chunk.marks.push_back(*mark);
  }
  if (segment.first_timestamp < 0) segment.first_timestamp = batch.max_timestamp;
  segment.gapless = segment.gapless && batch.base == segment.next;
  segment.size += batch.size;
  segment.next = batch.last + 1;
  chunk.end = segment.size;
  chunk.next_offset = segment.next;
  chunk.max_timestamp = std::max(chunk.max_timestamp, batch.max_timestamp);
  log.end = segment.next;
}

std::uint64_t find_in_chunk(const Chunk& chunk, Offset offset) {
  if (offset >= chunk.next_offset) return chunk.end;
  std::uint64_t position = chunk.first;
  // The first mark that does not end below `offset` may lie behind the batch: begin at the mark before.
  const auto behind =
      std::lower_bound(chunk.marks.begin(), chunk.marks.end(), offset,
                       [](const cache::Mark& mark, Offset at) { return mark.last_offset < at; });
  if (behind != chunk.marks.begin()) position = std::prev(behind)->position;
  while (position < chunk.end) {
    const StoredBatch batch = peek_batch(chunk.at(position));
    if (batch.last >= offset) break;
    position += batch.size;
  }
  return position;
}

HotPlace find_hot(const LogState& log, Offset offset) {
  const std::size_t place = log.chunks.find(offset);
  const Chunk& chunk = *log.chunks[place];
  const LogState::HotHint& hint = log.hot_hint;
  if (hint.offset == offset && hint.segment == chunk.segment_base && hint.position >= chunk.first &&
      hint.position < chunk.end) {
    const StoredBatch batch = peek_batch(chunk.at(hint.position));
    if (batch.base <= offset && batch.last >= offset) return {place, hint.position};
  }
  return {place, find_in_chunk(chunk, offset)};
}

const Chunk* chunk_at(const LogState& log, Offset segment, std::uint64_t position) {
  std::size_t low = 0;
  std::size_t high = log.chunks.size();
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    const Chunk& chunk = *log.chunks[middle];
    const bool before =
        chunk.segment_base < segment || (chunk.segment_base == segment && chunk.end <= position);
    (before ? low : high) = before ? middle + 1 : middle;
  }
  if (low == log.chunks.size()) return nullptr;
  const Chunk& chunk = *log.chunks[low];
  return chunk.segment_base == segment && chunk.first <= position ? &chunk : nullptr;
}

namespace {

// Whether the chunk has what lies before `position` in its block.
bool has_head(const Chunk& chunk, std::uint64_t position) {
  const std::uint64_t block = journal::round_down(position, journal::kBlock);
  return block < position && chunk.start <= block && chunk.valid <= block;
}

void end_at(Chunk& chunk, std::uint64_t position, Offset end) {
  std::erase_if(chunk.marks, [&](const cache::Mark& mark) { return mark.position >= position; });
  chunk.first = std::min(chunk.first, position);
  chunk.end = position;
  chunk.next_offset = end;
  if (chunk.first == position) chunk.first_offset = end;
  if (chunk.pinned()) chunk.sealed = true;
}

}  // namespace

void cut_chunks(LogState& log, cache::TailCache& cache, Offset segment, std::uint64_t position, Offset end) {
  log.hot_hint = {};
  // The block that `position` cuts may have been written with what goes now, and be torn in the file.
  Chunk* head = nullptr;
  while (!log.chunks.empty()) {
    Chunk* const last = log.chunks.back();
    const bool same_segment = last->segment_base == segment;
    if (last->segment_base < segment || (same_segment && last->first < position)) break;
    log.chunks.pop_back();
    if (head != nullptr) cache.drop(head);
    head = last;
    if (!same_segment || !has_head(*last, position)) {
      cache.drop(last);
      head = nullptr;
    }
  }
  Chunk* const last = log.chunks.empty() ? nullptr : log.chunks.back();
  const bool reaches = last != nullptr && last->segment_base == segment && last->end >= position;
  if (reaches && last->end > position) end_at(*last, position, end);
  if (head == nullptr) return;
  if (reaches) {
    const std::uint64_t block = journal::round_down(position, journal::kBlock);
    if (last->start <= block && last->valid > block) {
      const Bytes missing = head->range(block, last->valid);
      std::copy(missing.begin(), missing.end(), last->at(block));
      last->valid = block;
    }
    cache.drop(head);
  } else {
    end_at(*head, position, end);
    log.chunks.push_back(head);
  }
}

void collect_index(const LogState& log, const Segment& segment, std::uint64_t position, IndexState& state,
                   Buffer& index, Buffer& time_index) {
  for (std::size_t each = 0; each < log.chunks.size(); ++each) {
    const Chunk& chunk = *log.chunks[each];
    if (chunk.segment_base != segment.base || chunk.end <= state.until || chunk.first >= position) continue;
    std::uint64_t walk_from = std::max(chunk.first, state.until);
    for (const cache::Mark& mark : chunk.marks) {
      if (mark.position < state.until || mark.position >= position) continue;
      append_index_entry(segment, mark, index);
      ++state.entries;
      state.last_position = mark.position;
      state.max_timestamp = mark.max_timestamp;
      state.max_timestamp_offset = mark.max_timestamp_offset;
      if (count_time_entry(state, mark))
        append_time_entry(segment, mark.max_timestamp, mark.max_timestamp_offset, time_index);
      walk_from = mark.position;
    }
    while (walk_from < chunk.end && walk_from < position) {
      const StoredBatch batch = peek_batch(chunk.at(walk_from));
      if (batch.max_timestamp > state.max_timestamp) {
        state.max_timestamp = batch.max_timestamp;
        state.max_timestamp_offset = batch.last;
      }
      walk_from += batch.size;
    }
    state.until = walk_from;
  }
}

}  // namespace tailwater::log
