// Goal: a simulation is a function of its seed, and the broker keeps its promises under it.
// Method: few seeds, each run twice; the long runs are the simulate program's.
#include <gtest/gtest.h>

#include "sim/run.hpp"

namespace tailwater::sim {
namespace {

TEST(Simulation, seeds_pass_and_repeat_themselves) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const Outcome first = run(seed);
    EXPECT_EQ(first.failure, "") << "seed " << seed;
    EXPECT_GT(first.acknowledged, 0U);
    EXPECT_GE(first.read, first.acknowledged) << "every record is read, some of them twice";
    const Outcome again = run(seed);
    EXPECT_EQ(first.digest, again.digest) << "seed " << seed;
    EXPECT_EQ(first.unseed, again.unseed) << "seed " << seed;
    EXPECT_EQ(first.events, again.events) << "seed " << seed;
  }
}

TEST(Simulation, different_seeds_are_different_runs) {
  const Outcome one = run(11);
  const Outcome other = run(12);
  EXPECT_NE(one.digest, other.digest);
  EXPECT_NE(one.unseed, other.unseed);
}

}  // namespace
}  // namespace tailwater::sim
