#include "apps/command_words.hpp"

#include <algorithm>
#include <cstddef>

#include "apps/command_line.hpp"

namespace tailwater::apps {

namespace {

const DescribedCommand* find(const DescribedCommand& command, const std::string& name) {
  const auto found = std::ranges::find(command.commands, name, &DescribedCommand::name);
  return found == command.commands.end() ? nullptr : &*found;
}

bool is_option(const std::string& word) {
  return word.size() > 1 && word[0] == '-' && word != "--";
}

}  // namespace

std::vector<std::string> usual_words(const DescribedCommand& root, const std::vector<std::string>& words) {
  std::vector<std::string> usual;  // the commands' names at first
  std::vector<std::string> early;  // options that stand before the last of them
  const DescribedCommand* command = &root;
  bool asks_for_help = false;
  std::size_t next = 0;
  for (; next < words.size() && !command->commands.empty(); ++next) {
    const std::string& word = words[next];
    if (next == 0 && (word == "--version" || word == "-V")) {
      usual.push_back("version");
      command = find(root, "version");
      if (command == nullptr) return words;
    } else if (word == "help") {
      asks_for_help = true;
    } else if (is_option(word)) {
      early.push_back(word);
      // Whether it takes a value is not known before its command is: what is no command's name is one.
      const bool has_value = word.find('=') == std::string::npos && next + 1 < words.size() &&
                             words[next + 1] != "help" && !words[next + 1].starts_with('-') &&
                             find(*command, words[next + 1]) == nullptr;
      if (has_value) early.push_back(words[++next]);
    } else if (const DescribedCommand* named = find(*command, word); named != nullptr) {
      usual.push_back(word);
      command = named;
    } else {
      break;
    }
  }
  // A word in the place of a command that is none: it is complained of, so it must be seen first.
  const bool is_unknown = !command->commands.empty();
  if (!is_unknown) usual.insert(usual.end(), early.begin(), early.end());
  usual.insert(usual.end(), words.begin() + static_cast<std::ptrdiff_t>(next), words.end());
  if (is_unknown) usual.insert(usual.end(), early.begin(), early.end());
  if (asks_for_help) usual.push_back("--help");
  return usual;
}

}  // namespace tailwater::apps
