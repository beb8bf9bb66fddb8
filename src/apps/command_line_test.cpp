// Goal: words find their commands, wrong ones get the nearest name and exit code 2, help is a success.
// Method: a small command tree; complaints and help are captured.
#include "apps/command_line.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tailwater::apps {
namespace {

using ::testing::HasSubstr;

struct Outcome {
  int code = -1;
  std::string out;
  std::string error;
  std::string ran;
  std::string name;
  std::int64_t count = 3;
  std::int64_t step = -1;
  std::string format = "text";
  std::vector<std::string> pairs;
  bool force = false;
};

Outcome run(std::vector<const char*> words) {
  words.insert(words.begin(), "tailwater");
  Outcome outcome;
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  outcome.code =
      run_command_line(static_cast<int>(words.size()), words.data(), "Test.", [&](Command& tailwater) {
        Command topic = tailwater.command("topic", "Topics.");
        Command create = topic.command("create", "Create a topic.");
        create.argument("NAME", outcome.name, "The name.").required();
        create.option("-p,--partitions", outcome.count, "N", "Partitions.");
        create.repeated("-c,--config", outcome.pairs, "KEY=VALUE", "Configuration.");
        create.flag("--force", outcome.force, "Do it.");
        create.examples("Example: tailwater topic create orders");
        create.action([&] {
          outcome.ran = "create";
          return kExitDone;
        });
        create.option("--by", outcome.step, "N", "How many more.").without_default();
        create.option("--format", outcome.format, "text|json", "Form.");
        create.instead_of("-q", "--by N");
        topic.command("delete", "Delete a topic.").action([] { return kExitFailed; });
        tailwater.command("serve", "Serve.").action([] { return kExitDone; });
        tailwater.command("version", "Print.").action([&] {
          outcome.ran = "version";
          return kExitDone;
        });
      });
  outcome.out = ::testing::internal::GetCapturedStdout();
  outcome.error = ::testing::internal::GetCapturedStderr();
  return outcome;
}

TEST(CommandLine, RunsTheChosenAction) {
  const Outcome outcome = run({"topic", "create", "orders", "-p", "6", "-c", "a=1", "-c", "b=2", "--force"});
  EXPECT_EQ(outcome.code, kExitDone) << outcome.error;
  EXPECT_EQ(outcome.ran, "create");
  EXPECT_EQ(outcome.name, "orders");
  EXPECT_EQ(outcome.count, 6);
  EXPECT_THAT(outcome.pairs, ::testing::ElementsAre("a=1", "b=2"));
  EXPECT_TRUE(outcome.force);
  EXPECT_EQ(run({"topic", "delete"}).code, kExitFailed);
}

TEST(CommandLine, UnknownCommandsGetTheNearestName) {
  const Outcome outer = run({"sevre"});
  EXPECT_EQ(outer.code, kExitUsage);
  EXPECT_THAT(outer.error, HasSubstr("there is no command 'sevre'; did you mean 'serve'?"));
  const Outcome inner = run({"topic", "creat", "x"});
  EXPECT_EQ(inner.code, kExitUsage);
  EXPECT_THAT(inner.error, HasSubstr("did you mean 'create'?"));
  const Outcome far = run({"zzzzzzzz"});
  EXPECT_EQ(far.code, kExitUsage);
  EXPECT_THAT(far.error, HasSubstr("there is no command 'zzzzzzzz'\nCommands: topic, serve"));
}

TEST(CommandLine, WrongUsageIsTwoAndHelpIsNot) {
  EXPECT_EQ(run({"topic", "create"}).code, kExitUsage);
  EXPECT_EQ(run({"topic", "create", "x", "--partitions", "many"}).code, kExitUsage);
  EXPECT_EQ(run({"topic", "create", "x", "--nonsense"}).code, kExitUsage);
  EXPECT_EQ(run({}).code, kExitUsage);
  EXPECT_EQ(run({"topic"}).code, kExitUsage);
  const Outcome help = run({"topic", "create", "--help"});
  EXPECT_EQ(help.code, kExitDone);
  EXPECT_THAT(help.out, HasSubstr("Example: tailwater topic create orders"));
  EXPECT_EQ(run({"--help"}).code, kExitDone);
}

TEST(CommandLine, HelpAndVersionAreFoundWhereOthersHaveThem) {
  const Outcome whole = run({"help"});
  EXPECT_EQ(whole.code, kExitDone);
  EXPECT_THAT(whole.out, HasSubstr("Topics."));
  const Outcome part = run({"help", "topic", "create"});
  EXPECT_EQ(part.code, kExitDone);
  EXPECT_THAT(part.out, HasSubstr("Example: tailwater topic create orders"));
  const std::vector<std::vector<const char*>> spellings = {
      {"topic", "help", "create"}, {"--help", "topic", "create"}, {"topic", "--help", "create"}};
  for (const std::vector<const char*>& words : spellings) {
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.code, kExitDone);
    EXPECT_THAT(outcome.out, HasSubstr("Usage: tailwater topic create [OPTIONS] NAME\n"));
  }
  EXPECT_THAT(run({"topic", "help"}).out, HasSubstr("Usage: tailwater topic COMMAND\n"));
  EXPECT_EQ(run({"help", "tpoic"}).code, kExitUsage);
  EXPECT_EQ(run({"topic", "create", "help"}).name, "help");
  EXPECT_EQ(run({"--version"}).ran, "version");
  EXPECT_EQ(run({"-V"}).ran, "version");
}

TEST(CommandLine, OptionsMayStandBeforeTheCommand) {
  const Outcome outcome = run({"-p", "6", "topic", "--force", "create", "orders"});
  EXPECT_EQ(outcome.code, kExitDone) << outcome.error;
  EXPECT_EQ(outcome.count, 6);
  EXPECT_TRUE(outcome.force);
  EXPECT_EQ(outcome.name, "orders");
  EXPECT_THAT(run({"-P", "6", "topic", "create", "x"}).error, HasSubstr("did you mean -p?"));
  EXPECT_THAT(run({"-p", "6", "topic", "creat", "x"}).error, HasSubstr("did you mean 'create'?"));
}

TEST(CommandLine, WhoNamesNoCommandIsShownThemAndHasFailed) {
  const Outcome outcome = run({"topic"});
  EXPECT_EQ(outcome.code, kExitUsage);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.error, HasSubstr("Usage: tailwater topic COMMAND\n"));
}

TEST(CommandLine, WhatIsWrongIsSaidInOneForm) {
  const auto error = [](std::vector<const char*> words) { return run(std::move(words)).error; };
  EXPECT_EQ(error({"topic", "create"}), "tailwater: NAME is required\nSee: tailwater topic create --help\n");
  EXPECT_THAT(error({"topic", "create", "x", "-p"}), HasSubstr("tailwater: --partitions needs a value\n"));
  EXPECT_THAT(error({"topic", "create", "x", "-p", "many"}),
              HasSubstr("tailwater: cannot make sense of --partitions = many: a number is wanted\n"));
  EXPECT_THAT(error({"serve", "x"}), HasSubstr("tailwater: 'tailwater serve' takes no 'x'\n"));
}

TEST(CommandLine, UnknownOptionsGetTheNearestName) {
  const Outcome near = run({"topic", "create", "x", "--partition", "3"});
  EXPECT_EQ(near.code, kExitUsage);
  EXPECT_THAT(near.error,
              HasSubstr("'tailwater topic create' has no option --partition; did you mean --partitions?"));
  EXPECT_THAT(near.error, HasSubstr("See: tailwater topic create --help"));
  EXPECT_THAT(run({"topic", "create", "x", "--zzzzzzzz=1"}).error, HasSubstr("has no option --zzzzzzzz\n"));
  EXPECT_THAT(run({"topic", "create", "x", "-P", "3"}).error,
              HasSubstr("has no option -P; did you mean -p?"));
}

TEST(CommandLine, WhatPeopleLookForElsewhere) {
  EXPECT_THAT(run({"topic", "create", "x", "--json"}).error,
              HasSubstr("'tailwater topic create' has no option --json; did you mean --format json?\n"));
  EXPECT_THAT(run({"topic", "create", "x", "-q", "2"}).error,
              HasSubstr("has no option -q; did you mean --by N?\n"));
  EXPECT_THAT(run({"topic", "delete", "--json"}).error, HasSubstr("has no option --json\n"));
}

TEST(CommandLine, ADefaultThatSaysNothingIsNotShown) {
  const Outcome help = run({"topic", "create", "--help"});
  EXPECT_THAT(help.out, HasSubstr("Partitions. [default=3]\n"));
  EXPECT_THAT(help.out, HasSubstr("How many more.\n"));
  EXPECT_EQ(run({"topic", "create", "x"}).step, -1);
  EXPECT_EQ(run({"topic", "create", "x", "--by", "2"}).step, 2);
}

TEST(CommandLine, HelpAsJsonOfTheCommandThatWasNamed) {
  const Outcome whole = run({"--help-json"});
  EXPECT_EQ(whole.code, kExitDone);
  EXPECT_THAT(whole.out, HasSubstr(R"({"name":"tailwater","summary":"Test.")"));
  const Outcome part = run({"topic", "create", "--help-json"});
  EXPECT_EQ(part.code, kExitDone);
  EXPECT_EQ(part.ran, "");
  EXPECT_THAT(part.out, HasSubstr(R"({"name":"create","summary":"Create a topic.")"));
  EXPECT_THAT(part.out, HasSubstr(R"("names":["-p","--partitions"],"value":"N")"));
}

}  // namespace
}  // namespace tailwater::apps
