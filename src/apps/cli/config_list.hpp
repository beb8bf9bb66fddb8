// `tailwater config list`: what every key means, from the tables that the broker itself uses. Needs no
// broker.
#pragma once

#include <string>

#include "apps/cli/config_words.hpp"
#include "apps/command_line.hpp"

namespace tailwater::apps::cli {

void add_config_list(Command& config);

// "int64, default 604800000, -1 or more": type, default and what is allowed.
std::string key_rules(const cluster::ConfigKey& key);

}  // namespace tailwater::apps::cli
