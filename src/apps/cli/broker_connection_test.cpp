// Goal: addresses are read as people write them, and every way in which a broker fails to answer ends in a
// sentence that helps, in time.
// Method: a listener on a free port of this machine whose answers the test writes.
#include "apps/cli/broker_connection.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <thread>

#include "apps/cli/admin_client.hpp"
#include "wire/frame.hpp"
#include "wire/header.hpp"

namespace tailwater::apps::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Addresses, AsPeopleWriteThem) {
  EXPECT_EQ(parse_addresses("a:1, b ,[::1]:9093,[::2]"),
            (std::vector<Address>{{"a", 1}, {"b", 9092}, {"::1", 9093}, {"::2", 9092}}));
  for (const char* wrong :
       {"", "a:", ":9092", "a:0", "a:65536", "a:x", "a,,b", "::1", "[::1", "[::1]x", "[::1]:"}) {
    EXPECT_FALSE(parse_addresses(wrong)) << wrong;
  }
  EXPECT_EQ(to_string(Address{"::1", 9092}), "[::1]:9092");
}

// Accepts one connection, answers each request with what `answer` makes of it; no answer closes it.
class FakeBroker {
 public:
  using Answer = std::function<Buffer(Bytes request)>;

  explicit FakeBroker(Answer answer) : listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_, 1), 0);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    address_ = {"127.0.0.1", ntohs(address.sin_port)};
    if (answer) thread_ = std::thread([this, answer = std::move(answer)] { serve(answer); });
  }
  ~FakeBroker() {
    ::shutdown(listener_, SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
    ::close(listener_);
  }

  const Address& address() const { return address_; }

 private:
  void serve(const Answer& answer) const {
    const int socket = ::accept(listener_, nullptr, nullptr);
    if (socket < 0) return;
    Buffer received;
    for (;;) {
      std::byte chunk[4096];
      const ssize_t count = ::recv(socket, chunk, sizeof chunk, 0);
      if (count <= 0) break;
      received.insert(received.end(), chunk, chunk + count);
      const auto frame = wire::split_frame(received, 1 << 20);
      if (!frame || !frame->whole()) continue;
      const Buffer reply = answer(frame->body);
      if (reply.empty() || ::send(socket, reply.data(), reply.size(), MSG_NOSIGNAL) < 0) break;
      received.erase(received.begin(), received.begin() + static_cast<std::ptrdiff_t>(frame->size()));
    }
    ::close(socket);
  }

  int listener_;
  Address address_;
  std::thread thread_;
};

template <class Response>
Buffer reply(wire::ApiKey key, std::int16_t version, std::int32_t correlation, const Response& response) {
  Buffer buffer;
  wire::begin_frame(buffer);
  wire::Writer writer(buffer);
  wire::encode_response_header(writer, key, version, correlation);
  encode(writer, version, response);
  wire::end_frame(buffer, 0);
  return buffer;
}

wire::RequestHeader header_of(Bytes request) {
  wire::Reader reader(request);
  return wire::decode_request_header(reader).value_or(wire::RequestHeader{});
}

constexpr std::int16_t kApiVersions = static_cast<std::int16_t>(wire::ApiKey::api_versions);
constexpr std::int16_t kMetadata = static_cast<std::int16_t>(wire::ApiKey::metadata);

wire::ApiVersionsResponse speaks_metadata(std::int16_t low, std::int16_t high) {
  wire::ApiVersionsResponse response;
  response.api_keys.push_back({.api_key = kApiVersions, .min_version = 0, .max_version = 3});
  response.api_keys.push_back({.api_key = kMetadata, .min_version = low, .max_version = high});
  return response;
}

std::string failure(const Address& address, std::chrono::milliseconds timeout = std::chrono::seconds(5)) {
  const auto connection = BrokerConnection::open(address, {.timeout = timeout, .client_id = "test"});
  return connection ? "connected" : connection.error().message;
}

TEST(BrokerConnection, NobodyListens) {
  Address address;
  {
    address = FakeBroker(nullptr).address();
  }
  const std::string message = failure(address);
  EXPECT_THAT(message, HasSubstr("cannot reach 127.0.0.1:"));
  EXPECT_THAT(message, HasSubstr("connection refused; is the broker running? Start one with: tailwater dev"));
}

TEST(BrokerConnection, NobodyAnswers) {
  const FakeBroker broker(nullptr);  // connections wait in its backlog
  EXPECT_THAT(
      failure(broker.address(), std::chrono::milliseconds(20)),
      HasSubstr("gave no answer in time (ApiVersions); a larger --timeout waits longer, unless what listens "
                "there does not speak the Kafka protocol"));
}

TEST(BrokerConnection, WhoHasSpokenTheProtocolIsNotDoubted) {
  const FakeBroker broker([](Bytes request) {
    const wire::RequestHeader header = header_of(request);
    if (header.api_key == kApiVersions) {
      return reply(wire::ApiKey::api_versions, header.api_version, header.correlation_id,
                   speaks_metadata(0, 9));
    }
    std::byte begun{};  // of an answer that does not end
    return Buffer(1, begun);
  });
  AdminClient client({broker.address()}, {.timeout = std::chrono::milliseconds(300), .client_id = "test"});
  const auto metadata = client.metadata({});
  ASSERT_FALSE(metadata);
  EXPECT_THAT(metadata.error().message, HasSubstr("gave no answer in time (Metadata); a larger --timeout"));
  EXPECT_THAT(metadata.error().message, Not(HasSubstr("does not speak")));
}

TEST(BrokerConnection, ItHangsUp) {
  const FakeBroker broker([](Bytes) { return Buffer{}; });
  EXPECT_THAT(failure(broker.address()), HasSubstr("closed the connection (ApiVersions)"));
}

TEST(BrokerConnection, ItIsNoBroker) {
  const FakeBroker broker([](Bytes) {
    const Bytes text = as_bytes("HTTP/1.1 400 Bad Request\r\n\r\n");
    return Buffer(text.begin(), text.end());
  });
  EXPECT_THAT(failure(broker.address()), HasSubstr("does not speak the Kafka protocol"));
}

TEST(BrokerConnection, ABrokerThatIsTooOldForVersionThreeIsAskedAgain) {
  const FakeBroker broker([](Bytes request) {
    const wire::RequestHeader header = header_of(request);
    wire::ApiVersionsResponse response = speaks_metadata(1, 4);
    if (header.api_version > 0) response.error_code = wire::ErrorCode::unsupported_version;
    return reply(wire::ApiKey::api_versions, 0, header.correlation_id, response);
  });
  const auto connection = BrokerConnection::open(broker.address(), {.client_id = "test"});
  ASSERT_TRUE(connection) << connection.error().message;
  EXPECT_EQ(connection->version_for(wire::ApiKey::metadata, INT16_MAX), 4);
  EXPECT_EQ(connection->version_for(wire::ApiKey::metadata, 2), 2);
  EXPECT_FALSE(connection->version_for(wire::ApiKey::metadata, 0));
  const auto missing = connection->version_for(wire::ApiKey::create_topics, INT16_MAX);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::unsupported);
  EXPECT_THAT(missing.error().message, HasSubstr("does not speak CreateTopics"));
}

TEST(AdminClient, AsksInTheNewestCommonVersion) {
  std::int16_t version_asked = -1;
  const FakeBroker broker([&version_asked](Bytes request) {
    const wire::RequestHeader header = header_of(request);
    if (header.api_key == kApiVersions) {
      return reply(wire::ApiKey::api_versions, header.api_version, header.correlation_id,
                   speaks_metadata(0, 9));
    }
    version_asked = header.api_version;
    wire::MetadataResponse response;
    response.brokers.push_back({.node_id = 7, .host = "127.0.0.1", .port = 1});
    response.controller_id = 7;
    return reply(wire::ApiKey::metadata, header.api_version, header.correlation_id, response);
  });
  AdminClient client({broker.address()}, {.client_id = "test"});
  const auto metadata = client.metadata({});
  ASSERT_TRUE(metadata) << metadata.error().message;
  EXPECT_EQ(version_asked, 9);
  EXPECT_EQ(metadata->brokers.at(0).node_id, 7);
  const auto unknown = client.broker(8);
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, HasSubstr("there is no broker 8"));
  const auto unreachable = client.broker(7);
  ASSERT_FALSE(unreachable);
  EXPECT_THAT(unreachable.error().message,
              HasSubstr("broker 7 says that it is reached at 127.0.0.1:1, but:"));
}

TEST(AdminClient, AnAnswerToAnotherQuestionIsRefused) {
  const FakeBroker broker([](Bytes request) {
    const wire::RequestHeader header = header_of(request);
    const std::int32_t correlation = header.correlation_id + (header.api_key == kMetadata ? 1 : 0);
    if (header.api_key == kMetadata) {
      return reply(wire::ApiKey::metadata, header.api_version, correlation, wire::MetadataResponse{});
    }
    return reply(wire::ApiKey::api_versions, header.api_version, correlation, speaks_metadata(0, 9));
  });
  AdminClient client({broker.address()}, {.client_id = "test"});
  const auto metadata = client.metadata({});
  ASSERT_FALSE(metadata);
  EXPECT_THAT(metadata.error().message, HasSubstr("answered something that was not asked"));
}

}  // namespace
}  // namespace tailwater::apps::cli
