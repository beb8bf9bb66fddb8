// The hash map of the pure rooms. Its order must decide nothing: a build may give it another salt, and then everything
// must come out the same (docs/simulator.md, "Leaks of determinism").
#pragma once

#include <cstddef>
#include <functional>
#include <unordered_map>

namespace tailwater {

#ifdef TAILWATER_HASH_SALT
inline constexpr std::size_t kHashSalt = TAILWATER_HASH_SALT;
#else
inline constexpr std::size_t kHashSalt = 0;
#endif

// Mixes only where there is a salt: the product's hashes cost what they did.
template <class Key, class Hash, std::size_t salt = kHashSalt>
struct SaltedHash {
  std::size_t operator()(const Key& key) const noexcept {
    const std::size_t hash = Hash{}(key);
    if constexpr (salt == 0) return hash;
    return (hash ^ salt) * 0x9e3779b97f4a7c15ULL;
  }
};

template <class Key, class Value, class Hash = std::hash<Key>>
using HashMap = std::unordered_map<Key, Value, SaltedHash<Key, Hash>>;

}  // namespace tailwater
