// Goal: what the broker says about itself, its topics and its coordinators is what Kafka's clients expect.
// Method: one request after the other over a simulated broker, with one and with three shards.
#include <algorithm>
#include <set>

#include "sim/test_world.hpp"
#include "wire/api/create_acls.hpp"
#include "wire/api/delete_acls.hpp"
#include "wire/api/describe_acls.hpp"
#include "wire/api/describe_cluster.hpp"
#include "wire/api/describe_quorum.hpp"
#include "wire/api/describe_topic_partitions.hpp"
#include "wire/api/init_producer_id.hpp"
#include "wire/api/sasl_authenticate.hpp"
#include "wire/api/sasl_handshake.hpp"

namespace tailwater::sim {
namespace {

using wire::ErrorCode;

class About : public OverShards {
 protected:
  wire::MetadataResponse describe(std::vector<wire::MetadataRequestTopic> topics, bool create = false,
                                  std::int16_t version = 13) {
    wire::MetadataRequest request;
    request.topics = std::move(topics);
    request.allow_auto_topic_creation = create;
    return line.ask(version, request);
  }
};

TEST_P(About, metadata_names_the_broker) {
  const auto response = describe({});
  ASSERT_EQ(response.brokers.size(), 1U);
  EXPECT_EQ(response.brokers[0].node_id, 1);
  EXPECT_EQ(response.brokers[0].host, "sim");
  EXPECT_EQ(response.brokers[0].port, 9092);
  EXPECT_EQ(response.controller_id, 1);
  EXPECT_FALSE(response.cluster_id.value_or("").empty());
  EXPECT_TRUE(response.topics.empty()) << "no topics were asked for";
}

TEST_P(About, metadata_of_all_some_and_no_topics) {
  const Uuid one = create_topic(line, "one", 3);
  create_topic(line, "two", 1);
  const auto all = line.ask(13, wire::MetadataRequest{});
  ASSERT_EQ(all.topics.size(), 2U);

  const auto named = describe({{.topic_id = {}, .name = "one"}});
  ASSERT_EQ(named.topics.size(), 1U);
  const auto& topic = named.topics[0];
  EXPECT_EQ(topic.topic_id, one);
  EXPECT_FALSE(topic.is_internal);
  ASSERT_EQ(topic.partitions.size(), 3U);
  for (std::size_t index = 0; index < 3; ++index) {
    EXPECT_EQ(topic.partitions[index].partition_index, static_cast<std::int32_t>(index));
    EXPECT_EQ(topic.partitions[index].leader_id, 1);
    EXPECT_EQ(topic.partitions[index].replica_nodes, std::vector<std::int32_t>{1});
    EXPECT_EQ(topic.partitions[index].isr_nodes, std::vector<std::int32_t>{1});
    EXPECT_TRUE(topic.partitions[index].offline_replicas.empty());
  }

  const auto by_id = describe({{.topic_id = one, .name = std::nullopt}});
  ASSERT_EQ(by_id.topics.size(), 1U);
  EXPECT_EQ(by_id.topics[0].name, "one");
  EXPECT_EQ(by_id.topics[0].partitions.size(), 3U);

  const auto unknown = describe({{.topic_id = Uuid{9, 9}, .name = std::nullopt}});
  ASSERT_EQ(unknown.topics.size(), 1U);
  EXPECT_EQ(unknown.topics[0].error_code, ErrorCode::unknown_topic_id);
}

TEST_P(About, an_empty_name_beside_an_id_says_nothing) {
  const Uuid one = create_topic(line, "one", 3);
  for (const bool create : {false, true}) {
    const auto answer =
        describe({{.topic_id = one, .name = ""}, {.topic_id = Uuid{9, 9}, .name = ""}}, create);
    ASSERT_EQ(answer.topics.size(), 2U);
    EXPECT_EQ(answer.topics[0].error_code, ErrorCode::none);
    EXPECT_EQ(answer.topics[0].name, "one");
    EXPECT_EQ(answer.topics[0].partitions.size(), 3U);
    EXPECT_EQ(answer.topics[1].error_code, ErrorCode::unknown_topic_id);
    EXPECT_EQ(answer.topics[1].topic_id, (Uuid{9, 9}));
    EXPECT_EQ(answer.topics[1].name, std::nullopt);
  }
}

TEST_P(About, metadata_0_takes_an_empty_list_for_all) {
  create_topic(line, "one", 1);
  EXPECT_EQ(describe({}, false, 0).topics.size(), 1U);
  EXPECT_EQ(describe({}, false, 1).topics.size(), 0U);
}

TEST_P(About, metadata_creates_topics_only_if_told_so) {
  const auto refused = describe({{.topic_id = {}, .name = "fresh"}}, false);
  ASSERT_EQ(refused.topics.size(), 1U);
  EXPECT_EQ(refused.topics[0].error_code, ErrorCode::unknown_topic_or_partition);

  // Nobody is told of what is not there yet; older versions always create.
  const auto asked = describe({{.topic_id = {}, .name = "fresh"}}, true);
  EXPECT_EQ(asked.topics[0].error_code, ErrorCode::unknown_topic_or_partition);
  EXPECT_TRUE(asked.topics[0].partitions.empty());
  EXPECT_EQ(describe({{.topic_id = {}, .name = "old-way"}}, true, 3).topics[0].error_code,
            ErrorCode::unknown_topic_or_partition);
  world.pass(Duration::from_ms(5'000));
  const auto made = describe({{.topic_id = {}, .name = "fresh"}}, false);
  EXPECT_EQ(made.topics[0].error_code, ErrorCode::none);
  EXPECT_EQ(made.topics[0].partitions.size(), 1U);
  EXPECT_EQ(describe({{.topic_id = {}, .name = "old-way"}}).topics[0].error_code, ErrorCode::none);

  const auto invalid = describe({{.topic_id = {}, .name = "a b"}}, true);
  EXPECT_EQ(invalid.topics[0].error_code, ErrorCode::invalid_topic_exception);
}

TEST_P(About, metadata_describes_a_topic_once) {
  const Uuid one = create_topic(line, "one", 3);
  create_topic(line, "two", 1);
  const auto answer = describe({{.topic_id = {}, .name = "two"},
                                {.topic_id = {}, .name = "one"},
                                {.topic_id = {}, .name = "two"},
                                {.topic_id = {}, .name = "none"},
                                {.topic_id = one, .name = std::nullopt},
                                {.topic_id = Uuid{9, 9}, .name = std::nullopt},
                                {.topic_id = {}, .name = "none"},
                                {.topic_id = Uuid{9, 9}, .name = std::nullopt}});
  std::vector<std::string> names;
  for (const auto& topic : answer.topics) names.push_back(topic.name.value_or("?"));
  EXPECT_EQ(names, (std::vector<std::string>{"two", "one", "none", "?"}));
}

TEST_P(About, names_that_no_topic_can_have_are_invalid) {
  const auto answer = describe({{.topic_id = {}, .name = "a b"},
                                {.topic_id = {}, .name = "__consumer_offsets"},
                                {.topic_id = {}, .name = "nope"}});
  ASSERT_EQ(answer.topics.size(), 3U);
  EXPECT_EQ(answer.topics[0].error_code, ErrorCode::invalid_topic_exception);
  EXPECT_EQ(answer.topics[1].error_code, ErrorCode::unknown_topic_or_partition);
  EXPECT_TRUE(answer.topics[1].is_internal);
  EXPECT_EQ(answer.topics[2].error_code, ErrorCode::unknown_topic_or_partition);
  EXPECT_FALSE(answer.topics[2].is_internal);

  wire::DescribeTopicPartitionsRequest request;
  request.topics = {{.name = "a b"}, {.name = "__consumer_offsets"}};
  const auto described = line.ask(0, request);
  ASSERT_EQ(described.topics.size(), 2U);
  EXPECT_EQ(described.topics[0].error_code, ErrorCode::unknown_topic_or_partition);
  EXPECT_TRUE(described.topics[0].is_internal);
  EXPECT_EQ(described.topics[1].error_code, ErrorCode::invalid_topic_exception);
}

TEST_P(About, metadata_10_and_11_have_ids_but_do_not_take_them) {
  const Uuid one = create_topic(line, "one", 1);
  for (const std::int16_t version : {std::int16_t{10}, std::int16_t{11}}) {
    for (const wire::MetadataRequestTopic& wrong :
         {wire::MetadataRequestTopic{.topic_id = one, .name = "one"},
          wire::MetadataRequestTopic{.topic_id = {}, .name = std::nullopt}}) {
      const auto answer = describe({{.topic_id = {}, .name = "one"}, wrong}, false, version);
      ASSERT_EQ(answer.topics.size(), 2U);
      for (const auto& topic : answer.topics) {
        EXPECT_EQ(topic.error_code, ErrorCode::invalid_request);
        EXPECT_TRUE(topic.partitions.empty());
      }
      EXPECT_EQ(answer.topics[1].name, wrong.name.value_or(""));
    }
  }
}

TEST_P(About, answers_that_tell_of_an_error_are_counted) {
  const auto told = [&](const std::string& api) {
    std::uint64_t errors = 0;
    for (const auto& shard : world.broker.metrics()) {
      if (const auto found = shard.apis.find(api); found != shard.apis.end()) errors += found->second.errors;
    }
    return errors;
  };
  create_topic(line, "one", 1);
  describe({{.topic_id = {}, .name = "one"}});
  EXPECT_EQ(told("Metadata"), 0U);
  describe({{.topic_id = {}, .name = "one"}, {.topic_id = {}, .name = "nobody knows"}});
  EXPECT_EQ(told("Metadata"), 1U);

  wire::FetchRequest fetch;
  auto& topic = fetch.topics.emplace_back();
  topic.topic = "one";
  topic.partitions.push_back({.partition = 7, .fetch_offset = 0, .partition_max_bytes = 1});
  line.ask(11, fetch);
  EXPECT_EQ(told("Fetch"), 1U);

  wire::ProduceRequest produce;
  produce.acks = -1;
  produce.timeout_ms = 1'000;
  auto& data = produce.topic_data.emplace_back();
  data.name = "one";
  data.partition_data.push_back({.index = 7, .records = Bytes{}});
  line.ask(9, produce);
  EXPECT_EQ(told("Produce"), 1U);
}

TEST_P(About, describe_cluster) {
  wire::DescribeClusterRequest request;
  const auto response = line.ask(2, request);
  EXPECT_EQ(response.error_code, ErrorCode::none);
  ASSERT_EQ(response.brokers.size(), 1U);
  EXPECT_EQ(response.brokers[0].broker_id, 1);
  EXPECT_EQ(response.controller_id, 1);
  EXPECT_EQ(response.cluster_authorized_operations, INT32_MIN) << "not asked for";
  request.include_cluster_authorized_operations = true;
  EXPECT_NE(line.ask(2, request).cluster_authorized_operations, INT32_MIN);
  request.endpoint_type = 2;
  EXPECT_EQ(line.ask(2, request).error_code, ErrorCode::mismatched_endpoint_type);
  request.endpoint_type = 9;
  EXPECT_EQ(line.ask(2, request).error_code, ErrorCode::unsupported_endpoint_type);
}

TEST_P(About, the_broker_is_a_quorum_of_one) {
  wire::DescribeQuorumRequest request;
  auto& topic = request.topics.emplace_back();
  topic.topic_name = "__cluster_metadata";
  topic.partitions.push_back({.partition_index = 0});
  const auto before = line.ask(2, request).topics.at(0).partitions.at(0);
  EXPECT_EQ(before.error_code, ErrorCode::none);
  EXPECT_EQ(before.leader_id, 1);
  ASSERT_EQ(before.current_voters.size(), 1U);
  EXPECT_EQ(before.current_voters[0].replica_id, 1);
  EXPECT_EQ(before.current_voters[0].log_end_offset, before.high_watermark);
  EXPECT_TRUE(before.observers.empty());
  create_topic(line, "t", 1);
  const auto response = line.ask(2, request);
  EXPECT_GT(response.topics.at(0).partitions.at(0).high_watermark, before.high_watermark);
  ASSERT_EQ(response.nodes.size(), 1U);
  EXPECT_EQ(response.nodes[0].node_id, 1);
  EXPECT_EQ(response.nodes[0].listeners.at(0).host, "sim");

  request.topics[0].topic_name = "t";
  const auto other = line.ask(2, request);
  EXPECT_EQ(other.error_code, ErrorCode::none);
  EXPECT_EQ(other.topics.at(0).partitions.at(0).error_code, ErrorCode::unknown_topic_or_partition);
  EXPECT_TRUE(other.nodes.empty());
}

TEST_P(About, nobody_is_to_authenticate) {
  wire::SaslHandshakeRequest handshake;
  handshake.mechanism = "PLAIN";
  EXPECT_EQ(line.ask(1, handshake).error_code, ErrorCode::illegal_sasl_state);
  EXPECT_EQ(line.ask(2, wire::SaslAuthenticateRequest{}).error_code, ErrorCode::illegal_sasl_state);
  EXPECT_EQ(line.ask(13, wire::MetadataRequest{}).brokers.size(), 1U) << "the connection goes on";
}

TEST_P(About, there_is_no_authorizer) {
  EXPECT_EQ(line.ask(3, wire::DescribeAclsRequest{}).error_code, ErrorCode::security_disabled);

  wire::CreateAclsRequest create;
  EXPECT_TRUE(line.ask(3, create).results.empty());
  create.creations.resize(2);
  const auto created = line.ask(3, create);
  ASSERT_EQ(created.results.size(), 2U);
  for (const auto& each : created.results) EXPECT_EQ(each.error_code, ErrorCode::security_disabled);

  wire::DeleteAclsRequest remove;
  remove.filters.resize(2);
  const auto removed = line.ask(3, remove);
  ASSERT_EQ(removed.filter_results.size(), 2U);
  for (const auto& each : removed.filter_results) {
    EXPECT_EQ(each.error_code, ErrorCode::security_disabled);
    EXPECT_TRUE(each.matching_acls.empty());
  }
}

TEST_P(About, find_coordinator_makes_the_offsets_topic) {
  EXPECT_TRUE(line.ask(13, wire::MetadataRequest{}).topics.empty());
  wire::FindCoordinatorRequest request;
  request.key = "group";
  const auto old = line.ask(3, request);
  EXPECT_EQ(old.error_code, ErrorCode::none);
  EXPECT_EQ(old.node_id, 1);
  EXPECT_EQ(old.host, "sim");
  EXPECT_EQ(old.port, 9092);
  const auto topics = line.ask(13, wire::MetadataRequest{}).topics;
  ASSERT_EQ(topics.size(), 1U);
  EXPECT_EQ(topics[0].name, "__consumer_offsets");
  EXPECT_TRUE(topics[0].is_internal);

  request.coordinator_keys = {"a", "b"};
  const auto batched = line.ask(4, request);
  ASSERT_EQ(batched.coordinators.size(), 2U);
  EXPECT_EQ(batched.coordinators[0].key, "a");
  EXPECT_EQ(batched.coordinators[1].key, "b");
  EXPECT_EQ(batched.coordinators[1].node_id, 1);
}

TEST_P(About, transactional_ids_have_coordinators_once_somebody_asked) {
  wire::InitProducerIdRequest init;
  init.transactional_id = "t";
  init.transaction_timeout_ms = 1'000;
  const auto refused = line.ask(4, init);
  EXPECT_EQ(refused.error_code, ErrorCode::not_coordinator);
  EXPECT_EQ(refused.producer_id, -1);

  wire::FindCoordinatorRequest request;
  request.key_type = 1;
  request.key = "t";
  EXPECT_EQ(line.ask(3, request).error_code, ErrorCode::none);
  const auto topics = line.ask(13, wire::MetadataRequest{}).topics;
  ASSERT_EQ(topics.size(), 1U);
  EXPECT_EQ(topics[0].name, "__transaction_state");
  EXPECT_TRUE(topics[0].is_internal);
  EXPECT_EQ(line.ask(4, init).error_code, ErrorCode::none);
  init.transactional_id = "";
  EXPECT_EQ(line.ask(4, init).error_code, ErrorCode::invalid_request);
  request.key_type = 2;
  request.coordinator_keys = {"t"};
  const auto unknown = line.ask(4, request);
  ASSERT_EQ(unknown.coordinators.size(), 1U);
  EXPECT_EQ(unknown.coordinators[0].error_code, ErrorCode::invalid_request);
  EXPECT_EQ(unknown.coordinators[0].node_id, -1);
}

TEST_P(About, a_metadata_store_that_hangs_holds_no_client_for_ever) {
  const Instant back = world.agenda.now() + Duration::from_ms(120'000);
  world.broker.hang_store_until(back);
  const Instant asked_at = world.agenda.now();
  wire::FindCoordinatorRequest find;
  find.key = "group";
  EXPECT_EQ(line.ask(3, find).error_code, ErrorCode::coordinator_not_available);
  const auto metadata = describe({{.topic_id = {}, .name = "new"}}, true);
  ASSERT_EQ(metadata.topics.size(), 1U);
  EXPECT_EQ(metadata.topics[0].error_code, ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(line.ask(4, wire::InitProducerIdRequest{}).error_code, ErrorCode::coordinator_load_in_progress);
  EXPECT_LE((world.agenda.now() - asked_at).to_ms(), 20'000);

  // What the store says late counts for those who ask again.
  world.pass(back - world.agenda.now() + Duration::from_ms(1'000));
  EXPECT_EQ(line.ask(3, find).error_code, ErrorCode::none);
  EXPECT_EQ(describe({{.topic_id = {}, .name = "new"}}, true).topics[0].error_code, ErrorCode::none);
  EXPECT_EQ(line.ask(4, wire::InitProducerIdRequest{}).error_code, ErrorCode::none);
}

TEST_P(About, producer_ids_are_unique_over_shards_and_restarts) {
  std::set<std::int64_t> ids;
  const auto ask = [&](Line& from) {
    const auto response = from.ask(4, wire::InitProducerIdRequest{});
    EXPECT_EQ(response.error_code, ErrorCode::none);
    EXPECT_EQ(response.producer_epoch, 0);
    EXPECT_TRUE(ids.insert(response.producer_id).second) << response.producer_id << " was given twice";
  };
  for (int count = 0; count < 20; ++count) {
    Line other(world);  // on any shard
    ask(other);
    ask(line);
  }
  world.stop();
  world.start();
  Line after(world);
  for (int count = 0; count < 5; ++count) ask(after);
}

// --- DescribeTopicPartitions

TEST_P(About, describe_topic_partitions_goes_on_at_its_cursor) {
  create_topic(line, "a", 3);
  create_topic(line, "b", 2);
  create_topic(line, "c", 1);
  std::vector<std::string> seen;
  wire::DescribeTopicPartitionsRequest request;
  request.response_partition_limit = 2;
  for (int page = 0; page < 10; ++page) {
    const auto response = line.ask(0, request);
    std::size_t partitions = 0;
    for (const auto& topic : response.topics) {
      EXPECT_EQ(topic.error_code, ErrorCode::none);
      for (const auto& partition : topic.partitions) {
        seen.push_back(topic.name.value_or("?") + std::to_string(partition.partition_index));
        ++partitions;
      }
    }
    EXPECT_LE(partitions, 2U);
    if (!response.next_cursor) break;
    request.cursor = {.topic_name = response.next_cursor->topic_name,
                      .partition_index = response.next_cursor->partition_index};
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"a0", "a1", "a2", "b0", "b1", "c0"}));
}

TEST_P(About, describe_topic_partitions_of_an_unknown_topic) {
  create_topic(line, "a", 1);
  wire::DescribeTopicPartitionsRequest request;
  request.topics = {{.name = "nope"}, {.name = "a"}};
  const auto response = line.ask(0, request);
  ASSERT_EQ(response.topics.size(), 2U);
  EXPECT_EQ(response.topics[0].name, "a");
  EXPECT_EQ(response.topics[0].partitions.size(), 1U);
  EXPECT_EQ(response.topics[1].name, "nope");
  EXPECT_EQ(response.topics[1].error_code, ErrorCode::unknown_topic_or_partition);
  EXPECT_FALSE(response.next_cursor.has_value());
}

TEST_P(About, describe_topic_partitions_takes_no_cursor_that_points_nowhere) {
  create_topic(line, "a", 1);
  create_topic(line, "b", 1);
  wire::DescribeTopicPartitionsRequest request;
  request.topics = {{.name = "a"}, {.name = "b"}};
  for (const wire::DescribeTopicPartitionsRequestCursor& cursor :
       {wire::DescribeTopicPartitionsRequestCursor{.topic_name = "a", .partition_index = -1},
        wire::DescribeTopicPartitionsRequestCursor{.topic_name = "aa", .partition_index = 0}}) {
    request.cursor = cursor;
    const auto response = line.ask(0, request);
    ASSERT_EQ(response.topics.size(), 2U);
    for (const auto& topic : response.topics) {
      EXPECT_EQ(topic.error_code, ErrorCode::invalid_request);
      EXPECT_TRUE(topic.partitions.empty());
    }
  }
}

TEST_P(About, find_coordinator_answers_a_key_once) {
  wire::FindCoordinatorRequest request;
  request.coordinator_keys = {"b", "a", "b"};
  const auto response = line.ask(4, request);
  ASSERT_EQ(response.coordinators.size(), 2U);
  EXPECT_EQ(response.coordinators[0].key, "b");
  EXPECT_EQ(response.coordinators[1].key, "a");
}

INSTANTIATE_TEST_SUITE_P(Shards, About, testing::Values(1U, 3U));

}  // namespace
}  // namespace tailwater::sim
