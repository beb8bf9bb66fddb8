// The topics of a seed, except the one that is deleted and created anew: its clients make that themselves.
#pragma once

#include <cstdint>
#include <string_view>

#include "sim/options.hpp"
#include "wire/api/create_topics.hpp"

namespace tailwater::sim {

inline constexpr std::string_view kMain = "events";
inline constexpr std::string_view kTransactional = "payments";
inline constexpr std::int32_t kTransactionalPartitions = 3;
inline constexpr std::string_view kCompacted = "latest";
// With tailwater.durability=os.
inline constexpr std::string_view kHasty = "hasty";
inline constexpr std::int32_t kHastyPartitions = 2;

wire::CreateTopicsRequest topics_of(const Options& options);

}  // namespace tailwater::sim
