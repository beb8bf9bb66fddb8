// Goal: a coordinator gives the right answers before, during and after its time, and a restart brings back
// what the log holds, whatever else lies in it. Method: one situation per test; damaged and foreign batches
// made by hand.
#include <gtest/gtest.h>

#include "core/group/test_harness.hpp"
#include "records/builder.hpp"

namespace tailwater::group {
namespace {

Options no_delay() {
  return {.initial_rebalance_delay = Duration{}};
}

Buffer batch_of(const std::vector<KeyValue>& records, records::BatchOptions options = {}) {
  records::BatchBuilder builder(options);
  for (const KeyValue& record : records) {
    EXPECT_TRUE(
        builder.add(1, Bytes(record.key), record.value ? std::optional<Bytes>(*record.value) : std::nullopt));
  }
  Buffer batch;
  EXPECT_TRUE(builder.finish(batch).has_value());
  return batch;
}

KeyValue offset(const std::string& group, std::int64_t value) {
  return encode(
      OffsetChange{.group = group, .topic = "t", .partition = 0, .value = CommittedOffset{.offset = value}});
}

struct Loading : Harness {
  Loading() { coordinator = std::make_unique<GroupCoordinator>(options, Prng(1)); }
  void load() {
    coordinator->loaded(now, out);
    drain();
  }
};

TEST(Loading, AnswersThatItIsLoading) {
  Loading harness;
  constexpr auto loading = ErrorCode::coordinator_load_in_progress;
  EXPECT_EQ(harness.join_error({}), loading);
  EXPECT_EQ(harness.join_error({.group = ""}), ErrorCode::invalid_group_id);
  EXPECT_EQ(harness.sync_error({}), loading);
  EXPECT_EQ(harness.heartbeat("m", 1), ErrorCode::none);  // clients take an error here for a fatal one
  EXPECT_EQ(harness.leave({{"m", std::nullopt}}).error_code, loading);
  EXPECT_EQ(harness.commit_error({}), loading);
  EXPECT_EQ(harness.reply<wire::OffsetDeleteResponse>(harness.offset_delete()).error_code, loading);
  EXPECT_EQ(harness.delete_error(harness.delete_group()), loading);
  EXPECT_EQ(harness.coordinator->describe_group("g", 6).error_code, loading);
  EXPECT_EQ(harness.coordinator->offset_fetch({}).error_code, loading);
  std::vector<wire::ListGroupsResponse::ListedGroup> groups;
  EXPECT_EQ(harness.coordinator->list_groups({}, groups), loading);
  harness.load();
  EXPECT_EQ(harness.commit_error({}), ErrorCode::none);
}

TEST(Unload, AnswersEverybodyWhoWaits) {
  Harness harness(no_delay());
  const auto members = harness.stable_group(2, {.group = "joining"});
  const Ticket join = harness.join({.group = "joining", .member = members[0]});
  const std::string a = harness.new_id({.group = "syncing"});
  const std::string b = harness.new_id({.group = "syncing"});
  harness.join({.group = "syncing", .member = a});
  harness.join({.group = "syncing", .member = b});
  harness.advance_ms(0);
  const Ticket sync = harness.sync({.group = "syncing", .member = b});
  harness.commit({.group = "deleting"});
  harness.commit({.group = "trimming"});
  harness.persists_at_once = false;
  const Ticket leader = harness.sync({.group = "syncing", .member = a});
  const Ticket commit = harness.commit({.group = "committing"});
  const Ticket deletion = harness.delete_group("deleting");
  const Ticket trimming = harness.offset_delete("t", 0, "trimming");
  harness.coordinator->unload(harness.out);
  harness.drain();
  constexpr auto gone = ErrorCode::not_coordinator;
  EXPECT_EQ(harness.joined(join).error_code, gone);
  EXPECT_EQ(harness.synced(sync).error_code, gone);
  EXPECT_EQ(harness.synced(leader).error_code, gone);
  EXPECT_EQ(harness.committed(commit), gone);
  EXPECT_EQ(harness.delete_error(deletion), gone);
  EXPECT_EQ(harness.reply<wire::OffsetDeleteResponse>(trimming).error_code, gone);
  EXPECT_EQ(harness.coordinator->memory(), 0u);
  // Late outcomes and later requests.
  while (!harness.appends.empty()) harness.persist_one();
  EXPECT_EQ(harness.join_error({}), gone);
  EXPECT_EQ(harness.heartbeat("m", 1), gone);
  EXPECT_EQ(harness.commit_error({}), gone);
  harness.coordinator->tick(harness.now, harness.out);
  EXPECT_EQ(harness.out.wake_at, std::nullopt);
}

TEST(Replay, MembersHaveAFreshSessionAndTheirAssignment) {
  Harness harness(no_delay());
  const auto members = harness.stable_group(2);
  harness.advance_ms(9'000);
  harness.restart();
  harness.advance_ms(9'000);
  EXPECT_EQ(harness.state(), "Stable");
  EXPECT_EQ(harness.heartbeat(members[1], 1), ErrorCode::none);
  EXPECT_EQ(text_of(harness.synced(harness.sync({.member = members[1]})).assignment), "for " + members[1]);
  harness.advance_ms(1'000);
  EXPECT_EQ(harness.state(), "PreparingRebalance");
}

TEST(Replay, AGenerationThatWasNeverWrittenIsForgotten) {
  Harness harness(no_delay());
  const auto members = harness.stable_group(1);
  harness.join({.member = members[0], .protocols = {{"range", bytes_of("x")}}});
  EXPECT_EQ(harness.state(), "CompletingRebalance");
  harness.restart();
  EXPECT_EQ(harness.state(), "Stable");
  EXPECT_EQ(harness.heartbeat(members[0], 2), ErrorCode::illegal_generation);
  EXPECT_EQ(harness.heartbeat(members[0], 1), ErrorCode::none);
}

TEST(Replay, OffsetsOutliveTheirGroupsRecord) {
  Loading harness;
  const GroupChange group{.group = "g", .value = GroupRecord{.protocol_type = "consumer", .generation = 3}};
  const GroupChange tombstone{.group = "g"};
  const auto done = harness.coordinator->replay(batch_of({encode(group), offset("g", 5), encode(tombstone)}));
  ASSERT_TRUE(done.has_value());
  EXPECT_EQ(*done, (Replayed{.applied = 3}));
  harness.load();
  EXPECT_EQ(harness.fetch(), 5);
  EXPECT_EQ(harness.coordinator->describe_group("g", 6).protocol_type, "");
}

TEST(Replay, TombstonesOfTheUnknownDoNothing) {
  Loading harness;
  const KeyValue no_offset{.key = offset("g", 1).key, .value = std::nullopt};
  ASSERT_TRUE(
      harness.coordinator->replay(batch_of({encode(GroupChange{.group = "g"}), no_offset})).has_value());
  EXPECT_EQ(harness.coordinator->group_count(), 0u);
}

TEST(Replay, DamagedAndForeignRecordsArePassedOver) {
  Loading harness;
  KeyValue damaged = offset("d", 1);
  damaged.value->resize(4);
  KeyValue foreign = offset("f", 1);
  foreign.key[1] = std::byte{8};
  const KeyValue no_type{.key = {}, .value = {}};
  const auto done = harness.coordinator->replay(batch_of({damaged, foreign, no_type, offset("g", 7)}));
  ASSERT_TRUE(done.has_value());
  EXPECT_EQ(*done, (Replayed{.applied = 1, .foreign = 1, .damaged = 2}));
  harness.load();
  EXPECT_EQ(harness.fetch(), 7);
}

TEST(Replay, OffsetsOfTransactionsCountWithTheirMarker) {
  Loading harness;
  const records::BatchOptions options{.producer_id = ProducerId{1},
                                      .producer_epoch = ProducerEpoch{0},
                                      .base_sequence = 0,
                                      .transactional = true};
  const auto done = harness.coordinator->replay(batch_of({offset("g", 7)}, options));
  ASSERT_TRUE(done.has_value());
  EXPECT_EQ(*done, (Replayed{.applied = 1}));
  Buffer marker;
  records::append_end_marker({.type = records::ControlType::commit, .producer_id = ProducerId{1}}, {},
                             marker);
  EXPECT_EQ(*harness.coordinator->replay(marker), (Replayed{.applied = 1}));
  harness.load();
  EXPECT_EQ(harness.fetch(), 7);
}

TEST(Replay, CompressedBatches) {
  for (const auto codec :
       {records::Codec::gzip, records::Codec::snappy, records::Codec::lz4, records::Codec::zstd}) {
    Loading harness;
    ASSERT_TRUE(harness.coordinator->replay(batch_of({offset("g", 7)}, {.codec = codec})).has_value());
    harness.load();
    EXPECT_EQ(harness.fetch(), 7);
  }
}

TEST(Replay, EveryFlippedBitEndsWell) {
  const GroupChange group{
      .group = "g",
      .value = GroupRecord{.protocol_type = "consumer",
                           .generation = 3,
                           .protocol_name = "range",
                           .leader = "m",
                           .members = {{.member_id = "m", .session_timeout_ms = 10'000}}}};
  const Buffer batch = batch_of({encode(group), offset("g", 5)});
  for (std::size_t bit = 0; bit < batch.size() * 8; ++bit) {
    Loading harness;
    Buffer damaged = batch;
    damaged[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
    const bool covered = bit / 8 >= records::at::kAttributes;
    const auto as_read = harness.coordinator->replay(damaged);
    EXPECT_TRUE(!covered || !as_read.has_value()) << bit;
    // And with a checksum that matches: whatever the bytes say then is taken or passed over.
    if (!covered || !records::parse_batch(damaged)) continue;
    records::update_crc(damaged);
    (void)harness.coordinator->replay(damaged).has_value();
    harness.load();
    harness.advance_ms(700'000);
  }
}

TEST(Replay, GivesTheSameState) {
  Harness harness(no_delay());
  harness.stable_group(3, {.group = "stable"});
  const auto left = harness.stable_group(1, {.group = "empty"});
  harness.leave({{left[0], std::nullopt}}, "empty");
  for (int partition = 0; partition < 4'000; ++partition) {
    harness.commit(
        {.group = "simple", .partition = partition, .offset = partition, .metadata = std::string(100, 'm')});
  }
  const auto before = durable_state(*harness.coordinator);
  EXPECT_EQ(before.size(), 4'002u);
  harness.restart();
  EXPECT_EQ(durable_state(*harness.coordinator), before);
}

TEST(Persisted, UnknownTokensAreIgnored) {
  Harness harness;
  harness.coordinator->persisted(AppendToken{99}, ErrorCode::none, harness.now, harness.out);
  EXPECT_TRUE(harness.out.replies.empty());
}

TEST(WakeUps, AreAskedForOnceAndNeverLate) {
  Harness harness(no_delay());
  const auto members = harness.stable_group(1);
  // Heartbeats move the deadline away; the wake-up stays where it is and finds nothing to do.
  const Instant first = harness.wake_at;
  for (int beat = 0; beat < 3; ++beat) {
    harness.heartbeat(members[0], 1);
    EXPECT_EQ(harness.wake_at, first);
  }
  harness.advance_ms(9'999);
  harness.heartbeat(members[0], 1);
  harness.advance_ms(9'999);
  EXPECT_EQ(harness.state(), "Stable");
  harness.advance_ms(1);
  EXPECT_EQ(harness.state(), "Empty");
}

}  // namespace
}  // namespace tailwater::group
