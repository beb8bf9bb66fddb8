// Lookups in the metadata image, and the difference between two images.
#include "core/cluster/image.hpp"

#include <algorithm>

namespace tailwater::cluster {

namespace {
const ConfigValues kNoValues;
}  // namespace

bool is_internal_topic(std::string_view name) {
  return name == kOffsetsTopic || name == kTransactionTopic || name == kShareStateTopic;
}

const Replica* Partition::replica_on(BrokerId broker) const {
  for (const Replica& replica : replicas) {
    if (replica.broker == broker) return &replica;
  }
  return nullptr;
}

BrokerIds Partition::replica_ids() const {
  BrokerIds ids;
  for (const Replica& replica : replicas) ids.push_back(replica.broker);
  return ids;
}

const Endpoint* Broker::endpoint(std::string_view listener) const {
  for (const Endpoint& candidate : endpoints) {
    if (candidate.listener == listener) return &candidate;
  }
  return nullptr;
}

std::optional<DirId> Broker::dir(const Uuid& directory) const {
  if (directory.is_zero()) return std::nullopt;
  const auto at = std::find(log_dirs.begin(), log_dirs.end(), directory);
  if (at == log_dirs.end()) return std::nullopt;
  return DirId{static_cast<std::uint32_t>(at - log_dirs.begin())};
}

TopicHandle MetadataImage::topic(std::string_view name) const {
  const TopicHandle* found = topics.find(name);
  return found != nullptr ? *found : nullptr;
}

TopicHandle MetadataImage::topic(const Uuid& id) const {
  const TopicHandle* found = topics_by_id.find(id);
  return found != nullptr ? *found : nullptr;
}

const Partition* MetadataImage::partition(std::string_view name, PartitionId id) const {
  const TopicHandle* found = topics.find(name);
  return found != nullptr ? (*found)->partition(id) : nullptr;
}

BrokerHandle MetadataImage::broker(BrokerId id) const {
  const auto at = brokers.find(id);
  return at != brokers.end() ? at->second : nullptr;
}

bool MetadataImage::is_alive(BrokerId id) const {
  const auto at = brokers.find(id);
  return at != brokers.end() && !at->second->fenced;
}

std::vector<BrokerId> MetadataImage::alive_brokers() const {
  std::vector<BrokerId> alive;
  for (const auto& [id, broker] : brokers) {
    if (!broker->fenced) alive.push_back(id);
  }
  return alive;
}

const ConfigValues& MetadataImage::configs(ResourceType type, std::string_view name) const {
  const ResourceConfigsHandle* found = resources.find(ResourceKey{type, name});
  return found != nullptr ? (*found)->values : kNoValues;
}

const ConfigValues& MetadataImage::broker_configs(BrokerId id) const {
  return configs(ResourceType::broker, std::to_string(id.value));
}

std::int16_t MetadataImage::feature(std::string_view name) const {
  const auto at = features.find(name);
  return at != features.end() ? at->second : std::int16_t{0};
}

std::optional<DirId> MetadataImage::dir_of(const Replica& replica) const {
  const auto at = brokers.find(replica.broker);
  return at != brokers.end() ? at->second->dir(replica.directory) : std::nullopt;
}

std::vector<TopicChange> changed_topics(const MetadataImage& before, const MetadataImage& after) {
  std::vector<TopicChange> changes;
  for_each_difference(before.topics_by_id, after.topics_by_id,
                      [&](const TopicHandle* old, const TopicHandle* now) {
                        changes.push_back({old != nullptr ? *old : nullptr, now != nullptr ? *now : nullptr});
                      });
  return changes;
}

}  // namespace tailwater::cluster
