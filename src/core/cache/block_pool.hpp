// Memory for bytes that go to and come from the disk: aligned to kDiskBlock, in few sizes, carved from slabs
// of 1 MiB so that ten thousand small blocks cost what they hold. What is free is given back to the process
// slab by slab. GUARANTEES: which addresses are handed out never decides anything. Content of a taken block
// is undefined.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/bytes.hpp"
#include "base/disk.hpp"

namespace tailwater::cache {

inline constexpr std::array<std::size_t, 5> kBlockSizes = {4'096, 16'384, 65'536, 262'144, 1'048'576};

// What a block for `size` bytes really takes: one of the sizes above, beyond them whole disk blocks.
std::size_t block_size_for(std::size_t size);

class BlockPool {
 public:
  BlockPool() = default;
  ~BlockPool();
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  MutableBytes take(std::size_t size);
  // REQUIRES: exactly what take() gave.
  void give(MutableBytes block);

  // In blocks that are taken.
  std::uint64_t taken_bytes() const { return taken_bytes_; }
  // In slabs and large blocks, whether taken or not.
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

  // Slabs begin at multiples of their size, which finds the slab of a block.
  std::unordered_map<std::uintptr_t, std::unique_ptr<Slab>> slabs_;
  std::array<std::vector<Slab*>, kBlockSizes.size() - 1> with_room_;
  std::uint64_t taken_bytes_ = 0;
  std::uint64_t held_bytes_ = 0;
};

}  // namespace tailwater::cache
