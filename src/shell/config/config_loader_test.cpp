// Goal: the strongest source wins, every complaint names its place, and all that is wrong is said at once.
// Method: small files and environments; what single keys mean is tested where they are defined.
#include "shell/config/config_loader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "shell/disk/disk_test_support.hpp"

namespace tailwater::shell {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class ConfigLoader : public testing::Test {
 protected:
  void file(const std::string& text) {
    input_.file = folder_.path() + "/server.properties";
    std::ofstream(input_.file) << text;
  }
  LoadedConfig load() {
    auto loaded = load_config(input_);
    EXPECT_TRUE(loaded) << (loaded ? "" : loaded.error().front());
    return loaded ? std::move(*loaded) : LoadedConfig{};
  }
  ConfigErrors errors() {
    auto loaded = load_config(input_);
    EXPECT_FALSE(loaded);
    return loaded ? ConfigErrors{} : loaded.error();
  }
  std::string at(int line) const { return input_.file + ":" + std::to_string(line); }

  TemporaryFolder folder_;
  ConfigInput input_;
};

TEST_F(ConfigLoader, NothingAtAllIsKafkasDefaults) {
  const LoadedConfig loaded = load();
  EXPECT_EQ(loaded.broker.num_partitions, 1);
  EXPECT_THAT(loaded.warnings, IsEmpty());
}

TEST_F(ConfigLoader, WhoSetsListenersNeedNotKnowTheDefaultOnes) {
  input_.defaults = {
      {"listeners", "PLAINTEXT://0.0.0.0:9092,CONTAINER://0.0.0.0:19092"},
      {"advertised.listeners", "PLAINTEXT://localhost:9092,CONTAINER://here:19092"},
      {"listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTAINER:PLAINTEXT"},
  };
  EXPECT_EQ(load().broker.listeners.size(), 2U);
  input_.overrides = {"listeners=PLAINTEXT://localhost:9093"};
  EXPECT_EQ(load().broker.listeners.size(), 1U);
  EXPECT_FALSE(load().settings.contains("advertised.listeners"));
  input_.overrides.push_back("advertised.listeners=PLAINTEXT://elsewhere:9093");
  EXPECT_EQ(load().settings.at("advertised.listeners").value, "PLAINTEXT://elsewhere:9093");
}

TEST_F(ConfigLoader, TheStrongestSourceWins) {
  // Four sources, every combination of them.
  for (unsigned set = 0; set < 16; ++set) {
    input_ = {};
    std::string expected = "1";
    std::string origin;
    if ((set & 1) != 0) {
      input_.defaults["num.partitions"] = expected = "2";
      origin = "default";
    }
    if ((set & 2) != 0) {
      file("\nnum.partitions = 3\n");
      expected = "3";
      origin = at(2);
    }
    if ((set & 4) != 0) {
      input_.environment = {{"KAFKA_NUM_PARTITIONS", "4"}};
      expected = "4";
      origin = "environment variable KAFKA_NUM_PARTITIONS";
    }
    if ((set & 8) != 0) {
      input_.overrides = {"num.partitions=9", "num.partitions=5"};
      expected = "5";
      origin = "--override";
    }
    const LoadedConfig loaded = load();
    EXPECT_EQ(std::to_string(loaded.broker.num_partitions), expected) << set;
    if (set != 0) {
      EXPECT_EQ(loaded.settings.at("num.partitions").origin, origin) << set;
    }
  }
}

TEST_F(ConfigLoader, KafkasSpellingBeatsBitnamisInAnyOrder) {
  for (const bool swapped : {false, true}) {
    input_.environment = {{"KAFKA_CFG_NUM_PARTITIONS", "7"}, {"KAFKA_NUM_PARTITIONS", "8"}};
    if (swapped) std::swap(input_.environment[0], input_.environment[1]);
    const LoadedConfig loaded = load();
    EXPECT_EQ(loaded.broker.num_partitions, 8);
    EXPECT_THAT(
        loaded.warnings,
        ElementsAre("environment variable KAFKA_CFG_NUM_PARTITIONS does not count: KAFKA_NUM_PARTITIONS sets "
                    "num.partitions to '8'"));
  }
  input_.environment = {{"KAFKA_CFG_NUM_PARTITIONS", "7"}};
  EXPECT_EQ(load().broker.num_partitions, 7);
}

TEST_F(ConfigLoader, SecretsAreNotShown) {
  input_.environment = {{"KAFKA_CFG_SSL_KEY_PASSWORD", "hush1"}, {"KAFKA_SSL_KEY_PASSWORD", "hush2"}};
  for (const std::string& warning : load().warnings) EXPECT_THAT(warning, testing::Not(HasSubstr("hush")));
}

TEST_F(ConfigLoader, AKeyThatIsSetTwiceInAFileIsSaid) {
  file("num.partitions=2\nlog.dirs=/x\nnum.partitions=3\n");
  const LoadedConfig loaded = load();
  EXPECT_EQ(loaded.broker.num_partitions, 3);
  EXPECT_THAT(loaded.warnings, ElementsAre(at(3) + ": num.partitions is set again; line 1 does not count"));
}

TEST_F(ConfigLoader, EverythingWrongIsSaidAtOnceWithItsPlace) {
  file("num.partitions=many\nlog.dirs=/x\n");
  input_.environment = {{"KAFKA_LISTENERS", "nonsense"}};
  input_.overrides = {"log.retention.hours=soon"};
  const ConfigErrors found = errors();
  EXPECT_THAT(found, Contains(StartsWith(at(1) + ": num.partitions ")));
  EXPECT_THAT(found, Contains(StartsWith("environment variable KAFKA_LISTENERS: listeners ")));
  EXPECT_THAT(found, Contains(StartsWith("--override: log.retention.hours ")));
  EXPECT_FALSE(are_wrong_words(found)) << "a file is wrong, too";
}

TEST_F(ConfigLoader, AFileThatCannotBeReadOrParsed) {
  input_.file = folder_.path() + "/absent";
  EXPECT_THAT(errors(), ElementsAre(StartsWith("cannot read " + input_.file + ": ")));
  file("a=b\nlog.dirs=C:\\users\n");
  EXPECT_THAT(errors(), ElementsAre(StartsWith(at(2) + ": \\u must be followed by")));
}

TEST_F(ConfigLoader, OverridesAreKeyValue) {
  for (const char* bad : {"num.partitions", "=3", " = 3", ""}) {
    input_.overrides = {bad};
    EXPECT_THAT(errors(), ElementsAre("--override must be KEY=VALUE; got '" + std::string(bad) + "'"));
  }
  input_.overrides = {"log.dirs=/a=b"};
  EXPECT_THAT(load().broker.log_dirs, ElementsAre("/a=b"));
}

TEST_F(ConfigLoader, UnknownKeysWarnWithTheNearestNameAndAreErrorsWhenStrict) {
  file("num.partition=3\n");
  EXPECT_THAT(load().warnings,
              ElementsAre(at(1) + ": num.partition is not a known key; did you mean num.partitions?"));
  input_.strictness = Strictness::strict;
  EXPECT_THAT(errors(), ElementsAre(StartsWith(at(1) + ": num.partition is not a known key")));
  // The environment is shared with others.
  input_.file.clear();
  input_.environment = {{"KAFKA_SOME_OTHER_PROGRAM", "1"}};
  EXPECT_THAT(load().warnings, ElementsAre(StartsWith("environment variable KAFKA_SOME_OTHER_PROGRAM: ")));
}

TEST_F(ConfigLoader, KeysWithoutEffectAreNotes) {
  file("num.io.threads=8\n");
  const LoadedConfig loaded = load();
  EXPECT_THAT(loaded.notes, ElementsAre(StartsWith(at(1) + ": num.io.threads has no effect: ")));
  EXPECT_THAT(loaded.warnings, IsEmpty());
}

TEST_F(ConfigLoader, ListenersFollowFromAdvertisedOnesOfTheEnvironment) {
  input_.environment = {
      {"KAFKA_ADVERTISED_LISTENERS", "PLAINTEXT://broker:9092,EXTERNAL://[2001:db8::1]:19092"},
      {"KAFKA_LISTENER_SECURITY_PROTOCOL_MAP", "PLAINTEXT:PLAINTEXT,EXTERNAL:PLAINTEXT"}};
  const LoadedConfig loaded = load();
  ASSERT_EQ(loaded.broker.listeners.size(), 2U);
  EXPECT_EQ(loaded.broker.listeners[0].host, "");
  EXPECT_EQ(loaded.broker.listeners[0].port, 9092);
  EXPECT_EQ(loaded.broker.listeners[1].name, "EXTERNAL");
  EXPECT_EQ(loaded.broker.listeners[1].port, 19092);
  EXPECT_EQ(loaded.broker.advertised_listeners[1].host, "2001:db8::1");

  // Not if somebody said where to listen.
  file("listeners=PLAINTEXT://127.0.0.1:9092\n");
  input_.environment = {{"KAFKA_ADVERTISED_LISTENERS", "PLAINTEXT://broker:9999"}};
  const LoadedConfig said = load();
  EXPECT_EQ(said.broker.listeners[0].port, 9092);
  EXPECT_EQ(said.broker.advertised_listeners[0].port, 9999);

  input_ = {};
  input_.environment = {{"KAFKA_ADVERTISED_LISTENERS", "nonsense"}};
  EXPECT_THAT(errors(), Contains(HasSubstr("advertised.listeners must be a list of NAME://host:port")));
}

TEST_F(ConfigLoader, WhatIsNotBuiltYetIsRefusedClearly) {
  file("zookeeper.connect=localhost:2181\n");
  EXPECT_THAT(errors(),
              ElementsAre(HasSubstr("zookeeper.connect asks for a cluster, which is not built yet")));
  input_.overrides = {"zookeeper.connect=localhost:2181"};
  file("");
  EXPECT_TRUE(are_wrong_words(errors()));
  input_.overrides.clear();
  file("listeners=SSL://:9093,PLAINTEXT://:9092\n");
  EXPECT_THAT(errors(), Contains(HasSubstr("listener SSL speaks SSL, which is not built yet")));
  file("listeners=IN://:9092\nlistener.security.protocol.map=IN:SASL_PLAINTEXT\n");
  EXPECT_THAT(errors(), Contains(HasSubstr("listener IN speaks SASL_PLAINTEXT, which is not built yet")));
}

TEST_F(ConfigLoader, AFileForKraftWorks) {
  // The keys of the combined-mode file that Kafka ships, in its order.
  file(R"(process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:9093
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
inter.broker.listener.name=PLAINTEXT
advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
log.dirs=/tmp/kraft-combined-logs
num.partitions=1
num.recovery.threads.per.data.dir=1
offsets.topic.replication.factor=1
share.coordinator.state.topic.replication.factor=1
log.retention.hours=168
log.segment.bytes=1073741824
log.retention.check.interval.ms=300000
)");
  input_.strictness = Strictness::strict;
  const LoadedConfig loaded = load();
  ASSERT_EQ(loaded.broker.listeners.size(), 1U);
  EXPECT_EQ(loaded.broker.broker_id, 1);
  EXPECT_THAT(loaded.warnings, IsEmpty());
}

TEST_F(ConfigLoader, TheQuickStartOfKafkasImageWorks) {
  input_.environment = {{"KAFKA_NODE_ID", "1"},
                        {"KAFKA_PROCESS_ROLES", "broker,controller"},
                        {"KAFKA_LISTENERS", "PLAINTEXT://:9092,CONTROLLER://:9093"},
                        {"KAFKA_ADVERTISED_LISTENERS", "PLAINTEXT://localhost:9092"},
                        {"KAFKA_CONTROLLER_LISTENER_NAMES", "CONTROLLER"},
                        {"KAFKA_LISTENER_SECURITY_PROTOCOL_MAP", "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT"},
                        {"KAFKA_CONTROLLER_QUORUM_VOTERS", "1@localhost:9093"},
                        {"KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR", "1"},
                        {"KAFKA_HEAP_OPTS", "-Xmx1g"},
                        {"CLUSTER_ID", "5L6g3nShT-eMCtK--X86sw"}};
  const LoadedConfig loaded = load();
  EXPECT_EQ(loaded.broker.listeners.size(), 1U);
  EXPECT_EQ(loaded.cluster_id, "5L6g3nShT-eMCtK--X86sw");
  EXPECT_THAT(loaded.warnings, IsEmpty());
}

}  // namespace
}  // namespace tailwater::shell
