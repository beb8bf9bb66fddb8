// CRC-32C (Castagnoli), as record batches and the journal use it. crc32c("123456789") == 0xe3069283.
#pragma once

#include <cstdint>

#include "base/bytes.hpp"

namespace tailwater {

// Continues from `previous`, the result over the bytes before; 0 starts.
std::uint32_t crc32c(Bytes bytes, std::uint32_t previous = 0);

// The results over two pieces and over both, one behind the other, follow from each other and from the size of the second,
// without the bytes: in at most 31 multiplications, however large the pieces are.
std::uint32_t crc32c_joined(std::uint32_t first, std::uint32_t second, std::uint64_t second_size);
std::uint32_t crc32c_first(std::uint32_t joined, std::uint32_t second, std::uint64_t second_size);
std::uint32_t crc32c_second(std::uint32_t joined, std::uint32_t first, std::uint64_t second_size);

}  // namespace tailwater
