// Settings given on the command line.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "core/cluster/image.hpp"

namespace tailwater::apps {

// Puts "key=value" words over what is there. An empty value is a value.
Result<void> apply_overrides(cluster::ConfigValues& properties, const std::vector<std::string>& overrides);

}  // namespace tailwater::apps
