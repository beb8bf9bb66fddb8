// Goal: the room for recent bytes follows what readers missed, and never passes its bound. Method: plain
// calls.
#include "core/cache/tail_room.hpp"

#include <gtest/gtest.h>

namespace tailwater::cache {
namespace {

TEST(TailRoom, GrowsByWhatWasMissedUpToItsBound) {
  TailRoom room(100, 1'000);
  EXPECT_EQ(room.bytes(), 100U);
  room.missed(300, 500);
  EXPECT_EQ(room.bytes(), 400U);
  room.missed(5'000, 1'000);
  EXPECT_EQ(room.bytes(), 1'000U);
}

TEST(TailRoom, WhatNoMemoryWouldHaveHeldChangesNothing) {
  TailRoom room(100, 1'000);
  room.missed(300, 1'001);
  EXPECT_EQ(room.bytes(), 100U);
}

TEST(TailRoom, ASmallBudgetIsTheStart) {
  EXPECT_EQ(TailRoom(100, 40).bytes(), 40U);
}

}  // namespace
}  // namespace tailwater::cache
