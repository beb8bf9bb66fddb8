// Goal: a group's whole life over the wire: join, sync, heartbeat, commit, fetch, list, describe, leave,
// delete. Method: members are lines of a simulated broker, with one and with three shards. The coordinator's
// own rules are tested in core/group; here it is asked through the node, from any shard.
#include <algorithm>

#include "sim/test_world.hpp"
#include "wire/api/delete_groups.hpp"
#include "wire/api/delete_topics.hpp"
#include "wire/api/describe_groups.hpp"
#include "wire/api/heartbeat.hpp"
#include "wire/api/join_group.hpp"
#include "wire/api/leave_group.hpp"
#include "wire/api/list_groups.hpp"
#include "wire/api/offset_commit.hpp"
#include "wire/api/offset_delete.hpp"
#include "wire/api/offset_fetch.hpp"
#include "wire/api/sync_group.hpp"

namespace tailwater::sim {
namespace {

using wire::ErrorCode;

wire::JoinGroupRequest joining(const std::string& group, const std::string& member = {}) {
  wire::JoinGroupRequest request;
  request.group_id = group;
  request.session_timeout_ms = 10'000;
  request.rebalance_timeout_ms = 10'000;
  request.member_id = member;
  request.protocol_type = "consumer";
  const Bytes metadata = as_bytes("subscription");
  request.protocols.push_back({.name = "range", .metadata = Buffer(metadata.begin(), metadata.end())});
  return request;
}

class GroupsTest : public OverShards {
 protected:
  void SetUp() override {
    topic_id = create_topic(line, "t", 3);
    make_coordinators(line);
  }

  Uuid topic_id;

  // Joins as Kafka's clients do since version 4: the first answer only gives the id.
  static wire::JoinGroupResponse join(Line& member, const std::string& group) {
    const auto first = member.ask(9, joining(group));
    EXPECT_EQ(first.error_code, ErrorCode::member_id_required);
    return member.ask(9, joining(group, first.member_id));
  }
  static wire::SyncGroupResponse sync(Line& member, const std::string& group,
                                      const wire::JoinGroupResponse& joined) {
    wire::SyncGroupRequest request;
    request.group_id = group;
    request.generation_id = joined.generation_id;
    request.member_id = joined.member_id;
    request.protocol_type = "consumer";
    request.protocol_name = "range";
    for (const auto& each : joined.members) {
      const Bytes mine = as_bytes(each.member_id);
      request.assignments.push_back(
          {.member_id = each.member_id, .assignment = Buffer(mine.begin(), mine.end())});
    }
    return member.ask(5, request);
  }
  static ErrorCode beat(Line& member, const std::string& group, const std::string& id,
                        std::int32_t generation) {
    wire::HeartbeatRequest request;
    request.group_id = group;
    request.member_id = id;
    request.generation_id = generation;
    return member.ask(4, request).error_code;
  }
  static ErrorCode commit(Line& from, const std::string& group, std::int32_t partition, std::int64_t offset,
                          const std::string& member = {}, std::int32_t generation = -1,
                          const std::string& topic = "t") {
    wire::OffsetCommitRequest request;
    request.group_id = group;
    request.member_id = member;
    request.generation_id_or_member_epoch = generation;
    request.topics.push_back(
        {.name = topic,
         .topic_id = {},
         .partitions = {
             {.partition_index = partition, .committed_offset = offset, .committed_metadata = "note"}}});
    return from.ask(8, request).topics.at(0).partitions.at(0).error_code;
  }
  static std::int64_t committed(Line& from, const std::string& group, std::int32_t partition) {
    wire::OffsetFetchRequest request;
    auto& wanted = request.groups.emplace_back();
    wanted.group_id = group;
    wanted.topics.emplace().push_back({.name = "t", .topic_id = {}, .partition_indexes = {partition}});
    const auto response = from.ask(8, request);
    EXPECT_EQ(response.groups.at(0).error_code, ErrorCode::none);
    return response.groups.at(0).topics.at(0).partitions.at(0).committed_offset;
  }
  wire::DescribeGroupsResponseDescribedGroup describe(const std::string& group) {
    wire::DescribeGroupsRequest request;
    request.groups = {group};
    return line.ask(6, request).groups.at(0);
  }
};

TEST_P(GroupsTest, the_life_of_a_group) {
  Line member(world, "reader");
  const auto joined = join(member, "g");
  EXPECT_EQ(joined.error_code, ErrorCode::none);
  EXPECT_EQ(joined.generation_id, 1);
  EXPECT_EQ(joined.leader, joined.member_id);
  ASSERT_EQ(joined.members.size(), 1U);
  EXPECT_EQ(as_text(joined.members[0].metadata), "subscription");
  const auto synced = sync(member, "g", joined);
  EXPECT_EQ(synced.error_code, ErrorCode::none);
  EXPECT_EQ(as_text(synced.assignment), joined.member_id);
  EXPECT_EQ(beat(member, "g", joined.member_id, 1), ErrorCode::none);
  EXPECT_EQ(beat(member, "g", joined.member_id, 2), ErrorCode::illegal_generation);
  EXPECT_EQ(beat(member, "g", "stranger", 1), ErrorCode::unknown_member_id);

  EXPECT_EQ(commit(member, "g", 1, 42, joined.member_id, 1), ErrorCode::none);
  EXPECT_EQ(commit(member, "g", 1, 43, joined.member_id, 9), ErrorCode::illegal_generation);
  EXPECT_EQ(commit(member, "g", 1, 43, "stranger", 1), ErrorCode::unknown_member_id);
  EXPECT_EQ(committed(line, "g", 1), 42);
  EXPECT_EQ(committed(line, "g", 0), -1) << "nothing is committed there";

  const auto described = describe("g");
  EXPECT_EQ(described.error_code, ErrorCode::none);
  EXPECT_EQ(described.group_state, "Stable");
  EXPECT_EQ(described.protocol_type, "consumer");
  EXPECT_EQ(described.protocol_data, "range");
  ASSERT_EQ(described.members.size(), 1U);
  EXPECT_EQ(described.members[0].client_id, "reader");
  EXPECT_EQ(described.members[0].client_host, "/client");

  wire::DeleteGroupsRequest deletion;
  deletion.groups_names = {"g", "unknown"};
  auto deleted = line.ask(2, deletion);
  ASSERT_EQ(deleted.results.size(), 2U);
  EXPECT_EQ(deleted.results[0].error_code, ErrorCode::non_empty_group);
  EXPECT_EQ(deleted.results[1].error_code, ErrorCode::group_id_not_found);

  wire::LeaveGroupRequest leaving;
  leaving.group_id = "g";
  leaving.members.push_back({.member_id = joined.member_id});
  const auto left = member.ask(5, leaving);
  EXPECT_EQ(left.error_code, ErrorCode::none);
  ASSERT_EQ(left.members.size(), 1U);
  EXPECT_EQ(left.members[0].error_code, ErrorCode::none);
  EXPECT_EQ(describe("g").group_state, "Empty");
  EXPECT_EQ(committed(line, "g", 1), 42) << "offsets outlive the members";
  deleted = line.ask(2, deletion);
  EXPECT_EQ(deleted.results.at(0).error_code, ErrorCode::none);
  EXPECT_EQ(committed(line, "g", 1), -1);
}

TEST_P(GroupsTest, a_second_member_makes_the_first_join_again) {
  Line one(world);
  const auto first = join(one, "g");
  sync(one, "g", first);
  Line two(world);
  const auto given = two.ask(9, joining("g"));
  EXPECT_EQ(given.error_code, ErrorCode::member_id_required);
  const auto waiting = two.post(9, joining("g", given.member_id));
  world.pass(Duration::from_ms(100));
  EXPECT_EQ(beat(one, "g", first.member_id, 1), ErrorCode::rebalance_in_progress);
  const auto again = one.ask(9, joining("g", first.member_id));
  const auto second = two.take<wire::JoinGroupRequest>(9, waiting);
  EXPECT_EQ(again.generation_id, 2);
  EXPECT_EQ(second.generation_id, 2);
  EXPECT_EQ(again.leader, second.leader);
  EXPECT_EQ(again.members.size() + second.members.size(), 2U) << "only the leader is told of all";
  Line& leader = again.members.empty() ? two : one;
  Line& follower = again.members.empty() ? one : two;
  const auto& leads = again.members.empty() ? second : again;
  const auto& follows = again.members.empty() ? again : second;
  EXPECT_EQ(as_text(sync(leader, "g", leads).assignment), leads.member_id);
  EXPECT_EQ(as_text(sync(follower, "g", follows).assignment), follows.member_id);
}

TEST_P(GroupsTest, a_silent_member_is_removed) {
  Line member(world);
  const auto joined = join(member, "g");
  sync(member, "g", joined);
  world.pass(Duration::from_ms(9'000));
  EXPECT_EQ(beat(member, "g", joined.member_id, 1), ErrorCode::none);
  world.pass(Duration::from_ms(12'000));
  EXPECT_EQ(beat(member, "g", joined.member_id, 1), ErrorCode::unknown_member_id);
}

TEST_P(GroupsTest, requests_that_are_refused) {
  auto request = joining("");
  EXPECT_EQ(line.ask(9, request).error_code, ErrorCode::invalid_group_id);
  request = joining("g");
  request.session_timeout_ms = 1;
  EXPECT_EQ(line.ask(9, request).error_code, ErrorCode::invalid_session_timeout);
  request = joining("g", "stranger");
  EXPECT_EQ(line.ask(9, request).error_code, ErrorCode::unknown_member_id);
  request = joining("g");
  request.protocols.clear();
  EXPECT_EQ(line.ask(9, request).error_code, ErrorCode::inconsistent_group_protocol);
}

TEST_P(GroupsTest, offsets_without_members) {
  EXPECT_EQ(commit(line, "loner", 0, 5), ErrorCode::none);
  EXPECT_EQ(commit(line, "loner", 9, 5), ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(commit(line, "loner", 0, 5, "", -1, "nope"), ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(committed(line, "loner", 0), 5);

  wire::OffsetFetchRequest everything;
  everything.groups.push_back({.group_id = "loner"});
  everything.groups.push_back({.group_id = "never seen"});
  const auto response = line.ask(8, everything);
  ASSERT_EQ(response.groups.size(), 2U);
  ASSERT_EQ(response.groups[0].topics.size(), 1U);
  EXPECT_EQ(response.groups[0].topics[0].partitions.at(0).metadata, "note");
  EXPECT_TRUE(response.groups[1].topics.empty());

  wire::OffsetDeleteRequest deletion;
  deletion.group_id = "loner";
  deletion.topics.push_back({.name = "t", .partitions = {{.partition_index = 0}}});
  const auto deleted = line.ask(0, deletion);
  EXPECT_EQ(deleted.error_code, ErrorCode::none);
  EXPECT_EQ(deleted.topics.at(0).partitions.at(0).error_code, ErrorCode::none);
  EXPECT_EQ(committed(line, "loner", 0), -1);
  deletion.group_id = "never seen";
  EXPECT_EQ(line.ask(0, deletion).error_code, ErrorCode::group_id_not_found);
}

TEST_P(GroupsTest, offsets_of_unknown_partitions_cannot_be_deleted) {
  ASSERT_EQ(commit(line, "loner", 0, 5), ErrorCode::none);
  wire::OffsetDeleteRequest deletion;
  deletion.group_id = "loner";
  deletion.topics.push_back({.name = "nope", .partitions = {{.partition_index = 0}}});
  deletion.topics.push_back({.name = "t", .partitions = {{.partition_index = 9}, {.partition_index = 0}}});
  const auto deleted = line.ask(0, deletion);
  EXPECT_EQ(deleted.error_code, ErrorCode::none);
  ASSERT_EQ(deleted.topics.size(), 2U);
  for (const auto& topic : deleted.topics) {
    for (const auto& partition : topic.partitions) {
      const bool exists = topic.name == "t" && partition.partition_index == 0;
      EXPECT_EQ(partition.error_code, exists ? ErrorCode::none : ErrorCode::unknown_topic_or_partition);
    }
    EXPECT_EQ(topic.partitions.size(), topic.name == "t" ? 2U : 1U);
  }
  EXPECT_EQ(committed(line, "loner", 0), -1);
  deletion.group_id = "never seen";
  const auto refused = line.ask(0, deletion);
  EXPECT_EQ(refused.error_code, ErrorCode::group_id_not_found) << "before what is wrong with partitions";
  EXPECT_TRUE(refused.topics.empty());
}

TEST_P(GroupsTest, a_deleted_topic_takes_its_offsets_along) {
  create_topic(line, "kept", 1);
  for (int group = 0; group < 8; ++group) {  // over all coordinators
    ASSERT_EQ(commit(line, "g" + std::to_string(group), 1, 5), ErrorCode::none);
    ASSERT_EQ(commit(line, "g" + std::to_string(group), 0, 6, "", -1, "kept"), ErrorCode::none);
  }
  wire::DeleteTopicsRequest deletion;
  deletion.topics = {{.name = "t", .topic_id = {}}};
  ASSERT_EQ(line.ask(6, deletion).responses.at(0).error_code, ErrorCode::none);
  world.pass(Duration::from_ms(1'000));
  create_topic(line, "t", 3);
  for (const bool restarted : {false, true}) {
    if (restarted) {
      world.stop();
      world.start();
      world.pass(Duration::from_ms(1'000));  // the coordinators load
    }
    Line reader(world);
    for (int group = 0; group < 8; ++group) {
      wire::OffsetFetchRequest everything;
      everything.groups.push_back({.group_id = "g" + std::to_string(group)});
      const auto response = reader.ask(8, everything);
      ASSERT_EQ(response.groups.at(0).error_code, ErrorCode::none);
      ASSERT_EQ(response.groups[0].topics.size(), 1U);
      EXPECT_EQ(response.groups[0].topics[0].name, "kept");
      EXPECT_EQ(response.groups[0].topics[0].partitions.at(0).committed_offset, 6);
    }
  }
}

TEST_P(GroupsTest, offsets_by_topic_id) {
  const Uuid id = topic_id;
  wire::OffsetCommitRequest request;
  request.group_id = "g";
  request.topics.push_back(
      {.name = "", .topic_id = id, .partitions = {{.partition_index = 2, .committed_offset = 8}}});
  request.topics.push_back(
      {.name = "", .topic_id = Uuid{1, 2}, .partitions = {{.partition_index = 0, .committed_offset = 8}}});
  const auto response = line.ask(10, request);
  ASSERT_EQ(response.topics.size(), 2U);
  for (const auto& topic : response.topics) {
    EXPECT_EQ(topic.partitions.at(0).error_code,
              topic.topic_id == id ? ErrorCode::none : ErrorCode::unknown_topic_id);
  }
  wire::OffsetFetchRequest fetching;
  auto& wanted = fetching.groups.emplace_back();
  wanted.group_id = "g";
  wanted.topics.emplace().push_back({.name = "", .topic_id = Uuid{1, 2}, .partition_indexes = {0}});
  wanted.topics->push_back({.name = "", .topic_id = id, .partition_indexes = {2}});
  const auto fetched = line.ask(10, fetching);
  ASSERT_EQ(fetched.groups.at(0).topics.size(), 2U);
  EXPECT_EQ(fetched.groups[0].topics[0].topic_id, id) << "as in Kafka, those that nobody knows come last";
  for (const auto& topic : fetched.groups[0].topics) {
    EXPECT_EQ(topic.partitions.at(0).error_code,
              topic.topic_id == id ? ErrorCode::none : ErrorCode::unknown_topic_id);
    if (topic.topic_id == id) EXPECT_EQ(topic.partitions.at(0).committed_offset, 8);
  }
}

TEST_P(GroupsTest, groups_of_all_shards_are_listed) {
  std::vector<std::string> names;
  for (int number = 0; number < 12; ++number) {
    names.push_back("group-" + std::to_string(10 + number));
    EXPECT_EQ(commit(line, names.back(), 0, number), ErrorCode::none);
  }
  const auto response = line.ask(5, wire::ListGroupsRequest{});
  EXPECT_EQ(response.error_code, ErrorCode::none);
  std::vector<std::string> listed;
  for (const auto& group : response.groups) {
    listed.push_back(group.group_id);
    EXPECT_EQ(group.group_state, "Empty");
  }
  std::ranges::sort(listed);
  EXPECT_EQ(listed, names);

  wire::ListGroupsRequest filtered;
  filtered.states_filter = {"Stable"};
  EXPECT_TRUE(line.ask(5, filtered).groups.empty());
}

TEST_P(GroupsTest, a_group_that_nobody_knows) {
  const auto described = describe("never seen");
  EXPECT_EQ(described.error_code, ErrorCode::group_id_not_found) << "since version 6";
  wire::DescribeGroupsRequest request;
  request.groups = {"never seen"};
  const auto old = line.ask(5, request).groups.at(0);
  EXPECT_EQ(old.error_code, ErrorCode::none);
  EXPECT_EQ(old.group_state, "Dead");
}

TEST_P(GroupsTest, a_group_is_answered_once) {
  for (const std::int32_t partition : {0, 1}) ASSERT_EQ(commit(line, "g", partition, 7), ErrorCode::none);
  using Indexes = std::vector<std::int32_t>;
  wire::OffsetFetchRequest fetch;
  const auto want = [&](const std::string& group, std::optional<Indexes> partitions) {
    auto& wanted = fetch.groups.emplace_back();
    wanted.group_id = group;
    if (!partitions) return;
    wanted.topics.emplace().push_back(
        {.name = "t", .topic_id = {}, .partition_indexes = *std::move(partitions)});
  };
  const auto partitions_of = [](const wire::OffsetFetchResponseGroup& group) {
    Indexes partitions;
    for (const auto& topic : group.topics) {
      for (const auto& each : topic.partitions) partitions.push_back(each.partition_index);
    }
    return partitions;
  };
  want("g", Indexes{1, 1, 0});
  want("h", std::nullopt);
  want("g", Indexes{1, 2});
  want("h", std::nullopt);
  const auto fetched = line.ask(8, fetch);
  ASSERT_EQ(fetched.groups.size(), 2U);
  EXPECT_EQ(fetched.groups[0].group_id, "g");
  EXPECT_EQ(partitions_of(fetched.groups[0]), (Indexes{1, 0, 2}));
  EXPECT_EQ(fetched.groups[1].group_id, "h");
  want("g", std::nullopt);
  const auto all = line.ask(8, fetch);
  ASSERT_EQ(all.groups.size(), 2U);
  EXPECT_EQ(partitions_of(all.groups[0]), (Indexes{0, 1})) << "all that it committed";

  wire::DescribeGroupsRequest request;
  request.groups = {"g", "h", "g"};
  const auto described = line.ask(5, request);
  ASSERT_EQ(described.groups.size(), 2U);
  EXPECT_EQ(described.groups[1].group_id, "h");
  wire::DeleteGroupsRequest removal;
  removal.groups_names = {"g", "h", "g"};
  const auto removed = line.ask(2, removal);
  ASSERT_EQ(removed.results.size(), 2U);
  EXPECT_EQ(removed.results[0].error_code, ErrorCode::none);
}

INSTANTIATE_TEST_SUITE_P(Shards, GroupsTest, testing::Values(1U, 3U));

}  // namespace
}  // namespace tailwater::sim
