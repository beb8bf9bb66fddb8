// Goal: the bytes are those that Apache Kafka reads. Method: fields looked up where its format has them.
#include "core/log/producer_snapshot.hpp"

#include <gtest/gtest.h>

#include "base/crc32c.hpp"

namespace tailwater::log {
namespace {

TEST(ProducerSnapshotTest, FieldsLieWhereKafkaHasThem) {
  Producer idempotent;
  idempotent.id = ProducerId{4711};
  idempotent.epoch = ProducerEpoch{3};
  idempotent.batch_count = 2;
  idempotent.batches[0] = {.last_sequence = 9, .offset_delta = 9, .last_offset = Offset{9}, .timestamp = 50};
  idempotent.batches[1] = {
      .last_sequence = 14, .offset_delta = 4, .last_offset = Offset{20}, .timestamp = 60};
  Producer marked;  // of whom only a marker is known
  marked.id = ProducerId{4712};
  marked.epoch = ProducerEpoch{1};
  marked.coordinator_epoch = 7;
  marked.last_timestamp = 99;
  marked.transaction_first = Offset{17};
  const Producer both[] = {idempotent, marked};
  const Buffer bytes = encode_snapshot(both);
  ASSERT_EQ(bytes.size(), 10u + 2 * 46);
  EXPECT_EQ(load_big<std::int16_t>(bytes.data()), 1);
  EXPECT_EQ(load_big<std::uint32_t>(bytes.data() + 2), crc32c(Bytes(bytes).subspan(6)));
  EXPECT_EQ(load_big<std::int32_t>(bytes.data() + 6), 2);
  const std::byte* first = bytes.data() + 10;
  EXPECT_EQ(load_big<std::int64_t>(first), 4711);
  EXPECT_EQ(load_big<std::int16_t>(first + 8), 3);
  EXPECT_EQ(load_big<std::int32_t>(first + 10), 14);
  EXPECT_EQ(load_big<std::int64_t>(first + 14), 20);
  EXPECT_EQ(load_big<std::int32_t>(first + 22), 4);
  EXPECT_EQ(load_big<std::int64_t>(first + 26), 60);
  EXPECT_EQ(load_big<std::int32_t>(first + 34), -1);
  EXPECT_EQ(load_big<std::int64_t>(first + 38), -1);
  const std::byte* second = first + 46;
  EXPECT_EQ(load_big<std::int32_t>(second + 10), -1);
  EXPECT_EQ(load_big<std::int64_t>(second + 14), -1);
  EXPECT_EQ(load_big<std::int64_t>(second + 26), 99);
  EXPECT_EQ(load_big<std::int32_t>(second + 34), 7);
  EXPECT_EQ(load_big<std::int64_t>(second + 38), 17);
}

TEST(ProducerSnapshotTest, AbortedTransactionsLieWhereKafkaHasThem) {
  const Aborted both[] = {{ProducerId{4711}, Offset{3}, Offset{9}, Offset{5}},
                          {ProducerId{4712}, Offset{5}, Offset{12}, Offset{13}}};
  const Buffer bytes = encode_aborted(both, Offset{9}, Offset{13});
  ASSERT_EQ(bytes.size(), 2u * 34);
  EXPECT_EQ(load_big<std::int16_t>(bytes.data()), 0);
  EXPECT_EQ(load_big<std::int64_t>(bytes.data() + 2), 4711);
  EXPECT_EQ(load_big<std::int64_t>(bytes.data() + 10), 3);
  EXPECT_EQ(load_big<std::int64_t>(bytes.data() + 18), 9);
  EXPECT_EQ(load_big<std::int64_t>(bytes.data() + 26), 5);
  EXPECT_EQ(load_big<std::int64_t>(bytes.data() + 34 + 2), 4712);
  EXPECT_EQ(load_big<std::int64_t>(bytes.data() + 34 + 26), 13);
  EXPECT_TRUE(encode_aborted({}, Offset{0}, Offset{100}).empty());
}

TEST(ProducerSnapshotTest, AnAbortedTransactionIsOfTheSegmentThatHasItsMarker) {
  const Aborted three[] = {{ProducerId{1}, Offset{3}, Offset{9}, Offset{5}},
                           {ProducerId{2}, Offset{5}, Offset{12}, Offset{13}},
                           {ProducerId{1}, Offset{14}, Offset{20}, Offset{21}}};
  const auto of = [&](std::int64_t base, std::int64_t end) {
    const Buffer bytes = encode_aborted(three, Offset{base}, Offset{end});
    std::vector<std::int64_t> markers;
    for (std::size_t at = 0; at < bytes.size(); at += 34)
      markers.push_back(load_big<std::int64_t>(bytes.data() + at + 18));
    return markers;
  };
  using Markers = std::vector<std::int64_t>;
  EXPECT_EQ(of(0, 12), (Markers{9}));
  EXPECT_EQ(of(10, 20), (Markers{12})) << "the end is not of the segment";
  EXPECT_EQ(of(12, 30), (Markers{12, 20}));
  EXPECT_EQ(of(21, 30), Markers{});
}

TEST(ProducerSnapshotTest, NobodyIsAHeader) {
  EXPECT_EQ(encode_snapshot({}).size(), 10u);
}

}  // namespace
}  // namespace tailwater::log
