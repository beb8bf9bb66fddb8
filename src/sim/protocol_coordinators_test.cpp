// Goal: what coordinators keep stays right at the edges: requests that their log cannot take, topics that are
// made anew, answers that need what only the cluster knows, and logs that stay short.
// Method: one request after the other over a simulated broker, with one and with three shards.
#include <algorithm>
#include <string>

#include "sim/test_world.hpp"
#include "wire/api/delete_groups.hpp"
#include "wire/api/delete_topics.hpp"
#include "wire/api/describe_groups.hpp"
#include "wire/api/describe_log_dirs.hpp"
#include "wire/api/incremental_alter_configs.hpp"
#include "wire/api/offset_commit.hpp"
#include "wire/api/offset_fetch.hpp"

namespace tailwater::sim {
namespace {

using wire::ErrorCode;

class Coordinators : public OverShards {
 protected:
  void SetUp() override { make_coordinators(line); }

  void set(const std::string& topic, const std::string& key, const std::string& value) {
    wire::IncrementalAlterConfigsRequest request;
    auto& resource = request.resources.emplace_back();
    resource.resource_type = 2;
    resource.resource_name = topic;
    resource.configs.push_back({.name = key, .config_operation = 0, .value = value});
    ASSERT_EQ(line.ask(1, request).responses.at(0).error_code, ErrorCode::none);
  }

  // Of `count` partitions of "t", each with so much metadata. The requests borrow it.
  wire::OffsetCommitRequest commit_of(std::int32_t count, std::int64_t offset = 5) {
    wire::OffsetCommitRequest request;
    request.group_id = "g";
    request.generation_id_or_member_epoch = -1;
    auto& topic = request.topics.emplace_back();
    topic.name = "t";
    for (std::int32_t partition = 0; partition < count; ++partition) {
      topic.partitions.push_back(
          {.partition_index = partition, .committed_offset = offset, .committed_metadata = metadata});
    }
    return request;
  }
  ErrorCode commit(Line& by, std::int16_t version, const wire::OffsetCommitRequest& request) {
    return by.ask(version, request).topics.at(0).partitions.at(0).error_code;
  }

  static wire::OffsetFetchResponseGroup fetch_all(Line& by, std::int16_t version,
                                                  const std::string& group = "g") {
    wire::OffsetFetchRequest request;
    request.groups.push_back({.group_id = group});
    return by.ask(version, request).groups.at(0);
  }
  static bool serves(Line& by) { return fetch_all(by, 8).error_code == ErrorCode::none; }
  void delete_topic(Line& by, const std::string& name) {
    wire::DeleteTopicsRequest deletion;
    deletion.topics = {{.name = name, .topic_id = {}}};
    ASSERT_EQ(by.ask(6, deletion).responses.at(0).error_code, ErrorCode::none);
  }

  // Of all partitions of the offsets topic.
  static std::uint64_t offsets_log_bytes(Line& by) {
    std::uint64_t bytes = 0;
    for (const auto& result : by.ask(4, wire::DescribeLogDirsRequest{}).results) {
      for (const auto& topic : result.topics) {
        if (topic.name != "__consumer_offsets") continue;
        for (const auto& each : topic.partitions) bytes += static_cast<std::uint64_t>(each.partition_size);
      }
    }
    EXPECT_GT(bytes, 0U);
    return bytes;
  }

  const std::string metadata = std::string(4'000, 'm');
};

TEST_P(Coordinators, what_the_log_cannot_take_is_refused_for_good_and_alone) {
  create_topic(line, "t", 300);
  set("__consumer_offsets", "segment.bytes", "1048576");
  EXPECT_EQ(commit(line, 8, commit_of(300)), ErrorCode::unknown_server_error);
  EXPECT_EQ(commit(line, 8, commit_of(200)), ErrorCode::none);
  EXPECT_EQ(commit(line, 8, commit_of(100, 6)), ErrorCode::none);
  EXPECT_EQ(fetch_all(line, 8).topics.at(0).partitions.size(), 200U);
}

TEST_P(Coordinators, offsets_of_a_topic_that_was_made_anew_while_they_load_are_gone) {
  create_topic(line, "t", 100);
  create_topic(line, "kept", 1);
  for (std::int64_t round = 0; round < 20; ++round) {
    ASSERT_EQ(commit(line, 8, commit_of(100, round)), ErrorCode::none);
  }
  auto kept = commit_of(1);
  kept.topics.front().name = "kept";
  ASSERT_EQ(commit(line, 8, kept), ErrorCode::none);
  world.stop();
  world.start();
  Line after(world);
  delete_topic(after, "t");
  create_topic(after, "t", 100);
  ASSERT_FALSE(serves(after)) << "the coordinators have loaded before the topic was made anew";
  ASSERT_TRUE(world.until([&] { return serves(after); }));
  const auto fetched = fetch_all(after, 8);
  ASSERT_EQ(fetched.topics.size(), 1U);
  EXPECT_EQ(fetched.topics.front().name, "kept");
}

TEST_P(Coordinators, topics_of_all_offsets_have_their_ids) {
  const Uuid id = create_topic(line, "t", 1);
  // The record of a commit with a time of its own does not keep the topic's id.
  auto request = commit_of(1);
  request.retention_time_ms = 10'000'000;
  ASSERT_EQ(commit(line, 4, request), ErrorCode::none);
  world.stop();
  world.start();
  Line after(world);
  ASSERT_TRUE(world.until([&] { return serves(after); }));
  const auto fetched = fetch_all(after, 10);
  ASSERT_EQ(fetched.topics.size(), 1U);
  EXPECT_EQ(fetched.topics.front().topic_id, id);
  EXPECT_EQ(fetched.topics.front().partitions.at(0).committed_offset, 5);
}

TEST_P(Coordinators, a_group_that_is_named_twice_is_deleted_once) {
  create_topic(line, "t", 1);
  ASSERT_EQ(commit(line, 8, commit_of(1)), ErrorCode::none);
  wire::DeleteGroupsRequest deletion;
  deletion.groups_names = {"g", "never seen", "g"};
  const auto results = line.ask(2, deletion).results;
  ASSERT_EQ(results.size(), 2U);
  EXPECT_EQ(results[0].group_id, "g");
  EXPECT_EQ(results[0].error_code, ErrorCode::none);
  EXPECT_EQ(results[1].group_id, "never seen");
  EXPECT_EQ(results[1].error_code, ErrorCode::group_id_not_found);
}

TEST_P(Coordinators, operations_are_told_of_groups_that_are_there) {
  create_topic(line, "t", 1);
  ASSERT_EQ(commit(line, 8, commit_of(1)), ErrorCode::none);
  wire::DescribeGroupsRequest request;
  request.groups = {"g", "never seen"};
  request.include_authorized_operations = true;
  const auto groups = line.ask(6, request).groups;
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_EQ(groups[0].error_code, ErrorCode::none);
  EXPECT_NE(groups[0].authorized_operations, INT32_MIN);
  EXPECT_EQ(groups[1].error_code, ErrorCode::group_id_not_found);
  EXPECT_EQ(groups[1].authorized_operations, INT32_MIN);
}

// What a start reads of a coordinator's log is what lives, and not what was ever written.
TEST_P(Coordinators, logs_of_many_commits_of_few_offsets_stay_short) {
  create_topic(line, "t", 100);
  constexpr std::uint64_t live = 100 * 4'100;  // bytes of one request, in one batch
  for (std::int64_t round = 0; round < 60; ++round) {
    ASSERT_EQ(commit(line, 8, commit_of(100, round)), ErrorCode::none);
    world.pass(Duration::from_ms(1'000));
  }
  world.pass(Duration::from_ms(60'000));
  EXPECT_LT(offsets_log_bytes(line), 6 * live) << "of 60";
  world.stop();
  world.start();
  Line after(world);
  ASSERT_TRUE(world.until([&] { return serves(after); }));
  EXPECT_LT(offsets_log_bytes(after), 6 * live);
  const auto fetched = fetch_all(after, 8);
  ASSERT_EQ(fetched.topics.at(0).partitions.size(), 100U);
  for (const auto& partition : fetched.topics[0].partitions) EXPECT_EQ(partition.committed_offset, 59);
}

INSTANTIATE_TEST_SUITE_P(Shards, Coordinators, testing::Values(1U, 3U));

}  // namespace
}  // namespace tailwater::sim
