// Goal: transaction markers are the 78 bytes that Kafka's readers expect, and only they read as markers.
// Method: field by field against the format, a marker as Kafka writes it, every change of a marker's record.
#include "records/control.hpp"

#include <gtest/gtest.h>

#include "records/testing.hpp"

namespace tailwater::records {
namespace {

using testing::batch_of;

constexpr EndMarker kCommit{.type = ControlType::commit,
                            .producer_id = ProducerId{42},
                            .producer_epoch = ProducerEpoch{7},
                            .coordinator_epoch = 3};

TEST(Control, MarkersSurviveTheRoundTrip) {
  for (const ControlType type : {ControlType::abort, ControlType::commit}) {
    EndMarker marker = kCommit;
    marker.type = type;
    Buffer bytes;
    append_end_marker(marker, WallTime{1234}, bytes);
    ASSERT_EQ(bytes.size(), kEndMarkerSize);
    const auto batch = parse_batch(bytes);
    ASSERT_TRUE(batch);
    EXPECT_TRUE(batch->crc_matches());
    EXPECT_TRUE(batch->is_control());
    EXPECT_TRUE(batch->is_transactional());
    EXPECT_EQ(batch->base_sequence(), kNoSequence);
    EXPECT_EQ(batch->max_timestamp(), 1234);
    EXPECT_EQ(batch->records_count(), 1);
    EXPECT_EQ(read_end_marker(*batch), marker);
  }
}

TEST(Control, MarkersAreAppended) {
  Buffer bytes;
  append_end_marker(kCommit, WallTime{1}, bytes);
  append_end_marker(kCommit, WallTime{2}, bytes);
  EXPECT_EQ(bytes.size(), 2 * kEndMarkerSize);
  BatchCursor cursor(bytes);
  EXPECT_TRUE(read_end_marker(*cursor.next()));
  EXPECT_TRUE(read_end_marker(*cursor.next()));
}

TEST(Control, ClientsRecordsAreNoMarkers) {
  const Buffer bytes = batch_of(1, {.transactional = true});
  EXPECT_FALSE(read_end_marker(*parse_batch(bytes)));
}

// Builds a control batch of one record with the key and value given.
std::optional<EndMarker> read(std::optional<Bytes> key, std::optional<Bytes> value) {
  BatchBuilder builder({.producer_id = ProducerId{1}, .transactional = true, .control = true});
  CHECK(builder.add(0, key, value));
  Buffer bytes;
  CHECK(builder.finish(bytes).has_value());
  return read_end_marker(*parse_batch(bytes));
}

TEST(Control, UnknownAndShortRecordsAreNoMarkers) {
  const Buffer commit = testing::from_hex("0000 0001");
  const Buffer value = testing::from_hex("0000 00000005");
  EXPECT_EQ(read(commit, value)->coordinator_epoch, 5);
  EXPECT_FALSE(read(std::nullopt, value));
  EXPECT_FALSE(read(commit, std::nullopt));
  EXPECT_FALSE(read(testing::from_hex("0000 00"), value));
  EXPECT_FALSE(read(commit, testing::from_hex("0000 000000")));
  EXPECT_FALSE(read(testing::from_hex("0000 0002"), value)) << "a leader change";
  EXPECT_FALSE(read(testing::from_hex("ffff 0001"), value)) << "a negative version";
  EXPECT_FALSE(read(commit, testing::from_hex("ffff 00000005")));
  // Later versions only grow.
  EXPECT_TRUE(read(testing::from_hex("0001 0001 77"), testing::from_hex("0001 00000005 7777")));
  EXPECT_FALSE(read_end_marker(
      *parse_batch(batch_of(0, {.transactional = true, .control = true, .last_offset_delta = 0}))))
      << "a marker's batch that compaction has emptied";
}

}  // namespace
}  // namespace tailwater::records
