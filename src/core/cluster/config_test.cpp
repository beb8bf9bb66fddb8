// Goal: server.properties, dynamic values and topic overrides give the typed values and the sources that
// Kafka's rules say, and everything wrong in a file is reported at once. Method: small files and images, each
// rule with an example of its own.
#include "core/cluster/config.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace tailwater::cluster {
namespace {

constexpr BrokerId kSelf{1};

BrokerConfig parsed(const ConfigValues& properties) {
  ParsedBrokerConfig result = parse_broker_config(properties);
  EXPECT_EQ(result.first_error(), "");
  return result.config;
}

std::string error_of(const ConfigValues& properties) {
  return parse_broker_config(properties).first_error();
}

MetadataImage image_with(const std::vector<ResourceConfigs>& all) {
  MetadataImage image;
  Resources::Editor editor(image.resources);
  for (const ResourceConfigs& configs : all) editor.set(std::make_shared<ResourceConfigs>(configs));
  image.resources = editor.finish();
  return image;
}

const DescribedValue& value_of(const std::vector<DescribedValue>& all, std::string_view name) {
  const auto at = std::ranges::find(all, name, &DescribedValue::name);
  EXPECT_NE(at, all.end()) << name;
  return *at;
}

std::string synonyms_of(const DescribedValue& value) {
  std::string text;
  for (const ConfigSynonymValue& synonym : value.synonyms) {
    text += std::to_string(static_cast<int>(synonym.source)) + ":" + synonym.name + "=" +
            synonym.value.value_or("null") + " ";
  }
  return text;
}

TEST(BrokerConfigFile, WithoutAnyLineTheTypedDefaultsAreTheTablesDefaults) {
  const BrokerConfig config = parsed({});
  BrokerConfig expected;
  EXPECT_EQ(config.topic_defaults, TopicConfig{});
  EXPECT_EQ(config.broker_id, 1);
  EXPECT_EQ(config.socket_request_max_bytes, expected.socket_request_max_bytes);
  EXPECT_EQ(config.offsets_retention_ms, expected.offsets_retention_ms);
  EXPECT_EQ(config.offsets_topic_partitions, expected.offsets_topic_partitions);
  EXPECT_EQ(config.offsets_topic_replication_factor, expected.offsets_topic_replication_factor);
  EXPECT_EQ(config.transaction_topic_min_isr, expected.transaction_topic_min_isr);
  EXPECT_EQ(config.leader_imbalance_check_interval_ms, expected.leader_imbalance_check_interval_ms);
  EXPECT_EQ(config.consumer_group_assignors, (std::vector<std::string>{"uniform", "range"}));
  EXPECT_EQ(config.rebalance_protocols, (std::vector<std::string>{"classic", "consumer"}));
  EXPECT_EQ(config.zookeeper_connect, "");
  EXPECT_EQ(config.zookeeper_connection_timeout_ms, 18'000);
  EXPECT_EQ(config.rack, std::nullopt);
  ASSERT_EQ(config.listeners.size(), 1u);
  EXPECT_EQ(config.listeners[0],
            (ListenerConfig{"PLAINTEXT", "127.0.0.1", 9092, SecurityProtocol::plaintext}));
  EXPECT_EQ(config.advertised_listeners, config.listeners);
  EXPECT_EQ(config.inter_broker_listener, "PLAINTEXT");
  EXPECT_EQ(config.log_dirs, std::vector<std::string>{"/var/lib/tailwater/data"});
}

TEST(BrokerConfigFile, KafkasStockFileForKraftIsAcceptedUnchanged) {
  const ParsedBrokerConfig result = parse_broker_config({
      {"process.roles", "broker,controller"},
      {"node.id", "7"},
      {"controller.quorum.bootstrap.servers", "localhost:9093"},
      {"listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"},
      {"inter.broker.listener.name", "PLAINTEXT"},
      {"advertised.listeners", "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093"},
      {"controller.listener.names", "CONTROLLER"},
      {"listener.security.protocol.map", "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL"},
      {"num.network.threads", "3"},
      {"log.dirs", "/tmp/a, /tmp/b"},
      {"offsets.topic.replication.factor", "1"},
      {"log.retention.hours", "168"},
  });
  EXPECT_EQ(result.first_error(), "");
  EXPECT_EQ(result.config.broker_id, 7);
  ASSERT_EQ(result.config.listeners.size(), 1u);
  EXPECT_EQ(result.config.listeners[0], (ListenerConfig{"PLAINTEXT", "", 9092, SecurityProtocol::plaintext}));
  ASSERT_EQ(result.config.advertised_listeners.size(), 1u);
  EXPECT_EQ(result.config.advertised_listeners[0].host, "localhost");
  EXPECT_EQ(result.config.log_dirs, (std::vector<std::string>{"/tmp/a", "/tmp/b"}));
  std::vector<std::string> without_effect;
  for (const ConfigNotice& notice : result.notices) {
    EXPECT_EQ(notice.kind, ConfigNotice::Kind::no_effect) << notice.message;
    without_effect.push_back(notice.key);
  }
  EXPECT_EQ(without_effect,
            (std::vector<std::string>{"controller.listener.names", "controller.quorum.bootstrap.servers",
                                      "inter.broker.listener.name", "num.network.threads", "process.roles"}));
}

TEST(BrokerConfigFile, UnknownKeysAreWarnedAboutWithTheNearestName) {
  const ParsedBrokerConfig result =
      parse_broker_config({{"num.partition", "3"}, {"rsm.config.bucket", "x"}, {"qqq", ""}});
  ASSERT_EQ(result.notices.size(), 3u);
  EXPECT_TRUE(result.valid());
  EXPECT_EQ(result.notices[0].message, "num.partition is not a known key; did you mean num.partitions?");
  EXPECT_EQ(result.notices[1].message, "qqq is not a known key");
  EXPECT_EQ(result.notices[2].kind, ConfigNotice::Kind::no_effect);
}

TEST(BrokerConfigFile, EveryErrorIsReportedAtOnce) {
  const ParsedBrokerConfig result = parse_broker_config(
      {{"num.partitions", "0"}, {"auto.create.topics.enable", "perhaps"}, {"listeners", "PLAINTEXT:9092"}});
  std::vector<std::string> messages;
  for (const ConfigNotice& notice : result.notices) {
    if (notice.kind == ConfigNotice::Kind::invalid) messages.push_back(notice.message);
  }
  EXPECT_EQ(messages,
            (std::vector<std::string>{
                "auto.create.topics.enable must be true or false; got 'perhaps'",
                "listeners must be a list of NAME://host:port; got 'PLAINTEXT:9092' (no NAME:// in front)",
                "num.partitions must be a whole number from 1 to 2147483647; got '0'",
            }));
}

TEST(BrokerConfigFile, EveryRelationBetweenKeysIsChecked) {
  const std::pair<ConfigValues, std::string_view> cases[] = {
      {{{"node.id", "1"}, {"broker.id", "2"}}, "node.id and broker.id name the same number; got 1 and 2"},
      {{{"broker.id", "-2"}}, "broker.id must be 0 or more, or -1 to take node.id; got -2"},
      {{{"listeners", "A://h:1"}},
       "listeners must be a list of NAME://host:port; got 'A://h:1' (listener.security.protocol.map does not "
       "say which "
       "protocol A speaks)"},
      {{{"listeners", "PLAINTEXT://h:65536"}},
       "listeners must be a list of NAME://host:port; got 'PLAINTEXT://h:65536' (the port must be a number "
       "from 0 to 65535)"},
      {{{"listeners", "PLAINTEXT://::1:9092"}},
       "listeners must be a list of NAME://host:port; got 'PLAINTEXT://::1:9092' (an IPv6 address needs "
       "brackets)"},
      {{{"listeners", "PLAINTEXT://h"}},
       "listeners must be a list of NAME://host:port; got 'PLAINTEXT://h' (no port)"},
      {{{"listeners", "PLAINTEXT://h:1,plaintext://h:2"}}, "listeners names the listener PLAINTEXT twice"},
      {{{"listeners", "PLAINTEXT://h:1,SSL://:1"}}, "listeners PLAINTEXT and SSL have the same port 1"},
      {{{"listener.security.protocol.map", "A:TLS"}, {"listeners", "PLAINTEXT://:1"}},
       "listener.security.protocol.map must be a list of NAME:PROTOCOL with one of PLAINTEXT, SSL, "
       "SASL_PLAINTEXT, SASL_SSL; "
       "got 'A:TLS'"},
      {{{"advertised.listeners", "SSL://h:1"}}, "advertised.listeners names SSL, which is not in listeners"},
      {{{"advertised.listeners", "PLAINTEXT://0.0.0.0:1"}},
       "advertised.listeners cannot use 0.0.0.0: clients cannot connect to it; give the name or address they "
       "should use"},
      {{{"inter.broker.listener.name", "SSL"}},
       "the listener SSL that brokers use among themselves is not in listeners"},
      {{{"inter.broker.listener.name", "PLAINTEXT"}, {"security.inter.broker.protocol", "PLAINTEXT"}},
       "set either inter.broker.listener.name or security.inter.broker.protocol, not both"},
      {{{"log.retention.ms", "0"}}, "log.retention.ms must be 1 or more, or -1 for no limit; got '0'"},
      {{{"log.retention.hours", "-5"}},
       "log.retention.hours must be 1 or more, or -1 for no limit; got '-5'"},
      {{{"log.roll.ms", "0"}}, "log.roll.ms must be 1 or more; got 0"},
      {{{"log.roll.jitter.ms", "-1"}}, "log.roll.jitter.ms must be 0 or more; got -1"},
      {{{"max.connections.per.ip", "0"}},
       "max.connections.per.ip can be 0 only if max.connections.per.ip.overrides says who may connect"},
      {{{"group.min.session.timeout.ms", "2000000"}},
       "group.min.session.timeout.ms must not be greater than group.max.session.timeout.ms; got 2000000 and "
       "1800000"},
      {{{"group.consumer.session.timeout.ms", "70000"}},
       "group.consumer.session.timeout.ms must not be greater than group.consumer.max.session.timeout.ms; "
       "got 70000 and "
       "60000"},
      {{{"replica.lag.time.max.ms", "100"}},
       "replica.fetch.wait.max.ms must not be greater than replica.lag.time.max.ms; got 500 and 100"},
      {{{"default.replication.factor", "0"}}, "default.replication.factor must be 1 or more; got 0"},
      {{{"remote.log.storage.system.enable", "true"}},
       "remote.log.storage.system.enable cannot be set to 'true': there is no tiered storage here"},
  };
  for (const auto& [properties, message] : cases) EXPECT_EQ(error_of(properties), message);
}

TEST(BrokerConfigFile, OneErrorOfAKeyIsEnough) {
  for (const ConfigValues& properties :
       {ConfigValues{{"log.retention.ms", "soon"}}, ConfigValues{{"listeners", "NOBODY://h:1"}}}) {
    EXPECT_EQ(parse_broker_config(properties).notices.size(), 1u);
  }
  EXPECT_EQ(error_of({{"log.retention.ms", "soon"}}),
            "log.retention.ms must be a whole number of milliseconds; got 'soon'");
}

TEST(BrokerConfigFile, ListenersOfOwnNamesAndIpv6) {
  const BrokerConfig config =
      parsed({{"listeners", "internal://[::1]:9092,EXTERNAL://0.0.0.0:19092"},
              {"listener.security.protocol.map", "INTERNAL:PLAINTEXT, external:sasl_ssl"}});
  ASSERT_EQ(config.listeners.size(), 2u);
  EXPECT_EQ(config.listeners[0], (ListenerConfig{"INTERNAL", "::1", 9092, SecurityProtocol::plaintext}));
  EXPECT_EQ(config.listeners[1], (ListenerConfig{"EXTERNAL", "0.0.0.0", 19092, SecurityProtocol::sasl_ssl}));
  EXPECT_EQ(config.advertised_listeners[1].host, "");
  EXPECT_EQ(config.inter_broker_listener, "INTERNAL");
  EXPECT_NE(config.listener("EXTERNAL"), nullptr);
  EXPECT_EQ(config.listener("SSL"), nullptr);
}

TEST(BrokerConfigFile, UnitsAndPrecedenceOfRetention) {
  EXPECT_EQ(parsed({{"log.retention.hours", "2"}}).topic_defaults.retention_ms, 7'200'000);
  EXPECT_EQ(
      parsed({{"log.retention.hours", "2"}, {"log.retention.minutes", "5"}}).topic_defaults.retention_ms,
      300'000);
  EXPECT_EQ(parsed({{"log.retention.minutes", "5"}, {"log.retention.ms", "-1"}}).topic_defaults.retention_ms,
            -1);
  EXPECT_EQ(parsed({{"log.retention.hours", "-1"}}).topic_defaults.retention_ms, -1);
  EXPECT_EQ(parsed({{"log.roll.hours", "1"}}).topic_defaults.segment_ms, 3'600'000);
  EXPECT_EQ(parsed({{"offsets.retention.minutes", "1"}}).offsets_retention_ms, 60'000);
  EXPECT_EQ(scaled(INT64_MAX / 2, 3'600'000), INT64_MAX);
  EXPECT_EQ(scaled(-1, 60'000), -1);
}

TEST(BrokerConfigFile, ListsAndLimitsOfAddresses) {
  const BrokerConfig config = parsed({{"super.users", "User:a;User:CN=b,O=c"},
                                      {"max.connections.per.ip.overrides", "host:5, 10.0.0.1:7, ::1:9"},
                                      {"broker.rack", " r1 "}});
  EXPECT_EQ(config.super_users, (std::vector<std::string>{"User:a", "User:CN=b,O=c"}));
  ASSERT_EQ(config.max_connections_per_ip_overrides.size(), 3u);
  EXPECT_EQ(config.max_connections_per_ip_overrides[2], (std::pair<std::string, std::int64_t>{"::1", 9}));
  EXPECT_EQ(config.rack, "r1");
}

TEST(BrokerConfigFile, ALimitOfAnAddressThatIsMistypedIsRefused) {
  const std::string key = "max.connections.per.ip.overrides";
  for (const std::string pair :
       {"127.0.0.1:1OO", "127.0.0.1", ":5", "127.0.0.1:", "127.0.0.1:-1", "a b:5", "127.0.0.1:2147483648"}) {
    EXPECT_EQ(error_of({{key, "h:3, " + pair}}),
              key + " must be a list of address:count pairs; got '" + pair + "'");
  }
  EXPECT_EQ(error_of({{key, "127.0.0.1:0, ::1:9"}, {"max.connections.per.ip", "0"}}), "");
}

TEST(BrokerConfigFile, WhatIsNotMeasuredIsNotLimited) {
  const ParsedBrokerConfig result = parse_broker_config({{"max.connection.creation.rate", "5"}});
  ASSERT_EQ(result.notices.size(), 1u);
  EXPECT_EQ(result.notices[0].kind, ConfigNotice::Kind::no_effect);
}

// Nobody may believe that rules protect what they do not.
TEST(BrokerConfigFile, AnAuthorizerIsRefusedWhileNoRulesAreEnforced) {
  const char* name = "org.apache.kafka.metadata.authorizer.StandardAuthorizer";
  const auto result = parse_broker_config({{"authorizer.class.name", name}, {"super.users", "User:a"}});
  EXPECT_FALSE(result.valid());
  ASSERT_EQ(result.notices.size(), 2u);
  EXPECT_EQ(result.notices[0].kind, ConfigNotice::Kind::invalid);
  EXPECT_EQ(result.notices[1].kind, ConfigNotice::Kind::no_effect);
  EXPECT_TRUE(parse_broker_config({{"authorizer.class.name", ""}}).valid());
}

TEST(BrokerConfigFile, AListenersOwnValueIsStrongerThanTheGeneralOne) {
  const BrokerConfig config =
      parsed({{"ssl.keystore.location", "/all"},
              {"listener.name.external.ssl.keystore.location", "/ext"},
              {"listeners", "PLAINTEXT://:1,EXTERNAL://:2"},
              {"listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,EXTERNAL:SSL"}});
  EXPECT_EQ(config.listener_value("EXTERNAL", "ssl.keystore.location"), "/ext");
  EXPECT_EQ(config.listener_value("PLAINTEXT", "ssl.keystore.location"), "/all");
  EXPECT_EQ(config.listener_value("EXTERNAL", "ssl.client.auth"), "none");
  EXPECT_EQ(config.listener_value("EXTERNAL", "ssl.key.password"), std::nullopt);
}

TEST(TopicConfigValues, EveryOverrideReachesItsField) {
  const BrokerConfig broker = parsed({});
  const ConfigValues overrides = {{"cleanup.policy", "compact,delete"},
                                  {"retention.ms", "1"},
                                  {"retention.bytes", "2"},
                                  {"segment.bytes", "1048576"},
                                  {"segment.ms", "4"},
                                  {"segment.jitter.ms", "5"},
                                  {"segment.index.bytes", "6"},
                                  {"index.interval.bytes", "7"},
                                  {"file.delete.delay.ms", "8"},
                                  {"flush.messages", "9"},
                                  {"flush.ms", "10"},
                                  {"max.message.bytes", "11"},
                                  {"max.decompressed.message.bytes", "12"},
                                  {"delete.retention.ms", "13"},
                                  {"min.compaction.lag.ms", "14"},
                                  {"max.compaction.lag.ms", "15"},
                                  {"min.cleanable.dirty.ratio", "0.25"},
                                  {"min.insync.replicas", "2"},
                                  {"unclean.leader.election.enable", "true"},
                                  {"preallocate", "true"},
                                  {"compression.type", "zstd"},
                                  {"compression.gzip.level", "3"},
                                  {"compression.lz4.level", "4"},
                                  {"compression.zstd.level", "5"},
                                  {"message.timestamp.type", "LogAppendTime"},
                                  {"message.timestamp.before.max.ms", "16"},
                                  {"message.timestamp.after.max.ms", "17"},
                                  {"tailwater.durability", "os"}};
  TopicConfig expected;
  expected.cleanup_compact = true;
  expected.retention_ms = 1;
  expected.retention_bytes = 2;
  expected.segment_bytes = 1'048'576;
  expected.segment_ms = 4;
  expected.segment_jitter_ms = 5;
  expected.segment_index_bytes = 6;
  expected.index_interval_bytes = 7;
  expected.file_delete_delay_ms = 8;
  expected.flush_messages = 9;
  expected.flush_ms = 10;
  expected.max_message_bytes = 11;
  expected.max_decompressed_message_bytes = 12;
  expected.delete_retention_ms = 13;
  expected.min_compaction_lag_ms = 14;
  expected.max_compaction_lag_ms = 15;
  expected.min_cleanable_dirty_millionths = 250'000;
  expected.min_insync_replicas = 2;
  expected.unclean_leader_election = true;
  expected.preallocate = true;
  expected.compression = CompressionChoice::zstd;
  expected.gzip_level = 3;
  expected.lz4_level = 4;
  expected.zstd_level = 5;
  expected.timestamp_type = TimestampType::log_append_time;
  expected.timestamp_before_max_ms = 16;
  expected.timestamp_after_max_ms = 17;
  expected.durability = Durability::os;
  EXPECT_EQ(effective_topic_config(overrides, broker), expected);
  EXPECT_EQ(effective_topic_config({}, broker), TopicConfig{});
  const TopicConfig kept_for_ever = effective_topic_config({{"cleanup.policy", ""}}, broker);
  EXPECT_FALSE(kept_for_ever.cleanup_delete);
  EXPECT_FALSE(kept_for_ever.cleanup_compact);
}

TEST(DynamicValues, TheBrokersOwnIsStrongerThanTheDefaultIsStrongerThanTheFile) {
  const BrokerConfig file = parsed({{"log.retention.ms", "1000"}, {"num.partitions", "3"}});
  const auto retention = [&](const std::vector<ResourceConfigs>& all) {
    return effective_broker_config(file, image_with(all), kSelf).topic_defaults.retention_ms;
  };
  const ResourceConfigs by_default{ResourceType::broker, "", {{"log.retention.ms", "2000"}}};
  const ResourceConfigs own{ResourceType::broker, "1", {{"log.retention.ms", "3000"}}};
  const ResourceConfigs others{ResourceType::broker, "2", {{"log.retention.ms", "4000"}}};
  EXPECT_EQ(retention({}), 1000);
  EXPECT_EQ(retention({by_default}), 2000);
  EXPECT_EQ(retention({by_default, own, others}), 3000);
  EXPECT_EQ(retention({others}), 1000);
  // What may not change while running stays as it is in the file.
  const ResourceConfigs fixed{ResourceType::broker, "1", {{"num.partitions", "9"}}};
  EXPECT_EQ(effective_broker_config(file, image_with({fixed}), kSelf).num_partitions, 3);
}

TEST(DescribedValues, ATopicsValueComesWithItsSourceAndSynonyms) {
  const BrokerConfig file = parsed({{"log.retention.hours", "1"}, {"log.cleanup.policy", "compact"}});
  const MetadataImage image = image_with({{ResourceType::broker, "", {{"message.max.bytes", "5"}}},
                                          {ResourceType::broker, "1", {{"message.max.bytes", "6"}}}});
  const auto all = describe_topic_values({{"cleanup.policy", "compact, delete"}}, file, image, kSelf);
  EXPECT_EQ(all.size(), topic_keys().size());

  const DescribedValue& policy = value_of(all, "cleanup.policy");
  EXPECT_EQ(policy.value, "compact,delete");
  EXPECT_EQ(policy.source, ConfigSource::topic);
  EXPECT_EQ(synonyms_of(policy),
            "1:cleanup.policy=compact, delete 4:log.cleanup.policy=compact 5:log.cleanup.policy=delete ");

  const DescribedValue& retention = value_of(all, "retention.ms");
  EXPECT_EQ(retention.value, "3600000");
  EXPECT_EQ(retention.source, ConfigSource::static_broker);
  EXPECT_EQ(synonyms_of(retention), "4:log.retention.hours=1 ");

  const DescribedValue& size = value_of(all, "max.message.bytes");
  EXPECT_EQ(size.value, "6");
  EXPECT_EQ(size.source, ConfigSource::dynamic_broker);
  EXPECT_EQ(synonyms_of(size), "2:message.max.bytes=6 3:message.max.bytes=5 5:message.max.bytes=1048588 ");

  const DescribedValue& flush = value_of(all, "flush.ms");
  EXPECT_EQ(flush.value, "9223372036854775807");
  EXPECT_EQ(flush.source, ConfigSource::fallback);
  for (const DescribedValue& value : all) EXPECT_FALSE(value.read_only) << value.name;
}

TEST(DescribedValues, ABrokersSecretsAndUnknownKeysAreHidden) {
  const BrokerConfig file = parsed({{"ssl.key.password", "hunter2"},
                                    {"my.plugin.token", "abc"},
                                    {"listener.name.x.ssl.keystore.location", "/x"},
                                    {"node.id", "4"}});
  const auto all = describe_broker_values(file, MetadataImage{}, BrokerId{4});
  for (const DescribedValue& value : all) {
    EXPECT_NE(value.value, "hunter2");
    for (const ConfigSynonymValue& synonym : value.synonyms) EXPECT_NE(synonym.value, "hunter2");
  }
  EXPECT_TRUE(value_of(all, "ssl.key.password").sensitive);
  EXPECT_EQ(value_of(all, "ssl.key.password").source, ConfigSource::static_broker);
  EXPECT_TRUE(value_of(all, "my.plugin.token").sensitive);
  EXPECT_EQ(value_of(all, "my.plugin.token").value, std::nullopt);
  EXPECT_EQ(value_of(all, "my.plugin.token").key, nullptr);
  EXPECT_TRUE(value_of(all, "node.id").read_only);
  EXPECT_EQ(value_of(all, "node.id").value, "4");
  EXPECT_EQ(value_of(all, "broker.id").value, "4");
  EXPECT_EQ(value_of(all, "broker.id").source, ConfigSource::static_broker);
  EXPECT_FALSE(value_of(all, "log.retention.ms").read_only);
  EXPECT_EQ(value_of(all, "log.retention.ms").value, std::nullopt);
  EXPECT_EQ(value_of(all, "listener.name.x.ssl.keystore.location").value, "/x");
  EXPECT_TRUE(std::ranges::is_sorted(all, {}, &DescribedValue::name));
}

TEST(DescribedValues, TheDefaultOfAllBrokersShowsOnlyWhatIsSet) {
  const MetadataImage image =
      image_with({{ResourceType::broker, "", {{"message.max.bytes", "5"}, {"sasl.jaas.config", "s"}}}});
  const auto all = describe_default_broker_values(image);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].value, "5");
  EXPECT_EQ(all[0].source, ConfigSource::dynamic_default_broker);
  EXPECT_EQ(all[1].value, std::nullopt);
}

TEST(DescribedValues, AGroupsValuesFallBackToTheBrokers) {
  const BrokerConfig file = parsed({{"group.consumer.session.timeout.ms", "46000"}});
  const auto all =
      describe_group_values({{"consumer.heartbeat.interval.ms", "6000"}}, file, MetadataImage{}, kSelf);
  EXPECT_EQ(value_of(all, "consumer.heartbeat.interval.ms").source, ConfigSource::group);
  EXPECT_EQ(value_of(all, "consumer.heartbeat.interval.ms").value, "6000");
  EXPECT_EQ(value_of(all, "consumer.session.timeout.ms").value, "46000");
  EXPECT_EQ(value_of(all, "consumer.session.timeout.ms").source, ConfigSource::static_broker);
}

}  // namespace
}  // namespace tailwater::cluster
