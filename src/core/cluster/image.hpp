// The metadata image: everything that the cluster has agreed on, as one immutable snapshot. Shards share it
// as std::shared_ptr<const MetadataImage> and replace it when a newer one comes; nothing in it ever changes.
//
// An image is a function of the changelog up to `version` (records.hpp applies records to it). Versions share
// all topics, brokers and configurations that did not change, so a new one costs what changed, not what
// exists. Iteration over topics, brokers and configurations is in the order of their keys, on every machine
// the same.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/uuid.hpp"
#include "core/cluster/inline_vector.hpp"
#include "core/cluster/shared_index.hpp"
#include "core/cluster/version.hpp"

namespace tailwater::cluster {

inline constexpr BrokerId kNoBroker{-1};
inline constexpr std::string_view kOffsetsTopic = "__consumer_offsets";
inline constexpr std::string_view kTransactionTopic = "__transaction_state";
inline constexpr std::string_view kShareStateTopic = "__share_group_state";

// Kafka calls these internal: clients see the flag, and may not produce to them.
bool is_internal_topic(std::string_view name);

// Configuration as set by users, by key, in Kafka's spelling.
using ConfigValues = std::map<std::string, std::string, std::less<>>;

// A copy of a partition on a broker. `log` is unique in the cluster's life: a topic that comes back under its
// name and a replica that comes back to its broker have new ones. `directory` is the id of one of the
// broker's log directories.
struct Replica {
  BrokerId broker = kNoBroker;
  LogId log;
  Uuid directory;
  friend bool operator==(const Replica&, const Replica&) = default;
};
using Replicas = InlineVector<Replica, 1>;
using BrokerIds = InlineVector<BrokerId, 4>;

struct Partition {
  BrokerId leader = kNoBroker;  // kNoBroker: offline
  LeaderEpoch leader_epoch;
  std::int32_t partition_epoch = 0;  // raised by every change
  Replicas replicas;                 // the first is the preferred leader
  BrokerIds isr;
  BrokerIds adding;    // of a reassignment under way; part of `replicas`
  BrokerIds removing;  // likewise

  // The copy on this broker, or null.
  const Replica* replica_on(BrokerId broker) const;
  BrokerIds replica_ids() const;
  friend bool operator==(const Partition&, const Partition&) = default;
};

struct Topic {
  Uuid id;
  std::string name;
  std::vector<Partition> partitions;  // the index is the PartitionId
  ConfigValues configs;               // overrides only

  bool is_internal() const { return is_internal_topic(name); }
  const Partition* partition(PartitionId id_in_topic) const {
    return id_in_topic.value >= 0 && static_cast<std::size_t>(id_in_topic.value) < partitions.size()
               ? &partitions[static_cast<std::size_t>(id_in_topic.value)]
               : nullptr;
  }
};

struct Endpoint {
  std::string listener;  // "PLAINTEXT", "EXTERNAL", ...
  std::string host;      // as advertised
  std::uint16_t port = 0;
  std::int16_t security_protocol = 0;  // 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

struct Broker {
  BrokerId id = kNoBroker;
  std::int64_t epoch = -1;  // each registration has a greater one
  Uuid incarnation;
  std::optional<std::string> rack;
  std::vector<Endpoint> endpoints;
  // In the order of log.dirs: the index is the DirId. Zero: that one could not be used when the broker started.
  std::vector<Uuid> log_dirs;
  bool fenced = true;  // registered, but not serving: leads nothing and is hidden from Metadata
  bool in_controlled_shutdown = false;

  const Endpoint* endpoint(std::string_view listener) const;
  std::optional<DirId> dir(const Uuid& directory) const;
  friend bool operator==(const Broker&, const Broker&) = default;
};

// Kafka's numbers of configuration resources.
enum class ResourceType : std::int8_t {
  unknown = 0,
  topic = 2,
  broker = 4,
  broker_logger = 8,
  client_metrics = 16,
  group = 32,
};

struct ResourceConfigs {
  ResourceType type{};
  std::string name;  // a broker's id in decimal, "" for the default of all brokers
  ConfigValues values;
};

using TopicHandle = std::shared_ptr<const Topic>;
using BrokerHandle = std::shared_ptr<const Broker>;
using ResourceConfigsHandle = std::shared_ptr<const ResourceConfigs>;

struct TopicName {
  std::string_view operator()(const TopicHandle& topic) const { return topic->name; }
};
struct TopicId {
  const Uuid& operator()(const TopicHandle& topic) const { return topic->id; }
};
using ResourceKey = std::pair<ResourceType, std::string_view>;
struct ResourceKeyOf {
  ResourceKey operator()(const ResourceConfigsHandle& configs) const {
    return {configs->type, configs->name};
  }
};

// A record that this room keeps for others without looking into it (access rules, credentials, quotas): the
// newest one under the key that it replaces. The key begins with the decimal number of the record's kind and
// a colon.
struct KeptRecord {
  std::string key;
  Buffer frame;  // see decode_record() in records.hpp
};
using KeptRecordHandle = std::shared_ptr<const KeptRecord>;
struct KeptRecordKey {
  std::string_view operator()(const KeptRecordHandle& record) const { return record->key; }
};

using TopicsByName = SharedIndex<TopicHandle, TopicName>;
using TopicsById = SharedIndex<TopicHandle, TopicId>;
using Resources = SharedIndex<ResourceConfigsHandle, ResourceKeyOf>;
using KeptRecords = SharedIndex<KeptRecordHandle, KeptRecordKey>;

struct MetadataImage {
  MetadataVersion version;
  std::string cluster_id;
  BrokerId controller = kNoBroker;  // that appended the last entry
  ControllerEpoch controller_epoch;
  std::map<BrokerId, BrokerHandle> brokers;  // registered, fenced ones too
  TopicsByName topics;
  TopicsById topics_by_id;
  Resources resources;  // configurations of brokers, groups and client metrics; topics hold their own
  std::map<std::string, std::int16_t, std::less<>> features;  // finalized levels
  std::int64_t next_producer_id = 0;
  std::uint64_t next_log_id = 1;
  std::size_t partition_count = 0;
  KeptRecords kept;

  TopicHandle topic(std::string_view name) const;  // null: there is none
  TopicHandle topic(const Uuid& id) const;
  const Partition* partition(std::string_view name, PartitionId id) const;
  BrokerHandle broker(BrokerId id) const;
  // Registered and not fenced.
  bool is_alive(BrokerId id) const;
  std::vector<BrokerId> alive_brokers() const;
  // What users set on a resource; empty if nothing.
  const ConfigValues& configs(ResourceType type, std::string_view name) const;
  const ConfigValues& broker_configs(BrokerId id) const;
  const ConfigValues& default_broker_configs() const { return configs(ResourceType::broker, ""); }
  std::int16_t feature(std::string_view name) const;  // 0: not finalized
  // The index in the broker's log.dirs where this copy lives; nullopt if the broker has no such directory
  // (any more).
  std::optional<DirId> dir_of(const Replica& replica) const;
};

using ImageHandle = std::shared_ptr<const MetadataImage>;

// A topic that differs between two images; one side is null if the topic was created or deleted. A topic that
// was deleted and created again under its name comes as two changes: it has another id.
struct TopicChange {
  TopicHandle before;
  TopicHandle after;
};
// In the order of topic ids. Costs what changed, if `after` was made from `before`.
std::vector<TopicChange> changed_topics(const MetadataImage& before, const MetadataImage& after);

}  // namespace tailwater::cluster
