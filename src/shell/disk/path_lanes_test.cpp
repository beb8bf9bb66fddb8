// Goal: operations that share a key run in order, others do not wait, and a barrier waits for everything
// before it. Method: small cases by hand, then random ones against the rule itself.
#include "shell/disk/path_lanes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/prng.hpp"

namespace tailwater::shell {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::uint64_t> finish(PathLanes& lanes, std::uint64_t number) {
  std::vector<std::uint64_t> freed;
  lanes.finish(number, freed);
  return freed;
}

TEST(PathLanes, OneKeyIsOneLane) {
  PathLanes lanes;
  EXPECT_TRUE(lanes.add(1, {"a"}));
  EXPECT_FALSE(lanes.add(2, {"a"}));
  EXPECT_TRUE(lanes.add(3, {"b"}));
  EXPECT_THAT(finish(lanes, 3), IsEmpty());
  EXPECT_THAT(finish(lanes, 1), ElementsAre(2));
  EXPECT_THAT(finish(lanes, 2), IsEmpty());
  EXPECT_TRUE(lanes.empty());
}

TEST(PathLanes, TwoKeysWaitForBoth) {
  PathLanes lanes;
  EXPECT_TRUE(lanes.add(1, {"a"}));
  EXPECT_TRUE(lanes.add(2, {"b"}));
  EXPECT_FALSE(lanes.add(3, {"a", "b"}));
  EXPECT_FALSE(lanes.add(4, {"b"}));
  EXPECT_THAT(finish(lanes, 1), IsEmpty());
  EXPECT_THAT(finish(lanes, 2), ElementsAre(3));
  EXPECT_THAT(finish(lanes, 3), ElementsAre(4));
}

TEST(PathLanes, ABarrierWaitsForAllBeforeAndHoldsNothingUp) {
  PathLanes lanes;
  EXPECT_TRUE(lanes.add(1, {"a"}));
  EXPECT_TRUE(lanes.add(2, {"b"}));
  EXPECT_FALSE(lanes.add(3, {}, PathLanes::After::everything));
  EXPECT_TRUE(lanes.add(4, {"c"}));
  EXPECT_THAT(finish(lanes, 4), IsEmpty());
  EXPECT_THAT(finish(lanes, 2), IsEmpty());
  EXPECT_THAT(finish(lanes, 1), ElementsAre(3));
  EXPECT_TRUE(lanes.add(5, {"a"}));
  finish(lanes, 3);
  finish(lanes, 5);
  EXPECT_TRUE(lanes.add(6, {}, PathLanes::After::everything));
}

TEST(PathLanes, RandomOperationsKeepTheRuleAndNeverGetStuck) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Prng random(seed);
    PathLanes lanes;
    std::map<std::uint64_t, std::set<std::string>> pending;  // an empty set: a barrier
    std::set<std::uint64_t> running;
    std::uint64_t next = 1;
    const auto must_wait = [&](std::uint64_t number) {
      const auto& keys = pending.at(number);
      return std::ranges::any_of(pending, [&](const auto& other) {
        if (other.first >= number) return false;
        return keys.empty() ||
               std::ranges::any_of(keys, [&](const auto& key) { return other.second.contains(key); });
      });
    };
    for (int step = 0; step < 300; ++step) {
      if (running.empty() || random.below(2) == 0) {
        std::set<std::string> keys;
        const std::uint64_t count = random.below(8) == 0 ? 0 : 1 + random.below(2);
        for (std::uint64_t i = 0; i < count; ++i)
          keys.insert(std::string(1, static_cast<char>('a' + random.below(4))));
        const auto after = keys.empty() ? PathLanes::After::everything : PathLanes::After::same_keys;
        pending[next] = keys;
        const bool free = lanes.add(next, {keys.begin(), keys.end()}, after);
        ASSERT_EQ(free, !must_wait(next)) << "seed " << seed;
        if (free) running.insert(next);
        ++next;
        continue;
      }
      auto chosen = running.begin();
      std::advance(chosen, static_cast<std::ptrdiff_t>(random.below(running.size())));
      const std::uint64_t number = *chosen;
      running.erase(chosen);
      pending.erase(number);
      for (const std::uint64_t freed : finish(lanes, number)) {
        ASSERT_FALSE(must_wait(freed)) << "seed " << seed;
        ASSERT_TRUE(running.insert(freed).second);
      }
      for (const auto& [other, keys] : pending)
        ASSERT_EQ(running.contains(other), !must_wait(other)) << "seed " << seed;
    }
    while (!running.empty()) {
      const std::uint64_t number = *running.begin();
      running.erase(number);
      pending.erase(number);
      for (const std::uint64_t freed : finish(lanes, number)) running.insert(freed);
    }
    ASSERT_TRUE(pending.empty()) << "seed " << seed;
    ASSERT_TRUE(lanes.empty());
  }
}

}  // namespace
}  // namespace tailwater::shell
