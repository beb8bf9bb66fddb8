// Goal: variables of the known images set the keys that they set there, and nothing else becomes a key.
// Method: a table of names.
#include "shell/config/environment.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

namespace tailwater::shell {
namespace {

std::string key(std::string_view name, std::string_view value = "x") {
  const auto found = environment_key(name, value);
  return found ? found->key : "(none)";
}

TEST(Environment, KafkasImage) {
  EXPECT_EQ(key("KAFKA_NODE_ID"), "node.id");
  EXPECT_EQ(key("KAFKA_ADVERTISED_LISTENERS"), "advertised.listeners");
  EXPECT_EQ(key("KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR"), "offsets.topic.replication.factor");
  EXPECT_EQ(key("KAFKA_LISTENER_NAME_SASL__SSL_SCRAM___SHA___256_SASL_JAAS_CONFIG"),
            "listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config");
  EXPECT_EQ(key("KAFKA_A____B"), "a-.b");
  EXPECT_EQ(key("KAFKA_LOG_DIRS"), "log.dirs");
  EXPECT_EQ(key("KAFKA_LOG_DIR"), "log.dir");
}

TEST(Environment, BitnamisImage) {
  EXPECT_EQ(key("KAFKA_CFG_NODE_ID"), "node.id");
  EXPECT_EQ(key("KAFKA_CFG_AUTO_CREATE_TOPICS_ENABLE"), "auto.create.topics.enable");
  EXPECT_EQ(environment_key("KAFKA_CFG_NODE_ID", "")->rule, EnvironmentKey::Rule::bitnami);
}

TEST(Environment, OurOwn) {
  EXPECT_EQ(key("TAILWATER_MEMORY_BYTES"), "tailwater.memory.bytes");
  EXPECT_EQ(key("TAILWATER_DURABILITY"), "tailwater.durability");
}

TEST(Environment, WhatIsNotForTheBrokerIsPassedOver) {
  for (const char* name : {"KAFKA_HEAP_OPTS",
                           "KAFKA_OPTS",
                           "KAFKA_JVM_PERFORMANCE_OPTS",
                           "KAFKA_LOG4J_OPTS",
                           "KAFKA_LOG4J_LOGGERS",
                           "KAFKA_LOG4J_ROOT_LOGLEVEL",
                           "KAFKA_TOOLS_LOG4J_LOGLEVEL",
                           "KAFKA_HOME",
                           "KAFKA_JMX_PORT",
                           "KAFKA_GC_LOG_OPTS",
                           "KAFKA_VERSION",
                           "KAFKA_CLUSTER_ID",
                           "KAFKA_KRAFT_CLUSTER_ID",
                           "CLUSTER_ID",
                           "PATH",
                           "KAFKA_",
                           "KAFKA",
                           "KAFKA_CFG_",
                           "TAILWATER_",
                           "TAILWATER_BROKERS",
                           "TAILWATER_FORMAT",
                           "kafka_node_id",
                           "XKAFKA_NODE_ID"}) {
    // A prefix without a key is "KAFKA_" plus the key "cfg." at best, which nobody means.
    if (std::string_view(name) == "KAFKA_CFG_") continue;
    EXPECT_EQ(key(name), "(none)") << name;
  }
}

TEST(Environment, LinksToAServiceCalledKafkaAreNoKeys) {
  EXPECT_EQ(key("KAFKA_PORT", "tcp://10.0.0.7:9092"), "(none)");
  EXPECT_EQ(key("KAFKA_PORT_9092_TCP", "tcp://10.0.0.7:9092"), "(none)");
  EXPECT_EQ(key("KAFKA_PORT_9092_TCP_ADDR", "10.0.0.7"), "(none)");
  EXPECT_EQ(key("KAFKA_SERVICE_HOST", "10.0.0.7"), "(none)");
  EXPECT_EQ(key("KAFKA_SERVICE_PORT_CLIENT", "9092"), "(none)");
  EXPECT_EQ(key("KAFKA_PORT", "9092"), "port") << "Kafka's own old key, worth a warning";
}

TEST(Environment, OfThisProcess) {
  ::setenv("TAILWATER_TEST_OF_ENVIRONMENT", "a=b=c", 1);
  bool found = false;
  for (const auto& [name, value] : current_environment()) {
    if (name == "TAILWATER_TEST_OF_ENVIRONMENT") found = value == "a=b=c";
  }
  EXPECT_TRUE(found);
  ::unsetenv("TAILWATER_TEST_OF_ENVIRONMENT");
}

}  // namespace
}  // namespace tailwater::shell
