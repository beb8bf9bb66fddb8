// A whole run of a plan: what is written first, what is measured, whether all records are there, and the line
// of JSON that says it.
#pragma once

#include "programs/load/plan.hpp"

namespace tailwater::load {

// Throws std::runtime_error if anything broke.
void run(Plan plan);

}  // namespace tailwater::load
