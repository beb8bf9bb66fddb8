#include "base/crc32c.hpp"

#include <isa-l/crc.h>

#if defined(__SSE4_2__)
#include <nmmintrin.h>
#endif

#include <algorithm>

namespace tailwater {

namespace {

// ISA-L takes an int length.
constexpr std::size_t kChunkMax = std::size_t{1} << 30;
// Below this the instruction beats ISA-L's run-time dispatch and folding (measured: toolchain notes in
// bench/).
constexpr std::size_t kShort = 128;

}  // namespace

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
