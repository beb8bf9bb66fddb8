// The recent bytes of all logs, in chunks: memory that mirrors whole blocks of a segment file, so that it
// feeds the disk and all readers. A chunk holds whole batches; where one chunk ends inside a block, the next
// begins with a copy of that block's first bytes, so every block of the file lies whole in some chunk. This
// room does the bookkeeping (memory, pins, what is clean and may go); what the bytes mean is the log's
// business. GUARANTEES: a pinned chunk's bytes stay where they are, also after drop().
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "core/cache/block_pool.hpp"

namespace tailwater::cache {

// The start of a batch: one for each entry of the segment's sparse index.
struct Mark {
  Offset last_offset;  // of the batch at `position`
  std::uint32_t position = 0;
  std::int64_t max_timestamp = -1;  // in the segment up to and including this batch
  Offset max_timestamp_offset{-1};
};

struct Chunk {
  MutableBytes memory;
  void* owner = nullptr;  // the log, for whoever is told of an eviction
  Offset segment_base;
  std::uint64_t start = 0;  // position in the file of memory[0], whole blocks
  std::uint64_t valid = 0;  // bytes are here from this position on
  std::uint64_t first = 0;  // where the first batch that belongs to this chunk begins
  std::uint64_t end = 0;    // behind the last one
  Offset first_offset;
  Offset next_offset;
  std::int64_t max_timestamp = -1;  // of the batches in this chunk
  std::vector<Mark> marks;
  bool sealed = false;  // takes no more batches

  std::byte* at(std::uint64_t position) const { return memory.data() + (position - start); }
  Bytes range(std::uint64_t from, std::uint64_t to) const {
    return {at(from), static_cast<std::size_t>(to - from)};
  }
  std::uint64_t capacity_end() const { return start + memory.size(); }
  bool clean() const { return clean_; }
  bool pinned() const { return pins_ > 0; }

 private:
  friend class TailCache;
  std::uint32_t pins_ = 0;
  bool clean_ = false;
  bool dropped_ = false;
  Chunk* older_ = nullptr;  // in the list of clean chunks
  Chunk* newer_ = nullptr;
};

class TailCache {
 public:
  explicit TailCache(BlockPool& pool) : pool_(pool) {}
  ~TailCache();
  TailCache(const TailCache&) = delete;
  TailCache& operator=(const TailCache&) = delete;

  // A dirty chunk with room for `size` bytes.
  Chunk* make(std::size_t size);
  // The owner forgets the chunk; its memory goes when the last pin does.
  void drop(Chunk* chunk);

  void pin(Chunk* chunk) {
    if (chunk->pins_++ == 0 && chunk->clean_) pinned_clean_bytes_ += chunk->memory.size();
  }
  void unpin(Chunk* chunk);

  // Everything in it is in the file, or no longer.
  void set_clean(Chunk* chunk);
  void set_dirty(Chunk* chunk);

  std::uint64_t dirty_bytes() const { return bytes_ - clean_bytes_ - dropped_bytes_; }
  // What only pins hold: it goes when whoever reads it is done.
  std::uint64_t lent_bytes() const { return pinned_clean_bytes_ + dropped_bytes_; }
  std::uint64_t bytes() const { return bytes_; }

  // Gives up clean unpinned chunks, the longest clean first, until at most `bytes` are held. evict(chunk)
  // makes the owner forget it, or answers false if it must stay.
  template <class Evict>
  void shrink(std::uint64_t bytes, Evict evict) {
    Chunk* chunk = oldest_;
    while (chunk != nullptr && bytes_ > bytes) {
      Chunk* const next = chunk->newer_;
      if (!chunk->pinned() && evict(*chunk)) drop(chunk);
      chunk = next;
    }
  }

 private:
  void link(Chunk* chunk);
  void unlink(Chunk* chunk);
  void destroy(Chunk* chunk);

  BlockPool& pool_;
  Chunk* oldest_ = nullptr;
  Chunk* newest_ = nullptr;
  std::uint64_t bytes_ = 0;
  std::uint64_t clean_bytes_ = 0;
  std::uint64_t pinned_clean_bytes_ = 0;
  std::uint64_t dropped_bytes_ = 0;
};

}  // namespace tailwater::cache
