// Goal: what the builder makes, readers read back the same, in every form of batch that the broker writes.
// Method: build, parse, walk and compare; each option once; limits at their edge.
#include "records/builder.hpp"

#include <gtest/gtest.h>

#include <string>

#include "records/testing.hpp"
#include "records/validate.hpp"

namespace tailwater::records {
namespace {

using testing::batch_of;
using testing::text_of;

constexpr Codec kCodecs[] = {Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd};

TEST(BatchBuilder, EveryCodecReadsBackTheSame) {
  const Buffer plain = batch_of(50);
  for (const Codec codec : kCodecs) {
    const Buffer bytes = batch_of(50, {.codec = codec});
    const auto batch = parse_batch(bytes);
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->codec(), codec);
    EXPECT_TRUE(batch->crc_matches());
    EXPECT_EQ(batch->records_count(), 50);
    Buffer records;
    ASSERT_TRUE(decompress(codec, batch->records(), 1 << 20, records)) << to_string(codec);
    EXPECT_TRUE(std::ranges::equal(records, Bytes(plain).subspan(kBatchHeaderSize)));
    EXPECT_TRUE(codec == Codec::none || bytes.size() < plain.size());
  }
}

TEST(BatchBuilder, MakesWhatValidationAccepts) {
  for (const Codec codec : kCodecs) {
    for (const std::int32_t count : {1, 2, 300}) {
      const Buffer bytes = batch_of(count, {.codec = codec});
      const auto info = validate_for_produce(bytes, {.compacted = true, .decompress = true}, WallTime{2000});
      ASSERT_TRUE(info) << info.error().message;
      EXPECT_EQ(info->records_count, count);
      EXPECT_FALSE(info->wrong_max_timestamp);
      EXPECT_FALSE(info->wrong_offset_deltas);
    }
  }
}

TEST(BatchBuilder, KeepsHeadersInOrderAndTwice) {
  const HeaderView headers[] = {
      {as_bytes("a"), as_bytes("1")}, {as_bytes("a"), std::nullopt}, {as_bytes(""), Bytes()}};
  BatchBuilder builder;
  ASSERT_TRUE(builder.add(5, std::nullopt, std::nullopt, headers));
  Buffer bytes;
  ASSERT_TRUE(builder.finish(bytes));
  const auto batch = parse_batch(bytes);
  RecordCursor cursor = records_of(*batch);
  const auto record = cursor.next();
  EXPECT_FALSE(record->key);
  EXPECT_FALSE(record->value);
  HeaderCursor read = record->headers();
  auto header = read.next();
  EXPECT_EQ(as_text(header->key), "a");
  EXPECT_EQ(as_text(*header->value), "1");
  header = read.next();
  EXPECT_EQ(as_text(header->key), "a");
  EXPECT_FALSE(header->value);
  header = read.next();
  EXPECT_TRUE(header->key.empty());
  EXPECT_TRUE(header->value && header->value->empty());
  EXPECT_FALSE(read.next());
  EXPECT_FALSE(read.failed());
}

TEST(BatchBuilder, AppendsAndBeginsAnew) {
  BatchBuilder builder({.base_offset = Offset{10}});
  Buffer bytes;
  ASSERT_TRUE(builder.add(1, std::nullopt, as_bytes("one")));
  ASSERT_TRUE(builder.finish(bytes));
  EXPECT_TRUE(builder.empty());
  ASSERT_TRUE(builder.add(9, std::nullopt, as_bytes("two")));
  ASSERT_TRUE(builder.finish(bytes));
  BatchCursor cursor(bytes);
  EXPECT_EQ(cursor.next()->base_timestamp(), 1);
  const auto second = cursor.next();
  EXPECT_EQ(second->base_timestamp(), 9);
  EXPECT_EQ(second->last_offset_delta(), 0);
  EXPECT_FALSE(cursor.next());
}

TEST(BatchBuilder, SizeIsThatOfTheUncompressedBatch) {
  BatchBuilder builder;
  ASSERT_TRUE(builder.add(1, as_bytes("key"), as_bytes("value")));
  const std::size_t size = builder.size();
  Buffer bytes;
  ASSERT_TRUE(builder.finish(bytes));
  EXPECT_EQ(bytes.size(), size);
}

TEST(BatchBuilder, AnEmptyBatchNeedsItsEnd) {
  BatchBuilder builder;
  Buffer bytes;
  EXPECT_EQ(builder.finish(bytes).error().code, Errc::invalid_argument);
  EXPECT_TRUE(bytes.empty());

  builder.reset({.base_offset = Offset{100},
                 .codec = Codec::lz4,
                 .producer_id = ProducerId{5},
                 .producer_epoch = ProducerEpoch{1},
                 .base_sequence = 17,
                 .last_offset_delta = 9,
                 .max_timestamp = 4444});
  ASSERT_TRUE(builder.finish(bytes));
  const auto batch = parse_batch(bytes);
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->size(), kBatchHeaderSize);
  EXPECT_EQ(batch->records_count(), 0);
  EXPECT_EQ(batch->last_offset(), Offset{109});
  EXPECT_EQ(batch->last_sequence(), 26);
  EXPECT_EQ(batch->max_timestamp(), 4444);
  EXPECT_EQ(batch->codec(), Codec::none) << "nothing is not compressed";
  EXPECT_TRUE(batch->crc_matches());
}

TEST(BatchBuilder, CompactionKeepsOffsetsAndTimes) {
  const Buffer source = batch_of(5, {.base_offset = Offset{1000}, .codec = Codec::none});
  const auto from = parse_batch(source);
  BatchBuilder builder({.base_offset = from->base_offset(),
                        .last_offset_delta = from->last_offset_delta(),
                        .delete_horizon = 987'654});
  RecordCursor cursor = records_of(*from);
  while (const auto record = cursor.next()) {
    if (record->offset_delta % 2 == 0) continue;
    ASSERT_TRUE(builder.copy(*record, timestamp_of(*from, *record)));
  }
  Buffer bytes;
  ASSERT_TRUE(builder.finish(bytes));
  const auto batch = parse_batch(bytes);
  EXPECT_EQ(batch->delete_horizon(), 987'654);
  EXPECT_EQ(batch->records_count(), 2);
  EXPECT_EQ(batch->last_offset(), Offset{1004});
  EXPECT_EQ(batch->max_timestamp(), 1003);
  RecordCursor kept = records_of(*batch);
  for (const std::int64_t delta : {1, 3}) {
    const auto record = kept.next();
    ASSERT_TRUE(record);
    EXPECT_EQ(offset_of(*batch, *record), Offset{1000 + delta});
    EXPECT_EQ(timestamp_of(*batch, *record), 1000 + delta);
    EXPECT_EQ(as_text(*record->value), "value-" + std::to_string(delta));
    EXPECT_TRUE(record->has_sound_headers());
    EXPECT_EQ(record->header_count, 1);
  }
  EXPECT_FALSE(kept.next());
  EXPECT_FALSE(kept.fault());
}

TEST(BatchBuilder, RefusesToOutgrowABatch) {
  // The span is never read: the refusal comes first.
  const std::byte one{};
  const Bytes huge(&one, kBatchBytesMax + 1);
  BatchBuilder builder;
  EXPECT_FALSE(builder.add(0, huge, std::nullopt));
  EXPECT_FALSE(builder.add(0, std::nullopt, huge));
  EXPECT_FALSE(builder.add(0, huge.first(kBatchBytesMax / 2), huge.first(kBatchBytesMax / 2)));
  EXPECT_TRUE(builder.empty());
  ASSERT_TRUE(builder.add(0, std::nullopt, std::nullopt));
  EXPECT_EQ(builder.count(), 1);
}

}  // namespace
}  // namespace tailwater::records
