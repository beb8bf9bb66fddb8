// `tailwater log rebuild`: makes anew what derives from segments and journal.
#pragma once

#include "apps/command_line.hpp"

namespace tailwater::apps::logtools {

void add_rebuild_command(Command& log);

}  // namespace tailwater::apps::logtools
