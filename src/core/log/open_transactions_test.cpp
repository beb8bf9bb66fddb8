// Goal: what a log knows of open, ended and aborted transactions, and where the last stable offset is.
// Method: batches applied one after the other; the index of open transactions is held against a plain search
// after every step, truncations and restarts included.
#include "core/log/producer_state.hpp"

#include <gtest/gtest.h>

#include "base/prng.hpp"
#include "core/log/log_state.hpp"
#include "records/builder.hpp"
#include "records/control.hpp"

namespace tailwater::log {
namespace {

class OpenTransactionsTest : public testing::Test {
 protected:
  Offset data(std::int64_t producer, std::int16_t epoch, std::int32_t sequence, bool transactional = true) {
    records::BatchBuilder builder({.base_offset = end_,
                                   .producer_id = ProducerId{producer},
                                   .producer_epoch = ProducerEpoch{epoch},
                                   .base_sequence = sequence,
                                   .transactional = transactional});
    EXPECT_TRUE(builder.add(1'000, std::nullopt, as_bytes("v")));
    Buffer batch;
    EXPECT_TRUE(builder.finish(batch).has_value());
    return take(batch);
  }
  Offset marker(std::int64_t producer, std::int16_t epoch, records::ControlType type) {
    Buffer batch;
    records::append_end_marker({.type = type,
                                .producer_id = ProducerId{producer},
                                .producer_epoch = ProducerEpoch{epoch},
                                .coordinator_epoch = 3},
                               WallTime{1'000}, batch);
    records::set_base_offset(batch, end_);
    return take(batch);
  }
  Offset take(Bytes batch) {
    const Offset at = end_;
    last_ = Buffer(batch.begin(), batch.end());
    table_.apply(records::BatchView(batch));
    end_ = end_ + 1;
    return at;
  }
  // As it would be without an index.
  bool index_agrees() const {
    std::optional<Offset> first;
    for (const Producer& each : table_.producers()) {
      const Offset open = each.transaction_first;
      if (open.value >= 0 && (!first || open < *first)) first = open;
    }
    return table_.first_unstable(end_) == first && table_.has_open() == first.has_value();
  }
  std::vector<AbortedTransaction> aborted(Offset from, Offset upper) const {
    std::vector<AbortedTransaction> found;
    table_.aborted_in(from, upper, found);
    return found;
  }

  ProducerTable table_;
  Offset end_{0};
  Buffer last_;  // batch
};

constexpr auto kCommit = records::ControlType::commit;
constexpr auto kAbort = records::ControlType::abort;

TEST_F(OpenTransactionsTest, a_transaction_is_unstable_until_its_marker_is_below_the_high_watermark) {
  EXPECT_EQ(table_.first_unstable(end_), std::nullopt);
  const Offset first = data(1, 0, 0);
  EXPECT_EQ(table_.first_unstable(end_), first);
  const Offset end = marker(1, 0, kCommit);
  EXPECT_EQ(table_.first_unstable(end), first);
  EXPECT_EQ(table_.first_unstable(end + 1), std::nullopt);
  table_.release_below(end + 1);
  EXPECT_EQ(table_.first_unstable(end), std::nullopt);
}

TEST_F(OpenTransactionsTest, nothing_is_unstable_below_the_first_record_that_is_left) {
  data(1, 0, 0);
  data(1, 0, 1);
  const Offset left = data(2, 0, 0, false);
  auto state = std::make_unique<LogState>();
  LogState& log_state = *state;
  log_state.end = log_state.durable_end = end_;
  log_state.producer_table() = table_;
  const Log log(std::move(state));
  EXPECT_EQ(log.first_unstable_offset(), Offset{0});
  log_state.start = left;
  EXPECT_EQ(log.first_unstable_offset(), left);
  log_state.start = end_;
  EXPECT_EQ(log.first_unstable_offset(), end_) << "when retention has removed everything";
}

TEST_F(OpenTransactionsTest, aborted_transactions_are_named_where_they_overlap) {
  const Offset one = data(1, 0, 0);
  const Offset two = data(2, 0, 0);
  marker(2, 0, kAbort);
  const Offset end = marker(1, 0, kAbort);
  EXPECT_EQ(aborted(one, end_),
            (std::vector<AbortedTransaction>{{ProducerId{2}, two}, {ProducerId{1}, one}}));
  EXPECT_EQ(aborted(end, end_), (std::vector<AbortedTransaction>{{ProducerId{1}, one}}));
  EXPECT_TRUE(aborted(end_, end_ + 1).empty());
  data(1, 0, 1);
  marker(1, 0, kCommit);
  EXPECT_EQ(aborted(one, end_).size(), 2U);
}

TEST_F(OpenTransactionsTest, a_marker_with_the_next_epoch_shuts_out_the_old_one) {
  data(1, 0, 0);
  marker(1, 1, kCommit);
  const records::BatchInfo late{
      .producer_id = ProducerId{1}, .producer_epoch = ProducerEpoch{0}, .base_sequence = 1};
  EXPECT_EQ(table_.check(late).refusal, AppendRefusal::invalid_producer_epoch);
  const records::BatchInfo next{
      .producer_id = ProducerId{1}, .producer_epoch = ProducerEpoch{1}, .base_sequence = 0};
  EXPECT_EQ(table_.check(next).refusal, std::nullopt);
  const records::BatchInfo gap{
      .producer_id = ProducerId{1}, .producer_epoch = ProducerEpoch{1}, .base_sequence = 4};
  EXPECT_EQ(table_.check(gap).refusal, AppendRefusal::out_of_order_sequence);
}

TEST_F(OpenTransactionsTest, a_transaction_whose_commit_is_cut_off_is_open_again_and_may_be_aborted) {
  const Offset first = data(1, 0, 0);
  const Offset cut = marker(1, 0, kCommit);
  table_.truncate(end_ = cut);
  EXPECT_EQ(table_.first_unstable(end_), first);
  marker(1, 0, kAbort);
  EXPECT_EQ(aborted(first, end_), (std::vector<AbortedTransaction>{{ProducerId{1}, first}}));
  EXPECT_EQ(table_.first_unstable(end_), std::nullopt);
}

TEST_F(OpenTransactionsTest, the_epoch_that_a_cut_marker_began_is_forgotten_with_it) {
  data(1, 0, 0);
  const Offset cut = marker(1, 1, kCommit);
  table_.truncate(end_ = cut);
  const records::BatchInfo next{.producer_id = ProducerId{1},
                                .producer_epoch = ProducerEpoch{0},
                                .base_sequence = 1,
                                .transactional = true};
  EXPECT_EQ(table_.check(next).refusal, std::nullopt);
  // The same where nothing of the producer was open.
  marker(2, 5, kAbort);
  table_.truncate(end_ = cut);
  EXPECT_EQ(table_.find(ProducerId{2}), nullptr);
}

// Cuts anywhere from the high watermark on, restarts in between: what is open and what was aborted is always
// what the batches say that are left.
TEST_F(OpenTransactionsTest, after_a_truncation_it_is_as_if_the_rest_had_never_come) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Prng random(seed);
    table_ = {};
    end_ = Offset{0};
    std::vector<Buffer> batches;
    std::int32_t sequences[4] = {};
    Offset high_watermark{0};
    for (int step = 0; step < 1'000; ++step) {
      const auto producer = static_cast<std::int64_t>(random.below(4));
      const auto span = static_cast<std::uint64_t>(end_ - high_watermark);
      const std::uint64_t dice = random.below(20);
      if (dice == 0) {
        end_ = high_watermark + static_cast<std::int64_t>(random.below(span + 1));
        batches.resize(static_cast<std::size_t>(end_.value));
        table_.truncate(end_);
      } else if (dice == 1) {
        ProducerTable again;
        again.restore(table_.producers(), table_.aborted(), table_.ended());
        table_ = std::move(again);
      } else if (dice < 4) {
        high_watermark = high_watermark + static_cast<std::int64_t>(random.below(span + 1));
        table_.release_below(high_watermark);
      } else if (dice < 10) {
        marker(producer, 0, random.one_in(2) ? kCommit : kAbort);
        batches.push_back(last_);
      } else {
        data(producer, 0, sequences[producer]++);
        batches.push_back(last_);
      }
      ProducerTable expected;
      for (const Buffer& batch : batches) expected.apply(records::BatchView(batch));
      ASSERT_EQ(table_.aborted(), expected.aborted()) << "seed " << seed << " step " << step;
      for (std::int64_t each = 0; each < 4; ++each) {
        const auto open = [&](const ProducerTable& table) {
          const Producer* found = table.find(ProducerId{each});
          return found == nullptr ? Offset{-1} : found->transaction_first;
        };
        ASSERT_EQ(open(table_), open(expected)) << "seed " << seed << " step " << step;
      }
      ASSERT_EQ(table_.first_unstable(high_watermark), expected.first_unstable(high_watermark))
          << "seed " << seed << " step " << step;
    }
  }
}

TEST_F(OpenTransactionsTest, the_index_of_open_transactions_follows_every_change) {
  Prng random(7);
  std::int32_t sequences[6] = {};
  for (int step = 0; step < 3'000; ++step) {
    const auto producer = static_cast<std::int64_t>(random.below(6));
    switch (random.below(12)) {
      case 0: {
        const Offset cut{end_.value - static_cast<std::int64_t>(random.below(4))};
        end_ = std::max(cut, Offset{0});
        table_.truncate(end_);
        break;
      }
      case 1: {
        std::vector<Producer> producers = table_.producers();
        std::vector<Aborted> aborted = table_.aborted();
        std::vector<Ended> ended = table_.ended();
        table_.restore(std::move(producers), std::move(aborted), std::move(ended));
        break;
      }
      case 2:
      case 3:
      case 4:
      case 5:
        marker(producer, 0, random.one_in(2) ? kCommit : kAbort);
        break;
      default:
        data(producer, 0, sequences[producer]++);
        break;
    }
    ASSERT_TRUE(index_agrees() || !table_.empty()) << step;
    table_.release_below(end_);
    ASSERT_TRUE(index_agrees()) << step;
  }
}

}  // namespace
}  // namespace tailwater::log
