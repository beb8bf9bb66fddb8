// What integration tests share: a broker in this process, and a client of few words
// that speaks the protocol through the wire room. Every wait has a limit.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "shell/broker/broker.hpp"
#include "shell/disk/descriptor.hpp"
#include "shell/log/log.hpp"
#include "support/temporary_folder.hpp"
#include "wire/api/create_topics.hpp"
#include "wire/api/fetch.hpp"
#include "wire/api/produce.hpp"
#include "wire/header.hpp"

namespace tailwater::integration {

using Clock = std::chrono::steady_clock;

struct BrokerWishes {
  std::string folder;
  std::vector<std::string> properties;  // "key=value", over the defaults of these tests
  std::int32_t shards = 1;
};

// A serving broker at ports of the system's choice.
class TestBroker {
 public:
  explicit TestBroker(BrokerWishes wishes);
  ~TestBroker();

  std::uint16_t port() const { return broker_->listeners().at(0).port; }
  std::uint16_t admin_port() const;
  shell::Broker& broker() { return *broker_; }
  bool stop() { return broker_->stop(Duration::from_ms(30'000)); }

 private:
  shell::Log log_;
  std::unique_ptr<shell::Broker> broker_;
};

// The outcome of opening, for tests of what must not open.
Result<std::unique_ptr<shell::Broker>> open_broker(const BrokerWishes& wishes, shell::Log& log);

// A decoded answer and the bytes that it borrows from.
template <class Response>
struct Answer {
  Buffer frame;
  Response body;
  Response* operator->() { return &body; }
};

class Client {
 public:
  // Fails the test if nobody listens.
  explicit Client(std::uint16_t port);

  // All of it, or false if the broker closed or does not read within the limit.
  bool send(Bytes bytes, int limit_ms = 10'000) const;
  // One frame without its size; nullopt: closed, or nothing within the limit.
  std::optional<Buffer> receive(int limit_ms = 10'000) const;
  // The broker closed this connection within the limit.
  bool is_closed_within(int limit_ms) const;
  int descriptor() const { return socket_.get(); }

  template <class Request, class Response = typename wire::ApiOf<Request>::Response>
  std::optional<Answer<Response>> call(const Request& request, std::int16_t version, int limit_ms = 10'000) {
    if (!send(frame_of(request, version), limit_ms)) return std::nullopt;
    return answer<Request>(version, limit_ms);
  }
  template <class Request>
  static Buffer frame_of(const Request& request, std::int16_t version, std::int32_t correlation = 1);
  template <class Request, class Response = typename wire::ApiOf<Request>::Response>
  std::optional<Answer<Response>> answer(std::int16_t version, int limit_ms = 10'000) const;

 private:
  shell::Descriptor socket_;
};

// "created" or Kafka's error code as number.
void create_topic(Client& client, const std::string& name, std::int32_t partitions = 1);
// One batch of `count` records of `size` bytes each.
Buffer record_batch(int count, std::size_t size);
wire::ProduceRequest produce_request(const std::string& topic, std::int32_t partition, const Buffer& batch);
wire::FetchRequest fetch_request(const std::string& topic, std::int32_t partition, std::int64_t offset,
                                 std::int32_t bytes_max);
// The base offset of the acknowledged batch; fails the test if it was not.
std::int64_t produce(Client& client, const std::string& topic, std::int32_t partition, const Buffer& batch);

// Reads from the beginning to the high watermark, in as many fetches as it takes; returns the records that
// came, which stand in batches of ten and of one size. Negative: an answer that says otherwise.
std::int64_t read_all(Client& client, const std::string& topic, std::int32_t partition,
                      std::size_t batch_size);

// This process's resident memory.
std::uint64_t resident_bytes();
// GET; the whole response.
std::string http_get(std::uint16_t port, const std::string& target);

template <class Request>
Buffer Client::frame_of(const Request& request, std::int16_t version, std::int32_t correlation) {
  Buffer frame(4);
  wire::Writer writer(frame);
  wire::encode_request_header(
      writer, {static_cast<std::int16_t>(wire::ApiOf<Request>::key), version, correlation, "integration"});
  encode(writer, version, request);
  store_big(frame.data(), static_cast<std::int32_t>(frame.size() - 4));
  return frame;
}

template <class Request, class Response>
std::optional<Answer<Response>> Client::answer(std::int16_t version, int limit_ms) const {
  auto frame = receive(limit_ms);
  if (!frame) return std::nullopt;
  Answer<Response> answer{std::move(*frame), {}};
  wire::Reader reader(answer.frame);
  if (!wire::decode_response_header(reader, wire::ApiOf<Request>::key, version)) return std::nullopt;
  if (!decode(reader, version, answer.body)) return std::nullopt;
  return answer;
}

}  // namespace tailwater::integration
