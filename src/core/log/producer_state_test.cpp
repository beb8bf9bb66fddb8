// Goal: a client's batch is accepted, recognised or refused by the table of Kafka's rules, check by check and
// in their order; epochs, markers and expiry change what is known as they should. Method: batches applied to
// a table, then asked about.
#include "core/log/producer_state.hpp"

#include <gtest/gtest.h>

#include "records/builder.hpp"
#include "records/control.hpp"

namespace tailwater::log {
namespace {

constexpr std::int64_t kId = 7;

struct Sent {
  std::int32_t sequence = 0;
  std::int32_t count = 1;
  std::int16_t epoch = 0;
  bool transactional = false;
  std::int64_t id = kId;
  std::int64_t timestamp = 1'000;
};

class Table {
 public:
  std::int64_t apply(const Sent& sent) {
    records::BatchOptions options;
    options.base_offset = Offset{end_};
    options.producer_id = ProducerId{sent.id};
    options.producer_epoch = ProducerEpoch{sent.epoch};
    options.base_sequence = sent.sequence;
    options.transactional = sent.transactional;
    records::BatchBuilder builder(options);
    for (std::int32_t each = 0; each < sent.count; ++each)
      EXPECT_TRUE(builder.add(sent.timestamp, std::nullopt, as_bytes("v")));
    Buffer batch;
    EXPECT_TRUE(builder.finish(batch).has_value());
    return take(batch);
  }
  std::int64_t mark(records::ControlType type, std::int16_t epoch = 0, std::int64_t id = kId) {
    Buffer batch;
    records::append_end_marker({.type = type,
                                .producer_id = ProducerId{id},
                                .producer_epoch = ProducerEpoch{epoch},
                                .coordinator_epoch = 4},
                               WallTime{1'000}, batch);
    records::set_base_offset(batch, Offset{end_});
    return take(batch);
  }
  std::int64_t take(const Buffer& batch) {
    const records::BatchView view(batch);
    table.apply(view);
    end_ = view.last_offset().value + 1;
    return view.base_offset().value;
  }
  ProducerTable::Verdict ask(const Sent& sent) const {
    records::BatchInfo info;
    info.producer_id = ProducerId{sent.id};
    info.producer_epoch = ProducerEpoch{sent.epoch};
    info.base_sequence = sent.sequence;
    info.last_offset_delta = sent.count - 1;
    info.transactional = sent.transactional;
    return table.check(info);
  }
  bool accepts(const Sent& sent) const {
    const auto verdict = ask(sent);
    return !verdict.refusal && verdict.duplicate == nullptr;
  }
  std::optional<AppendRefusal> refusal(const Sent& sent) const { return ask(sent).refusal; }

  ProducerTable table;

 private:
  std::int64_t end_ = 0;
};

TEST(ProducerState, of_a_producer_that_nobody_knows_any_sequence_will_do) {
  EXPECT_TRUE(Table().accepts({.sequence = 0}));
  EXPECT_TRUE(Table().accepts({.sequence = 1'234, .epoch = 9}));
}

TEST(ProducerState, the_next_sequence_is_accepted_and_a_gap_is_not) {
  Table table;
  table.apply({.sequence = 0, .count = 3});
  EXPECT_TRUE(table.accepts({.sequence = 3}));
  EXPECT_EQ(table.refusal({.sequence = 4}), AppendRefusal::out_of_order_sequence);
  EXPECT_EQ(table.refusal({.sequence = 1, .count = 2}), AppendRefusal::out_of_order_sequence);
}

TEST(ProducerState, sequences_go_on_with_zero_behind_the_largest) {
  Table table;
  table.apply({.sequence = INT32_MAX - 1, .count = 2});
  EXPECT_TRUE(table.accepts({.sequence = 0}));
  EXPECT_EQ(table.refusal({.sequence = 1}), AppendRefusal::out_of_order_sequence);
  Table wrapping;
  wrapping.apply({.sequence = INT32_MAX - 1, .count = 5});
  EXPECT_TRUE(wrapping.accepts({.sequence = 3}));
  EXPECT_NE(wrapping.ask({.sequence = INT32_MAX - 1, .count = 5}).duplicate, nullptr);
}

TEST(ProducerState, the_last_five_batches_are_recognised_with_their_offsets) {
  Table table;
  for (std::int32_t batch = 0; batch < 7; ++batch) table.apply({.sequence = batch * 2, .count = 2});
  for (std::int32_t batch = 2; batch < 7; ++batch) {
    const auto verdict = table.ask({.sequence = batch * 2, .count = 2});
    ASSERT_NE(verdict.duplicate, nullptr) << batch;
    EXPECT_FALSE(verdict.refusal);
    EXPECT_EQ(verdict.duplicate->last_offset, Offset{batch * 2 + 1});
    EXPECT_EQ(verdict.duplicate->offset_delta, 1);
  }
  EXPECT_EQ(table.refusal({.sequence = 2, .count = 2}), AppendRefusal::out_of_order_sequence)
      << "too long ago";
  EXPECT_EQ(table.refusal({.sequence = 12, .count = 1}), AppendRefusal::out_of_order_sequence)
      << "another batch of the same first sequence";
}

TEST(ProducerState, an_older_epoch_is_refused_before_anything_else_is_looked_at) {
  Table table;
  table.apply({.sequence = 0, .epoch = 3});
  EXPECT_EQ(table.refusal({.sequence = 1, .epoch = 2}), AppendRefusal::invalid_producer_epoch);
  EXPECT_EQ(table.refusal({.sequence = 0, .epoch = 2}), AppendRefusal::invalid_producer_epoch)
      << "no repetition either";
}

TEST(ProducerState, a_new_epoch_begins_with_zero_and_forgets_the_old_batches) {
  Table table;
  table.apply({.sequence = 0, .count = 5});
  EXPECT_TRUE(table.accepts({.sequence = 0, .epoch = 1}));
  EXPECT_EQ(table.refusal({.sequence = 5, .epoch = 1}), AppendRefusal::out_of_order_sequence);
  table.apply({.sequence = 0, .epoch = 1});
  EXPECT_EQ(table.refusal({.sequence = 0, .count = 5, .epoch = 1}), AppendRefusal::out_of_order_sequence);
  EXPECT_TRUE(table.accepts({.sequence = 1, .epoch = 1}));
}

TEST(ProducerState, without_a_transaction_nothing_goes_into_an_open_one) {
  Table table;
  table.apply({.sequence = 0, .transactional = true});
  EXPECT_EQ(table.refusal({.sequence = 1}), AppendRefusal::invalid_txn_state);
  EXPECT_TRUE(table.accepts({.sequence = 1, .transactional = true}));
  EXPECT_EQ(table.refusal({.sequence = 5}), AppendRefusal::out_of_order_sequence) << "sequences come first";
  table.mark(records::ControlType::commit);
  EXPECT_TRUE(table.accepts({.sequence = 1}));
}

TEST(ProducerState, a_marker_keeps_the_batches_unless_it_raises_the_epoch) {
  Table table;
  table.apply({.sequence = 0, .transactional = true});
  table.mark(records::ControlType::commit);
  EXPECT_NE(table.ask({.sequence = 0, .transactional = true}).duplicate, nullptr);
  EXPECT_TRUE(table.accepts({.sequence = 1, .transactional = true}));
  table.mark(records::ControlType::abort, 1);
  EXPECT_EQ(table.refusal({.sequence = 1, .transactional = true}), AppendRefusal::invalid_producer_epoch);
  EXPECT_TRUE(table.accepts({.sequence = 0, .epoch = 1, .transactional = true}));
  EXPECT_EQ(table.refusal({.sequence = 1, .epoch = 1, .transactional = true}),
            AppendRefusal::out_of_order_sequence);
}

TEST(ProducerState, expiry_waits_for_the_time_and_for_the_end_of_a_transaction) {
  Table table;
  table.apply({.timestamp = 1'000});
  table.apply({.id = 8, .timestamp = 5'000});
  table.apply({.transactional = true, .id = 9, .timestamp = 1'000});
  table.table.expire(WallTime{10'999}, 10'000);
  EXPECT_EQ(table.table.producers().size(), 3U);
  table.table.expire(WallTime{11'000}, 10'000);
  EXPECT_EQ(table.table.producers().size(), 2U);
  EXPECT_TRUE(table.accepts({.sequence = 77})) << "forgotten";
  table.table.expire(WallTime{1'000'000}, 10'000);
  EXPECT_EQ(table.table.producers().size(), 1U) << "its transaction is open";
  table.mark(records::ControlType::abort, 0, 9);
  table.table.expire(WallTime{1'000'000}, 10'000);
  EXPECT_TRUE(table.table.producers().empty());
}

TEST(ProducerState, a_move_of_the_log_start_forgets_no_producer) {
  Table table;
  table.apply({.sequence = 0});
  table.apply({.sequence = 1});
  table.table.advance_start(Offset{2});
  EXPECT_TRUE(table.accepts({.sequence = 2}));
  EXPECT_NE(table.ask({.sequence = 0}).duplicate, nullptr);
}

TEST(ProducerState, what_is_undecided_begins_with_the_first_open_transaction) {
  Table table;
  table.apply({});
  EXPECT_EQ(table.table.first_unstable(Offset{100}), std::nullopt);
  const std::int64_t first = table.apply({.transactional = true, .id = 8});
  table.apply({.transactional = true, .id = 9});
  EXPECT_EQ(table.table.first_unstable(Offset{100}), Offset{first});
  const std::int64_t marker = table.mark(records::ControlType::commit, 0, 8);
  EXPECT_EQ(table.table.first_unstable(Offset{marker}), Offset{first}) << "its marker is not visible yet";
  EXPECT_EQ(table.table.first_unstable(Offset{marker + 1}), Offset{first + 1});
  table.table.release_below(Offset{marker + 1});
  EXPECT_EQ(table.table.first_unstable(Offset{0}), Offset{first + 1});
}

TEST(ProducerState, aborted_transactions_are_named_to_who_reads_in_them) {
  Table table;
  const std::int64_t first = table.apply({.transactional = true});
  const std::int64_t marker = table.mark(records::ControlType::abort);
  table.apply({.sequence = 1, .transactional = true});
  table.mark(records::ControlType::commit);
  const auto asked = [&](std::int64_t from, std::int64_t upper) {
    std::vector<AbortedTransaction> aborted;
    table.table.aborted_in(Offset{from}, Offset{upper}, aborted);
    return aborted;
  };
  const std::vector<AbortedTransaction> one{{ProducerId{kId}, Offset{first}}};
  EXPECT_EQ(asked(0, 10), one);
  EXPECT_EQ(asked(marker, 10), one) << "the marker belongs to it";
  EXPECT_TRUE(asked(marker + 1, 10).empty());
  EXPECT_TRUE(asked(0, first).empty());
  table.table.forget_aborted({Offset{marker}});
  EXPECT_TRUE(asked(0, 10).empty());
}

}  // namespace
}  // namespace tailwater::log
