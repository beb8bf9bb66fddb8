// Goal: a flush leaves the disk to the journal, but for a few writes, as long as nobody waits for it, and it keeps up
// with what comes. Method: one log with many MiB that are due; the writes of its segment that are on their way are
// counted at every step. And many logs that fill alike, with a disk that does a few things for each batch.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "core/log/test_world.hpp"

namespace tailwater::log {
namespace {

constexpr std::string_view kSegment = "a-0/00000000000000000000.log";
constexpr std::size_t kBatchBytes = std::size_t{256} << 10;
constexpr int kBatches = 17;  // a round is due after an eighth of the ring

class FlushTest : public ::testing::Test {
 protected:
  FlushTest() : world(1) {
    world.options.ring_bytes_start = world.options.ring_bytes_max = 32 << 20;
    world.options.frame_bytes_max = 1 << 20;
    world.options.direct_run_bytes = 0;
    world.start_and_recover();
    world.create("a");
  }

  void append() {
    ASSERT_TRUE(world.append(world.log("a"), {.value_size = kBatchBytes, .count = 1}).has_value());
  }
  // Steps until nothing is left to do; the most writes that were on their way at once.
  std::size_t most_at_once() {
    std::size_t most = 0;
    world.turn();
    while (!world.disk.idle()) {
      world.step();
      most = std::max(most, world.disk.writes_queued(std::string(kSegment)));
    }
    return most;
  }

  World world;
};

TEST_F(FlushTest, HasOneWriteOnItsWayWhileTheNextRoundIsFar) {
  for (int each = 0; each < kBatches; ++each) append();
  EXPECT_EQ(most_at_once(), 1u);
  EXPECT_GE(world.disk.bytes_written, 2 * kBatches * kBatchBytes);  // journal and segment
}

TEST_F(FlushTest, HasMoreWhenThereIsNobodyToWaitFor) {
  for (int each = 0; each < kBatches; ++each) append();
  world.storage->stop();
  EXPECT_GT(most_at_once(), 1u);
  EXPECT_TRUE(world.storage->stopped());
}

// All of them are ripe in the same moment, when the ring is half full.
TEST(FlushRoundTest, LogsThatFillAlikeHoldNobodyBack) {
  constexpr int kLogs = 64;
  World world(3);
  world.disk.in_order = true;
  world.options.ring_bytes_start = world.options.ring_bytes_max = 16 << 20;
  world.options.flush_run_bytes = 128 << 10;
  world.options.flush_round_bytes = 1 << 20;
  world.options.direct_run_bytes = 0;
  world.start_and_recover();
  std::vector<Log*> logs;
  for (int each = 0; each < kLogs; ++each) logs.push_back(&world.create("l" + std::to_string(each)));
  world.pump();
  int held_back = 0;
  for (int round = 0; round < 200; ++round) {
    for (Log* log : logs) {
      ASSERT_TRUE(world.append(*log, {.value_size = 4'000}).has_value());
      for (int each = 0; each < 3; ++each) world.step();
      while (world.storage->held_back(DirId{0})) {
        ++held_back;
        world.step();
      }
    }
  }
  EXPECT_EQ(held_back, 0);
  EXPECT_GT(world.storage->report(DirId{0}).flushed_bytes, std::uint64_t{16} << 20);
}

TEST(FlushRoundTest, OpensNoMoreFilesThanItMay) {
  World world(2);
  world.disk.in_order = true;
  world.options.open_files_max = 12;
  world.start_and_recover();
  const std::size_t others = world.disk.files_open();
  for (int each = 0; each < 20; ++each) {
    ASSERT_TRUE(world.append(world.create(std::string(1, static_cast<char>('a' + each))), {}).has_value());
  }
  world.pump();
  world.storage->stop();
  std::size_t most = 0;
  world.turn();
  while (!world.disk.idle()) {
    world.step();
    most = std::max(most, world.disk.files_open());
  }
  EXPECT_TRUE(world.storage->stopped());
  EXPECT_GT(most, others);
  EXPECT_LE(most, others + world.options.open_files_max);
}

}  // namespace
}  // namespace tailwater::log
