#include "records/record.hpp"

namespace tailwater::records {

namespace detail {

Decoded decode_uvarint(const std::byte* at, const std::byte* end) {
  std::uint64_t number = 0;
  const std::size_t size = read_uvarint({at, end}, number, kVarintMaxBytes);
  if (size == 0 || number > UINT32_MAX) return {};
  return {number, at + size};
}

Decoded decode_uvarlong(const std::byte* at, const std::byte* end) {
  std::uint64_t number = 0;
  const std::size_t size = read_uvarint({at, end}, number, kVarlongMaxBytes);
  // The tenth byte holds the 64th bit and nothing else.
  if (size == 0 || (size == kVarlongMaxBytes && at[size - 1] > std::byte{1})) return {};
  return {number, at + size};
}

bool sound_headers(Bytes bytes, std::int32_t count) {
  HeaderCursor cursor(bytes, count);
  while (cursor.next()) {
  }
  return !cursor.failed();
}

}  // namespace detail

std::optional<HeaderView> HeaderCursor::next() {
  if (failed_) return std::nullopt;
  if (left_ <= 0) {
    failed_ = reader_.left() != 0;
    return std::nullopt;
  }
  HeaderView header;
  std::int32_t length = 0;
  if (!reader_.varint(length) || length < 0 || !reader_.take(static_cast<std::size_t>(length), header.key) ||
      !reader_.nullable(header.value)) {
    failed_ = true;
    return std::nullopt;
  }
  --left_;
  return header;
}

}  // namespace tailwater::records
