// Goal: a beginning that a partition does not have is told, and never becomes its start.
// Method: plans by hand, on both sides of both ends.
#include "apps/cli/consumer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tailwater::apps::cli {
namespace {

constexpr Watermarks kMarks{.low = 5, .high = 10};

PartitionPlan wanted(std::int64_t from, std::optional<std::int64_t> until = std::nullopt) {
  return {.partition = {"t", 0}, .from = from, .until = until};
}

TEST(PlacedWithin, WhatIsThereStaysAsItIs) {
  for (const std::int64_t from : {5, 7, 10}) {
    for (const AtEnd at_end : {AtEnd::wait, AtEnd::stop}) {
      const PlacedPlan placed = placed_within(wanted(from), kMarks, at_end);
      EXPECT_EQ(placed.plan, wanted(from));
      EXPECT_EQ(placed.note, "");
    }
  }
  EXPECT_EQ(placed_within(wanted(7, 8), kMarks, AtEnd::wait).plan, wanted(7, 8));
  EXPECT_EQ(placed_within(wanted(7, 7), kMarks, AtEnd::wait).plan, std::nullopt);
}

TEST(PlacedWithin, WhatIsGoneBeginsAtWhatIsLeft) {
  const PlacedPlan placed = placed_within(wanted(2), kMarks, AtEnd::wait);
  EXPECT_EQ(placed.plan, wanted(5));
  EXPECT_EQ(placed.note, "t[0]: what was before offset 5 is gone; beginning there");
  EXPECT_EQ(placed_within(wanted(2, 4), kMarks, AtEnd::wait).plan, std::nullopt);
}

TEST(PlacedWithin, WhatIsBehindTheEndIsWaitedFor) {
  const PlacedPlan placed = placed_within(wanted(12), kMarks, AtEnd::wait);
  PartitionPlan expected = wanted(10);
  expected.first_shown = 12;
  EXPECT_EQ(placed.plan, expected);
  EXPECT_EQ(placed.note, "t[0] ends at offset 10; waiting for offset 12");
}

TEST(PlacedWithin, BehindTheEndThereIsNothingForWhoDoesNotWait) {
  const PlacedPlan stops = placed_within(wanted(12), kMarks, AtEnd::stop);
  EXPECT_EQ(stops.plan, std::nullopt);
  EXPECT_EQ(stops.note, "t[0] ends at offset 10: there is no offset 12 yet");
  EXPECT_EQ(placed_within(wanted(12, 20), kMarks, AtEnd::wait).plan, std::nullopt);
}

}  // namespace
}  // namespace tailwater::apps::cli
