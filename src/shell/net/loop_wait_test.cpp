// Goal: waiting ends by readiness, again and again, and by its limit. Method: an event descriptor inside a
// poller.
#include "shell/net/loop_wait.hpp"

#include <gtest/gtest.h>

#include "shell/disk/wake.hpp"
#include "shell/net/poller.hpp"

namespace tailwater::shell {
namespace {

TEST(LoopWait, EndsByReadinessEachTime) {
  Poller poller;
  const Wake wake;
  ASSERT_TRUE(poller.add(wake.get(), EPOLLIN, 7));
  LoopWait loop(poller.descriptor());
  for (int round = 0; round < 3; ++round) {
    wake.signal();
    loop.wait(Duration::from_ms(60'000));
    ASSERT_EQ(poller.wait(0).size(), 1u);
    wake.clear();
    ASSERT_TRUE(poller.wait(0).empty());
  }
}

TEST(LoopWait, ReadinessThatWasThereBeforeWaitingEndsIt) {
  Poller poller;
  const Wake wake;
  ASSERT_TRUE(poller.add(wake.get(), EPOLLIN, 7));
  LoopWait loop(poller.descriptor());
  loop.wait(Duration::from_ms(1));
  wake.signal();
  loop.poll();
  // The readiness was taken by poll(), and its cause is still there.
  loop.wait(Duration::from_ms(60'000));
  EXPECT_EQ(poller.wait(0).size(), 1u);
}

TEST(LoopWait, EndsByItsLimit) {
  Poller poller;
  LoopWait loop(poller.descriptor());
  loop.wait(Duration::from_ms(1));
  EXPECT_TRUE(poller.wait(0).empty());
}

}  // namespace
}  // namespace tailwater::shell
