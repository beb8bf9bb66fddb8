// Effective configuration. A topic's values come from its own overrides, else from the broker's dynamic
// configuration, else from the dynamic default of all brokers, else from server.properties, else from Kafka's
// default. Here are the typed results (TopicConfig, BrokerConfig), and for DescribeConfigs each value with
// its source and synonyms.
//
// BrokerConfig is made once from server.properties and again, with the dynamic values on top, for each image
// that changes them. Making a TopicConfig copies the broker's defaults and parses the topic's few overrides.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "core/cluster/config_keys.hpp"
#include "core/cluster/image.hpp"

namespace tailwater::cluster {

enum class TimestampType : std::uint8_t { create_time, log_append_time };
enum class CompressionChoice : std::uint8_t { producer, uncompressed, gzip, snappy, lz4, zstd };
enum class Durability : std::uint8_t { fsync, os };

// Times in milliseconds, sizes in bytes, with Kafka's special values (-1: unlimited).
struct TopicConfig {
  bool cleanup_delete = true;
  bool cleanup_compact = false;
  std::int64_t retention_ms = 604'800'000;
  std::int64_t retention_bytes = -1;
  std::int64_t segment_bytes = 1'073'741'824;
  std::int64_t segment_ms = 604'800'000;
  std::int64_t segment_jitter_ms = 0;
  std::int64_t segment_index_bytes = 10'485'760;
  std::int64_t index_interval_bytes = 4096;
  std::int64_t file_delete_delay_ms = 60'000;
  std::int64_t flush_messages = INT64_MAX;
  std::int64_t flush_ms = INT64_MAX;
  std::int64_t max_message_bytes = 1'048'588;
  std::int64_t max_decompressed_message_bytes = 2'147'483'639;
  std::int64_t delete_retention_ms = 86'400'000;
  std::int64_t min_compaction_lag_ms = 0;
  std::int64_t max_compaction_lag_ms = INT64_MAX;
  std::int64_t min_cleanable_dirty_millionths = 500'000;
  std::int32_t min_insync_replicas = 1;
  bool unclean_leader_election = false;
  bool preallocate = false;
  CompressionChoice compression = CompressionChoice::producer;
  std::int32_t gzip_level = -1;
  std::int32_t lz4_level = 9;
  std::int32_t zstd_level = 3;
  TimestampType timestamp_type = TimestampType::create_time;
  std::int64_t timestamp_before_max_ms = INT64_MAX;
  std::int64_t timestamp_after_max_ms = 3'600'000;
  Durability durability = Durability::fsync;
  friend bool operator==(const TopicConfig&, const TopicConfig&) = default;
};

enum class SecurityProtocol : std::int16_t { plaintext = 0, ssl = 1, sasl_plaintext = 2, sasl_ssl = 3 };
std::string_view to_string(SecurityProtocol protocol);

struct ListenerConfig {
  std::string name;  // upper case
  std::string host;  // empty: all interfaces
  std::uint16_t port = 0;
  SecurityProtocol protocol = SecurityProtocol::plaintext;
  friend bool operator==(const ListenerConfig&, const ListenerConfig&) = default;
};

// The broker's own settings, typed. Names follow Kafka's keys; times are in milliseconds unless said
// otherwise.
struct BrokerConfig {
  // identity and network
  std::int32_t broker_id = 0;
  std::optional<std::string> rack;
  std::vector<ListenerConfig> listeners;
  std::vector<ListenerConfig>
      advertised_listeners;  // one for each listener that is advertised, with a real host
  std::string inter_broker_listener;
  std::vector<std::string> log_dirs;
  std::string zookeeper_connect;  // empty: one broker, its metadata in a file
  std::int64_t zookeeper_session_timeout_ms = 18'000;
  std::int64_t zookeeper_connection_timeout_ms = 18'000;
  std::int64_t socket_send_buffer_bytes = 102'400;
  std::int64_t socket_receive_buffer_bytes = 102'400;
  std::int64_t socket_request_max_bytes = 104'857'600;
  std::int32_t socket_listen_backlog = 50;
  std::int64_t connections_max_idle_ms = 600'000;
  std::int64_t connections_max_reauth_ms = 0;
  std::int64_t max_connections = INT32_MAX;
  std::int64_t max_connections_per_ip = INT32_MAX;
  std::vector<std::pair<std::string, std::int64_t>> max_connections_per_ip_overrides;
  std::int64_t failed_authentication_delay_ms = 100;
  std::int64_t request_timeout_ms = 30'000;
  std::int64_t fetch_max_bytes = 57'671'680;
  std::int32_t max_incremental_fetch_session_cache_slots = 1000;
  std::int32_t max_request_partition_size_limit = 2000;

  // topics
  TopicConfig topic_defaults;
  bool auto_create_topics = true;
  bool delete_topic_enable = true;
  std::int32_t num_partitions = 1;
  std::int32_t default_replication_factor = 1;
  std::int64_t log_retention_check_interval_ms = 300'000;
  bool log_cleaner_enable = true;
  std::int64_t log_cleaner_backoff_ms = 15'000;
  std::int64_t log_cleaner_dedupe_buffer_bytes = 134'217'728;
  std::int64_t producer_id_expiration_ms = 86'400'000;

  // replication and control
  std::int64_t replica_lag_time_max_ms = 30'000;
  std::int64_t replica_fetch_wait_max_ms = 500;
  std::int64_t replica_fetch_min_bytes = 1;
  std::int64_t replica_fetch_max_bytes = 1'048'576;
  std::int64_t replica_fetch_response_max_bytes = 10'485'760;
  std::int64_t replica_fetch_backoff_ms = 1000;
  bool auto_leader_rebalance = true;
  std::int64_t leader_imbalance_check_interval_ms = 300'000;
  bool controlled_shutdown_enable = true;

  // groups
  std::int32_t offsets_topic_partitions = 50;
  std::int32_t offsets_topic_replication_factor = 3;
  std::int64_t offsets_topic_segment_bytes = 104'857'600;
  std::int64_t offsets_retention_ms = 604'800'000;
  std::int64_t offsets_retention_check_interval_ms = 600'000;
  std::int64_t offset_metadata_max_bytes = 4096;
  std::int64_t offset_commit_timeout_ms = 5000;
  std::int64_t group_min_session_timeout_ms = 6000;
  std::int64_t group_max_session_timeout_ms = 1'800'000;
  std::int64_t group_initial_rebalance_delay_ms = 3000;
  std::int32_t group_max_size = INT32_MAX;
  std::int64_t consumer_group_session_timeout_ms = 45'000;
  std::int64_t consumer_group_min_session_timeout_ms = 45'000;
  std::int64_t consumer_group_max_session_timeout_ms = 60'000;
  std::int64_t consumer_group_heartbeat_interval_ms = 5000;
  std::int64_t consumer_group_min_heartbeat_interval_ms = 5000;
  std::int64_t consumer_group_max_heartbeat_interval_ms = 15'000;
  std::int32_t consumer_group_max_size = INT32_MAX;
  std::vector<std::string> consumer_group_assignors;  // "uniform", "range"
  std::string consumer_group_migration_policy = "bidirectional";
  std::vector<std::string> rebalance_protocols;  // "classic", "consumer", ...

  // transactions
  std::int32_t transaction_topic_partitions = 50;
  std::int32_t transaction_topic_replication_factor = 3;
  std::int32_t transaction_topic_min_isr = 2;
  std::int64_t transaction_topic_segment_bytes = 104'857'600;
  std::int64_t transaction_max_timeout_ms = 900'000;
  std::int64_t transactional_id_expiration_ms = 604'800'000;
  std::int64_t transaction_abort_check_interval_ms = 10'000;
  std::int64_t transaction_expiry_check_interval_ms = 3'600'000;
  bool transaction_partition_verification = true;

  // security
  std::string authorizer;
  std::vector<std::string> super_users;
  bool allow_everyone_if_no_acl = false;
  std::vector<std::string> sasl_enabled_mechanisms;
  std::string sasl_inter_broker_mechanism = "GSSAPI";
  std::int64_t sasl_server_max_receive_bytes = 524'288;

  // Tailwater's own
  bool request_log = false;
  std::int32_t shards = 0;              // 0: one less than the cores, at least one
  std::int64_t memory_bytes = 0;        // 0: half of what is available
  std::int64_t journal_bytes_max = 0;   // 0: chosen by the broker
  std::int64_t direct_bytes = 196'608;  // 0: nothing goes straight to its segment
  std::int64_t recycle_bytes = -1;      // of each log directory; 0: none; -1: a share of its file system
  std::string admin_listener;           // host:port of metrics and console, empty: none

  // server.properties with environment, as read; for DescribeConfigs and for keys of one listener.
  ConfigValues properties;

  const ListenerConfig* listener(std::string_view name) const;
  // The value for a listener: "listener.name.<listener>.<key>" if set, else `key`, else its default.
  std::optional<std::string> listener_value(std::string_view listener, std::string_view key) const;
};

// Something about a configuration that its user should read, once.
struct ConfigNotice {
  enum class Kind : std::uint8_t {
    invalid,    // the broker must not start
    unknown,    // a warning; under --strict an error
    no_effect,  // for information
  };
  Kind kind{};
  std::string key;
  std::string message;
};

struct ParsedBrokerConfig {
  BrokerConfig config;
  std::vector<ConfigNotice> notices;  // in the order of keys

  bool valid() const;
  std::string first_error() const;
};

// The relations between a configuration's values that do not hold.
std::vector<ConfigNotice> broken_relations(const BrokerConfig& config);
// One of max.connections.per.ip.overrides, "address:count"; nullopt: it is none.
std::optional<std::pair<std::string, std::int64_t>> parse_address_limit(std::string_view pair);

// Types, checks and relates all of server.properties; finds everything wrong at once.
ParsedBrokerConfig parse_broker_config(const ConfigValues& properties);

// server.properties with the image's dynamic configuration for this broker on top.
BrokerConfig effective_broker_config(const BrokerConfig& from_file, const MetadataImage& image,
                                     BrokerId broker);
// Likewise with the dynamic values of all brokers, and this one's own on top of them.
BrokerConfig effective_broker_config(const BrokerConfig& from_file, const ConfigValues& of_all,
                                     const ConfigValues& own);

// Sets every field that comes from one key, each from `values` or its default. Listeners, ids and log
// directories are parse_broker_config's.
void apply_values(BrokerConfig& config, const ConfigValues& values);

// A number in another unit: saturates, and negative numbers stay as they are since they are no amounts.
std::int64_t scaled(std::int64_t value, std::int64_t factor);

// `broker` is an effective one.
TopicConfig effective_topic_config(const ConfigValues& overrides, const BrokerConfig& broker);

// Kafka's numbers of sources.
enum class ConfigSource : std::int8_t {
  topic = 1,
  dynamic_broker = 2,
  dynamic_default_broker = 3,
  static_broker = 4,
  fallback = 5,
  broker_logger = 6,
  client_metrics = 7,
  group = 8,
};

struct ConfigSynonymValue {
  std::string name;
  std::optional<std::string> value;  // nullopt: null, or hidden because it is sensitive
  ConfigSource source{};
};

struct DescribedValue {
  const ConfigKey* key = nullptr;  // null: a key that Tailwater does not know, set in server.properties
  std::string name;
  std::optional<std::string> value;
  ConfigSource source = ConfigSource::fallback;
  bool read_only = false;
  bool sensitive = false;
  std::vector<ConfigSynonymValue>
      synonyms;  // everything that was considered, strongest first; the first is in effect
};

// All values of a resource in the order of keys. `from_file` is the broker's static configuration.
std::vector<DescribedValue> describe_topic_values(const ConfigValues& overrides,
                                                  const BrokerConfig& from_file, const MetadataImage& image,
                                                  BrokerId broker);
std::vector<DescribedValue> describe_broker_values(const BrokerConfig& from_file, const MetadataImage& image,
                                                   BrokerId broker);
// The dynamic default of all brokers: only what is set.
std::vector<DescribedValue> describe_default_broker_values(const MetadataImage& image);
std::vector<DescribedValue> describe_group_values(const ConfigValues& overrides,
                                                  const BrokerConfig& from_file, const MetadataImage& image,
                                                  BrokerId broker);

}  // namespace tailwater::cluster
