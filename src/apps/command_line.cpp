#include "apps/command_line.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <map>
#include <system_error>
#include <utility>

#include "apps/cli/help_json.hpp"
#include "apps/cli/help_text.hpp"
#include "apps/cli/standard_output.hpp"
#include "apps/command_words.hpp"
#include "apps/nearest_name.hpp"

namespace tailwater::apps {

class CommandState {
 public:
  explicit CommandState(CLI::App* app) : app(app) {}
  CLI::App* app;
  std::function<int()> action;
  std::vector<std::unique_ptr<CommandState>> nested;
  std::map<const CLI::Option*, std::vector<std::string>> allowed;
  std::map<std::string, std::string> instead;  // of options that it does not have
  std::string heading;
  bool hidden = false;

  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& command : nested) {
      if (!command->hidden) all.push_back(command->app->get_name());
    }
    return all;
  }
  const CommandState* find(std::string_view name) const {
    for (const auto& command : nested) {
      if (command->app->get_name() == name) return command.get();
    }
    return nullptr;
  }
  // The innermost command that was given.
  const CommandState* chosen() const {
    for (const auto& command : nested) {
      if (command->app->parsed()) return command->chosen();
    }
    return this;
  }
};

namespace {

constexpr std::string_view kUsualGroup = "Options";  // what the parser calls it

// "tailwater topic create"
std::string command_path(const CLI::App& app) {
  const CLI::App* parent = app.get_parent();
  return parent == nullptr ? app.get_name() : command_path(*parent) + " " + app.get_name();
}

CLI::Option* as_option(void* option) {
  return static_cast<CLI::Option*>(option);
}

// A word where a command must stand, and no command of that name: better said with the nearest name than by
// the parser's "not expected". Returns whether it was said.
bool complain_of_unknown_command(const CommandState& root, std::span<const std::string> words) {
  const CommandState* command = &root;
  for (const std::string& word : words) {
    if (command->nested.empty() || word.starts_with('-')) return false;
    const CommandState* next = command->find(word);
    if (next == nullptr) {
      const std::vector<std::string> known = command->names();
      const std::string nearest = nearest_name(word, known);
      const std::string path = command_path(*command->app);
      std::string message = fmt::format("tailwater: there is no command '{}'", word);
      if (!nearest.empty()) message += fmt::format("; did you mean '{}'?", nearest);
      fmt::print(stderr, "{}\nCommands: {}\nSee: {} --help\n", message, fmt::join(known, ", "), path);
      return true;
    }
    command = next;
  }
  return false;
}

std::vector<std::string> option_names(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  return names;
}

// The option that a wrong one was probably meant to be: what the command says of it, the same letter in the
// other case, or a long name that is near.
std::string nearest_option(const CommandState& command, const std::string& given) {
  if (const auto found = command.instead.find(given); found != command.instead.end()) return found->second;
  std::vector<std::string> known;
  for (const CLI::Option* option : std::as_const(*command.app).get_options()) {
    for (const std::string& name : option_names(*option)) {
      if (given == "--json" && name == "--format") return "--format json";
      if (given.size() == 2 && CLI::detail::to_lower(name) == CLI::detail::to_lower(given)) return name;
      if (name.starts_with("--")) known.push_back(name);
    }
  }
  return nearest_name(given, known);
}

// What the command does not have, with the nearest option that it has.
std::string unexpected(const CommandState& command, const std::string& path) {
  std::string said;
  for (const std::string& word : command.app->remaining()) {
    if (word.size() > 1 && word[0] == '-') {
      const std::string given = word.substr(0, word.find('='));
      const std::string nearest = nearest_option(command, given);
      const std::string message = fmt::format("'{}' has no option {}", path, given);
      return nearest.empty() ? message : fmt::format("{}; did you mean {}?", message, nearest);
    }
    if (said.empty()) said = fmt::format("'{}' takes no '{}'", path, word);
  }
  return said;
}

// What is wrong with the words, in our own.
std::string complaint(const CLI::ParseError& error, const CommandState& command, const std::string& path) {
  constexpr std::string_view kUnread = "Could not convert: ";
  const bool is_unexpected = error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError);
  const std::string said = is_unexpected ? unexpected(command, path) : error.what();
  if (said.empty()) return error.what();  // an option before the command
  if (said.starts_with(kUnread))
    return "cannot make sense of " + said.substr(kUnread.size()) + ": a number is wanted";
  if (said.ends_with(" missing")) return said.substr(0, said.find(':')) + " needs a value";
  return said;
}

DescribedOption describe(const CLI::Option& option, const CommandState& command) {
  DescribedOption described;
  described.names = option.get_positional() ? std::vector{option.get_name(true)} : option_names(option);
  if (option.get_type_size_max() != 0) described.kind = option.get_type_name();
  described.help = option.get_description();
  described.fallback = option.get_default_str();
  described.environment = option.get_envname();
  if (option.get_group() != kUsualGroup) described.heading = option.get_group();
  described.required = option.get_required();
  described.repeated = option.get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll ||
                       option.get_items_expected_max() > 1;
  if (const auto found = command.allowed.find(&option); found != command.allowed.end()) {
    described.allowed = found->second;
  }
  return described;
}

DescribedCommand describe(const CommandState& command) {
  DescribedCommand described;
  described.name = command.app->get_name();
  described.summary = command.app->get_description();
  described.heading = command.heading;
  described.examples = command.app->get_footer();
  const CLI::Option* help = command.app->get_help_ptr();
  for (const CLI::Option* option : std::as_const(*command.app).get_options()) {
    if (option->get_group().empty() || option == help) continue;
    (option->get_positional() ? described.arguments : described.options)
        .push_back(describe(*option, command));
  }
  // Behind those of the command's own, and before those that many have.
  const auto common = std::ranges::find_if(
      described.options, [](const DescribedOption& option) { return !option.heading.empty(); });
  if (help != nullptr) described.options.insert(common, describe(*help, command));
  for (const auto& nested : command.nested) {
    if (!nested->hidden) described.commands.push_back(describe(*nested));
  }
  return described;
}

// Prints the innermost command that the words name, as JSON, if they ask for that.
bool print_help_json(const CommandState& root, std::span<const std::string> words) {
  const auto end = std::ranges::find(words, "--");
  if (std::find(words.begin(), end, "--help-json") == end) return false;
  const CommandState* command = &root;
  for (const std::string& word : words) {
    const CommandState* next = command->find(word);
    if (next == nullptr) break;
    command = next;
  }
  fmt::print("{}\n", cli::to_json(describe(*command)));
  return true;
}

}  // namespace

CommandOption& CommandOption::required() {
  as_option(option_)->required();
  return *this;
}

CommandOption& CommandOption::one_of(std::vector<std::string> allowed) {
  state_->allowed[as_option(option_)] = allowed;
  const auto check = [allowed = std::move(allowed)](const std::string& value) {
    if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) return std::string();
    return fmt::format("'{}' is not one of {}", value, fmt::join(allowed, ", "));
  };
  as_option(option_)->check(check);
  return *this;
}

CommandOption& CommandOption::environment(const std::string& variable) {
  as_option(option_)->envname(variable);
  return *this;
}

CommandOption& CommandOption::heading(const std::string& heading) {
  as_option(option_)->group(heading);
  return *this;
}

CommandOption& CommandOption::hidden() {
  as_option(option_)->group("");
  return *this;
}

CommandOption& CommandOption::without_default() {
  as_option(option_)->default_str("");
  return *this;
}

Command Command::command(const std::string& name, const std::string& summary, const std::string& group) {
  CLI::App* app = state_->app->add_subcommand(name, summary);
  state_->app->require_subcommand(0, 1);
  CommandState& nested = *state_->nested.emplace_back(std::make_unique<CommandState>(app));
  nested.heading = group;
  return Command(&nested);
}

CommandOption Command::flag(const std::string& names, bool& target, const std::string& help) {
  return CommandOption(state_, state_->app->add_flag(names, target, help));
}

CommandOption Command::option(const std::string& names, std::string& target, const std::string& kind,
                              const std::string& help) {
  CLI::Option* option = state_->app->add_option(names, target, help)->type_name(kind);
  if (!target.empty()) option->capture_default_str();
  return CommandOption(state_, option);
}

CommandOption Command::option(const std::string& names, std::int64_t& target, const std::string& kind,
                              const std::string& help) {
  return CommandOption(state_,
                       state_->app->add_option(names, target, help)->type_name(kind)->capture_default_str());
}

CommandOption Command::option(const std::string& names, double& target, const std::string& kind,
                              const std::string& help) {
  return CommandOption(state_,
                       state_->app->add_option(names, target, help)->type_name(kind)->capture_default_str());
}

CommandOption Command::repeated(const std::string& names, std::vector<std::string>& target,
                                const std::string& kind, const std::string& help) {
  CLI::Option* option = state_->app->add_option(names, target, help)->type_name(kind);
  option->type_size(1)->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  return CommandOption(state_, option);
}

CommandOption Command::argument(const std::string& name, std::string& target, const std::string& help) {
  return CommandOption(state_, state_->app->add_option(name, target, help)->type_name(""));
}

CommandOption Command::arguments(const std::string& name, std::vector<std::string>& target,
                                 const std::string& help) {
  return CommandOption(state_, state_->app->add_option(name, target, help)->type_name(""));
}

void Command::instead_of(const std::string& option, const std::string& meant) {
  state_->instead[option] = meant;
}

void Command::hidden() {
  state_->hidden = true;
  state_->app->group("");
}

void Command::examples(const std::string& text) {
  state_->app->footer(text);
}

void Command::action(std::function<int()> action) {
  state_->action = std::move(action);
}

namespace {

// The commands, in the parser's hands.
struct Tree {
  Tree(const std::string& description, const std::function<void(Command&)>& add_commands)
      : app(description, "tailwater") {
    app.option_defaults()->always_capture_default(false);
    app.set_help_flag("-h,--help", "Show this help.");
    Command command(&root);
    add_commands(command);
  }
  CLI::App app;
  CommandState root{&app};
};

std::string help_of(const CommandState& command) {
  return cli::help_text(describe(command), command_path(*command.app));
}

int run_words(int argc, const char* const* argv, const std::string& description,
              const std::function<void(Command&)>& add_commands) {
  Tree tree(description, add_commands);
  const CommandState& root = tree.root;
  const std::vector<std::string> words =
      usual_words(describe(root), std::vector<std::string>(argv + std::min(argc, 1), argv + argc));
  if (print_help_json(root, words)) return kExitDone;
  if (complain_of_unknown_command(root, words)) return kExitUsage;
  try {
    tree.app.parse(std::vector<std::string>(words.rbegin(), words.rend()));  // it takes them from behind
  } catch (const CLI::Success&) {
    fmt::print("{}", help_of(*root.chosen()));
    return kExitDone;
  } catch (const CLI::ParseError& error) {
    const CommandState& asked = *root.chosen();
    const std::string path = command_path(*asked.app);
    fmt::print(stderr, "tailwater: {}\nSee: {} --help\n", complaint(error, asked, path), path);
    return kExitUsage;
  }
  const CommandState* chosen = root.chosen();
  if (!chosen->action) {
    // A command that only holds others, or none at all: its help is the answer, but not what was asked for.
    fmt::print(stderr, "{}", help_of(*chosen));
    return kExitUsage;
  }
  return chosen->action();
}

}  // namespace

int run_command_line(int argc, const char* const* argv, const std::string& description,
                     const std::function<void(Command&)>& add_commands) {
  try {
    return cli::after_output(run_words(argc, argv, description, add_commands));
  } catch (const std::system_error& error) {
    if (std::ferror(stdout) == 0) throw;
    // It is how fmt::print says that standard output takes no more.
    cli::output_failed(error.code().value());
    return cli::after_output(kExitDone);
  }
}

DescribedCommand describe_command_line(const std::string& description,
                                       const std::function<void(Command&)>& add_commands) {
  return describe(Tree(description, add_commands).root);
}

}  // namespace tailwater::apps
