// Goal: at every moment of formatting and of alternating writes, torn or not, one superblock is chosen
// rightly. Method: round trip, then all tears of a write at block granularity of 512 bytes.
#include "core/journal/superblock.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace tailwater::journal {
namespace {

Superblock some_superblock(std::uint64_t sequence) {
  return {.sequence = sequence,
          .journal_id = 77,
          .capacity = 64 * kBlock,
          .frame_bytes_max = 4 * kBlock,
          .incarnation = 5,
          .trim = Lsn{3 * kBlock},
          .trim_prev_crc = 0xabcdef01,
          .manifest_generation = 9,
          .boot_id = {1, 2},
          .clean = true,
          .jumps = {{Lsn{4 * kBlock}, Lsn{8 * kBlock}}, {Lsn{9 * kBlock}, Lsn{13 * kBlock}}}};
}

Buffer encoded(const Superblock& superblock) {
  Buffer block(kBlock);
  encode(superblock, block);
  return block;
}

TEST(SuperblockTest, RoundTripAndAFlippedByteIsHealed) {
  Buffer block = encoded(some_superblock(3));
  EXPECT_EQ(decode_superblock(block), some_superblock(3));
  for (auto& byte : block) {
    byte ^= std::byte{0x10};
    EXPECT_EQ(decode_superblock(block), some_superblock(3));
    byte ^= std::byte{0x10};
  }
}

TEST(SuperblockTest, EveryFlippedByteOfBothCopiesIsSeen) {
  Buffer block = encoded(some_superblock(3));
  for (std::size_t at = 0; at < kBlock / 2; ++at) {
    for (const std::size_t each : {at, at + kBlock / 2}) block[each] ^= std::byte{0x10};
    EXPECT_FALSE(decode_superblock(block)) << at;
    for (const std::size_t each : {at, at + kBlock / 2}) block[each] ^= std::byte{0x10};
  }
}

TEST(SuperblockTest, OneThatCannotBeReadIsSaid) {
  Buffer head(2 * kBlock);
  std::copy_n(encoded(some_superblock(10)).begin(), kBlock, head.begin());
  head[kBlock + 7] = std::byte{1};
  Superblock chosen;
  EXPECT_EQ(read_ring_head(head, chosen), RingHead::one_left);
  EXPECT_EQ(chosen.sequence, 10u);
}

TEST(SuperblockTest, RoundTripWithAsManyJumpsAsFit) {
  Superblock full = some_superblock(4);
  full.jumps.assign(kJumpsMax, {Lsn{kBlock}, Lsn{2 * kBlock}});
  EXPECT_EQ(decode_superblock(encoded(full)), full);
}

TEST(SuperblockTest, ATornWriteLeavesTheOther) {
  const Buffer old_a = encoded(some_superblock(10));
  const Buffer old_b = encoded(some_superblock(9));
  const Buffer new_b = encoded(some_superblock(11));
  for (std::size_t torn = 0; torn <= kBlock; torn += 512) {
    Buffer head(2 * kBlock);
    std::copy(old_a.begin(), old_a.end(), head.begin());
    std::copy(old_b.begin(), old_b.end(), head.begin() + kBlock);
    std::copy_n(new_b.begin(), torn, head.begin() + kBlock);
    Superblock chosen;
    ASSERT_EQ(read_ring_head(head, chosen), RingHead::formatted);
    // The new one counts from its first whole copy on: all that it names was durable before.
    EXPECT_EQ(chosen.sequence, torn >= kBlock / 2 ? 11u : 10u);
  }
}

TEST(SuperblockTest, FormattingWritesBThenA) {
  const Buffer b = encoded(some_superblock(1));
  Superblock chosen;
  EXPECT_EQ(read_ring_head({}, chosen), RingHead::unformatted);
  for (std::size_t torn = 0; torn < kBlock / 2; torn += 512) {
    Buffer head(2 * kBlock);
    std::copy_n(b.begin(), torn, head.begin() + kBlock);
    EXPECT_EQ(read_ring_head(head, chosen), RingHead::unformatted) << torn;
  }
  Buffer head(2 * kBlock);
  std::copy(b.begin(), b.end(), head.begin() + kBlock);
  EXPECT_EQ(read_ring_head(head, chosen), RingHead::formatted);
}

TEST(SuperblockTest, OneThatTurnedIntoZerosIsMissed) {
  Superblock chosen;
  for (const std::uint64_t left : {2, 3}) {
    Buffer head(2 * kBlock);
    std::ranges::copy(encoded(some_superblock(left)),
                      head.begin() + static_cast<std::ptrdiff_t>(superblock_position(left)));
    EXPECT_EQ(read_ring_head(head, chosen), RingHead::one_left) << left;
    EXPECT_EQ(chosen.sequence, left);
  }
}

TEST(SuperblockTest, TwoBadOnesAfterFormattingAreDamage) {
  Buffer head(2 * kBlock);
  head[5] = std::byte{1};
  Superblock chosen;
  EXPECT_EQ(read_ring_head(head, chosen), RingHead::damaged);
}

}  // namespace
}  // namespace tailwater::journal
