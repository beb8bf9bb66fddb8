// From texts to typed configuration: tables that connect each key with its field, so that a key is read in
// one way wherever its value comes from.
#include "core/cluster/config.hpp"

#include <algorithm>

namespace tailwater::cluster {

namespace {

// --- topics

struct TopicNumber {
  std::string_view key;
  std::int64_t TopicConfig::* field;
};
constexpr TopicNumber kTopicNumbers[] = {
    {"delete.retention.ms", &TopicConfig::delete_retention_ms},
    {"file.delete.delay.ms", &TopicConfig::file_delete_delay_ms},
    {"flush.messages", &TopicConfig::flush_messages},
    {"flush.ms", &TopicConfig::flush_ms},
    {"index.interval.bytes", &TopicConfig::index_interval_bytes},
    {"max.compaction.lag.ms", &TopicConfig::max_compaction_lag_ms},
    {"max.decompressed.message.bytes", &TopicConfig::max_decompressed_message_bytes},
    {"max.message.bytes", &TopicConfig::max_message_bytes},
    {"message.timestamp.after.max.ms", &TopicConfig::timestamp_after_max_ms},
    {"message.timestamp.before.max.ms", &TopicConfig::timestamp_before_max_ms},
    {"min.compaction.lag.ms", &TopicConfig::min_compaction_lag_ms},
    {"retention.bytes", &TopicConfig::retention_bytes},
    {"retention.ms", &TopicConfig::retention_ms},
    {"segment.bytes", &TopicConfig::segment_bytes},
    {"segment.index.bytes", &TopicConfig::segment_index_bytes},
    {"segment.jitter.ms", &TopicConfig::segment_jitter_ms},
    {"segment.ms", &TopicConfig::segment_ms},
};

struct TopicSmallNumber {
  std::string_view key;
  std::int32_t TopicConfig::* field;
};
constexpr TopicSmallNumber kTopicSmallNumbers[] = {
    {"compression.gzip.level", &TopicConfig::gzip_level},
    {"compression.lz4.level", &TopicConfig::lz4_level},
    {"compression.zstd.level", &TopicConfig::zstd_level},
    {"min.insync.replicas", &TopicConfig::min_insync_replicas},
};

struct TopicFlag {
  std::string_view key;
  bool TopicConfig::* field;
};
constexpr TopicFlag kTopicFlags[] = {
    {"preallocate", &TopicConfig::preallocate},
    {"unclean.leader.election.enable", &TopicConfig::unclean_leader_election},
};

CompressionChoice compression_of(std::string_view text) {
  constexpr std::pair<std::string_view, CompressionChoice> kNames[] = {
      {"uncompressed", CompressionChoice::uncompressed},
      {"gzip", CompressionChoice::gzip},
      {"snappy", CompressionChoice::snappy},
      {"lz4", CompressionChoice::lz4},
      {"zstd", CompressionChoice::zstd},
  };
  for (const auto& [name, choice] : kNames) {
    if (text == name) return choice;
  }
  return CompressionChoice::producer;
}

void set_topic_value(TopicConfig& config, std::string_view key, const std::string& text) {
  for (const TopicNumber& row : kTopicNumbers) {
    if (row.key == key) config.*row.field = parse_int64(text, config.*row.field);
  }
  for (const TopicSmallNumber& row : kTopicSmallNumbers) {
    if (row.key == key) config.*row.field = static_cast<std::int32_t>(parse_int64(text, config.*row.field));
  }
  for (const TopicFlag& row : kTopicFlags) {
    if (row.key == key) config.*row.field = parse_bool(text, config.*row.field);
  }
  const auto members = [&] { return parse_list(text); };
  const auto word = [&] {
    const auto words = members();
    return words.empty() ? std::string() : words.front();
  };
  if (key == "cleanup.policy") {
    const std::vector<std::string> policies = members();
    config.cleanup_delete = std::ranges::find(policies, "delete") != policies.end();
    config.cleanup_compact = std::ranges::find(policies, "compact") != policies.end();
  } else if (key == "compression.type") {
    config.compression = compression_of(word());
  } else if (key == "message.timestamp.type") {
    config.timestamp_type =
        word() == "LogAppendTime" ? TimestampType::log_append_time : TimestampType::create_time;
  } else if (key == "min.cleanable.dirty.ratio") {
    config.min_cleanable_dirty_millionths = parse_millionths(text, config.min_cleanable_dirty_millionths);
  } else if (key == "tailwater.durability") {
    config.durability = word() == "os" ? Durability::os : Durability::fsync;
  }
}

// --- brokers

struct BrokerNumber {
  std::string_view key;
  std::int64_t BrokerConfig::* field;
  std::int64_t factor = 1;
};
constexpr BrokerNumber kBrokerNumbers[] = {
    {"connection.failed.authentication.delay.ms", &BrokerConfig::failed_authentication_delay_ms},
    {"connections.max.idle.ms", &BrokerConfig::connections_max_idle_ms},
    {"connections.max.reauth.ms", &BrokerConfig::connections_max_reauth_ms},
    {"fetch.max.bytes", &BrokerConfig::fetch_max_bytes},
    {"group.consumer.heartbeat.interval.ms", &BrokerConfig::consumer_group_heartbeat_interval_ms},
    {"group.consumer.max.heartbeat.interval.ms", &BrokerConfig::consumer_group_max_heartbeat_interval_ms},
    {"group.consumer.max.session.timeout.ms", &BrokerConfig::consumer_group_max_session_timeout_ms},
    {"group.consumer.min.heartbeat.interval.ms", &BrokerConfig::consumer_group_min_heartbeat_interval_ms},
    {"group.consumer.min.session.timeout.ms", &BrokerConfig::consumer_group_min_session_timeout_ms},
    {"group.consumer.session.timeout.ms", &BrokerConfig::consumer_group_session_timeout_ms},
    {"group.initial.rebalance.delay.ms", &BrokerConfig::group_initial_rebalance_delay_ms},
    {"group.max.session.timeout.ms", &BrokerConfig::group_max_session_timeout_ms},
    {"group.min.session.timeout.ms", &BrokerConfig::group_min_session_timeout_ms},
    {"leader.imbalance.check.interval.seconds", &BrokerConfig::leader_imbalance_check_interval_ms, 1000},
    {"log.cleaner.backoff.ms", &BrokerConfig::log_cleaner_backoff_ms},
    {"log.cleaner.dedupe.buffer.size", &BrokerConfig::log_cleaner_dedupe_buffer_bytes},
    {"log.retention.check.interval.ms", &BrokerConfig::log_retention_check_interval_ms},
    {"max.connections", &BrokerConfig::max_connections},
    {"max.connections.per.ip", &BrokerConfig::max_connections_per_ip},
    {"offset.metadata.max.bytes", &BrokerConfig::offset_metadata_max_bytes},
    {"offsets.commit.timeout.ms", &BrokerConfig::offset_commit_timeout_ms},
    {"offsets.retention.check.interval.ms", &BrokerConfig::offsets_retention_check_interval_ms},
    {"offsets.retention.minutes", &BrokerConfig::offsets_retention_ms, 60'000},
    {"offsets.topic.segment.bytes", &BrokerConfig::offsets_topic_segment_bytes},
    {"producer.id.expiration.ms", &BrokerConfig::producer_id_expiration_ms},
    {"replica.fetch.backoff.ms", &BrokerConfig::replica_fetch_backoff_ms},
    {"replica.fetch.max.bytes", &BrokerConfig::replica_fetch_max_bytes},
    {"replica.fetch.min.bytes", &BrokerConfig::replica_fetch_min_bytes},
    {"replica.fetch.response.max.bytes", &BrokerConfig::replica_fetch_response_max_bytes},
    {"replica.fetch.wait.max.ms", &BrokerConfig::replica_fetch_wait_max_ms},
    {"replica.lag.time.max.ms", &BrokerConfig::replica_lag_time_max_ms},
    {"request.timeout.ms", &BrokerConfig::request_timeout_ms},
    {"sasl.server.max.receive.size", &BrokerConfig::sasl_server_max_receive_bytes},
    {"socket.receive.buffer.bytes", &BrokerConfig::socket_receive_buffer_bytes},
    {"socket.request.max.bytes", &BrokerConfig::socket_request_max_bytes},
    {"socket.send.buffer.bytes", &BrokerConfig::socket_send_buffer_bytes},
    {"tailwater.direct.bytes", &BrokerConfig::direct_bytes},
    {"tailwater.journal.bytes", &BrokerConfig::journal_bytes_max},
    {"tailwater.memory.bytes", &BrokerConfig::memory_bytes},
    {"tailwater.recycle.bytes", &BrokerConfig::recycle_bytes},
    {"transaction.abort.timed.out.transaction.cleanup.interval.ms",
     &BrokerConfig::transaction_abort_check_interval_ms},
    {"transaction.max.timeout.ms", &BrokerConfig::transaction_max_timeout_ms},
    {"transaction.remove.expired.transaction.cleanup.interval.ms",
     &BrokerConfig::transaction_expiry_check_interval_ms},
    {"transaction.state.log.segment.bytes", &BrokerConfig::transaction_topic_segment_bytes},
    {"transactional.id.expiration.ms", &BrokerConfig::transactional_id_expiration_ms},
    {"zookeeper.session.timeout.ms", &BrokerConfig::zookeeper_session_timeout_ms},
};

struct BrokerSmallNumber {
  std::string_view key;
  std::int32_t BrokerConfig::* field;
};
constexpr BrokerSmallNumber kBrokerSmallNumbers[] = {
    {"default.replication.factor", &BrokerConfig::default_replication_factor},
    {"group.consumer.max.size", &BrokerConfig::consumer_group_max_size},
    {"group.max.size", &BrokerConfig::group_max_size},
    {"max.incremental.fetch.session.cache.slots", &BrokerConfig::max_incremental_fetch_session_cache_slots},
    {"max.request.partition.size.limit", &BrokerConfig::max_request_partition_size_limit},
    {"num.partitions", &BrokerConfig::num_partitions},
    {"offsets.topic.num.partitions", &BrokerConfig::offsets_topic_partitions},
    {"offsets.topic.replication.factor", &BrokerConfig::offsets_topic_replication_factor},
    {"socket.listen.backlog.size", &BrokerConfig::socket_listen_backlog},
    {"tailwater.shards", &BrokerConfig::shards},
    {"transaction.state.log.min.isr", &BrokerConfig::transaction_topic_min_isr},
    {"transaction.state.log.num.partitions", &BrokerConfig::transaction_topic_partitions},
    {"transaction.state.log.replication.factor", &BrokerConfig::transaction_topic_replication_factor},
};

struct BrokerFlag {
  std::string_view key;
  bool BrokerConfig::* field;
};
constexpr BrokerFlag kBrokerFlags[] = {
    {"allow.everyone.if.no.acl.found", &BrokerConfig::allow_everyone_if_no_acl},
    {"auto.create.topics.enable", &BrokerConfig::auto_create_topics},
    {"auto.leader.rebalance.enable", &BrokerConfig::auto_leader_rebalance},
    {"controlled.shutdown.enable", &BrokerConfig::controlled_shutdown_enable},
    {"delete.topic.enable", &BrokerConfig::delete_topic_enable},
    {"log.cleaner.enable", &BrokerConfig::log_cleaner_enable},
    {"tailwater.request.log", &BrokerConfig::request_log},
    {"transaction.partition.verification.enable", &BrokerConfig::transaction_partition_verification},
};

struct BrokerText {
  std::string_view key;
  std::string BrokerConfig::* field;
};
constexpr BrokerText kBrokerTexts[] = {
    {"authorizer.class.name", &BrokerConfig::authorizer},
    {"group.consumer.migration.policy", &BrokerConfig::consumer_group_migration_policy},
    {"sasl.mechanism.inter.broker.protocol", &BrokerConfig::sasl_inter_broker_mechanism},
    {"tailwater.admin.listener", &BrokerConfig::admin_listener},
    {"zookeeper.connect", &BrokerConfig::zookeeper_connect},
};

struct BrokerList {
  std::string_view key;
  std::vector<std::string> BrokerConfig::* field;
};
constexpr BrokerList kBrokerLists[] = {
    {"group.consumer.assignors", &BrokerConfig::consumer_group_assignors},
    {"group.coordinator.rebalance.protocols", &BrokerConfig::rebalance_protocols},
    {"sasl.enabled.mechanisms", &BrokerConfig::sasl_enabled_mechanisms},
};

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n\f\v");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n\f\v") - first + 1);
}

// The text for a key: what is set, else its default; nullopt: neither.
std::optional<std::string> text_of(const ConfigValues& values, std::string_view key) {
  if (const auto at = values.find(key); at != values.end()) return std::string(trimmed(at->second));
  const ConfigKey* known = find_broker_key(key);
  if (known == nullptr || !known->has_fallback()) return std::nullopt;
  return std::string(known->fallback);
}

void set_topic_defaults(TopicConfig& config, const ConfigValues& values) {
  for (const ConfigKey& key : topic_keys()) {
    for (const KeySynonym& synonym : key.synonyms) {
      if (synonym.broker_key.empty()) continue;
      const auto text = text_of(values, synonym.broker_key);
      if (!text || text->empty()) continue;
      if (synonym.factor == 1) {
        set_topic_value(config, key.name, *text);
      } else {
        set_topic_value(config, key.name, std::to_string(scaled(parse_int64(*text), synonym.factor)));
      }
      break;
    }
  }
}

std::vector<std::string> split_at(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    if (const std::string_view part = trimmed(text.substr(0, end)); !part.empty()) parts.emplace_back(part);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

void set_addresses(BrokerConfig& config, const ConfigValues& values) {
  config.max_connections_per_ip_overrides.clear();
  for (const std::string& pair :
       parse_list(text_of(values, "max.connections.per.ip.overrides").value_or(""))) {
    if (auto limit = parse_address_limit(pair)) {
      config.max_connections_per_ip_overrides.push_back(*std::move(limit));
    }
  }
}

}  // namespace

std::int64_t scaled(std::int64_t value, std::int64_t factor) {
  if (value < 0) return value;  // -1 stays -1: it means something else than a number
  return value > INT64_MAX / factor ? INT64_MAX : value * factor;
}

void apply_values(BrokerConfig& config, const ConfigValues& values) {
  for (const BrokerNumber& row : kBrokerNumbers) {
    if (const auto text = text_of(values, row.key))
      config.*row.field = scaled(parse_int64(*text), row.factor);
  }
  for (const BrokerSmallNumber& row : kBrokerSmallNumbers) {
    if (const auto text = text_of(values, row.key))
      config.*row.field = static_cast<std::int32_t>(parse_int64(*text));
  }
  for (const BrokerFlag& row : kBrokerFlags) {
    if (const auto text = text_of(values, row.key)) config.*row.field = parse_bool(*text);
  }
  for (const BrokerText& row : kBrokerTexts) config.*row.field = text_of(values, row.key).value_or("");
  for (const BrokerList& row : kBrokerLists)
    config.*row.field = parse_list(text_of(values, row.key).value_or(""));
  config.rack = text_of(values, "broker.rack");
  config.super_users = split_at(text_of(values, "super.users").value_or(""), ';');
  const auto zookeeper_wait = text_of(values, "zookeeper.connection.timeout.ms");
  config.zookeeper_connection_timeout_ms =
      zookeeper_wait ? parse_int64(*zookeeper_wait) : config.zookeeper_session_timeout_ms;
  set_addresses(config, values);
  set_topic_defaults(config.topic_defaults, values);
}

std::string_view to_string(SecurityProtocol protocol) {
  switch (protocol) {
    case SecurityProtocol::plaintext:
      return "PLAINTEXT";
    case SecurityProtocol::ssl:
      return "SSL";
    case SecurityProtocol::sasl_plaintext:
      return "SASL_PLAINTEXT";
    case SecurityProtocol::sasl_ssl:
      return "SASL_SSL";
  }
  return "UNKNOWN";
}

const ListenerConfig* BrokerConfig::listener(std::string_view name) const {
  const auto at = std::ranges::find(listeners, name, &ListenerConfig::name);
  return at != listeners.end() ? &*at : nullptr;
}

std::optional<std::string> BrokerConfig::listener_value(std::string_view listener_name,
                                                        std::string_view key) const {
  std::string name = "listener.name.";
  for (const char letter : listener_name)
    name += letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + 32) : letter;
  name += '.';
  name += key;
  if (const auto at = properties.find(name); at != properties.end()) return at->second;
  return text_of(properties, key);
}

BrokerConfig effective_broker_config(const BrokerConfig& from_file, const MetadataImage& image,
                                     BrokerId broker) {
  return effective_broker_config(from_file, image.default_broker_configs(), image.broker_configs(broker));
}

BrokerConfig effective_broker_config(const BrokerConfig& from_file, const ConfigValues& of_all,
                                     const ConfigValues& own) {
  BrokerConfig config = from_file;
  for (const ConfigValues* layer : {&of_all, &own}) {
    for (const auto& [name, value] : *layer) {
      const ConfigKey* key = find_broker_key(name);
      if (key == nullptr || key->update == UpdateMode::read_only) continue;
      config.properties[name] = value;
    }
  }
  apply_values(config, config.properties);
  return config;
}

TopicConfig effective_topic_config(const ConfigValues& overrides, const BrokerConfig& broker) {
  TopicConfig config = broker.topic_defaults;
  for (const auto& [name, value] : overrides) set_topic_value(config, name, value);
  return config;
}

bool ParsedBrokerConfig::valid() const {
  return first_error().empty();
}

std::string ParsedBrokerConfig::first_error() const {
  for (const ConfigNotice& notice : notices) {
    if (notice.kind == ConfigNotice::Kind::invalid) return notice.message;
  }
  return {};
}

}  // namespace tailwater::cluster
