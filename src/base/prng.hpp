// A deterministic random generator (xoshiro256**), seeded through splitmix64: same seed, same draws, on every
// compiler. Machines get theirs handed in. Never draw twice within one expression: the order would be the
// compiler's.
#pragma once

#include <cstdint>

#include "base/uuid.hpp"

namespace tailwater {

class Prng {
 public:
  explicit Prng(std::uint64_t seed) {
    for (auto& word : state_) {
      seed += 0x9e3779b97f4a7c15ULL;
      std::uint64_t mixed = seed;
      mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ULL;
      mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebULL;
      word = mixed ^ (mixed >> 31);
    }
  }

  std::uint64_t next() {
    const std::uint64_t result = rotate(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = rotate(state_[3], 45);
    return result;
  }

  // A number in [0, bound). REQUIRES: bound > 0. The bias of the remainder is below 2^-32 for every bound
  // here.
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }
  // True once in `times` draws.
  bool one_in(std::uint64_t times) { return below(times) == 0; }

  // A random id of version 4, never the zero id nor Kafka's reserved one.
  Uuid uuid() {
    const std::uint64_t high = next();
    const std::uint64_t low = next();
    return {(high & ~0xf000ULL) | 0x4000ULL, (low & ~(3ULL << 62)) | (2ULL << 62)};
  }

 private:
  static std::uint64_t rotate(std::uint64_t word, int by) { return (word << by) | (word >> (64 - by)); }
  std::uint64_t state_[4];
};

}  // namespace tailwater
