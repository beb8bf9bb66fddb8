// Goal: what people type out of habit reaches the parser in its order, and nothing else is moved.
// Method: a small tree of commands; lines in and out.
#include "apps/command_words.hpp"

#include <gtest/gtest.h>

#include "apps/command_line.hpp"

namespace tailwater::apps {
namespace {

using Words = std::vector<std::string>;

Words usual(const Words& words) {
  DescribedCommand root;
  root.commands = {{.name = "topic", .commands = {{.name = "list"}, {.name = "create"}}},
                   {.name = "consume"},
                   {.name = "version"}};
  return usual_words(root, words);
}

TEST(CommandWords, HelpMayStandAnywhereBeforeTheArguments) {
  EXPECT_EQ(usual({"help"}), (Words{"--help"}));
  EXPECT_EQ(usual({"help", "topic"}), (Words{"topic", "--help"}));
  EXPECT_EQ(usual({"help", "topic", "create"}), (Words{"topic", "create", "--help"}));
  EXPECT_EQ(usual({"topic", "help", "create"}), (Words{"topic", "create", "--help"}));
  EXPECT_EQ(usual({"topic", "help"}), (Words{"topic", "--help"}));
  EXPECT_EQ(usual({"--help", "topic", "create"}), (Words{"topic", "create", "--help"}));
  EXPECT_EQ(usual({"help", "tpoic"}), (Words{"tpoic", "--help"}));
}

TEST(CommandWords, HelpIsAlsoAnArgument) {
  EXPECT_EQ(usual({"topic", "create", "help"}), (Words{"topic", "create", "help"}));
  EXPECT_EQ(usual({"consume", "help", "-e"}), (Words{"consume", "help", "-e"}));
}

TEST(CommandWords, OptionsMayStandBeforeTheirCommand) {
  EXPECT_EQ(usual({"-B", "host:1", "topic", "list", "x"}), (Words{"topic", "list", "-B", "host:1", "x"}));
  EXPECT_EQ(usual({"topic", "-B", "host:1", "list"}), (Words{"topic", "list", "-B", "host:1"}));
  EXPECT_EQ(usual({"--format=json", "topic", "list"}), (Words{"topic", "list", "--format=json"}));
  EXPECT_EQ(usual({"-q", "consume", "x"}), (Words{"consume", "-q", "x"}));
  EXPECT_EQ(usual({"-B", "host:1", "topic", "lst"}), (Words{"topic", "lst", "-B", "host:1"}));
}

TEST(CommandWords, WhatIsInOrderStays) {
  for (const Words& words : {Words{}, Words{""}, Words{"-"}, Words{"--", "topic"}, Words{"-x"},
                             Words{"topic", "create", "-p", "3", "--", "-x"},
                             Words{"unknown", "-B", "host:1", "topic"}, Words{"consume", "-B", ""}}) {
    EXPECT_EQ(usual(words), words);
  }
}

TEST(CommandWords, Version) {
  EXPECT_EQ(usual({"--version"}), (Words{"version"}));
  EXPECT_EQ(usual({"-V", "--format", "json"}), (Words{"version", "--format", "json"}));
}

}  // namespace
}  // namespace tailwater::apps
