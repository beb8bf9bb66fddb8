// What the journal says of a direct run: whole blocks of a log's records that went straight to their segment
// file, beside the frame with this entry. Blocks that hold anything else are not among them: their parts of
// the run are in the entry.
//
//   entry     as of `batches` (core/journal/format.hpp): position, head_length, segment_base; base_offset is
//             that of the run's first batch
//   content   blocks_bytes u32, blocks_crc u32 (crc32c), the bytes up to the first block (the head that an
//             earlier flush has written included), the bytes behind the last
//
// The first of the blocks begins at position + head_length, rounded up.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "core/journal/format.hpp"

namespace tailwater::log {

struct Extent {
  Offset segment;
  std::uint64_t from = 0;  // of the run, a batch's begin
  std::uint64_t to = 0;
  std::uint64_t blocks_from = 0;
  std::uint64_t blocks_to = 0;
  std::uint32_t blocks_crc = 0;
  Bytes head;    // what an earlier flush has written into the block of `from`
  Bytes before;  // [from, blocks_from)
  Bytes behind;  // [blocks_to, to)
};

inline constexpr std::size_t kExtentHeaderSize = 8;

// The blocks that hold nothing but [from, to).
constexpr std::uint64_t first_block(std::uint64_t from) {
  return journal::round_up(from, journal::kBlock);
}
constexpr std::uint64_t last_block(std::uint64_t to) {
  return journal::round_down(to, journal::kBlock);
}

// The content of the entry for [from, to), whole batches, which lies at `bytes`; with the `head` bytes before `from`,
// which lie before it. REQUIRES: at least one block; the batches match their checksums.
void encode_extent(const std::byte* bytes, std::uint64_t from, std::uint64_t to, std::uint32_t head,
                   Buffer& out);
// Nothing if the entry makes no sense.
std::optional<Extent> decode_extent(const journal::EntryHeader& header, Bytes content);

}  // namespace tailwater::log
