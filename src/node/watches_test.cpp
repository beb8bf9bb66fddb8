// Goal: a watch is told exactly once, whatever is added, told and dropped around it.
// Method: random steps beside a plain model.
#include "node/watches.hpp"

#include <gtest/gtest.h>

#include <set>

#include "base/prng.hpp"

namespace tailwater::node {
namespace {

TEST(WatchList, tells_each_watch_once) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Prng random(seed);
    WatchList list;
    std::set<Watch> model;
    for (int step = 0; step < 1'000; ++step) {
      const auto shard = static_cast<std::uint32_t>(random.below(3));
      const std::uint64_t session = random.below(4);
      const Watch watch{
          .shard = ShardId{shard}, .session = session, .target = static_cast<std::uint32_t>(random.below(5))};
      const std::uint64_t dice = random.below(10);
      if (dice < 6) {
        ASSERT_TRUE(list.add(watch));
        model.insert(watch);
      } else if (dice < 9) {
        list.drop(watch);
        model.erase(watch);
      } else {
        std::vector<Watch> told;
        list.fire(told);
        ASSERT_EQ(told, std::vector<Watch>(model.begin(), model.end()));
        model.clear();
      }
      ASSERT_EQ(list.size(), model.size());
    }
  }
}

TEST(WatchList, has_a_bound) {
  WatchList list;
  std::uint64_t session = 0;
  while (list.add({.shard = ShardId{0}, .session = session})) ASSERT_LT(++session, 1'000'000U);
  EXPECT_TRUE(list.add({.shard = ShardId{0}, .session = 0})) << "who is known may stay";
  list.drop({.shard = ShardId{0}, .session = 0});
  EXPECT_TRUE(list.add({.shard = ShardId{0}, .session = session}));
}

}  // namespace
}  // namespace tailwater::node
