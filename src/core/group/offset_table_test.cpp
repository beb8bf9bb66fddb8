// Goal: offsets show what is durable, remember what is on its way, and leave nothing behind. Method: small
// histories.
#include "core/group/offset_table.hpp"

#include <gtest/gtest.h>

namespace tailwater::group {
namespace {

TEST(OffsetTable, ACommitIsSeenWhenApplied) {
  OffsetTable table;
  table.begin("t", 0);
  EXPECT_EQ(table.find("t", 0), nullptr);
  EXPECT_TRUE(table.knows("t", 0));
  EXPECT_FALSE(table.empty());
  table.apply("t", 0, CommittedOffset{.offset = 5});
  table.end("t", 0);
  ASSERT_NE(table.find("t", 0), nullptr);
  EXPECT_EQ(table.find("t", 0)->offset, 5);
  EXPECT_EQ(table.find("t", 1), nullptr);
  EXPECT_EQ(table.find("u", 0), nullptr);
}

TEST(OffsetTable, ARefusedCommitLeavesNothing) {
  OffsetTable table;
  table.begin("t", 0);
  table.end("t", 0);
  EXPECT_TRUE(table.empty());
  EXPECT_EQ(table.weight(), 0u);
}

TEST(OffsetTable, WritesOverlap) {
  OffsetTable table;
  table.begin("t", 0);  // a commit
  table.begin("t", 0);  // then a tombstone
  table.begin("t", 0);  // then a commit again
  table.apply("t", 0, CommittedOffset{.offset = 1});
  table.end("t", 0);
  table.apply("t", 0, std::nullopt);
  table.end("t", 0);
  EXPECT_EQ(table.find("t", 0), nullptr);
  EXPECT_TRUE(table.knows("t", 0));
  table.apply("t", 0, CommittedOffset{.offset = 2});
  table.end("t", 0);
  EXPECT_EQ(table.find("t", 0)->offset, 2);
}

TEST(OffsetTable, TombstonesOfUnknownPartitionsDoNothing) {
  OffsetTable table;
  table.apply("t", 0, std::nullopt);
  EXPECT_TRUE(table.empty());
}

TEST(OffsetTableDeathTest, EndWithoutBegin) {
  OffsetTable table;
  EXPECT_DEATH(table.end("t", 0), "");
}

}  // namespace
}  // namespace tailwater::group
