// Goal: topics are created, widened, configured and deleted, and refused, as Kafka's admin client expects.
// Method: one request after the other over a simulated broker, with one and with three shards. Every rule of
// the controller has its own test in core/cluster; here it is seen through the wire, on all shards.
#include <algorithm>
#include <map>

#include "sim/test_world.hpp"
#include "wire/api/alter_configs.hpp"
#include "wire/api/alter_partition_reassignments.hpp"
#include "wire/api/alter_replica_log_dirs.hpp"
#include "wire/api/create_partitions.hpp"
#include "wire/api/delete_topics.hpp"
#include "wire/api/describe_configs.hpp"
#include "wire/api/describe_log_dirs.hpp"
#include "wire/api/elect_leaders.hpp"
#include "wire/api/incremental_alter_configs.hpp"
#include "wire/api/list_config_resources.hpp"
#include "wire/api/list_partition_reassignments.hpp"

namespace tailwater::sim {
namespace {

using wire::ErrorCode;

constexpr std::int8_t kTopic = 2;
constexpr std::int8_t kBroker = 4;
constexpr std::int8_t kBrokerLogger = 8;
constexpr std::int8_t kClientMetrics = 16;
constexpr std::int8_t kGroup = 32;

class Topics : public OverShards {
 protected:
  ErrorCode create(const wire::CreateTopicsRequest& request) {
    return line.ask(7, request).topics.at(0).error_code;
  }
  std::size_t partitions_of(const std::string& topic) {
    wire::MetadataRequest request;
    request.topics.emplace().push_back({.topic_id = {}, .name = topic});
    request.allow_auto_topic_creation = false;
    return line.ask(13, request).topics.at(0).partitions.size();
  }
  std::map<std::string, std::string> configs_of(std::int8_t type, const std::string& name) {
    wire::DescribeConfigsRequest request;
    request.resources.push_back({.resource_type = type, .resource_name = name, .configuration_keys = {}});
    const auto response = line.ask(4, request);
    EXPECT_EQ(response.results.at(0).error_code, ErrorCode::none);
    std::map<std::string, std::string> values;
    for (const auto& item : response.results.at(0).configs) values[item.name] = item.value.value_or("(null)");
    return values;
  }
  ErrorCode alter(const std::string& topic, const std::string& key, std::int8_t operation,
                  std::optional<std::string> value, bool validate_only = false) {
    wire::IncrementalAlterConfigsRequest request;
    request.validate_only = validate_only;
    auto& resource = request.resources.emplace_back();
    resource.resource_type = kTopic;
    resource.resource_name = topic;
    resource.configs.push_back({.name = key, .config_operation = operation, .value = std::move(value)});
    return line.ask(1, request).responses.at(0).error_code;
  }
};

TEST_P(Topics, creation_answers_what_was_made) {
  const auto response = line.ask(7, creation("t", 3, {{"retention.ms", "1234"}}));
  ASSERT_EQ(response.topics.size(), 1U);
  const auto& topic = response.topics[0];
  EXPECT_EQ(topic.error_code, ErrorCode::none);
  EXPECT_EQ(topic.name, "t");
  EXPECT_FALSE(topic.topic_id.is_zero());
  EXPECT_EQ(topic.num_partitions, 3);
  EXPECT_EQ(topic.replication_factor, 1);
  ASSERT_TRUE(topic.configs.has_value());
  const auto retention = std::ranges::find(*topic.configs, std::string("retention.ms"),
                                           [](const auto& each) { return each.name; });
  ASSERT_NE(retention, topic.configs->end());
  EXPECT_EQ(retention->value, "1234");
}

TEST_P(Topics, creation_is_refused) {
  EXPECT_EQ(create(creation("t", 1)), ErrorCode::none);
  EXPECT_EQ(create(creation("t", 1)), ErrorCode::topic_already_exists);
  for (const char* bad : {"", ".", "..", "a b", "a/b", "\xc3\xa4"}) {
    EXPECT_EQ(create(creation(bad, 1)), ErrorCode::invalid_topic_exception) << bad;
  }
  EXPECT_EQ(create(creation(std::string(250, 'x'), 1)), ErrorCode::invalid_topic_exception);
  for (const int count : {0, -2, -100}) {
    EXPECT_EQ(create(creation("p", count)), ErrorCode::invalid_partitions) << count;
  }
  EXPECT_EQ(create(creation("p", -1)), ErrorCode::none) << "-1: the broker's default";
  auto request = creation("r", 1);
  for (const std::int16_t factor : std::initializer_list<std::int16_t>{0, 2, -2}) {
    request.topics[0].replication_factor = factor;
    EXPECT_EQ(create(request), ErrorCode::invalid_replication_factor) << factor;
  }
  EXPECT_EQ(create(creation("c", 1, {{"no.such.key", "1"}})), ErrorCode::invalid_config);
  EXPECT_EQ(create(creation("c", 1, {{"retention.ms", "soon"}})), ErrorCode::invalid_config);
  EXPECT_EQ(partitions_of("c"), 0U);
}

TEST_P(Topics, a_name_given_twice_in_a_request_is_refused_twice_or_once_but_never_made) {
  auto request = creation("t", 1);
  request.topics.push_back(request.topics[0]);
  const auto response = line.ask(7, request);
  for (const auto& topic : response.topics) EXPECT_EQ(topic.error_code, ErrorCode::invalid_request);
  EXPECT_EQ(partitions_of("t"), 0U);
}

TEST_P(Topics, validate_only_makes_nothing) {
  auto request = creation("t", 3);
  request.validate_only = true;
  EXPECT_EQ(create(request), ErrorCode::none);
  EXPECT_EQ(partitions_of("t"), 0U);
}

TEST_P(Topics, a_created_topic_can_be_used_at_once_everywhere) {
  create_topic(line, "t", 6);
  for (std::int32_t partition = 0; partition < 6; ++partition) {
    Line fresh(world);
    EXPECT_EQ(produce(fresh, "t", partition, batch_of(1, 1)).error_code, ErrorCode::none);
  }
}

TEST_P(Topics, deletion_by_name_and_by_id) {
  const Uuid id = create_topic(line, "by-id", 2);
  create_topic(line, "by-name", 2);
  wire::DeleteTopicsRequest request;
  request.topics = {{.name = std::nullopt, .topic_id = id},
                    {.name = "by-name", .topic_id = {}},
                    {.name = "unknown", .topic_id = {}},
                    {.name = std::nullopt, .topic_id = Uuid{1, 2}}};
  const auto response = line.ask(6, request);
  std::map<std::string, ErrorCode> by_name;
  for (const auto& topic : response.responses) by_name[topic.name.value_or("")] = topic.error_code;
  ASSERT_EQ(response.responses.size(), 4U);
  EXPECT_EQ(by_name["by-id"], ErrorCode::none);
  EXPECT_EQ(by_name["by-name"], ErrorCode::none);
  EXPECT_EQ(by_name["unknown"], ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(by_name[""], ErrorCode::unknown_topic_id);
  EXPECT_TRUE(line.ask(13, wire::MetadataRequest{}).topics.empty());
}

TEST_P(Topics, a_topic_made_again_is_empty_and_new) {
  const Uuid first = create_topic(line, "t", 3);
  EXPECT_EQ(produce(line, "t", 1, batch_of(5, 1)).base_offset, 0);
  wire::DeleteTopicsRequest request;
  request.topic_names = {"t"};
  EXPECT_EQ(line.ask(5, request).responses.at(0).error_code, ErrorCode::none);
  EXPECT_EQ(produce(line, "t", 1, batch_of(1, 1)).error_code, ErrorCode::unknown_topic_or_partition);
  const Uuid second = create_topic(line, "t", 3);
  EXPECT_NE(first, second);
  EXPECT_EQ(fetch(line, "t", 1, 0).high_watermark, 0);
  EXPECT_EQ(produce(line, "t", 1, batch_of(1, 1)).base_offset, 0);
}

TEST_P(Topics, partitions_are_added_and_never_taken_away) {
  create_topic(line, "t", 2);
  const auto widen = [&](std::string topic, std::int32_t count, bool validate_only = false) {
    wire::CreatePartitionsRequest request;
    request.validate_only = validate_only;
    request.topics.push_back({.name = std::move(topic), .count = count, .assignments = {}});
    return line.ask(3, request).results.at(0).error_code;
  };
  EXPECT_EQ(widen("t", 4, true), ErrorCode::none);
  EXPECT_EQ(partitions_of("t"), 2U);
  EXPECT_EQ(widen("t", 4), ErrorCode::none);
  EXPECT_EQ(partitions_of("t"), 4U);
  EXPECT_EQ(produce(line, "t", 3, batch_of(1, 1)).error_code, ErrorCode::none);
  EXPECT_EQ(widen("t", 4), ErrorCode::invalid_partitions);
  EXPECT_EQ(widen("t", 3), ErrorCode::invalid_partitions);
  EXPECT_EQ(widen("unknown", 3), ErrorCode::unknown_topic_or_partition);
}

TEST_P(Topics, leaders_need_no_election) {
  create_topic(line, "t", 1);
  wire::ElectLeadersRequest request;
  request.topic_partitions.emplace().push_back({.topic = "t", .partitions = {0, 7}});
  const auto response = line.ask(2, request);
  ASSERT_EQ(response.replica_election_results.size(), 1U);
  const auto& results = response.replica_election_results[0].partition_result;
  ASSERT_EQ(results.size(), 2U);
  EXPECT_EQ(results[0].error_code, ErrorCode::election_not_needed);
  EXPECT_EQ(results[1].error_code, ErrorCode::unknown_topic_or_partition);
}

TEST_P(Topics, a_partition_is_reassigned_to_the_only_broker_and_no_other) {
  create_topic(line, "t", 2);
  using Replicas = std::optional<std::vector<std::int32_t>>;
  const auto reassign = [&](std::string topic, std::int32_t partition, Replicas replicas) {
    wire::AlterPartitionReassignmentsRequest request;
    request.topics.push_back(
        {.name = std::move(topic),
         .partitions = {{.partition_index = partition, .replicas = std::move(replicas)}}});
    const auto response = line.ask(1, request);
    EXPECT_EQ(response.error_code, ErrorCode::none);
    return response.responses.at(0).partitions.at(0).error_code;
  };
  EXPECT_EQ(reassign("t", 0, {{1}}), ErrorCode::none);
  EXPECT_EQ(reassign("t", 0, std::nullopt), ErrorCode::no_reassignment_in_progress);
  EXPECT_EQ(reassign("t", 7, {{1}}), ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(reassign("nope", 0, {{1}}), ErrorCode::unknown_topic_or_partition);
  for (const Replicas& wrong :
       {Replicas{{1, 2}}, Replicas{{1, 1}}, Replicas{{-1}}, Replicas{std::in_place}}) {
    EXPECT_EQ(reassign("t", 1, wrong), ErrorCode::invalid_replica_assignment);
  }
  EXPECT_EQ(produce(line, "t", 1, batch_of(1, 1)).error_code, ErrorCode::none);
}

TEST_P(Topics, no_reassignment_is_under_way) {
  create_topic(line, "t", 2);
  wire::ListPartitionReassignmentsRequest request;
  EXPECT_EQ(line.ask(0, request).error_code, ErrorCode::none);
  EXPECT_TRUE(line.ask(0, request).topics.empty());
  request.topics = {{.name = "t", .partition_indexes = {0, 9}}, {.name = "nope", .partition_indexes = {0}}};
  EXPECT_EQ(line.ask(0, request).error_code, ErrorCode::none);
  EXPECT_TRUE(line.ask(0, request).topics.empty());
}

// --- configurations

TEST_P(Topics, configurations_are_described) {
  create_topic(line, "t", 1, {{"retention.ms", "77"}});
  auto values = configs_of(kTopic, "t");
  EXPECT_EQ(values["retention.ms"], "77");
  EXPECT_EQ(values["cleanup.policy"], "delete");
  EXPECT_EQ(configs_of(kBroker, "1")["offsets.topic.num.partitions"], "4");

  wire::DescribeConfigsRequest request;
  request.include_synonyms = true;
  request.include_documentation = true;
  request.resources = {
      {.resource_type = kTopic, .resource_name = "t", .configuration_keys = {{"retention.ms"}}},
      {.resource_type = kTopic, .resource_name = "nope", .configuration_keys = {}},
      {.resource_type = kBroker, .resource_name = "7", .configuration_keys = {}},
      {.resource_type = kBroker, .resource_name = "x", .configuration_keys = {}},
      {.resource_type = kTopic, .resource_name = "no topic", .configuration_keys = {}}};
  const auto response = line.ask(4, request);
  ASSERT_EQ(response.results.size(), 5U);
  ASSERT_EQ(response.results[0].configs.size(), 1U);
  const auto& item = response.results[0].configs[0];
  EXPECT_EQ(item.name, "retention.ms");
  EXPECT_EQ(item.config_source, 1) << "set on the topic";
  EXPECT_FALSE(item.synonyms.empty());
  EXPECT_TRUE(item.documentation.has_value());
  EXPECT_EQ(response.results[1].error_code, ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(response.results[2].error_code, ErrorCode::invalid_request);
  EXPECT_EQ(response.results[3].error_code, ErrorCode::invalid_request);
  EXPECT_EQ(response.results[4].error_code, ErrorCode::invalid_topic_exception);
}

TEST_P(Topics, a_configuration_is_described_once) {
  create_topic(line, "t", 1);
  wire::DescribeConfigsRequest request;
  request.resources = {
      {.resource_type = kTopic, .resource_name = "t", .configuration_keys = {{"retention.ms"}}},
      {.resource_type = kBroker, .resource_name = "1", .configuration_keys = {}},
      {.resource_type = kTopic, .resource_name = "t", .configuration_keys = {{"cleanup.policy"}}},
      {.resource_type = kBroker, .resource_name = "1", .configuration_keys = {{"log.roll.ms"}}},
      {.resource_type = kGroup, .resource_name = "", .configuration_keys = {}}};
  const auto response = line.ask(4, request);
  ASSERT_EQ(response.results.size(), 3U);
  std::vector<std::string> names;
  for (const auto& item : response.results[0].configs) names.push_back(item.name);
  EXPECT_EQ(names, (std::vector<std::string>{"cleanup.policy", "retention.ms"}));
  EXPECT_EQ(response.results[1].resource_name, "1");
  EXPECT_GT(response.results[1].configs.size(), 100U) << "somebody asked for all";
  EXPECT_EQ(response.results[2].error_code, ErrorCode::invalid_request) << "a group has a name";
}

TEST_P(Topics, an_answer_that_would_take_too_much_memory_closes_the_connection) {
  wire::DescribeConfigsRequest request;
  request.include_synonyms = true;
  request.include_documentation = true;
  for (int number = 0; number < 20'000; ++number) {
    request.resources.push_back(
        {.resource_type = kGroup, .resource_name = std::to_string(number), .configuration_keys = {}});
  }
  Line greedy(world);
  greedy.post(4, request);
  EXPECT_TRUE(greedy.is_closed());
  EXPECT_FALSE(greedy.whole_frame());
  EXPECT_EQ(configs_of(kBroker, "1")["offsets.topic.num.partitions"], "4") << "others are served";
}

TEST_P(Topics, what_has_a_configuration_is_listed) {
  using Resource = std::pair<std::int8_t, std::string>;
  create_topic(line, "t", 1);
  wire::IncrementalAlterConfigsRequest change;
  change.resources.push_back(
      {.resource_type = kGroup,
       .resource_name = "g",
       .configs = {{.name = "consumer.session.timeout.ms", .config_operation = 0, .value = "50000"}}});
  ASSERT_EQ(line.ask(1, change).responses.at(0).error_code, ErrorCode::none);
  const auto list = [&](std::vector<std::int8_t> types, std::int16_t version = 1) {
    wire::ListConfigResourcesRequest request;
    request.resource_types = std::move(types);
    const auto response = line.ask(version, request);
    EXPECT_EQ(response.error_code, ErrorCode::none);
    std::vector<Resource> found;
    for (const auto& each : response.config_resources) {
      found.emplace_back(each.resource_type, each.resource_name);
    }
    return found;
  };
  EXPECT_EQ(list({}), (std::vector<Resource>{{kTopic, "t"}, {kBroker, "1"}, {kGroup, "g"}}));
  EXPECT_EQ(list({kTopic, kTopic}), (std::vector<Resource>{{kTopic, "t"}}));
  EXPECT_EQ(list({kGroup, kBroker}), (std::vector<Resource>{{kBroker, "1"}, {kGroup, "g"}}));
  EXPECT_EQ(list({kBrokerLogger, kClientMetrics}), std::vector<Resource>());
  EXPECT_EQ(list({}, 0), std::vector<Resource>()) << "version 0 knows client metrics only";
  wire::ListConfigResourcesRequest request;
  request.resource_types = {kTopic, 64};
  EXPECT_EQ(line.ask(1, request).error_code, ErrorCode::unsupported_version);
}

TEST_P(Topics, configurations_change_one_by_one) {
  create_topic(line, "t", 1, {{"cleanup.policy", "delete"}});
  constexpr std::int8_t kSet = 0;
  constexpr std::int8_t kDelete = 1;
  constexpr std::int8_t kAppend = 2;
  constexpr std::int8_t kSubtract = 3;
  EXPECT_EQ(alter("t", "retention.ms", kSet, "55", true), ErrorCode::none);
  EXPECT_NE(configs_of(kTopic, "t")["retention.ms"], "55") << "only validated";
  EXPECT_EQ(alter("t", "retention.ms", kSet, "55"), ErrorCode::none);
  EXPECT_EQ(configs_of(kTopic, "t")["retention.ms"], "55");
  EXPECT_EQ(alter("t", "retention.ms", kDelete, std::nullopt), ErrorCode::none);
  EXPECT_EQ(configs_of(kTopic, "t")["retention.ms"], "604800000");
  EXPECT_EQ(alter("t", "cleanup.policy", kAppend, "compact"), ErrorCode::none);
  EXPECT_EQ(configs_of(kTopic, "t")["cleanup.policy"], "delete,compact");
  EXPECT_EQ(alter("t", "cleanup.policy", kSubtract, "delete"), ErrorCode::none);
  EXPECT_EQ(configs_of(kTopic, "t")["cleanup.policy"], "compact");
  EXPECT_EQ(alter("t", "retention.ms", kSet, "soon"), ErrorCode::invalid_config);
  EXPECT_EQ(alter("t", "no.such.key", kSet, "1"), ErrorCode::invalid_config);
  EXPECT_EQ(alter("nope", "retention.ms", kSet, "1"), ErrorCode::unknown_topic_or_partition);
}

TEST_P(Topics, the_old_way_to_configure_replaces_everything) {
  create_topic(line, "t", 1, {{"retention.ms", "77"}});
  wire::AlterConfigsRequest request;
  auto& resource = request.resources.emplace_back();
  resource.resource_type = kTopic;
  resource.resource_name = "t";
  resource.configs.push_back({.name = "segment.bytes", .value = "2000000"});
  EXPECT_EQ(line.ask(2, request).responses.at(0).error_code, ErrorCode::none);
  auto values = configs_of(kTopic, "t");
  EXPECT_EQ(values["segment.bytes"], "2000000");
  EXPECT_EQ(values["retention.ms"], "604800000");
}

TEST_P(Topics, log_directories_are_described) {
  create_topic(line, "t", 3);
  create_topic(line, "u", 1);
  produce(line, "t", 1, batch_of(100, 1));
  const auto all = line.ask(4, wire::DescribeLogDirsRequest{});
  EXPECT_EQ(all.error_code, ErrorCode::none);
  ASSERT_EQ(all.results.size(), 1U);
  EXPECT_EQ(all.results[0].error_code, ErrorCode::none);
  EXPECT_EQ(all.results[0].topics.size(), 2U);

  wire::DescribeLogDirsRequest request;
  request.topics.emplace().push_back({.topic = "t", .partitions = {0, 1}});
  const auto some = line.ask(4, request);
  ASSERT_EQ(some.results.at(0).topics.size(), 1U);
  const auto& partitions = some.results[0].topics[0].partitions;
  ASSERT_EQ(partitions.size(), 2U);
  EXPECT_EQ(partitions[0].partition_size, 0);
  EXPECT_EQ(partitions[1].partition_size, static_cast<std::int64_t>(batch_of(100, 1).size()));
}

TEST_P(Topics, a_partition_that_is_where_it_is_wanted_need_not_be_moved) {
  create_topic(line, "t", 2);
  wire::AlterReplicaLogDirsRequest request;
  request.dirs.push_back({.path = "d", .topics = {{.name = "t", .partitions = {0, 1, 2}}}});
  request.dirs.push_back({.path = "/nowhere", .topics = {{.name = "t", .partitions = {1}}}});
  const auto response = line.ask(2, request);
  ASSERT_EQ(response.results.size(), 2U);
  EXPECT_EQ(response.results[0].topic_name, "t");
  ASSERT_EQ(response.results[0].partitions.size(), 3U);
  EXPECT_EQ(response.results[0].partitions[0].error_code, ErrorCode::none);
  EXPECT_EQ(response.results[0].partitions[1].error_code, ErrorCode::none);
  EXPECT_EQ(response.results[0].partitions[2].error_code, ErrorCode::unknown_topic_or_partition);
  ASSERT_EQ(response.results[1].partitions.size(), 1U);
  EXPECT_EQ(response.results[1].partitions[0].error_code, ErrorCode::log_dir_not_found);
}

INSTANTIATE_TEST_SUITE_P(Shards, Topics, testing::Values(1U, 3U));

}  // namespace
}  // namespace tailwater::sim
