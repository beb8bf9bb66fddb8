// Goal: topics are deleted by name or id and get more partitions by Kafka's rules. Method: every rule with a
// request that keeps it and one that breaks it.
#include <gtest/gtest.h>

#include <algorithm>

#include "core/cluster/decide_test_support.hpp"

namespace tailwater::cluster {
namespace {

using wire::ErrorCode;

wire::DeleteTopicsResponse remove(Draft& draft,
                                  std::vector<std::pair<std::optional<std::string>, Uuid>> topics) {
  wire::DeleteTopicsRequest request;
  for (auto& [name, id] : topics) request.topics.push_back({name, id});
  return decide(draft, request);
}

wire::CreatePartitionsRequestCreatePartitionsTopic more(
    std::string name, std::int32_t count,
    std::optional<std::vector<std::vector<std::int32_t>>> assignments = {}) {
  wire::CreatePartitionsRequestCreatePartitionsTopic topic;
  topic.name = std::move(name);
  topic.count = count;
  if (assignments) {
    topic.assignments.emplace();
    for (auto& brokers : *assignments) topic.assignments->push_back({brokers});
  }
  return topic;
}

std::string add(Draft& draft, wire::CreatePartitionsRequestCreatePartitionsTopic topic,
                bool validate_only = false) {
  wire::CreatePartitionsRequest request;
  request.topics = {std::move(topic)};
  request.validate_only = validate_only;
  const auto response = decide(draft, request);
  EXPECT_EQ(response.results.size(), 1u);
  return said(response.results.at(0));
}

TEST(DeleteTopics, ByNameAndById) {
  Draft draft = draft_with(1);
  make_topic(draft, "a");
  make_topic(draft, "b");
  const Uuid id = draft.image().topic("b")->id;
  const Uuid first_id = draft.image().topic("a")->id;
  const ImageHandle before = draft.image_handle();
  draft.take_frames();
  const auto response = remove(draft, {{"a", Uuid{}}, {std::nullopt, id}});
  ASSERT_EQ(response.responses.size(), 2u);
  EXPECT_EQ(said(response.responses[0]), "none");
  EXPECT_EQ(response.responses[0].topic_id, first_id);
  EXPECT_EQ(said(response.responses[1]), "none");
  EXPECT_EQ(response.responses[1].name, "b");
  EXPECT_TRUE(draft.image().topics.empty());
  EXPECT_EQ(draft.image().partition_count, 0u);
  expect_frames_make(*before, draft);
}

TEST(DeleteTopics, TheNamesOfOldRequests) {
  Draft draft = draft_with(1);
  make_topic(draft, "a");
  wire::DeleteTopicsRequest request;
  request.topic_names = {"a", "gone"};
  const auto response = decide(draft, request);
  ASSERT_EQ(response.responses.size(), 2u);
  EXPECT_EQ(said(response.responses[0]), "none");
  EXPECT_EQ(said(response.responses[1]), "UNKNOWN_TOPIC_OR_PARTITION: There is no topic 'gone'");
}

TEST(DeleteTopics, WhatIsRefused) {
  Draft draft = draft_with(1);
  make_topic(draft, "a");
  const Uuid unknown{9, 9};
  const auto response = remove(draft, {{"a", Uuid{}},
                                       {"a", Uuid{}},
                                       {"gone", Uuid{}},
                                       {std::nullopt, unknown},
                                       {std::nullopt, Uuid{}},
                                       {"a", unknown}});
  ASSERT_EQ(response.responses.size(), 5u);
  EXPECT_EQ(said(response.responses[0]), "INVALID_REQUEST: The request names this topic more than once");
  EXPECT_EQ(said(response.responses[1]), "UNKNOWN_TOPIC_OR_PARTITION: There is no topic 'gone'");
  EXPECT_EQ(said(response.responses[2]),
            "UNKNOWN_TOPIC_ID: There is no topic with the id " + to_string(unknown));
  EXPECT_EQ(response.responses[2].name, std::nullopt);
  EXPECT_EQ(said(response.responses[3]), "INVALID_REQUEST: Neither a name nor an id of a topic is given");
  EXPECT_EQ(said(response.responses[4]), "INVALID_REQUEST: Name the topic or give its id, not both");
  EXPECT_NE(draft.image().topic("a"), nullptr);
}

TEST(DeleteTopics, ByNameAndByIdAtOnceIsNotAtAll) {
  for (const bool name_first : {false, true}) {
    Draft draft = draft_with(1);
    make_topic(draft, "a");
    make_topic(draft, "b");
    const Uuid id = draft.image().topic("a")->id;
    std::vector<std::pair<std::optional<std::string>, Uuid>> topics = {{std::nullopt, id}, {"a", Uuid{}}};
    if (name_first) std::ranges::reverse(topics);
    topics.emplace_back("b", Uuid{});
    const auto response = remove(draft, topics);
    ASSERT_EQ(response.responses.size(), 2u);
    EXPECT_EQ(response.responses[0].error_code, ErrorCode::invalid_request);
    EXPECT_EQ(response.responses[0].name, "a");
    EXPECT_EQ(response.responses[0].topic_id, id);
    EXPECT_EQ(said(response.responses[1]), "none");
    EXPECT_NE(draft.image().topic("a"), nullptr);
    EXPECT_EQ(draft.image().topic("b"), nullptr);
  }
}

TEST(DeleteTopics, MayBeForbidden) {
  Draft draft = draft_with(1, {{"delete.topic.enable", "false"}});
  make_topic(draft, "a");
  EXPECT_EQ(said(remove(draft, {{"a", Uuid{}}}).responses[0]),
            "TOPIC_DELETION_DISABLED: Topics cannot be deleted here: delete.topic.enable is false");
  EXPECT_NE(draft.image().topic("a"), nullptr);
}

TEST(DeleteTopics, ATopicThatComesBackHasANewIdAndNewLogs) {
  Draft draft = draft_with(1);
  make_topic(draft, "a");
  const TopicHandle before = draft.image().topic("a");
  remove(draft, {{"a", Uuid{}}});
  make_topic(draft, "a");
  const TopicHandle after = draft.image().topic("a");
  EXPECT_NE(after->id, before->id);
  EXPECT_NE(after->partitions[0].replicas[0].log, before->partitions[0].replicas[0].log);
}

TEST(CreatePartitions, AddsToWhatThereIs) {
  Draft draft = draft_with(3);
  make_topic(draft, "t", 2, 2);
  const TopicHandle before = draft.image().topic("t");
  const ImageHandle image = draft.image_handle();
  draft.take_frames();
  EXPECT_EQ(add(draft, more("t", 5)), "none");
  const TopicHandle after = draft.image().topic("t");
  ASSERT_EQ(after->partitions.size(), 5u);
  EXPECT_EQ(after->id, before->id);
  for (std::size_t at = 0; at < 2; ++at) EXPECT_EQ(after->partitions[at], before->partitions[at]);
  std::set<LogId> logs;
  for (const Partition& partition : after->partitions) {
    EXPECT_EQ(partition.replicas.size(), 2u);
    for (const Replica& replica : partition.replicas) logs.insert(replica.log);
  }
  EXPECT_EQ(logs.size(), 10u);
  EXPECT_EQ(draft.image().partition_count, 5u);
  expect_frames_make(*image, draft);
}

TEST(CreatePartitions, AssignmentsAreFollowed) {
  Draft draft = draft_with(3);
  make_topic(draft, "t", 1, 2);
  EXPECT_EQ(add(draft, more("t", 3, {{{3, 1}, {2, 3}}})), "none");
  const TopicHandle topic = draft.image().topic("t");
  EXPECT_EQ(topic->partitions[1].replica_ids(), (BrokerIds{BrokerId{3}, BrokerId{1}}));
  EXPECT_EQ(topic->partitions[2].replica_ids(), (BrokerIds{BrokerId{2}, BrokerId{3}}));
}

TEST(CreatePartitions, WhatIsRefused) {
  Draft draft = draft_with(3);
  make_topic(draft, "t", 2, 2);
  decide_ensure_topics(draft, {std::string(kOffsetsTopic)});
  const ImageHandle before = draft.image_handle();
  const std::string bad = "INVALID_REPLICA_ASSIGNMENT: ";
  EXPECT_EQ(add(draft, more("gone", 2)), "UNKNOWN_TOPIC_OR_PARTITION: There is no topic 'gone'");
  EXPECT_EQ(add(draft, more("t", 2)),
            "INVALID_PARTITIONS: Topic 't' has 2 partitions; 2 would be no increase");
  EXPECT_EQ(add(draft, more("t", 1)),
            "INVALID_PARTITIONS: Topic 't' has 2 partitions; 1 would be no increase");
  EXPECT_EQ(add(draft, more("t", -1)),
            "INVALID_PARTITIONS: Topic 't' has 2 partitions; -1 would be no increase");
  EXPECT_EQ(add(draft, more("t", 100'003)),
            "POLICY_VIOLATION: One request may create at most 100000 partitions");
  EXPECT_EQ(add(draft, more("t", 4, {{{1, 2}}})),
            bad + "2 partitions are added, but there are replica assignments for 1");
  EXPECT_EQ(add(draft, more("t", 3, {{{1}}})),
            bad + "All partitions of a topic have the same number of replicas; got 1 instead of 2");
  EXPECT_EQ(add(draft, more("t", 3, {{{1, 1}}})), bad + "A replica assignment names broker 1 more than once");
  EXPECT_EQ(add(draft, more("t", 3, {{{1, 8}}})),
            bad + "A replica assignment names broker 8, which is not registered");
  EXPECT_EQ(add(draft, more(std::string(kOffsetsTopic), 60)),
            "INVALID_REQUEST: The number of partitions of __consumer_offsets cannot change: groups and "
            "transactions are "
            "spread by it");
  EXPECT_EQ(draft.image_handle(), before);
}

TEST(CreatePartitions, TheLimitIsThatOfTheWholeRequest) {
  Draft draft = draft_with(1);
  for (const char* name : {"t", "u", "v"}) make_topic(draft, name);
  wire::CreatePartitionsRequest request;
  request.topics = {more("t", 60'001), more("u", 60'001), more("v", 0)};
  const auto response = decide(draft, request);
  ASSERT_EQ(response.results.size(), 3u);
  for (std::size_t at = 0; at < 2; ++at) {
    EXPECT_EQ(said(response.results[at]),
              "POLICY_VIOLATION: One request may create at most 100000 partitions");
  }
  EXPECT_EQ(response.results[2].error_code, ErrorCode::invalid_partitions);
  EXPECT_EQ(draft.image().partition_count, 3u);
}

TEST(CreatePartitions, TwiceInOneRequestAndValidateOnly) {
  Draft draft = draft_with(1);
  make_topic(draft, "t");
  make_topic(draft, "u");
  wire::CreatePartitionsRequest request;
  request.topics = {more("t", 2), more("u", 2), more("t", 3)};
  request.validate_only = true;
  const auto response = decide(draft, request);
  ASSERT_EQ(response.results.size(), 2u);
  EXPECT_EQ(said(response.results[0]), "INVALID_REQUEST: The request names the topic 't' more than once");
  EXPECT_EQ(said(response.results[1]), "none");
  EXPECT_EQ(draft.image().topic("u")->partitions.size(), 1u);
}

}  // namespace
}  // namespace tailwater::cluster
