// Goal: what the head of storage.hpp guarantees, in small scripts on a disk that forgets what was not synced.
// Method: one idea per test; the model in test_world.hpp knows what every log must hold.
#include "core/log/storage.hpp"

#include <gtest/gtest.h>

#include "core/log/test_world.hpp"

namespace tailwater::log {
namespace {

TEST(StorageTest, AFreshDirectoryComesOnline) {
  World world(1);
  world.start_and_recover();
  EXPECT_EQ(world.storage->report(DirId{0}).state, DirState::online);
  EXPECT_TRUE(world.storage->report(DirId{0}).clean_start);
  EXPECT_TRUE(world.storage->logs().empty());
  EXPECT_EQ(world.disk.complaints(), std::vector<std::string>{});
}

TEST(StorageTest, AnAppendIsDurableAfterOneFrameAndReadableAtOnce) {
  World world(2);
  world.start_and_recover();
  Log& log = world.create("a");
  world.pump();
  const auto appended = world.append(log, {.count = 3});
  ASSERT_TRUE(appended.has_value());
  EXPECT_EQ(appended->base, Offset{0});
  EXPECT_EQ(appended->last, Offset{2});
  EXPECT_EQ(log.end_offset(), Offset{3});
  EXPECT_EQ(log.durable_end(), Offset{0});
  const std::uint64_t before = world.disk.submitted();
  world.pump();
  EXPECT_EQ(world.disk.submitted() - before, 1u);
  EXPECT_EQ(log.durable_end(), Offset{3});
  world.verify();
}

TEST(StorageTest, WhatWasAcknowledgedSurvivesPowerLoss) {
  World world(3);
  world.start_and_recover();
  Log& log = world.create("a");
  for (int each = 0; each < 10; ++each) ASSERT_TRUE(world.append(log, {}).has_value());
  world.pump();
  world.crash();
  world.start_and_recover();
  EXPECT_FALSE(world.storage->report(DirId{0}).clean_start);
  EXPECT_EQ(world.log("a").end_offset(), Offset{10});
  world.verify();
}

TEST(StorageTest, ACleanStopEndsFilesExactlyAndTheNextStartIsClean) {
  World world(4);
  world.start_and_recover();
  Log& log = world.create("a");
  std::size_t bytes = 0;
  for (int each = 0; each < 30; ++each) {
    ASSERT_TRUE(world.append(log, {.value_size = 300}).has_value());
    bytes += world.models.at(log.id()).batches.back().bytes.size();
  }
  world.pump();
  world.stop();
  EXPECT_EQ(world.disk.content("a-0/00000000000000000000.log").size(), bytes);
  world.start_and_recover();
  EXPECT_TRUE(world.storage->report(DirId{0}).clean_start);
  EXPECT_EQ(world.storage->report(DirId{0}).replayed_bytes, 0u);
  world.verify();
  Log& again = world.log("a");
  EXPECT_EQ(world.append(again, {})->base, Offset{30});
  world.pump();
  world.verify();
  world.crash();
  world.start_and_recover();
  world.verify();
}

TEST(StorageTest, ALogStartIsDurableAfterItsFrameAndNotBefore) {
  World world(5);
  world.start_and_recover();
  Log& log = world.create("a");
  for (int each = 0; each < 10; ++each) ASSERT_TRUE(world.append(log, {}).has_value());
  world.pump();
  world.storage->set_log_start(log, Offset{4});
  EXPECT_EQ(log.start_offset(), Offset{4});
  EXPECT_EQ(log.durable_start(), Offset{0});
  world.turn();
  EXPECT_EQ(log.durable_start(), Offset{0}) << "its frame is only on its way";
  world.pump();
  EXPECT_EQ(log.durable_start(), Offset{4});
  world.crash();
  world.start_and_recover();
  EXPECT_EQ(world.log("a").start_offset(), Offset{4});
  EXPECT_EQ(world.log("a").durable_start(), Offset{4});
  world.verify();
}

TEST(StorageTest, ATruncationMeanwhileDoesNotHideThatALogStartBecameDurable) {
  World world(6);
  world.start_and_recover();
  Log& log = world.create("a");
  for (int each = 0; each < 10; ++each) ASSERT_TRUE(world.append(log, {}).has_value());
  world.pump();
  world.storage->set_log_start(log, Offset{4});
  world.turn();
  world.truncate(log, Offset{8});
  world.pump();
  EXPECT_EQ(log.durable_start(), Offset{4});
}

}  // namespace
}  // namespace tailwater::log
