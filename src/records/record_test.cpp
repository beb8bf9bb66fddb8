// Goal: records are read as the format says, and bytes that are no records end the walk with a fault, never
// otherwise. Method: known encodings, all truncations and all values of every byte of a small block, forged
// lengths and counts.
#include "records/record.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "records/testing.hpp"

namespace tailwater::records {
namespace {

using testing::batch_of;
using testing::from_hex;

struct Outcome {
  std::int32_t count = 0;
  std::optional<Errc> fault;
  bool sound_headers = true;
};

Outcome walk(Bytes records, std::int32_t count) {
  RecordCursor cursor(records, count);
  Outcome outcome;
  while (const auto record = cursor.next()) {
    ++outcome.count;
    // Everything a record points to lies inside the block.
    const auto inside = [&](Bytes bytes) {
      return bytes.empty() || (bytes.data() >= records.data() &&
                               bytes.data() + bytes.size() <= records.data() + records.size());
    };
    EXPECT_TRUE(inside(record->bytes) && inside(record->header_bytes));
    EXPECT_TRUE(inside(record->key.value_or(Bytes())) && inside(record->value.value_or(Bytes())));
    outcome.sound_headers &= record->has_sound_headers();
  }
  outcome.fault = cursor.fault();
  return outcome;
}

TEST(Record, ReadsKeysValuesAndNulls) {
  // length 10: attributes 0, timestamp delta 3, offset delta 1, key "k", value null, one header "h" -> "v"
  const Buffer bytes = from_hex("16 00 06 02 02 6b 01 02 02 68 02 76");
  RecordCursor cursor(bytes, 1);
  const auto record = cursor.next();
  ASSERT_TRUE(record);
  EXPECT_EQ(record->attributes, 0);
  EXPECT_EQ(record->timestamp_delta, 3);
  EXPECT_EQ(record->offset_delta, 1);
  ASSERT_TRUE(record->key);
  EXPECT_EQ(as_text(*record->key), "k");
  EXPECT_FALSE(record->value);
  EXPECT_EQ(record->bytes.size(), bytes.size());
  HeaderCursor headers = record->headers();
  const auto header = headers.next();
  ASSERT_TRUE(header);
  EXPECT_EQ(as_text(header->key), "h");
  EXPECT_EQ(as_text(*header->value), "v");
  EXPECT_FALSE(headers.next());
  EXPECT_FALSE(headers.failed());
  EXPECT_FALSE(cursor.next());
  EXPECT_FALSE(cursor.fault());
}

TEST(Record, NegativeAndLongNumbersSurvive) {
  BatchBuilder builder;
  const std::vector<std::int64_t> times = {0, -1, INT64_MAX, INT64_MIN, 1234567890123};
  for (const std::int64_t time : times) ASSERT_TRUE(builder.add(time, std::nullopt, Bytes()));
  Buffer bytes;
  ASSERT_TRUE(builder.finish(bytes));
  const auto batch = parse_batch(bytes);
  RecordCursor cursor = records_of(*batch);
  for (std::size_t index = 0; index < times.size(); ++index) {
    const auto record = cursor.next();
    ASSERT_TRUE(record) << index;
    EXPECT_EQ(timestamp_of(*batch, *record), times[index]);
    EXPECT_EQ(offset_of(*batch, *record), Offset{static_cast<std::int64_t>(index)});
    EXPECT_FALSE(record->key);
    EXPECT_TRUE(record->value && record->value->empty()) << "empty is not null";
  }
  EXPECT_FALSE(cursor.next());
  EXPECT_FALSE(cursor.fault());
}

TEST(Record, EveryTruncationIsAFault) {
  const Buffer bytes = batch_of(3);
  const Bytes records = Bytes(bytes).subspan(kBatchHeaderSize);
  EXPECT_EQ(walk(records, 3).count, 3);
  for (std::size_t size = 0; size < records.size(); ++size) {
    // A copy of exactly this size, so that a sanitizer sees a read beyond it.
    const Buffer cut(records.begin(), records.begin() + static_cast<std::ptrdiff_t>(size));
    const Outcome outcome = walk(cut, 3);
    EXPECT_LT(outcome.count, 3);
    EXPECT_EQ(outcome.fault, Errc::truncated) << size;
  }
}

TEST(Record, EveryValueOfEveryByteEndsTheWalkSomehow) {
  const Buffer bytes = batch_of(2);
  const Bytes records = Bytes(bytes).subspan(kBatchHeaderSize);
  for (std::size_t at = 0; at < records.size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      Buffer changed(records.begin(), records.end());
      changed[at] = static_cast<std::byte>(value);
      const Outcome outcome = walk(changed, 2);
      EXPECT_TRUE(outcome.fault || outcome.count == 2);
    }
  }
}

TEST(Record, BytesBehindTheLastAreAFault) {
  const Buffer bytes = batch_of(2);
  const Bytes records = Bytes(bytes).subspan(kBatchHeaderSize);
  EXPECT_EQ(walk(records, 1).fault, Errc::malformed);
  EXPECT_EQ(walk(records, 0).fault, Errc::malformed);
  EXPECT_EQ(walk(records, -7).fault, Errc::malformed);
  EXPECT_EQ(walk(records, 3).fault, Errc::truncated);
  EXPECT_EQ(walk({}, 0).fault, std::nullopt);
  EXPECT_EQ(walk({}, 1).fault, Errc::truncated);
}

TEST(Record, ForgedNumbersAreMalformed) {
  const auto fault_of = [](std::string_view hex) { return walk(from_hex(hex), 1).fault; };
  EXPECT_EQ(fault_of("01"), Errc::malformed) << "length -1";
  EXPECT_EQ(fault_of("ff ff ff ff 7f"), Errc::malformed) << "a length of more than 32 bits";
  EXPECT_EQ(fault_of("ff ff ff ff ff ff"), Errc::malformed) << "a length without end";
  EXPECT_EQ(fault_of("fe ff ff ff 0f"), Errc::truncated) << "the largest length";
  EXPECT_EQ(fault_of("00"), Errc::malformed) << "an empty record";
  EXPECT_EQ(fault_of("0c 00 00 00 03 01 00"), Errc::malformed) << "key length -2";
  EXPECT_EQ(fault_of("0c 00 00 00 01 03 00"), Errc::malformed) << "value length -2";
  EXPECT_EQ(fault_of("0c 00 00 00 02 01 00"), Errc::malformed) << "the key eats the value";
  EXPECT_EQ(fault_of("0c 00 00 00 01 01 01"), Errc::malformed) << "header count -1";
  EXPECT_EQ(fault_of("0c 00 00 00 01 01 02"), Errc::malformed) << "a header that is not there";
  EXPECT_EQ(fault_of("14 00 00 00 01 01 fe ff ff ff 0f"), Errc::malformed) << "two thousand million headers";
  EXPECT_EQ(fault_of("0e 00 00 00 01 01 00 00"), Errc::malformed) << "bytes behind the headers";
  EXPECT_EQ(fault_of("1e 00 ff ff ff ff ff ff ff ff ff 02 00 01 01 00"), Errc::malformed)
      << "65 bits of timestamp";
  EXPECT_EQ(fault_of("0c 00 00 00 01 01 00"), std::nullopt) << "the smallest record";
}

TEST(Record, HeadersAreParsedByWhoeverAsks) {
  // The value's length runs over the end of the record: only the header cursor sees it.
  const Buffer bytes = from_hex("14 00 00 00 01 01 02 02 68 08 76");
  RecordCursor cursor(bytes, 1);
  const auto record = cursor.next();
  ASSERT_TRUE(record);
  EXPECT_FALSE(record->has_sound_headers());
  HeaderCursor headers = record->headers();
  EXPECT_FALSE(headers.next());
  EXPECT_TRUE(headers.failed());
  // A null key is no header; a null value is one.
  EXPECT_FALSE(walk(from_hex("10 00 00 00 01 01 02 01 01"), 1).sound_headers);
  EXPECT_TRUE(walk(from_hex("12 00 00 00 01 01 02 02 68 01"), 1).sound_headers);
  EXPECT_FALSE(walk(from_hex("14 00 00 00 01 01 02 02 68 01 00"), 1).sound_headers)
      << "bytes behind the last header";
}

TEST(Record, SequencesFollowTheOffsets) {
  const Buffer bytes = batch_of(
      3, {.producer_id = ProducerId{1}, .producer_epoch = ProducerEpoch{0}, .base_sequence = 2147483646});
  const auto batch = parse_batch(bytes);
  RecordCursor cursor = records_of(*batch);
  EXPECT_EQ(sequence_of(*batch, *cursor.next()), 2147483646);
  EXPECT_EQ(sequence_of(*batch, *cursor.next()), 2147483647);
  EXPECT_EQ(sequence_of(*batch, *cursor.next()), 0);
}

}  // namespace
}  // namespace tailwater::records
