// The command line as JSON, for tools that generate documentation or completions from it.
#pragma once

#include <string>

namespace tailwater::apps {
struct DescribedCommand;
}

namespace tailwater::apps::cli {

// One line. Members: name, summary, examples (if any), arguments, options, commands.
std::string to_json(const DescribedCommand& command);

}  // namespace tailwater::apps::cli
