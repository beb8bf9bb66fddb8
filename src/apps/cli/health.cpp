#include "apps/cli/health.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "apps/cli/text_encoding.hpp"

namespace tailwater::apps::cli {

namespace {

constexpr std::size_t kNamed = 5;  // partitions that a reason names

// "3 partitions have no leader: a[0], b[1], b[2]"
void add_reason(Health& health, const std::vector<std::string>& partitions, std::string_view what) {
  if (partitions.empty()) return;
  const auto named = std::min(partitions.size(), kNamed);
  std::string reason = fmt::format(
      "{} {} {}: {}", partitions.size(), partitions.size() == 1 ? "partition" : "partitions", what,
      fmt::join(partitions.begin(), partitions.begin() + static_cast<std::ptrdiff_t>(named), ", "));
  if (named < partitions.size()) reason += ", ...";
  health.reasons.push_back(std::move(reason));
}

}  // namespace

Health health_of(const wire::MetadataResponse& metadata) {
  Health health;
  health.brokers = metadata.brokers.size();
  std::set<std::int32_t> alive;
  for (const auto& broker : metadata.brokers) alive.insert(broker.node_id);
  std::vector<std::string> leaderless;
  std::vector<std::string> lacking;
  std::vector<std::string> homeless;
  const auto is_alive = [&](std::int32_t broker) { return alive.contains(broker); };
  for (const auto& topic : metadata.topics) {
    for (const auto& partition : topic.partitions) {
      const std::string name = fmt::format("{}[{}]", topic.name.value_or(""), partition.partition_index);
      ++health.partitions;
      if (!alive.contains(partition.leader_id)) leaderless.push_back(name);
      if (partition.isr_nodes.size() < partition.replica_nodes.size()) lacking.push_back(name);
      // The broker is there, and the log directory is not.
      if (std::ranges::any_of(partition.offline_replicas, is_alive)) homeless.push_back(name);
    }
  }
  health.without_leader = leaderless.size();
  health.under_replicated = lacking.size();
  health.without_directory = homeless.size();
  if (metadata.brokers.empty()) health.reasons.push_back("no broker is known");
  if (!metadata.brokers.empty() && metadata.controller_id < 0)
    health.reasons.push_back("there is no controller");
  add_reason(health, leaderless, "without a leader");
  add_reason(health, lacking, "with replicas that are not in sync");
  add_reason(health, homeless, "with replicas in a log directory that is not there");
  return health;
}

BrokerLoad load_of(const wire::MetadataResponse& metadata, std::int32_t broker) {
  BrokerLoad load;
  for (const auto& topic : metadata.topics) {
    for (const auto& partition : topic.partitions) {
      if (partition.leader_id == broker) ++load.leads;
      if (std::ranges::find(partition.replica_nodes, broker) != partition.replica_nodes.end())
        ++load.replicas;
    }
  }
  return load;
}

}  // namespace tailwater::apps::cli
