// Goal: configurations change exactly as asked, by Kafka's rules, and nothing wrong gets in. Method: every
// operation on every kind of resource, and every rule broken once.
#include <gtest/gtest.h>

#include "core/cluster/decide_test_support.hpp"

namespace tailwater::cluster {
namespace {

using wire::ErrorCode;

constexpr std::int8_t kSet = 0, kDelete = 1, kAppend = 2, kSubtract = 3;
constexpr std::int8_t kTopic = 2, kBroker = 4, kGroup = 32;

struct Change {
  std::string name;
  std::int8_t operation;
  std::optional<std::string> value;
};

std::string alter(Draft& draft, std::int8_t type, std::string resource, std::vector<Change> changes,
                  bool validate_only = false) {
  wire::IncrementalAlterConfigsRequest request;
  auto& wanted = request.resources.emplace_back();
  wanted.resource_type = type;
  wanted.resource_name = resource;
  for (Change& change : changes) wanted.configs.push_back({change.name, change.operation, change.value});
  request.validate_only = validate_only;
  const auto response = decide(draft, request);
  EXPECT_EQ(response.responses.size(), 1u);
  EXPECT_EQ(response.responses[0].resource_type, type);
  EXPECT_EQ(response.responses[0].resource_name, resource);
  return said(response.responses[0]);
}

std::string replace(Draft& draft, std::int8_t type, std::string resource,
                    std::vector<std::pair<std::string, std::optional<std::string>>> values,
                    bool validate_only = false) {
  wire::AlterConfigsRequest request;
  auto& wanted = request.resources.emplace_back();
  wanted.resource_type = type;
  wanted.resource_name = std::move(resource);
  for (auto& [name, value] : values) wanted.configs.push_back({name, value});
  request.validate_only = validate_only;
  return said(decide(draft, request).responses.at(0));
}

Draft with_topic(const ConfigValues& properties = {}) {
  Draft draft = draft_with(2, properties);
  make_topic(draft, "t");
  draft.take_frames();
  return draft;
}

const ConfigValues& configs(const Draft& draft) {
  return draft.image().topic("t")->configs;
}

TEST(IncrementalAlterConfigs, SetAndDelete) {
  Draft draft = with_topic();
  const ImageHandle before = draft.image_handle();
  EXPECT_EQ(alter(draft, kTopic, "t", {{"retention.ms", kSet, "1"}, {"segment.ms", kSet, "2"}}), "none");
  EXPECT_EQ(configs(draft), (ConfigValues{{"retention.ms", "1"}, {"segment.ms", "2"}}));
  EXPECT_EQ(alter(draft, kTopic, "t",
                  {{"retention.ms", kDelete, std::nullopt},
                   {"segment.ms", kSet, "3"},
                   {"flush.ms", kDelete, std::nullopt}}),
            "none");
  EXPECT_EQ(configs(draft), (ConfigValues{{"segment.ms", "3"}}));
  expect_frames_make(*before, draft);
}

TEST(IncrementalAlterConfigs, SettingTheSameValueWritesNothing) {
  Draft draft = with_topic();
  alter(draft, kTopic, "t", {{"retention.ms", kSet, "1"}});
  draft.take_frames();
  EXPECT_EQ(alter(draft, kTopic, "t", {{"retention.ms", kSet, "1"}}), "none");
  EXPECT_FALSE(draft.has_frames());
}

TEST(IncrementalAlterConfigs, AppendAndSubtractBeginWithTheListInEffect) {
  Draft draft = with_topic();
  EXPECT_EQ(alter(draft, kTopic, "t", {{"cleanup.policy", kAppend, "compact"}}), "none");
  EXPECT_EQ(configs(draft).at("cleanup.policy"), "delete,compact");
  EXPECT_EQ(alter(draft, kTopic, "t", {{"cleanup.policy", kAppend, "compact,delete"}}), "none");
  EXPECT_EQ(configs(draft).at("cleanup.policy"), "delete,compact");
  EXPECT_EQ(alter(draft, kTopic, "t", {{"cleanup.policy", kSubtract, "delete, nothing"}}), "none");
  EXPECT_EQ(configs(draft).at("cleanup.policy"), "compact");

  Draft other = with_topic({{"log.cleanup.policy", "compact"}});
  EXPECT_EQ(alter(other, kTopic, "t", {{"cleanup.policy", kAppend, "delete"}}), "none");
  EXPECT_EQ(configs(other).at("cleanup.policy"), "compact,delete");
  EXPECT_EQ(alter(other, kBroker, "", {{"log.cleanup.policy", kAppend, "delete"}}), "none");
  EXPECT_EQ(other.image().default_broker_configs().at("log.cleanup.policy"), "compact,delete");
}

TEST(IncrementalAlterConfigs, TheListOfAllBrokersDoesNotBeginWithThatOfOne) {
  Draft draft = with_topic();
  EXPECT_EQ(alter(draft, kBroker, "1", {{"log.cleanup.policy", kSet, "compact"}}), "none");
  EXPECT_EQ(alter(draft, kBroker, "", {{"log.cleanup.policy", kSubtract, "compact"}}), "none");
  EXPECT_EQ(draft.image().default_broker_configs().at("log.cleanup.policy"), "delete");
}

TEST(IncrementalAlterConfigs, WhatIsRefused) {
  Draft draft = with_topic();
  const std::string invalid = "INVALID_CONFIG: ";
  const std::string request = "INVALID_REQUEST: ";
  const auto on_topic = [&](std::vector<Change> changes) {
    return alter(draft, kTopic, "t", std::move(changes));
  };
  EXPECT_EQ(
      on_topic({{"retention.ms", kAppend, "1"}}),
      invalid + "retention.ms is no list, so nothing can be appended to or taken from it; its type is long");
  EXPECT_EQ(on_topic({{"retention.ms", kSet, "x"}}),
            invalid + "retention.ms must be a whole number of milliseconds, -1 or more; got 'x'");
  EXPECT_EQ(on_topic({{"cleanup.policy", kAppend, "x"}}),
            invalid + "cleanup.policy must be a list of different ones of compact, delete; got 'delete,x'");
  EXPECT_EQ(on_topic({{"no.such.key", kSet, "x"}}), invalid + "There is no topic configuration no.such.key");
  EXPECT_EQ(on_topic({{"no.such.key", kSubtract, "x"}}),
            invalid + "There is no topic configuration no.such.key");
  EXPECT_EQ(on_topic({{"retention.ms", kSet, std::nullopt}}),
            request + "The configuration retention.ms needs a value");
  EXPECT_EQ(on_topic({{"cleanup.policy", kAppend, std::nullopt}}),
            request + "The configuration cleanup.policy needs a value");
  EXPECT_EQ(on_topic({{"retention.ms", 4, "1"}}), request + "There is no operation 4 on configurations");
  EXPECT_EQ(on_topic({{"retention.ms", -1, "1"}}), request + "There is no operation -1 on configurations");
  EXPECT_EQ(on_topic({{"retention.ms", kSet, "1"}, {"retention.ms", kDelete, std::nullopt}}),
            request + "The request changes the configuration retention.ms more than once");
  EXPECT_EQ(on_topic({{"max.compaction.lag.ms", kSet, "5"}, {"min.compaction.lag.ms", kSet, "6"}}),
            invalid + "min.compaction.lag.ms (6) must not be greater than max.compaction.lag.ms (5)");
  // One wrong key spoils the whole resource.
  EXPECT_EQ(on_topic({{"segment.ms", kSet, "5"}, {"retention.ms", kSet, "x"}}).substr(0, 14),
            "INVALID_CONFIG");
  EXPECT_TRUE(configs(draft).empty());
  EXPECT_FALSE(draft.has_frames());
}

TEST(IncrementalAlterConfigs, Resources) {
  Draft draft = with_topic();
  const std::vector<Change> harmless = {{"x", kDelete, std::nullopt}};
  EXPECT_EQ(alter(draft, kTopic, "", harmless), "INVALID_REQUEST: The name of a topic cannot be empty");
  EXPECT_EQ(alter(draft, kTopic, "gone", harmless), "UNKNOWN_TOPIC_OR_PARTITION: There is no topic 'gone'");
  EXPECT_EQ(alter(draft, kBroker, "9", harmless).substr(0, 45),
            "INVALID_REQUEST: There is no broker '9'; name");
  EXPECT_EQ(alter(draft, kBroker, "1x", harmless).substr(0, 37), "INVALID_REQUEST: There is no broker '");
  EXPECT_EQ(alter(draft, kGroup, "", harmless), "INVALID_REQUEST: The name of a group cannot be empty");
  EXPECT_EQ(alter(draft, 8, "1", harmless),
            "INVALID_REQUEST: Configurations of resource type 8 cannot be changed here");
  EXPECT_EQ(alter(draft, 0, "", harmless),
            "INVALID_REQUEST: Configurations of resource type 0 cannot be changed here");
  for (const auto& [type, name] : std::vector<std::pair<std::int8_t, std::string>>{
           {kTopic, "t"}, {kBroker, ""}, {kBroker, "1"}, {kGroup, "g"}}) {
    EXPECT_EQ(alter(draft, type, name, harmless), "none");
  }
}

TEST(IncrementalAlterConfigs, ABrokersKeysAndTheirModes) {
  Draft draft = with_topic();
  EXPECT_EQ(alter(draft, kBroker, "1", {{"message.max.bytes", kSet, "5"}}), "none");
  EXPECT_EQ(alter(draft, kBroker, "", {{"message.max.bytes", kSet, "6"}}), "none");
  EXPECT_EQ(draft.image().broker_configs(kSelf).at("message.max.bytes"), "5");
  EXPECT_EQ(draft.image().default_broker_configs().at("message.max.bytes"), "6");
  EXPECT_EQ(alter(draft, kBroker, "1", {{"num.partitions", kSet, "5"}}),
            "INVALID_REQUEST: num.partitions cannot be changed while the broker runs; set it in "
            "server.properties and "
            "restart");
  EXPECT_EQ(alter(draft, kBroker, "1", {{"ssl.keystore.location", kSet, "/k"}}), "none");
  EXPECT_EQ(alter(draft, kBroker, "", {{"ssl.keystore.location", kSet, "/k"}}),
            "INVALID_REQUEST: ssl.keystore.location can be changed for one broker only, not for all at once");
  EXPECT_EQ(alter(draft, kBroker, "1", {{"listener.name.ext.ssl.keystore.location", kSet, "/k"}}), "none");
  EXPECT_EQ(alter(draft, kBroker, "1", {{"my.own", kSet, "x"}}),
            "INVALID_CONFIG: There is no broker configuration my.own");
  EXPECT_EQ(alter(draft, kBroker, "1", {{"log.retention.ms", kSet, "soon"}}),
            "INVALID_REQUEST: log.retention.ms must be a whole number of milliseconds; got 'soon'");
}

TEST(IncrementalAlterConfigs, ABrokersValuesMustFitTogether) {
  const std::string refused = "INVALID_REQUEST: ";
  for (const std::string broker : {"", "1"}) {
    Draft draft = with_topic();
    const auto set = [&](const std::string& key, const std::string& value) {
      return alter(draft, kBroker, broker, {{key, kSet, value}});
    };
    EXPECT_EQ(set("log.retention.ms", "0"),
              refused + "log.retention.ms must be 1 or more, or -1 for no limit; got '0'");
    EXPECT_EQ(set("log.retention.ms", "-1"), "none");
    EXPECT_EQ(set("log.retention.ms", "1"), "none");
    EXPECT_EQ(set("log.roll.ms", "0"), refused + "log.roll.ms must be 1 or more; got 0");
    EXPECT_EQ(set("log.roll.jitter.ms", "-1"), refused + "log.roll.jitter.ms must be 0 or more; got -1");
    EXPECT_EQ(set("max.connections.per.ip.overrides", "127.0.0.1:1OO"),
              refused +
                  "max.connections.per.ip.overrides must be a list of address:count pairs; got "
                  "'127.0.0.1:1OO'");
    EXPECT_EQ(set("max.connections.per.ip", "0"),
              refused +
                  "max.connections.per.ip can be 0 only if max.connections.per.ip.overrides says who "
                  "may connect");
    EXPECT_EQ(replace(draft, kBroker, broker, {{"log.roll.ms", "0"}}),
              refused + "log.roll.ms must be 1 or more; got 0");
    EXPECT_EQ(set("max.connections.per.ip.overrides", "127.0.0.1:100"), "none");
    EXPECT_EQ(set("max.connections.per.ip", "0"), "none");
    EXPECT_EQ(alter(draft, kBroker, broker, {{"max.connections.per.ip.overrides", kDelete, std::nullopt}}),
              refused +
                  "max.connections.per.ip can be 0 only if max.connections.per.ip.overrides says who "
                  "may connect");
  }
}

TEST(IncrementalAlterConfigs, WhatDoesNotFitSinceBeforeStaysBesideOtherChanges) {
  Draft draft = with_topic();
  draft.propose({wire::ConfigRecord{kBroker, "1", "log.roll.ms", "0"}});
  EXPECT_EQ(alter(draft, kBroker, "1", {{"message.max.bytes", kSet, "5"}}), "none");
  EXPECT_EQ(alter(draft, kBroker, "1", {{"log.roll.jitter.ms", kSet, "-1"}}),
            "INVALID_REQUEST: log.roll.jitter.ms must be 0 or more; got -1");
}

TEST(IncrementalAlterConfigs, ListenersAreThoseOfTheStart) {
  Draft draft = with_topic();
  for (const std::string key : {"listeners", "listener.security.protocol.map", "advertised.listeners"}) {
    EXPECT_EQ(alter(draft, kBroker, "1", {{key, kSet, "PLAINTEXT://:1"}}),
              "INVALID_REQUEST: " + key +
                  " cannot be changed while the broker runs; set it in server.properties and restart");
  }
}

TEST(IncrementalAlterConfigs, WhatABrokerIsToldHoldsForTheNextDecision) {
  Draft draft = with_topic();
  EXPECT_EQ(draft.config().topic_defaults.retention_ms, 604'800'000);
  alter(draft, kBroker, "", {{"log.retention.ms", kSet, "77"}});
  EXPECT_EQ(draft.config().topic_defaults.retention_ms, 77);
  alter(draft, kBroker, "1", {{"log.retention.ms", kSet, "78"}});
  EXPECT_EQ(draft.config().topic_defaults.retention_ms, 78);
  alter(draft, kBroker, "2", {{"log.retention.ms", kSet, "79"}});
  EXPECT_EQ(draft.config().topic_defaults.retention_ms, 78);
}

TEST(IncrementalAlterConfigs, AGroupsKeys) {
  Draft draft = with_topic();
  EXPECT_EQ(alter(draft, kGroup, "g", {{"consumer.session.timeout.ms", kSet, "50000"}}), "none");
  EXPECT_EQ(draft.image().configs(ResourceType::group, "g").size(), 1u);
  EXPECT_EQ(alter(draft, kGroup, "g", {{"consumer.session.timeout", kSet, "50000"}}),
            "INVALID_CONFIG: There is no group configuration consumer.session.timeout; did you mean "
            "consumer.session.timeout.ms?");
  EXPECT_EQ(alter(draft, kGroup, "g", {{"consumer.session.timeout.ms", kDelete, std::nullopt}}), "none");
  EXPECT_TRUE(draft.image().configs(ResourceType::group, "g").empty());
  EXPECT_EQ(alter(draft, kGroup, "g", {{"consumer.session.timeout.ms", kSet, "5"}}),
            "INVALID_CONFIG: consumer.session.timeout.ms must be from 45000 to 60000, as "
            "group.consumer.session.timeout.ms's limits on the broker say; got '5'");
  EXPECT_EQ(alter(draft, kGroup, "g", {{"consumer.heartbeat.interval.ms", kSet, "15001"}}).substr(0, 14),
            "INVALID_CONFIG");
}

TEST(IncrementalAlterConfigs, ValidateOnlyChangesNothing) {
  Draft draft = with_topic();
  EXPECT_EQ(alter(draft, kTopic, "t", {{"retention.ms", kSet, "1"}}, true), "none");
  EXPECT_EQ(alter(draft, kTopic, "t", {{"retention.ms", kSet, "x"}}, true).substr(0, 14), "INVALID_CONFIG");
  EXPECT_FALSE(draft.has_frames());
}

TEST(IncrementalAlterConfigs, AResourceMayBeNamedOnce) {
  Draft draft = with_topic();
  wire::IncrementalAlterConfigsRequest request;
  for (const char* name : {"t", "gone", "t"}) {
    auto& wanted = request.resources.emplace_back();
    wanted.resource_type = kTopic;
    wanted.resource_name = name;
    wanted.configs.push_back({"retention.ms", kSet, "1"});
  }
  const auto response = decide(draft, request);
  ASSERT_EQ(response.responses.size(), 2u);
  EXPECT_EQ(said(response.responses[0]), "INVALID_REQUEST: The request names this resource more than once");
  EXPECT_EQ(response.responses[1].error_code, ErrorCode::unknown_topic_or_partition);
  EXPECT_TRUE(configs(draft).empty());
}

TEST(AlterConfigs, ReplacesTheWholeSet) {
  Draft draft = with_topic();
  const ImageHandle before = draft.image_handle();
  EXPECT_EQ(replace(draft, kTopic, "t", {{"retention.ms", "1"}, {"segment.ms", "2"}}), "none");
  EXPECT_EQ(replace(draft, kTopic, "t", {{"segment.ms", "2"}, {"flush.ms", "3"}}), "none");
  EXPECT_EQ(configs(draft), (ConfigValues{{"flush.ms", "3"}, {"segment.ms", "2"}}));
  EXPECT_EQ(replace(draft, kTopic, "t", {{"retention.ms", "9"}}, true), "none");
  EXPECT_EQ(configs(draft).size(), 2u);
  EXPECT_EQ(replace(draft, kTopic, "t", {}), "none");
  EXPECT_TRUE(configs(draft).empty());
  expect_frames_make(*before, draft);
}

TEST(AlterConfigs, WhatIsRefused) {
  Draft draft = with_topic();
  EXPECT_EQ(replace(draft, kTopic, "gone", {}), "UNKNOWN_TOPIC_OR_PARTITION: There is no topic 'gone'");
  EXPECT_EQ(replace(draft, kTopic, "t", {{"retention.ms", std::nullopt}}),
            "INVALID_REQUEST: The configuration retention.ms needs a value");
  EXPECT_EQ(replace(draft, kTopic, "t", {{"retention.ms", "x"}}).substr(0, 14), "INVALID_CONFIG");
  EXPECT_EQ(replace(draft, kTopic, "t", {{"nope", "x"}}),
            "INVALID_CONFIG: There is no topic configuration nope");
  EXPECT_EQ(replace(draft, kBroker, "1", {{"node.id", "2"}}).substr(0, 15), "INVALID_REQUEST");
  EXPECT_FALSE(draft.has_frames());
}

TEST(AlterConfigs, AKeyOfAnotherReleaseThatIsStoredStays) {
  Draft draft = with_topic();
  draft.propose({wire::ConfigRecord{kBroker, "1", "key.of.a.newer.release", "x"}});
  EXPECT_EQ(alter(draft, kBroker, "1", {{"message.max.bytes", kSet, "5"}}), "none");
  EXPECT_EQ(draft.image().broker_configs(kSelf).size(), 2u);
}

}  // namespace
}  // namespace tailwater::cluster
