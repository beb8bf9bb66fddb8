// Goal: tailwater.durability=os: what the operating system has is acknowledged, no more is promised than
// flush.messages and flush.ms say, and the logs beside it do not notice. Method: a disk whose syncs fail
// shows who waited for one; kills and power losses show what is kept.
#include <gtest/gtest.h>

#include "core/log/manifest.hpp"
#include "core/log/test_world.hpp"

namespace tailwater::log {
namespace {

constexpr const char* kSoftRing = "journal/0-os.jnl";

LogConfig os_config() {
  LogConfig config;
  config.os_durable = true;
  return config;
}

class SoftRingTest : public testing::Test {
 protected:
  SoftRingTest() {
    world.options.os_ring = true;
    world.start_and_recover();
  }
  Log& create(const std::string& topic, const LogConfig& config) {
    Log& log = world.create(topic, config);
    world.pump();
    return log;
  }
  void fail_syncs() {
    world.disk.failing = kSoftRing;
    world.disk.failing_kind = DiskOpKind::sync;
  }
  bool online() { return world.storage->report(DirId{0}).state == DirState::online; }
  // Appended, and everything that follows from it done.
  Offset acknowledged_after_append(Log& log) {
    EXPECT_TRUE(world.append(log, {}).has_value());
    world.pump();
    return log.durable_end();
  }
  bool said(std::string_view text) {
    return std::any_of(world.faults.begin(), world.faults.end(),
                       [&](const std::string& fault) { return fault.find(text) != std::string::npos; });
  }

  World world{1};
};

TEST_F(SoftRingTest, ALogThatIsCreatedWithOsGoesToTheSoftRing) {
  create("hard", {});
  create("soft", os_config());
  world.storage->stop();
  world.pump();
  ASSERT_TRUE(world.storage->stopped());
  const Manifest hard = world.storage->describe(DirId{0});
  const Manifest soft = world.storage->describe(DirId{0}, true);
  ASSERT_EQ(hard.logs.size(), 1u);
  ASSERT_EQ(soft.logs.size(), 1u);
  EXPECT_EQ(hard.logs[0].topic, "hard");
  EXPECT_EQ(soft.logs[0].topic, "soft");
  EXPECT_NE(hard.logs[0].id, soft.logs[0].id);
}

TEST_F(SoftRingTest, WithoutASoftRingOsIsKeptLikeEverythingElse) {
  World plain(2);
  plain.start_and_recover();
  Log& log = plain.create("t", os_config());
  ASSERT_TRUE(plain.append(log, {}).has_value());
  plain.pump();
  EXPECT_EQ(log.durable_end(), Offset{1});
  plain.crash();
  plain.start_and_recover();
  plain.verify();
  EXPECT_FALSE(plain.disk.exists(kSoftRing));
}

TEST_F(SoftRingTest, IsAcknowledgedWithoutASync) {
  Log& log = create("t", os_config());
  fail_syncs();
  EXPECT_EQ(acknowledged_after_append(log), Offset{1});
  EXPECT_TRUE(online());
}

TEST_F(SoftRingTest, AKillLosesNothing) {
  Log& log = create("t", os_config());
  for (int each = 0; each < 20; ++each) acknowledged_after_append(log);
  world.kill();
  world.start_and_recover();
  EXPECT_EQ(world.log("t").end_offset(), Offset{20});
  world.verify();
  EXPECT_FALSE(said("the machine went down"));
}

TEST_F(SoftRingTest, APowerLossTakesAnEndAndIsSaid) {
  create("hard", {});
  Log& log = create("soft", os_config());
  for (int each = 0; each < 20; ++each) {
    acknowledged_after_append(log);
    acknowledged_after_append(world.log("hard"));
  }
  world.crash();
  world.start_and_recover();
  world.take_news();
  EXPECT_EQ(world.log("hard").end_offset(), Offset{20});
  EXPECT_LE(world.log("soft").end_offset(), Offset{20});
  world.verify();
  EXPECT_TRUE(said("of 1 partitions with tailwater.durability=os"));
  // And it goes on from there.
  acknowledged_after_append(world.log("soft"));
  world.kill();
  world.start_and_recover();
  world.verify();
}

TEST_F(SoftRingTest, FlushMessagesOfOneIsAcknowledgedAfterASync) {
  LogConfig config = os_config();
  config.flush_messages = 1;
  Log& log = create("t", config);
  EXPECT_EQ(acknowledged_after_append(log), Offset{1});
  world.crash();
  world.start_and_recover();
  EXPECT_EQ(world.log("t").end_offset(), Offset{1});
  fail_syncs();
  EXPECT_EQ(acknowledged_after_append(world.log("t")), Offset{1});
  EXPECT_FALSE(online());
}

TEST_F(SoftRingTest, FlushMessagesBoundsWhatIsNotSynced) {
  LogConfig config = os_config();
  config.flush_messages = 3;
  Log& log = create("t", config);
  fail_syncs();
  EXPECT_EQ(acknowledged_after_append(log), Offset{1});
  EXPECT_EQ(acknowledged_after_append(log), Offset{2});
  EXPECT_TRUE(online());
  EXPECT_EQ(acknowledged_after_append(log), Offset{2});
  EXPECT_FALSE(online());
}

TEST_F(SoftRingTest, FlushMsBoundsHowLongSomethingIsNotSynced) {
  LogConfig config = os_config();
  config.flush_ms = 50;
  Log& log = create("t", config);
  EXPECT_EQ(acknowledged_after_append(log), Offset{1});
  EXPECT_EQ(world.storage->next_deadline(), world.now.monotonic + Duration::from_ms(50));
  world.advance(Duration::from_ms(50));
  world.pump();
  world.crash();
  world.start_and_recover();
  EXPECT_EQ(world.log("t").end_offset(), Offset{1});
  // The bound is kept by a sync, not by waiting.
  acknowledged_after_append(world.log("t"));
  fail_syncs();
  world.advance(Duration::from_ms(50));
  world.pump();
  EXPECT_FALSE(online());
}

TEST_F(SoftRingTest, WhatIsWantedStableIsSyncedAtOnceAndAcknowledgedBefore) {
  Log& log = create("t", os_config());
  acknowledged_after_append(log);
  EXPECT_EQ(log.stable_end(), Offset{0});
  ASSERT_TRUE(world.append(log, {}).has_value());
  Storage::want_stable(log);
  ASSERT_TRUE(world.append(log, {}).has_value());
  std::vector<Offset> told;
  for (world.turn(); !world.disk.idle(); world.turn()) {
    world.storage->completed(world.disk.step(), world.now);
    for (const Log* changed : world.storage->changed()) told.push_back(changed->stable_end());
  }
  EXPECT_EQ(log.durable_end(), Offset{3});
  EXPECT_EQ(log.stable_end(), Offset{3});
  ASSERT_FALSE(told.empty());
  EXPECT_EQ(told.back(), Offset{3}) << "it is no news";
  world.crash();
  world.start_and_recover();
  EXPECT_EQ(world.log("t").end_offset(), Offset{3});
  // No other append waits for the sync.
  ASSERT_TRUE(world.append(world.log("t"), {}).has_value());
  Storage::want_stable(world.log("t"));
  fail_syncs();
  EXPECT_EQ(acknowledged_after_append(world.log("t")), Offset{5});
  EXPECT_EQ(world.log("t").stable_end(), Offset{3});
}

TEST_F(SoftRingTest, WhatIsWantedStableOfALogThatWaitsIsSyncedWhenItMayGo) {
  create("first", os_config());
  // The entries of a new log wait outside the queue for what its namesake left in the other ring.
  ASSERT_TRUE(world.append(create("other", {}), {}).has_value());
  Log& fresh = world.create("fresh", os_config());
  ASSERT_TRUE(world.append(fresh, {}).has_value());
  Storage::want_stable(fresh);
  world.pump();
  EXPECT_EQ(fresh.stable_end(), Offset{1});
}

TEST_F(SoftRingTest, InTheHardRingWhatIsDurableIsStable) {
  Log& log = create("t", {});
  ASSERT_TRUE(world.append(log, {}).has_value());
  Storage::want_stable(log);
  EXPECT_EQ(log.stable_end(), Offset{0});
  world.pump();
  EXPECT_EQ(log.stable_end(), Offset{1});
}

TEST_F(SoftRingTest, ALogThatBecomesFsyncIsAcknowledgedAfterASyncFromThenOn) {
  Log& log = create("t", os_config());
  acknowledged_after_append(log);
  world.configs["t"] = {};
  world.storage->set_config(log, {});
  EXPECT_EQ(acknowledged_after_append(log), Offset{2});
  world.crash();
  world.start_and_recover();
  EXPECT_EQ(world.log("t").end_offset(), Offset{2});
  fail_syncs();
  EXPECT_EQ(acknowledged_after_append(world.log("t")), Offset{2});
  EXPECT_FALSE(online());
}

TEST_F(SoftRingTest, ALogThatBecomesOsKeepsTheRingThatPromisesMore) {
  Log& log = create("t", {});
  world.configs["t"] = os_config();
  world.storage->set_config(log, os_config());
  EXPECT_EQ(acknowledged_after_append(log), Offset{1});
  world.crash();
  world.start_and_recover();
  EXPECT_EQ(world.log("t").end_offset(), Offset{1});
}

TEST_F(SoftRingTest, WhatAFailedWriteOfOneRingSaysHoldsForBoth) {
  Log& hard = create("hard", {});
  Log& soft = create("soft", os_config());
  world.disk.failing = kSoftRing;
  EXPECT_EQ(acknowledged_after_append(soft), Offset{0});
  EXPECT_EQ(world.storage->report(DirId{0}).state, DirState::offline);
  EXPECT_EQ(world.append(hard, {}).error(), AppendRefusal::storage);
}

// The folder of a removed log, and the one of the new log with its name, are of different rings.
TEST_F(SoftRingTest, ATopicThatComesBackInTheOtherRingWaitsForItsFolder) {
  for (const bool back_as_os : {true, false}) {
    const std::string topic = back_as_os ? "a" : "b";
    Log& old = create(topic, back_as_os ? LogConfig{} : os_config());
    for (int each = 0; each < 40; ++each) {
      ASSERT_TRUE(world.append(old, {.value_size = 3'000}).has_value());
      world.pump();
    }
    world.stop();
    world.start_and_recover();
    world.remove(world.log(topic));
    Log& fresh = world.create(topic, back_as_os ? os_config() : LogConfig{});
    while (world.storage->held_back(DirId{0})) world.step();
    for (int each = 0; each < 40; ++each) {
      ASSERT_TRUE(world.append(fresh, {.value_size = 2'000, .fill = 'n'}).has_value());
      if (each % 10 == 9) world.pump();
    }
    world.stop();
    world.start_and_recover();
    EXPECT_EQ(world.log(topic).end_offset(), Offset{40});
    world.verify();
    world.advance(Duration::from_ms(100'000));
    world.pump();
    world.verify();
  }
}

TEST_F(SoftRingTest, ANewLogWaitsForTheRemovalOfItsNamesakeInTheOtherRing) {
  // So that there is a soft ring.
  world.remove(create("other", os_config()));
  Log& old = create("t", {});
  ASSERT_TRUE(world.append(old, {}).has_value());
  world.pump();
  world.remove(old);
  Log& fresh = world.create("t", os_config());
  ASSERT_TRUE(world.append(fresh, {}).has_value());
  // The frame with the removal is lost, whatever else is written.
  world.disk.failing = "journal/0.jnl";
  world.pump();
  EXPECT_EQ(fresh.durable_end(), Offset{0});
  const LogId lost = fresh.id();
  world.disk.failing.clear();
  world.crash();
  world.models.erase(lost);
  world.configs["t"] = {};
  world.start_and_recover();
  ASSERT_EQ(world.storage->logs().size(), 1u);
  EXPECT_EQ(world.storage->logs()[0]->end_offset(), Offset{1});
}

TEST_F(SoftRingTest, ANewLogMayGoBeforeItWasWritten) {
  world.remove(create("t", {}));
  world.remove(world.create("t", os_config()));
  Log& last = world.create("t", {});
  ASSERT_TRUE(world.append(last, {}).has_value());
  world.pump();
  EXPECT_EQ(last.durable_end(), Offset{1});
  for (int round = 0; round < 2; ++round) {
    world.kill();
    world.start_and_recover();
    ASSERT_EQ(world.storage->logs().size(), 1u);
    world.verify();
  }
}

TEST_F(SoftRingTest, IsMadeForTheFirstLogThatAsksForIt) {
  Log& hard = create("hard", {});
  acknowledged_after_append(hard);
  EXPECT_FALSE(world.disk.exists(kSoftRing));
  // Also one that comes and goes leaves its neighbours alone; until the ring is there, producers wait.
  Log& soft = world.create("soft", os_config());
  EXPECT_TRUE(world.storage->held_back(DirId{0}));
  EXPECT_EQ(world.append(soft, {}).error(), AppendRefusal::held_back);
  world.remove(world.create("gone", os_config()));
  world.pump();
  EXPECT_FALSE(world.storage->held_back(DirId{0}));
  EXPECT_TRUE(world.disk.exists(kSoftRing));
  EXPECT_EQ(acknowledged_after_append(soft), Offset{1});
  world.kill();
  world.start_and_recover();
  EXPECT_EQ(world.storage->logs().size(), 2u);
  world.verify();
}

// At every step of the way: a second log comes, a third one comes and goes.
TEST_F(SoftRingTest, OthersMayComeAndGoWhileItIsMade) {
  for (std::uint64_t steps = 0; steps < 20; ++steps) {
    World each(steps);
    each.options.os_ring = true;
    each.start_and_recover();
    each.create("first", os_config());
    each.turn();
    for (std::uint64_t step = 0; step < steps; ++step) each.step();
    Log& third = each.create("third", os_config());
    if (const auto appended = each.append(third, {}); !appended) {
      EXPECT_EQ(appended.error(), AppendRefusal::held_back);
    }
    each.remove(third);
    Log& second = each.create("second", os_config());
    each.pump();
    ASSERT_TRUE(each.append(second, {}).has_value());
    each.pump();
    EXPECT_EQ(second.durable_end(), Offset{1});
    each.kill();
    each.start_and_recover();
    EXPECT_EQ(each.storage->logs().size(), 2u) << "after " << steps << " steps";
    each.verify();
  }
}

TEST_F(SoftRingTest, StopsWithoutOne) {
  acknowledged_after_append(create("hard", {}));
  world.storage->stop();
  world.pump();
  ASSERT_TRUE(world.storage->stopped());
  EXPECT_TRUE(world.storage->describe(DirId{0}, true).logs.empty());
  EXPECT_FALSE(world.disk.exists(kSoftRing));
  world.kill();
  world.start_and_recover();
  EXPECT_EQ(world.log("hard").end_offset(), Offset{1});
}

TEST_F(SoftRingTest, StopsWhileItIsBeingMade) {
  world.create("soft", os_config());
  world.stop();
  world.start_and_recover();
  EXPECT_EQ(world.storage->logs().size(), 1u);
}

TEST_F(SoftRingTest, IsMadeWhenTheDiskHasRoomForIt) {
  Log& hard = create("hard", {});
  world.disk.no_room = true;
  Log& soft = world.create("soft", os_config());
  world.pump();
  EXPECT_EQ(world.storage->report(DirId{0}).state, DirState::full);
  world.disk.no_room = false;
  world.advance(Duration::from_ms(1'000));
  world.pump();
  EXPECT_TRUE(online());
  EXPECT_EQ(acknowledged_after_append(soft), Offset{1});
  EXPECT_EQ(acknowledged_after_append(hard), Offset{1});
}

TEST_F(SoftRingTest, StopsAlthoughItFoundNoRoom) {
  world.disk.no_room = true;
  world.create("soft", os_config());
  world.pump();
  world.disk.no_room = false;
  world.storage->stop();
  world.pump();
  EXPECT_TRUE(world.storage->stopped());
}

// The power fails at every step of the way from the first such log to its first records.
TEST_F(SoftRingTest, APowerLossWhileItIsMadeLosesNothingElse) {
  for (std::uint64_t steps = 0; steps < 40; ++steps) {
    World each(steps);
    each.options.os_ring = true;
    each.start_and_recover();
    ASSERT_TRUE(each.append(each.create("hard", {}), {}).has_value());
    each.pump();
    each.create("soft", os_config());
    each.turn();
    for (std::uint64_t step = 0; step < steps; ++step) each.step();
    each.crash();
    each.start_and_recover();
    each.verify();
    EXPECT_EQ(each.log("hard").end_offset(), Offset{1});
  }
}

// More than the ring takes, so that it is synced, flushed and trimmed on the way.
TEST_F(SoftRingTest, TheRingGoesRound) {
  Log& log = create("t", os_config());
  for (int each = 0; each < 400; ++each) {
    while (world.storage->held_back(DirId{0})) world.pump();
    ASSERT_TRUE(world.append(log, {.value_size = 4'000}).has_value());
    if (each % 7 == 0) world.pump();
  }
  world.pump();
  EXPECT_EQ(log.durable_end(), Offset{400});
  world.kill();
  world.start_and_recover();
  EXPECT_EQ(world.log("t").end_offset(), Offset{400});
  world.verify();
}

}  // namespace
}  // namespace tailwater::log
