// Questions about groups, asked of their coordinators.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "apps/cli/admin_client.hpp"
#include "apps/cli/queries.hpp"
#include "base/result.hpp"

namespace tailwater::apps::cli {

struct GroupSummary {
  std::string group;
  std::string state;     // Kafka's words: Empty, Stable, ...
  std::string type;      // classic or consumer; empty: the broker did not say
  std::string protocol;  // "consumer" for groups of consumers
  std::int32_t coordinator = -1;
};

struct GroupMember {
  std::string id;
  std::optional<std::string> instance;
  std::string client;
  std::string host;
  std::vector<TopicPartition> partitions;
};

struct GroupDescription {
  GroupSummary summary;
  std::string assignor;
  std::vector<GroupMember> members;
  bool exists() const { return summary.state != "Dead" && !summary.state.empty(); }
  bool active() const { return !members.empty(); }
};

// One row of lag: a partition that the group has committed, or has a member for.
struct PartitionLag {
  TopicPartition partition;
  std::optional<std::int64_t> committed;
  std::optional<std::int64_t> start;  // of the log, as far as known
  std::optional<std::int64_t> end;
  const GroupMember* member = nullptr;  // of the description that it was made from

  // Never negative. Records that are deleted are not waited for. Unknown without a commit and an end.
  std::optional<std::int64_t> lag() const;
};

// Every group of every broker, by name.
Result<std::vector<GroupSummary>> list_groups(AdminClient& client);

// Names as they are, and patterns with * and ? as the groups that they match.
Result<std::vector<std::string>> find_groups(AdminClient& client, const std::vector<std::string>& patterns);

// A group that is not there has a description that says so.
Result<GroupDescription> describe_group(AdminClient& client, const std::string& group);

using CommittedOffsets = std::map<TopicPartition, std::int64_t>;
Result<CommittedOffsets> committed_offsets(AdminClient& client, const std::string& group);

Result<std::vector<PartitionLag>> partition_lags(AdminClient& client, const GroupDescription& group);
// The sum; unknown parts count as nothing.
std::int64_t total_lag(const std::vector<PartitionLag>& lags);

}  // namespace tailwater::apps::cli
