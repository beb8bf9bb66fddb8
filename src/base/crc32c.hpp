// CRC-32C (Castagnoli), as record batches and the journal use it. crc32c("123456789") == 0xe3069283.
#pragma once

#include <cstdint>

#include "base/bytes.hpp"

namespace tailwater {

// Continues from `previous`, the result over the bytes before; 0 starts.
std::uint32_t crc32c(Bytes bytes, std::uint32_t previous = 0);

}  // namespace tailwater
