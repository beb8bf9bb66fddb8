// Goal: clean chunks go oldest first, pinned and dirty ones stay, dropped ones live as long as their pins.
// Method: small scripts.
#include "core/cache/tail_cache.hpp"

#include <gtest/gtest.h>

namespace tailwater::cache {
namespace {

TEST(TailCacheTest, ShrinksInTheOrderInWhichChunksBecameClean) {
  BlockPool pool;
  TailCache cache(pool);
  Chunk* a = cache.make(1);
  Chunk* b = cache.make(1);
  Chunk* c = cache.make(1);
  cache.set_clean(b);
  cache.set_clean(a);
  EXPECT_EQ(cache.dirty_bytes(), 4'096u);
  std::vector<Chunk*> evicted;
  const auto evict = [&](Chunk& chunk) {
    evicted.push_back(&chunk);
    return true;
  };
  cache.shrink(2 * 4'096, evict);
  EXPECT_EQ(evicted, std::vector<Chunk*>{b});
  cache.shrink(0, evict);
  EXPECT_EQ(evicted, (std::vector<Chunk*>{b, a}));
  EXPECT_EQ(cache.bytes(), 4'096u);
  cache.drop(c);
  EXPECT_EQ(pool.taken_bytes(), 0u);
}

TEST(TailCacheTest, PinnedRefusedAndDirtyAgainStay) {
  BlockPool pool;
  TailCache cache(pool);
  Chunk* pinned = cache.make(1);
  Chunk* refused = cache.make(1);
  Chunk* dirty_again = cache.make(1);
  for (Chunk* chunk : {pinned, refused, dirty_again}) cache.set_clean(chunk);
  cache.pin(pinned);
  cache.set_dirty(dirty_again);
  cache.shrink(0, [&](Chunk& chunk) { return &chunk != refused; });
  EXPECT_EQ(cache.bytes(), 3u * 4'096);
  cache.unpin(pinned);
  cache.shrink(0, [&](Chunk& chunk) { return &chunk != refused; });
  EXPECT_EQ(cache.bytes(), 2u * 4'096);
  cache.drop(refused);
  cache.drop(dirty_again);
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST(TailCacheTest, ADroppedChunkLivesUntilItsLastPin) {
  BlockPool pool;
  TailCache cache(pool);
  Chunk* chunk = cache.make(1);
  chunk->memory[0] = std::byte{9};
  cache.pin(chunk);
  cache.pin(chunk);
  cache.drop(chunk);
  cache.unpin(chunk);
  EXPECT_EQ(chunk->memory[0], std::byte{9});
  EXPECT_EQ(cache.bytes(), 4'096u);
  cache.unpin(chunk);
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST(TailCacheTest, WhatOnlyPinsHoldIsLentAndNotDirty) {
  BlockPool pool;
  TailCache cache(pool);
  Chunk* chunk = cache.make(1);
  cache.pin(chunk);
  cache.pin(chunk);
  EXPECT_EQ(cache.lent_bytes(), 0u) << "it has to be there anyway";
  cache.set_clean(chunk);
  EXPECT_EQ(cache.lent_bytes(), 4'096u);
  cache.set_dirty(chunk);
  EXPECT_EQ(cache.lent_bytes(), 0u);
  cache.set_clean(chunk);
  cache.unpin(chunk);
  EXPECT_EQ(cache.lent_bytes(), 4'096u);
  cache.unpin(chunk);
  EXPECT_EQ(cache.lent_bytes(), 0u);
  cache.pin(chunk);
  cache.drop(chunk);
  EXPECT_EQ(cache.lent_bytes(), 4'096u);
  EXPECT_EQ(cache.dirty_bytes(), 0u);
  cache.unpin(chunk);
  EXPECT_EQ(cache.lent_bytes(), 0u);
  EXPECT_EQ(cache.bytes(), 0u);
}

}  // namespace
}  // namespace tailwater::cache
