// Names that a request repeats are answered once: else a small request could ask for an answer of any size.
#pragma once

#include <set>
#include <string>
#include <vector>

namespace tailwater::node {

// In the order of their first mention.
inline std::vector<std::string> each_once(std::vector<std::string> names) {
  std::set<std::string> seen;
  std::erase_if(names, [&](const std::string& name) { return !seen.insert(name).second; });
  return names;
}

}  // namespace tailwater::node
