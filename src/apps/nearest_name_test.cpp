// Goal: a mistyped name finds the one that was meant, and a strange one finds none.
// Method: typical mistakes, and names that only happen to be short.
#include "apps/nearest_name.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace tailwater::apps {
namespace {

TEST(NearestName, MistakesAreFew) {
  const std::vector<std::string> known = {"produce", "consume", "topic", "serve",
                                          "log",     "txn",     "list",  "describe"};
  const auto nearest = [&known](const char* wrong) { return nearest_name(wrong, known); };
  EXPECT_EQ(nearest("prodcue"), "produce");
  EXPECT_EQ(nearest("topics"), "topic");
  EXPECT_EQ(nearest("tpoic"), "topic");
  EXPECT_EQ(nearest("sevre"), "serve");
  EXPECT_EQ(nearest("ls"), "list");
  EXPECT_EQ(nearest("desc"), "describe");
  EXPECT_EQ(nearest("lst"), "list");
  EXPECT_EQ(nearest("tnx"), "txn");
  EXPECT_EQ(nearest("logs"), "log");
}

TEST(NearestName, WhatIsOnlyShortIsNotNear) {
  const std::vector<std::string> known = {"log", "dev", "topic"};
  EXPECT_EQ(nearest_name("foo", known), "");
  EXPECT_EQ(nearest_name("x", known), "");
  EXPECT_EQ(nearest_name("", known), "");
  EXPECT_EQ(nearest_name(std::string(100'000, 'x'), known), "");
}

}  // namespace
}  // namespace tailwater::apps
