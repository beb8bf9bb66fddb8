// Memory for bytes that go to and come from the disk: aligned to kDiskBlock, in few sizes, carved from slabs
// of 1 MiB so that ten thousand small blocks cost what they hold. A free slab serves any size next, since memory that
// was touched before costs less than new one (decision 0010): to flush and to roll segments is a tide that goes through
// most of it; and so does a free block that is larger, for one of its size. What a tide no longer reaches goes back to
// where it came from, half of it at a time. GUARANTEES: which
// addresses are handed out never decides anything. Content of a taken block is undefined.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.hpp"
#include "base/disk.hpp"
#include "base/hash_map.hpp"
#include "base/pages.hpp"
#include "base/time.hpp"

namespace tailwater::cache {

inline constexpr std::array<std::size_t, 5> kBlockSizes = {4'096, 16'384, 65'536, 262'144, 1'048'576};

// What a block for `size` bytes really takes: one of the sizes above, beyond them whole quarters of the largest, so
// that one serves when the next is of nearly its size.
std::size_t block_size_for(std::size_t size);

class BlockPool {
 public:
  // `pages` outlives the pool; without it memory is the language's.
  explicit BlockPool(Pages* pages = nullptr) : pages_(pages == nullptr ? language_ : *pages) {}
  ~BlockPool();
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  MutableBytes take(std::size_t size);
  // REQUIRES: exactly what take() gave.
  void give(MutableBytes block);

  // Looks, once for each interval, what was free all the time since it last did, and gives half of that back: a few slabs
  // at a time, since the kernel takes its time for each. Between takes, and at next_deadline().
  void look(Instant now);
  Instant next_deadline() const { return look_at_; }

  // In blocks that are taken.
  std::uint64_t taken_bytes() const { return taken_bytes_; }
  // In slabs and larger blocks, whether taken or not.
  std::uint64_t held_bytes() const { return held_bytes_; }

 private:
  struct Slab {
    std::byte* memory = nullptr;
    std::size_t size_class = 0;
    std::uint32_t free_count = 0;
    std::uint32_t next_fresh = 0;         // blocks from here on were never taken
    std::vector<std::uint16_t> returned;  // blocks below next_fresh that are free
  };

  Slab& slab_with_room(std::size_t size_class);
  void retire(Slab& slab);
  std::byte* take_slab();
  MutableBytes take_large(std::size_t size);
  void give_back(std::size_t slabs);
  void give_back_large(std::size_t count);

  LanguagePages language_;
  Pages& pages_;

  // Slabs begin at multiples of their size, which finds the slab of a block.
  HashMap<std::uintptr_t, std::unique_ptr<Slab>> slabs_;
  std::array<std::vector<Slab*>, kBlockSizes.size() - 1> with_room_;
  std::vector<std::byte*> spare_;          // slabs
  std::size_t spare_least_ = 0;            // so many of them were spare since the last look
  std::size_t owed_ = 0;                   // of these are still to be given back
  std::vector<MutableBytes> spare_large_;  // blocks of more than a slab
  std::uint64_t spare_large_bytes_ = 0;
  std::size_t large_least_ = 0;  // as spare_least_
  Instant look_at_ = Instant::max();
  std::uint64_t taken_bytes_ = 0;
  std::uint64_t held_bytes_ = 0;
};

}  // namespace tailwater::cache
