// Words of a command line as people type them, put into the one order that the parser takes.
#pragma once

#include <string>
#include <vector>

namespace tailwater::apps {

struct DescribedCommand;

// Without the program's name. What others accept is accepted: `help topic create`, `topic help create` and
// `topic create --help` are one; so are `-B host:9092 topic list` and `topic list -B host:9092`, and
// `--version`, `-V` and `version`. What is behind the command stays as it is.
std::vector<std::string> usual_words(const DescribedCommand& root, const std::vector<std::string>& words);

}  // namespace tailwater::apps
