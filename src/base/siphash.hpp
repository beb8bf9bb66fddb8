// SipHash-2-4 with a 128-bit result: a keyed hash for tables whose keys strangers choose. Without the secret
// nobody can make two keys that fall together, so a table may take equal hashes for equal keys.
#pragma once

#include <cstdint>

#include "base/bytes.hpp"

namespace tailwater {

struct Digest128 {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  friend bool operator==(const Digest128&, const Digest128&) = default;
};

struct SipKey {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
};

Digest128 siphash128(SipKey key, Bytes bytes);

}  // namespace tailwater
