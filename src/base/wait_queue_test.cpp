// Goal: the queue gives back what was put in, in order, and does not grow for ever. Method: compared with
// std::deque over random pushes and pops.
#include "base/wait_queue.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <vector>

#include "base/prng.hpp"

namespace tailwater {
namespace {

TEST(WaitQueue, is_a_queue) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Prng random(seed);
    WaitQueue<std::uint64_t> queue;
    std::deque<std::uint64_t> model;
    for (std::uint64_t step = 0; step < 3'000; ++step) {
      // Fills and empties in turns, so that both ends are met with many and with few items.
      const bool filling = step / 300 % 2 == 0;
      const std::uint64_t dice = random.below(10);
      if (filling ? dice < 7 : dice < 3) {
        queue.push(step);
        model.push_back(step);
      } else if (!model.empty()) {
        ASSERT_EQ(queue.front(), model.front());
        ASSERT_EQ(queue[queue.size() - 1], model.back());
        queue.pop();
        model.pop_front();
      }
      ASSERT_EQ(queue.size(), model.size());
      ASSERT_EQ(queue.empty(), model.empty());
    }
  }
}

TEST(WaitQueue, gives_up_what_has_passed) {
  // An item that holds memory is let go soon after it has passed, even if the queue never runs empty.
  WaitQueue<std::shared_ptr<int>> queue;
  std::vector<std::weak_ptr<int>> seen;
  for (int count = 0; count < 10'000; ++count) {
    auto item = std::make_shared<int>(count);
    seen.push_back(item);
    queue.push(std::move(item));
    if (count >= 5) queue.pop();
  }
  std::size_t alive = 0;
  for (const auto& each : seen) alive += each.expired() ? 0 : 1;
  EXPECT_LT(alive, 200U);
}

}  // namespace
}  // namespace tailwater
