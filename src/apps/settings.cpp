#include "apps/settings.hpp"

#include <fmt/format.h>

namespace tailwater::apps {

Result<void> apply_overrides(cluster::ConfigValues& properties, const std::vector<std::string>& overrides) {
  for (const std::string& word : overrides) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0) {
      return fail(Errc::invalid_argument, fmt::format("--override takes key=value; got '{}'", word));
    }
    properties[word.substr(0, equals)] = word.substr(equals + 1);
  }
  return {};
}

}  // namespace tailwater::apps
