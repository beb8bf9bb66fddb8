// Blocks of files that were read back, shared by all readers, in a budget of their own so that catching up
// cannot evict the recent bytes. Eviction is CLOCK: a block that was used since the hand last passed gets
// another round. GUARANTEES: a pinned block's bytes stay where they are. Knows keys and bytes, not files: its
// user does the reading.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "base/hash_map.hpp"
#include "core/cache/block_pool.hpp"

namespace tailwater::cache {

// A file, as its user numbers them, and the block in it; blocks are block_bytes() long.
struct BlockKey {
  std::uint64_t file = 0;
  std::uint64_t index = 0;
  friend bool operator==(const BlockKey&, const BlockKey&) = default;
};

struct BlockKeyHash {
  std::size_t operator()(const BlockKey& key) const noexcept {
    std::uint64_t mixed = key.file * 0x9e3779b97f4a7c15ULL + key.index;
    mixed = (mixed ^ (mixed >> 32)) * 0xd6e8feb86659fd93ULL;
    return static_cast<std::size_t>(mixed ^ (mixed >> 32));
  }
};

struct ColdBlock {
  BlockKey key;
  MutableBytes memory;
  std::size_t size = 0;  // valid bytes, once loaded
  std::size_t user = 0;  // whatever its reader wants to find again

  bool loading() const { return loading_; }
  Bytes content() const { return memory.first(size); }

  // Its user found these bytes of the content to be right, and need not look again.
  bool is_checked(std::size_t from, std::size_t to) const {
    return from >= checked_from_ && to <= checked_to_;
  }
  void checked(std::size_t from, std::size_t to) {
    if (from != checked_to_) checked_from_ = from;
    checked_to_ = to;
  }

 private:
  friend class ColdCache;
  std::uint32_t pins_ = 0;
  bool loading_ = true;
  bool used_ = true;
  bool dropped_ = false;
  std::size_t checked_from_ = 0;
  std::size_t checked_to_ = 0;
  std::size_t place_ = 0;  // on the clock
};

class ColdCache {
 public:
  ColdCache(BlockPool& pool, std::uint32_t block_bytes, std::uint64_t bytes_max)
      : pool_(pool), block_bytes_(block_bytes), bytes_max_(bytes_max) {}
  ~ColdCache();
  ColdCache(const ColdCache&) = delete;
  ColdCache& operator=(const ColdCache&) = delete;

  std::uint32_t block_bytes() const { return block_bytes_; }
  std::uint64_t bytes() const { return bytes_; }

  // The block, loading or loaded; counts as a use.
  ColdBlock* find(const BlockKey& key);
  // A new block in state loading, pinned for whoever reads it, with memory for `bytes`. Nothing if all memory
  // is pinned and `beyond_budget` is not set. REQUIRES: find() gave nothing.
  enum class Budget : std::uint8_t { keep, exceed };
  ColdBlock* begin_load(const BlockKey& key, std::size_t bytes, Budget budget);
  // Ends the reader's pin. A failed or outdated block is dropped.
  void loaded(ColdBlock* block, std::size_t bytes);
  void failed(ColdBlock* block);

  void pin(ColdBlock* block) { ++block->pins_; }
  void unpin(ColdBlock* block);

  // Forgets blocks whose content changed or went.
  void drop(const BlockKey& key);

 private:
  bool make_room(std::size_t bytes);
  void detach(ColdBlock* block);
  void destroy(ColdBlock* block);

  BlockPool& pool_;
  std::uint32_t block_bytes_;
  std::uint64_t bytes_max_;
  std::uint64_t bytes_ = 0;
  HashMap<BlockKey, ColdBlock*, BlockKeyHash> blocks_;
  std::vector<ColdBlock*> clock_;
  std::size_t hand_ = 0;
};

}  // namespace tailwater::cache
