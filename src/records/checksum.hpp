// The CRC-32C over bytes that are whole batches, or over a part of them, without reading what the batches' own
// checksums stand for already.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"

namespace tailwater::records {

// crc32c(batches.subspan(from, to - from)). Of a batch that is large only the header and what lies outside of the
// part are read. REQUIRES: whole batches, each of which matches its checksum; from <= to <= batches.size().
std::uint32_t checksum_of_part(Bytes batches, std::size_t from, std::size_t to);

}  // namespace tailwater::records
