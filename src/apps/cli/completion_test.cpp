// Goal: at every place of the command line the right words are offered.
// Method: a small tree of commands; lines that end at each kind of place.
#include "apps/cli/completion.hpp"

#include <gtest/gtest.h>

#include "apps/cli/help_json.hpp"

namespace tailwater::apps::cli {
namespace {

using Words = std::vector<std::string>;

DescribedCommand tree() {
  static std::string text;
  static std::vector<std::string> many;
  static bool flag = false;
  return describe_command_line("Test.", [](Command& tailwater) {
    Command topic = tailwater.command("topic", "Topics.");
    Command create = topic.command("create", "Create.");
    create.arguments("NAME", many, "Names.").required();
    create.repeated("-c,--config", many, "KEY=VALUE", "Configuration.");
    create.flag("--dry-run", flag, "Only check.");
    Command remove = topic.command("delete", "Delete.");
    remove.arguments("TOPIC", many, "Topics.");
    Command consume = tailwater.command("consume", "Consume.");
    consume.argument("TOPIC", text, "The topic.");
    consume.option("-g,--group", text, "GROUP", "Group.");
    consume.option("--format", text, "text|json", "Form.").one_of({"text", "json"});
    consume.option("--to-file", text, "FILE", "File.");
    Command config = tailwater.command("config", "Configuration.");
    config.argument("KIND", text, "Kind.").one_of({"topic", "broker"});
    tailwater.command("secret", "Hidden.").hidden();
  });
}

Completion at(const Words& words) {
  static const DescribedCommand root = tree();
  return complete(root, words);
}

TEST(Completion, CommandsOptionsAndValues) {
  EXPECT_EQ(at({""}).words, (Words{"topic", "consume", "config"}));
  EXPECT_EQ(at({"con"}).words, (Words{"consume", "config"}));
  EXPECT_EQ(at({"topic", ""}).words, (Words{"create", "delete"}));
  EXPECT_EQ(at({"topic", "create", "--"}).words, (Words{"--config", "--dry-run", "--help"}));
  EXPECT_EQ(at({"consume", "--format", ""}).words, (Words{"text", "json"}));
  EXPECT_EQ(at({"consume", "--format", "j"}).words, (Words{"json"}));
  EXPECT_EQ(at({"config", "b"}).words, (Words{"broker"}));
  EXPECT_EQ(at({}).words.size(), 3U);
}

TEST(Completion, NamesThatABrokerKnows) {
  EXPECT_EQ(at({"topic", "delete", "o"}).live, LiveNames::topics);
  EXPECT_EQ(at({"topic", "delete", "one", ""}).live, LiveNames::topics);
  EXPECT_EQ(at({"consume", ""}).live, LiveNames::topics);
  EXPECT_EQ(at({"consume", "one", ""}).live, LiveNames::none);  // it takes one
  EXPECT_EQ(at({"consume", "-g", ""}).live, LiveNames::groups);
  EXPECT_EQ(at({"consume", "-g", "g1", ""}).live, LiveNames::topics);
  EXPECT_EQ(at({"consume", "--to-file", ""}).live, LiveNames::files);
  EXPECT_EQ(at({"topic", "create", "x", "-c", "ret"}).live, LiveNames::topic_keys);
  EXPECT_EQ(at({"topic", "create", ""}).live, LiveNames::none);
}

TEST(Completion, ScriptsAskTheProgram) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    EXPECT_NE(completion_script(shell).find("tailwater __complete -- "), std::string::npos) << shell;
  }
}

TEST(HelpJson, DescribesTheTree) {
  const DescribedCommand root = tree();
  const std::string json = to_json(root.commands.at(1));
  EXPECT_EQ(json.substr(0, 45), R"({"name":"consume","summary":"Consume.","argum)");
  EXPECT_NE(
      json.find(
          R"({"names":["--format"],"value":"text|json","help":"Form.","required":false,"repeated":false,"allowed":["text","json"]})"),
      std::string::npos)
      << json;
}

}  // namespace
}  // namespace tailwater::apps::cli
