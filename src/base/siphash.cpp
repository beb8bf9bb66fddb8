#include "base/siphash.hpp"

#include <bit>

namespace tailwater {

namespace {

struct State {
  std::uint64_t v0, v1, v2, v3;

  void round() {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }
  void absorb(std::uint64_t word) {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }
  std::uint64_t squeeze() {
    for (int count = 0; count < 4; ++count) round();
    return v0 ^ v1 ^ v2 ^ v3;
  }
};

}  // namespace

Digest128 siphash128(SipKey key, Bytes bytes) {
  // The four words spell "somepseudorandomlygeneratedbytes"; 0xee marks the 128-bit form.
  State state{key.low ^ 0x736f6d6570736575ULL, key.high ^ 0x646f72616e646f6dULL ^ 0xee,
              key.low ^ 0x6c7967656e657261ULL, key.high ^ 0x7465646279746573ULL};
  const std::uint64_t size = bytes.size();
  for (; bytes.size() >= 8; bytes = bytes.subspan(8)) state.absorb(load_little<std::uint64_t>(bytes.data()));
  std::uint64_t last = size << 56;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    last |= static_cast<std::uint64_t>(bytes[at]) << (8 * at);
  }
  state.absorb(last);
  state.v2 ^= 0xee;
  Digest128 digest;
  digest.low = state.squeeze();
  state.v1 ^= 0xdd;
  digest.high = state.squeeze();
  return digest;
}

}  // namespace tailwater
