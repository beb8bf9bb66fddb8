#include "apps/command_line.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

namespace tailwater::apps {

class CommandState {
 public:
  explicit CommandState(CLI::App* app) : app(app) {}
  CLI::App* app;
  std::function<int()> action;
  std::vector<std::unique_ptr<CommandState>> nested;

  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& command : nested) all.push_back(command->app->get_name());
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

CLI::Option* as_option(void* option) {
  return static_cast<CLI::Option*>(option);
}

// A word where a command must stand, and no command of that name: better said with the nearest name than by
// the parser's "not expected". Returns whether it was said.
bool complain_of_unknown_command(const CommandState& root, std::span<const char* const> words) {
  const CommandState* command = &root;
  for (const std::string_view word : words) {
    if (command->nested.empty() || word.starts_with('-')) return false;
    const CommandState* next = command->find(word);
    if (next == nullptr) {
      const std::vector<std::string> known = command->names();
      const std::string nearest = nearest_name(word, known);
      const std::string path = command == &root ? std::string("tailwater") : command->app->get_display_name();
      std::string message = fmt::format("tailwater: there is no command '{}'", word);
      if (!nearest.empty()) message += fmt::format("; did you mean '{}'?", nearest);
      fmt::print(stderr, "{}\nCommands: {}\nSee: {} --help\n", message, fmt::join(known, ", "), path);
      return true;
    }
    command = next;
  }
  return false;
}

}  // namespace

CommandOption& CommandOption::required() {
  as_option(option_)->required();
  return *this;
}

CommandOption& CommandOption::one_of(std::vector<std::string> allowed) {
  as_option(option_)->check(CLI::IsMember(std::move(allowed)));
  return *this;
}

CommandOption& CommandOption::environment(const std::string& variable) {
  as_option(option_)->envname(variable);
  return *this;
}

CommandOption& CommandOption::hidden() {
  as_option(option_)->group("");
  return *this;
}

Command Command::command(const std::string& name, const std::string& summary, const std::string& group) {
  CLI::App* app = state_->app->add_subcommand(name, summary);
  if (!group.empty()) app->group(group);
  state_->app->require_subcommand(0, 1);
  return Command(state_->nested.emplace_back(std::make_unique<CommandState>(app)).get());
}

CommandOption Command::flag(const std::string& names, bool& target, const std::string& help) {
  return CommandOption(state_->app->add_flag(names, target, help));
}

CommandOption Command::option(const std::string& names, std::string& target, const std::string& kind,
                              const std::string& help) {
  CLI::Option* option = state_->app->add_option(names, target, help)->type_name(kind);
  if (!target.empty()) option->capture_default_str();
  return CommandOption(option);
}

CommandOption Command::option(const std::string& names, std::int64_t& target, const std::string& kind,
                              const std::string& help) {
  return CommandOption(state_->app->add_option(names, target, help)->type_name(kind)->capture_default_str());
}

CommandOption Command::option(const std::string& names, double& target, const std::string& kind,
                              const std::string& help) {
  return CommandOption(state_->app->add_option(names, target, help)->type_name(kind)->capture_default_str());
}

CommandOption Command::repeated(const std::string& names, std::vector<std::string>& target,
                                const std::string& kind, const std::string& help) {
  CLI::Option* option = state_->app->add_option(names, target, help)->type_name(kind);
  option->type_size(1)->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  return CommandOption(option);
}

CommandOption Command::argument(const std::string& name, std::string& target, const std::string& help) {
  return CommandOption(state_->app->add_option(name, target, help)->type_name(""));
}

CommandOption Command::arguments(const std::string& name, std::vector<std::string>& target,
                                 const std::string& help) {
  return CommandOption(state_->app->add_option(name, target, help)->type_name(""));
}

void Command::examples(const std::string& text) {
  state_->app->footer(text);
}

void Command::action(std::function<int()> action) {
  state_->action = std::move(action);
}

int run_command_line(int argc, const char* const* argv, const std::string& description,
                     const std::function<void(Command&)>& add_commands) {
  CLI::App app(description, "tailwater");
  app.option_defaults()->always_capture_default(false);
  app.get_formatter()->column_width(34);
  CommandState root(&app);
  Command command(&root);
  add_commands(command);
  const auto words = std::span(argv, static_cast<std::size_t>(argc)).subspan(argc > 0 ? 1 : 0);
  if (complain_of_unknown_command(root, words)) return kExitUsage;
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitDone : kExitUsage;
  }
  const CommandState* chosen = root.chosen();
  if (!chosen->action) {
    // A command that only holds others, or none at all: its help is the answer, but not what was asked for.
    fmt::print(stderr, "{}", chosen->app->help());
    return kExitUsage;
  }
  return chosen->action();
}

std::string nearest_name(std::string_view wrong, std::span<const std::string> known) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, wrong.size() / 3) + 1;
  for (const std::string& name : known) {
    // Edit distance with one row.
    std::vector<std::size_t> row(name.size() + 1);
    for (std::size_t column = 0; column < row.size(); ++column) row[column] = column;
    for (std::size_t line = 1; line <= wrong.size(); ++line) {
      std::size_t diagonal = std::exchange(row[0], line);
      for (std::size_t column = 1; column < row.size(); ++column) {
        const std::size_t substitute = diagonal + (wrong[line - 1] == name[column - 1] ? 0 : 1);
        diagonal = row[column];
        row[column] = std::min({substitute, row[column] + 1, row[column - 1] + 1});
      }
    }
    if (row.back() < best_distance) {
      best_distance = row.back();
      best = name;
    }
  }
  return best;
}

}  // namespace tailwater::apps
