#include "records/record.hpp"

namespace tailwater::records {

namespace detail {

bool Reader::long_varint(std::int32_t& number) {
  std::uint64_t value = 0;
  const std::size_t size = read_uvarint(rest(), value, kVarintMaxBytes);
  if (size == 0 || value > UINT32_MAX) return false;
  at_ += size;
  number = static_cast<std::int32_t>(unzigzag(value));
  return true;
}

bool Reader::long_varlong(std::int64_t& number) {
  std::uint64_t value = 0;
  const std::size_t size = read_uvarint(rest(), value, kVarlongMaxBytes);
  // The tenth byte holds the 64th bit and nothing else.
  if (size == 0 || (size == kVarlongMaxBytes && at_[size - 1] > std::byte{1})) return false;
  at_ += size;
  number = unzigzag(value);
  return true;
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

bool RecordView::has_sound_headers() const {
  if (header_count == 0) return header_bytes.empty();
  HeaderCursor cursor = headers();
  while (cursor.next()) {
  }
  return !cursor.failed();
}

}  // namespace tailwater::records
