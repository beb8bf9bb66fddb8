// The commands of `tailwater`, one function each; commands.cpp lists them in the order of --help.
#pragma once

#include "apps/command_line.hpp"

namespace tailwater::apps {

void add_serve_command(Command& tailwater);
void add_dev_command(Command& tailwater);
void add_version_command(Command& tailwater);
void add_topic_command(Command& tailwater);
void add_produce_command(Command& tailwater);
void add_consume_command(Command& tailwater);
void add_group_command(Command& tailwater);
void add_txn_command(Command& tailwater);
void add_cluster_command(Command& tailwater);
void add_config_command(Command& tailwater);
void add_log_command(Command& tailwater);
void add_api_versions_command(Command& tailwater);
void add_generate_command(Command& tailwater);

// All of them.
void add_commands(Command& tailwater);

}  // namespace tailwater::apps
