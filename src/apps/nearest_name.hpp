// Which known name a mistyped one was meant to be.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tailwater::apps {

// Empty: none is near. A third of the letters may be wrong; two that changed places are one mistake, and so is
// an abbreviation.
std::string nearest_name(std::string_view wrong, std::span<const std::string> known);

}  // namespace tailwater::apps
