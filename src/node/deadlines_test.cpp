// Goal: the first deadline is the earliest of those that are set, whatever was taken out. Method: compared
// with a std::set over random steps.
#include "node/deadlines.hpp"

#include <gtest/gtest.h>

#include <set>

#include "base/prng.hpp"

namespace tailwater::node {
namespace {

TEST(Deadlines, is_a_queue_by_time) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Prng random(seed);
    Deadlines deadlines;
    std::vector<Instant> when(40, Instant::max());
    std::multiset<Instant> model;
    for (int step = 0; step < 2'000; ++step) {
      const auto number = static_cast<std::uint32_t>(random.below(when.size()));
      if (when[number] == Instant::max() && random.below(3) > 0) {
        when[number] = Instant{} + Duration::from_ms(static_cast<std::int64_t>(random.below(100)));
        deadlines.set(number, when[number]);
        model.insert(when[number]);
      } else {
        deadlines.drop(number);  // also one that has none
        if (when[number] != Instant::max()) model.erase(model.find(when[number]));
        when[number] = Instant::max();
      }
      ASSERT_EQ(deadlines.empty(), model.empty());
      ASSERT_EQ(deadlines.next(), model.empty() ? Instant::max() : *model.begin());
      if (!model.empty()) {
        ASSERT_EQ(when[deadlines.first()], *model.begin());
      }
    }
  }
}

}  // namespace
}  // namespace tailwater::node
