// Goal: a transaction that hangs is found out, and one that a fault holds up is not. Method: answers by hand.
#include "sim/stable_watch.hpp"

#include <gtest/gtest.h>

namespace tailwater::sim {
namespace {

class StableWatchTest : public testing::Test {
 protected:
  void answer(std::int64_t second, std::int64_t calm, std::int64_t stable, std::int64_t end) {
    const auto instant = [](std::int64_t at) { return Instant{at * 1'000'000'000}; };
    watch.answered(track, instant(second), instant(second), instant(calm), stable, end);
  }

  Ledger ledger;
  TrackNumber track = ledger.add_track("t-0", Retention::keeps);
  StableWatch watch{ledger, Duration::from_ms(10'000)};
};

TEST_F(StableWatchTest, one_transaction_for_too_long) {
  answer(1, 0, 5, 9);
  answer(11, 0, 5, 20);
  EXPECT_EQ(ledger.failure(), "");
  answer(12, 0, 5, 20);
  EXPECT_EQ(ledger.failure(),
            "I12: the last stable offset of t-0 has been 5 for 11000 ms, and nothing was in its way");
}

TEST_F(StableWatchTest, one_after_the_other) {
  for (std::int64_t second = 1; second < 60; ++second) answer(second, 0, second / 9, 100);
  answer(60, 0, 100, 100);
  answer(75, 0, 100, 101);
  answer(80, 0, 100, 101);
  EXPECT_EQ(ledger.failure(), "");
}

TEST_F(StableWatchTest, what_a_fault_held_up_has_its_time_anew) {
  answer(1, 0, 5, 9);
  answer(20, 15, 5, 9);
  answer(24, 24, 5, 9);
  watch.answered(track, Instant{60'000'000'000}, Instant{60'000'000'000}, Instant::max(), 5, 9);
  EXPECT_EQ(ledger.failure(), "");
  answer(70, 59, 5, 9);
  EXPECT_TRUE(ledger.failure().starts_with("I12")) << ledger.failure();
}

}  // namespace
}  // namespace tailwater::sim
