// Goal: offsets go when their time has come and nobody may want them, groups when they hold nothing. Method:
// one group of each kind, virtual days.
#include <gtest/gtest.h>

#include "core/group/test_harness.hpp"

namespace tailwater::group {
namespace {

constexpr std::int64_t kMinute = 60'000;
constexpr std::int64_t kHour = 60 * kMinute;

Options hour_of_retention() {
  return {.initial_rebalance_delay = Duration{}, .offsets_retention = Duration::from_ms(kHour)};
}

// Lets time pass while the members send heartbeats.
void live(Harness& harness, const std::vector<std::string>& members, std::int64_t ms) {
  for (std::int64_t passed = 0; passed < ms; passed += 5'000) {
    harness.advance_ms(5'000);
    for (const std::string& member : members) ASSERT_EQ(harness.heartbeat(member, 1), ErrorCode::none);
  }
}

TEST(Expiry, SimpleConsumersFromCommitTime) {
  Harness harness(hour_of_retention());
  harness.commit({.partition = 0, .offset = 1});
  harness.advance_ms(30 * kMinute);
  harness.commit({.partition = 1, .offset = 1});
  harness.advance_ms(31 * kMinute);
  EXPECT_EQ(harness.fetch("t", 0), -1);
  EXPECT_EQ(harness.fetch("t", 1), 1);
  harness.advance_ms(40 * kMinute);
  EXPECT_EQ(harness.coordinator->group_count(), 0u);
  EXPECT_EQ(harness.coordinator->memory(), 0u);
  harness.restart();
  EXPECT_EQ(harness.coordinator->group_count(), 0u);
}

TEST(Expiry, SweepsEveryTenMinutes) {
  Harness harness({.offsets_retention = Duration::from_ms(1)});
  harness.commit({.offset = 1});
  harness.advance_ms(10 * kMinute - 1);
  EXPECT_EQ(harness.fetch(), 1);
  harness.advance_ms(1);
  EXPECT_EQ(harness.fetch(), -1);
}

TEST(Expiry, MembersKeepTheirOffsets) {
  Harness harness(hour_of_retention());
  const auto members = harness.stable_group(1);
  harness.commit({.member = members[0], .generation = 1, .topic = "t", .offset = 1});
  harness.commit({.member = members[0], .generation = 1, .topic = "not read", .offset = 1});
  live(harness, members, 2 * kHour);
  EXPECT_EQ(harness.fetch("t"), 1);
  EXPECT_EQ(harness.fetch("not read"), -1);
}

TEST(Expiry, OffsetsOfADeletedTopicGoWithIt) {
  Harness harness(hour_of_retention());
  const auto members = harness.stable_group(1);
  harness.commit({.member = members[0], .generation = 1, .topic = "t", .offset = 1});
  harness.commit({.member = members[0], .generation = 1, .topic = "t", .partition = 7, .offset = 2});
  harness.commit({.member = members[0], .generation = 1, .topic = "other", .offset = 3});
  harness.commit({.group = "simple", .topic = "t", .offset = 4});
  harness.coordinator->forget_topics([](std::string_view topic, const Uuid&) { return topic == "t"; },
                                     harness.now, harness.out);
  harness.drain();
  EXPECT_EQ(harness.fetch("t"), -1);
  EXPECT_EQ(harness.fetch("t", 7), -1);
  EXPECT_EQ(harness.fetch("other"), 3);
  EXPECT_EQ(harness.fetch("t", 0, "simple"), -1);
  EXPECT_EQ(harness.state(), "Stable");
  harness.restart();
  EXPECT_EQ(harness.fetch("t"), -1);
  EXPECT_EQ(harness.fetch("other"), 3);
}

// The topic "t" was deleted, and there is one of that name again.
struct MadeAnew : Harness {
  void forget() {
    coordinator->forget_topics(
        [this](std::string_view topic, const Uuid& id) { return topic == "t" && id != now_there; }, now, out);
    drain();
  }
  Uuid gone{1, 1};
  Uuid now_there{2, 2};
};

TEST(Expiry, OffsetsOfTheTopicThatHasTheNameNowStay) {
  MadeAnew harness;
  harness.commit({.partition = 0, .offset = 1, .topic_id = harness.gone});
  harness.commit({.partition = 1, .offset = 2, .topic_id = harness.now_there});
  harness.commit({.partition = 2, .offset = 3});
  harness.commit({.topic = "u", .partition = 2, .offset = 4, .topic_id = harness.gone});
  for (const bool restarted : {false, true}) {
    if (restarted) harness.restart();
    harness.forget();
    EXPECT_EQ(harness.fetch("t", 0), -1);
    EXPECT_EQ(harness.fetch("t", 1), 2);
    EXPECT_EQ(harness.fetch("t", 2), -1);
    EXPECT_EQ(harness.fetch("u", 2), 4);
  }
}

TEST(Expiry, WhatIsBeingWrittenForADeletedTopicGoesToo) {
  MadeAnew harness;
  harness.commit({.partition = 0, .offset = 1, .topic_id = harness.gone});
  harness.commit({.partition = 1, .offset = 1, .topic_id = harness.gone});
  harness.commit({.partition = 2, .offset = 1, .topic_id = harness.now_there});
  harness.persists_at_once = false;
  harness.commit({.partition = 0, .offset = 2, .topic_id = harness.gone});
  harness.commit({.partition = 1, .offset = 3, .topic_id = harness.now_there});
  harness.commit({.partition = 3, .offset = 4, .topic_id = harness.gone});
  harness.txn_commit({.partition = 4, .offset = 5}, ProducerId{7});  // without an id
  harness.persists_at_once = true;
  harness.forget();
  harness.end_transaction(ProducerId{7}, true);
  for (const bool restarted : {false, true}) {
    if (restarted) harness.restart();
    EXPECT_EQ(harness.fetch("t", 0), -1);
    EXPECT_EQ(harness.fetch("t", 1), 3);
    EXPECT_EQ(harness.fetch("t", 2), 1);
    EXPECT_EQ(harness.fetch("t", 3), -1);
    EXPECT_EQ(harness.fetch("t", 4), -1);
  }
}

TEST(Expiry, ManyOffsetsOfADeletedTopicGoInSeveralBatches) {
  Harness harness({.batch_bytes_max = 1'000});
  for (std::int32_t partition = 0; partition < 50; ++partition) {
    harness.commit({.partition = partition, .offset = 1});
  }
  harness.on_append = [](const Append& append) { EXPECT_LE(append.batch.size(), 1'000u); };
  harness.coordinator->forget_topics([](std::string_view, const Uuid&) { return true; }, harness.now,
                                     harness.out);
  harness.drain();
  EXPECT_EQ(harness.coordinator->group_count(), 0u);
}

TEST(Expiry, OtherProtocolsKeepEverythingWhileTheyLive) {
  Harness harness(hour_of_retention());
  const auto members = harness.stable_group(1, {.type = "connect"});
  harness.commit({.member = members[0], .generation = 1, .offset = 1});
  live(harness, members, 2 * kHour);
  EXPECT_EQ(harness.fetch(), 1);
}

TEST(Expiry, CountsFromTheMomentTheGroupBecameEmpty) {
  Harness harness(hour_of_retention());
  const auto members = harness.stable_group(1);
  harness.commit({.member = members[0], .generation = 1, .offset = 1});
  live(harness, members, 2 * kHour);
  harness.leave({{members[0], std::nullopt}});
  harness.advance_ms(55 * kMinute);
  EXPECT_EQ(harness.fetch(), 1);
  harness.restart();  // that moment is in the log
  harness.advance_ms(4 * kMinute);
  EXPECT_EQ(harness.fetch(), 1);
  harness.advance_ms(11 * kMinute);
  EXPECT_EQ(harness.fetch(), -1);
  EXPECT_EQ(harness.coordinator->group_count(), 0u);
  harness.restart();
  EXPECT_EQ(harness.coordinator->group_count(), 0u);
}

TEST(Expiry, AnEmptyGroupWithoutOffsetsGoesWithTheNextSweep) {
  Harness harness;
  const auto members = harness.stable_group(1);
  harness.leave({{members[0], std::nullopt}});
  EXPECT_EQ(harness.state(), "Empty");
  harness.advance_ms(10 * kMinute);
  EXPECT_EQ(harness.coordinator->group_count(), 0u);
  harness.restart();
  EXPECT_EQ(harness.coordinator->group_count(), 0u);
}

TEST(Expiry, AClientsOwnRetentionTimeCounts) {
  Harness harness(hour_of_retention());
  harness.commit({.version = 4, .partition = 0, .offset = 1, .retention_ms = 5 * kMinute});
  harness.commit({.version = 4, .partition = 1, .offset = 1, .retention_ms = INT64_MAX});
  harness.restart();
  harness.advance_ms(10 * kMinute);
  EXPECT_EQ(harness.fetch("t", 0), -1);
  harness.advance_ms(10 * kHour);
  EXPECT_EQ(harness.fetch("t", 1), 1);
}

TEST(Expiry, WhatIsBeingWrittenStays) {
  Harness harness({.offsets_retention = Duration::from_ms(1)});
  harness.commit({.offset = 1});
  harness.persists_at_once = false;
  harness.commit({.offset = 2});
  harness.advance_ms(10 * kMinute);
  ASSERT_EQ(harness.appends.size(), 1u);  // the commit alone
  harness.persist_one();
  EXPECT_EQ(harness.fetch(), 2);
}

TEST(Expiry, ARefusedTombstoneIsTriedAgain) {
  Harness harness({.offsets_retention = Duration::from_ms(1)});
  const auto members = harness.stable_group(1);
  harness.commit({.member = members[0], .generation = 1, .offset = 1});
  harness.leave({{members[0], std::nullopt}});
  harness.persists_at_once = false;
  harness.advance_ms(10 * kMinute);
  ASSERT_EQ(harness.appends.size(), 1u);
  EXPECT_EQ(harness.state(), "Dead");
  harness.persist_one(ErrorCode::not_enough_replicas);
  EXPECT_EQ(harness.state(), "Empty");
  EXPECT_EQ(harness.fetch(), 1);
  harness.persists_at_once = true;
  harness.advance_ms(10 * kMinute);
  EXPECT_EQ(harness.coordinator->group_count(), 0u);
}

TEST(Expiry, ManyGroupsAreSweptInSlices) {
  Harness harness({.offsets_retention = Duration::from_ms(1)});
  for (int group = 0; group < 7'000; ++group) harness.commit({.group = std::to_string(group), .offset = 1});
  harness.replies.clear();
  harness.advance_ms(10 * kMinute - 1);
  harness.set_time(harness.now.monotonic + Duration::from_ms(1));
  harness.coordinator->tick(harness.now, harness.out);
  const std::size_t slice = harness.out.appends.size();
  EXPECT_GT(slice, 0u);
  EXPECT_LT(slice, 7'000u);
  EXPECT_EQ(harness.out.wake_at, harness.now.monotonic);
  harness.drain();
  harness.advance_ms(0);
  EXPECT_EQ(harness.coordinator->group_count(), 0u);
}

TEST(Expiry, TakesNoMoreAtOnceThanABatchMayHold) {
  Harness harness({.offsets_retention = Duration::from_ms(1), .batch_bytes_max = 1'000});
  for (std::int32_t partition = 0; partition < 50; ++partition) {
    harness.commit({.partition = partition, .offset = 1});
  }
  harness.on_append = [](const Append& append) { EXPECT_LE(append.batch.size(), 1'000u); };
  harness.advance_ms(10 * kMinute);
  EXPECT_EQ(harness.coordinator->group_count(), 1u);  // the rest goes with the next sweeps
  harness.advance_ms(50 * kMinute);
  EXPECT_EQ(harness.coordinator->group_count(), 0u);
}

TEST(Expiry, SubscriptionsThatCannotBeReadKeepTheirOffsets) {
  Harness harness(hour_of_retention());
  const auto members = harness.stable_group(1, {.protocols = {{"range", bytes_of("?")}}});
  harness.commit({.member = members[0], .generation = 1, .offset = 1});
  live(harness, members, 2 * kHour);
  EXPECT_EQ(harness.fetch(), 1);
  EXPECT_EQ(harness.reply<wire::OffsetDeleteResponse>(harness.offset_delete())
                .topics.at(0)
                .partitions.at(0)
                .error_code,
            ErrorCode::group_subscribed_to_topic);
}

}  // namespace
}  // namespace tailwater::group
