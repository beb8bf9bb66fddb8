// Goal: help shows how a command is called, what each part means, and where values come from.
// Method: the whole text of a small command, and of one that holds others.
#include "apps/cli/help_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apps/command_line.hpp"
#include "apps/commands.hpp"

namespace tailwater::apps::cli {
namespace {

TEST(HelpText, OfACommand) {
  DescribedCommand command;
  command.summary = "Create topics.";
  command.arguments = {{.names = {"NAME"}, .help = "Names.", .required = true, .repeated = true}};
  command.options = {
      {.names = {"-p", "--partitions"}, .kind = "N", .help = "How many.", .fallback = "1"},
      {.names = {"--to"}, .kind = "PLACE", .help = "Where.", .required = true},
      {.names = {"-e"}, .help = "End."},
      {.names = {"-B", "--brokers"},
       .kind = "HOST:PORT,...",
       .help = "Brokers to begin with; any one of the cluster is enough, since it knows the others.",
       .environment = "BROKERS",
       .heading = "Connection"},
  };
  command.examples = "  example";
  EXPECT_EQ(
      help_text(command, "t create"),
      "Create topics.\n"
      "\n"
      "Usage: t create --to PLACE [OPTIONS] NAME...\n"
      "\n"
      "Arguments:\n"
      "  NAME...                     Names.\n"
      "\n"
      "Options:\n"
      "  -p, --partitions N          How many. [default=1]\n"
      "      --to PLACE              Where. Required.\n"
      "  -e                          End.\n"
      "\n"
      "Connection:\n"
      "  -B, --brokers HOST:PORT,...\n"
      "                              Brokers to begin with; any one of the cluster is enough, since it\n"
      "                              knows the others. [$BROKERS]\n"
      "\n"
      "  example\n");
}

TEST(HelpText, OfACommandThatHoldsOthers) {
  DescribedCommand command;
  command.summary = "Topics.";
  command.commands = {{.name = "list", .summary = "List."},
                      {.name = "other", .summary = "Other.", .heading = "More of it"}};
  command.options = {{.names = {"-h", "--help"}, .help = "Show this help."}};
  EXPECT_EQ(help_text(command, "t topic"),
            "Topics.\n\nUsage: t topic COMMAND\n"
            "\nCommands:\n  list                        List.\n"
            "\nMore of it:\n  other                       Other.\n"
            "\nOptions:\n  -h, --help                  Show this help.\n"
            "\nMore: t topic COMMAND --help\n");
}

// Every command of the program, down to the last.
void expect_readable(const DescribedCommand& command, const std::string& path) {
  const std::string text = help_text(command, path);
  EXPECT_THAT(text, ::testing::HasSubstr("-h, --help"));
  EXPECT_FALSE(command.summary.empty()) << path;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    EXPECT_LE(end - begin, 110u) << path << ": " << text.substr(begin, end - begin);
    begin = end + 1;
  }
  for (const DescribedCommand& nested : command.commands) expect_readable(nested, path + " " + nested.name);
}

// What 0 and -1 stand for is for the help to say, or they are not shown.
void expect_explained_defaults(const DescribedCommand& command) {
  for (const DescribedOption& option : command.options) {
    if (option.fallback != "0" && option.fallback != "-1") continue;
    EXPECT_THAT(option.help, ::testing::HasSubstr(option.fallback + ":"))
        << command.name << " " << option.names.back();
  }
  for (const DescribedCommand& nested : command.commands) expect_explained_defaults(nested);
}

TEST(HelpText, DefaultsThatMeanSomethingElseAreExplained) {
  expect_explained_defaults(describe_command_line("Test.", add_commands));
}

TEST(HelpText, NoLineOfTheProgramIsTooLong) {
  expect_readable(describe_command_line("Test.", add_commands), "tailwater");
}

}  // namespace
}  // namespace tailwater::apps::cli
