// Goal: a broker has as many shards as its memory is enough for, and one that could take no record does not start.
// Method: wishes of small and large machines.
#include "shell/broker/memory_share.hpp"

#include <gtest/gtest.h>

namespace tailwater::shell {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

MemoryWish machine(std::uint32_t cores, std::uint64_t mebibytes) {
  return {.cores = cores, .limit = mebibytes * kMiB, .available = mebibytes * kMiB};
}

TEST(MemoryShareTest, ACoreIsLeftForOthersAndHalfOfTheMemory) {
  const auto share = share_memory(machine(8, 16'000));
  ASSERT_TRUE(share);
  EXPECT_EQ(share->shards, 7U);
  EXPECT_EQ(share->bytes, 8'000 * kMiB);
  EXPECT_EQ(share_memory(machine(1, 1'000))->shards, 1U);
}

TEST(MemoryShareTest, ManyCoresWithLittleMemoryHaveFewShards) {
  EXPECT_EQ(share_memory(machine(64, 1'024))->shards, 8U);
  EXPECT_EQ(share_memory(machine(64, 100))->shards, 1U);
}

TEST(MemoryShareTest, WhatOthersUseNowChangesTheBytesAndNotTheShards) {
  MemoryWish wish = machine(64, 1'024);
  wish.available = 200 * kMiB;
  const auto share = share_memory(wish);
  ASSERT_TRUE(share);
  EXPECT_EQ(share->shards, 8U);
  EXPECT_EQ(share->bytes, 512 * kMiB);
}

TEST(MemoryShareTest, WhatIsSetIsTaken) {
  MemoryWish wish = machine(4, 1'000);
  wish.bytes = 4'000 * kMiB;
  wish.shards = 20;
  const auto share = share_memory(wish);
  ASSERT_TRUE(share);
  EXPECT_EQ(share->shards, 20U);
  EXPECT_EQ(share->bytes, 4'000 * kMiB);
}

TEST(MemoryShareTest, LittleMemoryThatIsSetMakesFewShards) {
  MemoryWish wish = machine(64, 100'000);
  wish.bytes = 256 * kMiB;
  EXPECT_EQ(share_memory(wish)->shards, 4U);
}

TEST(MemoryShareTest, TooLittleForAnyRecordIsRefused) {
  MemoryWish wish = machine(4, 1'000);
  wish.bytes = 100;
  const auto one = share_memory(wish);
  ASSERT_FALSE(one);
  EXPECT_EQ(
      one.error().message,
      "tailwater.memory.bytes=100 is too little for 1 shard: each needs 33554432 (32 MiB); give it more, or "
      "fewer shards (tailwater.shards)");
  wish.bytes = 64 * kMiB;
  wish.shards = 4;
  EXPECT_FALSE(share_memory(wish));
  wish.shards = 2;
  EXPECT_TRUE(share_memory(wish));
}

}  // namespace
}  // namespace tailwater::shell
