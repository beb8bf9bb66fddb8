// Goal: whatever one peer does, others are served, and memory stays bounded.
// Method: one hostile connection of each kind beside an honest one whose every request must be answered in
// time.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cstdio>
#include <thread>

#include "base/prng.hpp"
#include "integration/support.hpp"
#include "wire/api/api_versions.hpp"
#include "wire/api/metadata.hpp"

namespace tailwater::integration {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

// Before the broker shares its descriptors out. Without the privilege there are fewer connections to try.
bool raise_descriptors() {
  const rlimit wanted{60'000, 60'000};
  return ::setrlimit(RLIMIT_NOFILE, &wanted) == 0;
}

class HostileTest : public ::testing::Test {
 protected:
  HostileTest() : broker({.folder = folder.path()}), honest(broker.port()) { create_topic(honest, "orders"); }

  // An honest client is served; the client itself gives up after a while.
  void expect_service() {
    for (int round = 0; round < 5; ++round) produce(honest, "orders", 0, batch);
  }

  int metric(const std::string& name) {
    const std::string text = http_get(broker.admin_port(), "/metrics");
    const std::size_t at = text.find("\n" + name + " ");
    return at == std::string::npos ? 0 : std::stoi(text.substr(at + name.size() + 2));
  }

  const bool raised = raise_descriptors();
  TemporaryFolder folder;
  TestBroker broker;
  Client honest;
  Buffer batch = record_batch(1, 100);
};

Buffer frame_head(std::int32_t size) {
  Buffer head(4);
  store_big(head.data(), size);
  return head;
}

TEST_F(HostileTest, GarbageEndsItsConnectionOnly) {
  Prng random(7);
  for (int round = 0; round < 200; ++round) {
    const Client hostile(broker.port());
    Buffer garbage(1 + random.below(2000));
    for (std::byte& byte : garbage) byte = static_cast<std::byte>(random.below(256));
    hostile.send(garbage);
    // A plausible size with garbage behind it.
    const Client framed(broker.port());
    Buffer frame = frame_head(static_cast<std::int32_t>(garbage.size()));
    frame.insert(frame.end(), garbage.begin(), garbage.end());
    framed.send(frame);
    if (round % 50 == 0) {
      EXPECT_TRUE(framed.is_closed_within(10'000));
      expect_service();
    }
  }
  expect_service();
}

TEST_F(HostileTest, ImpossibleSizesAreRefusedAtOnce) {
  for (const std::int32_t size : {INT32_MAX, 0x7f000000, -1, INT32_MIN}) {
    const Client hostile(broker.port());
    const std::uint64_t before = resident_bytes();
    ASSERT_TRUE(hostile.send(frame_head(size)));
    EXPECT_TRUE(hostile.is_closed_within(5000)) << size;
    EXPECT_LT(resident_bytes(), before + 16 * kMiB);
  }
  expect_service();
}

TEST_F(HostileTest, HalfARequestWaitsWithoutHarm) {
  const Buffer whole = Client::frame_of(produce_request("orders", 0, record_batch(100, 1000)), 9);
  std::vector<std::unique_ptr<Client>> hostile;
  for (std::size_t cut = 1; cut < whole.size(); cut = cut * 2 + 1) {
    hostile.push_back(std::make_unique<Client>(broker.port()));
    ASSERT_TRUE(hostile.back()->send(Bytes(whole).first(cut)));
  }
  expect_service();
  hostile.clear();
  expect_service();
}

TEST_F(HostileTest, ByteByByteIsServedToo) {
  Client slow(broker.port());
  const Buffer whole = Client::frame_of(
      wire::ApiVersionsRequest{.client_software_name = "a", .client_software_version = "1"}, 3);
  for (const std::byte& byte : whole) ASSERT_TRUE(slow.send(Bytes(&byte, 1)));
  EXPECT_TRUE(slow.receive().has_value());
}

TEST_F(HostileTest, RequestsWithoutReadingAreHeldBack) {
  // Answers of a few kilobytes each: far more in all than sockets hold.
  create_topic(honest, "wide", 100);
  const std::uint64_t before = resident_bytes();
  const Client hostile(broker.port());
  int buffer = 16 * 1024;
  ::setsockopt(hostile.descriptor(), SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  constexpr int kRequests = 10'000;
  Buffer requests;
  for (int count = 0; count < kRequests; ++count) {
    const Buffer one = Client::frame_of(wire::MetadataRequest{}, 9, count);
    requests.insert(requests.end(), one.begin(), one.end());
  }
  std::thread sender([&] { EXPECT_TRUE(hostile.send(requests, 60'000)); });
  expect_service();
  expect_service();
  const int answered = metric("tailwater_requests_total{api=\"Metadata\"}");
  std::printf("%d of %d requests were answered before anyone read, resident memory grew by %.1f MiB\n",
              answered, kRequests,
              static_cast<double>(resident_bytes() - std::min(before, resident_bytes())) / 1048576.0);
  EXPECT_LT(answered, kRequests);
  EXPECT_LT(resident_bytes(), before + 64 * kMiB);
  // Who reads after all gets every answer, in order.
  for (int count = 0; count < kRequests; ++count) {
    const auto frame = hostile.receive(30'000);
    ASSERT_TRUE(frame.has_value()) << count;
    ASSERT_EQ(load_big<std::int32_t>(frame->data()), count);
  }
  sender.join();
  expect_service();
}

TEST_F(HostileTest, SlowReaderOfMuchDataHarmsNobody) {
  create_topic(honest, "large");
  const Buffer large = record_batch(100, 9000);
  for (int round = 0; round < 60; ++round) produce(honest, "large", 0, large);
  const std::uint64_t before = resident_bytes();
  std::vector<std::unique_ptr<Client>> readers;
  for (int count = 0; count < 20; ++count) {
    readers.push_back(std::make_unique<Client>(broker.port()));
    ASSERT_TRUE(readers.back()->send(Client::frame_of(fetch_request("large", 0, 0, 50 << 20), 11)));
  }
  expect_service();
  EXPECT_LT(resident_bytes(), before + 128 * kMiB);
  // One of them begins to read and gets everything.
  const auto frame = readers[0]->receive(30'000);
  ASSERT_TRUE(frame.has_value());
  EXPECT_GT(frame->size(), 50 * large.size());
  readers.clear();
  expect_service();
}

TEST_F(HostileTest, ResetsInTheMiddleOfEverything) {
  const Buffer request = Client::frame_of(produce_request("orders", 0, record_batch(100, 1000)), 9);
  for (int round = 0; round < 200; ++round) {
    const Client hostile(broker.port());
    const linger hard{1, 0};
    ::setsockopt(hostile.descriptor(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    hostile.send(Bytes(request).first(request.size() * static_cast<std::size_t>(round) / 199));
  }
  expect_service();
}

TEST_F(HostileTest, TwentyThousandIdleConnections) {
  // Both ends are in this process: two descriptors each, and the broker keeps a share for files.
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const std::size_t count = std::min<std::size_t>(20'000, limit.rlim_cur / 2 - 1000);
  const std::uint64_t before = resident_bytes();
  std::vector<std::unique_ptr<Client>> idle;
  for (std::size_t index = 0; index < count; ++index) {
    idle.push_back(std::make_unique<Client>(broker.port()));
    if (index % 1000 == 0) {
      ASSERT_TRUE(idle.back()->call(wire::ApiVersionsRequest{}, 0).has_value());
    }
  }
  expect_service();
  // The last one that was accepted has been adopted as well.
  ASSERT_TRUE(idle.back()->call(wire::ApiVersionsRequest{}, 0).has_value());
  const std::uint64_t grown = resident_bytes() - std::min(before, resident_bytes());
  std::printf("%zu idle connections take %.1f KiB each\n", count,
              static_cast<double>(grown) / 1024.0 / static_cast<double>(count));
  EXPECT_LT(grown, count * 10 * 1024);
  EXPECT_NE(
      http_get(broker.admin_port(), "/metrics").find("tailwater_connections " + std::to_string(count + 1)),
      std::string::npos);
  const auto begin = Clock::now();
  idle.clear();
  expect_service();
  EXPECT_LT(Clock::now() - begin, std::chrono::seconds(10));
}

TEST(Idle, ConnectionsThatIdleTooLongAreClosed) {
  const TemporaryFolder folder;
  TestBroker broker({.folder = folder.path(), .properties = {"connections.max.idle.ms=300"}});
  const Client idle(broker.port());
  EXPECT_TRUE(idle.is_closed_within(10'000));
}

TEST(Limits, ConnectionsPerAddress) {
  const TemporaryFolder folder;
  TestBroker broker({.folder = folder.path(), .properties = {"max.connections.per.ip=2"}});
  Client first(broker.port());
  Client second(broker.port());
  ASSERT_TRUE(first.call(wire::ApiVersionsRequest{}, 0).has_value());
  ASSERT_TRUE(second.call(wire::ApiVersionsRequest{}, 0).has_value());
  const Client third(broker.port());
  EXPECT_TRUE(third.is_closed_within(10'000));
}

}  // namespace
}  // namespace tailwater::integration
