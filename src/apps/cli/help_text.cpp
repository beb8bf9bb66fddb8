#include "apps/cli/help_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "apps/cli/wrapped.hpp"
#include "apps/command_line.hpp"

namespace tailwater::apps::cli {

namespace {

constexpr std::size_t kWidth = 100;
constexpr std::size_t kColumn = 30;  // where explanations begin

// A name, and behind it, or on the next line if it is long, what it means.
std::string entry(const std::string& name, const std::string& help) {
  const std::string text = wrapped(help, kColumn, kWidth);
  const std::string left = fmt::format("  {}", name);
  if (text.empty()) return left + "\n";
  if (left.size() + 2 > kColumn) return left + "\n" + text;
  return left + text.substr(left.size());
}

// Parts under their headings, in the order in which the first of each heading stands.
template <class Part, class Line>
std::string grouped(const std::vector<Part>& parts, std::string_view usual_heading, Line line) {
  std::vector<std::string> headings;
  for (const Part& part : parts) {
    const std::string heading = part.heading.empty() ? std::string(usual_heading) : part.heading;
    if (std::ranges::find(headings, heading) == headings.end()) headings.push_back(heading);
  }
  std::string text;
  for (const std::string& heading : headings) {
    text += fmt::format("\n{}:\n", heading);
    for (const Part& part : parts) {
      if ((part.heading.empty() ? usual_heading : part.heading) == heading) text += line(part);
    }
  }
  return text;
}

}  // namespace

std::string argument_name(const DescribedOption& argument) {
  return argument.names.front() + (argument.repeated ? "..." : "");
}

std::string option_name(const DescribedOption& option) {
  const std::string name = fmt::format("{}", fmt::join(option.names, ", "));
  return option.kind.empty() ? name : fmt::format("{} {}", name, option.kind);
}

std::string option_help(const DescribedOption& option) {
  std::string help = option.help;
  if (option.required) help += " Required.";
  if (!option.fallback.empty()) help += fmt::format(" [default={}]", option.fallback);
  if (!option.environment.empty()) help += fmt::format(" [${}]", option.environment);
  return help;
}

std::string usage_words(const DescribedCommand& command, std::string_view path) {
  std::string line(path);
  if (!command.commands.empty()) return line + " COMMAND";
  for (const DescribedOption& option : command.options) {
    if (option.required) line += fmt::format(" {} {}", option.names.back(), option.kind);
  }
  line += " [OPTIONS]";
  for (const DescribedOption& argument : command.arguments) {
    const std::string name = argument_name(argument);
    line += argument.required ? fmt::format(" {}", name) : fmt::format(" [{}]", name);
  }
  return line;
}

std::string help_text(const DescribedCommand& command, std::string_view path) {
  const bool has_lines = command.summary.find('\n') != std::string::npos;
  std::string text = has_lines ? command.summary + "\n" : wrapped(command.summary, 0, kWidth);
  text += fmt::format("\nUsage: {}\n", usage_words(command, path));
  text += grouped(command.commands, "Commands",
                  [](const DescribedCommand& nested) { return entry(nested.name, nested.summary); });
  text += grouped(command.arguments, "Arguments", [](const DescribedOption& argument) {
    return entry(argument_name(argument), argument.help);
  });
  text += grouped(command.options, "Options", [](const DescribedOption& option) {
    const std::string_view below = option.names.front().starts_with("--") ? "    " : "";  // other long names
    return entry(fmt::format("{}{}", below, option_name(option)), option_help(option));
  });
  if (!command.examples.empty()) {
    text += fmt::format("\n{}{}", command.examples, command.examples.ends_with('\n') ? "" : "\n");
  }
  if (!command.commands.empty()) text += fmt::format("\nMore: {} COMMAND --help\n", path);
  return text;
}

}  // namespace tailwater::apps::cli
