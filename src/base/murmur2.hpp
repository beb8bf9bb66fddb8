// Murmur2 as Kafka's Java clients hash a record's key, and the partition they choose with it.
#pragma once

#include <cstdint>

#include "base/bytes.hpp"

namespace tailwater {

std::uint32_t murmur2(Bytes key);

// The partition of a non-null key, as Java chooses it. REQUIRES: partitions > 0.
inline std::int32_t partition_of_key(Bytes key, std::int32_t partitions) {
  return static_cast<std::int32_t>(murmur2(key) & 0x7fffffffu) % partitions;
}

}  // namespace tailwater
