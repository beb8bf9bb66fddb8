// The commands of `tailwater group`, in three files: group.cpp (list, members, delete, offset-delete),
// group_lag.cpp (describe, lag) and group_seek.cpp.
#pragma once

#include <string>
#include <string_view>

#include "apps/command_line.hpp"

namespace tailwater::apps::cli {

void add_group_describe(Command& group);
void add_group_lag(Command& group);
void add_group_seek(Command& group);

// Where patterns were given that no group's name matches.
inline constexpr std::string_view kNoSuchGroups = "no group has such a name";
std::string no_such_group(const std::string& group);

}  // namespace tailwater::apps::cli
