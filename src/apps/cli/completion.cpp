#include "apps/cli/completion.hpp"

#include <algorithm>

namespace tailwater::apps::cli {

namespace {

const DescribedOption* find_option(const DescribedCommand& command, std::string_view name) {
  for (const DescribedOption& option : command.options) {
    if (std::ranges::find(option.names, name) != option.names.end()) return &option;
  }
  return nullptr;
}

const DescribedCommand* find_command(const DescribedCommand& command, std::string_view name) {
  for (const DescribedCommand& nested : command.commands) {
    if (nested.name == name) return &nested;
  }
  return nullptr;
}

// What a placeholder stands for: TOPIC, NAME, FILE...
LiveNames live_of(std::string_view placeholder) {
  if (placeholder.find("TOPIC") != std::string_view::npos) return LiveNames::topics;
  if (placeholder.find("GROUP") != std::string_view::npos) return LiveNames::groups;
  if (placeholder == "FILE" || placeholder == "DIR" || placeholder == "FOLDER") return LiveNames::files;
  return LiveNames::none;
}

void add_matching(Completion& completion, std::string_view typed,
                  const std::vector<std::string>& candidates) {
  for (const std::string& candidate : candidates) {
    if (candidate.starts_with(typed)) completion.words.push_back(candidate);
  }
}

Completion value_of(const DescribedOption& option, std::string_view typed) {
  Completion completion;
  add_matching(completion, typed, option.allowed);
  completion.live = live_of(option.kind);
  const bool is_config = std::ranges::find(option.names, "--config") != option.names.end();
  if (is_config || option.kind == "KEY") completion.live = LiveNames::topic_keys;
  return completion;
}

Completion option_names(const DescribedCommand& command, std::string_view typed) {
  Completion completion;
  for (const DescribedOption& option : command.options) {
    // The long name says more; the short one is for those who know it.
    const auto longest = std::ranges::max_element(option.names, {}, &std::string::size);
    if (longest != option.names.end() && longest->starts_with(typed)) completion.words.push_back(*longest);
  }
  return completion;
}

}  // namespace

Completion complete(const DescribedCommand& root, std::span<const std::string> words) {
  const DescribedCommand* command = &root;
  std::size_t arguments = 0;  // that were given
  const std::string typed = words.empty() ? std::string() : words.back();
  for (std::size_t index = 0; index + 1 < words.size(); ++index) {
    const std::string& word = words[index];
    if (word.size() > 1 && word[0] == '-') {
      const DescribedOption* option = find_option(*command, word);
      if (option == nullptr || option->kind.empty()) continue;
      if (index + 2 == words.size()) return value_of(*option, typed);
      ++index;
    } else if (const DescribedCommand* nested = find_command(*command, word); nested != nullptr) {
      command = nested;
      arguments = 0;
    } else {
      ++arguments;
    }
  }
  if (typed.starts_with('-')) return option_names(*command, typed);
  Completion completion;
  for (const DescribedCommand& nested : command->commands) add_matching(completion, typed, {nested.name});
  if (command->arguments.empty()) return completion;
  const DescribedOption& last = command->arguments.back();
  if (arguments >= command->arguments.size() && !last.repeated) return completion;
  const DescribedOption& argument = command->arguments[std::min(arguments, command->arguments.size() - 1)];
  add_matching(completion, typed, argument.allowed);
  completion.live = argument.names.empty() ? LiveNames::none : live_of(argument.names.front());
  return completion;
}

std::string completion_script(std::string_view shell) {
  if (shell == "bash") {
    return R"(# Completion of tailwater for bash. Load it with: source <(tailwater generate completion bash)
_tailwater() {
  local IFS=$'\n' words
  words=$(tailwater __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  COMPREPLY=()
  if [[ $words == :files ]]; then
    compopt -o default
  else
    COMPREPLY=($words)
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
  fi
}
complete -F _tailwater tailwater
)";
  }
  if (shell == "zsh") {
    return R"(#compdef tailwater
# Completion of tailwater for zsh. Load it with: source <(tailwater generate completion zsh)
_tailwater() {
  local -a found
  found=("${(@f)$(tailwater __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ $found[1] == :files ]]; then
    _files
  elif [[ -n $found[1] ]]; then
    compadd -- $found
  fi
}
if [[ $funcstack[1] == _tailwater ]]; then
  _tailwater "$@"  # loaded by the first completion
else
  compdef _tailwater tailwater
fi
)";
  }
  return R"(# Completion of tailwater for fish. Load it with: tailwater generate completion fish | source
function __tailwater_complete
  set -l words (commandline -opc)[2..-1]
  set -l found (tailwater __complete -- $words (commandline -ct) 2>/dev/null)
  if test "$found[1]" = ":files"
    __fish_complete_path (commandline -ct)
  else
    printf '%s\n' $found
  end
end
complete -c tailwater -f -a '(__tailwater_complete)'
)";
}

}  // namespace tailwater::apps::cli
