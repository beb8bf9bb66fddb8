// Goal: the hash is SipHash-2-4-128, and every byte, every length and both halves of the secret count.
// Method: the first vectors of the reference implementation; differences over small inputs.
#include "base/siphash.hpp"

#include <gtest/gtest.h>

#include <set>
#include <utility>

namespace tailwater {
namespace {

constexpr SipKey kReferenceKey{0x0706050403020100, 0x0f0e0d0c0b0a0908};

Buffer counting(std::size_t size) {
  Buffer bytes;
  for (std::size_t at = 0; at < size; ++at) bytes.push_back(static_cast<std::byte>(at));
  return bytes;
}

TEST(SipHash, gives_the_reference_values) {
  // The reference prints bytes: a3817f04ba25a8e66df67214c7550293 for no input, then one byte more each time.
  const Digest128 expected[] = {{0xe6a825ba047f81a3, 0x930255c71472f66d},
                                {0x44af996bd8c187da, 0x45fc229b11597634},
                                {0xc75da4a48d227781, 0xe4ff0af6de8ba3fc}};
  for (std::size_t size = 0; size < std::size(expected); ++size) {
    const Digest128 got = siphash128(kReferenceKey, counting(size));
    EXPECT_EQ(got.low, expected[size].low) << size;
    EXPECT_EQ(got.high, expected[size].high) << size;
  }
}

TEST(SipHash, everything_counts) {
  std::set<std::pair<std::uint64_t, std::uint64_t>> seen;
  std::size_t asked = 0;
  const auto add = [&](SipKey key, const Buffer& bytes) {
    const Digest128 digest = siphash128(key, bytes);
    seen.emplace(digest.low, digest.high);
    ++asked;
  };
  for (std::size_t size = 0; size < 40; ++size) {
    add(kReferenceKey, counting(size));
    add({kReferenceKey.low ^ 1, kReferenceKey.high}, counting(size));
    add({kReferenceKey.low, kReferenceKey.high ^ 1}, counting(size));
    for (std::size_t at = 0; at < size; ++at) {
      Buffer other = counting(size);
      other[at] ^= std::byte{0x80};
      add(kReferenceKey, other);
    }
  }
  EXPECT_EQ(seen.size(), asked);
}

}  // namespace
}  // namespace tailwater
