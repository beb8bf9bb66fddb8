// How many files and sockets this process may have open at once, and how they are shared out: a flood of
// connections must not keep the disks from opening a segment.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tailwater::shell {

// With less than this, a broker may have to refuse connections or to close and open segments over and over.
constexpr std::uint64_t kAdvisedDescriptorLimit = 16'384;

// Raises the soft limit to the hard one, once at start. The limit that holds from then on.
std::uint64_t raise_descriptor_limit();

struct DescriptorShares {
  std::size_t files_per_shard = 0;  // DiskOptions::descriptors_max
  std::size_t connections = 0;      // of the whole process
};

// Of the limit, a little is kept for everything else; files get up to half of the rest, connections what
// remains. REQUIRES: shards > 0.
DescriptorShares share_descriptors(std::uint64_t limit, std::size_t shards);

}  // namespace tailwater::shell
