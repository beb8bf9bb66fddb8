#include "core/log/extent.hpp"

#include "records/checksum.hpp"

namespace tailwater::log {

void encode_extent(const std::byte* bytes, std::uint64_t from, std::uint64_t to, std::uint32_t head,
                   Buffer& out) {
  const std::uint64_t begin = first_block(from);
  const std::uint64_t end = last_block(to);
  const Bytes blocks(bytes + (begin - from), static_cast<std::size_t>(end - begin));
  out.resize(kExtentHeaderSize);
  store_little(out.data(), static_cast<std::uint32_t>(blocks.size()));
  const Bytes run(bytes, static_cast<std::size_t>(to - from));
  store_little(out.data() + 4, records::checksum_of_part(run, begin - from, end - from));
  out.insert(out.end(), bytes - head, blocks.data());
  out.insert(out.end(), blocks.data() + blocks.size(), bytes + (to - from));
}

std::optional<Extent> decode_extent(const journal::EntryHeader& header, Bytes content) {
  if (content.size() < kExtentHeaderSize) return std::nullopt;
  Extent extent;
  extent.segment = Offset{header.segment_base};
  extent.from = std::uint64_t{header.position} + header.head_length;
  extent.blocks_from = first_block(extent.from);
  const auto blocks = load_little<std::uint32_t>(content.data());
  extent.blocks_crc = load_little<std::uint32_t>(content.data() + 4);
  const std::size_t before = static_cast<std::size_t>(extent.blocks_from - extent.from);
  const Bytes rest = content.subspan(kExtentHeaderSize);
  if (blocks == 0 || blocks % journal::kBlock != 0 || rest.size() < header.head_length + before)
    return std::nullopt;
  extent.head = rest.first(header.head_length);
  extent.before = rest.subspan(header.head_length, before);
  extent.behind = rest.subspan(header.head_length + before);
  if (extent.behind.size() >= journal::kBlock) return std::nullopt;
  extent.blocks_to = extent.blocks_from + blocks;
  extent.to = extent.blocks_to + extent.behind.size();
  return extent;
}

}  // namespace tailwater::log
