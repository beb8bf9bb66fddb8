#include "apps/cli/group_queries.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "apps/cli/json_output.hpp"
#include "wire/api/consumer_group_describe.hpp"
#include "wire/api/describe_groups.hpp"
#include "wire/api/list_groups.hpp"
#include "wire/api/offset_fetch.hpp"
#include "wire/data/consumer_protocol_assignment.hpp"
#include "wire/versioned.hpp"

namespace tailwater::apps::cli {

namespace {

constexpr std::int16_t kLastOffsetFetchByName = 9;

std::unexpected<Error> refused(const std::string& group, wire::ErrorCode code,
                               const std::optional<std::string>& message = std::nullopt) {
  return fail(Errc::unavailable, fmt::format("group {}: {}", group, error_text(code, message)));
}

// Of answers that have a list of groups: each question is about one.
constexpr auto first_error = [](const auto& answer) {
  return answer.groups.empty() ? wire::ErrorCode::none : answer.groups.front().error_code;
};

// What a consumer's assignment says; none if it is of another kind of member.
std::vector<TopicPartition> assigned_partitions(const Buffer& bytes) {
  std::vector<TopicPartition> partitions;
  if (bytes.empty()) return partitions;
  const auto assignment =
      wire::decode_versioned<wire::ConsumerProtocolAssignment>(bytes, wire::Newer::read_as_newest);
  if (!assignment) return partitions;
  for (const auto& topic : assignment->assigned_partitions) {
    for (const std::int32_t partition : topic.partitions) partitions.push_back({topic.topic, partition});
  }
  std::ranges::sort(partitions);
  return partitions;
}

// A group of the new protocol, which the older question does not show.
Result<GroupDescription> describe_consumer_group(AdminClient& client, const std::string& group,
                                                 std::int32_t coordinator) {
  GroupDescription described{.summary = {.group = group, .state = "Dead", .coordinator = coordinator}};
  wire::ConsumerGroupDescribeRequest request;
  request.group_ids = {group};
  const auto answer = client.ask_coordinator(group, request, first_error);
  // A broker that does not know the question has no such group.
  if (!answer && answer.error().code == Errc::unsupported) return described;
  if (!answer) return std::unexpected(answer.error());
  if (answer->groups.empty()) return described;
  const auto& found = answer->groups.front();
  if (found.error_code == wire::ErrorCode::group_id_not_found) return described;
  if (found.error_code != wire::ErrorCode::none) return refused(group, found.error_code, found.error_message);
  described.summary.state = found.group_state;
  described.summary.type = "consumer";
  described.summary.protocol = "consumer";
  described.assignor = found.assignor_name;
  for (const auto& member : found.members) {
    GroupMember& added = described.members.emplace_back();
    added.id = member.member_id;
    added.instance = member.instance_id;
    added.client = member.client_id;
    added.host = member.client_host;
    for (const auto& topic : member.assignment.topic_partitions) {
      for (const std::int32_t partition : topic.partitions)
        added.partitions.push_back({topic.topic_name, partition});
    }
    std::ranges::sort(added.partitions);
  }
  return described;
}

}  // namespace

std::optional<std::int64_t> PartitionLag::lag() const {
  if (!committed || !end) return std::nullopt;
  return std::max<std::int64_t>(0, *end - std::max(*committed, start.value_or(0)));
}

Result<std::vector<GroupSummary>> list_groups(AdminClient& client) {
  const auto metadata = client.metadata({.kind = AdminClient::TopicChoice::Kind::none});
  if (!metadata) return std::unexpected(metadata.error());
  std::vector<GroupSummary> groups;
  for (const auto& broker : metadata->brokers) {
    const auto answer = client.ask_broker(broker.node_id, wire::ListGroupsRequest{});
    if (!answer) return std::unexpected(answer.error());
    if (answer->error_code != wire::ErrorCode::none) {
      return fail(Errc::unavailable,
                  fmt::format("broker {}: {}", broker.node_id, error_text(answer->error_code)));
    }
    for (const auto& group : answer->groups) {
      groups.push_back(
          {group.group_id, group.group_state, group.group_type, group.protocol_type, broker.node_id});
    }
  }
  std::ranges::sort(groups, {}, &GroupSummary::group);
  return groups;
}

Result<std::vector<std::string>> find_groups(AdminClient& client, const std::vector<std::string>& patterns) {
  if (!patterns.empty() && std::ranges::none_of(patterns, is_pattern)) return patterns;
  const auto groups = list_groups(client);
  if (!groups) return std::unexpected(groups.error());
  std::set<std::string> names;
  for (const GroupSummary& group : *groups) {
    if (patterns.empty() || matches(group.group, patterns)) names.insert(group.group);
  }
  for (const std::string& pattern : patterns) {
    if (!is_pattern(pattern)) names.insert(pattern);
  }
  return std::vector<std::string>(names.begin(), names.end());
}

Result<GroupDescription> describe_group(AdminClient& client, const std::string& group) {
  const auto coordinator = client.coordinator_of(group);
  if (!coordinator) return std::unexpected(coordinator.error());
  wire::DescribeGroupsRequest request;
  request.groups = {group};
  const auto answer = client.ask_coordinator(group, request, first_error);
  if (!answer) return std::unexpected(answer.error());
  if (answer->groups.empty())
    return fail(Errc::malformed, fmt::format("group {}: nothing was answered", group));
  const auto& found = answer->groups.front();
  const bool elsewhere =
      found.error_code == wire::ErrorCode::group_id_not_found || found.group_state == "Dead";
  if (elsewhere) return describe_consumer_group(client, group, *coordinator);
  if (found.error_code != wire::ErrorCode::none) return refused(group, found.error_code, found.error_message);
  GroupDescription described;
  described.summary = {group, found.group_state, "classic", found.protocol_type, *coordinator};
  described.assignor = found.protocol_data;
  for (const auto& member : found.members) {
    described.members.push_back({member.member_id, member.group_instance_id, member.client_id,
                                 member.client_host, assigned_partitions(member.member_assignment)});
  }
  return described;
}

Result<CommittedOffsets> committed_offsets(AdminClient& client, const std::string& group) {
  // Both forms of the question; the version decides which one is sent.
  wire::OffsetFetchRequest request;
  request.group_id = group;
  request.groups.push_back({.group_id = group});
  const auto error_of = [](const wire::OffsetFetchResponse& answered) {
    return answered.groups.empty() ? answered.error_code : answered.groups.front().error_code;
  };
  const auto answer = client.ask_coordinator(group, request, error_of, kLastOffsetFetchByName);
  if (!answer) return std::unexpected(answer.error());
  CommittedOffsets offsets;
  const auto take = [&offsets](const std::string& topic, const auto& partition) {
    if (partition.error_code == wire::ErrorCode::none && partition.committed_offset >= 0) {
      offsets[{topic, partition.partition_index}] = partition.committed_offset;
    }
  };
  wire::ErrorCode code = answer->error_code;
  for (const auto& topic : answer->topics) {
    for (const auto& partition : topic.partitions) take(topic.name, partition);
  }
  for (const auto& each : answer->groups) {
    if (each.error_code != wire::ErrorCode::none) code = each.error_code;
    for (const auto& topic : each.topics) {
      for (const auto& partition : topic.partitions) take(topic.name, partition);
    }
  }
  if (code == wire::ErrorCode::group_id_not_found) return CommittedOffsets{};
  if (code != wire::ErrorCode::none) return refused(group, code);
  return offsets;
}

Result<std::vector<PartitionLag>> partition_lags(AdminClient& client, const GroupDescription& group) {
  const auto committed = committed_offsets(client, group.summary.group);
  if (!committed) return std::unexpected(committed.error());
  std::map<TopicPartition, PartitionLag> rows;
  for (const auto& [partition, offset] : *committed) rows[partition].committed = offset;
  for (const GroupMember& member : group.members) {
    for (const TopicPartition& partition : member.partitions) rows[partition].member = &member;
  }
  std::set<std::string> topics;
  for (const auto& [partition, row] : rows) topics.insert(partition.topic);
  std::vector<PartitionLag> lags;
  if (topics.empty()) return lags;
  const auto metadata = client.metadata(
      {.kind = AdminClient::TopicChoice::Kind::named, .names = {topics.begin(), topics.end()}});
  if (!metadata) return std::unexpected(metadata.error());
  std::vector<std::pair<TopicPartition, std::int64_t>> first;
  std::vector<std::pair<TopicPartition, std::int64_t>> last;
  for (const auto& [partition, row] : rows) {
    first.emplace_back(partition, kEarliest);
    last.emplace_back(partition, kLatest);
  }
  const auto starts = list_offsets(client, *metadata, first);
  if (!starts) return std::unexpected(starts.error());
  const auto ends = list_offsets(client, *metadata, last);
  if (!ends) return std::unexpected(ends.error());
  for (auto& [partition, row] : rows) {
    row.partition = partition;
    if (starts->at(partition).error == wire::ErrorCode::none) row.start = starts->at(partition).offset;
    if (ends->at(partition).error == wire::ErrorCode::none) row.end = ends->at(partition).offset;
    lags.push_back(std::move(row));
  }
  return lags;
}

std::int64_t total_lag(const std::vector<PartitionLag>& lags) {
  std::int64_t total = 0;
  for (const PartitionLag& lag : lags) total += lag.lag().value_or(0);
  return total;
}

}  // namespace tailwater::apps::cli
