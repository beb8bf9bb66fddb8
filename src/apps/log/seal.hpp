// `tailwater log seal`: brings the journal into the segments, for Apache Kafka's tools.
#pragma once

#include "apps/command_line.hpp"

namespace tailwater::apps::logtools {

void add_seal_command(Command& log);

}  // namespace tailwater::apps::logtools
