// Goal: topics come into being exactly by Kafka's rules, and the records make the topic that the answer
// describes. Method: every rule of CreateTopics with a request that keeps it and one that breaks it.
#include <gtest/gtest.h>

#include <algorithm>

#include "core/cluster/decide_test_support.hpp"

namespace tailwater::cluster {
namespace {

using wire::ErrorCode;
using WantedTopic = wire::CreateTopicsRequestCreatableTopic;

wire::CreateTopicsResponseCreatableTopicResult create(Draft& draft, WantedTopic topic,
                                                      bool validate_only = false) {
  wire::CreateTopicsRequest request;
  request.topics = {std::move(topic)};
  request.validate_only = validate_only;
  auto response = decide(draft, request);
  EXPECT_EQ(response.topics.size(), 1u);
  return response.topics.at(0);
}

WantedTopic assigned(std::vector<std::pair<std::int32_t, std::vector<std::int32_t>>> assignments) {
  WantedTopic topic = wanted_topic("t", -1, -1);
  for (auto& [partition, brokers] : assignments) topic.assignments.push_back({partition, brokers});
  return topic;
}

WantedTopic configured(std::vector<std::pair<std::string, std::optional<std::string>>> configs) {
  WantedTopic topic = wanted_topic("t");
  for (auto& [name, value] : configs) topic.configs.push_back({name, value});
  return topic;
}

TEST(CreateTopics, TheTopicIsAsTheAnswerSays) {
  Draft draft = draft_with(3);
  const ImageHandle before = draft.image_handle();
  WantedTopic wanted = wanted_topic("t", 5, 2);
  wanted.configs = {{"retention.ms", "1000"}};
  const auto result = create(draft, wanted);
  EXPECT_EQ(said(result), "none");
  EXPECT_EQ(result.num_partitions, 5);
  EXPECT_EQ(result.replication_factor, 2);
  const TopicHandle topic = draft.image().topic("t");
  ASSERT_NE(topic, nullptr);
  EXPECT_EQ(topic->id, result.topic_id);
  EXPECT_FALSE(topic->id.is_zero());
  EXPECT_EQ(topic->configs, (ConfigValues{{"retention.ms", "1000"}}));
  ASSERT_EQ(topic->partitions.size(), 5u);
  std::set<LogId> logs;
  for (const Partition& partition : topic->partitions) {
    EXPECT_EQ(partition.replicas.size(), 2u);
    EXPECT_EQ(partition.leader, partition.replicas[0].broker);
    EXPECT_EQ(partition.isr, partition.replica_ids());
    EXPECT_EQ(partition.leader_epoch, LeaderEpoch{0});
    for (const Replica& replica : partition.replicas) {
      EXPECT_TRUE(logs.insert(replica.log).second);
      EXPECT_EQ(draft.image().dir_of(replica), DirId{0});
    }
  }
  EXPECT_EQ(*logs.begin(), LogId{1});
  EXPECT_EQ(draft.image().next_log_id, 11u);
  expect_frames_make(*before, draft);
}

TEST(CreateTopics, TheAnswerShowsAllConfigurations) {
  Draft draft = draft_with(1, {{"log.retention.hours", "1"}});
  const auto result = create(draft, configured({{"cleanup.policy", "compact"}}));
  ASSERT_TRUE(result.configs);
  EXPECT_EQ(result.configs->size(), topic_keys().size());
  const auto find = [&](std::string_view name) {
    return *std::ranges::find_if(*result.configs, [&](const auto& config) { return config.name == name; });
  };
  EXPECT_EQ(find("cleanup.policy").value, "compact");
  EXPECT_EQ(find("cleanup.policy").config_source, 1);
  EXPECT_EQ(find("retention.ms").value, "3600000");
  EXPECT_EQ(find("retention.ms").config_source, 4);
  EXPECT_EQ(find("segment.bytes").config_source, 5);
  EXPECT_FALSE(find("segment.bytes").read_only);
  EXPECT_FALSE(find("segment.bytes").is_sensitive);
}

TEST(CreateTopics, MinusOneMeansTheBrokersDefault) {
  Draft draft = draft_with(3, {{"num.partitions", "4"}, {"default.replication.factor", "3"}});
  const auto result = create(draft, wanted_topic("t", -1, -1));
  EXPECT_EQ(said(result), "none");
  EXPECT_EQ(result.num_partitions, 4);
  EXPECT_EQ(result.replication_factor, 3);
}

TEST(CreateTopics, NumbersOutOfRange) {
  Draft draft = draft_with(2);
  const auto outcome = [&](std::int32_t partitions, int replicas) {
    return said(create(draft, wanted_topic("t", partitions, static_cast<std::int16_t>(replicas))));
  };
  const std::string partitions =
      "INVALID_PARTITIONS: The number of partitions must be 1 or more, or -1 for the broker's default";
  const std::string replicas =
      "INVALID_REPLICATION_FACTOR: The replication factor must be 1 or more, or -1 for the broker's default";
  EXPECT_EQ(outcome(0, 1), partitions);
  EXPECT_EQ(outcome(-2, 1), partitions);
  EXPECT_EQ(outcome(INT32_MIN, 1), partitions);
  EXPECT_EQ(outcome(1, 0), replicas);
  EXPECT_EQ(outcome(1, -2), replicas);
  EXPECT_EQ(
      outcome(1, 3),
      "INVALID_REPLICATION_FACTOR: Replication factor 3 is larger than the number of available brokers, 2");
  EXPECT_EQ(outcome(1, INT16_MAX),
            "INVALID_REPLICATION_FACTOR: Replication factor 32767 is larger than the number of available "
            "brokers, 2");
  EXPECT_EQ(outcome(100'001, 1), "POLICY_VIOLATION: One request may create at most 100000 partitions");
  EXPECT_EQ(outcome(INT32_MAX, 1), "POLICY_VIOLATION: One request may create at most 100000 partitions");
  EXPECT_TRUE(draft.image().topics.empty());
  EXPECT_FALSE(draft.has_frames());
}

TEST(CreateTopics, NamesAndCollisions) {
  Draft draft = draft_with(1);
  make_topic(draft, "a.b");
  EXPECT_EQ(
      said(create(draft, wanted_topic("a b"))),
      "INVALID_TOPIC_EXCEPTION: A topic name may contain letters, digits, '.', '_' and '-' only; got 'a b'");
  EXPECT_EQ(said(create(draft, wanted_topic(""))), "INVALID_TOPIC_EXCEPTION: A topic name cannot be empty");
  EXPECT_EQ(said(create(draft, wanted_topic("a.b"))), "TOPIC_ALREADY_EXISTS: Topic 'a.b' already exists.");
  EXPECT_EQ(said(create(draft, wanted_topic("a_b"))),
            "INVALID_TOPIC_EXCEPTION: Topic 'a_b' differs from the existing topic 'a.b' only in '.' and '_'");
  EXPECT_EQ(said(create(draft, wanted_topic("a-b"))), "none");
  EXPECT_EQ(said(create(draft, wanted_topic("__cluster_metadata"))),
            "INVALID_REQUEST: The name __cluster_metadata is reserved");
  EXPECT_TRUE(create(draft, wanted_topic("a-b")).configs->empty());
}

TEST(CreateTopics, TheTopicsOfOneRequestSeeEachOther) {
  Draft draft = draft_with(1);
  wire::CreateTopicsRequest request;
  request.topics = {wanted_topic("x.y"), wanted_topic("x_y"), wanted_topic("twice"), wanted_topic("ok"),
                    wanted_topic("twice", 2)};
  const auto response = decide(draft, request);
  ASSERT_EQ(response.topics.size(), 4u);
  EXPECT_EQ(said(response.topics[0]), "none");
  EXPECT_EQ(said(response.topics[1]),
            "INVALID_TOPIC_EXCEPTION: Topic 'x_y' differs from the existing topic 'x.y' only in '.' and '_'");
  EXPECT_EQ(said(response.topics[2]), "INVALID_REQUEST: The request names the topic 'twice' more than once");
  EXPECT_EQ(said(response.topics[3]), "none");
  EXPECT_EQ(draft.image().topics.size(), 2u);
}

TEST(CreateTopics, TheLimitOfPartitionsCountsTheWholeRequest) {
  Draft draft = draft_with(1, {{"num.partitions", "50000"}});
  wire::CreateTopicsRequest request;
  request.topics = {wanted_topic("a", 50'000), wanted_topic("b", -1), wanted_topic("c", 1)};
  for (const auto& topic : decide(draft, request).topics) {
    EXPECT_EQ(topic.error_code, ErrorCode::policy_violation);
  }
  request.topics.pop_back();
  request.validate_only = true;
  for (const auto& topic : decide(draft, request).topics) EXPECT_EQ(topic.error_code, ErrorCode::none);
}

TEST(CreateTopics, ConfigurationsAreChecked) {
  Draft draft = draft_with(1);
  const std::pair<std::vector<std::pair<std::string, std::optional<std::string>>>, std::string> cases[] = {
      {{{"retention.ms", "abc"}},
       "INVALID_CONFIG: retention.ms must be a whole number of milliseconds, -1 or more; got 'abc'"},
      {{{"retention.m", "1"}},
       "INVALID_CONFIG: There is no topic configuration retention.m; did you mean retention.ms?"},
      {{{"qqqqq", "1"}}, "INVALID_CONFIG: There is no topic configuration qqqqq"},
      {{{"retention.ms", std::nullopt}}, "INVALID_CONFIG: The configuration retention.ms needs a value"},
      {{{"min.compaction.lag.ms", "2"}, {"max.compaction.lag.ms", "1"}},
       "INVALID_CONFIG: min.compaction.lag.ms (2) must not be greater than max.compaction.lag.ms (1)"},
      {{{"remote.storage.enable", "true"}},
       "INVALID_CONFIG: remote.storage.enable cannot be set to 'true': there is no tiered storage here"},
      {{{"retention.ms", "1"}, {"retention.ms", "2"}}, "none"},
  };
  for (const auto& [configs, outcome] : cases) EXPECT_EQ(said(create(draft, configured(configs))), outcome);
  EXPECT_EQ(draft.image().topic("t")->configs, (ConfigValues{{"retention.ms", "2"}}));
}

TEST(CreateTopics, ReplicaAssignments) {
  Draft draft = draft_with(3);
  decide_brokers(draft, {registration(1), registration(2)});  // 3 is fenced
  const auto outcome = [&](WantedTopic topic) { return said(create(draft, std::move(topic), true)); };
  EXPECT_EQ(outcome(assigned({{0, {1}}, {1, {2}}})), "none");
  EXPECT_EQ(outcome(assigned({{1, {2, 1}}, {0, {1, 3}}})), "none");
  const std::string bad = "INVALID_REPLICA_ASSIGNMENT: ";
  EXPECT_EQ(outcome(assigned({{0, {}}})), bad + "A replica assignment must name at least one broker");
  EXPECT_EQ(outcome(assigned({{0, {1, 1}}})), bad + "A replica assignment names broker 1 more than once");
  EXPECT_EQ(outcome(assigned({{0, {1, 9}}})),
            bad + "A replica assignment names broker 9, which is not registered");
  EXPECT_EQ(outcome(assigned({{0, {3}}})), bad + "A replica assignment names no broker that is available");
  EXPECT_EQ(outcome(assigned({{0, {1, 2}}, {1, {1}}})),
            bad + "All partitions of a topic have the same number of replicas; got 1 instead of 2");
  EXPECT_EQ(outcome(assigned({{0, {1}}, {0, {2}}})),
            bad + "Partition 0 has more than one replica assignment");
  EXPECT_EQ(outcome(assigned({{1, {1}}})),
            bad + "Replica assignments must be for partitions 0, 1, 2 and so on without a gap");
  EXPECT_EQ(outcome(assigned({{0, {1}}, {2, {1}}})),
            bad + "Replica assignments must be for partitions 0, 1, 2 and so on without a gap");
  EXPECT_EQ(outcome(assigned({{-1, {1}}})),
            bad + "Replica assignments must be for partitions 0, 1, 2 and so on without a gap");
  WantedTopic with_replicas = assigned({{0, {1}}});
  with_replicas.replication_factor = 1;
  EXPECT_EQ(outcome(with_replicas),
            "INVALID_REQUEST: With replica assignments the replication factor must be -1");
  WantedTopic with_partitions = assigned({{0, {1}}});
  with_partitions.num_partitions = 1;
  EXPECT_EQ(outcome(with_partitions),
            "INVALID_REQUEST: With replica assignments the number of partitions must be -1");
}

TEST(CreateTopics, AnAssignmentIsFollowedAndFencedReplicasAreNotInSync) {
  Draft draft = draft_with(3);
  decide_brokers(draft, {registration(1), registration(2)});
  const auto result = create(draft, assigned({{0, {3, 2}}, {1, {1, 3}}}));
  EXPECT_EQ(result.num_partitions, 2);
  EXPECT_EQ(result.replication_factor, 2);
  const TopicHandle topic = draft.image().topic("t");
  EXPECT_EQ(topic->partitions[0].replica_ids(), (BrokerIds{BrokerId{3}, BrokerId{2}}));
  EXPECT_EQ(topic->partitions[0].isr, BrokerIds{BrokerId{2}});
  EXPECT_EQ(topic->partitions[0].leader, BrokerId{2});
  EXPECT_EQ(topic->partitions[1].leader, BrokerId{1});
}

TEST(CreateTopics, ValidateOnlyAnswersTheSameAndChangesNothing) {
  Draft draft = draft_with(1);
  const ImageHandle before = draft.image_handle();
  const auto result = create(draft, wanted_topic("t", 3), true);
  EXPECT_EQ(said(result), "none");
  EXPECT_EQ(result.num_partitions, 3);
  EXPECT_TRUE(result.topic_id.is_zero());
  EXPECT_EQ(result.configs->size(), topic_keys().size());
  EXPECT_EQ(draft.image_handle(), before);
  EXPECT_FALSE(draft.has_frames());
  make_topic(draft, "t");
  EXPECT_EQ(create(draft, wanted_topic("t", 3), true).error_code, ErrorCode::topic_already_exists);
}

TEST(EnsureTopics, OrdinaryOnesGetTheDefaults) {
  Draft draft = draft_with(1, {{"num.partitions", "3"}});
  const EnsuredTopics ensured = decide_ensure_topics(draft, {"new", "bad name", "new"});
  ASSERT_EQ(ensured.topics.size(), 3u);
  EXPECT_EQ(ensured.topics[0].error_code, 0);
  EXPECT_EQ(ensured.topics[1].error_code, 17);
  EXPECT_EQ(ensured.topics[2].error_code, 0);
  EXPECT_EQ(draft.image().topic("new")->partitions.size(), 3u);
  EXPECT_EQ(draft.image().topics.size(), 1u);
}

TEST(EnsureTopics, InternalOnesGetTheirOwnSettingsAndAsManyReplicasAsThereAreBrokers) {
  for (const std::int32_t brokers : {1, 2, 3, 5}) {
    Draft draft = draft_with(brokers);
    const EnsuredTopics ensured =
        decide_ensure_topics(draft, {std::string(kOffsetsTopic), std::string(kTransactionTopic)});
    EXPECT_EQ(ensured.topics[0].error_code, 0);
    EXPECT_EQ(ensured.topics[1].error_code, 0);
    const std::size_t replicas = static_cast<std::size_t>(std::min(brokers, 3));
    const TopicHandle offsets = draft.image().topic(kOffsetsTopic);
    EXPECT_TRUE(offsets->is_internal());
    EXPECT_EQ(offsets->partitions.size(), 50u);
    EXPECT_EQ(offsets->partitions[0].replicas.size(), replicas);
    EXPECT_EQ(offsets->configs, (ConfigValues{{"cleanup.policy", "compact"},
                                              {"compression.type", "producer"},
                                              {"segment.bytes", "104857600"}}));
    const TopicHandle transactions = draft.image().topic(kTransactionTopic);
    EXPECT_EQ(transactions->partitions.size(), 50u);
    EXPECT_EQ(transactions->configs.at("min.insync.replicas"), std::to_string(std::min(brokers, 2)));
    EXPECT_EQ(transactions->configs.at("cleanup.policy"), "compact");
  }
}

TEST(EnsureTopics, WithoutALiveBrokerNothingIsMade) {
  Draft draft = draft_with(1);
  decide_brokers(draft, {});
  EXPECT_EQ(decide_ensure_topics(draft, {std::string(kOffsetsTopic)}).topics[0].error_code, 38);
  EXPECT_TRUE(draft.image().topics.empty());
}

TEST(CreateTopics, TheAnswerToALongRequestLeavesConfigurationsOut) {
  Draft draft = draft_with(1);
  wire::CreateTopicsRequest request;
  request.validate_only = true;
  constexpr std::size_t kTopics = 10'001;
  for (std::size_t at = 0; at < kTopics; ++at)
    request.topics.push_back(wanted_topic("t" + std::to_string(at)));
  const auto response = decide(draft, request);
  ASSERT_EQ(response.topics.size(), kTopics);
  const auto& told = response.topics[kTopics - 2];
  EXPECT_EQ(told.topic_config_error_code, ErrorCode::none);
  ASSERT_TRUE(told.configs.has_value());
  EXPECT_EQ(told.configs->size(), topic_keys().size());
  const auto& left_out = response.topics[kTopics - 1];
  EXPECT_EQ(left_out.error_code, ErrorCode::none);
  EXPECT_EQ(left_out.topic_config_error_code, ErrorCode::policy_violation);
  EXPECT_FALSE(left_out.configs.has_value());
}

}  // namespace
}  // namespace tailwater::cluster
