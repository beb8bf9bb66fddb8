#include "apps/cli/man_page.hpp"

#include <fmt/format.h>

#include <map>

#include "apps/cli/help_text.hpp"
#include "apps/command_line.hpp"

namespace tailwater::apps::cli {

namespace {

// Plain text as roff takes it: dashes that can be copied, and no line that looks like a request.
std::string roff(std::string_view text) {
  std::string out;
  bool at_start = true;
  for (const char letter : text) {
    if (at_start && (letter == '.' || letter == '\'')) out += "\\&";
    at_start = letter == '\n';
    if (letter == '-') {
      out += "\\-";
    } else if (letter == '\\') {
      out += "\\e";
    } else {
      out += letter;
    }
  }
  return out;
}

std::string item(const std::string& name, const std::string& help) {
  return fmt::format(".TP\n.B {}\n{}\n", roff(name), roff(help));
}

class ManPage {
 public:
  explicit ManPage(const DescribedCommand& program) : program_(program) {}

  std::string text(std::string_view version) {
    std::string body;
    for (const DescribedCommand& command : program_.commands)
      body += of(command, program_.name + " " + command.name);
    std::string text =
        fmt::format(".TH TAILWATER 1 \"\" \"Tailwater {}\" \"User Commands\"\n", roff(version));
    text += fmt::format(".SH NAME\n{} \\- {}\n", program_.name, roff(program_.summary));
    text += fmt::format(".SH SYNOPSIS\n.B {}\nCOMMAND [OPTIONS] [ARGUMENTS]\n", program_.name);
    text += ".SH COMMANDS\n" + body;
    for (const auto& [heading, options] : common_) text += fmt::format(".SH {}\n{}", upper(heading), options);
    text += ".SH EXIT STATUS\n" + item("0", "Done.") + item("1", "Failed, also in part.") +
            item("2", "Wrong usage.");
    text += ".SH ENVIRONMENT\n";
    for (const auto& [variable, names] : environment_) {
      text += item(variable, fmt::format("Stands for {} where that is not given.", names));
    }
    return text;
  }

 private:
  static std::string upper(std::string text) {
    for (char& letter : text)
      letter = letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 'a' + 'A') : letter;
    return text;
  }

  std::string of(const DescribedCommand& command, const std::string& path) {
    std::string text;
    for (const DescribedCommand& nested : command.commands) text += of(nested, path + " " + nested.name);
    if (!command.commands.empty()) return text;
    text = fmt::format(".SS {}\n{}\n", roff(usage_words(command, path)), roff(command.summary));
    for (const DescribedOption& argument : command.arguments)
      text += item(argument_name(argument), argument.help);
    for (const DescribedOption& option : command.options) {
      if (!option.environment.empty()) environment_[option.environment] = option.names.back();
      if (option.heading.empty() && option.names.back() != "--help") {
        text += item(option_name(option), option_help(option));
      } else if (!option.heading.empty() && !seen_[option.names.back()]) {
        // What many commands have is told once.
        seen_[option.names.back()] = true;
        common_[option.heading] += item(option_name(option), option_help(option));
      }
    }
    if (!command.examples.empty()) text += fmt::format(".PP\n.nf\n{}\n.fi\n", roff(command.examples));
    return text;
  }

  const DescribedCommand& program_;
  std::map<std::string, std::string> common_;       // by heading
  std::map<std::string, std::string> environment_;  // the option of each variable
  std::map<std::string, bool> seen_;
};

}  // namespace

std::string man_page(const DescribedCommand& program, std::string_view version) {
  return ManPage(program).text(version);
}

}  // namespace tailwater::apps::cli
