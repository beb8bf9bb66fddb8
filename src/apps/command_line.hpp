// The command line of `tailwater`: commands with options, arguments and help. A thin face over CLI11, which
// is slow to compile and stays in one file. A command is a function that describes itself on a Command and
// names its action:
//
//   void add_topic_command(Command& tailwater) {
//     Command topic = tailwater.command("topic", "Create, list and change topics.");
//     Command create = topic.command("create", "Create topics.");
//     auto options = std::make_shared<CreateOptions>();
//     create.arguments("TOPIC", options->names, "Names of the topics.").required();
//     create.option("-p,--partitions", options->partitions, "N", "Partitions of each; -1: the broker's
//     default."); create.action([options] { return create_topics(*options); });
//   }
//
// and stands in commands.cpp. Exit codes: 0 done, 1 failed (also in part), 2 wrong usage.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace tailwater::apps {

inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;

class CommandState;

// An option or argument that was just added.
class CommandOption {
 public:
  CommandOption(CommandState* state, void* option) : state_(state), option_(option) {}
  CommandOption& required();
  // The value must be one of these.
  CommandOption& one_of(std::vector<std::string> allowed);
  // Taken from this environment variable when it is not given.
  CommandOption& environment(const std::string& variable);
  // Stands under this heading in --help.
  CommandOption& heading(const std::string& heading);
  CommandOption& hidden();
  // The default only says that it was not given: help does not show it.
  CommandOption& without_default();

 private:
  CommandState* state_;
  void* option_;  // CLI::Option
};

// What a command line consists of, for completion, documentation and --help-json. Hidden parts are left out.
struct DescribedOption {
  std::vector<std::string> names;  // "-p", "--partitions"; of an argument: its one name
  std::string kind;                // what the value is, as help shows it; empty: a flag, or an argument
  std::string help;
  std::string fallback;
  std::string environment;
  std::string heading;               // in --help; empty: the usual one
  std::vector<std::string> allowed;  // empty: any value
  bool required = false;
  bool repeated = false;
};
struct DescribedCommand {
  std::string name;
  std::string summary;
  std::string heading;
  std::string examples;
  std::vector<DescribedOption> arguments;
  std::vector<DescribedOption> options;
  std::vector<DescribedCommand> commands;
};

// Targets live at least as long as the action: keep them in a shared object that the action captures. They
// hold the default before parsing; help shows it.
class Command {
 public:
  explicit Command(CommandState* state) : state_(state) {}

  Command command(const std::string& name, const std::string& summary, const std::string& group = {});
  CommandOption flag(const std::string& names, bool& target, const std::string& help);
  CommandOption option(const std::string& names, std::string& target, const std::string& kind,
                       const std::string& help);
  CommandOption option(const std::string& names, std::int64_t& target, const std::string& kind,
                       const std::string& help);
  CommandOption option(const std::string& names, double& target, const std::string& kind,
                       const std::string& help);
  // May be given several times.
  CommandOption repeated(const std::string& names, std::vector<std::string>& target, const std::string& kind,
                         const std::string& help);
  CommandOption argument(const std::string& name, std::string& target, const std::string& help);
  CommandOption arguments(const std::string& name, std::vector<std::string>& target, const std::string& help);
  // What to say of an option that the command does not have, but that people look for here: "--by N".
  void instead_of(const std::string& option, const std::string& meant);
  // Neither in --help nor completed.
  void hidden();
  // Lines below the options in --help.
  void examples(const std::string& text);
  void action(std::function<int()> action);

 private:
  CommandState* state_;
};

// Parses and runs; returns the exit code. Help and results go to standard output, complaints to standard
// error. Output that is lost is a failure.
int run_command_line(int argc, const char* const* argv, const std::string& description,
                     const std::function<void(Command&)>& add_commands);

// The same commands as data. `--help-json` anywhere on the command line prints it.
DescribedCommand describe_command_line(const std::string& description,
                                       const std::function<void(Command&)>& add_commands);

}  // namespace tailwater::apps
