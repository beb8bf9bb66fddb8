// What a broker holds that a fresh one on the same disk would not, when all clients are gone and every topic of
// these names is deleted.
#pragma once

#include <string>
#include <string_view>

#include "sim/broker.hpp"
#include "sim/disk.hpp"

namespace tailwater::sim {

// In words; empty if there is nothing. `gone`: the name of topics that were deleted, none if empty.
std::string leftovers(const Broker& broker, const Disk& disk, std::string_view gone);

}  // namespace tailwater::sim
