// The number of an entry of the metadata changelog: the first is 1, 0 is the empty changelog. The version of
// an image is the number of the last entry that it contains.
#pragma once

#include "base/ids.hpp"

namespace tailwater::cluster {

struct MetadataVersion : StrongId<MetadataVersion, std::uint64_t> {
  using StrongId::StrongId;
  constexpr MetadataVersion next() const { return MetadataVersion{value + 1}; }
  friend constexpr auto operator<=>(MetadataVersion, MetadataVersion) = default;
};

// Of the broker that may append to the changelog; each election raises it.
using ControllerEpoch = StrongId<struct ControllerEpochTag, std::int32_t>;

}  // namespace tailwater::cluster
