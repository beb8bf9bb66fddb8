// Goal: a re-encoded batch has the same records, the wanted codec and a header that fits.
// Method: every pair of codecs, wrong deltas, wrong maxima, and blocks that are no records.
#include "records/recompress.hpp"

#include <gtest/gtest.h>

#include "records/record.hpp"
#include "records/testing.hpp"
#include "records/validate.hpp"

namespace tailwater::records {
namespace {

using testing::batch_of;

constexpr Codec kCodecs[] = {Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd};

Buffer opened(const BatchView& batch) {
  Buffer records;
  CHECK(decompress(batch.codec(), batch.records(), 1 << 20, records).has_value());
  return records;
}

TEST(Recompress, EveryCodecToEveryOther) {
  Codecs codecs;
  for (const Codec from : kCodecs) {
    const Buffer source = batch_of(40, {.base_offset = Offset{12},
                                        .leader_epoch = LeaderEpoch{4},
                                        .codec = from,
                                        .producer_id = ProducerId{8},
                                        .producer_epoch = ProducerEpoch{1},
                                        .base_sequence = 3,
                                        .transactional = true});
    const BatchView before = *parse_batch(source);
    for (const Codec to : kCodecs) {
      Buffer out = testing::from_hex("abcd");
      ASSERT_TRUE(recompress(before, {.codec = to}, codecs, out));
      const auto after = parse_batch(Bytes(out).subspan(2));
      ASSERT_TRUE(after);
      EXPECT_EQ(after->size(), out.size() - 2);
      EXPECT_EQ(after->codec(), to);
      EXPECT_TRUE(after->crc_matches());
      EXPECT_EQ(opened(*after), opened(before));
      BatchHeader expected = before.header();
      expected.batch_length = after->batch_length();
      expected.crc = after->crc();
      expected.attributes =
          static_cast<std::uint16_t>((expected.attributes & ~7u) | static_cast<unsigned>(to));
      EXPECT_EQ(after->header(), expected);
      EXPECT_TRUE(from != to || std::ranges::equal(after->bytes(), before.bytes()));
    }
  }
}

// Three records whose deltas have a gap, as a careless client compresses them: header says 0..2.
Buffer with_gaps(Codec codec) {
  const Buffer source = batch_of(200);
  BatchBuilder builder({.codec = codec, .last_offset_delta = 2});
  RecordCursor cursor = records_of(*parse_batch(source));
  while (const auto record = cursor.next()) {
    const bool taken = record->offset_delta == 0 || record->offset_delta == 63 || record->offset_delta == 199;
    if (taken) CHECK(builder.copy(*record, 1000 + record->offset_delta));
  }
  Buffer batch;
  CHECK(builder.finish(batch).has_value());
  return batch;
}

TEST(Recompress, WrongDeltasBecomePositions) {
  Codecs codecs;
  for (const Codec codec : kCodecs) {
    const Buffer source = with_gaps(codec);
    Buffer out;
    ASSERT_TRUE(recompress(*parse_batch(source), {.codec = codec}, codecs, out));
    const auto info =
        validate_for_produce(out, {.compacted = true, .decompress = true}, WallTime{2000}, &codecs);
    ASSERT_TRUE(info) << info.error().message;
    EXPECT_FALSE(info->wrong_offset_deltas);
    EXPECT_EQ(info->max_timestamp, 1199);
    EXPECT_EQ(info->records_count, 3);
    const BatchView after = *parse_batch(out);
    const Buffer records = opened(after);
    RecordCursor cursor(records, 3);
    for (const std::int64_t delta : {0, 63, 199}) {
      const auto record = cursor.next();
      ASSERT_TRUE(record);
      EXPECT_EQ(as_text(*record->value), "value-" + std::to_string(delta));
      EXPECT_EQ(timestamp_of(after, *record), 1000 + delta);
      EXPECT_TRUE(record->has_sound_headers());
    }
  }
}

TEST(Recompress, TheMaximumIsTheRecordsOwn) {
  Codecs codecs;
  Buffer source = batch_of(3);
  set_max_timestamp(source, 99);
  Buffer out;
  ASSERT_TRUE(recompress(*parse_batch(source), {.codec = Codec::zstd}, codecs, out));
  EXPECT_EQ(parse_batch(out)->max_timestamp(), 1002);

  set_log_append_time(source, WallTime{7777});
  out.clear();
  ASSERT_TRUE(recompress(*parse_batch(source), {.codec = Codec::zstd}, codecs, out));
  EXPECT_EQ(parse_batch(out)->max_timestamp(), 7777) << "unless the broker's time stands for all";
}

TEST(Recompress, EmptyBatchesStayAsTheyAre) {
  Codecs codecs;
  const Buffer source = batch_of(0, {.last_offset_delta = 4});
  Buffer out;
  ASSERT_TRUE(recompress(*parse_batch(source), {.codec = Codec::lz4}, codecs, out));
  EXPECT_EQ(out, source);
}

TEST(Recompress, WhatIsNoRecordsIsRefusedAndNothingAppended) {
  Codecs codecs;
  for (const Codec codec : kCodecs) {
    for (const std::int32_t count : {-1, 0, 2, 4}) {
      Buffer source = batch_of(3, {.codec = codec});
      store_big(source.data() + at::kRecordsCount, count);
      Buffer out;
      EXPECT_FALSE(recompress(*parse_batch(source), {.codec = Codec::gzip}, codecs, out)) << count;
      EXPECT_TRUE(out.empty());
    }
    const Buffer source = batch_of(3, {.codec = codec});
    Buffer out;
    const auto capped = recompress(*parse_batch(source), {.codec = Codec::gzip, .cap = 10}, codecs, out);
    ASSERT_FALSE(capped);
    EXPECT_EQ(capped.error().code, Errc::too_large);
    EXPECT_EQ(recompress(*parse_batch(source), {.codec = static_cast<Codec>(6)}, codecs, out).error().code,
              Errc::unsupported);
    EXPECT_TRUE(out.empty());
  }
}

}  // namespace
}  // namespace tailwater::records
