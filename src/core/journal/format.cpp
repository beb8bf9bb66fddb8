#include "core/journal/format.hpp"

#include "base/crc32c.hpp"

namespace tailwater::journal {

namespace {

constexpr std::size_t kHeaderCrcAt = 60;
static_assert(kHeaderCrcAt + sizeof(std::uint32_t) == kFrameHeaderSize);

}  // namespace

void encode(const EntryHeader& entry, std::byte* to) {
  store_little(to, entry.log.value);
  to[8] = static_cast<std::byte>(entry.kind);
  to[9] = std::byte{0};
  store_little(to + 10, entry.head_length);
  store_little(to + 12, entry.length);
  store_little(to + 16, entry.segment_base);
  store_little(to + 24, entry.position);
  store_little(to + 28, entry.argument);
  store_little(to + 32, entry.base_offset);
}

EntryHeader decode_entry(const std::byte* from) {
  return {.log = LogId{load_little<std::uint64_t>(from)},
          .kind = static_cast<EntryKind>(from[8]),
          .head_length = load_little<std::uint16_t>(from + 10),
          .length = load_little<std::uint32_t>(from + 12),
          .segment_base = load_little<std::int64_t>(from + 16),
          .position = load_little<std::uint32_t>(from + 24),
          .argument = load_little<std::uint32_t>(from + 28),
          .base_offset = load_little<std::int64_t>(from + 32)};
}

std::uint32_t encode(const FrameHeader& header, std::byte* to) {
  store_little(to, kFrameMagic);
  store_little(to + 4, kFrameVersion);
  store_little(to + 6, std::uint16_t{0});
  store_little(to + 8, header.journal_id);
  store_little(to + 16, header.lsn.value);
  store_little(to + 24, header.settled.value);
  store_little(to + 32, header.incarnation);
  store_little(to + 36, header.payload_bytes);
  store_little(to + 40, header.entry_count);
  store_little(to + 44, header.prev_header_crc);
  store_little(to + 48, header.payload_crc);
  store_little(to + 52, std::uint32_t{0});
  store_little(to + 56, std::uint32_t{0});
  const std::uint32_t crc = crc32c(Bytes(to, kHeaderCrcAt));
  store_little(to + kHeaderCrcAt, crc);
  return crc;
}

std::optional<FrameHeader> decode_frame(Bytes from) {
  if (from.size() < kFrameHeaderSize) return std::nullopt;
  const std::byte* at = from.data();
  if (load_little<std::uint32_t>(at) != kFrameMagic) return std::nullopt;
  if (load_little<std::uint16_t>(at + 4) != kFrameVersion) return std::nullopt;
  const auto crc = load_little<std::uint32_t>(at + kHeaderCrcAt);
  if (crc32c(from.first(kHeaderCrcAt)) != crc) return std::nullopt;
  return FrameHeader{.journal_id = load_little<std::uint64_t>(at + 8),
                     .lsn = Lsn{load_little<std::uint64_t>(at + 16)},
                     .settled = Lsn{load_little<std::uint64_t>(at + 24)},
                     .incarnation = load_little<std::uint32_t>(at + 32),
                     .payload_bytes = load_little<std::uint32_t>(at + 36),
                     .entry_count = load_little<std::uint32_t>(at + 40),
                     .prev_header_crc = load_little<std::uint32_t>(at + 44),
                     .payload_crc = load_little<std::uint32_t>(at + 48),
                     .header_crc = crc};
}

std::optional<EntryCursor::Entry> EntryCursor::next() {
  if (left_ == 0) return std::nullopt;
  if (payload_.size() < kEntryHeaderSize) {
    failed_ = true;
    left_ = 0;
    return std::nullopt;
  }
  Entry entry{decode_entry(payload_.data()), {}};
  const Bytes rest = payload_.subspan(kEntryHeaderSize);
  if (entry.header.length > rest.size() || entry.header.head_length > entry.header.length) {
    failed_ = true;
    left_ = 0;
    return std::nullopt;
  }
  entry.content = rest.first(entry.header.length);
  const std::uint64_t step = round_up(entry.header.length, 8);
  payload_ = rest.subspan(step < rest.size() ? step : rest.size());
  --left_;
  return entry;
}

}  // namespace tailwater::journal
