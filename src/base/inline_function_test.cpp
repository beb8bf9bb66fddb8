// Goal: what is captured is called, moved and destroyed, each once. Method: captures that count.
#include "base/inline_function.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace tailwater {
namespace {

using Function = InlineFunction<int(int), 32>;

TEST(InlineFunctionTest, CallsWhatItKeepsAlsoAfterAMove) {
  auto kept = std::make_shared<int>(5);
  Function first = [kept](int more) { return *kept + more; };
  EXPECT_EQ(first(1), 6);
  EXPECT_EQ(kept.use_count(), 2);
  Function second = std::move(first);
  EXPECT_EQ(second(2), 7);
  EXPECT_EQ(kept.use_count(), 2);
  Function third;
  EXPECT_FALSE(third);
  third = std::move(second);
  EXPECT_TRUE(third);
  EXPECT_EQ(third(3), 8);
  third = [](int more) { return more; };
  EXPECT_EQ(kept.use_count(), 1);
  EXPECT_EQ(third(4), 4);
}

TEST(InlineFunctionTest, ForgetsWithItsEnd) {
  auto kept = std::make_shared<int>(5);
  {
    Function function = [kept](int) { return *kept; };
    EXPECT_EQ(kept.use_count(), 2);
    function.reset();
    EXPECT_EQ(kept.use_count(), 1);
    function = [kept](int) { return *kept; };
  }
  EXPECT_EQ(kept.use_count(), 1);
}

}  // namespace
}  // namespace tailwater
