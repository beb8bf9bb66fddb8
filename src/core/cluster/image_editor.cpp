// Applying metadata records to an image.
#include "core/cluster/image_editor.hpp"

#include <algorithm>

namespace tailwater::cluster {

namespace {

constexpr std::uint64_t kLogIdMax = INT64_MAX;  // next_log_id is kept as a signed number
constexpr std::int32_t kLeaderUnchanged = -2;   // Kafka's marker in PartitionChangeRecord

std::unexpected<Error> contradiction(std::string what) {
  return fail(Errc::corrupt, "the metadata contradicts itself: " + std::move(what));
}

// Never reached by counting, but records may say anything.
std::int32_t next_epoch(std::int32_t epoch) {
  return epoch == INT32_MAX ? epoch : epoch + 1;
}

BrokerIds to_ids(const std::vector<std::int32_t>& numbers) {
  BrokerIds ids;
  for (const std::int32_t number : numbers) ids.push_back(BrokerId{number});
  return ids;
}

// The new list of replicas; those that stay keep their log and, unless another one is named, their directory.
Replicas to_replicas(const Replicas& before, const std::vector<std::int32_t>& brokers,
                     const std::vector<Uuid>& directories) {
  Replicas replicas;
  for (std::size_t at = 0; at < brokers.size(); ++at) {
    Replica replica{BrokerId{brokers[at]}, LogId{}, Uuid{}};
    const auto same = std::find_if(before.begin(), before.end(),
                                   [&](const Replica& old) { return old.broker == replica.broker; });
    if (same != before.end()) replica = *same;
    if (at < directories.size() && !directories[at].is_zero()) replica.directory = directories[at];
    replicas.push_back(replica);
  }
  return replicas;
}

std::string uuid_bytes(const Uuid& id) {
  std::string text(16, '\0');
  store_big(reinterpret_cast<std::byte*>(text.data()), id.high);
  store_big(reinterpret_cast<std::byte*>(text.data()) + 8, id.low);
  return text;
}

std::string kept_key(std::int16_t record_key, std::string_view rest) {
  return std::to_string(record_key) + ":" + std::string(rest);
}

std::string credential_key(const std::string& name, std::int8_t mechanism) {
  return kept_key(wire::UserScramCredentialRecord::kRecordKey, std::to_string(mechanism) + ":" + name);
}

// Entities in their order of types; lengths keep different lists apart.
std::string quota_key(const wire::ClientQuotaRecord& record) {
  std::vector<std::string> parts;
  for (const auto& entity : record.entity) {
    std::string part = std::to_string(entity.entity_type.size()) + "," + entity.entity_type + ",";
    part += entity.entity_name ? std::to_string(entity.entity_name->size()) + "," + *entity.entity_name
                               : "default";
    parts.push_back(std::move(part));
  }
  std::sort(parts.begin(), parts.end());
  std::string key;
  for (const std::string& part : parts) key += part + ";";
  return kept_key(wire::ClientQuotaRecord::kRecordKey, key + record.key);
}

}  // namespace

Partition changed_partition(const Partition& before, const wire::PartitionChangeRecord& change) {
  Partition after = before;
  if (change.replicas) {
    after.replicas =
        to_replicas(before.replicas, *change.replicas, change.directories.value_or(std::vector<Uuid>{}));
  } else if (change.directories) {
    const std::size_t count = std::min(change.directories->size(), after.replicas.size());
    for (std::size_t at = 0; at < count; ++at) after.replicas[at].directory = (*change.directories)[at];
  }
  if (change.isr) after.isr = to_ids(*change.isr);
  if (change.adding_replicas) after.adding = to_ids(*change.adding_replicas);
  if (change.removing_replicas) after.removing = to_ids(*change.removing_replicas);
  if (change.leader != kLeaderUnchanged) {
    after.leader = BrokerId{change.leader};
    after.leader_epoch = LeaderEpoch{next_epoch(before.leader_epoch.value)};
  }
  after.partition_epoch = next_epoch(before.partition_epoch);
  return after;
}

ImageEditor::ImageEditor(const MetadataImage& from)
    : next_(from),
      names_(from.topics),
      ids_(from.topics_by_id),
      resources_(from.resources),
      kept_(from.kept) {}

Result<void> ImageEditor::apply(const Record& record) {
  return std::visit([&](const auto& kind) { return apply(kind); }, record);
}

ImageHandle ImageEditor::finish(MetadataVersion version, const BatchAuthor& author) {
  for (auto& [id, topic] : own_topics_) {
    next_.partition_count += topic->partitions.size();
    if (const TopicHandle* before = ids_.find(id)) next_.partition_count -= (*before)->partitions.size();
    names_.set(topic);
    ids_.set(std::move(topic));
  }
  for (auto& [id, broker] : own_brokers_) next_.brokers[id] = std::move(broker);
  next_.topics = names_.finish();
  next_.topics_by_id = ids_.finish();
  next_.resources = resources_.finish();
  next_.kept = kept_.finish();
  next_.version = version;
  next_.controller = author.controller;
  next_.controller_epoch = author.epoch;
  return std::make_shared<const MetadataImage>(std::move(next_));
}

Topic* ImageEditor::own_topic(const Uuid& id) {
  if (const auto at = own_topics_.find(id); at != own_topics_.end()) return at->second.get();
  const TopicHandle* found = ids_.find(id);
  if (found == nullptr) return nullptr;
  return own_topics_.emplace(id, std::make_shared<Topic>(**found)).first->second.get();
}

Broker* ImageEditor::own_broker(std::int32_t id) {
  const BrokerId key{id};
  if (const auto at = own_brokers_.find(key); at != own_brokers_.end()) return at->second.get();
  const auto found = next_.brokers.find(key);
  if (found == next_.brokers.end()) return nullptr;
  return own_brokers_.emplace(key, std::make_shared<Broker>(*found->second)).first->second.get();
}

Result<void> ImageEditor::apply(const ClusterRecord& record) {
  next_.cluster_id = record.cluster_id;
  return {};
}

Result<void> ImageEditor::apply(const HighMarksRecord& record) {
  next_.next_log_id =
      std::max(next_.next_log_id, static_cast<std::uint64_t>(std::max<std::int64_t>(record.next_log_id, 1)));
  return {};
}

Result<void> ImageEditor::apply(const wire::FeatureLevelRecord& record) {
  if (record.feature_level == 0) {
    next_.features.erase(record.name);
  } else {
    next_.features[record.name] = record.feature_level;
  }
  return {};
}

Result<void> ImageEditor::apply(const wire::ProducerIdsRecord& record) {
  next_.next_producer_id = std::max(next_.next_producer_id, record.next_producer_id);
  return {};
}

// --- brokers

Result<void> ImageEditor::apply(const wire::RegisterBrokerRecord& record) {
  auto broker = std::make_shared<Broker>();
  broker->id = BrokerId{record.broker_id};
  broker->epoch = record.broker_epoch;
  broker->incarnation = record.incarnation_id;
  broker->rack = record.rack;
  for (const auto& endpoint : record.end_points) {
    broker->endpoints.push_back({endpoint.name, endpoint.host, endpoint.port, endpoint.security_protocol});
  }
  broker->log_dirs = record.log_dirs;
  broker->fenced = record.fenced;
  broker->in_controlled_shutdown = record.in_controlled_shutdown;
  own_brokers_[broker->id] = std::move(broker);
  return {};
}

Result<void> ImageEditor::apply(const wire::UnregisterBrokerRecord& record) {
  if (own_broker(record.broker_id) == nullptr) {
    return contradiction("broker " + std::to_string(record.broker_id) + " leaves without having been there");
  }
  own_brokers_.erase(BrokerId{record.broker_id});
  next_.brokers.erase(BrokerId{record.broker_id});
  return {};
}

Result<void> ImageEditor::apply(const wire::FenceBrokerRecord& record) {
  Broker* broker = own_broker(record.id);
  if (broker == nullptr) return contradiction("broker " + std::to_string(record.id) + " is not registered");
  broker->fenced = true;
  return {};
}

Result<void> ImageEditor::apply(const wire::UnfenceBrokerRecord& record) {
  Broker* broker = own_broker(record.id);
  if (broker == nullptr) return contradiction("broker " + std::to_string(record.id) + " is not registered");
  broker->fenced = false;
  return {};
}

Result<void> ImageEditor::apply(const wire::BrokerRegistrationChangeRecord& record) {
  Broker* broker = own_broker(record.broker_id);
  if (broker == nullptr)
    return contradiction("broker " + std::to_string(record.broker_id) + " is not registered");
  if (record.fenced != 0) broker->fenced = record.fenced > 0;
  if (record.in_controlled_shutdown != 0) broker->in_controlled_shutdown = record.in_controlled_shutdown > 0;
  if (!record.log_dirs.empty()) broker->log_dirs = record.log_dirs;
  return {};
}

// --- topics

Result<void> ImageEditor::apply(const wire::TopicRecord& record) {
  if (names_.find(std::string_view(record.name)) != nullptr || ids_.find(record.topic_id) != nullptr ||
      own_topics_.contains(record.topic_id)) {
    return contradiction("topic " + record.name + " is created twice");
  }
  auto topic = std::make_shared<Topic>();
  topic->id = record.topic_id;
  topic->name = record.name;
  names_.set(topic);
  own_topics_.emplace(topic->id, std::move(topic));
  return {};
}

Result<void> ImageEditor::apply(const wire::RemoveTopicRecord& record) {
  const TopicHandle* stored = ids_.find(record.topic_id);
  const auto own = own_topics_.find(record.topic_id);
  if (stored == nullptr && own == own_topics_.end()) {
    return contradiction("topic " + to_string(record.topic_id) + " is deleted but does not exist");
  }
  const std::string name = own != own_topics_.end() ? own->second->name : (*stored)->name;
  if (stored != nullptr) next_.partition_count -= (*stored)->partitions.size();
  names_.erase(std::string_view(name));
  ids_.erase(record.topic_id);
  own_topics_.erase(record.topic_id);
  return {};
}

Result<void> ImageEditor::apply(const wire::PartitionRecord& record) {
  Topic* topic = own_topic(record.topic_id);
  if (topic == nullptr)
    return contradiction("a partition of topic " + to_string(record.topic_id) + ", which does not exist");
  const auto index = static_cast<std::size_t>(record.partition_id);
  if (record.partition_id < 0 || index > topic->partitions.size()) {
    return contradiction("partition " + std::to_string(record.partition_id) + " of topic " + topic->name +
                         " comes before the ones below it");
  }
  if (index == topic->partitions.size()) topic->partitions.emplace_back();
  Partition& partition = topic->partitions[index];
  partition.leader = BrokerId{record.leader};
  partition.leader_epoch = LeaderEpoch{record.leader_epoch};
  partition.partition_epoch = record.partition_epoch;
  partition.replicas = to_replicas(partition.replicas, record.replicas, record.directories);
  partition.isr = to_ids(record.isr);
  partition.adding = to_ids(record.adding_replicas);
  partition.removing = to_ids(record.removing_replicas);
  return {};
}

Result<void> ImageEditor::apply(const wire::PartitionChangeRecord& record) {
  Topic* topic = own_topic(record.topic_id);
  if (topic == nullptr)
    return contradiction("a change in topic " + to_string(record.topic_id) + ", which does not exist");
  const auto index = static_cast<std::size_t>(record.partition_id);
  if (record.partition_id < 0 || index >= topic->partitions.size()) {
    return contradiction("a change of partition " + std::to_string(record.partition_id) + " of topic " +
                         topic->name + ", which does not exist");
  }
  topic->partitions[index] = changed_partition(topic->partitions[index], record);
  return {};
}

Result<void> ImageEditor::apply(const ReplicaLogsRecord& record) {
  Topic* topic = own_topic(record.topic_id);
  if (topic == nullptr || record.first_partition < 0) {
    return contradiction("log ids of topic " + to_string(record.topic_id) + ", which does not exist");
  }
  auto index = static_cast<std::size_t>(record.first_partition);
  std::size_t replica = 0;
  for (const std::uint64_t log : record.logs) {
    while (index < topic->partitions.size() && replica == topic->partitions[index].replicas.size()) {
      ++index;
      replica = 0;
    }
    if (index >= topic->partitions.size())
      return contradiction("topic " + topic->name + " has more log ids than replicas");
    if (log >= kLogIdMax) return contradiction("topic " + topic->name + " has a log id beyond all counting");
    if (log != 0) topic->partitions[index].replicas[replica].log = LogId{log};
    ++replica;
    next_.next_log_id = std::max(next_.next_log_id, log + 1);
  }
  return {};
}

// --- configuration

Result<void> ImageEditor::apply(const wire::ConfigRecord& record) {
  const auto type = static_cast<ResourceType>(record.resource_type);
  if (type == ResourceType::topic) return set_topic_config(record);
  auto changed = std::make_shared<ResourceConfigs>();
  changed->type = type;
  changed->name = record.resource_name;
  const ResourceKey key{type, record.resource_name};
  if (const ResourceConfigsHandle* found = resources_.find(key)) changed->values = (*found)->values;
  if (record.value) {
    changed->values[record.name] = *record.value;
  } else {
    changed->values.erase(record.name);
  }
  if (changed->values.empty()) {
    resources_.erase(key);
  } else {
    resources_.set(std::move(changed));
  }
  return {};
}

Result<void> ImageEditor::set_topic_config(const wire::ConfigRecord& record) {
  const TopicHandle* found = names_.find(std::string_view(record.resource_name));
  Topic* topic = found != nullptr ? own_topic((*found)->id) : nullptr;
  if (topic == nullptr)
    return contradiction("a configuration of topic " + record.resource_name + ", which does not exist");
  if (record.value) {
    topic->configs[record.name] = *record.value;
  } else {
    topic->configs.erase(record.name);
  }
  return {};
}

// --- kept for other rooms

void ImageEditor::keep(std::string key, const Record& record) {
  kept_.set(std::make_shared<KeptRecord>(KeptRecord{std::move(key), encode_record(record)}));
}

Result<void> ImageEditor::apply(const wire::AccessControlEntryRecord& record) {
  keep(kept_key(record.kRecordKey, uuid_bytes(record.id)), record);
  return {};
}

Result<void> ImageEditor::apply(const wire::RemoveAccessControlEntryRecord& record) {
  kept_.erase(std::string_view(kept_key(wire::AccessControlEntryRecord::kRecordKey, uuid_bytes(record.id))));
  return {};
}

Result<void> ImageEditor::apply(const wire::UserScramCredentialRecord& record) {
  keep(credential_key(record.name, record.mechanism), record);
  return {};
}

Result<void> ImageEditor::apply(const wire::RemoveUserScramCredentialRecord& record) {
  kept_.erase(std::string_view(credential_key(record.name, record.mechanism)));
  return {};
}

Result<void> ImageEditor::apply(const wire::ClientQuotaRecord& record) {
  if (record.remove) {
    kept_.erase(std::string_view(quota_key(record)));
  } else {
    keep(quota_key(record), record);
  }
  return {};
}

Result<void> ImageEditor::apply(const wire::DelegationTokenRecord& record) {
  keep(kept_key(record.kRecordKey, record.token_id), record);
  return {};
}

Result<void> ImageEditor::apply(const wire::RemoveDelegationTokenRecord& record) {
  kept_.erase(std::string_view(kept_key(wire::DelegationTokenRecord::kRecordKey, record.token_id)));
  return {};
}

}  // namespace tailwater::cluster
