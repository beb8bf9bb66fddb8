// Goal: what a reader is served is checked, of plain and of transactional partitions alike: each bad answer is
// found out. Method: answers made by hand.
#include "sim/consumer.hpp"

#include <gtest/gtest.h>

#include "records/builder.hpp"
#include "sim/committed_reader.hpp"

namespace tailwater::sim {
namespace {

class CheckFetched : public testing::Test {
 protected:
  // A batch of the writer's next records at `base`, as a broker would serve it.
  Buffer batch(std::int64_t base, int count, records::BatchOptions options = {}) {
    records::BatchBuilder builder(options);
    for (int each = 0; each < count; ++each) {
      const std::string value = Ledger::value_of(writer, ledger.next_number(writer), 5);
      ledger.sent(writer, track, as_bytes(value));
      EXPECT_TRUE(builder.add(1'700'000'000'000, std::nullopt, as_bytes(value)));
    }
    Buffer bytes;
    EXPECT_TRUE(builder.finish(bytes).has_value());
    store_big(bytes.data(), static_cast<std::uint64_t>(base));
    return bytes;
  }
  Buffer of_epoch(std::int16_t epoch) {
    return batch(0, 1,
                 {.producer_id = ProducerId{7},
                  .producer_epoch = ProducerEpoch{epoch},
                  .base_sequence = 0,
                  .transactional = true});
  }
  std::int64_t check(std::int64_t position, const Buffer& records, std::int64_t end) {
    wire::FetchResponsePartitionData answer;
    answer.high_watermark = answer.last_stable_offset = end;
    answer.log_start_offset = 0;
    answer.records = Bytes(records);
    return check_fetched(ledger, track, ledger.floor(track), position, answer);
  }

  Ledger ledger;
  TrackNumber track = ledger.add_track("t-0", Retention::keeps);
  WriterNumber writer = ledger.add_writer("writer", Promise::exactly_once);
};

TEST_F(CheckFetched, what_is_right_is_believed) {
  Buffer both = batch(0, 2);
  const Buffer second = batch(2, 3);
  both.insert(both.end(), second.begin(), second.end());
  EXPECT_EQ(check(1, both, 5), 5);
  EXPECT_EQ(ledger.failure(), "");
}

TEST_F(CheckFetched, a_wrong_crc) {
  Buffer bytes = batch(0, 2);
  bytes[records::at::kCrc] ^= std::byte{1};
  check(0, bytes, 2);
  EXPECT_TRUE(ledger.failure().starts_with("S6")) << ledger.failure();
}

TEST_F(CheckFetched, a_gap) {
  check(0, batch(1, 2), 3);
  EXPECT_TRUE(ledger.failure().starts_with("I7")) << ledger.failure();
}

TEST_F(CheckFetched, going_back_within_an_answer) {
  Buffer both = batch(0, 2);
  const Buffer second = batch(1, 1);
  both.insert(both.end(), second.begin(), second.end());
  check(0, both, 3);
  EXPECT_TRUE(ledger.failure().starts_with("I7")) << ledger.failure();
}

TEST_F(CheckFetched, another_record_at_an_offset) {
  check(0, batch(0, 1), 1);
  check(0, batch(0, 1), 1);
  EXPECT_TRUE(ledger.failure().starts_with("I2")) << ledger.failure();
}

TEST_F(CheckFetched, a_record_at_a_second_offset) {
  Buffer bytes = batch(0, 1);
  check(0, bytes, 1);
  store_big(bytes.data(), std::uint64_t{1});
  check(1, bytes, 2);
  EXPECT_TRUE(ledger.failure().starts_with("I3")) << ledger.failure();
}

TEST_F(CheckFetched, records_beyond_the_high_watermark) {
  check(0, batch(0, 2), 1);
  EXPECT_TRUE(ledger.failure().starts_with("I12")) << ledger.failure();
}

TEST_F(CheckFetched, an_epoch_behind_a_newer_one) {
  Epochs epochs;
  for (const int epoch : {1, 1, 2}) {
    const Buffer bytes = of_epoch(static_cast<std::int16_t>(epoch));
    check_epoch(ledger, track, epochs, records::BatchView(bytes));
  }
  EXPECT_EQ(ledger.failure(), "");
  const Buffer bytes = of_epoch(1);
  check_epoch(ledger, track, epochs, records::BatchView(bytes));
  EXPECT_TRUE(ledger.failure().starts_with("I10")) << ledger.failure();
}

}  // namespace
}  // namespace tailwater::sim
