// Goal: blocks are aligned, never overlap, and memory is used again or goes back. Method: random takes and
// gives against a model; pages that count.
#include "core/cache/block_pool.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/prng.hpp"

namespace tailwater::cache {
namespace {

TEST(BlockPoolTest, SizesAreRoundedUpToAClassOrItsQuarters) {
  EXPECT_EQ(block_size_for(1), 4'096u);
  EXPECT_EQ(block_size_for(4'096), 4'096u);
  EXPECT_EQ(block_size_for(4'097), 16'384u);
  EXPECT_EQ(block_size_for(1'048'576), 1'048'576u);
  EXPECT_EQ(block_size_for(1'048'577), 1'310'720u);
}

// Looks until there is nothing to look for. Gives how often.
int come_to_rest(BlockPool& pool, Instant now) {
  int looks = 0;
  for (pool.look(now); pool.next_deadline() != Instant::max() && looks < 100; ++looks)
    pool.look(pool.next_deadline());
  return looks;
}

TEST(BlockPoolTest, RandomUseKeepsBlocksApartAndGivesEverythingBack) {
  Prng random(3);
  BlockPool pool;
  std::vector<std::pair<MutableBytes, std::byte>> taken;
  std::uint64_t bytes = 0;
  const auto give_one = [&] {
    std::swap(taken[random.below(taken.size())], taken.back());
    const auto [block, mark] = taken.back();
    ASSERT_TRUE(std::all_of(block.begin(), block.end(), [&](std::byte byte) { return byte == mark; }));
    bytes -= block.size();
    pool.give(block);
    taken.pop_back();
  };
  for (int step = 0; step < 3'000; ++step) {
    if (!taken.empty() && (taken.size() > 200 || random.one_in(3))) {
      give_one();
      continue;
    }
    const std::size_t size = random.one_in(50) ? random.below(3'000'000) + 1 : random.below(40'000) + 1;
    const MutableBytes block = pool.take(size);
    ASSERT_GE(block.size(), size);
    ASSERT_EQ(reinterpret_cast<std::uintptr_t>(block.data()) % kDiskBlock, 0u);
    const auto mark = static_cast<std::byte>(step);
    std::fill(block.begin(), block.end(), mark);
    bytes += block.size();
    taken.emplace_back(block, mark);
    ASSERT_EQ(pool.taken_bytes(), bytes);
    ASSERT_GE(pool.held_bytes(), bytes);
  }
  while (!taken.empty()) give_one();
  EXPECT_EQ(pool.taken_bytes(), 0u);
  come_to_rest(pool, {});
  EXPECT_LE(pool.held_bytes(), (4u + 16u) << 20) << "one empty slab of each size stays, and few spare ones";
}

class CountedPages final : public Pages {
 public:
  std::byte* take(std::size_t size) override {
    ++taken;
    held += size;
    return language.take(size);
  }
  void give(std::byte* memory, std::size_t size) override {
    held -= size;
    language.give(memory, size);
  }
  LanguagePages language;
  int taken = 0;
  std::uint64_t held = 0;
};

TEST(BlockPoolTest, AFreeSlabServesAnySizeNext) {
  CountedPages pages;
  {
    BlockPool pool(&pages);
    std::vector<MutableBytes> taken;
    const auto take = [&](std::size_t size, int count) {
      for (int each = 0; each < count; ++each) taken.push_back(pool.take(size));
    };
    const auto give_all = [&] {
      for (const MutableBytes block : taken) pool.give(block);
      taken.clear();
    };
    take(65'536, 160);
    give_all();
    const int before = pages.taken;
    take(4'096, 5 * 256);
    take(1'048'576, 4);
    EXPECT_EQ(pages.taken, before) << "there were ten";
    give_all();
    EXPECT_EQ(pages.held, pool.held_bytes());
  }
  EXPECT_EQ(pages.held, 0u);
}

TEST(BlockPoolTest, ATideUsesTheSameMemoryAgain) {
  CountedPages pages;
  BlockPool pool(&pages);
  Instant now;
  std::vector<MutableBytes> taken;
  const auto tide = [&] {
    while (taken.size() < 200) taken.push_back(pool.take(1'048'576));
    pool.look(now);
    for (; taken.size() > 20; taken.pop_back()) pool.give(taken.back());
    now = now + Duration::from_ms(3'000);
    pool.look(now);
  };
  tide();
  const int before = pages.taken;
  for (int each = 0; each < 50; ++each) tide();
  EXPECT_EQ(pages.taken, before);
  EXPECT_EQ(pages.held, 200u << 20);
  for (const MutableBytes block : taken) pool.give(block);
}

TEST(BlockPoolTest, WhatNobodyNeedsAnyMoreGoesBackInSteps) {
  CountedPages pages;
  BlockPool pool(&pages);
  std::vector<MutableBytes> taken;
  for (int each = 0; each < 200; ++each) taken.push_back(pool.take(1'048'576));
  EXPECT_EQ(come_to_rest(pool, {}), 0);
  for (; taken.size() > 20; taken.pop_back()) pool.give(taken.back());
  pool.look({});
  EXPECT_EQ(pages.held, 200u << 20);
  Instant at = pool.next_deadline();
  const Instant begin = at;
  for (std::uint64_t before = pages.held; pool.next_deadline() - at < Duration::from_ms(1'000);
       before = pages.held) {
    at = pool.next_deadline();
    pool.look(at);
    EXPECT_LE(before - pages.held, 16u << 20) << "few at once";
  }
  EXPECT_EQ(pages.held, 110u << 20) << "half of it";
  EXPECT_LT(at - begin, Duration::from_ms(1'000));
  EXPECT_LT(come_to_rest(pool, at), 50);
  EXPECT_EQ(pages.held, (20u + 16u) << 20);
  for (const MutableBytes block : taken) pool.give(block);
}

TEST(BlockPoolTest, LargeBlocksAreNotHeldBesideFreeSlabs) {
  CountedPages pages;
  BlockPool pool(&pages);
  std::vector<MutableBytes> taken;
  for (int each = 0; each < 100; ++each) taken.push_back(pool.take(1'048'576));
  for (; !taken.empty(); taken.pop_back()) pool.give(taken.back());
  for (int each = 0; each < 25; ++each) taken.push_back(pool.take(4 << 20));
  EXPECT_LE(pages.held, 100u << 20);
  for (const MutableBytes block : taken) pool.give(block);
}

TEST(BlockPoolTest, BlocksOfMoreThanASlabServeAgainAndGoBackInTheEnd) {
  CountedPages pages;
  BlockPool pool(&pages);
  std::vector<MutableBytes> slabs;
  for (int each = 0; each < 40; ++each) slabs.push_back(pool.take(1'048'576));
  for (int each = 0; each < 100; ++each) {
    const MutableBytes one = pool.take((1 << 20) + 1 + each);
    const MutableBytes other = pool.take((1 << 20) + 100'000 + each);
    pool.give(one);
    pool.give(other);
  }
  EXPECT_EQ(pages.taken, 42);
  for (; !slabs.empty(); slabs.pop_back()) pool.give(slabs.back());
  EXPECT_EQ(pool.taken_bytes(), 0u);
  const std::uint64_t held = pages.held;
  const MutableBytes larger = pool.take(8 << 20);
  EXPECT_LE(pages.held, held);
  pool.give(larger);
  EXPECT_GT(come_to_rest(pool, {}), 0);
  EXPECT_LE(pages.held, 16u << 20);
}

TEST(BlockPoolTest, FewFreeLargeBlocksStandBesideSlabs) {
  CountedPages pages;
  BlockPool pool(&pages);
  std::vector<MutableBytes> taken;
  for (int each = 0; each < 100; ++each) taken.push_back(pool.take(1'200'000));
  for (; !taken.empty(); taken.pop_back()) pool.give(taken.back());
  EXPECT_LE(pages.held, 40u << 20);
  come_to_rest(pool, {});
  EXPECT_EQ(pages.held, 0u);
  for (int each = 0; each < 3; ++each) taken.push_back(pool.take(50'000'000));
  for (; !taken.empty(); taken.pop_back()) pool.give(taken.back());
  EXPECT_EQ(pages.held, 0u) << "so large a one is none to keep";
}

TEST(BlockPoolTest, TenThousandSmallBlocksCostWhatTheyHold) {
  BlockPool pool;
  std::vector<MutableBytes> taken;
  for (int each = 0; each < 10'000; ++each) taken.push_back(pool.take(100));
  EXPECT_LE(pool.held_bytes(), 10'000u * 4'096 + (1u << 20));
  for (const MutableBytes block : taken) pool.give(block);
}

}  // namespace
}  // namespace tailwater::cache
