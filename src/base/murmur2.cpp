#include "base/murmur2.hpp"

namespace tailwater {

std::uint32_t murmur2(Bytes key) {
  constexpr std::uint32_t kMultiplier = 0x5bd1e995;
  std::uint32_t hash = 0x9747b28cu ^ static_cast<std::uint32_t>(key.size());
  while (key.size() >= 4) {
    std::uint32_t word = load_little<std::uint32_t>(key.data());
    word *= kMultiplier;
    word ^= word >> 24;
    word *= kMultiplier;
    hash *= kMultiplier;
    hash ^= word;
    key = key.subspan(4);
  }
  if (!key.empty()) {
    for (std::size_t at = key.size(); at-- > 0;) hash ^= static_cast<std::uint32_t>(key[at]) << (8 * at);
    hash *= kMultiplier;
  }
  hash ^= hash >> 13;
  hash *= kMultiplier;
  hash ^= hash >> 15;
  return hash;
}

}  // namespace tailwater
