// Goal: rows hold what was passed, without a gap, and one block's batches each. Method: batches passed in and
// out of order.
#include "core/log/walked.hpp"

#include <gtest/gtest.h>

#include "core/log/segment.hpp"

namespace tailwater::log {
namespace {

constexpr std::uint64_t kBlock = 100;

TEST(WalkedTest, ARowHoldsTheBatchesThatBeginInOneBlock) {
  Walked walked;
  walked.pass({.last_offset = Offset{4}, .position = 0, .size = 60, .max_timestamp = 7}, kBlock);
  walked.pass({.last_offset = Offset{9}, .position = 60, .size = 60, .max_timestamp = 5}, kBlock);
  walked.pass({.last_offset = Offset{11}, .position = 120, .size = 300, .max_timestamp = -1}, kBlock);
  walked.pass({.last_offset = Offset{12}, .position = 420, .size = 60, .max_timestamp = 9}, kBlock);
  const Walked::Row* first = walked.at(0);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->end, 120u);
  EXPECT_EQ(first->floor, Offset{10});
  EXPECT_EQ(first->max_timestamp, 7);
  EXPECT_EQ(first->max_timestamp_offset, Offset{4});
  const Walked::Row* second = walked.at(first->end);
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(second->end, 420u);
  EXPECT_EQ(second->max_timestamp, -1);
  const Walked::Row* third = walked.at(second->end);
  ASSERT_NE(third, nullptr);
  EXPECT_EQ(third->floor, Offset{13});
  EXPECT_EQ(third->max_timestamp_offset, Offset{12});
  EXPECT_EQ(walked.at(third->end), nullptr);
  EXPECT_EQ(walked.at(60), nullptr) << "no row begins there";
}

TEST(WalkedTest, OnlyTheNextBatchThatIsNotKnownCounts) {
  Walked walked;
  walked.pass({.last_offset = Offset{9}, .position = 60, .size = 60, .max_timestamp = 5}, kBlock);
  EXPECT_EQ(walked.at(60), nullptr) << "what is before it was not passed";
  walked.pass({.last_offset = Offset{4}, .position = 0, .size = 60, .max_timestamp = 7}, kBlock);
  walked.pass({.last_offset = Offset{4}, .position = 0, .size = 60, .max_timestamp = 8}, kBlock);
  walked.pass({.last_offset = Offset{20}, .position = 120, .size = 60, .max_timestamp = 9}, kBlock);
  ASSERT_NE(walked.at(0), nullptr);
  EXPECT_EQ(walked.at(0)->end, 60u);
  EXPECT_EQ(walked.at(0)->max_timestamp, 7);
  walked.clear();
  EXPECT_EQ(walked.at(0), nullptr);
}

}  // namespace
}  // namespace tailwater::log
