// Goal: a batch that comes is timed from its own sending, and no other is taken for it. Method: values.
#include "programs/load/journey.hpp"

#include <gtest/gtest.h>

namespace tailwater::load {
namespace {

TEST(Journey, GivesEachBatchTheTimeOfItsSending) {
  Journey journey({100, 0}, 16);
  EXPECT_TRUE(journey.is_over());
  journey.sent(0, 1);
  journey.sent(1, 2);
  journey.sent(0, 3);
  EXPECT_EQ(journey.received(1, 0), 2);
  EXPECT_EQ(journey.received(0, 100), 1);
  EXPECT_FALSE(journey.is_over());
  EXPECT_EQ(journey.received(0, 116), 3);
  EXPECT_TRUE(journey.is_over());
}

TEST(Journey, KnowsWhatNobodySent) {
  Journey journey({0}, 16);
  EXPECT_EQ(journey.received(0, 0), std::nullopt);
  journey.sent(0, 1);
  EXPECT_EQ(journey.received(0, 16), std::nullopt);
  EXPECT_EQ(journey.received(0, 0), 1);
}

}  // namespace
}  // namespace tailwater::load
