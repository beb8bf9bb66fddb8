// Names of topics.
#include "core/cluster/topic_name.hpp"

#include <algorithm>
#include <vector>

namespace tailwater::cluster {

namespace {

// With more separators than this, trying every spelling costs more than looking at the topics that begin
// alike.
constexpr std::size_t kSpellingsMax = 64;

bool is_allowed(char letter) {
  return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
         (letter >= '0' && letter <= '9') || letter == '.' || letter == '_' || letter == '-';
}

bool is_separator(char letter) {
  return letter == '.' || letter == '_';
}

bool differ_only_in_separators(std::string_view a, std::string_view b) {
  return a != b && std::ranges::equal(
                       a, b, [](char x, char y) { return x == y || (is_separator(x) && is_separator(y)); });
}

}  // namespace

std::optional<std::string> topic_name_error(std::string_view name) {
  if (name.empty()) return "A topic name cannot be empty";
  if (name == "." || name == "..") return "A topic name cannot be '.' or '..'";
  if (name.size() > kTopicNameMax) {
    return "A topic name has at most " + std::to_string(kTopicNameMax) + " characters; this one has " +
           std::to_string(name.size());
  }
  if (!std::ranges::all_of(name, is_allowed)) {
    return "A topic name may contain letters, digits, '.', '_' and '-' only; got '" + std::string(name) + "'";
  }
  return std::nullopt;
}

TopicHandle colliding_topic(const MetadataImage& image, std::string_view name) {
  std::vector<std::size_t> separators;
  for (std::size_t at = 0; at < name.size(); ++at) {
    if (is_separator(name[at])) separators.push_back(at);
  }
  if (separators.empty()) return nullptr;
  if (separators.size() < 64 && (std::size_t{1} << separators.size()) <= kSpellingsMax) {
    std::string spelling(name);
    for (std::size_t choice = 0; choice < (std::size_t{1} << separators.size()); ++choice) {
      for (std::size_t at = 0; at < separators.size(); ++at) {
        spelling[separators[at]] = ((choice >> at) & 1) != 0 ? '.' : '_';
      }
      if (spelling == name) continue;
      if (TopicHandle found = image.topic(spelling)) return found;
    }
    return nullptr;
  }
  const std::string_view beginning = name.substr(0, separators.front());
  for (auto at = image.topics.lower_bound(beginning); at != image.topics.end(); ++at) {
    if (!std::string_view((*at)->name).starts_with(beginning)) break;
    if (differ_only_in_separators((*at)->name, name)) return *at;
  }
  return nullptr;
}

}  // namespace tailwater::cluster
