// Goal: a failed CHECK names condition, file and line on standard error. Method: a death test.
#include "shell/log/check_hook.hpp"

#include <gtest/gtest.h>

#include "base/check.hpp"

namespace tailwater::shell {
namespace {

TEST(CheckHookDeathTest, NamesConditionAndPlace) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        install_check_hook();
        CHECK(1 + 1 == 3);
      },
      "CHECK failed: 1 \\+ 1 == 3 at .*check_hook_test.cpp:[0-9]+");
}

}  // namespace
}  // namespace tailwater::shell
