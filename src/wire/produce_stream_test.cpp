// Goal: the streaming reader and writer of Produce do exactly what the struct decoder and encoder do. Method:
// random and damaged requests through both readers, random responses through both writers, in every version.
#include "wire/produce_stream.hpp"

#include <gtest/gtest.h>

#include "wire/api/produce.hpp"
#include "wire/example/example.hpp"
#include "wire/frame.hpp"
#include "wire/header.hpp"

namespace tailwater::wire {
namespace {

const Example& example_named(std::string_view name) {
  for (const Example* example : all_examples()) {
    if (example->name == name) return *example;
  }
  ADD_FAILURE() << "no message " << name;
  return *all_examples().front();
}

ProduceRequest walk(ProduceReader& reader) {
  ProduceRequest request;
  if (reader.transactional_id()) request.transactional_id = std::string(*reader.transactional_id());
  request.acks = reader.acks();
  request.timeout_ms = reader.timeout_ms();
  while (reader.next_topic()) {
    auto& topic = request.topic_data.emplace_back();
    topic.name = reader.topic_name();
    topic.topic_id = reader.topic_id();
    while (reader.next_partition()) {
      topic.partition_data.push_back({reader.partition().index, reader.partition().records});
    }
    EXPECT_EQ(topic.partition_data.size(), reader.topic_partitions());
  }
  return request;
}

void expect_same(const Buffer& bytes, std::int16_t version) {
  Reader reader(bytes);
  ProduceRequest expected;
  const auto outcome = decode(reader, version, expected);
  auto stream = ProduceReader::open(bytes, version);
  ASSERT_EQ(stream.has_value(), outcome.has_value());
  if (!outcome) return;
  EXPECT_EQ(walk(*stream), expected);
  std::size_t partitions = 0;
  std::size_t record_bytes = 0;
  for (const auto& topic : expected.topic_data) {
    for (const auto& partition : topic.partition_data) {
      ++partitions;
      record_bytes += partition.records.value_or(Bytes{}).size();
    }
  }
  EXPECT_EQ(stream->topics(), expected.topic_data.size());
  EXPECT_EQ(stream->partitions(), partitions);
  EXPECT_EQ(stream->record_bytes(), record_bytes);
}

TEST(produce_reader, reads_what_the_struct_decoder_reads) {
  const Example& example = example_named("ProduceRequest");
  Prng prng(1);
  for (std::int16_t version = example.min_version; version <= example.max_version; ++version) {
    for (int turn = 0; turn < 200; ++turn) expect_same(example.make(prng, version), version);
  }
}

TEST(produce_reader, accepts_and_refuses_damaged_bytes_as_the_struct_decoder_does) {
  const Example& example = example_named("ProduceRequest");
  Prng prng(2);
  for (std::int16_t version = example.min_version; version <= example.max_version; ++version) {
    for (int turn = 0; turn < 500; ++turn) {
      Buffer bytes = example.make(prng, version);
      const std::uint64_t at = prng.below(bytes.size());
      bytes[at] = static_cast<std::byte>(prng.next());
      if (prng.one_in(3)) bytes.resize(prng.below(bytes.size()));
      expect_same(bytes, version);
    }
  }
}

TEST(produce_reader, skipping_partitions_and_walking_again_lose_nothing) {
  const Example& example = example_named("ProduceRequest");
  Prng prng(3);
  for (std::int16_t version = example.min_version; version <= example.max_version; ++version) {
    const Buffer bytes = example.make(prng, version);
    auto stream = ProduceReader::open(bytes, version);
    ASSERT_TRUE(stream.has_value());
    std::size_t topics = 0;
    while (stream->next_topic()) ++topics;
    EXPECT_EQ(topics, stream->topics());
    stream->rewind();
    const ProduceRequest first = walk(*stream);
    stream->rewind();
    EXPECT_EQ(walk(*stream), first);
  }
}

TEST(produce_reader, refuses_versions_that_produce_does_not_have) {
  const Buffer bytes(64);
  EXPECT_EQ(ProduceReader::open(bytes, 2).error().code, Errc::unsupported);
  EXPECT_EQ(ProduceReader::open(bytes, 14).error().code, Errc::unsupported);
}

// The struct's content through the streaming writer.
Buffer stream_out(const ProduceResponse& response, std::int16_t version, std::int32_t correlation_id) {
  Buffer buffer;
  ProduceResponseWriter writer(buffer, version, correlation_id, response.responses.size());
  for (const auto& topic : response.responses) {
    writer.topic(topic.name, topic.topic_id, topic.partition_responses.size());
    for (const auto& partition : topic.partition_responses) {
      std::vector<ProduceRecordError> errors;
      for (const auto& error : partition.record_errors) {
        errors.push_back({error.batch_index, error.batch_index_error_message});
      }
      writer.partition({.partition = partition.index,
                        .error = partition.error_code,
                        .base_offset = partition.base_offset,
                        .log_append_time_ms = partition.log_append_time_ms,
                        .log_start_offset = partition.log_start_offset,
                        .record_errors = errors,
                        .error_message = partition.error_message,
                        .leader_id = partition.current_leader.leader_id,
                        .leader_epoch = partition.current_leader.leader_epoch});
    }
  }
  std::vector<NodeEndpointView> endpoints;
  for (const auto& endpoint : response.node_endpoints) {
    endpoints.push_back({endpoint.node_id, endpoint.host, endpoint.port, endpoint.rack});
  }
  writer.finish(response.throttle_time_ms, endpoints);
  return buffer;
}

TEST(produce_response_writer, writes_what_the_struct_encoder_writes) {
  const Example& example = example_named("ProduceResponse");
  Prng prng(4);
  for (std::int16_t version = example.min_version; version <= example.max_version; ++version) {
    for (int turn = 0; turn < 200; ++turn) {
      const Buffer body = example.make(prng, version);
      Reader reader(body);
      ProduceResponse response;
      ASSERT_TRUE(decode(reader, version, response).has_value());
      Buffer expected;
      const std::size_t frame = begin_frame(expected);
      Writer writer(expected);
      encode_response_header(writer, ApiKey::produce, version, 77);
      encode(writer, version, response);
      end_frame(expected, frame);
      EXPECT_EQ(stream_out(response, version, 77), expected) << "v" << version;
    }
  }
}

TEST(produce_response_writer, drops_leader_hints_from_versions_that_lack_them) {
  ProduceResponse response;
  auto& partition = response.responses.emplace_back().partition_responses.emplace_back();
  partition.current_leader.leader_id = 4;
  response.node_endpoints.push_back({4, "host", 9092, std::nullopt});
  const Buffer buffer = stream_out(response, 9, 1);
  Reader reader(Bytes(buffer).subspan(4 + 5));
  ProduceResponse decoded;
  ASSERT_TRUE(decode(reader, 9, decoded).has_value());
  EXPECT_EQ(reader.remaining(), 0U);
  EXPECT_TRUE(decoded.node_endpoints.empty());
}

}  // namespace
}  // namespace tailwater::wire
