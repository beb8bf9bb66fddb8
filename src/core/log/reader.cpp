#include "core/log/reader.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "core/log/directory.hpp"

namespace tailwater::log {

namespace {

using cache::Chunk;

// A way to be walked from batch to batch that is no longer than this is not looked for in the marks.
constexpr std::uint64_t kShortWay = 8'192;

// While readers that do not take what they asked for hold so large a part of the memory, an answer is small.
constexpr std::uint64_t kLentShare = 4;
constexpr std::size_t kSmallAnswer = std::size_t{64} << 10;

// The end of the last batch that ends at or before `limit`. REQUIRES: `begin` is the start of a batch in the
// chunk.
std::uint64_t last_end_within(const Chunk& chunk, std::uint64_t begin, std::uint64_t end,
                              std::uint64_t limit) {
  if (end <= limit) return end;
  std::uint64_t position = begin;
  if (limit - begin > kShortWay) {
    const auto behind =
        std::upper_bound(chunk.marks.begin(), chunk.marks.end(), limit,
                         [](std::uint64_t at, const cache::Mark& mark) { return at < mark.position; });
    if (behind != chunk.marks.begin()) position = std::max<std::uint64_t>(begin, std::prev(behind)->position);
  }
  while (position < end) {
    const std::uint64_t next = position + peek_batch(chunk.at(position)).size;
    if (next > limit) break;
    position = next;
  }
  return position;
}

}  // namespace

Reader::~Reader() {
  for (Pin& pin : pins_) {
    for (Chunk* chunk : pin.chunks) shared_.tail.unpin(chunk);
    for (cache::ColdBlock* block : pin.blocks) shared_.cold.unpin(block);
  }
}

Reader::Pin& Reader::new_pin(PinHandle& handle) {
  std::size_t slot = pins_.size();
  if (free_pins_.empty()) {
    pins_.emplace_back();
  } else {
    slot = free_pins_.back();
    free_pins_.pop_back();
  }
  handle.value = std::uint64_t{pins_[slot].generation} << 32 | slot;
  return pins_[slot];
}

void Reader::unpin(PinHandle handle) {
  const std::size_t slot = handle.value & 0xffff'ffffu;
  CHECK(slot < pins_.size());
  Pin& pin = pins_[slot];
  CHECK(pin.generation == handle.value >> 32);
  ++pin.generation;
  for (Chunk* chunk : pin.chunks) shared_.tail.unpin(chunk);
  for (cache::ColdBlock* block : pin.blocks) shared_.cold.unpin(block);
  pin.chunks.clear();
  pin.blocks.clear();
  free_pins_.push_back(slot);
}

ReadPlan Reader::plan(LogState& log, const ReadRequest& request, std::vector<Bytes>& pieces) {
  if (!log.dir->online() || log.removed) return {.kind = ReadPlan::Kind::failed};
  if (request.from < log.start || request.from > log.end) return {.kind = ReadPlan::Kind::out_of_range};
  if (request.from >= std::min(request.upper_bound, log.end))
    return {.kind = ReadPlan::Kind::at_end, .next = request.from};
  const bool hot = !log.chunks.empty() && request.from >= log.chunks.front()->first_offset;
  ReadRequest granted = request;
  if (shared_.tail.lent_bytes() > shared_.options.memory_bytes / kLentShare)
    granted.bytes_max = std::min(granted.bytes_max, kSmallAnswer);
  ReadPlan plan = hot ? plan_hot(log, granted, pieces) : plan_cold(log, granted, pieces);
  const Offset bound = std::min(request.upper_bound, log.end);
  const bool sound = plan.kind == ReadPlan::Kind::hot || plan.kind == ReadPlan::Kind::at_end;
  plan.more = sound && plan.next < bound;
  plan.more_segments =
      plan.more && request.from < log.active().base && segment_of(log, request.from).next < bound;
  return plan;
}

ReadPlan Reader::plan_hot(LogState& log, const ReadRequest& request, std::vector<Bytes>& pieces) {
  ReadPlan plan;
  plan.next = request.from;
  HotPlace place = find_hot(log, request.from);
  Pin* pin = nullptr;
  for (std::size_t each = place.chunk; each < log.chunks.size(); ++each) {
    Chunk& chunk = *log.chunks[each];
    const std::uint64_t begin = each == place.chunk ? place.position : chunk.first;
    if (begin >= chunk.end) continue;
    const bool bounded = chunk.next_offset > request.upper_bound;
    const std::uint64_t visible =
        bounded ? std::max(begin, find_in_chunk(chunk, request.upper_bound)) : chunk.end;
    const std::uint64_t room = request.bytes_max > plan.bytes ? request.bytes_max - plan.bytes : 0;
    std::uint64_t end = last_end_within(chunk, begin, visible, begin + room);
    if (end == begin && visible > begin && plan.bytes == 0 && request.at_least_one_batch) {
      end = begin + peek_batch(chunk.at(begin)).size;
    }
    if (end > begin) {
      if (pin == nullptr) pin = &new_pin(plan.pin);
      shared_.tail.pin(&chunk);
      pin->chunks.push_back(&chunk);
      pieces.push_back(chunk.range(begin, end));
      plan.bytes += end - begin;
      plan.next = end == chunk.end ? chunk.next_offset : peek_batch(chunk.at(end)).base;
      log.hot_hint = {plan.next, chunk.segment_base, end};
    }
    if (end < chunk.end) break;
  }
  plan.kind = plan.bytes > 0 ? ReadPlan::Kind::hot : ReadPlan::Kind::at_end;
  return plan;
}

Segment& Reader::segment_of(LogState& log, Offset offset) {
  const auto found = std::find_if(log.segments.begin(), log.segments.end(),
                                  [&](const Segment& segment) { return segment.next > offset; });
  return found == log.segments.end() ? log.active() : *found;
}

bool Reader::is_hot(const LogState& log, const Segment& segment, std::uint64_t position) {
  if (log.chunks.empty()) return false;
  const Chunk& front = *log.chunks.front();
  return front.segment_base < segment.base || (front.segment_base == segment.base && front.first <= position);
}

BlockReader::Source Reader::source(LogState& log, Segment& segment, FileKind kind) const {
  std::uint64_t limit = segment.size;
  if (kind == FileKind::index) limit = std::uint64_t{segment.stored.entries} * kIndexEntrySize;
  if (kind == FileKind::time_index) limit = std::uint64_t{segment.stored.time_entries} * kTimeEntrySize;
  if (kind == FileKind::records && is_hot(log, segment, segment.size)) {
    const Chunk& front = *log.chunks.front();
    limit = front.segment_base == segment.base ? front.first : 0;
  }
  return {&log, &segment, kind, limit};
}

Reader::Look Reader::peek(LogState& log, Segment& segment, std::uint64_t position, StoredBatch& batch) {
  if (is_hot(log, segment, position)) {
    const Chunk* chunk = chunk_at(log, segment.base, position);
    if (chunk == nullptr) return Look::absent;
    batch = peek_batch(chunk->at(position));
    return Look::found;
  }
  const BlockReader::Source records = source(log, segment, FileKind::records);
  if (position >= records.limit) return Look::absent;
  std::byte header[kStoredBatchPeek];
  if (records.limit - position < sizeof header) return Look::bad;
  if (!blocks_.copy(records, position, header)) return Look::missing;
  batch = peek_batch(header);
  return plausible(batch, header) && batch.size <= records.limit - position ? Look::found : Look::bad;
}

Reader::Look Reader::copy_batch(LogState& log, Segment& segment, std::uint64_t position, std::uint64_t size) {
  scratch_.resize(size);
  if (is_hot(log, segment, position)) {
    const Chunk* chunk = chunk_at(log, segment.base, position);
    if (chunk == nullptr) return Look::bad;
    const Bytes bytes = chunk->range(position, position + size);
    std::copy(bytes.begin(), bytes.end(), scratch_.begin());
    return Look::found;
  }
  return blocks_.copy(source(log, segment, FileKind::records), position, scratch_) ? Look::found
                                                                                   : Look::missing;
}

}  // namespace tailwater::log
