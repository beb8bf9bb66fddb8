// CRC-32C (Castagnoli), as record batches and the journal use it. crc32c("123456789") == 0xe3069283.
#pragma once

#include <cstdint>

#include "base/bytes.hpp"

namespace tailwater {

// Continues from `previous`, the result over the bytes before; 0 starts.
std::uint32_t crc32c(Bytes bytes, std::uint32_t previous = 0);

// The results over two pieces and over both, one behind the other, follow from each other, without the bytes: in a
// third of a microsecond, whatever their size. Of a piece only its result and the size of the second are told.
std::uint32_t crc32c_joined(std::uint32_t first, std::uint32_t second, std::uint64_t second_size);
std::uint32_t crc32c_first(std::uint32_t joined, std::uint32_t second, std::uint64_t second_size);
std::uint32_t crc32c_second(std::uint32_t joined, std::uint32_t first, std::uint64_t second_size);

}  // namespace tailwater
