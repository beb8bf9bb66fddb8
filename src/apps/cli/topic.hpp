// The commands of `tailwater topic`, in three files: topic.cpp (list, create, delete), topic_describe.cpp and
// topic_change.cpp (alter, add-partitions, trim).
#pragma once

#include "apps/command_line.hpp"

namespace tailwater::apps::cli {

void add_topic_describe(Command& topic);
void add_topic_alter(Command& topic);
void add_topic_add_partitions(Command& topic);
void add_topic_trim(Command& topic);

}  // namespace tailwater::apps::cli
