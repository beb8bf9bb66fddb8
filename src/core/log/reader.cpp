#include "core/log/reader.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "core/log/directory.hpp"

namespace tailwater::log {

namespace {

using cache::Chunk;

// What peek_batch() tells, as far as foreign bytes can be believed.
bool plausible(const StoredBatch& batch, const std::byte* at) {
  return load_big<std::int8_t>(at + records::at::kMagic) == records::kMagic &&
         batch.size >= records::kBatchHeaderSize &&
         batch.size <= records::kLogOverhead + std::uint64_t{INT32_MAX} && batch.base.value >= 0 &&
         batch.last >= batch.base;
}

// The end of the last batch that ends at or before `limit`. REQUIRES: `begin` is the start of a batch in the
// chunk.
std::uint64_t last_end_within(const Chunk& chunk, std::uint64_t begin, std::uint64_t end,
                              std::uint64_t limit) {
  if (end <= limit) return end;
  const auto behind =
      std::upper_bound(chunk.marks.begin(), chunk.marks.end(), limit,
                       [](std::uint64_t at, const cache::Mark& mark) { return at < mark.position; });
  std::uint64_t position = begin;
  if (behind != chunk.marks.begin()) position = std::max<std::uint64_t>(begin, std::prev(behind)->position);
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
  if (!log.chunks.empty() && request.from >= log.chunks.front()->first_offset)
    return plan_hot(log, request, pieces);
  return plan_cold(log, request, pieces);
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

void Reader::want_range(const BlockReader::Source& from_source, std::uint64_t from, std::uint64_t to) {
  const std::uint64_t size = blocks_.block_bytes();
  for (std::uint64_t at = from / size * size; at < to; at += size)
    blocks_.block(from_source, std::max(at, from));
}

// From run.begin as many whole batches as are wanted, allowed and here; the first in any case, if it is
// allowed.
Reader::Look Reader::cold_run(const BlockReader::Source& from_source, const ReadRequest& request,
                              ColdRun& run) {
  run.end = run.begin;
  while (run.end < from_source.limit) {
    const bool first = run.end == run.begin;
    std::byte header[kStoredBatchPeek];
    if (from_source.limit - run.end < sizeof header) return Look::bad;
    if (!first &&
        !(blocks_.present(from_source, run.end) && blocks_.present(from_source, run.end + sizeof header - 1)))
      break;
    if (!blocks_.copy(from_source, run.end, header)) return Look::missing;
    const StoredBatch batch = peek_batch(header);
    if (!plausible(batch, header) || batch.size > from_source.limit - run.end) return Look::bad;
    if (batch.last >= request.upper_bound) break;
    const bool fits = run.end + batch.size - run.begin <= request.bytes_max;
    if (!fits && !(first && request.at_least_one_batch)) break;
    if (first) {
      want_range(from_source, run.end, run.end + batch.size);
      if (blocks_.missed()) {
        // While the disk is at it, all that the request asks for.
        want_range(
            from_source, run.end,
            std::min(from_source.limit, run.end + std::max<std::uint64_t>(batch.size, request.bytes_max)));
        return Look::missing;
      }
    } else {
      const std::uint64_t size = blocks_.block_bytes();
      bool here = true;
      for (std::uint64_t at = run.end / size * size; at < run.end + batch.size; at += size) {
        here = here && blocks_.present(from_source, std::max(at, run.end));
      }
      if (!here) break;
    }
    run.end += batch.size;
    run.next = batch.last + 1;
  }
  return run.end > run.begin ? Look::found : Look::absent;
}

ReadPlan Reader::plan_cold(LogState& log, const ReadRequest& request, std::vector<Bytes>& pieces) {
  blocks_.begin();
  Segment& segment = segment_of(log, request.from);
  ColdRun run;
  run.next = request.from;
  const bool hinted = log.hint.offset == request.from && log.hint.segment_number == segment.number;
  Look look = Look::found;
  if (hinted) {
    run.begin = log.hint.position;
  } else {
    look = find_offset(log, segment, request.from, run.begin);
  }
  const BlockReader::Source records = source(log, segment, FileKind::records);
  if (look == Look::found && run.begin >= records.limit) {
    // The offset is in a gap behind the cold bytes of this segment: what follows is in memory or in the next
    // one.
    ReadRequest further = request;
    further.from = is_hot(log, segment, run.begin) ? log.chunks.front()->first_offset : segment.next;
    if (further.from <= request.from) return {.kind = ReadPlan::Kind::failed};
    return plan(log, further, pieces);
  }
  if (look == Look::found) {
    // Should the bytes have to come first, the place is known the next time.
    log.hint = {request.from, segment.number, run.begin};
    look = cold_run(records, request, run);
  }
  if (look == Look::missing) return {.kind = ReadPlan::Kind::need, .ticket = blocks_.need()};
  if (look == Look::bad) return {.kind = ReadPlan::Kind::failed};
  if (look == Look::absent) return {.kind = ReadPlan::Kind::at_end, .next = request.from};

  ReadPlan plan;
  plan.kind = ReadPlan::Kind::hot;
  plan.next = run.next;
  plan.bytes = run.end - run.begin;
  Pin& pin = new_pin(plan.pin);
  const std::uint64_t size = blocks_.block_bytes();
  for (std::uint64_t at = run.begin; at < run.end;) {
    cache::ColdBlock* block = blocks_.block(records, at);
    CHECK(block != nullptr);
    const std::uint64_t end = std::min(run.end, at / size * size + size);
    shared_.cold.pin(block);
    pin.blocks.push_back(block);
    pieces.push_back(block->content().subspan(at % size, end - at));
    at = end;
  }
  log.hint = {run.next, segment.number, run.end};
  for (std::uint32_t ahead = 0; ahead <= shared_.options.read_ahead_blocks; ++ahead) {
    blocks_.read_ahead(records, run.end + ahead * size);
  }
  return plan;
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
