// A hint to the processor: memory that is about to be used, so that waiting for many places overlaps. Changes
// nothing that a program can see.
#pragma once

#include <cstddef>

namespace tailwater {

inline constexpr std::size_t kCacheLine = 64;

// The `size` bytes from `at` on will be read and written. They need not be ours: nothing is touched.
inline void prefetch(const void* at, std::size_t size) {
  const char* const begin = static_cast<const char*>(at);
  for (std::size_t offset = 0; offset < size; offset += kCacheLine) __builtin_prefetch(begin + offset, 1);
}

}  // namespace tailwater
