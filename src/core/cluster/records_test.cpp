// Goal: every kind of record survives encoding, and damaged or foreign bytes are refused without reading
// beyond them. Method: one example of each kind; every truncation and every single flipped byte of a batch.
#include "core/cluster/records.hpp"

#include <gtest/gtest.h>

namespace tailwater::cluster {
namespace {

const BatchAuthor kAuthor{BrokerId{3}, ControllerEpoch{4}, 0x0102030405060708ULL};

template <std::size_t... At>
std::vector<Record> one_of_each(std::index_sequence<At...>) {
  return {Record(std::in_place_index<At>)...};
}

std::vector<Record> examples() {
  std::vector<Record> all = one_of_each(std::make_index_sequence<std::variant_size_v<Record>>{});
  all.emplace_back(ClusterRecord{"cluster"});
  all.emplace_back(ReplicaLogsRecord{Uuid{1, 2}, 5, {7, 8, 9, 3, 0, UINT64_MAX}});
  all.emplace_back(HighMarksRecord{INT64_MAX});
  wire::PartitionRecord partition;
  partition.partition_id = 3;
  partition.topic_id = Uuid{1, 2};
  partition.replicas = {1, 2, 3};
  partition.isr = {2};
  partition.directories = {Uuid{3, 4}, Uuid{}, Uuid{5, 6}};
  all.emplace_back(partition);
  wire::PartitionChangeRecord change;
  change.leader = 5;
  change.isr = std::vector<std::int32_t>{5, 6};
  all.emplace_back(change);
  return all;
}

TEST(Records, EveryKindSurvives) {
  for (const Record& record : examples()) {
    const Result<Record> decoded = decode_record(encode_record(record));
    ASSERT_TRUE(decoded) << decoded.error().message;
    EXPECT_EQ(*decoded, record);
  }
  const RecordBatch batch{kAuthor, examples()};
  const Result<RecordBatch> decoded = decode_batch(encode_batch(batch));
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(decoded->author, kAuthor);
  EXPECT_EQ(decoded->records, batch.records);
}

TEST(Records, AnEmptyBatchHasAnAuthorOnly) {
  const Buffer bytes = encode_batch({kAuthor, {}});
  EXPECT_EQ(author_of(bytes), kAuthor);
  EXPECT_TRUE(decode_batch(bytes)->records.empty());
}

TEST(Records, FramesAreKafkas) {
  // uvarint 1, key 2 (TopicRecord), version 0, compact name, uuid, no tags.
  const Buffer frame =
      encode_record(wire::TopicRecord{"ab", Uuid{0x0102030405060708ULL, 0x090a0b0c0d0e0f10ULL}});
  const std::uint8_t expected[] = {1, 2, 0, 3,  'a', 'b', 1,  2,  3,  4,  5, 6,
                                   7, 8, 9, 10, 11,  12,  13, 14, 15, 16, 0};
  ASSERT_EQ(frame.size(), std::size(expected));
  for (std::size_t at = 0; at < frame.size(); ++at)
    EXPECT_EQ(static_cast<std::uint8_t>(frame[at]), expected[at]) << at;
}

TEST(Records, EveryTruncationAndEveryFlippedByteOfABatchIsRefused) {
  const Buffer bytes = encode_batch({kAuthor, examples()});
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_batch(Bytes(bytes).first(size))) << size;
  }
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    Buffer damaged = bytes;
    damaged[at] ^= std::byte{0x40};
    EXPECT_FALSE(decode_batch(damaged)) << at;
    EXPECT_FALSE(author_of(damaged)) << at;
  }
}

TEST(Records, EveryTruncationOfAFrameIsRefused) {
  for (const Record& record : examples()) {
    const Buffer frame = encode_record(record);
    for (std::size_t size = 0; size < frame.size(); ++size) {
      EXPECT_FALSE(decode_record(Bytes(frame).first(size))) << frame.size() << " " << size;
    }
    Buffer longer = frame;
    longer.push_back(std::byte{0});
    EXPECT_FALSE(decode_record(longer));
  }
}

TEST(Records, KindsAndVersionsOfANewerReleaseAreNamed) {
  Buffer frame = encode_record(wire::TopicRecord{"ab", Uuid{1, 2}});
  frame[2] = std::byte{1};
  EXPECT_EQ(decode_record(frame).error(),
            (Error{Errc::unsupported,
                   "the metadata has a record of kind 2 in version 1, written by a newer release"}));
  frame[2] = std::byte{0};
  frame[1] = std::byte{99};
  EXPECT_EQ(decode_record(frame).error(),
            (Error{Errc::unsupported,
                   "the metadata has a record of the unknown kind 99, written by a newer release"}));
  frame[0] = std::byte{2};
  EXPECT_EQ(decode_record(frame).error().code, Errc::unsupported);
}

}  // namespace
}  // namespace tailwater::cluster
