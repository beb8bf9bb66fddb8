// Goal: every known key has a usable description and a default that its own check accepts; errors name the
// key and what is allowed; misspelt keys are recognised. Method: walk the tables; enumerate one example of
// each kind of check.
#include "core/cluster/config_keys.hpp"

#include <gtest/gtest.h>

#include <set>

namespace tailwater::cluster {
namespace {

std::string refusal(const ConfigKey* key, std::string_view value) {
  if (key == nullptr) return "no such key";
  const auto checked = check_value(*key, value);
  return checked ? "accepted" : checked.error().message;
}

void check_table(std::span<const ConfigKey> keys) {
  for (const ConfigKey& key : keys) {
    EXPECT_FALSE(key.documentation.empty()) << key.name;
    EXPECT_TRUE(key.documentation.ends_with('.')) << key.name;
    EXPECT_NE(key.type, ConfigType::unknown) << key.name;
    EXPECT_EQ(key.reason.empty(), key.effect == KeyEffect::implemented) << key.name;
    if (key.has_fallback()) {
      EXPECT_TRUE(check_value(key, key.fallback)) << key.name << " = " << key.fallback;
    }
  }
}

TEST(ConfigKeys, EveryKeyIsDescribedAndItsDefaultIsAllowed) {
  check_table(topic_keys());
  check_table(group_keys());
  check_table(broker_keys());
  EXPECT_GE(topic_keys().size(), 40u);
  EXPECT_GE(broker_keys().size(), 390u);
}

TEST(ConfigKeys, LookupFindsEachKeyAndNothingElse) {
  for (const ConfigKey& key : topic_keys()) EXPECT_EQ(find_topic_key(key.name), &key);
  for (const ConfigKey& key : group_keys()) EXPECT_EQ(find_group_key(key.name), &key);
  for (const ConfigKey& key : broker_keys()) EXPECT_EQ(find_broker_key(key.name), &key);
  for (const std::string_view name : {"", "a", "retention", "retention.ms.", "zzz"}) {
    EXPECT_EQ(find_topic_key(name), nullptr) << name;
    EXPECT_EQ(find_broker_key(name), nullptr) << name;
  }
}

TEST(ConfigKeys, SynonymsOfTopicKeysAreBrokerKeysWithAFittingDefault) {
  for (const ConfigKey& key : topic_keys()) {
    for (const KeySynonym& synonym : key.synonyms) {
      if (synonym.broker_key.empty()) continue;
      const ConfigKey* broker_key = find_broker_key(synonym.broker_key);
      ASSERT_NE(broker_key, nullptr) << synonym.broker_key;
      EXPECT_EQ(topic_key_of_broker_key(synonym.broker_key), &key);
      if (synonym.factor == 1) {
        EXPECT_EQ(broker_key->type == ConfigType::int32, key.type == ConfigType::int32) << key.name;
      }
      if (synonym.factor == 1 && broker_key->has_fallback() && key.has_fallback()) {
        EXPECT_EQ(broker_key->fallback, key.fallback) << key.name;
      }
    }
  }
  EXPECT_EQ(topic_key_of_broker_key("num.partitions"), nullptr);
}

TEST(ConfigKeys, ErrorsNameTheKeyAndWhatIsAllowed) {
  const auto topic = [](std::string_view key, std::string_view value) {
    return refusal(find_topic_key(key), value);
  };
  EXPECT_EQ(topic("retention.ms", "abc"),
            "retention.ms must be a whole number of milliseconds, -1 or more; got 'abc'");
  EXPECT_EQ(topic("retention.ms", "-2"),
            "retention.ms must be a whole number of milliseconds, -1 or more; got '-2'");
  EXPECT_EQ(topic("retention.bytes", "1 GB"), "retention.bytes must be a whole number of bytes; got '1 GB'");
  EXPECT_EQ(topic("min.insync.replicas", "0"),
            "min.insync.replicas must be a whole number from 1 to 2147483647; got '0'");
  EXPECT_EQ(topic("compression.gzip.level", "0"),
            "compression.gzip.level must be a whole number from 1 to 9, or -1; got '0'");
  EXPECT_EQ(topic("min.cleanable.dirty.ratio", "2"),
            "min.cleanable.dirty.ratio must be a number from 0 to 1; got '2'");
  EXPECT_EQ(topic("cleanup.policy", "compat"),
            "cleanup.policy must be a list of different ones of compact, delete; got 'compat'");
  EXPECT_EQ(topic("compression.type", "brotli"),
            "compression.type must be one of uncompressed, zstd, lz4, snappy, gzip, producer; got 'brotli'");
  EXPECT_EQ(topic("unclean.leader.election.enable", "yes"),
            "unclean.leader.election.enable must be true or false; got 'yes'");
  EXPECT_EQ(
      topic("leader.replication.throttled.replicas", "1-2"),
      "leader.replication.throttled.replicas must be a list of partition:broker pairs, or *; got '1-2'");
  EXPECT_EQ(topic("remote.storage.enable", "true"),
            "remote.storage.enable cannot be set to 'true': there is no tiered storage here");
  EXPECT_EQ(topic("remote.storage.enable", "false"), "accepted");
  EXPECT_EQ(refusal(find_broker_key("listeners"), ""),
            "listeners must be a list of one or more different names; got ''");
  const ConfigKey* journal = find_broker_key("tailwater.journal.bytes");
  EXPECT_EQ(refusal(journal, "262144"),
            "tailwater.journal.bytes must be a whole number of bytes, 524288 or more, or 0; got '262144'");
  EXPECT_EQ(refusal(journal, "0"), "accepted");
  EXPECT_EQ(refusal(journal, "524288"), "accepted");
}

TEST(ConfigKeys, AValueOfASecretIsNeverInAMessage) {
  for (const ConfigKey& key : broker_keys()) {
    if (!key.is_sensitive()) continue;
    ConfigKey strict = key;
    strict.check.kind = ValueCheck::Kind::one_of;
    strict.check.allowed = "x";
    EXPECT_EQ(refusal(&strict, "hunter2").find("hunter2"), std::string::npos);
  }
}

TEST(ConfigKeys, KeysOfOneListenerAreThoseKeys) {
  const auto split = split_listener_key("listener.name.external.ssl.key.password");
  ASSERT_TRUE(split);
  EXPECT_EQ(split->listener, "external");
  EXPECT_EQ(split->mechanism, "");
  EXPECT_EQ(split->key, "ssl.key.password");
  const auto sasl = split_listener_key("listener.name.external.scram-sha-256.sasl.jaas.config");
  ASSERT_TRUE(sasl);
  EXPECT_EQ(sasl->mechanism, "scram-sha-256");
  EXPECT_EQ(sasl->key, "sasl.jaas.config");
  EXPECT_EQ(find_broker_key("listener.name.external.ssl.key.password"), find_broker_key("ssl.key.password"));
  EXPECT_EQ(find_broker_key("listener.name.a.plain.sasl.jaas.config"), find_broker_key("sasl.jaas.config"));
  for (const std::string_view wrong :
       {"listener.name.", "listener.name.a", "listener.name.a.", "listener.name..ssl.protocol",
        "listener.name.a.log.dirs", "listener.name.a.nothing.known"}) {
    EXPECT_EQ(find_broker_key(wrong), nullptr) << wrong;
  }
}

TEST(ConfigKeys, TheNearestKeyOfAMisspeltOne) {
  EXPECT_EQ(nearest_key(topic_keys(), "retention.m"), "retention.ms");
  EXPECT_EQ(nearest_key(topic_keys(), "retentoin.ms"), "retention.ms");
  EXPECT_EQ(nearest_key(topic_keys(), "clean.policy"), "cleanup.policy");
  EXPECT_EQ(nearest_key(broker_keys(), "auto.create.topic.enable"), "auto.create.topics.enable");
  EXPECT_EQ(nearest_key(broker_keys(), "num.partition"), "num.partitions");
  for (const std::string_view strange : {"", "x", "my.own.setting", "confluent.balancer.enable"}) {
    EXPECT_EQ(nearest_key(broker_keys(), strange), "") << strange;
  }
}

TEST(ConfigKeys, ParsersOfCheckedText) {
  EXPECT_EQ(parse_int64(" 42 "), 42);
  EXPECT_EQ(parse_int64("+7"), 7);
  EXPECT_EQ(parse_int64("9223372036854775808", 3), 3);
  EXPECT_EQ(parse_int64("", 5), 5);
  EXPECT_TRUE(parse_bool("TRUE"));
  EXPECT_FALSE(parse_bool("False", true));
  EXPECT_TRUE(parse_bool("maybe", true));
  EXPECT_EQ(parse_millionths("0.5"), 500'000);
  EXPECT_EQ(parse_millionths("1e-6"), 1);
  EXPECT_EQ(parse_millionths("nan", 9), 9);
  EXPECT_EQ(parse_millionths("1.7976931348623157E308"), 9'000'000'000'000'000'000);
  EXPECT_EQ(parse_list(" a, b ,,c,"), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_TRUE(parse_list(" , ").empty());
}

}  // namespace
}  // namespace tailwater::cluster
