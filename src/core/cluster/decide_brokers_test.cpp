// Goal: leaders follow the brokers: partitions are led by a live replica in sync, or by none; elections and
// producer ids by Kafka's rules. Method: small clusters whose brokers come and go; every answer of
// ElectLeaders once.
#include <gtest/gtest.h>

#include "core/cluster/decide_test_support.hpp"

namespace tailwater::cluster {
namespace {

using wire::ErrorCode;

std::vector<Registration> only(std::vector<std::int32_t> ids) {
  std::vector<Registration> all;
  for (const std::int32_t id : ids) all.push_back(registration(id));
  return all;
}

// "leader epoch:isr" of partition 0 of topic t.
std::string state(const Draft& draft) {
  const Partition& partition = draft.image().topic("t")->partitions[0];
  std::string text =
      std::to_string(partition.leader.value) + " " + std::to_string(partition.leader_epoch.value) + ":";
  for (const BrokerId id : partition.isr) text += std::to_string(id.value);
  return text;
}

Draft with_topic(std::int32_t brokers, std::vector<std::int32_t> replicas) {
  Draft draft = draft_with(brokers);
  wire::CreateTopicsRequest request;
  auto topic = wanted_topic("t", -1, -1);
  topic.assignments.push_back({0, replicas});
  request.topics = {topic};
  EXPECT_EQ(said(decide(draft, request).topics[0]), "none");
  draft.take_frames();
  return draft;
}

std::string elect(Draft& draft, std::int8_t type, std::int32_t partition = 0,
                  const std::string& topic = "t") {
  wire::ElectLeadersRequest request;
  request.election_type = type;
  request.topic_partitions.emplace().push_back({topic, {partition}});
  const auto response = decide(draft, request);
  if (response.error_code != ErrorCode::none) return std::string(wire::name(response.error_code));
  return said(response.replica_election_results.at(0).partition_result.at(0));
}

TEST(Brokers, ARegistrationIsTakenOverWhenItIsNew) {
  Draft draft = draft_with(1);
  decide_brokers(draft, registrations(1));
  EXPECT_FALSE(draft.has_frames());
  Registration changed = registration(1);
  changed.endpoints[0].port = 1;
  decide_brokers(draft, {changed});
  EXPECT_TRUE(draft.has_frames());
  EXPECT_EQ(draft.image().broker(kSelf)->endpoints[0].port, 1);
  draft.take_frames();
  changed.epoch = 99;
  decide_brokers(draft, {changed});
  EXPECT_TRUE(draft.has_frames());
  EXPECT_EQ(draft.image().broker(kSelf)->epoch, 99);
  EXPECT_TRUE(draft.image().is_alive(kSelf));
}

TEST(Brokers, ARestartOfTheOnlyBrokerLeavesItsPartitionsAlone) {
  Draft draft = with_topic(1, {1});
  Registration again = registration(1);
  again.epoch = 50;
  decide_brokers(draft, {again});
  EXPECT_EQ(state(draft), "1 0:1");
}

TEST(Brokers, LeadershipFollowsWhoIsAlive) {
  Draft draft = with_topic(3, {1, 2, 3});
  const ImageHandle before = draft.image_handle();
  EXPECT_EQ(state(draft), "1 0:123");
  decide_brokers(draft, only({2, 3}));
  EXPECT_TRUE(draft.image().broker(BrokerId{1})->fenced);
  EXPECT_EQ(state(draft), "2 1:23");
  decide_brokers(draft, only({3}));
  EXPECT_EQ(state(draft), "3 2:3");
  decide_brokers(draft, {});
  EXPECT_EQ(state(draft), "-1 3:3");
  decide_brokers(draft, only({1, 2}));  // not in sync: may not lead
  EXPECT_EQ(state(draft), "-1 3:3");
  decide_brokers(draft, only({1, 2, 3}));
  EXPECT_EQ(state(draft), "3 4:3");
  expect_frames_make(*before, draft);
}

TEST(Brokers, AnUncleanLeaderOnlyWhereTheTopicAllowsIt) {
  Draft draft = with_topic(2, {1, 2});
  draft.propose({wire::ConfigRecord{2, "t", "unclean.leader.election.enable", "true"}});
  decide_brokers(draft, only({1}));
  EXPECT_EQ(state(draft), "1 0:1");
  decide_brokers(draft, only({2}));
  EXPECT_EQ(state(draft), "2 1:2");
}

TEST(Brokers, AFollowerThatGoesLeavesTheLeaderInItsEpoch) {
  Draft draft = with_topic(2, {1, 2});
  decide_brokers(draft, only({1}));
  EXPECT_EQ(state(draft), "1 0:1");
  EXPECT_EQ(draft.image().topic("t")->partitions[0].partition_epoch, 1);
}

TEST(ElectLeaders, ThePreferredReplica) {
  Draft draft = with_topic(2, {1, 2});
  EXPECT_EQ(elect(draft, 0), "ELECTION_NOT_NEEDED: The preferred replica leads already");
  decide_brokers(draft, only({2}));
  EXPECT_EQ(elect(draft, 0),
            "PREFERRED_LEADER_NOT_AVAILABLE: The preferred replica is not available or not in sync");
  decide_brokers(draft, only({1, 2}));
  EXPECT_EQ(elect(draft, 0),
            "PREFERRED_LEADER_NOT_AVAILABLE: The preferred replica is not available or not in sync");
  wire::PartitionChangeRecord caught_up;
  caught_up.topic_id = draft.image().topic("t")->id;
  caught_up.partition_id = 0;
  caught_up.isr = std::vector<std::int32_t>{2, 1};
  draft.propose({caught_up});
  EXPECT_EQ(state(draft), "2 1:21");
  EXPECT_EQ(elect(draft, 0), "none");
  EXPECT_EQ(state(draft), "1 2:21");
}

TEST(ElectLeaders, AnUncleanOneWhenNobodyLeads) {
  Draft draft = with_topic(2, {1, 2});
  EXPECT_EQ(elect(draft, 1), "ELECTION_NOT_NEEDED: The partition has a leader");
  decide_brokers(draft, only({1}));
  decide_brokers(draft, {});
  EXPECT_EQ(elect(draft, 1), "ELIGIBLE_LEADERS_NOT_AVAILABLE: No replica is available");
  decide_brokers(draft, only({2}));
  EXPECT_EQ(state(draft), "-1 1:1");
  EXPECT_EQ(elect(draft, 1), "none");
  EXPECT_EQ(state(draft), "2 2:2");
}

TEST(ElectLeaders, UnknownOnes) {
  Draft draft = with_topic(1, {1});
  EXPECT_EQ(elect(draft, 0, 1), "UNKNOWN_TOPIC_OR_PARTITION: There is no partition 1 of topic 't'");
  EXPECT_EQ(elect(draft, 0, -1), "UNKNOWN_TOPIC_OR_PARTITION: There is no partition -1 of topic 't'");
  EXPECT_EQ(elect(draft, 0, 0, "u"), "UNKNOWN_TOPIC_OR_PARTITION: There is no partition 0 of topic 'u'");
  EXPECT_EQ(elect(draft, 2), "INVALID_REQUEST");
}

TEST(ElectLeaders, EverywhereNamesOnlyWhatHappened) {
  Draft draft = with_topic(2, {1, 2});
  make_topic(draft, "calm", 3);
  decide_brokers(draft, only({2}));
  wire::ElectLeadersRequest request;
  request.topic_partitions = std::nullopt;
  const auto response = decide(draft, request);
  for (const auto& topic : response.replica_election_results) {
    for (const auto& partition : topic.partition_result)
      EXPECT_NE(partition.error_code, ErrorCode::election_not_needed);
  }
  decide_brokers(draft, only({1, 2}));
  request.election_type = 1;
  EXPECT_TRUE(decide(draft, request).replica_election_results.empty());
}

TEST(ProducerIds, BlocksFollowEachOtherUntilTheEnd) {
  Draft draft = draft_with(1);
  const ProducerIdBlock first = decide_producer_ids(draft, kSelf);
  EXPECT_EQ(first.first, 0);
  EXPECT_EQ(first.count, 1000);
  EXPECT_EQ(decide_producer_ids(draft, BrokerId{7}).first, 1000);
  EXPECT_EQ(draft.image().next_producer_id, 2000);
  wire::ProducerIdsRecord nearly_all;
  nearly_all.next_producer_id = INT64_MAX - 1000;
  draft.propose({nearly_all});
  EXPECT_EQ(decide_producer_ids(draft, kSelf).error_code, 0);
  EXPECT_EQ(decide_producer_ids(draft, kSelf).error_code, -1);
}

}  // namespace
}  // namespace tailwater::cluster
