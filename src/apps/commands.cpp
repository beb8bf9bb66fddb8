#include "apps/commands.hpp"

namespace tailwater::apps {

void add_commands(Command& tailwater) {
  add_serve_command(tailwater);
  add_dev_command(tailwater);
  add_topic_command(tailwater);
  add_produce_command(tailwater);
  add_consume_command(tailwater);
  add_version_command(tailwater);
}

}  // namespace tailwater::apps
