// Goal: offsets are taken from whom they may be taken, seen when durable, and deleted when nobody reads them.
// Method: one request per check; then the outcomes of the write.
#include <gtest/gtest.h>

#include "core/group/test_harness.hpp"
#include "records/replay.hpp"

namespace tailwater::group {
namespace {

Options no_delay() {
  return {.initial_rebalance_delay = Duration{}};
}

wire::OffsetFetchRequest::OffsetFetchRequestGroup all_of(const std::string& group) {
  wire::OffsetFetchRequest::OffsetFetchRequestGroup request;
  request.group_id = group;
  return request;
}

TEST(CommitChecks, UnknownGroup) {
  Harness harness;
  EXPECT_EQ(harness.commit_error({.generation = 0}), ErrorCode::illegal_generation);
  EXPECT_EQ(harness.commit_error({.generation = 0, .version = 9}), ErrorCode::group_id_not_found);
  EXPECT_EQ(harness.coordinator->group_count(), 0u);
  EXPECT_EQ(harness.commit_error({.generation = -1}), ErrorCode::none);
  EXPECT_EQ(harness.coordinator->describe_group("g", 6).group_state, "Empty");
}

TEST(CommitChecks, TheEmptyGroupIdIsAllowedHere) {
  Harness harness;
  EXPECT_EQ(harness.commit_error({.group = "", .offset = 4}), ErrorCode::none);
  EXPECT_EQ(harness.fetch("t", 0, ""), 4);
}

TEST(CommitChecks, MembersOfTheGenerationOnly) {
  Harness harness(no_delay());
  const auto members = harness.stable_group(1);
  EXPECT_EQ(harness.commit_error({}), ErrorCode::unknown_member_id);
  EXPECT_EQ(harness.commit_error({.member = "m"}), ErrorCode::unknown_member_id);
  EXPECT_EQ(harness.commit_error({.member = "m", .generation = 1}), ErrorCode::unknown_member_id);
  EXPECT_EQ(harness.commit_error({.member = members[0], .generation = 2}), ErrorCode::illegal_generation);
  EXPECT_EQ(harness.commit_error({.member = members[0], .generation = -1}), ErrorCode::illegal_generation);
  EXPECT_EQ(harness.commit_error({.member = members[0], .generation = 1, .instance = "i"}),
            ErrorCode::unknown_member_id);
  EXPECT_EQ(harness.commit_error({.member = members[0], .generation = 1}), ErrorCode::none);
  harness.leave({{members[0], std::nullopt}});
  EXPECT_EQ(harness.commit_error({.member = members[0], .generation = 1}), ErrorCode::unknown_member_id);
  EXPECT_EQ(harness.commit_error({}), ErrorCode::none);
}

TEST(CommitChecks, FencedInstances) {
  Harness harness(no_delay());
  harness.join({.instance = "i"});
  harness.advance_ms(0);
  EXPECT_EQ(harness.commit_error({.member = "old", .generation = 1, .instance = "i"}),
            ErrorCode::fenced_instance_id);
}

TEST(CommitChecks, CompletingAsksToRejoinPreparingAccepts) {
  Harness harness(no_delay());
  const auto members = harness.stable_group(2);
  harness.join({.member = members[0]});
  ASSERT_EQ(harness.state(), "PreparingRebalance");
  EXPECT_EQ(harness.commit_error({.member = members[1], .generation = 1}), ErrorCode::none);
  harness.join({.member = members[1]});
  ASSERT_EQ(harness.state(), "CompletingRebalance");
  EXPECT_EQ(harness.commit_error({.member = members[1], .generation = 2}), ErrorCode::rebalance_in_progress);
  EXPECT_EQ(harness.commit_error({.member = members[1], .generation = 1}), ErrorCode::illegal_generation);
}

TEST(CommitChecks, GroupThatIsBeingDeleted) {
  Harness harness;
  harness.commit({});
  harness.persists_at_once = false;
  const Ticket deletion = harness.delete_group();
  EXPECT_EQ(harness.commit_error({}), ErrorCode::coordinator_not_available);
  harness.persist_one();
  EXPECT_EQ(harness.delete_error(deletion), ErrorCode::none);
  harness.persists_at_once = true;
  EXPECT_EQ(harness.commit_error({.offset = 3}), ErrorCode::none);
  EXPECT_EQ(harness.fetch(), 3);
}

TEST(CommitChecks, MetadataLengthCountsUtf16Units) {
  Harness harness;
  std::string euros;
  for (int count = 0; count < 4'096; ++count) euros += "\xE2\x82\xAC";
  EXPECT_EQ(harness.commit_error({.metadata = euros}), ErrorCode::none);
  EXPECT_EQ(harness.commit_error({.metadata = euros + "x"}), ErrorCode::offset_metadata_too_large);
}

TEST(Commit, OnePartitionsErrorIsNoneOfTheOthers) {
  Harness harness;
  wire::OffsetCommitRequest request;
  request.group_id = "g";
  request.generation_id_or_member_epoch = -1;
  auto& topic = request.topics.emplace_back();
  topic.name = "t";
  const std::string metadata(5'000, 'x');
  topic.partitions.push_back({.partition_index = 0, .committed_offset = 1, .committed_metadata = metadata});
  topic.partitions.push_back({.partition_index = 1, .committed_offset = 2});
  harness.persists_at_once = false;
  harness.coordinator->offset_commit({.ticket = Ticket{77}, .version = 8, .now = harness.now}, request,
                                     harness.out);
  harness.drain();
  harness.persist_one(ErrorCode::not_enough_replicas);
  const auto answer = harness.reply<wire::OffsetCommitResponse>(Ticket{77});
  EXPECT_EQ(answer.topics.at(0).partitions.at(0).error_code, ErrorCode::offset_metadata_too_large);
  EXPECT_EQ(answer.topics.at(0).partitions.at(1).error_code, ErrorCode::coordinator_not_available);
  EXPECT_EQ(harness.coordinator->group_count(), 0u);
}

TEST(Commit, IsSeenAndAnsweredWhenDurable) {
  Harness harness;
  harness.commit({.offset = 1});
  harness.persists_at_once = false;
  const Ticket ticket = harness.commit({.offset = 2, .metadata = "m", .leader_epoch = 3});
  EXPECT_EQ(harness.fetch(), 1);
  EXPECT_FALSE(harness.answered(ticket));
  harness.persist_one();
  EXPECT_EQ(harness.committed(ticket), ErrorCode::none);
  const auto fetched = harness.coordinator->offset_fetch(all_of("g")).topics.at(0).partitions.at(0);
  EXPECT_EQ(fetched.committed_offset, 2);
  EXPECT_EQ(fetched.metadata, "m");
  EXPECT_EQ(fetched.committed_leader_epoch, 3);
}

TEST(Commit, ARefusedWriteChangesNothing) {
  Harness harness;
  harness.commit({.offset = 1});
  harness.persists_at_once = false;
  const Ticket ticket = harness.commit({.offset = 2});
  harness.persist_one(ErrorCode::not_leader_or_follower);
  EXPECT_EQ(harness.committed(ticket), ErrorCode::not_coordinator);
  EXPECT_EQ(harness.fetch(), 1);
}

TEST(Commit, SeveralInFlightApplyInOrder) {
  Harness harness;
  harness.persists_at_once = false;
  harness.commit({.offset = 1});
  harness.commit({.offset = 2});
  harness.commit({.offset = 3});
  harness.persist_one();
  EXPECT_EQ(harness.fetch(), 1);
  harness.persist_one(ErrorCode::not_enough_replicas);
  EXPECT_EQ(harness.fetch(), 1);
  harness.persist_one();
  EXPECT_EQ(harness.fetch(), 3);
}

TEST(Commit, WithoutTopicsIsAnsweredAtOnce) {
  Harness harness;
  wire::OffsetCommitRequest request;
  request.group_id = "g";
  request.generation_id_or_member_epoch = -1;
  harness.coordinator->offset_commit({.ticket = Ticket{77}, .version = 8, .now = harness.now}, request,
                                     harness.out);
  harness.drain();
  EXPECT_TRUE(harness.reply<wire::OffsetCommitResponse>(Ticket{77}).topics.empty());
  EXPECT_EQ(harness.coordinator->group_count(), 0u);
}

TEST(CommitChecks, TopicsThatWentMeanwhile) {
  Harness harness;
  const IsGone is_gone = [](std::string_view topic, const Uuid&) { return topic == "gone"; };
  const auto ask = [&](std::int16_t version) {
    wire::OffsetCommitRequest request;
    request.group_id = "g";
    request.generation_id_or_member_epoch = -1;
    for (const std::string_view name : {"gone", "t"}) {
      auto& topic = request.topics.emplace_back();
      topic.name = name;
      topic.partitions.push_back({.partition_index = 0, .committed_offset = 1});
    }
    const Ticket ticket{static_cast<std::uint64_t>(1'000 + version)};
    harness.coordinator->offset_commit(
        {.ticket = ticket, .version = version, .now = harness.now, .is_gone = &is_gone}, request,
        harness.out);
    harness.drain();
    return harness.reply<wire::OffsetCommitResponse>(ticket);
  };
  const auto by_name = ask(9);
  EXPECT_EQ(by_name.topics.at(0).partitions.at(0).error_code, ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(by_name.topics.at(1).partitions.at(0).error_code, ErrorCode::none);
  EXPECT_EQ(ask(10).topics.at(0).partitions.at(0).error_code, ErrorCode::unknown_topic_id);
  EXPECT_EQ(harness.fetch("gone"), -1);
  EXPECT_EQ(harness.fetch("t"), 1);
}

TEST(CommitLimits, WhatTheLogTakes) {
  Harness harness;
  harness.coordinator->limit_batches(200);
  EXPECT_EQ(harness.commit_error({.metadata = std::string(300, 'x')}), ErrorCode::unknown_server_error);
  EXPECT_EQ(harness.commit_error({}), ErrorCode::none);
  EXPECT_EQ(harness.committed(harness.commit({})), ErrorCode::none);
}

TEST(CommitLimits, Memory) {
  Harness harness({.memory_max = 20'000});
  ErrorCode error = ErrorCode::none;
  int taken = 0;
  for (; taken < 1'000 && error == ErrorCode::none; ++taken)
    error = harness.commit_error({.partition = taken});
  EXPECT_EQ(error, ErrorCode::invalid_commit_offset_size);
  EXPECT_LT(taken, 200);
  EXPECT_EQ(harness.commit_error({.partition = 0, .offset = 9}),
            ErrorCode::none);  // what is known may change
  EXPECT_EQ(harness.commit_error({.group = "h"}), ErrorCode::invalid_commit_offset_size);
}

TEST(CommitLimits, ABatchThatIsTooLarge) {
  Harness harness({.batch_bytes_max = 200});
  EXPECT_EQ(harness.commit_error({.metadata = std::string(300, 'x')}), ErrorCode::unknown_server_error);
  EXPECT_EQ(harness.commit_error({}), ErrorCode::none);
}

// Of a request that is refused as a whole nothing is copied that does not fit: partitions behind the limit
// are not even looked at.
TEST(CommitLimits, NothingIsDecidedBeyondTheBatch) {
  Harness harness({.batch_bytes_max = 1'000});
  const std::string metadata(5'000, 'x');
  const auto fill = [&](auto& request) {
    request.group_id = "g";
    request.generation_id_or_member_epoch = -1;
    auto& topic = request.topics.emplace_back();
    topic.name = "t";
    topic.partitions.push_back({.partition_index = 0, .committed_offset = 1, .committed_metadata = metadata});
    for (std::int32_t partition = 1; partition < 50; ++partition) {
      topic.partitions.push_back({.partition_index = partition, .committed_offset = 1});
    }
    topic.partitions.push_back(
        {.partition_index = 50, .committed_offset = 1, .committed_metadata = metadata});
  };
  const auto check = [](const auto& answer) {
    const auto& partitions = answer.topics.at(0).partitions;
    ASSERT_EQ(partitions.size(), 51u);
    EXPECT_EQ(partitions.front().error_code, ErrorCode::offset_metadata_too_large);
    for (std::size_t at = 1; at < partitions.size(); ++at) {
      EXPECT_EQ(partitions[at].error_code, ErrorCode::unknown_server_error) << at;
    }
  };
  wire::OffsetCommitRequest plain;
  fill(plain);
  harness.coordinator->offset_commit({.ticket = Ticket{77}, .version = 8, .now = harness.now}, plain,
                                     harness.out);
  wire::TxnOffsetCommitRequest in_transaction;
  fill(in_transaction);
  harness.coordinator->txn_offset_commit({.ticket = Ticket{78}, .version = 3, .now = harness.now},
                                         in_transaction, harness.out);
  harness.drain();
  check(harness.reply<wire::OffsetCommitResponse>(Ticket{77}));
  check(harness.reply<wire::TxnOffsetCommitResponse>(Ticket{78}));
  EXPECT_TRUE(harness.log.empty());
  EXPECT_EQ(harness.coordinator->group_count(), 0u);
}

TEST(Fetch, UnknownGroupsTopicsAndPartitionsHaveNoOffset) {
  Harness harness;
  EXPECT_EQ(harness.fetch(), -1);
  harness.commit({.offset = 5});
  EXPECT_EQ(harness.fetch("t", 1), -1);
  EXPECT_EQ(harness.fetch("u", 0), -1);
  wire::OffsetFetchRequest::OffsetFetchRequestGroup request = all_of("nobody");
  request.topics.emplace().push_back({.name = "t", .partition_indexes = {4}});
  const auto answer = harness.coordinator->offset_fetch(request);
  EXPECT_EQ(answer.error_code, ErrorCode::none);
  const auto& partition = answer.topics.at(0).partitions.at(0);
  EXPECT_EQ(partition.partition_index, 4);
  EXPECT_EQ(partition.error_code, ErrorCode::none);
  EXPECT_EQ(partition.metadata, "");
  EXPECT_EQ(partition.committed_leader_epoch, -1);
  EXPECT_TRUE(harness.coordinator->offset_fetch(all_of("nobody")).topics.empty());
}

TEST(Fetch, AllShowsDurableOffsetsOnly) {
  Harness harness;
  harness.commit({.topic = "b", .partition = 1, .offset = 1});
  harness.commit({.topic = "a", .partition = 0, .offset = 2, .topic_id = Uuid{1, 2}});
  harness.persists_at_once = false;
  harness.commit({.topic = "c", .partition = 0, .offset = 3});
  const auto answer = harness.coordinator->offset_fetch(all_of("g"));
  ASSERT_EQ(answer.topics.size(), 2u);
  EXPECT_EQ(answer.topics[0].name, "a");
  EXPECT_EQ(answer.topics[0].topic_id, (Uuid{1, 2}));
  EXPECT_EQ(answer.topics[1].name, "b");
}

TEST(Fetch, AnOffsetOfAnotherTopicOfThatNameIsNone) {
  Harness harness;
  harness.commit({.offset = 5, .topic_id = Uuid{1, 1}});
  const auto fetch = [&](Uuid id) {
    auto request = all_of("g");
    request.topics.emplace().push_back({.name = "t", .topic_id = id, .partition_indexes = {0}});
    return harness.coordinator->offset_fetch(request).topics.at(0).partitions.at(0).committed_offset;
  };
  EXPECT_EQ(fetch(Uuid{1, 1}), 5);
  EXPECT_EQ(fetch(Uuid{}), 5);
  EXPECT_EQ(fetch(Uuid{2, 2}), -1);
  harness.commit({.offset = 6});
  EXPECT_EQ(fetch(Uuid{2, 2}), 6);  // committed without an id
}

TEST(FetchForms, OldVersionsAskForOneGroup) {
  Harness harness;
  harness.commit({.offset = 5, .metadata = "m", .leader_epoch = 2});
  wire::OffsetFetchRequest request;
  request.group_id = "g";
  request.topics.emplace().push_back({.name = "t", .partition_indexes = {0, 1}});
  const auto group = harness.coordinator->offset_fetch(as_group_request(request));
  const auto old = merge_offset_fetch(request, 7, {group});
  EXPECT_TRUE(old.groups.empty());
  EXPECT_EQ(old.topics.at(0).partitions.at(0).committed_offset, 5);
  EXPECT_EQ(old.topics.at(0).partitions.at(0).committed_leader_epoch, 2);
  EXPECT_EQ(old.topics.at(0).partitions.at(0).metadata, "m");
  EXPECT_EQ(old.topics.at(0).partitions.at(1).committed_offset, -1);
  const auto recent = merge_offset_fetch(request, 8, {group, group});
  EXPECT_EQ(recent.groups.size(), 2u);
  EXPECT_TRUE(recent.topics.empty());
  request.topics.reset();
  EXPECT_FALSE(as_group_request(request).topics.has_value());
}

TEST(FetchForms, AGroupsErrorGoesWhereTheVersionHasRoom) {
  wire::OffsetFetchRequest request;
  request.topics.emplace().push_back({.name = "t", .partition_indexes = {0}});
  wire::OffsetFetchResponse::OffsetFetchResponseGroup failed;
  failed.error_code = ErrorCode::not_coordinator;
  const auto first = merge_offset_fetch(request, 1, {failed});
  EXPECT_EQ(first.topics.at(0).partitions.at(0).error_code, ErrorCode::not_coordinator);
  EXPECT_EQ(first.topics.at(0).partitions.at(0).committed_offset, -1);
  const auto second = merge_offset_fetch(request, 2, {failed});
  EXPECT_EQ(second.error_code, ErrorCode::not_coordinator);
  EXPECT_TRUE(second.topics.empty());
  EXPECT_EQ(merge_offset_fetch(request, 8, {failed}).groups.at(0).error_code, ErrorCode::not_coordinator);
}

struct DeleteAnswer {
  ErrorCode group;
  ErrorCode partition;
  friend bool operator==(const DeleteAnswer&, const DeleteAnswer&) = default;
};
DeleteAnswer delete_offset(Harness& harness, const std::string& topic = "t", std::int32_t partition = 0,
                           const std::string& group = "g") {
  const auto answer =
      harness.reply<wire::OffsetDeleteResponse>(harness.offset_delete(topic, partition, group));
  return {answer.error_code,
          answer.topics.empty() ? ErrorCode::none : answer.topics[0].partitions.at(0).error_code};
}

TEST(OffsetDelete, Checks) {
  Harness harness(no_delay());
  EXPECT_EQ(delete_offset(harness, "t", 0, "").group, ErrorCode::invalid_group_id);
  EXPECT_EQ(delete_offset(harness).group, ErrorCode::group_id_not_found);
  const auto members = harness.stable_group(1);
  harness.commit({.member = members[0], .generation = 1, .topic = "t", .offset = 1});
  harness.commit({.member = members[0], .generation = 1, .topic = "u", .offset = 1});
  EXPECT_EQ(delete_offset(harness, "t"),
            (DeleteAnswer{ErrorCode::none, ErrorCode::group_subscribed_to_topic}));
  EXPECT_EQ(delete_offset(harness, "u"), (DeleteAnswer{ErrorCode::none, ErrorCode::none}));
  EXPECT_EQ(harness.fetch("t"), 1);
  EXPECT_EQ(harness.fetch("u"), -1);
  harness.leave({{members[0], std::nullopt}});
  EXPECT_EQ(delete_offset(harness, "t"), (DeleteAnswer{ErrorCode::none, ErrorCode::none}));
  EXPECT_EQ(harness.fetch("t"), -1);
  EXPECT_EQ(delete_offset(harness, "none"), (DeleteAnswer{ErrorCode::none, ErrorCode::none}));
}

TEST(OffsetDelete, OtherProtocolsDoNotTellWhatTheyRead) {
  Harness harness(no_delay());
  const auto members = harness.stable_group(1, {.type = "connect"});
  harness.commit({.member = members[0], .generation = 1});
  EXPECT_EQ(delete_offset(harness).group, ErrorCode::non_empty_group);
}

TEST(OffsetDelete, AnswersWhenDurableAndFailsAsAWhole) {
  Harness harness;
  harness.commit({.offset = 5});
  harness.persists_at_once = false;
  const Ticket failing = harness.offset_delete();
  EXPECT_FALSE(harness.answered(failing));
  EXPECT_EQ(harness.fetch(), 5);
  harness.persist_one(ErrorCode::not_enough_replicas);
  const auto answer = harness.reply<wire::OffsetDeleteResponse>(failing);
  EXPECT_EQ(answer.error_code, ErrorCode::coordinator_not_available);
  EXPECT_TRUE(answer.topics.empty());
  EXPECT_EQ(harness.fetch(), 5);
  harness.offset_delete();
  harness.persist_one();
  EXPECT_EQ(harness.coordinator->group_count(), 0u);  // nothing is left of a simple consumer's group
}

TEST(OffsetDelete, APartitionThatIsNamedAgainIsDeletedOnce) {
  Harness harness;
  harness.commit({.partition = 1, .offset = 5});
  harness.persists_at_once = false;
  const Ticket ticket = harness.offset_delete("t", std::vector<std::int32_t>(1'000, 1));
  ASSERT_EQ(harness.appends.size(), 1u);
  EXPECT_EQ(records::whole_batch(harness.appends.front().batch)->records_count(), 1);
  harness.persist_one();
  EXPECT_EQ(harness.reply<wire::OffsetDeleteResponse>(ticket).topics.at(0).partitions.size(), 1'000u);
  EXPECT_EQ(harness.coordinator->group_count(), 0u);
}

TEST(OffsetDelete, MoreThanABatchTakesIsRefused) {
  Harness harness({.batch_bytes_max = 1'000});
  std::vector<std::int32_t> partitions;
  for (std::int32_t partition = 0; partition < 50; ++partition) {
    harness.commit({.partition = partition, .offset = 5});
    partitions.push_back(partition);
  }
  harness.persists_at_once = false;
  const auto answer = harness.reply<wire::OffsetDeleteResponse>(harness.offset_delete("t", partitions));
  EXPECT_EQ(answer.error_code, ErrorCode::unknown_server_error);
  EXPECT_TRUE(answer.topics.empty());
  EXPECT_TRUE(harness.appends.empty());
  EXPECT_EQ(harness.fetch("t", 49), 5);
}

TEST(OffsetDelete, CoversACommitThatIsInFlight) {
  Harness harness;
  harness.persists_at_once = false;
  harness.commit({.offset = 5});
  harness.offset_delete();
  ASSERT_EQ(harness.appends.size(), 2u);
  harness.persist_one();
  harness.persist_one();
  EXPECT_EQ(harness.fetch(), -1);
  harness.restart();
  EXPECT_EQ(harness.fetch(), -1);
}

}  // namespace
}  // namespace tailwater::group
