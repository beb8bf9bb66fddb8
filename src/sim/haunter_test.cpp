// Goal: copies of requests change nothing of what a good broker promised, and one that carries out what is
// over is found out. Method: model producers and a haunter before a simulated broker; for the second, a
// haunter that takes epochs for over which are not.
#include "sim/haunter.hpp"

#include <gtest/gtest.h>

#include "sim/committed_reader.hpp"
#include "sim/transactional_test.hpp"
#include "sim/transactor.hpp"
#include "sim/txn_client.hpp"

namespace tailwater::sim {
namespace {

class HaunterTest : public TransactionalTest {
 protected:
  FaultCounts counts;
  Haunter haunter{world.agenda, world.broker.network(), ledger, watch, counts};
};

TEST_F(HaunterTest, copies_and_a_rival_change_nothing) {
  Transactor plain(world.agenda, world.broker.network(), ledger, watch, setup("plain", false));
  TransactorSetup one = setup("one", true);
  one.has_rival = true;
  TransactorSetup rival = setup("rival", true);
  rival.transactional_id = "one";
  rival.has_rival = true;
  Transactor bumping(world.agenda, world.broker.network(), ledger, watch, std::move(one));
  Transactor other(world.agenda, world.broker.network(), ledger, watch, std::move(rival));
  haunter.follow(plain.client(), Haunter::Epochs::one_for_many, [&] { return plain.identity(); });
  haunter.follow(bumping.client(), Haunter::Epochs::one_each, [&] { return bumping.identity(); });
  haunter.follow(other.client(), Haunter::Epochs::one_each, [&] { return other.identity(); });
  CommittedReader reader(world.agenda, world.broker.network(), ledger, watch, "reader", "t", tracks);
  for (Transactor* each : {&plain, &bumping, &other}) each->start();
  reader.start();
  EXPECT_TRUE(world.until([&] { return watch.committed_count() >= 60 || !ledger.failure().empty(); }));
  for (Transactor* each : {&plain, &bumping, &other}) each->finish();
  haunter.finish();
  EXPECT_TRUE(world.until([&] {
    return plain.finished() && bumping.finished() && other.finished() && haunter.finished();
  })) << haunter.state();
  reader.look_anew();
  EXPECT_TRUE(world.until([&] { return reader.at_end(); })) << reader.state();
  watch.judge(reader.shown());
  EXPECT_EQ(ledger.failure(), "");
  EXPECT_GT(counts.of(Fault::late_request), 20U);
  reader.stop();
}

TEST_F(HaunterTest, a_request_of_an_epoch_that_is_over_must_not_be_carried_out) {
  Transactor plain(world.agenda, world.broker.network(), ledger, watch, setup("plain", false));
  haunter.follow(plain.client(), Haunter::Epochs::one_for_many, [&] {
    const ProducerIdentity now = plain.identity();
    return ProducerIdentity{now.id, static_cast<std::int16_t>(now.epoch - 1)};
  });
  plain.start();
  EXPECT_TRUE(world.until([&] { return !ledger.failure().empty(); }));
  EXPECT_TRUE(ledger.failure().starts_with("I10")) << ledger.failure();
}

}  // namespace
}  // namespace tailwater::sim
