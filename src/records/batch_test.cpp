// Goal: a batch's fields read and patch as the format says, and no bytes whatever break the reader.
// Method: a batch written by another implementation byte for byte, all truncations, all single byte changes.
#include "records/batch.hpp"

#include <gtest/gtest.h>

#include "records/builder.hpp"
#include "records/record.hpp"
#include "records/testing.hpp"

namespace tailwater::records {
namespace {

using testing::batch_of;

TEST(Batch, ReadsEveryField) {
  const Buffer bytes = batch_of(3, {.base_offset = Offset{77},
                                    .leader_epoch = LeaderEpoch{5},
                                    .producer_id = ProducerId{4711},
                                    .producer_epoch = ProducerEpoch{3},
                                    .base_sequence = 2147483646,
                                    .transactional = true});
  const auto batch = parse_batch(bytes);
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->size(), bytes.size());
  EXPECT_EQ(batch->batch_length(), static_cast<std::int32_t>(bytes.size()) - 12);
  EXPECT_EQ(batch->base_offset(), Offset{77});
  EXPECT_EQ(batch->last_offset(), Offset{79});
  EXPECT_EQ(batch->leader_epoch(), LeaderEpoch{5});
  EXPECT_EQ(batch->magic(), 2);
  EXPECT_EQ(batch->base_timestamp(), 1000);
  EXPECT_EQ(batch->max_timestamp(), 1002);
  EXPECT_EQ(batch->producer_id(), ProducerId{4711});
  EXPECT_EQ(batch->producer_epoch(), ProducerEpoch{3});
  EXPECT_EQ(batch->base_sequence(), 2147483646);
  EXPECT_EQ(batch->last_sequence(), 0) << "2147483646, 2147483647, then 0";
  EXPECT_EQ(batch->records_count(), 3);
  EXPECT_TRUE(batch->is_transactional());
  EXPECT_FALSE(batch->is_control());
  EXPECT_FALSE(batch->delete_horizon());
  EXPECT_EQ(batch->codec(), Codec::none);
  EXPECT_TRUE(batch->crc_matches());
  const BatchHeader header = batch->header();
  EXPECT_EQ(header.base_offset, batch->base_offset());
  EXPECT_EQ(header.crc, batch->crc());
  EXPECT_EQ(header.records_count, 3);
}

TEST(Batch, SequencesWrapAsKafkaCountsThem) {
  EXPECT_EQ(sequence_after(0, 5), 5);
  EXPECT_EQ(sequence_after(2147483647, 0), 2147483647);
  EXPECT_EQ(sequence_after(2147483647, 1), 0);
  EXPECT_EQ(sequence_after(2147483647, 2), 1);
  EXPECT_EQ(sequence_after(kNoSequence, 4), kNoSequence);
}

TEST(Batch, EveryTruncationIsCalledTruncated) {
  const Buffer bytes = batch_of(2);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto batch = parse_batch(Bytes(bytes).first(size));
    ASSERT_FALSE(batch) << size;
    EXPECT_EQ(batch.error().code, Errc::truncated) << size;
  }
}

TEST(Batch, ImpossibleLengthsAndOtherFormatsAreToldApart) {
  Buffer bytes = batch_of(1);
  const auto code_with_length = [&](std::int32_t length) {
    Buffer changed = bytes;
    store_big(changed.data() + at::kBatchLength, length);
    const auto batch = parse_batch(changed);
    return batch ? std::optional<Errc>() : batch.error().code;
  };
  EXPECT_EQ(code_with_length(0), Errc::malformed);
  EXPECT_EQ(code_with_length(-1), Errc::malformed);
  EXPECT_EQ(code_with_length(INT32_MIN), Errc::malformed);
  EXPECT_EQ(code_with_length(48), Errc::malformed);
  EXPECT_EQ(code_with_length(INT32_MAX), Errc::truncated);
  EXPECT_EQ(code_with_length(49), std::nullopt);
  for (int magic = -128; magic < 128; ++magic) {
    if (magic == 2) continue;
    bytes[at::kMagic] = static_cast<std::byte>(magic);
    const auto batch = parse_batch(bytes);
    ASSERT_FALSE(batch);
    EXPECT_EQ(batch.error().code, Errc::unsupported);
  }
  // A preallocated, never written piece of a segment.
  EXPECT_EQ(parse_batch(Buffer(4096)).error().code, Errc::malformed);
}

TEST(Batch, TheCrcCoversEverythingFromTheAttributesOn) {
  const Buffer bytes = batch_of(2);
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      Buffer changed = bytes;
      changed[at] ^= static_cast<std::byte>(1 << bit);
      const auto batch = parse_batch(changed);
      const bool covered = at >= at::kCrc;
      if (covered) {
        ASSERT_TRUE(batch);
        EXPECT_FALSE(batch->crc_matches()) << at;
      }
      if (!batch) continue;
      // Whatever the fields say now, reading them is defined.
      (void)batch->last_offset();
      (void)batch->last_sequence();
      (void)batch->header();
    }
  }
}

TEST(Batch, SumsOfHostileFieldsWrap) {
  Buffer bytes = batch_of(1);
  store_big(bytes.data() + at::kBaseOffset, INT64_MAX);
  store_big(bytes.data() + at::kLastOffsetDelta, std::int32_t{1});
  EXPECT_EQ(parse_batch(bytes)->last_offset(), Offset{INT64_MIN});
}

TEST(BatchCursor, GivesOneAfterTheOtherAndSaysWhyItStops) {
  Buffer bytes = batch_of(1, {.base_offset = Offset{0}});
  const std::size_t first = bytes.size();
  const Buffer second = batch_of(2, {.base_offset = Offset{1}});
  bytes.insert(bytes.end(), second.begin(), second.end());

  BatchCursor whole(bytes);
  EXPECT_EQ(whole.next()->base_offset(), Offset{0});
  EXPECT_EQ(whole.position(), first);
  EXPECT_EQ(whole.next()->base_offset(), Offset{1});
  EXPECT_FALSE(whole.next());
  EXPECT_FALSE(whole.fault());
  EXPECT_EQ(whole.position(), bytes.size());

  for (std::size_t size = first + 1; size < bytes.size(); ++size) {
    BatchCursor cut(Bytes(bytes).first(size));
    EXPECT_TRUE(cut.next());
    EXPECT_FALSE(cut.next());
    EXPECT_EQ(cut.fault(), Errc::truncated);
    EXPECT_EQ(cut.position(), first);
    EXPECT_FALSE(cut.next()) << "a cursor stays where it stopped";
  }

  bytes.resize(first);
  bytes.resize(first + 100);
  BatchCursor zeros(bytes);
  EXPECT_TRUE(zeros.next());
  EXPECT_FALSE(zeros.next());
  EXPECT_EQ(zeros.fault(), Errc::malformed);
}

TEST(BatchPatch, OffsetAndEpochLeaveTheCrcAlone) {
  Buffer bytes = batch_of(2);
  const std::uint32_t crc = parse_batch(bytes)->crc();
  set_base_offset(bytes, Offset{123456789012});
  set_leader_epoch(bytes, LeaderEpoch{9});
  const auto batch = parse_batch(bytes);
  EXPECT_EQ(batch->base_offset(), Offset{123456789012});
  EXPECT_EQ(batch->last_offset(), Offset{123456789013});
  EXPECT_EQ(batch->leader_epoch(), LeaderEpoch{9});
  EXPECT_EQ(batch->crc(), crc);
  EXPECT_TRUE(batch->crc_matches());
}

TEST(BatchPatch, LogAppendTimeIsTheTimeOfEveryRecord) {
  Buffer bytes = batch_of(2);
  set_log_append_time(bytes, WallTime{5555});
  const auto batch = parse_batch(bytes);
  EXPECT_EQ(batch->timestamp_type(), TimestampType::log_append_time);
  EXPECT_EQ(batch->max_timestamp(), 5555);
  EXPECT_EQ(batch->base_timestamp(), 1000);
  EXPECT_TRUE(batch->crc_matches());
  RecordCursor cursor = records_of(*batch);
  while (const auto record = cursor.next()) EXPECT_EQ(timestamp_of(*batch, *record), 5555);
  EXPECT_EQ(cursor.index(), 2);
}

TEST(BatchPatch, MaxTimestampIsSealed) {
  Buffer bytes = batch_of(2);
  set_max_timestamp(bytes, -5);
  EXPECT_EQ(parse_batch(bytes)->max_timestamp(), -5);
  EXPECT_EQ(parse_batch(bytes)->timestamp_type(), TimestampType::create_time);
  EXPECT_TRUE(parse_batch(bytes)->crc_matches());
}

}  // namespace
}  // namespace tailwater::records
