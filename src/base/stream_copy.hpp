// A copy for bytes that nobody here reads again soon: what lay where they go is not fetched first, and what is in the
// processor's cache stays there.
#pragma once

#include <cstring>

#include "base/bytes.hpp"
#include "base/prefetch.hpp"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace tailwater {

// REQUIRES: room for from.size() bytes at `to`, which do not overlap.
inline void stream_copy(Bytes from, std::byte* to) {
#if defined(__SSE2__)
  constexpr std::size_t kAhead = 8 * kCacheLine;
  const std::size_t head = -reinterpret_cast<std::uintptr_t>(to) % kCacheLine;
  if (from.size() < head + kCacheLine) {
    std::memcpy(to, from.data(), from.size());
    return;
  }
  std::memcpy(to, from.data(), head);
  from = from.subspan(head);
  to += head;
  for (; from.size() >= kCacheLine; from = from.subspan(kCacheLine), to += kCacheLine) {
    __builtin_prefetch(from.data() + kAhead);
    const auto* const line = reinterpret_cast<const __m128i*>(from.data());
    auto* const target = reinterpret_cast<__m128i*>(to);
    for (std::size_t each = 0; each < kCacheLine / sizeof(__m128i); ++each)
      _mm_stream_si128(target + each, _mm_loadu_si128(line + each));
  }
  // Before anything that tells others of these bytes.
  _mm_sfence();
#endif
  if (!from.empty()) std::memcpy(to, from.data(), from.size());
}

}  // namespace tailwater
