// For tests that ask a simulated broker as a client would: a world of one broker, and a line to it that sends
// frames (well-formed or not) and waits, in simulated time, for what comes back. Included by tests only.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "records/builder.hpp"
#include "sim/agenda.hpp"
#include "sim/broker.hpp"
#include "sim/digest.hpp"
#include "sim/disk.hpp"
#include "wire/api/create_topics.hpp"
#include "wire/api/fetch.hpp"
#include "wire/api/find_coordinator.hpp"
#include "wire/api/metadata.hpp"
#include "wire/api/produce.hpp"
#include "wire/header.hpp"
#include "wire/reader.hpp"
#include "wire/writer.hpp"

namespace tailwater::sim {

class TestWorld {
 public:
  explicit TestWorld(std::uint32_t shards, std::uint64_t seed = 1, cluster::ConfigValues settings = {},
                     std::vector<std::string> log_dirs = {"d"})
      : agenda(seed),
        disk(agenda, digest),
        broker(
            agenda, digest, disk,
            BrokerSetup{.shards = shards, .log_dirs = std::move(log_dirs), .settings = std::move(settings)}) {
    start();
  }

  void start() {
    broker.start();
    EXPECT_TRUE(until([this] { return broker.accepting(); })) << "the broker does not start";
  }
  void stop() {
    bool stopped = false;
    broker.stop([&stopped](bool whole) {
      stopped = true;
      EXPECT_TRUE(whole) << "a log directory has failed";
    });
    EXPECT_TRUE(until([&stopped] { return stopped; })) << "the broker does not stop";
  }

  // Lets things happen until `holds`; false if it does not within simulated time.
  template <class Condition>
  bool until(Condition holds, Duration limit = Duration::from_ms(60'000)) {
    const Instant end = agenda.now() + limit;
    while (!holds()) {
      if (!agenda.step(end)) return holds();
    }
    return true;
  }
  // Lets everything happen that happens within this time.
  void pass(Duration time) {
    bool over = false;
    agenda.after(time, [&over] { over = true; });
    until([&over] { return over; }, time + time);
  }

  Agenda agenda;
  Digest digest;
  Disk disk;
  Broker broker;
};

// A connection that tests hold in their hands. Requests may be sent without waiting for answers.
class Line : public Wire {
 public:
  explicit Line(TestWorld& world, std::string name = "test") : world_(world), name_(std::move(name)) {
    connection_ = world_.broker.connect(*this);
    EXPECT_NE(connection_, 0U) << "the broker does not accept";
  }
  ~Line() override {
    if (connection_ != 0) world_.broker.disconnect(connection_);
  }
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  void send_raw(Buffer bytes) {
    if (connection_ != 0) world_.broker.send(connection_, std::move(bytes));
  }

  // Sends a request and returns its correlation id.
  template <class Request>
  std::int32_t post(std::int16_t version, const Request& request) {
    Buffer frame = frame_of(static_cast<std::int16_t>(wire::ApiOf<Request>::key), version);
    wire::Writer writer(frame);
    encode(writer, version, request);
    store_big(frame.data(), static_cast<std::uint32_t>(frame.size() - 4));
    send_raw(std::move(frame));
    return correlation_;
  }
  // A frame with a header and no body; the size field is to be filled in.
  Buffer frame_of(std::int16_t key, std::int16_t version) {
    Buffer frame(4);
    wire::Writer writer(frame);
    wire::encode_request_header(
        writer,
        {.api_key = key, .api_version = version, .correlation_id = ++correlation_, .client_id = name_});
    store_big(frame.data(), static_cast<std::uint32_t>(frame.size() - 4));
    return frame;
  }

  // Waits for the next answer, which must be the one to `correlation` and end where its message ends.
  template <class Request>
  typename wire::ApiOf<Request>::Response take(std::int16_t version, std::int32_t correlation) {
    typename wire::ApiOf<Request>::Response response;
    if (!world_.until([this] { return whole_frame() || !open(); }) || !whole_frame()) {
      ADD_FAILURE() << Request::kName << " v" << version << (open() ? " is not answered" : " was cut off");
      return response;
    }
    const Bytes body = take_frame();
    wire::Reader reader(body);
    const auto answered = wire::decode_response_header(reader, wire::ApiOf<Request>::key, version);
    EXPECT_TRUE(answered.has_value());
    if (!answered) return response;
    EXPECT_EQ(*answered, correlation) << Request::kName;
    EXPECT_TRUE(decode(reader, version, response).has_value()) << Request::kName << " v" << version;
    EXPECT_EQ(reader.remaining(), 0U) << Request::kName << " v" << version;
    return response;
  }

  template <class Request>
  typename wire::ApiOf<Request>::Response ask(std::int16_t version, const Request& request) {
    const std::int32_t correlation = post(version, request);
    return take<Request>(version, correlation);
  }

  bool open() const { return connection_ != 0; }
  bool whole_frame() const {
    return received_.size() >= 4 && received_.size() - 4 >= load_big<std::uint32_t>(received_.data());
  }
  // True if the broker closes this connection soon.
  bool is_closed() {
    return world_.until([this] { return !open(); }, Duration::from_ms(5'000));
  }
  TestWorld& world() { return world_; }

  void bytes_arrived(Bytes bytes) override { received_.insert(received_.end(), bytes.begin(), bytes.end()); }
  void closed() override { connection_ = 0; }

 private:
  // The body lives as long as this line: answers borrow from it.
  Bytes take_frame() {
    const auto end = received_.begin() + 4 + load_big<std::uint32_t>(received_.data());
    kept_.emplace_back(received_.begin() + 4, end);
    received_.erase(received_.begin(), end);
    return kept_.back();
  }

  TestWorld& world_;
  std::string name_;
  std::uint64_t connection_ = 0;
  std::int32_t correlation_ = 0;
  Buffer received_;
  std::deque<Buffer> kept_;
};

// --- what many tests ask

using Settings = std::vector<std::pair<std::string, std::string>>;

inline wire::CreateTopicsRequest creation(std::string_view name, std::int32_t partitions,
                                          const Settings& settings = {}) {
  wire::CreateTopicsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = name;
  topic.num_partitions = partitions;
  topic.replication_factor = 1;
  for (const auto& [key, value] : settings) topic.configs.push_back({.name = key, .value = value});
  return request;
}

// Makes a topic and returns its id.
inline Uuid create_topic(Line& line, std::string_view name, std::int32_t partitions,
                         const Settings& settings = {}) {
  const auto response = line.ask(7, creation(name, partitions, settings));
  EXPECT_EQ(response.topics.at(0).error_code, wire::ErrorCode::none)
      << response.topics.at(0).error_message.value_or("");
  return response.topics.at(0).topic_id;
}

// Records named `first`, `first` + 1, ... of `size` bytes each.
inline Buffer batch_of(std::int32_t count, std::int64_t timestamp, records::BatchOptions options = {},
                       std::size_t size = 10) {
  records::BatchBuilder builder(options);
  for (std::int32_t number = 0; number < count; ++number) {
    std::string value = std::to_string(number);
    value.resize(std::max(value.size(), size), '.');
    EXPECT_TRUE(builder.add(timestamp + number, std::nullopt, as_bytes(value)));
  }
  Buffer batch;
  EXPECT_TRUE(builder.finish(batch).has_value());
  return batch;
}

inline wire::ProduceRequest production(std::string_view topic, std::int32_t partition, Bytes records,
                                       std::int16_t acks = -1) {
  wire::ProduceRequest request;
  request.acks = acks;
  request.timeout_ms = 30'000;
  auto& data = request.topic_data.emplace_back();
  data.name = topic;
  data.partition_data.push_back({.index = partition, .records = records});
  return request;
}

inline wire::ProduceResponsePartitionProduceResponse produce(Line& line, std::string_view topic,
                                                             std::int32_t partition, Bytes records,
                                                             std::int16_t acks = -1,
                                                             std::int16_t version = 12) {
  const auto response = line.ask(version, production(topic, partition, records, acks));
  return response.responses.at(0).partition_responses.at(0);
}

inline wire::FetchRequest fetching(std::string_view topic, std::int32_t partition, std::int64_t offset) {
  wire::FetchRequest request;
  request.max_bytes = 1 << 26;
  auto& wanted = request.topics.emplace_back();
  wanted.topic = topic;
  wanted.partitions.push_back(
      {.partition = partition, .fetch_offset = offset, .partition_max_bytes = 1 << 20});
  return request;
}

inline wire::FetchResponsePartitionData fetch(Line& line, std::string_view topic, std::int32_t partition,
                                              std::int64_t offset) {
  const auto response = line.ask(12, fetching(topic, partition, offset));
  EXPECT_EQ(response.error_code, wire::ErrorCode::none);
  return response.responses.at(0).partitions.at(0);
}

// Makes the offsets topic, so that groups have coordinators.
inline void make_coordinators(Line& line) {
  wire::FindCoordinatorRequest request;
  request.key = "any";
  EXPECT_EQ(line.ask(3, request).error_code, wire::ErrorCode::none);
}

// Tests of what does not depend on the number of shards run with one and with three.
class OverShards : public testing::TestWithParam<std::uint32_t> {
 protected:
  TestWorld world{GetParam()};
  Line line{world};
};

}  // namespace tailwater::sim
