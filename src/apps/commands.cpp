#include "apps/commands.hpp"

namespace tailwater::apps {

void add_commands(Command& tailwater) {
  add_serve_command(tailwater);
  add_dev_command(tailwater);
  add_topic_command(tailwater);
  add_produce_command(tailwater);
  add_consume_command(tailwater);
  add_group_command(tailwater);
  add_txn_command(tailwater);
  add_cluster_command(tailwater);
  add_config_command(tailwater);
  add_api_versions_command(tailwater);
  add_log_command(tailwater);
  add_generate_command(tailwater);
  add_version_command(tailwater);
}

}  // namespace tailwater::apps
