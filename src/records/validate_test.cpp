// Goal: each rule for produced batches refuses what it is there for, in its turn, and nothing else;
// acceptance allocates nothing. Method: one sound batch, one change per rule (CRC made right again), pairs of
// changes for the order, all single bit changes, and operator new counted.
#include "records/validate.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <new>

#include "records/compression.hpp"
#include "records/record.hpp"
#include "records/testing.hpp"

// Counts the program's allocations; GoogleTest's own go through here too, outside of the measured stretches.
namespace {
std::size_t allocations = 0;
}  // namespace

// Never inlined: g++ would take free() for the wrong partner of a new that it no longer sees.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++allocations;
  void* const memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) std::abort();
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace tailwater::records {
namespace {

using testing::batch_of;

constexpr WallTime kNow{2000};

using Change = std::function<void(Buffer&)>;

template <class Number>
Change put(std::size_t position, Number number) {
  return [=](Buffer& batch) { store_big(batch.data() + position, number); };
}

Buffer sound() {
  return batch_of(3);
}

// The verdict on a sound batch after the changes, with a CRC that matches again.
std::optional<Rejection> verdict(std::vector<Change> changes, const ProduceRules& rules = {},
                                 Buffer batch = sound()) {
  for (const Change& change : changes) change(batch);
  update_crc(batch);
  auto info = validate_for_produce(batch, rules, kNow);
  if (info) return std::nullopt;
  return info.error();
}

std::optional<RejectReason> reason(std::vector<Change> changes, const ProduceRules& rules = {},
                                   Buffer batch = sound()) {
  const auto rejection = verdict(std::move(changes), rules, std::move(batch));
  if (!rejection) return std::nullopt;
  EXPECT_FALSE(rejection->message.empty());
  return rejection->reason;
}

std::optional<RejectReason> raw(Bytes bytes, const ProduceRules& rules = {}) {
  const auto info = validate_for_produce(bytes, rules, kNow);
  return info ? std::optional<RejectReason>() : info.error().reason;
}

TEST(Validate, TellsWhatTheLogNeedsToKnow) {
  const Buffer batch = batch_of(4, {.producer_id = ProducerId{9},
                                    .producer_epoch = ProducerEpoch{2},
                                    .base_sequence = 55,
                                    .transactional = true});
  const auto info = validate_for_produce(batch, {}, kNow);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->size, batch.size());
  EXPECT_EQ(info->records_count, 4);
  EXPECT_EQ(info->last_offset_delta, 3);
  EXPECT_EQ(info->first_timestamp, 1000);
  EXPECT_EQ(info->max_timestamp, 1003);
  EXPECT_EQ(info->producer_id, ProducerId{9});
  EXPECT_EQ(info->producer_epoch, ProducerEpoch{2});
  EXPECT_EQ(info->base_sequence, 55);
  EXPECT_EQ(info->codec, Codec::none);
  EXPECT_TRUE(info->transactional);
  EXPECT_TRUE(info->records_walked);
  EXPECT_FALSE(info->wrong_max_timestamp);
  EXPECT_FALSE(info->wrong_offset_deltas);
}

TEST(Validate, ExactlyOneWholeBatch) {
  EXPECT_EQ(raw({}), RejectReason::not_one_batch);
  Buffer batch = sound();
  for (std::size_t size = 0; size < batch.size(); ++size) {
    EXPECT_EQ(raw(Bytes(batch).first(size)), RejectReason::not_one_batch);
  }
  Buffer two = batch;
  two.insert(two.end(), batch.begin(), batch.end());
  EXPECT_EQ(raw(two), RejectReason::not_one_batch);
  batch.push_back(std::byte{0});
  EXPECT_EQ(raw(batch), RejectReason::not_one_batch) << "bytes that are no batch, too";
}

TEST(Validate, OneChangeOneReason) {
  using enum RejectReason;
  EXPECT_EQ(reason({}), std::nullopt);
  Buffer old = sound();
  old[at::kMagic] = std::byte{1};
  EXPECT_EQ(raw(old), unsupported_format);
  Buffer too_short = sound();
  store_big(too_short.data() + at::kBatchLength, std::int32_t{48});
  EXPECT_EQ(raw(too_short), corrupt);
  Buffer damaged = sound();
  damaged.back() ^= std::byte{1};
  EXPECT_EQ(raw(damaged), corrupt);

  const std::size_t size = sound().size();
  EXPECT_EQ(reason({}, {.batch_bytes_max = size}), std::nullopt);
  EXPECT_EQ(reason({}, {.batch_bytes_max = size - 1}), too_large);
  EXPECT_EQ(reason({}, {.segment_bytes = size}), std::nullopt);
  EXPECT_EQ(reason({}, {.segment_bytes = size - 1}), beyond_segment);

  EXPECT_EQ(reason({put(at::kRecordsCount, std::int32_t{0}), put(at::kLastOffsetDelta, std::int32_t{-1})}),
            invalid_record);
  EXPECT_EQ(reason({put(at::kRecordsCount, std::int32_t{-3}), put(at::kLastOffsetDelta, std::int32_t{-4})}),
            invalid_record);
  EXPECT_EQ(reason({put(at::kRecordsCount, std::int32_t{2})}), invalid_record);
  EXPECT_EQ(reason({put(at::kLastOffsetDelta, INT32_MAX)}), invalid_record);
  EXPECT_EQ(reason({put(at::kRecordsCount, std::int32_t{4}), put(at::kLastOffsetDelta, std::int32_t{3})}),
            invalid_record)
      << "a record less than announced";
  EXPECT_EQ(reason({put(at::kRecordsCount, std::int32_t{2}), put(at::kLastOffsetDelta, std::int32_t{1})}),
            invalid_record)
      << "a record more than announced";
  EXPECT_EQ(reason({put(at::kAttributes, kControlBit)}), invalid_record);
  EXPECT_EQ(reason({put(at::kAttributes, kDeleteHorizonBit)}), invalid_record);
  EXPECT_EQ(reason({put(at::kBaseOffset, std::int64_t{1})}), invalid_record);
  EXPECT_EQ(reason({put(at::kBaseOffset, std::int64_t{-1})}), invalid_record);
  EXPECT_EQ(reason({put(at::kAttributes, kLogAppendTimeBit)}), invalid_timestamp);
  EXPECT_EQ(
      reason({put(at::kAttributes, kLogAppendTimeBit)}, {.timestamp_type = TimestampType::log_append_time}),
      invalid_timestamp)
      << "it is the broker's to set";
  EXPECT_EQ(reason({put(at::kProducerId, std::int64_t{1})}), invalid_record) << "without a sequence";
  EXPECT_EQ(reason({put(at::kProducerId, std::int64_t{1}), put(at::kBaseSequence, std::int32_t{0})}),
            std::nullopt);
  for (std::uint16_t codec = 5; codec < 8; ++codec)
    EXPECT_EQ(reason({put(at::kAttributes, codec)}), unsupported_codec);
  EXPECT_EQ(reason({put(at::kAttributes, std::uint16_t{0x8000})}), std::nullopt)
      << "unused bits do not matter";
}

TEST(Validate, TheFirstFailureWins) {
  using enum RejectReason;
  const ProduceRules tight{.zstd_allowed = false, .batch_bytes_max = 10, .segment_bytes = 5};
  Buffer batch = batch_of(3, {.codec = Codec::zstd});
  store_big(batch.data() + at::kRecordsCount, std::int32_t{0});
  ProduceRules rules = tight;
  Buffer other_format = batch;
  other_format[at::kMagic] = std::byte{0};
  other_format.push_back(std::byte{});
  EXPECT_EQ(raw(other_format, rules), unsupported_format);
  EXPECT_EQ(raw(batch, rules), unsupported_codec);
  rules.zstd_allowed = true;
  EXPECT_EQ(raw(batch, rules), too_large);
  rules.batch_bytes_max = 1000;
  EXPECT_EQ(raw(batch, rules), beyond_segment);
  rules.segment_bytes = 1000;
  EXPECT_EQ(raw(batch, rules), corrupt);
  update_crc(batch);
  EXPECT_EQ(raw(batch, rules), invalid_record);
}

TEST(Validate, UncompressedOffsetsCountByPosition) {
  // The offset delta of the second record, found by its place in the first bytes of it.
  Buffer batch = sound();
  RecordCursor cursor = records_of(*parse_batch(batch));
  (void)cursor.next();
  const auto second = cursor.next();
  const auto position = static_cast<std::size_t>(second->bytes.data() - batch.data()) + 3;
  ASSERT_EQ(batch[position], std::byte{2});
  const auto rejection = verdict({[&](Buffer& bytes) { bytes[position] = std::byte{4}; }});
  ASSERT_TRUE(rejection);
  EXPECT_EQ(rejection->reason, RejectReason::invalid_record);
  ASSERT_EQ(rejection->records.size(), 1u);
  EXPECT_EQ(rejection->records[0].index, 1);
}

Buffer with_keys(std::initializer_list<bool> keys, Codec codec = Codec::none) {
  BatchBuilder builder({.codec = codec});
  for (const bool key : keys)
    CHECK(builder.add(1000, key ? std::optional(as_bytes("k")) : std::nullopt, as_bytes("v")));
  Buffer batch;
  CHECK(builder.finish(batch).has_value());
  return batch;
}

TEST(Validate, CompactedTopicsNameTheRecordsWithoutAKey) {
  for (const Codec codec : {Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd}) {
    const Buffer batch = with_keys({true, false, true, false}, codec);
    EXPECT_EQ(raw(batch), std::nullopt);
    const auto rejection = verdict({}, {.compacted = true}, batch);
    ASSERT_TRUE(rejection) << to_string(codec);
    EXPECT_EQ(rejection->reason, RejectReason::invalid_record);
    ASSERT_EQ(rejection->records.size(), 2u);
    EXPECT_EQ(rejection->records[0].index, 1);
    EXPECT_EQ(rejection->records[1].index, 3);
    EXPECT_EQ(verdict({}, {.compacted = true}, with_keys({true, true}, codec)), std::nullopt);
  }
}

TEST(Validate, TheListOfRecordsToBlameIsBounded) {
  BatchBuilder builder;
  for (std::size_t index = 0; index < 2 * kRejectedRecordsMax; ++index)
    ASSERT_TRUE(builder.add(1000, std::nullopt, Bytes()));
  Buffer batch;
  ASSERT_TRUE(builder.finish(batch));
  EXPECT_EQ(verdict({}, {.compacted = true}, batch)->records.size(), kRejectedRecordsMax);
}

Buffer at_times(std::initializer_list<std::int64_t> times, Codec codec = Codec::none) {
  BatchBuilder builder({.codec = codec});
  for (const std::int64_t time : times) CHECK(builder.add(time, as_bytes("k"), as_bytes("v")));
  Buffer batch;
  CHECK(builder.finish(batch).has_value());
  return batch;
}

TEST(Validate, TimestampsStayInsideTheWindow) {
  using enum RejectReason;
  const ProduceRules rules{.timestamp_before_ms_max = 100, .timestamp_after_ms_max = 10};
  EXPECT_EQ(raw(at_times({1900, 2010}), rules), std::nullopt);
  EXPECT_EQ(raw(at_times({1899, 2000}), rules), invalid_timestamp);
  EXPECT_EQ(raw(at_times({2000, 2011}), rules), invalid_timestamp);
  EXPECT_EQ(raw(at_times({kNoTimestamp}), rules), std::nullopt) << "no timestamp is no lie";
  EXPECT_EQ(raw(at_times({INT64_MAX, INT64_MIN}), rules), invalid_timestamp);
  const auto rejection = verdict({}, rules, at_times({2000, 5000, 2000, 1}));
  ASSERT_EQ(rejection->records.size(), 2u);
  EXPECT_EQ(rejection->records[0], (RejectedRecord{1, invalid_timestamp, rejection->records[0].message}));
  EXPECT_EQ(rejection->records[1].index, 3);

  EXPECT_EQ(raw(at_times({0, 3'602'000})), std::nullopt) << "the defaults: any past, an hour of future";
  EXPECT_EQ(raw(at_times({0, 3'602'001})), invalid_timestamp);
  EXPECT_EQ(raw(at_times({INT64_MAX}), {.timestamp_after_ms_max = INT64_MAX}), std::nullopt);

  ProduceRules append_time = rules;
  append_time.timestamp_type = TimestampType::log_append_time;
  EXPECT_EQ(raw(at_times({INT64_MAX, INT64_MIN}), append_time), std::nullopt)
      << "the broker's time replaces them";
}

TEST(Validate, ClosedBatchesAreJudgedByTheirHeader) {
  const ProduceRules rules{.timestamp_before_ms_max = 100, .timestamp_after_ms_max = 10};
  ProduceRules opening = rules;
  opening.decompress = true;
  for (const Codec codec : {Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd}) {
    EXPECT_EQ(raw(at_times({1900, 2010}, codec), rules), std::nullopt);
    EXPECT_EQ(raw(at_times({1899, 2000}, codec), rules), RejectReason::invalid_timestamp);
    EXPECT_EQ(raw(at_times({2000, 2011}, codec), rules), RejectReason::invalid_timestamp);
    const Buffer hidden = at_times({2000, 1, 2000}, codec);
    EXPECT_EQ(raw(hidden, rules), std::nullopt) << "neither first nor last: seen only when opened";
    EXPECT_EQ(raw(hidden, opening), RejectReason::invalid_timestamp);
    EXPECT_FALSE(validate_for_produce(hidden, rules, kNow)->records_walked);
  }
}

TEST(Validate, AnOpenedBatchMustHoldItsRecords) {
  const ProduceRules opening{.decompress = true};
  for (const Codec codec : {Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd}) {
    Buffer batch = batch_of(10, {.codec = codec});
    EXPECT_EQ(reason({}, opening, batch), std::nullopt);
    batch.resize(batch.size() - 4);
    store_big(batch.data() + at::kBatchLength, static_cast<std::int32_t>(batch.size() - kLogOverhead));
    EXPECT_EQ(reason({}, opening, batch), RejectReason::invalid_record) << to_string(codec);
    const Buffer fewer = batch_of(10, {.codec = codec});
    const std::vector<Change> eleven = {put(at::kRecordsCount, std::int32_t{11}),
                                        put(at::kLastOffsetDelta, std::int32_t{10})};
    EXPECT_EQ(reason(eleven, {}, fewer), std::nullopt) << "closed batches keep their secret";
    EXPECT_EQ(reason(eleven, opening, fewer), RejectReason::invalid_record);
  }
}

// As Kafka counts: each record of a compressed batch by itself, without its length.
TEST(Validate, ARecordOfAnOpenedBatchMayBeTooLarge) {
  for (const Codec codec : {Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd}) {
    BatchBuilder builder({.codec = codec});
    const std::string value(1'000, 'v');
    ASSERT_TRUE(builder.add(kNow.ms, std::nullopt, as_bytes(std::string_view("small"))));
    ASSERT_TRUE(builder.add(kNow.ms, std::nullopt, as_bytes(value)));
    Buffer batch;
    ASSERT_TRUE(builder.finish(batch));
    // attributes, two deltas, no key, two bytes of length before the value, no headers
    constexpr std::int64_t kSize = 1 + 1 + 1 + 1 + 2 + 1'000 + 1;
    EXPECT_EQ(raw(batch, {.decompress = true, .record_bytes_max = kSize}), std::nullopt) << to_string(codec);
    const auto tight = validate_for_produce(batch, {.decompress = true, .record_bytes_max = kSize - 1}, kNow);
    EXPECT_EQ(tight.has_value(), codec == Codec::none) << to_string(codec);
    if (tight) continue;
    EXPECT_EQ(tight.error().reason, RejectReason::invalid_record);
    ASSERT_EQ(tight.error().records.size(), 1U);
    EXPECT_EQ(tight.error().records[0].index, 1);
  }
}

TEST(Validate, AWrongMaximumIsNotedNotRefused) {
  Buffer batch = sound();
  set_max_timestamp(batch, 1500);
  const auto info = validate_for_produce(batch, {}, kNow);
  ASSERT_TRUE(info);
  EXPECT_TRUE(info->wrong_max_timestamp);
  EXPECT_EQ(info->max_timestamp, 1002);
}

TEST(Validate, WrongOffsetsInACompressedBatchAreNoted) {
  const Buffer source = sound();
  BatchBuilder builder({.codec = Codec::lz4, .last_offset_delta = 0});
  RecordCursor cursor = records_of(*parse_batch(source));
  (void)cursor.next();
  ASSERT_TRUE(builder.copy(*cursor.next(), 1000));
  Buffer batch;
  ASSERT_TRUE(builder.finish(batch));
  const auto info = validate_for_produce(batch, {.decompress = true}, kNow);
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_TRUE(info->wrong_offset_deltas);
}

TEST(Validate, BrokenHeadersAreRefused) {
  Buffer batch = sound();
  RecordCursor cursor = records_of(*parse_batch(batch));
  const auto record = cursor.next();
  const auto position = static_cast<std::size_t>(record->header_bytes.data() - batch.data());
  const auto rejection = verdict({[&](Buffer& bytes) { bytes[position] = std::byte{0x7e}; }});
  ASSERT_TRUE(rejection);
  EXPECT_EQ(rejection->reason, RejectReason::invalid_record);
  EXPECT_EQ(rejection->records.at(0).index, 0);
}

TEST(Validate, NoSingleBitChangeUnderTheCrcIsAccepted) {
  for (const Codec codec : {Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd}) {
    const Buffer batch = batch_of(2, {.codec = codec});
    for (std::size_t position = at::kBatchLength; position < batch.size(); ++position) {
      // The leader's epoch is the broker's to write, and lies before the CRC.
      if (position >= at::kLeaderEpoch && position < at::kMagic) continue;
      for (int bit = 0; bit < 8; ++bit) {
        Buffer changed = batch;
        changed[position] ^= static_cast<std::byte>(1 << bit);
        EXPECT_TRUE(raw(changed, {.compacted = true, .decompress = true})) << position << ' ' << bit;
      }
    }
  }
}

TEST(Validate, NoByteBehindTheCrcBreaksTheWalk) {
  // As a hostile client would: any byte, with a CRC that matches. No verdict is expected, only one at all.
  for (const Codec codec : {Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd}) {
    const Buffer batch = batch_of(2, {.codec = codec});
    Codecs codecs;
    for (std::size_t position = at::kAttributes; position < batch.size(); ++position) {
      for (int value = 0; value < 256; value += codec == Codec::none ? 1 : 5) {
        Buffer changed = batch;
        changed[position] = static_cast<std::byte>(value);
        update_crc(changed);
        (void)validate_for_produce(changed, {.compacted = true, .decompress = true}, kNow, &codecs);
      }
    }
  }
}

TEST(Validate, AcceptanceAllocatesNothing) {
  const Buffer plain = batch_of(1000);
  const Buffer compressed = batch_of(1000, {.codec = Codec::lz4});
  const std::size_t before = allocations;
  const bool accepted =
      validate_for_produce(plain, {.compacted = true}, kNow) && validate_for_produce(compressed, {}, kNow);
  const std::size_t validating = allocations - before;

  std::size_t seen = 0;
  BatchCursor batches(plain);
  while (const auto batch = batches.next()) {
    RecordCursor records = records_of(*batch);
    while (const auto record = records.next()) {
      HeaderCursor headers = record->headers();
      while (headers.next()) ++seen;
    }
  }
  const std::size_t in_all = allocations - before;
  EXPECT_TRUE(accepted);
  EXPECT_EQ(validating, 0u);
  EXPECT_EQ(in_all, 0u) << "nor does iteration";
  EXPECT_EQ(seen, 1000u);
  ASSERT_FALSE(validate_for_produce({}, {}, kNow));
  EXPECT_GT(allocations, before) << "the counter counts";
}

TEST(Validate, OpeningAgainAllocatesNothingWithCodecs) {
  for (const Codec codec : {Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd}) {
    const Buffer batch = batch_of(1000, {.codec = codec});
    Codecs codecs;
    ASSERT_TRUE(validate_for_produce(batch, {.compacted = true}, kNow, &codecs));
    const std::size_t before = allocations;
    const bool accepted = validate_for_produce(batch, {.compacted = true}, kNow, &codecs).has_value();
    EXPECT_EQ(allocations - before, 0u) << to_string(codec);
    EXPECT_TRUE(accepted);
  }
}

}  // namespace
}  // namespace tailwater::records
