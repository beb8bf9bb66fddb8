// Goal: what the head of storage.hpp guarantees, in small scripts on a disk that forgets what was not synced.
// Method: one idea per test; the model in test_world.hpp knows what every log must hold.
#include "core/log/storage.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/journal/format.hpp"
#include "core/log/directory.hpp"
#include "core/log/log_state.hpp"
#include "core/log/segment.hpp"
#include "core/log/test_world.hpp"

namespace tailwater::log {
namespace {

// A value that makes a batch of one record so large.
std::size_t value_size_for(std::size_t batch_size) {
  std::size_t size = batch_size;
  while (make_batch({.value_size = size}).size() > batch_size) --size;
  EXPECT_EQ(make_batch({.value_size = size}).size(), batch_size);
  return size;
}

// What one entry brings into a frame at most.
std::size_t frame_content_max(std::uint32_t frame_bytes_max) {
  return frame_bytes_max - journal::kFrameHeaderSize - journal::kEntryHeaderSize;
}

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
  const DirReport& report = world.storage->report(DirId{0});
  EXPECT_GT(report.frames, 0u);
  EXPECT_EQ(report.frame_times.count, report.frames);
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

TEST(StorageTest, AFlushThatEndsInsideABlockOfASegmentThatWasSealedMeanwhileLosesNothing) {
  World world(7);
  world.options.flush_run_bytes = 2'000;
  world.start_and_recover();
  Log& log = world.create("a", {.segment_bytes = 4'000});
  world.pump();
  for (int each = 0; each < 20; ++each) ASSERT_TRUE(world.append(log, {.value_size = 40}).has_value());
  world.turn();
  while (log.durable_end() < Offset{20}) world.storage->completed(world.disk.step(), world.now);
  // The flush of this turn finds the segment sealed; the rest of it is in no frame yet.
  for (int each = 0; each < 30; ++each) ASSERT_TRUE(world.append(log, {.value_size = 40}).has_value());
  world.pump();
  world.verify_after_crash_and_stop();
}

TEST(StorageTest, WhatRestsOnAnAppendIsNotKeptWithoutIt) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    World world(200 + seed);
    world.start_and_recover();
    Log& before = world.create("before");
    Log& behind = world.create("behind");
    Log& large = world.create("large");
    world.pump();
    // While a frame is on its way all that follows gathers; it needs two.
    ASSERT_TRUE(world.append(behind, {}).has_value());
    world.turn();
    ASSERT_TRUE(world.append(behind, {}).has_value());
    ASSERT_TRUE(world.append(large, {.value_size = 16'000}).has_value());
    ASSERT_TRUE(world.append(before, {}).has_value());
    ASSERT_TRUE(Storage::goes_before(before, behind));
    ASSERT_TRUE(world.append(behind, {}).has_value());
    world.step();
    world.crash();
    world.start_and_recover();
    if (world.log("behind").end_offset() == Offset{3}) {
      EXPECT_EQ(world.log("before").end_offset(), Offset{1});
    }
    world.verify();
  }
}

TEST(StorageTest, AnEntryThatAFrameCutsBetweenTwoBatchesComesWhole) {
  World world(11);
  world.start_and_recover();
  Log& log = world.create("a");
  ASSERT_TRUE(world.append(log, {.value_size = 400}).has_value());
  world.pump();
  // One entry of three batches; the first fills a frame to its last byte, and its chunk has room for more.
  const std::size_t size = value_size_for(frame_content_max(world.options.frame_bytes_max));
  for (const std::size_t each : {size, std::size_t{40}, std::size_t{40}})
    ASSERT_TRUE(world.append(log, {.value_size = each}).has_value());
  world.pump();
  ASSERT_EQ(log.durable_end(), Offset{4});
  world.crash();
  world.start_and_recover();
  world.verify();
  EXPECT_EQ(world.log("a").end_offset(), Offset{4});
}

TEST(StorageTest, AnIndexThatBeginsWithALaterFlushIsThereAfterPowerLoss) {
  for (std::uint64_t seed = 20; seed < 30; ++seed) {
    World world(seed);
    world.options.flush_run_bytes = 1;
    world.start_and_recover();
    Log& log = world.create("a", {.segment_bytes = 1 << 20, .index_interval_bytes = 1'000});
    ASSERT_TRUE(world.append(log, {.value_size = 40}).has_value());
    world.pump();
    for (int each = 0; each < 20; ++each) ASSERT_TRUE(world.append(log, {.value_size = 400}).has_value());
    world.pump();
    world.crash();
    world.start_and_recover();
    for (std::int64_t at = 20; at > 0; at -= 5) {
      Offset from{at};
      world.read_all(world.log("a"), from, Offset{21});
    }
    world.verify();
  }
}

TEST(StorageTest, TheLastSegmentGoesWhenAllItsRecordsWereDeleted) {
  World world(9);
  world.start_and_recover();
  Log& log = world.create("a");
  for (int each = 0; each < 30; ++each) ASSERT_TRUE(world.append(log, {.value_size = 300}).has_value());
  world.pump();
  world.storage->set_log_start(log, Offset{30});
  world.pump();
  EXPECT_GT(log.size_bytes(), 0U);
  world.advance(world.options.retention_interval);
  world.pump();
  EXPECT_EQ(log.size_bytes(), 0U);
  EXPECT_EQ(world.append(log, {})->base, Offset{30});
  world.pump();
  world.crash();
  world.start_and_recover();
  EXPECT_EQ(world.log("a").start_offset(), Offset{30});
  world.verify();
}

TEST(StorageTest, NothingGoesByDefaultSettingsBeforeARecoveredLogHasItsOwn) {
  World world(12);
  world.options.retention_interval = Duration::from_ms(1'000);
  world.start_and_recover();
  const LogConfig keeps{.retention_ms = kForever};
  Log& log = world.create("a", keeps);
  for (int each = 0; each < 5; ++each) ASSERT_TRUE(world.append(log, {}).has_value());
  world.pump();
  // Older than the defaults allow.
  world.advance(Duration::from_ms(2 * LogConfig{}.retention_ms));
  world.pump();
  ASSERT_EQ(log.start_offset(), Offset{0});
  world.stop();
  // The metadata waits for another directory, which has much to replay.
  world.start();
  world.pump();
  world.advance(world.options.retention_interval);
  world.pump();
  ASSERT_TRUE(world.storage->recovered());
  EXPECT_EQ(world.log("a").start_offset(), Offset{0});
  EXPECT_EQ(world.log("a").end_offset(), Offset{5});
  world.match_logs();
  world.verify();
  // By settings that are its own they go.
  world.storage->set_config(world.log("a"), {});
  world.advance(world.options.retention_interval);
  world.pump();
  EXPECT_EQ(world.log("a").start_offset(), Offset{5});
}

TEST(StorageTest, AProducersLastBatchesAreKnownAgainAfterEveryKindOfEnd) {
  for (int end = 0; end < 3; ++end) {
    World world(40 + static_cast<std::uint64_t>(end));
    world.start_and_recover();
    Log& log = world.create("a");
    const ProducerId producer{7};
    for (std::int32_t sequence = 0; sequence < 8; ++sequence)
      ASSERT_TRUE(world.append(log, {.producer = producer, .sequence = sequence}).has_value());
    world.pump();
    if (end == 0) world.crash();
    if (end == 1) world.kill();
    if (end == 2) world.stop();
    world.start_and_recover();
    Log& again = world.log("a");
    for (std::int32_t sequence = 3; sequence < 8; ++sequence) {
      const auto repeated = world.append(again, {.producer = producer, .sequence = sequence});
      ASSERT_TRUE(repeated.has_value()) << sequence;
      EXPECT_TRUE(repeated->duplicate);
      EXPECT_EQ(repeated->base, Offset{sequence});
    }
    const auto older = world.append(again, {.producer = producer, .sequence = 2});
    ASSERT_FALSE(older.has_value());
    EXPECT_EQ(older.error(), AppendRefusal::out_of_order_sequence);
    EXPECT_EQ(world.append(again, {.producer = producer, .sequence = 8})->base, Offset{8});
  }
}

TEST(StorageTest, AProducerIsForgottenAfterItsTimeAndAnOpenTransactionKeepsIt) {
  World world(10);
  world.options.producer_expiration_ms = 10'000;
  world.options.retention_interval = Duration::from_ms(1'000);
  world.start_and_recover();
  Log& log = world.create("a");
  const ProducerId producer{7};
  const std::int64_t now = world.now.wall.ms;
  ASSERT_TRUE(world.append(log, {.timestamp = now, .producer = producer, .sequence = 5}).has_value());
  world.pump();
  world.advance(Duration::from_ms(9'000));
  world.pump();
  const auto gap = world.append(log, {.timestamp = now, .producer = producer, .sequence = 9});
  ASSERT_FALSE(gap.has_value());
  EXPECT_EQ(gap.error(), AppendRefusal::out_of_order_sequence);
  world.advance(Duration::from_ms(2'000));
  world.pump();
  EXPECT_TRUE(world.append(log, {.timestamp = now, .producer = producer, .sequence = 9}).has_value())
      << "nothing is known of it any more: any sequence will do";
}

TEST(StorageTest, ATruncationWhileTheHeadOfABlockIsReadBackLosesNothing) {
  World world(8);
  world.start_and_recover();
  Log& log = world.create("a");
  for (int each = 0; each < 10; ++each) ASSERT_TRUE(world.append(log, {}).has_value());
  world.pump();
  world.stop();
  world.start_and_recover();
  Log& again = world.log("a");
  ASSERT_TRUE(world.append(again, {}).has_value());
  world.truncate(again, Offset{10});
  world.pump();
  ASSERT_TRUE(world.append(again, {.fill = 'w'}).has_value());
  world.pump();
  world.verify_after_crash_and_stop();
}

TEST(StorageTest, ATruncationAndANewSegmentWhileAHeadIsReadBackLoseNothing) {
  for (std::uint64_t seed = 60; seed < 80; ++seed) {
    World world(seed);
    world.start_and_recover();
    Log& log = world.create("a", {.segment_bytes = 9'000});
    for (int each = 0; each < 50; ++each) ASSERT_TRUE(world.append(log, {.value_size = 40}).has_value());
    world.pump();
    world.stop();
    world.start_and_recover();
    Log& again = world.log("a");
    // The head of the file's second block is on its way, then that of the first is what counts.
    ASSERT_TRUE(world.append(again, {}).has_value());
    world.truncate(again, Offset{20});
    for (int each = 0; each < 3; ++each)
      ASSERT_TRUE(world.append(again, {.value_size = 4'000, .fill = 'w'}).has_value());
    world.pump();
    world.verify_after_crash_and_stop();
  }
}

// A flush of `a` that waited for that of `b` begins between a frame with such entries and the truncation's
// own.
void truncate_what_waits(int steps_before, int steps_between) {
  World world(12);
  world.disk.in_order = true;
  world.options.frame_bytes_max = 8 << 10;
  world.options.second_frame_bytes = 1;
  world.options.flush_run_bytes = 9'000;
  world.start_and_recover();
  Log& log = world.create("a", {.segment_bytes = 10'000});
  Log& other = world.create("b");
  world.pump();
  ASSERT_TRUE(world.append(other, {.value_size = 9'000}).has_value());
  for (int each = 0; each < steps_before; ++each) world.step();
  ASSERT_TRUE(world.append(log, {.value_size = 9'000}).has_value());
  for (int each = 0; each < steps_between; ++each) world.step();
  // A new segment, and two batches that fill the frame; the second is cut off again, which is for the frame
  // after it.
  const std::size_t small = make_batch({}).size() + journal::kEntryHeaderSize;
  const std::size_t large = frame_content_max(world.options.frame_bytes_max) - small;
  ASSERT_TRUE(world.append(log, {.value_size = value_size_for(large)}).has_value());
  ASSERT_TRUE(world.append(log, {}).has_value());
  world.truncate(log, Offset{2});
  world.pump();
  ASSERT_EQ(log.durable_end(), Offset{2});
  for (int each = 0; each < 20; ++each) {
    ASSERT_TRUE(world.append(other, {.value_size = 12'000}).has_value());
    world.pump();
  }
  world.crash();
  world.start_and_recover();
  world.verify();
  ASSERT_EQ(world.log("a").end_offset(), Offset{2});
}

TEST(StorageTest, WhatATruncationLeavesOfEntriesThatWaitIsKeptInTheJournalUntilItIsFlushed) {
  for (int before = 0; before < 20; ++before) {
    for (int between = 0; between < 8 && !HasFailure(); ++between) truncate_what_waits(before, between);
  }
}

// A frame on its way brings two batches, of which a truncation takes the second. What is durable in front of them ends with
// a block, so that no frame before has a part of the first one's.
void truncate_what_is_on_its_way(int steps_before, int steps_behind) {
  World world(12);
  world.disk.in_order = true;
  world.options.second_frame_bytes = 1;
  world.options.flush_run_bytes = 1 << 20;
  world.options.flush_round_bytes = 1;
  world.start_and_recover();
  Log& log = world.create("a", {.index_interval_bytes = 1 << 20});
  world.pump();
  ASSERT_TRUE(world.append(log, {.value_size = value_size_for(8'192)}).has_value());
  world.pump();
  LogState& state = state_of(log);
  const Lsn frame = state.dir->ring.next();
  ASSERT_TRUE(world.append(log, {}).has_value());
  ASSERT_TRUE(world.append(log, {}).has_value());
  for (int each = 0; each < steps_before; ++each) world.step();
  world.truncate(log, Offset{2});
  for (int each = 0; each < steps_behind; ++each) world.step();
  state.dir->flusher.request(state);
  while (!world.disk.idle()) {
    world.step();
    const Segment& segment = state.active();
    if (segment.flushed < segment.size && state.framed.position == segment.size) {
      ASSERT_TRUE(state.dirty && *state.dirty <= frame) << "the journal may be trimmed";
    }
  }
}

TEST(StorageTest, WhatATruncationLeavesOfAFrameOnItsWayIsKeptInTheJournalUntilItIsFlushed) {
  for (int before = 0; before < 4; ++before) {
    for (int behind = 0; behind < 6 && !HasFailure(); ++behind) truncate_what_is_on_its_way(before, behind);
  }
}

// The manifest of `fills` appends is made while an entry waits that a truncation overtakes before its frame.
void truncate_behind_a_manifest(int fills) {
  World world(13);
  world.disk.in_order = true;
  world.options.flush_run_bytes = 9'000;
  world.start_and_recover();
  // Without index entries nothing has to be read to truncate.
  Log& log = world.create("a", {.index_interval_bytes = 1 << 20});
  Log& other = world.create("b");
  for (int each = 0; each < 3; ++each) ASSERT_TRUE(world.append(log, {.value_size = 4'000}).has_value());
  world.pump();
  for (int each = 0; each < fills; ++each) {
    ASSERT_TRUE(world.append(other, {.value_size = 11'000}).has_value());
    world.pump();
  }
  ASSERT_TRUE(world.append(other, {.value_size = 11'000}).has_value());
  world.turn();
  ASSERT_TRUE(world.append(log, {.value_size = 8'000}).has_value());
  world.turn();
  world.truncate(log, Offset{2});
  world.pump();
  world.crash();
  world.start_and_recover();
  world.verify();
}

TEST(StorageTest, AnEntryThatATruncationOvertakesBehindAManifestBringsItsHead) {
  for (int fills = 0; fills < 24 && !HasFailure(); ++fills) truncate_behind_a_manifest(fills);
}

TEST(StorageTest, ACleanStopFreesTheNameThatANewLogNeeds) {
  World world(14);
  world.options.flush_run_bytes = 1;
  world.start_and_recover();
  Log& log = world.create("a");
  ASSERT_TRUE(world.append(log, {}).has_value());
  world.pump();
  world.remove(log);
  Log& again = world.create("a");
  ASSERT_TRUE(world.append(again, {.fill = 'w'}).has_value());
  world.stop();
  world.start_and_recover();
  EXPECT_TRUE(world.storage->report(DirId{0}).clean_start);
  EXPECT_EQ(world.storage->logs().size(), 1u);
  world.verify();
}

TEST(StorageTest, ACleanStopDoesNotSpinForFilesThatTheNextRunRemoves) {
  World world(15);
  world.options.flush_run_bytes = 1;
  world.start_and_recover();
  Log& log = world.create("a");
  Log& other = world.create("b");
  ASSERT_TRUE(world.append(log, {}).has_value());
  world.pump();
  world.remove(log);
  world.pump();
  ASSERT_TRUE(world.append(other, {}).has_value());
  world.turn();
  world.advance(Duration::from_ms(61'000));
  world.storage->stop();
  world.turn();
  ASSERT_FALSE(world.disk.idle());
  EXPECT_GT(world.storage->next_deadline(), world.now.monotonic);
  world.stop();
}

TEST(StorageTest, ABatchThatIsNotTooLargeFindsRoomWheneverBatchesAreAskedFor) {
  for (const std::uint64_t ring : {256u << 10, 512u << 10, 1u << 20, 2u << 20}) {
    World world(17);
    world.options.ring_bytes_start = world.options.ring_bytes_max = ring;
    world.options.frame_bytes_max = 1 << 20;
    world.start_and_recover();
    Log& log = world.create("a");
    const std::size_t sure = ring < (2u << 20) ? ring / 8 : ring / 4;
    std::uint64_t taken = 0;
    for (std::size_t size = ring / 4; size > 0; size -= ring / 32) {
      for (int each = 0; each < 12; ++each) {
        while (world.storage->held_back(DirId{0})) {
          ASSERT_FALSE(world.disk.idle()) << "held back for ever with a ring of " << ring;
          world.step();
        }
        const auto appended = world.append(log, {.value_size = size - 100});
        if (!appended) {
          ASSERT_EQ(appended.error(), AppendRefusal::too_large) << size << " in a ring of " << ring;
          ASSERT_TRUE(size > sure || ring < (512u << 10)) << size << " in a ring of " << ring;
          break;
        }
        ++taken;
        world.turn();
      }
    }
    EXPECT_GT(taken, 12u) << ring;
    world.pump();
    EXPECT_EQ(log.durable_end(), log.end_offset());
  }
}

// However full the ring was under load: who comes back after a kill is not held back for what was left.
TEST(StorageTest, AStartBehindAKillUnderLoadTakesBatchesAtOnce) {
  World world(23);
  world.options.ring_bytes_start = world.options.ring_bytes_max = 4 << 20;
  world.options.frame_bytes_max = 16 << 10;
  world.start_and_recover();
  world.create("a");
  world.disk.slow = "manifest/";  // so no room is made
  const auto fill = [&] {
    for (int each = 0; each < 1'000 && !world.storage->held_back(DirId{0}); ++each) {
      EXPECT_TRUE(world.append(world.log("a"), {.value_size = 8'000}).has_value());
      world.turn();
      while (world.disk.queued() > world.disk.slow_queued()) world.step();
    }
  };
  fill();
  world.kill();
  world.disk.slow.clear();
  world.start();
  while (!world.storage->recovered()) world.step();
  const std::uint64_t left = world.storage->report(DirId{0}).ring_used_bytes;
  EXPECT_GT(left, 9U << 18);  // of 16
  EXPECT_FALSE(world.storage->held_back(DirId{0}));
  // What is more than that waits.
  world.disk.slow = "manifest/";
  fill();
  EXPECT_GT(world.storage->report(DirId{0}).ring_used_bytes, left);
  world.disk.slow.clear();
  world.pump();
  EXPECT_FALSE(world.storage->held_back(DirId{0}));
  EXPECT_EQ(world.log("a").durable_end(), world.log("a").end_offset());
}

// Wherever the ring stands when a batch comes that it is too small for, and whatever else is in it.
TEST(StorageTest, TheRingGrowsForABatchThatItIsTooSmallFor) {
  for (std::size_t before = 0; before < 60; ++before) {
    World world(19 + before);
    world.options.os_ring = true;
    world.options.ring_bytes_limit = 4 << 20;
    world.options.memory_bytes = 32 << 20;
    world.start_and_recover();
    LogConfig config;
    config.os_durable = before % 3 == 0;
    Log& log = world.create("a", config);
    Log& other = world.create("b", config);
    for (std::size_t each = 0; each < before; ++each) {
      while (world.storage->held_back(DirId{0})) world.step();
      ASSERT_TRUE(world.append(other, {.value_size = 20'000}).has_value());
    }
    while (world.storage->held_back(DirId{0})) world.step();
    const BatchSpec large{.value_size = 500'000};
    ASSERT_EQ(world.append(log, large).error(), AppendRefusal::held_back);
    EXPECT_TRUE(world.storage->held_back(DirId{0}));
    world.pump();
    ASSERT_FALSE(world.storage->held_back(DirId{0})) << "held back for ever after " << before;
    ASSERT_TRUE(world.append(log, large).has_value());
    ASSERT_EQ(world.append(log, {.value_size = 1'000'000}).error(), AppendRefusal::too_large);
    world.pump();
    EXPECT_EQ(log.durable_end(), log.end_offset());
    EXPECT_EQ(world.storage->report(DirId{0}, config.os_durable).ring_bytes, 4u << 20);
    world.kill();
    world.start_and_recover();
    EXPECT_EQ(world.log("a").end_offset(), Offset{1});
    world.verify();
  }
}

TEST(StorageTest, APowerLossWhileTheRingGrowsForABatchLosesNothing) {
  for (std::uint64_t steps = 0; steps < 60; ++steps) {
    World world(steps);
    world.options.ring_bytes_limit = 4 << 20;
    world.start_and_recover();
    Log& log = world.create("a");
    for (int each = 0; each < 20; ++each) {
      while (world.storage->held_back(DirId{0})) world.step();
      ASSERT_TRUE(world.append(log, {.value_size = 20'000}).has_value());
    }
    while (world.storage->held_back(DirId{0})) world.step();
    ASSERT_EQ(world.append(log, {.value_size = 200'000}).error(), AppendRefusal::held_back);
    for (std::uint64_t step = 0; step < steps; ++step) world.step();
    world.crash();
    world.start_and_recover();
    world.verify();
    Log& again = world.log("a");
    while (world.storage->held_back(DirId{0})) world.step();
    if (!world.append(again, {.value_size = 200'000})) {
      world.pump();
      ASSERT_TRUE(world.append(again, {.value_size = 200'000}).has_value());
    }
    world.pump();
    world.crash();
    world.start_and_recover();
    world.verify();
  }
}

TEST(StorageTest, ABatchThatTheRingCannotGrowForIsRefusedAndOthersGoOn) {
  World world(20);
  world.options.ring_bytes_limit = 4 << 20;
  world.start_and_recover();
  Log& log = world.create("a");
  world.pump();
  world.disk.no_room = true;
  const BatchSpec large{.value_size = 200'000};
  ASSERT_EQ(world.append(log, large).error(), AppendRefusal::held_back);
  world.pump();
  EXPECT_FALSE(world.storage->held_back(DirId{0}));
  EXPECT_EQ(world.append(log, large).error(), AppendRefusal::storage);
  ASSERT_TRUE(world.append(log, {}).has_value());
  world.pump();
  EXPECT_EQ(log.durable_end(), Offset{1});
  // After a while it is tried again.
  world.disk.no_room = false;
  world.advance(Duration::from_ms(60'000));
  world.pump();
  EXPECT_EQ(world.append(log, large).error(), AppendRefusal::held_back);
  world.pump();
  EXPECT_TRUE(world.append(log, large).has_value());
}

TEST(StorageTest, EntriesThatWaitForTheirHeadsAskForRoomInTheRing) {
  World world(18);
  world.start_and_recover();
  constexpr int kLogs = 30;
  for (int each = 0; each < kLogs; ++each)
    ASSERT_TRUE(world.append(world.create("t" + std::to_string(each)), {}).has_value());
  world.pump();
  world.stop();
  world.start_and_recover();
  int appended = 0;
  for (int each = 0; each < kLogs && !world.storage->held_back(DirId{0}); ++each) {
    ASSERT_TRUE(world.append(world.log("t" + std::to_string(each)), {.value_size = 20'000}).has_value());
    ++appended;
  }
  EXPECT_LT(appended, kLogs);
  world.pump();
  EXPECT_FALSE(world.storage->held_back(DirId{0}));
  for (Log* log : world.storage->logs()) EXPECT_EQ(log->durable_end(), log->end_offset());
  world.crash();
  world.start_and_recover();
  world.verify();
}

// Cut off, continued and cut off again within one block that the journal holds: a start takes the block for
// torn, but not the index for longer than the last truncation left it.
void truncate_within_a_block(int steps) {
  World world(19);
  world.disk.in_order = true;
  world.start_and_recover();
  Log& log = world.create("a", {.index_interval_bytes = 1});
  for (int each = 0; each < 12; ++each) ASSERT_TRUE(world.append(log, {.value_size = 100}).has_value());
  world.pump();
  world.stop();
  world.start_and_recover();
  Log& again = world.log("a");
  for (const std::int64_t end : {9, 6, 3}) {
    world.truncate(again, Offset{end});
    world.pump();
    for (int each = 0; each < 2 && end > 3; ++each)
      ASSERT_TRUE(world.append(again, {.value_size = 100, .fill = 'w'}).has_value());
    world.pump();
  }
  world.storage->stop();
  world.turn();
  for (int each = 0; each < steps && !world.disk.idle(); ++each) world.step();
  world.crash();
  world.start_and_recover();
  world.verify();
  world.stop();
  ASSERT_LE(world.disk.content("a-0/00000000000000000000.index").size(), 3 * kIndexEntrySize);
  world.start_and_recover();
  // What is written behind it is found by the index.
  Log& after = world.log("a");
  for (int each = 0; each < 4; ++each) ASSERT_TRUE(world.append(after, {.value_size = 150}).has_value());
  world.pump();
  world.stop();
  world.start_and_recover();
  for (std::int64_t at = 0; at < 7; ++at) {
    Offset from{at};
    const Buffer got = world.read_all(world.log("a"), from, Offset{7});
    ASSERT_TRUE(got == World::bytes_from(world.models.begin()->second, from, Offset{7})) << at;
  }
}

TEST(StorageTest, AnIndexEndsWithItsLogWhateverATornBlockMakesOfTheRecords) {
  for (int steps = 0; steps < 12 && !HasFailure(); ++steps) truncate_within_a_block(steps);
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

// After each step of a stop: what is told is there after the next start.
TEST(StorageTest, ALogStartThatIsToldDuringAStopOutlivesIt) {
  for (int steps = 0;; ++steps) {
    World world(7);
    world.disk.in_order = true;
    world.start_and_recover();
    Log* log = &world.create("a");
    for (int each = 0; each < 10; ++each) ASSERT_TRUE(world.append(*log, {}).has_value());
    world.pump();
    world.storage->stop();
    for (int step = 0; step < steps; ++step) world.step();
    if (world.storage->stopped()) break;
    world.storage->set_log_start(*log, Offset{4});
    const Offset told = log->start_offset();
    world.stop();
    world.start_and_recover();
    EXPECT_GE(world.log("a").start_offset(), told) << steps;
  }
}

TEST(StorageTest, ABlockWhoseHeadAnUnfinishedEntryBroughtOutlivesTwoCrashesAndACheckpointInBetween) {
  World world(11);
  world.disk.in_order = true;
  world.options.flush_run_bytes = 2'000;
  world.start_and_recover();
  ASSERT_TRUE(world.append(world.create("a"), {.value_size = 3'000}).has_value());
  Log& b = world.create("b");
  // Until a checkpoint knows that "a" is flushed up to within a block, and then until the next is near.
  const auto used = [&] { return world.storage->report(DirId{0}).ring_used_bytes; };
  for (std::uint64_t before = 0; used() >= before; world.pump()) {
    before = used();
    ASSERT_TRUE(world.append(b, {.value_size = 5'000}).has_value());
  }
  for (; used() < 100 << 10; world.pump()) ASSERT_TRUE(world.append(b, {.value_size = 5'000}).has_value());
  // The first frame of this one comes to the disk, with the head of the block, but not the second.
  ASSERT_TRUE(world.append(world.log("a"), {.value_size = 20'000}).has_value());
  const Buffer ring = world.disk.content("journal/0.jnl");
  world.turn();
  while (world.disk.content("journal/0.jnl") == ring) {
    ASSERT_FALSE(world.disk.idle());
    world.storage->completed(world.disk.step(), world.now);
  }
  world.crash();
  // The journal goes on further behind: room is made by a flush of "b" and a checkpoint.
  for (int each = 0; each < 2; ++each) {
    world.start_and_recover();
    ASSERT_TRUE(world.storage->report(DirId{0}).state != DirState::offline)
        << world.storage->report(DirId{0}).failure.message;
    world.verify();
    world.crash();
  }
}

TEST(Storage, a_directory_that_cannot_be_used_is_offline_and_left_alone) {
  for (const bool os_ring : {false, true}) {
    World world(1);
    world.options.os_ring = os_ring;
    world.options.unusable_dirs = {{DirId{0}, "no disk"}};
    world.start();
    EXPECT_EQ(world.disk.submitted(), 0u);
    EXPECT_TRUE(world.storage->recovered());
    EXPECT_EQ(world.storage->report(DirId{0}).state, DirState::offline);
    EXPECT_EQ(world.storage->report(DirId{0}).failure.message, "no disk");
    EXPECT_EQ(world.storage->failed().size(), 1u);
    EXPECT_FALSE(world.storage->create({LogId{}, world.random.uuid(), "t", PartitionId{0}, DirId{0}}, {}));
    world.stop();
  }
}

}  // namespace
}  // namespace tailwater::log
