// What may stand at the cursor of a command line that is being typed. Pure: names that only a broker knows
// are asked for by kind.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "apps/command_line.hpp"

namespace tailwater::apps::cli {

enum class LiveNames : std::uint8_t { none, topics, groups, files, topic_keys };

struct Completion {
  std::vector<std::string> words;  // that begin with what was typed
  LiveNames live = LiveNames::none;
};

// `words` follow the program's name; the last is what was typed of the word at the cursor, and may be empty.
Completion complete(const DescribedCommand& root, std::span<const std::string> words);

// The script for a shell (bash, zsh, fish) that asks the program itself.
std::string completion_script(std::string_view shell);

}  // namespace tailwater::apps::cli
