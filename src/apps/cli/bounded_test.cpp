// Goal: nobody waits for a call that does not return.
// Method: work that waits until the test is over.
#include "apps/cli/bounded.hpp"

#include <gtest/gtest.h>

#include <future>
#include <memory>

namespace tailwater::apps::cli {
namespace {

TEST(EndsWithin, WorkThatEnds) {
  auto ran = std::make_shared<bool>(false);
  EXPECT_TRUE(ends_within(std::chrono::minutes(1), [ran] { *ran = true; }));
  EXPECT_TRUE(*ran);
}

TEST(EndsWithin, WorkThatDoesNot) {
  auto release = std::make_shared<std::promise<void>>();
  auto ended = std::make_shared<std::promise<void>>();
  EXPECT_FALSE(ends_within(std::chrono::milliseconds(1), [release, ended] {
    release->get_future().wait();
    ended->set_value();
  }));
  release->set_value();
  ended->get_future().wait();
}

}  // namespace
}  // namespace tailwater::apps::cli
