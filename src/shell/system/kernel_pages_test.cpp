// Goal: pieces are aligned, apart, zero or at least writable to their ends, and gone when they are given back.
// Method: many of them, of odd sizes, too; mincore() knows what is mapped.
#include "shell/system/kernel_pages.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <vector>

namespace tailwater::shell {
namespace {

bool is_mapped(std::byte* memory) {
  unsigned char resident = 0;
  return ::mincore(memory, 1, &resident) == 0 || errno != ENOMEM;
}

TEST(KernelPages, AreAlignedApartAndGoBack) {
  KernelPages pages;
  struct Piece {
    std::byte* memory;
    std::size_t size;
    int mark;
  };
  std::vector<Piece> pieces;
  for (int each = 0; each < 40; ++each) {
    const std::size_t size = each % 3 == 0 ? (std::size_t{1} << 20) + 4'096 * 5 : std::size_t{1} << 20;
    std::byte* const memory = pages.take(size);
    ASSERT_EQ(reinterpret_cast<std::uintptr_t>(memory) % kPagesAlignment, 0u);
    std::memset(memory, each, size);
    pieces.push_back({memory, size, each});
  }
  for (const Piece& piece : pieces) {
    EXPECT_EQ(piece.memory[0], static_cast<std::byte>(piece.mark));
    EXPECT_EQ(piece.memory[piece.size - 1], static_cast<std::byte>(piece.mark));
    pages.give(piece.memory, piece.size);
    EXPECT_FALSE(is_mapped(piece.memory));
  }
}

}  // namespace
}  // namespace tailwater::shell
