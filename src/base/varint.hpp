// Variable-length numbers (LEB128, low group first), zigzag for the signed forms inside record batches.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"

namespace tailwater {

inline constexpr std::size_t kVarintMaxBytes = 5;
inline constexpr std::size_t kVarlongMaxBytes = 10;

constexpr std::uint64_t zigzag(std::int64_t number) {
  return (static_cast<std::uint64_t>(number) << 1) ^ static_cast<std::uint64_t>(number >> 63);
}
constexpr std::int64_t unzigzag(std::uint64_t number) {
  return static_cast<std::int64_t>(number >> 1) ^ -static_cast<std::int64_t>(number & 1);
}

// Bytes read from `from`, or 0 if it ends or runs beyond `max_bytes` before the number does.
inline std::size_t read_uvarint(Bytes from, std::uint64_t& number, std::size_t max_bytes = kVarlongMaxBytes) {
  std::uint64_t value = 0;
  const std::size_t limit = from.size() < max_bytes ? from.size() : max_bytes;
  for (std::size_t at = 0; at < limit; ++at) {
    const auto group = static_cast<std::uint64_t>(from[at]);
    value |= (group & 0x7f) << (7 * at);
    if ((group & 0x80) == 0) {
      number = value;
      return at + 1;
    }
  }
  return 0;
}

// Bytes written to `to`, which has room for kVarlongMaxBytes.
inline std::size_t write_uvarint(std::byte* to, std::uint64_t number) {
  std::size_t size = 0;
  for (; number >= 0x80; number >>= 7) to[size++] = static_cast<std::byte>(number | 0x80);
  to[size++] = static_cast<std::byte>(number);
  return size;
}

constexpr std::size_t uvarint_size(std::uint64_t number) {
  std::size_t size = 1;
  for (; number >= 0x80; number >>= 7) ++size;
  return size;
}

}  // namespace tailwater
