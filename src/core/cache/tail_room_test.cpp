// Goal: the room for recent bytes follows what readers missed, and never passes its bound. Method: plain
// calls.
#include "core/cache/tail_room.hpp"

#include <gtest/gtest.h>

namespace tailwater::cache {
namespace {

TEST(TailRoom, GrowsByWhatWasMissedUpToItsBound) {
  TailRoom room(100, 1'000);
  EXPECT_EQ(room.bytes(), 100U);
  room.missed(300, 200, 0);
  EXPECT_EQ(room.bytes(), 400U);
  room.missed(5'000, 700, 0);
  EXPECT_EQ(room.bytes(), 1'000U);
}

TEST(TailRoom, WhatTwiceAsMuchWouldNotHaveHeldChangesNothing) {
  TailRoom room(100, 1'000);
  room.missed(300, 202, 0);
  EXPECT_EQ(room.bytes(), 100U);
}

TEST(TailRoom, WhatCameForOtherLogsSinceCounts) {
  TailRoom room(100, 1'000);
  const std::uint64_t newest = room.came(50);
  EXPECT_EQ(room.came(180), newest + 180);
  room.missed(300, 22, newest);
  EXPECT_EQ(room.bytes(), 100U);
  room.missed(300, 20, newest);
  EXPECT_EQ(room.bytes(), 400U);
}

TEST(TailRoom, ASmallBudgetIsTheStart) {
  EXPECT_EQ(TailRoom(100, 40).bytes(), 40U);
}

}  // namespace
}  // namespace tailwater::cache
