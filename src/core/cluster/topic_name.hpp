// Which names a topic may have, and which names may not stand side by side: '.' and '_' are the same in the
// names of metrics, so topics that differ only there are refused.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/cluster/image.hpp"

namespace tailwater::cluster {

inline constexpr std::size_t kTopicNameMax = 249;

// What is wrong with a name, or nullopt.
std::optional<std::string> topic_name_error(std::string_view name);

// An existing topic whose name differs from this one only in '.' and '_', or null. The same name is no
// collision.
TopicHandle colliding_topic(const MetadataImage& image, std::string_view name);

}  // namespace tailwater::cluster
