// Goal: CLOCK keeps what is used, the budget holds unless it is exceeded on purpose, a block dropped while it
// is read or pinned stays readable to its holder and invisible to others. Method: small scripts.
#include "core/cache/cold_cache.hpp"

#include <gtest/gtest.h>

namespace tailwater::cache {
namespace {

constexpr std::uint32_t kSize = 4'096;

class ColdCacheTest : public testing::Test {
 protected:
  ColdBlock* load(std::uint64_t index) {
    ColdBlock* block = cache.begin_load({1, index}, kSize, ColdCache::Budget::keep);
    if (block != nullptr) cache.loaded(block, kSize);
    return block;
  }

  BlockPool pool;
  ColdCache cache{pool, kSize, 3 * kSize};
};

TEST_F(ColdCacheTest, TheUnusedBlockGoesFirst) {
  for (std::uint64_t index = 0; index < 3; ++index) load(index);
  load(3);  // takes the mark of all, then the first
  EXPECT_EQ(cache.find({1, 0}), nullptr);
  cache.find({1, 1});
  load(4);
  EXPECT_NE(cache.find({1, 1}), nullptr);
  EXPECT_EQ(cache.find({1, 2}), nullptr);
  EXPECT_EQ(cache.bytes(), 3u * kSize);
}

TEST_F(ColdCacheTest, PinnedBlocksHoldTheBudget) {
  for (std::uint64_t index = 0; index < 3; ++index) cache.pin(load(index));
  EXPECT_EQ(cache.begin_load({1, 3}, kSize, ColdCache::Budget::keep), nullptr);
  ColdBlock* beyond = cache.begin_load({1, 3}, kSize, ColdCache::Budget::exceed);
  ASSERT_NE(beyond, nullptr);
  cache.loaded(beyond, 10);
  EXPECT_EQ(beyond->content().size(), 10u);
  cache.unpin(cache.find({1, 1}));
  load(4);
  EXPECT_NE(cache.find({1, 0}), nullptr);
  EXPECT_NE(cache.find({1, 2}), nullptr);
}

TEST_F(ColdCacheTest, ADroppedBlockStaysWithItsHolder) {
  ColdBlock* block = load(0);
  block->memory[0] = std::byte{7};
  cache.pin(block);
  cache.drop({1, 0});
  EXPECT_EQ(cache.find({1, 0}), nullptr);
  EXPECT_EQ(block->content()[0], std::byte{7});
  cache.unpin(block);
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST_F(ColdCacheTest, ABlockDroppedWhileItIsReadNeverAppears) {
  ColdBlock* old = cache.begin_load({1, 0}, kSize, ColdCache::Budget::keep);
  cache.drop({1, 0});
  ColdBlock* fresh = cache.begin_load({1, 0}, kSize, ColdCache::Budget::keep);
  cache.loaded(old, kSize);
  EXPECT_EQ(cache.find({1, 0}), fresh);
  EXPECT_TRUE(fresh->loading());
  cache.failed(fresh);
  EXPECT_EQ(cache.find({1, 0}), nullptr);
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST_F(ColdCacheTest, ABlockKnowsWhichOfItsBytesWereChecked) {
  ColdBlock* block = load(0);
  EXPECT_FALSE(block->is_checked(0, 1));
  block->checked(100, 200);
  block->checked(200, 300);
  EXPECT_TRUE(block->is_checked(100, 300));
  EXPECT_TRUE(block->is_checked(150, 250));
  EXPECT_FALSE(block->is_checked(99, 300));
  EXPECT_FALSE(block->is_checked(100, 301));
  block->checked(400, 500);  // one stretch is all that it remembers
  EXPECT_TRUE(block->is_checked(400, 500));
  EXPECT_FALSE(block->is_checked(300, 500));
  EXPECT_FALSE(block->is_checked(100, 300));
  cache.drop({1, 0});
  EXPECT_FALSE(load(0)->is_checked(400, 500));
}

}  // namespace
}  // namespace tailwater::cache
