// Goal: only the leader of the present epoch changes who is in sync, only to live replicas; reassignments end
// when all new replicas are in sync, without losing the leader or the order asked for. Method: every answer
// of AlterPartition once; then reassignments of small clusters step by step.
#include <gtest/gtest.h>

#include "core/cluster/decide_test_support.hpp"

namespace tailwater::cluster {
namespace {

using wire::ErrorCode;

Draft with_topic(std::int32_t brokers, std::vector<std::int32_t> replicas) {
  Draft draft = draft_with(brokers);
  wire::CreateTopicsRequest request;
  auto topic = wanted_topic("t", -1, -1);
  topic.assignments.push_back({0, std::move(replicas)});
  request.topics = {topic};
  EXPECT_EQ(said(decide(draft, request).topics[0]), "none");
  return draft;
}

const Partition& partition(const Draft& draft) {
  return draft.image().topic("t")->partitions[0];
}

std::string list(const std::vector<std::int32_t>& ids) {
  std::string text;
  for (const std::int32_t id : ids) text += std::to_string(id);
  return text;
}
std::string list(const BrokerIds& ids) {
  std::string text;
  for (const BrokerId id : ids) text += std::to_string(id.value);
  return text;
}

// "replicas/isr leader epoch +adding -removing"
std::string state(const Draft& draft) {
  const Partition& now = partition(draft);
  return list(now.replica_ids()) + "/" + list(now.isr) + " " + std::to_string(now.leader.value) + " " +
         std::to_string(now.leader_epoch.value) + " +" + list(now.adding) + " -" + list(now.removing);
}

wire::AlterPartitionRequest proposal(const Draft& draft, std::vector<std::int32_t> isr) {
  wire::AlterPartitionRequest request;
  request.broker_id = partition(draft).leader.value;
  request.broker_epoch = 10 + request.broker_id;
  auto& topic = request.topics.emplace_back();
  topic.topic_id = draft.image().topic("t")->id;
  auto& wanted = topic.partitions.emplace_back();
  wanted.leader_epoch = partition(draft).leader_epoch.value;
  wanted.partition_epoch = partition(draft).partition_epoch;
  for (const std::int32_t id : isr) wanted.new_isr_with_epochs.push_back({id, 10 + id});
  return request;
}

ErrorCode outcome(Draft& draft, const wire::AlterPartitionRequest& request) {
  const auto response = decide(draft, request);
  return response.error_code != ErrorCode::none ? response.error_code
                                                : response.topics.at(0).partitions.at(0).error_code;
}

std::string reassign(Draft& draft, std::optional<std::vector<std::int32_t>> replicas,
                     bool may_change_count = true, std::int32_t index = 0, const std::string& name = "t") {
  wire::AlterPartitionReassignmentsRequest request;
  request.allow_replication_factor_change = may_change_count;
  request.topics.push_back({name, {{index, std::move(replicas)}}});
  return said(decide(draft, request).responses.at(0).partitions.at(0));
}

std::string listed(const Draft& draft, std::optional<std::vector<std::int32_t>> indexes = std::nullopt) {
  wire::ListPartitionReassignmentsRequest request;
  if (indexes) request.topics.emplace().push_back({"t", *indexes});
  std::string text;
  for (const auto& topic : list_reassignments(draft.image(), request).topics) {
    for (const auto& found : topic.partitions) {
      text += topic.name + std::to_string(found.partition_index) + ":" + list(found.replicas) + "+" +
              list(found.adding_replicas) + "-" + list(found.removing_replicas);
    }
  }
  return text;
}

TEST(AlterPartition, TheLeaderShrinksAndWidensTheSet) {
  Draft draft = with_topic(3, {1, 2, 3});
  const ImageHandle before = draft.image_handle();
  draft.take_frames();
  const auto response = decide(draft, proposal(draft, {1, 3}));
  const auto& result = response.topics.at(0).partitions.at(0);
  EXPECT_EQ(result.error_code, ErrorCode::none);
  EXPECT_EQ(result.isr, (std::vector<std::int32_t>{1, 3}));
  EXPECT_EQ(result.leader_id, 1);
  EXPECT_EQ(result.partition_epoch, 1);
  EXPECT_EQ(state(draft), "123/13 1 0 + -");
  EXPECT_EQ(outcome(draft, proposal(draft, {1, 3, 2})), ErrorCode::none);
  EXPECT_EQ(state(draft), "123/132 1 0 + -");
  expect_frames_make(*before, draft);
  // The same set again changes nothing, also not the epoch.
  EXPECT_EQ(outcome(draft, proposal(draft, {1, 3, 2})), ErrorCode::none);
  EXPECT_FALSE(draft.has_frames());
}

TEST(AlterPartition, OldRequestsNameBrokersWithoutEpochs) {
  Draft draft = with_topic(2, {1, 2});
  wire::AlterPartitionRequest request = proposal(draft, {});
  request.topics[0].partitions[0].new_isr = {1};
  EXPECT_EQ(outcome(draft, request), ErrorCode::none);
  EXPECT_EQ(state(draft), "12/1 1 0 + -");
}

TEST(AlterPartition, WhatIsRefused) {
  Draft draft = with_topic(4, {1, 2, 3});
  decide_brokers(draft, {registration(1), registration(2), registration(4)});  // 3 is gone
  ASSERT_EQ(state(draft), "123/12 1 0 + -");
  const ImageHandle before = draft.image_handle();
  const auto with = [&](auto spoil) {
    wire::AlterPartitionRequest request = proposal(draft, {1});
    spoil(request, request.topics[0].partitions[0]);
    return outcome(draft, request);
  };
  EXPECT_EQ(with([](auto& request, auto&) { request.broker_epoch = 5; }), ErrorCode::stale_broker_epoch);
  EXPECT_EQ(with([](auto& request, auto&) { request.broker_id = 9; }), ErrorCode::stale_broker_epoch);
  EXPECT_EQ(with([](auto& request, auto&) { request.topics[0].topic_id = Uuid{9, 9}; }),
            ErrorCode::unknown_topic_id);
  EXPECT_EQ(with([](auto&, auto& wanted) { wanted.partition_index = 1; }),
            ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(with([](auto&, auto& wanted) { wanted.partition_index = -1; }),
            ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(with([](auto&, auto& wanted) { wanted.leader_epoch = 1; }), ErrorCode::not_controller);
  EXPECT_EQ(with([](auto&, auto& wanted) { wanted.leader_epoch = -1; }), ErrorCode::fenced_leader_epoch);
  EXPECT_EQ(with([](auto&, auto& wanted) { wanted.partition_epoch += 1; }), ErrorCode::not_controller);
  EXPECT_EQ(with([](auto&, auto& wanted) { wanted.partition_epoch -= 1; }),
            ErrorCode::invalid_update_version);
  EXPECT_EQ(with([](auto& request, auto&) { request.broker_id = 2, request.broker_epoch = 12; }),
            ErrorCode::invalid_request);
  EXPECT_EQ(with([](auto&, auto& wanted) { wanted.new_isr_with_epochs.clear(); }),
            ErrorCode::invalid_request);
  EXPECT_EQ(with([](auto&, auto& wanted) { wanted.new_isr_with_epochs = {{2, 12}}; }),
            ErrorCode::invalid_request);
  EXPECT_EQ(with([](auto&, auto& wanted) { wanted.new_isr_with_epochs.push_back({1, 11}); }),
            ErrorCode::invalid_request);
  EXPECT_EQ(with([](auto&, auto& wanted) { wanted.new_isr_with_epochs.push_back({4, 14}); }),
            ErrorCode::invalid_request);
  EXPECT_EQ(with([](auto&, auto& wanted) { wanted.leader_recovery_state = 1; }), ErrorCode::invalid_request);
  EXPECT_EQ(with([](auto&, auto& wanted) { wanted.new_isr_with_epochs.push_back({3, 13}); }),
            ErrorCode::ineligible_replica);
  EXPECT_EQ(with([](auto&, auto& wanted) { wanted.new_isr_with_epochs.push_back({2, 11}); }),
            ErrorCode::ineligible_replica);
  EXPECT_EQ(draft.image_handle(), before);
  EXPECT_EQ(with([](auto&, auto& wanted) { wanted.new_isr_with_epochs.push_back({2, -1}); }),
            ErrorCode::none);
}

TEST(Reassignment, EndsWhenTheNewReplicasAreInSync) {
  Draft draft = with_topic(4, {1, 2});
  const LogId kept = partition(draft).replica_on(BrokerId{2})->log;
  draft.take_frames();
  const ImageHandle before = draft.image_handle();
  EXPECT_EQ(reassign(draft, {{3, 2}}), "none");
  EXPECT_EQ(state(draft), "321/12 1 0 +3 -1");
  EXPECT_EQ(listed(draft), "t0:321+3-1");
  EXPECT_EQ(partition(draft).replica_on(BrokerId{2})->log, kept);
  EXPECT_NE(partition(draft).replica_on(BrokerId{3})->log, LogId{0});
  EXPECT_EQ(draft.image().dir_of(*partition(draft).replica_on(BrokerId{3})), DirId{0});
  EXPECT_EQ(outcome(draft, proposal(draft, {1})), ErrorCode::none);
  EXPECT_EQ(state(draft), "321/1 1 0 +3 -1");
  EXPECT_EQ(outcome(draft, proposal(draft, {1, 3})), ErrorCode::new_leader_elected);
  EXPECT_EQ(state(draft), "32/3 3 1 + -");
  EXPECT_EQ(listed(draft), "");
  expect_frames_make(*before, draft);
}

TEST(Reassignment, ALeaderThatStaysIsToldInANewEpoch) {
  Draft draft = with_topic(3, {1, 2});
  EXPECT_EQ(reassign(draft, {{1, 3}}), "none");
  EXPECT_EQ(state(draft), "132/12 1 0 +3 -2");
  EXPECT_EQ(outcome(draft, proposal(draft, {1, 2, 3})), ErrorCode::none);
  EXPECT_EQ(state(draft), "13/13 1 1 + -");
}

TEST(Reassignment, WithNothingToFetchItEndsAtOnce) {
  Draft draft = with_topic(3, {1, 2, 3});
  EXPECT_EQ(reassign(draft, {{3, 1, 2}}), "none");
  EXPECT_EQ(state(draft), "312/123 1 0 + -");
  EXPECT_EQ(reassign(draft, {{3, 2}}), "none");
  EXPECT_EQ(state(draft), "32/23 3 1 + -");
  draft.take_frames();
  EXPECT_EQ(reassign(draft, {{3, 2}}), "none");
  EXPECT_FALSE(draft.has_frames());
}

TEST(Reassignment, CanBeGivenUp) {
  Draft draft = with_topic(4, {1, 2});
  EXPECT_EQ(reassign(draft, std::nullopt),
            "NO_REASSIGNMENT_IN_PROGRESS: No reassignment of this partition is under way");
  reassign(draft, {{3, 4}});
  EXPECT_EQ(state(draft), "3412/12 1 0 +34 -12");
  EXPECT_EQ(outcome(draft, proposal(draft, {1, 2, 3})), ErrorCode::none);
  EXPECT_EQ(reassign(draft, std::nullopt), "none");
  EXPECT_EQ(state(draft), "12/12 1 1 + -");
}

TEST(Reassignment, MayChangeItsTarget) {
  Draft draft = with_topic(4, {1, 2});
  reassign(draft, {{3, 2}});
  const LogId log = partition(draft).replica_on(BrokerId{3})->log;
  EXPECT_EQ(reassign(draft, {{3, 4}}), "none");
  EXPECT_EQ(state(draft), "3421/12 1 0 +34 -21");
  EXPECT_EQ(partition(draft).replica_on(BrokerId{3})->log, log);
  EXPECT_EQ(outcome(draft, proposal(draft, {1, 3, 4})), ErrorCode::new_leader_elected);
  EXPECT_EQ(state(draft), "34/34 3 1 + -");
}

TEST(Reassignment, AReplicaThatComesBackHasANewLog) {
  Draft draft = with_topic(3, {1, 2});
  const LogId log = partition(draft).replica_on(BrokerId{2})->log;
  reassign(draft, {{1}});
  EXPECT_EQ(state(draft), "1/1 1 1 + -");
  reassign(draft, {{1, 2}});
  EXPECT_NE(partition(draft).replica_on(BrokerId{2})->log, log);
}

TEST(Reassignment, WhatIsRefused) {
  Draft draft = with_topic(3, {1, 2});
  const ImageHandle before = draft.image_handle();
  EXPECT_EQ(reassign(draft, {{1}}, true, 5), "UNKNOWN_TOPIC_OR_PARTITION: There is no such partition");
  EXPECT_EQ(reassign(draft, {{1}}, true, 0, "u"), "UNKNOWN_TOPIC_OR_PARTITION: There is no such partition");
  EXPECT_EQ(reassign(draft, {std::vector<std::int32_t>{}}),
            "INVALID_REPLICA_ASSIGNMENT: A replica assignment must name at least one broker");
  EXPECT_EQ(reassign(draft, {{1, 1}}),
            "INVALID_REPLICA_ASSIGNMENT: A replica assignment names broker 1 more than once");
  EXPECT_EQ(reassign(draft, {{1, 8}}),
            "INVALID_REPLICA_ASSIGNMENT: A replica assignment names broker 8, which is not registered");
  EXPECT_EQ(reassign(draft, {{1}}, false),
            "INVALID_REPLICATION_FACTOR: The reassignment would change the number of replicas from 2 to 1");
  EXPECT_EQ(draft.image_handle(), before);
}

TEST(Reassignment, CannotBeGivenUpWhenNoFormerReplicaIsInSync) {
  Draft draft = with_topic(3, {1});
  reassign(draft, {{2, 3}});
  decide_brokers(draft, {registration(1), registration(2), registration(3)});
  outcome(draft, proposal(draft, {1, 2}));
  decide_brokers(draft, {registration(2), registration(3)});
  EXPECT_EQ(state(draft), "231/2 2 1 +23 -1");
  EXPECT_EQ(reassign(draft, std::nullopt),
            "INVALID_REPLICA_ASSIGNMENT: The reassignment cannot be given up: none of the former replicas is "
            "in sync");
}

TEST(ListReassignments, OnlyThoseAskedFor) {
  Draft draft = with_topic(3, {1});
  EXPECT_EQ(listed(draft), "");
  reassign(draft, {{2}});
  EXPECT_EQ(listed(draft), "t0:21+2-1");
  EXPECT_EQ(listed(draft, {{0}}), "t0:21+2-1");
  EXPECT_EQ(listed(draft, {{1}}), "");
}

}  // namespace
}  // namespace tailwater::cluster
