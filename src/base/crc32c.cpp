#include "base/crc32c.hpp"

#include <isa-l/crc.h>

#if defined(__SSE4_2__)
#include <nmmintrin.h>
#endif

#include <algorithm>
#include <array>

namespace tailwater {

namespace {

// ISA-L takes an int length.
constexpr std::size_t kChunkMax = std::size_t{1} << 30;
// Below this the instruction beats ISA-L's run-time dispatch and folding (measured: toolchain notes in
// bench/).
constexpr std::size_t kShort = 128;

// A result is a polynomial over two elements, the highest bit the constant; so many bytes behind it multiply it by
// x^8 each.
using Polynomial = std::uint32_t;
constexpr Polynomial kOne = 0x8000'0000;
constexpr Polynomial kModulus = 0x82f6'3b78;  // without x^32
// x^kOrder is 1.
constexpr std::uint64_t kOrder = (std::uint64_t{1} << 31) - 1;

constexpr Polynomial times(Polynomial left, Polynomial right) {
  Polynomial product = 0;
  for (Polynomial bit = kOne; bit != 0; bit >>= 1) {
    if ((left & bit) != 0) product ^= right;
    right = (right >> 1) ^ ((right & 1) != 0 ? kModulus : 0);
  }
  return product;
}

// x^1, x^2, x^4, ...
constexpr std::array<Polynomial, 31> squares() {
  std::array<Polynomial, 31> all{kOne >> 1};
  for (std::size_t each = 1; each < all.size(); ++each) all[each] = times(all[each - 1], all[each - 1]);
  return all;
}
constexpr std::array<Polynomial, 31> kSquares = squares();

// times x^bits. REQUIRES: bits < kOrder.
Polynomial shifted(Polynomial from, std::uint64_t bits) {
  for (std::size_t each = 0; bits != 0; bits >>= 1, ++each) {
    if ((bits & 1) != 0) from = times(kSquares[each], from);
  }
  return from;
}

constexpr std::uint64_t bits_of(std::uint64_t bytes) {
  return bytes % kOrder * 8 % kOrder;
}

}  // namespace

std::uint32_t crc32c_joined(std::uint32_t first, std::uint32_t second, std::uint64_t second_size) {
  return shifted(first, bits_of(second_size)) ^ second;
}

std::uint32_t crc32c_first(std::uint32_t joined, std::uint32_t second, std::uint64_t second_size) {
  return shifted(joined ^ second, (kOrder - bits_of(second_size)) % kOrder);
}

std::uint32_t crc32c_second(std::uint32_t joined, std::uint32_t first, std::uint64_t second_size) {
  return joined ^ shifted(first, bits_of(second_size));
}

std::uint32_t crc32c(Bytes bytes, std::uint32_t previous) {
  std::uint32_t state = ~previous;
#if defined(__SSE4_2__)
  if (bytes.size() < kShort) {
    const std::byte* at = bytes.data();
    std::size_t left = bytes.size();
    std::uint64_t wide = state;
    for (; left >= 8; at += 8, left -= 8) wide = _mm_crc32_u64(wide, load_little<std::uint64_t>(at));
    state = static_cast<std::uint32_t>(wide);
    for (; left > 0; ++at, --left) state = _mm_crc32_u8(state, static_cast<std::uint8_t>(*at));
    return ~state;
  }
#endif
  while (!bytes.empty()) {
    const std::size_t size = std::min(bytes.size(), kChunkMax);
    // The library reads only, its declaration merely lacks the const.
    auto* data = reinterpret_cast<unsigned char*>(const_cast<std::byte*>(bytes.data()));
    state = crc32_iscsi(data, static_cast<int>(size), state);
    bytes = bytes.subspan(size);
  }
  return ~state;
}

}  // namespace tailwater
