// `tailwater log dump`: what the files of a log directory hold, with a word on what is what.
#pragma once

#include "apps/command_line.hpp"

namespace tailwater::apps::logtools {

void add_dump_command(Command& log);

}  // namespace tailwater::apps::logtools
