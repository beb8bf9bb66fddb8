// Goal: what goes straight to its segment is written once, counts when it is on stable storage and not
// before, and survives like everything else. Method: a busy journal and batches that are large for it; power
// loss after every step.
#include "core/log/direct_runs.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/log/files.hpp"
#include "core/log/log_state.hpp"
#include "core/log/test_world.hpp"

namespace tailwater::log {
namespace {

constexpr std::size_t kLarge = 30'000;
const char kRecords[] = "a-0/00000000000000000000.log";

class RunsWorld : public World {
 public:
  explicit RunsWorld(std::uint64_t seed) : World(seed) {
    options.direct_run_bytes = 16 << 10;
    options.flush_run_bytes = 4'096;
    options.flush_round_bytes = 32 << 10;
    options.ring_bytes_start = options.ring_bytes_max = 1 << 20;
  }

  // Two logs; the file of the first is there, with room ahead.
  void begin() {
    start_and_recover();
    create("b");
    begin("a");
    ASSERT_EQ(runs(), 0u) << "it only asks for room";
  }
  void begin(const std::string& topic) {
    create(topic);
    pump();
    for (int each = 0; each < 24; ++each) append_and_check(log(topic), 2'000);
    pump();
    keep_busy();
    append_and_check(log(topic), kLarge);
    pump();
  }
  // A frame is on its way.
  void keep_busy() {
    append_and_check(log("b"), 100);
    turn();
  }
  void append_and_check(Log& log, std::size_t size, char fill = 'v') {
    ASSERT_TRUE(append(log, {.value_size = size, .fill = fill}).has_value());
  }
  // A run of a large batch is on its way.
  void begin_run() {
    keep_busy();
    append_and_check(log("a"), kLarge, 'r');
    turn();
    ASSERT_EQ(runs(), 1u);
  }
  std::uint64_t runs() const { return storage->report(DirId{0}).direct_runs; }
};

TEST(DirectRunsTest, ALargeBatchIsWrittenOnce) {
  RunsWorld world(1);
  world.begin();
  world.keep_busy();
  world.append_and_check(world.log("a"), kLarge);
  world.storage->turn(world.now, world.effects);
  std::uint64_t straight = 0;
  std::uint64_t framed = 0;
  for (const DiskOp& op : world.effects) {
    if (op.kind != DiskOpKind::write) continue;
    EXPECT_TRUE(op.durable);
    const bool direct = part_of(op.token) == Part::direct;
    for (const Bytes piece : op.pieces) (direct ? straight : framed) += piece.size();
  }
  EXPECT_GT(straight, kLarge - 2 * kDiskBlock);
  EXPECT_LT(framed, kLarge / 2);
  world.disk.submit(world.effects);
  world.pump();
  EXPECT_EQ(world.runs(), 1u);
  EXPECT_EQ(world.storage->report(DirId{0}).direct_bytes, straight);
  EXPECT_EQ(world.log("a").durable_end(), world.log("a").end_offset());
  world.stop();
  world.start_and_recover();
  world.verify();
}

TEST(DirectRunsTest, AnIdleJournalTakesALargeBatchItself) {
  RunsWorld world(2);
  world.begin();
  world.append_and_check(world.log("a"), kLarge);
  world.pump();
  EXPECT_EQ(world.runs(), 0u);
}

TEST(DirectRunsTest, ARunThatIsNotOnStableStorageIsNotAcknowledged) {
  RunsWorld world(3);
  world.begin();
  const Offset before = world.log("a").durable_end();
  world.begin_run();
  world.disk.failing = "a-0";
  world.disk.failing_kind = DiskOpKind::write;
  world.pump();
  EXPECT_EQ(world.storage->report(DirId{0}).state, DirState::offline);
  EXPECT_EQ(world.log("a").durable_end(), before);
}

TEST(DirectRunsTest, NoFrameIsAcknowledgedBeforeTheRunsOfThoseInFront) {
  RunsWorld world(4);
  world.begin();
  world.begin_run();
  Log& other = world.log("b");
  const Offset before = other.end_offset();
  world.append_and_check(other, 20'000);
  while (!world.disk.idle()) {
    world.step();
    if (world.log("a").durable_end() < world.log("a").end_offset()) {
      ASSERT_LE(other.durable_end(), before);
    }
  }
  world.pump();
  EXPECT_EQ(other.durable_end(), other.end_offset());
}

TEST(DirectRunsTest, WhatIsAppendedWhileARunIsOnItsWayJoinsTheNext) {
  RunsWorld world(5);
  world.begin();
  world.begin_run();
  // None of them large enough alone.
  for (int each = 0; each < 3; ++each) {
    world.append_and_check(world.log("a"), 9'000);
    world.turn();
  }
  EXPECT_EQ(world.runs(), 1u);
  world.pump();
  EXPECT_EQ(world.runs(), 2u);
  EXPECT_GT(world.storage->report(DirId{0}).direct_bytes, kLarge + 3 * 9'000 - 4 * kDiskBlock);
  world.crash();
  world.start_and_recover();
  world.verify();
}

TEST(DirectRunsTest, NobodyElseWaitsForARunThatWaitsForTheOneBeforeIt) {
  int passed = 0;
  for (std::uint64_t seed = 60; seed < 80; ++seed) {
    SCOPED_TRACE(seed);
    RunsWorld world(seed);
    world.begin();
    world.begin_run();
    LogState& other = state_of(world.log("b"));
    world.append_and_check(world.log("a"), kLarge);
    world.append_and_check(world.log("b"), 100);
    while (other.framed.offset < other.end) world.step();
    if (world.runs() == 1 && state_of(world.log("a")).runs_direct) ++passed;
    world.pump();
    EXPECT_EQ(world.runs(), 2u);
    world.crash();
    world.start_and_recover();
    world.verify();
  }
  EXPECT_GT(passed, 0);
}

// Nothing is held back for longer than its run takes, although there is always one: else the journal could not be
// trimmed.
TEST(DirectRunsTest, TheJournalIsTrimmedWhileRunsFollowEachOther) {
  RunsWorld world(13);
  world.options.ring_bytes_start = world.options.ring_bytes_max = 512 << 10;
  world.begin();
  for (int each = 0; each < 600; ++each) {
    if (!world.storage->held_back(DirId{0})) world.append_and_check(world.log("a"), kLarge);
    if (!world.storage->held_back(DirId{0})) world.append_and_check(world.log("b"), 3'000);
    world.step();
  }
  EXPECT_GT(world.runs(), 20u);
  EXPECT_GT(world.storage->report(DirId{0}).frame_bytes, 2 * world.options.ring_bytes_max);
  world.pump();
  world.crash();
  world.start_and_recover();
  world.verify();
}

TEST(DirectRunsTest, PowerMayGoAfterEveryStep) {
  for (int steps = 0; steps < 60; ++steps) {
    SCOPED_TRACE(steps);
    RunsWorld world(100 + static_cast<std::uint64_t>(steps) % 7);
    world.begin();
    world.begin_run();
    world.append_and_check(world.log("a"), 500);
    world.append_and_check(world.log("b"), kLarge);
    for (int each = 0; each < steps; ++each) world.step();
    if (steps % 2 == 0) world.crash();
    if (steps % 2 == 1) world.kill();
    world.start_and_recover();
    world.verify();
    // What comes after lies where an unfinished run was; power goes again.
    world.append_and_check(world.log("a"), 9'000, 'n');
    world.pump();
    world.crash();
    world.start_and_recover();
    world.verify();
    if (testing::Test::HasFailure()) return;
  }
}

// A start writes them once more; who has the file open is told should that fail.
TEST(DirectRunsTest, TheFilesOfRunsThatAStartWritesStayOpenUntilTheyAreSynced) {
  std::uint64_t written = 0;
  for (int steps = 0; steps < 60; ++steps) {
    SCOPED_TRACE(steps);
    RunsWorld world(100 + static_cast<std::uint64_t>(steps) % 7);
    world.begin();
    world.begin_run();
    for (int each = 0; each < steps; ++each) world.step();
    world.kill();
    world.options.open_files_max = 0;
    world.disk.closed_unsynced = 0;
    const std::uint64_t before = world.disk.bytes_written;
    world.start_and_recover();
    written = std::max(written, world.disk.bytes_written - before);
    EXPECT_EQ(world.disk.closed_unsynced, 0U);
    world.verify();
  }
  EXPECT_GT(written, kLarge / 2) << "no start had to";
}

TEST(DirectRunsTest, AnUnfinishedRunEndsTheJournal) {
  RunsWorld world(6);
  world.begin();
  const Offset before = world.log("a").durable_end();
  const Offset other = world.log("b").end_offset();
  world.begin_run();
  world.append_and_check(world.log("b"), 20'000);
  // All of the frames and none of the run.
  world.disk.failing = "a-0";
  world.pump();
  world.disk.failing.clear();
  world.crash();
  world.start_and_recover();
  EXPECT_EQ(world.log("a").end_offset(), before);
  EXPECT_LE(world.log("b").end_offset(), other + 1);
  EXPECT_FALSE(world.storage->report(DirId{0}).clean_start);
  world.verify();
}

TEST(DirectRunsTest, ARunThatWasSettledAndIsDamagedTakesTheDirectoryOffline) {
  RunsWorld world(7);
  world.begin();
  world.begin_run();
  world.pump();
  world.append_and_check(world.log("b"), 100);
  world.pump();
  world.crash();
  Buffer content = world.disk.content(kRecords);
  const auto run = std::search_n(content.begin(), content.end(), 5'000, std::byte{'r'});
  ASSERT_NE(run, content.end());
  *(run + 4'096) ^= std::byte{1};
  world.disk.set_content(kRecords, content);
  world.start();
  world.pump();
  EXPECT_EQ(world.storage->report(DirId{0}).state, DirState::offline);
  EXPECT_NE(world.storage->report(DirId{0}).failure.message.find("is damaged between"), std::string::npos)
      << world.storage->report(DirId{0}).failure.message;
}

TEST(DirectRunsTest, ATruncationWaitsUntilTheJournalNamesNoRunOfTheLog) {
  RunsWorld world(8);
  world.begin();
  world.begin_run();
  world.pump();
  Log& log = world.log("a");
  EXPECT_EQ(world.storage->truncate(log, log.end_offset() + -1).kind, TruncateAnswer::Kind::need);
  world.ready.clear();
  world.truncate(log, log.end_offset() + -1);
  for (int each = 0; each < 8; ++each) {
    world.append_and_check(log, 9'000, 'n');
    world.pump();
  }
  world.crash();
  world.start_and_recover();
  world.verify();
}

TEST(DirectRunsTest, AFlushThatWasOvertakenByATruncationWritesOverNoRun) {
  int met = 0;
  for (std::uint64_t seed = 20; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    RunsWorld world(seed);
    world.begin();
    Log& log = world.log("a");
    for (int each = 0; each < 40; ++each) world.append_and_check(log, 2'000);
    while (!state_of(log).flushing) world.step();
    world.truncate(log, log.end_offset() + -30);
    // To find the place may take longer than the flush.
    if (!state_of(log).flush_outdated()) continue;
    ++met;
    world.keep_busy();
    world.append_and_check(log, kLarge, 'n');
    world.turn();
    EXPECT_EQ(world.runs(), 0u);
    for (int each = 0; each < 4; ++each) {
      world.append_and_check(log, kLarge, 'm');
      world.step();
    }
    world.pump();
    world.verify_after_crash_and_stop();
  }
  EXPECT_GT(met, 5);
}

TEST(DirectRunsTest, RoomIsHadWhileAFlushOfWhatHasItsRoomGoesOn) {
  int met = 0;
  for (std::uint64_t seed = 60; seed < 80; ++seed) {
    SCOPED_TRACE(seed);
    RunsWorld world(seed);
    world.disk.can_reserve = seed % 2 == 0;
    world.begin();
    Log& log = world.log("a");
    for (int each = 0; each < 20; ++each) world.append_and_check(log, 2'000);
    while (!state_of(log).flushing) world.step();
    for (int each = 0; each < 4; ++each) {
      world.keep_busy();
      world.append_and_check(log, kLarge, 'e');
      world.turn();
      if (state_of(log).flushing && state_of(log).extending) ++met;
      world.step();
    }
    world.pump();
    world.verify_after_crash_and_stop();
  }
  EXPECT_GT(met, 5);
}

TEST(DirectRunsTest, WhatLiesInTheBlocksOfALogThatWasEmptiedIsNotLookedAt) {
  RunsWorld world(9);
  world.begin();
  world.begin_run();
  world.pump();
  Log& log = world.log("a");
  world.storage->restart_at(log, Offset{0});
  world.models.at(log.id()).acked = Offset{0};
  world.pump();
  const Buffer batch = make_batch({.value_size = 7'000, .fill = 'n'});
  for (int each = 0; each < 24; ++each) {
    ASSERT_TRUE(world.storage->append(log, batch, info_of(batch), {.epoch = LeaderEpoch{2}}, world.now));
    world.pump();
  }
  EXPECT_EQ(world.runs(), 1u);
  world.models.clear();
  world.crash();
  world.start();
  world.pump();
  EXPECT_EQ(world.storage->report(DirId{0}).state, DirState::online)
      << world.storage->report(DirId{0}).failure.message;
  EXPECT_EQ(world.log("a").end_offset(), Offset{24});
}

TEST(DirectRunsTest, ALogIsRemovedWhileItsRunIsOnItsWay) {
  for (int steps = 0; steps < 30; ++steps) {
    SCOPED_TRACE(steps);
    RunsWorld world(10);
    world.begin();
    world.begin_run();
    world.remove(world.log("a"));
    for (int each = 0; each < steps; ++each) world.step();
    if (steps % 3 == 2) world.create("a");
    if (steps % 3 == 0) world.pump();
    world.crash();
    world.start_and_recover();
    world.verify();
    if (testing::Test::HasFailure()) return;
  }
}

TEST(DirectRunsTest, ARunDoesNotWaitForTwoFrames) {
  RunsWorld world(14);
  world.begin();
  world.begin("c");
  world.begin_run();
  world.append_and_check(world.log("c"), kLarge);
  world.turn();
  EXPECT_EQ(world.runs(), 2u);
  world.verify_after_crash_and_stop();
}

TEST(DirectRunsTest, AFreshSegmentGetsItsFileBeforeARoundIsDue) {
  RunsWorld world(15);
  world.options.flush_round_bytes = 1 << 20;
  world.options.ring_bytes_start = world.options.ring_bytes_max = 16 << 20;
  world.start_and_recover();
  world.create("a");
  world.create("b");
  world.pump();
  for (int each = 0; each < 5; ++each) {
    world.keep_busy();
    world.append_and_check(world.log("a"), kLarge);
    world.pump();
  }
  EXPECT_GT(world.runs(), 0u);
  world.verify_after_crash_and_stop();
}

// Otherwise a start would have to go on without the removal where the run is not whole, and with the records that it
// has passed over for it.
TEST(DirectRunsTest, WhatEndsALogSharesNoFrameWithARun) {
  RunsWorld world(13);
  world.begin();
  world.begin("c");
  world.begin_run();
  world.pump();
  world.keep_busy();
  world.remove(world.log("a"));
  world.append_and_check(world.log("c"), kLarge);
  // The frames, and not the run.
  world.disk.failing = "c-0";
  world.pump();
  ASSERT_EQ(world.runs(), 2u);
  world.disk.failing.clear();
  world.verify_after_crash_and_stop();
}

TEST(DirectRunsTest, RetentionLeavesASegmentThatTheJournalNames) {
  RunsWorld world(11);
  world.options.retention_interval = Duration::from_ms(1'000);
  world.start_and_recover();
  LogConfig config;
  config.segment_bytes = 120'000;
  world.create("a", config);
  world.create("b");
  world.pump();
  for (int each = 0; each < 24; ++each) world.append_and_check(world.log("a"), 2'000);
  world.pump();
  world.keep_busy();
  world.append_and_check(world.log("a"), 100);
  world.append_and_check(world.log("a"), kLarge);
  world.pump();
  world.begin_run();
  world.pump();
  Log& log = world.log("a");
  world.append_and_check(log, kLarge);
  world.pump();
  ASSERT_EQ(log.end_offset(), Offset{28});
  world.storage->set_log_start(log, Offset{28});
  world.pump();
  world.crash();
  world.start_and_recover();
  world.verify();
  for (int each = 0; each < 4; ++each) {
    world.advance(Duration::from_ms(61'000));
    world.pump();
  }
  EXPECT_FALSE(world.disk.exists(kRecords));
  world.crash();
  world.start_and_recover();
  world.verify();
}

}  // namespace
}  // namespace tailwater::log
