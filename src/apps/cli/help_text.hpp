// What `--help` prints.
#pragma once

#include <string>
#include <string_view>

namespace tailwater::apps {
struct DescribedCommand;
struct DescribedOption;
}  // namespace tailwater::apps

namespace tailwater::apps::cli {

// `path` is how the command is called: "tailwater topic create". Lines have at most 100 letters, as long as
// examples do.
std::string help_text(const DescribedCommand& command, std::string_view path);

// Its parts, for other forms of documentation.
std::string usage_words(const DescribedCommand& command,
                        std::string_view path);              // "t create [OPTIONS] NAME..."
std::string argument_name(const DescribedOption& argument);  // "NAME..."
std::string option_name(const DescribedOption& option);      // "-p, --partitions N"
std::string option_help(
    const DescribedOption& option);  // with where the value comes from when it is not given

}  // namespace tailwater::apps::cli
