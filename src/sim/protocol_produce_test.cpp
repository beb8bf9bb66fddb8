// Goal: produce is answered, refused and deduplicated as Kafka's producers expect.
// Method: one request after the other over a simulated broker, with one and with three shards.
#include <tuple>

#include "records/batch.hpp"
#include "records/record.hpp"
#include "sim/test_world.hpp"
#include "wire/api/api_versions.hpp"
#include "wire/api/incremental_alter_configs.hpp"
#include "wire/api/list_offsets.hpp"

namespace tailwater::sim {
namespace {

using wire::ErrorCode;

constexpr std::int64_t kTime = 1'700'000'000'000;

class Produce : public OverShards {
 protected:
  // The values of all records from `offset` on, as one text; and the batches' headers in `last`.
  std::string read(std::string_view topic, std::int32_t partition, std::int64_t offset) {
    const auto part = fetch(line, topic, partition, offset);
    EXPECT_EQ(part.error_code, ErrorCode::none);
    std::string text;
    records::BatchCursor cursor(part.records.value_or(Bytes{}));
    while (const auto batch = cursor.next()) {
      EXPECT_TRUE(batch->crc_matches());
      last = batch->header();
      last_codec = batch->codec();
      if (last_codec != records::Codec::none) continue;
      auto all = records::records_of(*batch);
      while (const auto record = all.next()) {
        text += std::string(as_text(record->value.value_or(Bytes{}))) + " ";
      }
    }
    return text;
  }

  records::BatchHeader last;
  records::Codec last_codec{};
};

TEST_P(Produce, offsets_are_dense_per_partition) {
  create_topic(line, "t", 3);
  EXPECT_EQ(produce(line, "t", 0, batch_of(3, kTime)).base_offset, 0);
  EXPECT_EQ(produce(line, "t", 0, batch_of(2, kTime)).base_offset, 3);
  EXPECT_EQ(produce(line, "t", 1, batch_of(1, kTime)).base_offset, 0);
  const auto answer = produce(line, "t", 0, batch_of(1, kTime));
  EXPECT_EQ(answer.base_offset, 5);
  EXPECT_EQ(answer.log_append_time_ms, -1) << "CreateTime";
  EXPECT_EQ(answer.log_start_offset, 0);
  EXPECT_EQ(read("t", 0, 0), "0......... 1......... 2......... 0......... 1......... 0......... ");
}

TEST_P(Produce, many_partitions_in_one_request) {
  create_topic(line, "t", 6);
  const Buffer batch = batch_of(2, kTime);
  wire::ProduceRequest request = production("t", 0, batch);
  for (std::int32_t partition = 1; partition < 7; ++partition) {  // the last one does not exist
    request.topic_data[0].partition_data.push_back({.index = partition, .records = Bytes(batch)});
  }
  const auto response = line.ask(12, request);
  ASSERT_EQ(response.responses.size(), 1U);
  const auto& parts = response.responses[0].partition_responses;
  ASSERT_EQ(parts.size(), 7U);
  for (std::size_t index = 0; index < 6; ++index) {
    EXPECT_EQ(parts[index].index, static_cast<std::int32_t>(index));
    EXPECT_EQ(parts[index].error_code, ErrorCode::none);
    EXPECT_EQ(parts[index].base_offset, 0);
  }
  EXPECT_EQ(parts[6].error_code, ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(parts[6].base_offset, -1);
}

TEST_P(Produce, by_topic_id) {
  const Uuid id = create_topic(line, "t", 1);
  const Buffer batch = batch_of(1, kTime);
  wire::ProduceRequest request = production("", 0, batch);
  request.topic_data[0].topic_id = id;
  EXPECT_EQ(line.ask(13, request).responses.at(0).partition_responses.at(0).error_code, ErrorCode::none);
  request.topic_data[0].topic_id = Uuid{3, 4};
  const auto response = line.ask(13, request);
  EXPECT_EQ(response.responses.at(0).topic_id, (Uuid{3, 4}));
  EXPECT_EQ(response.responses.at(0).partition_responses.at(0).error_code, ErrorCode::unknown_topic_id);
}

TEST_P(Produce, acks) {
  create_topic(line, "t", 1);
  EXPECT_EQ(produce(line, "t", 0, batch_of(1, kTime), 1).base_offset, 0);
  EXPECT_EQ(produce(line, "t", 0, batch_of(1, kTime), -1).base_offset, 1);
  for (const std::int16_t acks : std::initializer_list<std::int16_t>{2, -2, 99}) {
    EXPECT_EQ(produce(line, "t", 0, batch_of(1, kTime), acks).error_code, ErrorCode::invalid_required_acks);
  }
  // acks=0 is not answered: what comes next is the answer to the next request.
  const Buffer batch = batch_of(1, kTime);
  line.post(12, production("t", 0, batch, 0));
  EXPECT_EQ(line.ask(0, wire::ApiVersionsRequest{}).error_code, ErrorCode::none);
  EXPECT_TRUE(world.until([&] { return fetch(line, "t", 0, 0).high_watermark == 3; }));
}

TEST_P(Produce, acks_0_that_fails_closes_the_connection) {
  Line hasty(world);
  const Buffer batch = batch_of(1, kTime);
  hasty.post(12, production("unknown", 0, batch, 0));
  EXPECT_TRUE(hasty.is_closed());
  EXPECT_FALSE(hasty.whole_frame());
}

TEST_P(Produce, requests_in_flight_are_answered_in_their_order) {
  create_topic(line, "t", 4);
  std::vector<std::int32_t> correlations;
  const Buffer batch = batch_of(1, kTime);
  for (std::int32_t count = 0; count < 20; ++count) {
    correlations.push_back(line.post(12, production("t", count % 4, batch)));
  }
  for (std::int32_t count = 0; count < 20; ++count) {
    const auto response = line.take<wire::ProduceRequest>(12, correlations[static_cast<std::size_t>(count)]);
    const auto& part = response.responses.at(0).partition_responses.at(0);
    EXPECT_EQ(part.index, count % 4);
    EXPECT_EQ(part.base_offset, count / 4);
  }
}

TEST_P(Produce, what_the_topic_permits_is_taken_although_the_journal_is_too_small_for_it) {
  create_topic(line, "t", 1, {{"max.message.bytes", "6000000"}});
  const Buffer large = batch_of(1, kTime, {}, 5'000'000);
  const Buffer small = batch_of(1, kTime);
  const std::int32_t first = line.post(12, production("t", 0, large));
  const std::int32_t second = line.post(12, production("t", 0, small));
  std::int64_t expected = 0;
  for (const std::int32_t asked : {first, second}) {
    const auto part = line.take<wire::ProduceRequest>(12, asked).responses.at(0).partition_responses.at(0);
    EXPECT_EQ(part.error_code, ErrorCode::none);
    EXPECT_EQ(part.base_offset, expected++);
  }
}

TEST_P(Produce, what_is_refused) {
  create_topic(line, "t", 1, {{"max.message.bytes", "1000"}});
  EXPECT_EQ(produce(line, "unknown", 0, batch_of(1, kTime)).error_code,
            ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(produce(line, "t", 9, batch_of(1, kTime)).error_code, ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(produce(line, "t", -1, batch_of(1, kTime)).error_code, ErrorCode::unknown_topic_or_partition);

  Buffer torn = batch_of(1, kTime);
  torn.back() ^= std::byte{1};
  EXPECT_EQ(produce(line, "t", 0, torn).error_code, ErrorCode::corrupt_message);
  EXPECT_EQ(produce(line, "t", 0, batch_of(1, kTime, {}, 2'000)).error_code, ErrorCode::message_too_large);
  EXPECT_EQ(produce(line, "t", 0, Bytes{}).error_code, ErrorCode::invalid_record);
  Buffer two = batch_of(1, kTime);
  const Buffer second = batch_of(1, kTime);
  two.insert(two.end(), second.begin(), second.end());
  EXPECT_EQ(produce(line, "t", 0, two).error_code, ErrorCode::invalid_record);
  const Buffer transactional = batch_of(1, kTime,
                                        {.producer_id = ProducerId{5},
                                         .producer_epoch = ProducerEpoch{0},
                                         .base_sequence = 0,
                                         .transactional = true});
  EXPECT_NE(produce(line, "t", 0, transactional).error_code, ErrorCode::none);

  EXPECT_EQ(fetch(line, "t", 0, 0).high_watermark, 0) << "nothing was appended";
  EXPECT_EQ(produce(line, "t", 0, batch_of(1, kTime)).base_offset, 0);
}

TEST_P(Produce, internal_topics_are_the_brokers_own) {
  make_coordinators(line);
  const auto answer = produce(line, "__consumer_offsets", 0, batch_of(1, kTime));
  EXPECT_EQ(answer.error_code, ErrorCode::invalid_topic_exception);
}

TEST_P(Produce, compacted_topics_need_keys) {
  create_topic(line, "t", 1, {{"cleanup.policy", "compact"}});
  const auto answer = produce(line, "t", 0, batch_of(2, kTime));
  EXPECT_EQ(answer.error_code, ErrorCode::invalid_record);
  EXPECT_EQ(answer.record_errors.size(), 2U);
}

// --- idempotent producers

Buffer numbered(std::int64_t producer, std::int16_t epoch, std::int32_t sequence, std::int32_t count = 2) {
  return batch_of(count, kTime,
                  {.producer_id = ProducerId{producer},
                   .producer_epoch = ProducerEpoch{epoch},
                   .base_sequence = sequence});
}

TEST_P(Produce, a_batch_sent_again_is_answered_with_its_first_offset) {
  create_topic(line, "t", 1);
  EXPECT_EQ(produce(line, "t", 0, numbered(7, 0, 0)).base_offset, 0);
  EXPECT_EQ(produce(line, "t", 0, numbered(7, 0, 2)).base_offset, 2);
  const auto again = produce(line, "t", 0, numbered(7, 0, 0));
  EXPECT_EQ(again.error_code, ErrorCode::none);
  EXPECT_EQ(again.base_offset, 0);
  EXPECT_EQ(produce(line, "t", 0, numbered(7, 0, 2)).base_offset, 2);
  EXPECT_EQ(fetch(line, "t", 0, 0).high_watermark, 4);
  EXPECT_EQ(produce(line, "t", 0, numbered(8, 0, 0)).base_offset, 4) << "another producer";
}

TEST_P(Produce, a_gap_in_the_sequence_is_refused) {
  create_topic(line, "t", 1);
  EXPECT_EQ(produce(line, "t", 0, numbered(7, 0, 0)).error_code, ErrorCode::none);
  EXPECT_EQ(produce(line, "t", 0, numbered(7, 0, 5)).error_code, ErrorCode::out_of_order_sequence_number);
  EXPECT_EQ(produce(line, "t", 0, numbered(7, 0, 2)).base_offset, 2);
}

TEST_P(Produce, an_older_epoch_is_fenced) {
  create_topic(line, "t", 1);
  EXPECT_EQ(produce(line, "t", 0, numbered(7, 3, 0)).error_code, ErrorCode::none);
  EXPECT_EQ(produce(line, "t", 0, numbered(7, 2, 2)).error_code, ErrorCode::invalid_producer_epoch);
  EXPECT_EQ(produce(line, "t", 0, numbered(7, 4, 0)).error_code, ErrorCode::none);
}

TEST_P(Produce, duplicates_are_known_after_a_restart) {
  create_topic(line, "t", 1);
  EXPECT_EQ(produce(line, "t", 0, numbered(7, 0, 0)).base_offset, 0);
  world.stop();
  world.start();
  Line after(world);
  EXPECT_EQ(produce(after, "t", 0, numbered(7, 0, 0)).base_offset, 0);
  EXPECT_EQ(produce(after, "t", 0, numbered(7, 0, 2)).base_offset, 2);
}

// --- topics that change what they are given

TEST_P(Produce, log_append_time) {
  create_topic(line, "t", 1, {{"message.timestamp.type", "LogAppendTime"}});
  const std::int64_t now = world.agenda.both().wall.ms;
  const auto answer = produce(line, "t", 0, batch_of(2, 1));
  EXPECT_EQ(answer.error_code, ErrorCode::none);
  EXPECT_GE(answer.log_append_time_ms, now);
  read("t", 0, 0);
  EXPECT_EQ(last.max_timestamp, answer.log_append_time_ms);
}

TEST_P(Produce, compression_is_the_topics_or_the_producers) {
  for (const auto& [name, codec] : {std::pair{"gzip", records::Codec::gzip},
                                    {"snappy", records::Codec::snappy},
                                    {"lz4", records::Codec::lz4},
                                    {"zstd", records::Codec::zstd},
                                    {"uncompressed", records::Codec::none}}) {
    create_topic(line, std::string("to-") + name, 1, {{"compression.type", name}});
    for (const auto sent : {records::Codec::none, records::Codec::lz4, records::Codec::zstd}) {
      const auto answer = produce(line, std::string("to-") + name, 0, batch_of(50, kTime, {.codec = sent}));
      EXPECT_EQ(answer.error_code, ErrorCode::none) << name;
      read(std::string("to-") + name, 0, answer.base_offset);
      EXPECT_EQ(last_codec, codec) << name;
      EXPECT_EQ(last.base_offset.value, answer.base_offset);
    }
  }
  create_topic(line, "as-sent", 1);
  const auto answer = produce(line, "as-sent", 0, batch_of(50, kTime, {.codec = records::Codec::zstd}));
  read("as-sent", 0, answer.base_offset);
  EXPECT_EQ(last_codec, records::Codec::zstd);
  EXPECT_EQ(
      produce(line, "as-sent", 0, batch_of(5, kTime, {.codec = records::Codec::zstd}), -1, 6).error_code,
      ErrorCode::unsupported_compression_type)
      << "zstd came with version 7";
}

TEST_P(Produce, records_beyond_the_decompressed_bound_are_refused) {
  const records::BatchOptions gzip{.codec = records::Codec::gzip};
  create_topic(line, "t", 1, {{"max.decompressed.message.bytes", "1000"}});
  EXPECT_EQ(produce(line, "t", 0, batch_of(3, kTime, gzip, 900)).error_code, ErrorCode::none)
      << "each record counts by itself";
  EXPECT_EQ(produce(line, "t", 0, batch_of(1, kTime, gzip, 1'100)).error_code, ErrorCode::invalid_record);
  EXPECT_EQ(produce(line, "t", 0, batch_of(1, kTime, {}, 1'100)).error_code, ErrorCode::none)
      << "it came without compression";
  EXPECT_EQ(fetch(line, "t", 0, 0).high_watermark, 4);

  TestWorld strict(1, 1, {{"max.decompressed.message.bytes", "2000"}});
  Line other(strict);
  create_topic(other, "t", 1);
  EXPECT_EQ(produce(other, "t", 0, batch_of(1, kTime, gzip, 1'900)).error_code, ErrorCode::none);
  EXPECT_EQ(produce(other, "t", 0, batch_of(1, kTime, gzip, 2'100)).error_code, ErrorCode::invalid_record);
}

TEST_P(Produce, a_larger_decompressed_bound_lets_larger_batches_be_opened) {
  constexpr std::size_t kSize = 5 << 20;
  const Buffer batch = batch_of(2, kTime, {.codec = records::Codec::zstd}, kSize);
  create_topic(line, "usual", 1, {{"compression.type", "gzip"}});
  EXPECT_EQ(produce(line, "usual", 0, batch).error_code, ErrorCode::invalid_record) << "more than 8 MiB";
  create_topic(line, "large", 1,
               {{"compression.type", "gzip"}, {"max.decompressed.message.bytes", "12000000"}});
  EXPECT_EQ(produce(line, "large", 0, batch).error_code, ErrorCode::none);
  read("large", 0, 0);
  EXPECT_EQ(last_codec, records::Codec::gzip);

  wire::ListOffsetsRequest request;
  auto& asked = request.topics.emplace_back();
  asked.name = "large";
  asked.partitions.push_back({.partition_index = 0, .timestamp = kTime});
  const auto found = line.ask(7, request).topics.at(0).partitions.at(0);
  EXPECT_EQ(found.offset, 0) << "what was taken can be searched";
  EXPECT_EQ(found.timestamp, kTime);
}

TEST_P(Produce, what_the_topics_compression_makes_too_large_is_refused) {
  create_topic(line, "t", 1, {{"compression.type", "uncompressed"}, {"max.message.bytes", "1000"}});
  const records::BatchOptions gzip{.codec = records::Codec::gzip};
  const Buffer small = batch_of(1, kTime, gzip, 3'000);
  ASSERT_LT(small.size(), 1'000U);
  EXPECT_EQ(produce(line, "t", 0, small).error_code, ErrorCode::message_too_large);
  EXPECT_EQ(fetch(line, "t", 0, 0).high_watermark, 0) << "nothing was appended";
  EXPECT_EQ(produce(line, "t", 0, batch_of(1, kTime, gzip, 500)).error_code, ErrorCode::none);
}

TEST_P(Produce, a_changed_configuration_holds_for_the_next_batch) {
  create_topic(line, "t", 4);
  wire::IncrementalAlterConfigsRequest request;
  auto& resource = request.resources.emplace_back();
  resource.resource_type = 2;
  resource.resource_name = "t";
  resource.configs.push_back({.name = "max.message.bytes", .config_operation = 0, .value = "500"});
  EXPECT_EQ(line.ask(1, request).responses.at(0).error_code, ErrorCode::none);
  for (std::int32_t partition = 0; partition < 4; ++partition) {
    EXPECT_EQ(produce(line, "t", partition, batch_of(1, kTime, {}, 900)).error_code,
              ErrorCode::message_too_large);
  }
}

INSTANTIATE_TEST_SUITE_P(Shards, Produce, testing::Values(1U, 3U));

}  // namespace
}  // namespace tailwater::sim
