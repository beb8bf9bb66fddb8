// The newest bytes of a log in memory: where a batch goes, where an offset is, how the end is cut off.
// Works on one log and the cache; knows neither journal nor files. Bytes in chunks are our own and trusted.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "core/cache/tail_cache.hpp"
#include "core/log/log_state.hpp"
#include "records/batch.hpp"

namespace tailwater::log {

// What the header of a stored batch says.
struct StoredBatch {
  Offset base;
  Offset last;
  std::uint64_t size = 0;
  std::int64_t max_timestamp = -1;
};
// REQUIRES: at least kStoredBatchPeek bytes of a batch.
inline constexpr std::size_t kStoredBatchPeek = 43;
StoredBatch peek_batch(const std::byte* at);
// Whether the header at `at`, which may be foreign bytes, can be that of a batch.
bool plausible(const StoredBatch& batch, const std::byte* at);

// Where bytes go: the place in a segment's file, and the offset that belongs to it.
struct TailPlace {
  Offset segment;
  std::uint64_t position = 0;
  Offset offset;
};
TailPlace end_place(const LogState& log);

// The chunk that takes a batch of `size` bytes at `place`, dirty. It begins with the bytes of the block that
// it cuts, as far as they are in memory (chunk->valid says from where). REQUIRES: the log's chunks end at
// `place` or are of an earlier segment, or there are none.
cache::Chunk* chunk_for(LogState& log, cache::TailCache& cache, const TailPlace& place, std::size_t size);

// The batch that lies behind the chunk's end, whole and numbered, counts in the log's memory and numbers:
// chunk, marks, segment, end. Not producers or epochs. Batches that begin below stored.until are not counted
// in the index again.
void account_batch(LogState& log, cache::Chunk& chunk, const StoredBatch& batch);

// The chunk and position of the batch that holds `offset`. REQUIRES: chunks.front()->first_offset <= offset <
// end.
struct HotPlace {
  std::size_t chunk = 0;
  std::uint64_t position = 0;
};
HotPlace find_hot(const LogState& log, Offset offset);
// The start of the first batch at or behind `position` in the chunk that does not lie wholly below `offset`;
// chunk.end if there is none.
std::uint64_t find_in_chunk(const cache::Chunk& chunk, Offset offset);

// The chunk with the batch that begins at `position` of the segment; null if that is not in memory.
const cache::Chunk* chunk_at(const LogState& log, Offset segment, std::uint64_t position);

// Forgets everything in memory from `position` of the segment on, later segments included. A chunk that
// someone looks at takes no more batches.
void cut_chunks(LogState& log, cache::TailCache& cache, Offset segment, std::uint64_t position, Offset end);

// The state of the segment's index after all batches that begin below `position`, from `state`, which is that
// of an earlier position; appends the entries in between. REQUIRES: the batches in between are in memory.
void collect_index(const LogState& log, const Segment& segment, std::uint64_t position, IndexState& state,
                   Buffer& index, Buffer& time_index);
void append_index_entry(const Segment& segment, const cache::Mark& mark, Buffer& out);
void append_time_entry(const Segment& segment, std::int64_t timestamp, Offset offset, Buffer& out);

}  // namespace tailwater::log
