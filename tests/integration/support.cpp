#include "integration/support.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <fstream>

#include "records/builder.hpp"
#include "shell/config/config_loader.hpp"

namespace tailwater::integration {

namespace {

int left_ms(Clock::time_point end) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
  return left > 0 ? static_cast<int>(left) : 0;
}

bool wait_for(int descriptor, short events, Clock::time_point end) {
  pollfd source{descriptor, events, 0};
  return ::poll(&source, 1, left_ms(end)) > 0;
}

shell::Descriptor dial(std::uint16_t port) {
  shell::Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
  return socket;
}

bool receive_all(int descriptor, MutableBytes space, Clock::time_point end) {
  while (!space.empty()) {
    if (!wait_for(descriptor, POLLIN, end)) return false;
    const ssize_t got = ::recv(descriptor, space.data(), space.size(), MSG_DONTWAIT);
    if (got <= 0) return false;
    space = space.subspan(static_cast<std::size_t>(got));
  }
  return true;
}

}  // namespace

Result<std::unique_ptr<shell::Broker>> open_broker(const BrokerWishes& wishes, shell::Log& log) {
  shell::ConfigInput input;
  input.defaults = {{"log.dirs", wishes.folder},
                    {"listeners", "PLAINTEXT://127.0.0.1:0"},
                    {"tailwater.admin.listener", "127.0.0.1:0"},
                    {"tailwater.memory.bytes", "134217728"},
                    {"group.initial.rebalance.delay.ms", "0"},
                    {"offsets.topic.replication.factor", "1"}};
  input.overrides = wishes.properties;
  input.strictness = shell::Strictness::strict;
  auto loaded = shell::load_config(input);
  if (!loaded) return fail(Errc::invalid_argument, loaded.error().front());
  shell::BrokerSettings settings;
  settings.config = std::move(loaded->broker);
  settings.version = "test";
  settings.shards = wishes.shards;
  return shell::Broker::open(std::move(settings), log);
}

TestBroker::TestBroker(BrokerWishes wishes) : log_({.severity = shell::LogSeverity::error}) {
  auto opened = open_broker(wishes, log_);
  if (!opened) throw std::runtime_error(opened.error().message);
  broker_ = std::move(*opened);
  const auto state = broker_->wait_while(shell::BrokerState::recovering, Duration::from_ms(60'000));
  if (state != shell::BrokerState::serving)
    throw std::runtime_error("the broker does not serve: " + broker_->failure());
}

TestBroker::~TestBroker() = default;

std::uint16_t TestBroker::admin_port() const {
  const std::string address = broker_->admin_address();
  return static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
}

Client::Client(std::uint16_t port) : socket_(dial(port)) {
  EXPECT_TRUE(socket_) << "nobody listens at " << port;
}

bool Client::send(Bytes bytes, int limit_ms) const {
  const auto end = Clock::now() + std::chrono::milliseconds(limit_ms);
  while (!bytes.empty()) {
    if (!wait_for(socket_.get(), POLLOUT, end)) return false;
    const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) continue;
    if (sent <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
  return true;
}

std::optional<Buffer> Client::receive(int limit_ms) const {
  const auto end = Clock::now() + std::chrono::milliseconds(limit_ms);
  std::byte head[4];
  if (!receive_all(socket_.get(), head, end)) return std::nullopt;
  const auto size = load_big<std::int32_t>(head);
  if (size < 0 || size > (256 << 20)) return std::nullopt;
  Buffer frame(static_cast<std::size_t>(size));
  if (!receive_all(socket_.get(), frame, end)) return std::nullopt;
  return frame;
}

bool Client::is_closed_within(int limit_ms) const {
  const auto end = Clock::now() + std::chrono::milliseconds(limit_ms);
  std::byte byte[4096];
  for (;;) {
    if (!wait_for(socket_.get(), POLLIN, end)) return false;
    const ssize_t got = ::recv(socket_.get(), byte, sizeof byte, MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN)) return true;
  }
}

void create_topic(Client& client, const std::string& name, std::int32_t partitions) {
  wire::CreateTopicsRequest request;
  request.topics.push_back({.name = name, .num_partitions = partitions, .replication_factor = 1});
  auto answer = client.call(request, 5);
  ASSERT_TRUE(answer.has_value());
  ASSERT_EQ(answer->body.topics.size(), 1u);
  EXPECT_EQ(answer->body.topics[0].error_code, wire::ErrorCode::none)
      << answer->body.topics[0].error_message.value_or("");
}

Buffer record_batch(int count, std::size_t size) {
  records::BatchBuilder builder;
  Buffer value(size);
  for (std::size_t index = 0; index < size; ++index) value[index] = static_cast<std::byte>('a' + index % 26);
  for (int index = 0; index < count; ++index)
    EXPECT_TRUE(builder.add(1'700'000'000'000, std::nullopt, value));
  Buffer batch;
  EXPECT_TRUE(builder.finish(batch).has_value());
  return batch;
}

wire::ProduceRequest produce_request(const std::string& topic, std::int32_t partition, const Buffer& batch) {
  wire::ProduceRequest request;
  request.acks = -1;
  request.timeout_ms = 30'000;
  request.topic_data.push_back(
      {.name = topic, .partition_data = {{.index = partition, .records = Bytes(batch)}}});
  return request;
}

wire::FetchRequest fetch_request(const std::string& topic, std::int32_t partition, std::int64_t offset,
                                 std::int32_t bytes_max) {
  wire::FetchRequest request;
  request.max_wait_ms = 500;
  request.min_bytes = 1;
  request.max_bytes = bytes_max;
  request.session_epoch = -1;
  request.topics.push_back(
      {.topic = topic,
       .partitions = {{.partition = partition, .fetch_offset = offset, .partition_max_bytes = bytes_max}}});
  return request;
}

std::int64_t produce(Client& client, const std::string& topic, std::int32_t partition, const Buffer& batch) {
  auto answer = client.call(produce_request(topic, partition, batch), 9, 30'000);
  EXPECT_TRUE(answer.has_value());
  if (!answer) return -1;
  const auto& outcome = answer->body.responses.at(0).partition_responses.at(0);
  EXPECT_EQ(outcome.error_code, wire::ErrorCode::none);
  return outcome.base_offset;
}

std::int64_t read_all(Client& client, const std::string& topic, std::int32_t partition,
                      std::size_t batch_size) {
  for (std::int64_t offset = 0;;) {
    auto fetched = client.call(fetch_request(topic, partition, offset, 1 << 20), 11);
    if (!fetched) return -1;
    const auto& answer = fetched->body.responses.at(0).partitions.at(0);
    if (answer.error_code != wire::ErrorCode::none) return -2;
    if (offset == answer.high_watermark) return offset;
    const std::size_t bytes = answer.records.value_or(Bytes{}).size();
    if (bytes == 0 || bytes % batch_size != 0) return -3;
    offset += static_cast<std::int64_t>(bytes / batch_size * 10);
  }
}

std::uint64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t pages = 0;
  file >> pages >> pages;
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::string http_get(std::uint16_t port, const std::string& target) {
  const Client client(port);
  const std::string request =
      fmt::format("GET {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", target);
  EXPECT_TRUE(client.send(as_bytes(request)));
  std::string response;
  const auto end = Clock::now() + std::chrono::seconds(20);
  char buffer[16384];
  while (wait_for(client.descriptor(), POLLIN, end)) {
    const ssize_t got = ::recv(client.descriptor(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (got <= 0) break;
    response.append(buffer, static_cast<std::size_t>(got));
  }
  return response;
}

}  // namespace tailwater::integration
