// Plants the bugs of base/plant.hpp by name. In a build without them there is none to plant, and no name is
// known.
#pragma once

#include <string>
#include <string_view>

namespace tailwater::simulate {

// False if there is no such bug.
bool plant(std::string_view name);
// One a line; empty in a build without bugs.
std::string plant_names();

}  // namespace tailwater::simulate
