// Goal: where a log's segments begin and end, and what is known of them. Method: a storage over the test disk.
#include <gtest/gtest.h>

#include "core/log/log_state.hpp"
#include "core/log/test_world.hpp"

namespace tailwater::log {
namespace {

TEST(StorageSegments, TheStartHasTheEpochOfTheFirstRecordThatIsLeft) {
  World world(5);
  world.start_and_recover();
  Log& log = world.create("a");
  EXPECT_EQ(log.start_epoch(), LeaderEpoch{-1}) << "nothing was said yet";
  world.storage->begin_epoch(log, LeaderEpoch{1});
  EXPECT_EQ(log.start_epoch(), LeaderEpoch{1}) << "that of the next record";
  for (int each = 0; each < 10; ++each)
    ASSERT_TRUE(world.append(log, {}, LeaderEpoch{each < 5 ? 1 : 4}).has_value());
  EXPECT_EQ(log.start_epoch(), LeaderEpoch{1});
  EXPECT_EQ(log.epoch(), LeaderEpoch{4});
  world.storage->set_log_start(log, Offset{4});
  EXPECT_EQ(log.start_epoch(), LeaderEpoch{1});
  world.storage->set_log_start(log, Offset{5});
  EXPECT_EQ(log.start_epoch(), LeaderEpoch{4});
}

TEST(StorageSegments, ASegmentWithoutTimestampsIsRolledByTheClock) {
  World world(5);
  world.start_and_recover();
  Log& log = world.create("a", {.segment_ms = 10'000});
  const auto segments = [&] { return state_of(log).segments.size(); };
  const auto append = [&](std::int64_t timestamp) {
    EXPECT_TRUE(world.append(log, {.timestamp = timestamp}).has_value());
    return segments();
  };
  EXPECT_EQ(append(-1), 1U);
  world.advance(Duration::from_ms(9'000));
  EXPECT_EQ(append(-1), 1U);
  world.advance(Duration::from_ms(1'001));
  EXPECT_EQ(append(-1), 2U) << "since its first batch";
  // In one that has timestamps only these count.
  EXPECT_EQ(append(1'000), 2U);
  world.advance(Duration::from_ms(100'000));
  EXPECT_EQ(append(-1), 2U);
  EXPECT_EQ(append(11'000), 2U);
  EXPECT_EQ(append(11'001), 3U);
  world.pump();
  world.verify();
}

TEST(StorageSegments, ASealedSegmentHasAllItsFilesAlsoIfItIsWrittenOnlyThen) {
  World world(29);
  world.start_and_recover();
  Log& log = world.create("a", {.segment_bytes = 4'000});
  // One batch in the first segment, which no entry of an index names.
  for (int each = 0; each < 2; ++each) ASSERT_TRUE(world.append(log, {.value_size = 3'000}).has_value());
  world.pump();
  ASSERT_FALSE(world.disk.exists("a-0/00000000000000000000.log"));
  world.stop();
  for (const std::string kind : {"log", "index", "timeindex"}) {
    EXPECT_TRUE(world.disk.exists("a-0/00000000000000000000." + kind)) << kind;
  }
  world.start_and_recover();
  world.verify();
}

TEST(StorageSegments, TheAgeOfWhatHasNoTimestampsGoesOnOverARestart) {
  World world(31);
  world.start_and_recover();
  Log& log = world.create("a", {.segment_bytes = 20'000, .retention_ms = 3'600'000});
  for (int each = 0; each < 25; ++each)
    ASSERT_TRUE(world.append(log, {.value_size = 1'900, .timestamp = -1}).has_value());
  const auto pass = [&](int minutes) {
    world.advance(Duration::from_ms(minutes * 60'000));
    world.pump();
  };
  world.pump();
  pass(10);
  pass(40);
  EXPECT_EQ(log.start_offset(), Offset{0});
  world.stop();
  world.start_and_recover();
  Log& again = *world.storage->logs()[0];
  EXPECT_EQ(again.start_offset(), Offset{0});
  pass(20);
  pass(1);
  EXPECT_GT(again.start_offset(), Offset{0});
}

}  // namespace
}  // namespace tailwater::log
