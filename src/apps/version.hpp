// The version of this build.
#pragma once

#include <string>

namespace tailwater::apps {

std::string version_text();  // "0.1.0"

}  // namespace tailwater::apps
