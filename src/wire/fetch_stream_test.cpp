// Goal: the streaming reader and writer of Fetch do exactly what the struct decoder and encoder do. Method:
// random and damaged requests through both readers, random responses through both writers, in every version.
#include "wire/fetch_stream.hpp"

#include <gtest/gtest.h>

#include "wire/api/fetch.hpp"
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

void copy_head(const FetchReader::Head& head, std::int16_t version, FetchRequest& request) {
  if (head.cluster_id) request.cluster_id = std::string(*head.cluster_id);
  if (version <= 14) request.replica_id = head.replica_id;
  if (version >= 15) request.replica_state = {head.replica_id, head.replica_epoch};
  request.max_wait_ms = head.max_wait_ms;
  request.min_bytes = head.min_bytes;
  request.max_bytes = head.max_bytes;
  request.isolation_level = head.isolation_level;
  request.session_id = head.session_id;
  request.session_epoch = head.session_epoch;
  request.rack_id = head.rack_id;
}

void walk_forgotten(FetchReader& reader, FetchRequest& request) {
  while (reader.next_forgotten_topic()) {
    auto& topic = request.forgotten_topics_data.emplace_back();
    topic.topic = reader.topic_name();
    topic.topic_id = reader.topic_id();
    while (reader.next_forgotten_partition()) topic.partitions.push_back(reader.forgotten_partition());
  }
}

FetchRequest walk(FetchReader& reader, std::int16_t version) {
  FetchRequest request;
  copy_head(reader.head(), version, request);
  while (reader.next_topic()) {
    auto& topic = request.topics.emplace_back();
    topic.topic = reader.topic_name();
    topic.topic_id = reader.topic_id();
    while (reader.next_partition()) {
      const auto& from = reader.partition();
      topic.partitions.push_back({from.index, from.current_leader_epoch, from.fetch_offset,
                                  from.last_fetched_epoch, from.log_start_offset, from.partition_max_bytes,
                                  from.replica_directory_id, from.high_watermark});
    }
  }
  walk_forgotten(reader, request);
  return request;
}

void expect_same(const Buffer& bytes, std::int16_t version) {
  Reader reader(bytes);
  FetchRequest expected;
  const auto outcome = decode(reader, version, expected);
  auto stream = FetchReader::open(bytes, version);
  ASSERT_EQ(stream.has_value(), outcome.has_value()) << "v" << version;
  if (!outcome) return;
  EXPECT_EQ(walk(*stream, version), expected) << "v" << version;
  std::size_t partitions = 0;
  for (const auto& topic : expected.topics) partitions += topic.partitions.size();
  EXPECT_EQ(stream->head().topics, expected.topics.size());
  EXPECT_EQ(stream->head().partitions, partitions);
  EXPECT_EQ(stream->head().forgotten_topics, expected.forgotten_topics_data.size());
}

TEST(fetch_reader, reads_what_the_struct_decoder_reads) {
  const Example& example = example_named("FetchRequest");
  Prng prng(1);
  for (std::int16_t version = example.min_version; version <= example.max_version; ++version) {
    for (int turn = 0; turn < 200; ++turn) expect_same(example.make(prng, version), version);
  }
}

TEST(fetch_reader, accepts_and_refuses_damaged_bytes_as_the_struct_decoder_does) {
  const Example& example = example_named("FetchRequest");
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

TEST(fetch_reader, forgotten_topics_can_be_walked_first_and_all_again) {
  const Example& example = example_named("FetchRequest");
  Prng prng(3);
  for (std::int16_t version = example.min_version; version <= example.max_version; ++version) {
    const Buffer bytes = example.make(prng, version);
    auto stream = FetchReader::open(bytes, version);
    ASSERT_TRUE(stream.has_value());
    const FetchRequest whole = walk(*stream, version);
    stream->rewind();
    FetchRequest forgotten;
    walk_forgotten(*stream, forgotten);
    EXPECT_EQ(forgotten.forgotten_topics_data, whole.forgotten_topics_data);
    stream->rewind();
    EXPECT_EQ(walk(*stream, version), whole);
  }
}

// A random response as bytes of the struct encoder; the streaming writer knows no SnapshotId, which only the
// metadata quorum of Kafka sends.
FetchResponse random_response(Prng& prng, std::int16_t version, Buffer& storage) {
  storage = example_named("FetchResponse").make(prng, version);
  Reader reader(storage);
  FetchResponse response;
  EXPECT_TRUE(decode(reader, version, response).has_value());
  for (auto& topic : response.responses) {
    for (auto& partition : topic.partitions) {
      partition.snapshot_id = {};
      if (!partition.records) partition.records = Bytes{};
    }
  }
  return response;
}

FetchOutcome outcome_of(const FetchResponse::PartitionData& partition,
                        const std::vector<FetchAbortedTransaction>& aborted) {
  FetchOutcome outcome{.partition = partition.partition_index,
                       .error = partition.error_code,
                       .high_watermark = partition.high_watermark,
                       .last_stable_offset = partition.last_stable_offset,
                       .log_start_offset = partition.log_start_offset,
                       .diverging_epoch = partition.diverging_epoch.epoch,
                       .diverging_end_offset = partition.diverging_epoch.end_offset,
                       .leader_id = partition.current_leader.leader_id,
                       .leader_epoch = partition.current_leader.leader_epoch,
                       .aborted = std::nullopt,
                       .preferred_read_replica = partition.preferred_read_replica};
  if (partition.aborted_transactions) outcome.aborted = aborted;
  return outcome;
}

// The struct's content through the streaming writer, each partition's records in two payloads.
std::size_t stream_out(const FetchResponse& response, std::int16_t version, Buffer& headers,
                       std::vector<FetchPiece>& pieces) {
  FetchResponseWriter writer(headers, pieces, version,
                             {.correlation_id = 77,
                              .throttle_time_ms = response.throttle_time_ms,
                              .error = response.error_code,
                              .session_id = response.session_id,
                              .topics = response.responses.size()});
  for (const auto& topic : response.responses) {
    writer.topic(topic.topic, topic.topic_id, topic.partitions.size());
    for (const auto& partition : topic.partitions) {
      std::vector<FetchAbortedTransaction> aborted;
      if (partition.aborted_transactions) {
        for (const auto& from : *partition.aborted_transactions) {
          aborted.push_back({from.producer_id, from.first_offset});
        }
      }
      writer.partition(outcome_of(partition, aborted), partition.records->size());
      const std::size_t half = partition.records->size() / 2;
      writer.payload(partition.records->first(half));
      writer.payload(partition.records->subspan(half));
    }
  }
  std::vector<NodeEndpointView> endpoints;
  for (const auto& endpoint : response.node_endpoints) {
    endpoints.push_back({endpoint.node_id, endpoint.host, endpoint.port, endpoint.rack});
  }
  return writer.finish(endpoints);
}

Buffer joined(const Buffer& headers, const std::vector<FetchPiece>& pieces) {
  std::vector<Bytes> spans;
  gather(headers, pieces, spans);
  Buffer whole;
  for (const Bytes span : spans) whole.insert(whole.end(), span.begin(), span.end());
  return whole;
}

TEST(fetch_response_writer, writes_what_the_struct_encoder_writes) {
  Prng prng(4);
  for (std::int16_t version = FetchResponse::kMinVersion; version <= FetchResponse::kMaxVersion; ++version) {
    for (int turn = 0; turn < 200; ++turn) {
      Buffer storage;
      const FetchResponse response = random_response(prng, version, storage);
      Buffer expected;
      const std::size_t frame = begin_frame(expected);
      Writer writer(expected);
      encode_response_header(writer, ApiKey::fetch, version, 77);
      encode(writer, version, response);
      end_frame(expected, frame);

      Buffer headers;
      std::vector<FetchPiece> pieces;
      const std::size_t size = stream_out(response, version, headers, pieces);
      EXPECT_EQ(size, expected.size());
      ASSERT_EQ(joined(headers, pieces), expected) << "v" << version;
    }
  }
}

TEST(fetch_response_writer, several_responses_share_their_buffers) {
  Prng prng(5);
  Buffer headers;
  std::vector<FetchPiece> pieces;
  Buffer expected;
  std::vector<Buffer> storages(10);
  for (Buffer& storage : storages) {
    const FetchResponse response = random_response(prng, 16, storage);
    Buffer alone;
    std::vector<FetchPiece> alone_pieces;
    stream_out(response, 16, alone, alone_pieces);
    const Buffer whole = joined(alone, alone_pieces);
    expected.insert(expected.end(), whole.begin(), whole.end());
    stream_out(response, 16, headers, pieces);
  }
  EXPECT_EQ(joined(headers, pieces), expected);
}

}  // namespace
}  // namespace tailwater::wire
