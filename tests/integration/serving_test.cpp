// Goal: a broker in a process serves, stops and starts again with its data, tells its health and its numbers,
// and refuses to start with one clear sentence where it cannot. Method: the embeddable broker, real sockets,
// real folders.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "integration/support.hpp"
#include "wire/api/api_versions.hpp"
#include "wire/api/delete_topics.hpp"
#include "wire/api/incremental_alter_configs.hpp"

namespace tailwater::integration {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class ServingTest : public ::testing::TestWithParam<std::int32_t> {};
INSTANTIATE_TEST_SUITE_P(Shards, ServingTest, ::testing::Values(1, 3));

TEST_P(ServingTest, RecordsComeBackAlsoAfterARestart) {
  const TemporaryFolder folder;
  const Buffer batch = record_batch(10, 100);
  for (int round = 0; round < 3; ++round) {
    TestBroker broker({.folder = folder.path(), .shards = GetParam()});
    Client client(broker.port());
    if (round == 0) create_topic(client, "orders", 4);
    for (std::int32_t partition = 0; partition < 4; ++partition) {
      EXPECT_EQ(produce(client, "orders", partition, batch), round * 10);
      EXPECT_EQ(read_all(client, "orders", partition, batch.size()), (round + 1) * 10);
    }
    EXPECT_TRUE(broker.stop());
  }
}

TEST_P(ServingTest, ManyClientsAtOnce) {
  const TemporaryFolder folder;
  TestBroker broker({.folder = folder.path(), .shards = GetParam()});
  Client admin(broker.port());
  create_topic(admin, "orders", 4);
  const Buffer batch = record_batch(1, 100);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 8; ++thread) {
    threads.emplace_back([&, thread] {
      Client client(broker.port());
      for (int round = 0; round < 50; ++round) produce(client, "orders", thread % 4, batch);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::int32_t partition = 0; partition < 4; ++partition) {
    EXPECT_EQ(produce(admin, "orders", partition, batch), 100);
  }
}

TEST(Serving, HealthAndMetrics) {
  const TemporaryFolder folder;
  TestBroker broker({.folder = folder.path()});
  Client client(broker.port());
  create_topic(client, "orders", 2);
  produce(client, "orders", 1, record_batch(7, 10));
  EXPECT_THAT(http_get(broker.admin_port(), "/livez"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(http_get(broker.admin_port(), "/readyz"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(http_get(broker.admin_port(), "/readyz?verbose"), HasSubstr("[+] listeners: open"));
  EXPECT_THAT(http_get(broker.admin_port(), "/"), HasSubstr("/metrics "));
  EXPECT_THAT(http_get(broker.admin_port(), "/nothing"), StartsWith("HTTP/1.1 404 "));
  const std::string metrics = http_get(broker.admin_port(), "/metrics?detail=partition");
  EXPECT_THAT(metrics, HasSubstr("\nkafka_topic_partitions{topic=\"orders\"} 2\n"));
  EXPECT_THAT(metrics,
              HasSubstr("kafka_topic_partition_current_offset{topic=\"orders\",partition=\"1\"} 7\n"));
  EXPECT_THAT(metrics, HasSubstr("\nkafka_server_brokertopicmetrics_messagesin_total 7\n"));
  EXPECT_THAT(metrics, HasSubstr("tailwater_requests_total{api=\"Produce\"} 1\n"));
  EXPECT_THAT(metrics, HasSubstr("tailwater_request_seconds_count{api=\"Produce\"} 1\n"));
}

std::uint64_t system_calls(const TestBroker& broker, const std::string& call) {
  const std::string text = http_get(broker.admin_port(), "/metrics");
  const std::string name = "\ntailwater_system_calls_total{shard=\"0\",call=\"" + call + "\"} ";
  const std::size_t at = text.find(name);
  EXPECT_NE(at, std::string::npos) << call;
  return at == std::string::npos ? 0 : std::stoull(text.substr(at + name.size()));
}

TEST(Serving, ASleepIsOneSystemCall) {
  const TemporaryFolder folder;
  TestBroker broker({.folder = folder.path()});
  Client client(broker.port());
  create_topic(client, "orders");
  const Buffer batch = record_batch(1, 100);
  produce(client, "orders", 0, batch);
  const std::uint64_t waits = system_calls(broker, "epoll_wait");
  const std::uint64_t changes = system_calls(broker, "epoll_ctl");
  constexpr int kRequests = 400;
  for (int each = 0; each < kRequests; ++each) produce(client, "orders", 0, batch);
  // Each is waited for twice: until it comes, and until its record is on the disk. Turns of a loop that has
  // nothing to do, and those that the figures take, come on top.
  EXPECT_LE(system_calls(broker, "epoll_wait") - waits, 2 * kRequests + kRequests / 4);
  EXPECT_EQ(system_calls(broker, "epoll_ctl"), changes);
}

TEST(Serving, StartIsFast) {
  // The goal is 50 ms to the first acknowledged record on an empty folder; what is checked leaves room for a
  // machine under load, and the figure itself is printed.
  const TemporaryFolder folder;
  const auto begin = Clock::now();
  TestBroker broker({.folder = folder.path()});
  const auto open = Clock::now();
  Client client(broker.port());
  create_topic(client, "orders");
  produce(client, "orders", 0, record_batch(1, 100));
  const auto end = Clock::now();
  const auto ms = [](auto span) { return std::chrono::duration<double, std::milli>(span).count(); };
  std::printf("serving after %.1f ms, first record acknowledged after %.1f ms\n", ms(open - begin),
              ms(end - begin));
  EXPECT_LT(ms(end - begin), 2000);
}

void set_for_all_brokers(Client& client, const std::string& key, const std::optional<std::string>& value) {
  constexpr std::int8_t kBroker = 4;
  wire::IncrementalAlterConfigsRequest request;
  auto& resource = request.resources.emplace_back();
  resource.resource_type = kBroker;
  const std::int8_t operation = value ? 0 : 1;
  resource.configs.push_back({.name = key, .config_operation = operation, .value = value});
  const auto answer = client.call(request, 1);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->body.responses.at(0).error_code, wire::ErrorCode::none);
}

TEST(Serving, LimitsOfConnectionsChangeWhileItRuns) {
  const TemporaryFolder folder;
  {
    TestBroker broker({.folder = folder.path()});
    Client first(broker.port());
    set_for_all_brokers(first, "max.connections", "1");
    EXPECT_TRUE(Client(broker.port()).is_closed_within(10'000));
    set_for_all_brokers(first, "max.connections", std::nullopt);
    Client second(broker.port());
    EXPECT_TRUE(second.call(wire::ApiVersionsRequest{}, 0).has_value());
    set_for_all_brokers(first, "max.connections.per.ip.overrides", "127.0.0.1:0");
    EXPECT_TRUE(Client(broker.port()).is_closed_within(10'000));
    EXPECT_TRUE(broker.stop());
  }
  TestBroker again({.folder = folder.path()});
  EXPECT_TRUE(Client(again.port()).is_closed_within(10'000)) << "what was told before holds from the start";
}

TEST(Serving, WhatIsReadAgainReachesTheController) {
  const TemporaryFolder folder;
  TestBroker broker({.folder = folder.path()});
  Client client(broker.port());
  create_topic(client, "orders");
  broker.broker().reload(
      cluster::parse_broker_config({{"delete.topic.enable", "false"}, {"log.dirs", folder.path()}}).config);
  wire::DeleteTopicsRequest request;
  request.topics.push_back({.name = "orders", .topic_id = {}});
  const auto answer = client.call(request, 6);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->body.responses.at(0).error_code, wire::ErrorCode::topic_deletion_disabled);
}

class RefusalTest : public ::testing::Test {
 protected:
  std::string refusal(const BrokerWishes& wishes) {
    auto opened = open_broker(wishes, log);
    return opened ? "it opened" : opened.error().message;
  }
  TemporaryFolder folder;
  shell::Log log{{.sink = [](std::string_view) {}}};
};

TEST_F(RefusalTest, PortInUse) {
  TestBroker broker({.folder = folder.path()});
  const TemporaryFolder other;
  const std::string address = "127.0.0.1:" + std::to_string(broker.port());
  EXPECT_THAT(refusal({.folder = other.path(), .properties = {"listeners=PLAINTEXT://" + address}}),
              HasSubstr("cannot listen on " + address + ": the address is in use"));
  const std::string admin = broker.broker().admin_address();
  EXPECT_THAT(refusal({.folder = other.path(), .properties = {"tailwater.admin.listener=" + admin}}),
              HasSubstr("cannot listen on " + admin + ": the address is in use"));
}

TEST_F(RefusalTest, FolderInUse) {
  TestBroker broker({.folder = folder.path()});
  EXPECT_THAT(refusal({.folder = folder.path()}), HasSubstr(folder.path()));
  EXPECT_THAT(refusal({.folder = folder.path()}), HasSubstr("in use"));
}

TEST_F(RefusalTest, FolderNotWritable) {
  if (::geteuid() == 0) {
    // Root may write everywhere but where nobody may.
    EXPECT_THAT(refusal({.folder = "/proc/tailwater"}), HasSubstr("/proc/tailwater"));
    return;
  }
  ::chmod(folder.path().c_str(), 0500);
  EXPECT_THAT(refusal({.folder = folder.path() + "/data"}), HasSubstr(folder.path()));
  ::chmod(folder.path().c_str(), 0700);
}

TEST_F(RefusalTest, FolderOfAnotherBroker) {
  {
    TestBroker broker({.folder = folder.path()});
  }
  EXPECT_THAT(refusal({.folder = folder.path(), .properties = {"node.id=2"}}),
              HasSubstr("belongs to broker 1, but node.id is 2"));
}

TEST_F(RefusalTest, UnknownHost) {
  EXPECT_THAT(
      refusal({.folder = folder.path(), .properties = {"listeners=PLAINTEXT://no-such-host.invalid:0"}}),
      HasSubstr("the host name 'no-such-host.invalid' is unknown"));
}

}  // namespace
}  // namespace tailwater::integration
