// Goal: a flood is cut to the allowance and its size is known. Method: time handed in.
#include "shell/log/allowance.hpp"

#include <gtest/gtest.h>

namespace tailwater::shell {
namespace {

Instant at_s(std::int64_t seconds) {
  return {seconds * 1'000'000'000};
}

TEST(LogAllowance, BurstThenRate) {
  LogAllowance allowance;
  allowance.refill(at_s(1000));
  int taken = 0;
  for (int line = 0; line < 1000; ++line) taken += allowance.take() ? 1 : 0;
  EXPECT_EQ(taken, LogAllowance::kBurst);
  EXPECT_EQ(allowance.take_refused(), 500u);
  EXPECT_FALSE(allowance.take());
  EXPECT_EQ(allowance.take_refused(), 0u);  // reported at most once a second
  allowance.refill(at_s(1002));
  taken = 0;
  for (int line = 0; line < 1000; ++line) taken += allowance.take() ? 1 : 0;
  EXPECT_EQ(taken, 2 * LogAllowance::kPerSecond);
  EXPECT_EQ(allowance.take_refused(), 981u);
  allowance.refill(at_s(9999));
  EXPECT_TRUE(allowance.take());
  EXPECT_EQ(allowance.take_refused(), 0u);
}

}  // namespace
}  // namespace tailwater::shell
