// Goal: model producers and readers of transactions do what they are there for against a broker without
// faults: all kinds of ends occur, everything is brought to its end, and a reader is only believed with
// answers that it asked for after its new look, and that say what it is believed. Method: a simulated broker,
// some producers of both kinds, one reader.
#include "sim/transactor.hpp"

#include <gtest/gtest.h>

#include "sim/committed_reader.hpp"
#include "sim/transactional_test.hpp"
#include "sim/txn_client.hpp"
#include "wire/api/delete_topics.hpp"

namespace tailwater::sim {
namespace {

class TransactorTest : public TransactionalTest {};

TEST_F(TransactorTest, transactions_of_both_kinds_end_and_are_read_whole) {
  Transactor plain(world.agenda, world.broker.network(), ledger, watch, setup("plain", false));
  Transactor bumping(world.agenda, world.broker.network(), ledger, watch, setup("bumping", true));
  plain.start();
  bumping.start();
  CommittedReader reader(world.agenda, world.broker.network(), ledger, watch, "reader", "t", tracks);
  reader.start();
  EXPECT_TRUE(world.until([&] { return watch.committed_count() >= 60 || !ledger.failure().empty(); }));
  plain.finish();
  bumping.finish();
  // What was left in the middle is aborted after its timeout.
  EXPECT_TRUE(world.until([&] { return plain.finished() && bumping.finished(); }))
      << plain.state() << "; " << bumping.state();
  reader.look_anew();
  EXPECT_TRUE(world.until([&] { return reader.at_end(); })) << reader.state();
  watch.judge(reader.shown());
  EXPECT_EQ(ledger.failure(), "");
  EXPECT_GT(reader.shown().size(), 60U);
  reader.stop();
}

// The answer to what was asked before may be older than what it is looked for.
TEST_F(TransactorTest, a_new_look_takes_no_answer_that_was_under_way) {
  CommittedReader reader(world.agenda, world.broker.network(), ledger, watch, "reader", "t", tracks);
  reader.start();
  EXPECT_TRUE(world.until([&] { return reader.at_end() && reader.client().busy(); }));
  reader.look_anew();
  EXPECT_FALSE(reader.at_end());
  EXPECT_TRUE(world.until([&] { return !reader.client().busy(); }));
  EXPECT_FALSE(reader.at_end());
  EXPECT_TRUE(world.until([&] { return reader.at_end(); }));
  reader.look_anew();  // nothing may be under way now: then the next answer counts
  EXPECT_TRUE(world.until([&] { return reader.at_end(); }));
  reader.stop();
}

// And what it said before is not said again with it.
TEST_F(TransactorTest, an_error_says_nothing_of_the_last_stable_offset) {
  TxnClient open(line, "open", TxnClient::Kind::bumping);
  EXPECT_EQ(open.init(), wire::ErrorCode::none);
  EXPECT_EQ(open.produce("t", 0, 2), wire::ErrorCode::none);
  StableWatch stable_watch(ledger, Duration::from_ms(2'000));
  CommittedReader reader(world.agenda, world.broker.network(), ledger, watch, "reader", "t", tracks);
  reader.report_to(stable_watch, [] { return Instant{}; });
  reader.start();
  EXPECT_TRUE(world.until([&] { return reader.state().contains(" 0/0/2 "); })) << reader.state();
  wire::DeleteTopicsRequest deletion;
  deletion.topic_names = {"t"};
  EXPECT_EQ(line.ask(5, deletion).responses.at(0).error_code, wire::ErrorCode::none);
  world.pass(Duration::from_ms(10'000));
  EXPECT_EQ(ledger.failure(), "");
  EXPECT_TRUE(reader.state().contains(" 0/0/-1 ")) << reader.state();
  reader.stop();
}

TEST_F(TransactorTest, a_transaction_that_stays_open_is_found_out) {
  TxnClient open(line, "open", TxnClient::Kind::bumping);
  EXPECT_EQ(open.init(), wire::ErrorCode::none);
  EXPECT_EQ(open.produce("t", 0, 2), wire::ErrorCode::none);
  StableWatch stable_watch(ledger, Duration::from_ms(2'000));
  CommittedReader reader(world.agenda, world.broker.network(), ledger, watch, "reader", "t", tracks);
  reader.report_to(stable_watch, [] { return Instant{}; });
  reader.start();
  world.pass(Duration::from_ms(10'000));
  EXPECT_TRUE(ledger.failure().starts_with("I12")) << ledger.failure();
  reader.stop();
}

}  // namespace
}  // namespace tailwater::sim
