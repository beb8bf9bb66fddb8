// Goal: the watch over transactions finds each contradiction that it is there for, and none where there is
// none. Method: a writer and a reader that are played by hand.
#include "sim/txn_watch.hpp"

#include <gtest/gtest.h>

namespace tailwater::sim {
namespace {

class TxnWatchTest : public testing::Test {
 protected:
  // A transaction of so many records.
  std::uint64_t begin(int count) {
    const std::uint64_t transaction = watch.begin(writer);
    for (int each = 0; each < count; ++each)
      values.push_back(watch.next_value(in_ledger, writer, transaction, 3));
    return transaction;
  }
  void show(std::size_t value) { watch.seen(as_bytes(values.at(value)), shown); }

  Ledger ledger;
  TxnWatch watch{ledger};
  WriterNumber in_ledger = ledger.add_writer("writer", Promise::exactly_once);
  std::uint32_t writer = watch.add_writer();
  std::vector<std::string> values;
  TxnWatch::Shown shown;
};

TEST_F(TxnWatchTest, whole_transactions_are_right) {
  const std::uint64_t first = begin(2);
  watch.commit_asked(writer, first);
  show(1);  // of several partitions one may be read before the other, and before the answer
  watch.committed(writer, first);
  const std::uint64_t second = begin(1);
  watch.aborted(writer, second);
  const std::uint64_t third = begin(1);  // nobody knows whether it was committed: it was not
  watch.commit_asked(writer, third);
  begin(1);  // still open
  show(0);
  watch.judge(shown);
  EXPECT_EQ(ledger.failure(), "");
  EXPECT_EQ(watch.committed_count(), 1U);
}

TEST_F(TxnWatchTest, one_that_was_not_to_be_committed_must_not_be_shown) {
  begin(1);
  show(0);
  EXPECT_TRUE(ledger.failure().starts_with("I5")) << ledger.failure();
}

TEST_F(TxnWatchTest, one_that_was_aborted_must_not_be_shown) {
  watch.aborted(writer, begin(1));
  show(0);
  EXPECT_TRUE(ledger.failure().starts_with("I4")) << ledger.failure();
}

TEST_F(TxnWatchTest, a_record_must_not_be_shown_twice_to_the_same_reader) {
  watch.commit_asked(writer, begin(1));
  show(0);
  TxnWatch::Shown to_another;
  watch.seen(as_bytes(values[0]), to_another);
  EXPECT_EQ(ledger.failure(), "");
  show(0);
  EXPECT_TRUE(ledger.failure().starts_with("I3")) << ledger.failure();
}

TEST_F(TxnWatchTest, what_nobody_sent_must_not_be_shown) {
  watch.commit_asked(writer, begin(1));
  for (const char* value : {"", "0:0:0:0:1:", "0:0:0:1:0:", "0:0:1:0:0:", "0:0:0:0", "0:0:x:0:0:"}) {
    Ledger another;
    TxnWatch of_another(another);
    const std::uint32_t its = of_another.add_writer();
    of_another.next_value(another.add_writer("writer", Promise::exactly_once), its, of_another.begin(its), 0);
    of_another.seen(as_bytes(std::string_view(value)), shown);
    EXPECT_TRUE(another.failure().starts_with("S6")) << value << another.failure();
  }
}

TEST_F(TxnWatchTest, one_that_was_committed_must_be_shown) {
  const std::uint64_t transaction = begin(2);
  watch.commit_asked(writer, transaction);
  watch.committed(writer, transaction);
  show(0);
  watch.judge(shown);
  EXPECT_TRUE(ledger.failure().starts_with("I1")) << ledger.failure();
}

TEST_F(TxnWatchTest, what_is_told_to_be_damaged_need_not_be_shown) {
  const std::uint64_t transaction = begin(3);
  watch.commit_asked(writer, transaction);
  watch.committed(writer, transaction);
  show(0);
  watch.told_damaged(in_ledger, 0, shown);
  watch.told_damaged(in_ledger, 1, shown);
  show(2);
  watch.judge(shown);
  EXPECT_EQ(ledger.failure(), "");
}

TEST_F(TxnWatchTest, and_nothing_else_may_be_missing) {
  const std::uint64_t transaction = begin(3);
  watch.commit_asked(writer, transaction);
  watch.committed(writer, transaction);
  show(0);
  watch.told_damaged(in_ledger, 1, shown);
  watch.judge(shown);
  EXPECT_TRUE(ledger.failure().starts_with("I1")) << ledger.failure();
}

TEST_F(TxnWatchTest, one_of_which_nobody_knows_must_be_shown_whole_or_not_at_all) {
  watch.commit_asked(writer, begin(2));
  show(0);
  watch.judge(shown);
  EXPECT_TRUE(ledger.failure().starts_with("I5")) << ledger.failure();
}

class FencingTest : public testing::Test {
 protected:
  // A transaction of one record, of the producer with this epoch.
  std::uint64_t begin(std::int16_t epoch) {
    const std::uint64_t transaction = watch.begin(first, {7, epoch});
    value = watch.next_value(in_ledger, first, transaction, 3);
    return transaction;
  }
  void show() { watch.seen(as_bytes(value), shown); }

  Ledger ledger;
  TxnWatch watch{ledger};
  WriterNumber in_ledger = ledger.add_writer("first", Promise::exactly_once);
  std::uint32_t first = watch.add_writer("id");
  std::uint32_t second = watch.add_writer("id");
  std::uint32_t of_another_id = watch.add_writer("another");
  std::string value;
  TxnWatch::Shown shown;
};

TEST_F(FencingTest, what_was_open_when_its_id_was_given_away_must_not_be_committed) {
  const std::uint64_t transaction = begin(3);
  watch.identified(second, {7, 4});
  watch.commit_asked(first, transaction);
  watch.committed(first, transaction);
  EXPECT_TRUE(ledger.failure().starts_with("I10")) << ledger.failure();
}

TEST_F(FencingTest, nor_shown) {
  const std::uint64_t transaction = begin(3);
  watch.identified(second, {7, 4});
  watch.commit_asked(first, transaction);
  show();
  EXPECT_TRUE(ledger.failure().starts_with("I10")) << ledger.failure();
}

TEST_F(FencingTest, one_whose_commit_was_asked_for_before_may_be) {
  const std::uint64_t transaction = begin(3);
  watch.commit_asked(first, transaction);
  watch.identified(second, {7, 4});
  show();
  watch.judge(shown);
  EXPECT_EQ(ledger.failure(), "");
}

TEST_F(FencingTest, an_answer_that_was_overtaken_fences_nobody) {
  const std::uint64_t transaction = begin(5);
  watch.identified(second, {7, 4});
  watch.identified(of_another_id, {8, 6});
  watch.commit_asked(first, transaction);
  watch.committed(first, transaction);
  show();
  EXPECT_EQ(ledger.failure(), "");
}

TEST_F(FencingTest, an_epoch_is_over_when_a_newer_one_is_in_use) {
  watch.epoch_used({7, 4});
  watch.epoch_used({7, 3});
  EXPECT_TRUE(watch.is_over({7, 3}));
  EXPECT_FALSE(watch.is_over({7, 4}));
  EXPECT_FALSE(watch.is_over({8, 1}));
}

}  // namespace
}  // namespace tailwater::sim
