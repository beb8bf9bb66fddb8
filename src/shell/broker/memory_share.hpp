// How much memory a broker takes, and how many shards that is enough for.
#pragma once

#include <cstdint>

#include "base/result.hpp"

namespace tailwater::shell {

struct MemoryWish {
  std::uint32_t shards = 0;  // 0: as many as there are cores for, and memory
  std::uint64_t bytes = 0;   // 0: half of what is available
  std::uint32_t cores = 1;
  std::uint64_t limit = 0;      // bytes of the machine or container, in use or not
  std::uint64_t available = 0;  // bytes of these now
};

struct MemoryShare {
  std::uint32_t shards = 1;
  std::uint64_t bytes = 0;  // of all shards
};

// The number of shards does not depend on what is available now: a start with another number deals all partitions anew.
// Errc::invalid_argument: less for each shard than it needs to take any record.
Result<MemoryShare> share_memory(const MemoryWish& wish);

}  // namespace tailwater::shell
