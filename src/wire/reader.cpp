// Reading primitive types: the checks that make every decoder total.
#include "wire/reader.hpp"

#include "base/varint.hpp"

namespace tailwater::wire {

void Reader::fail(Errc error) {
  if (!failed_) error_ = error;
  failed_ = true;
  at_ = end_;
}

Uuid Reader::uuid() {
  const auto high = number<std::uint64_t>();
  const auto low = number<std::uint64_t>();
  return {high, low};
}

std::uint32_t Reader::uvarint() {
  std::uint64_t value = 0;
  const std::size_t size = read_uvarint({at_, remaining()}, value, kVarintMaxBytes);
  if (size == 0) {
    fail(remaining() < kVarintMaxBytes ? Errc::truncated : Errc::malformed);
    return 0;
  }
  if (value > UINT32_MAX) {
    fail(Errc::malformed);
    return 0;
  }
  at_ += size;
  return static_cast<std::uint32_t>(value);
}

Bytes Reader::take(std::size_t size) {
  if (size > remaining()) {
    fail(Errc::truncated);
    return {};
  }
  const Bytes taken(at_, size);
  at_ += size;
  return taken;
}

void Reader::skip(std::size_t size) {
  take(size);
}

bool Reader::charge(std::size_t count, std::size_t each) {
  if (each != 0 && count > allowance_ / each) {
    fail(Errc::too_large);
    return false;
  }
  allowance_ -= count * each;
  return true;
}

// The length of bytes or the count of an array; -1 is null. After a failure it is 0.
std::int64_t Reader::length(Form form, Null null) {
  const std::int64_t length =
      form == Form::compact ? static_cast<std::int64_t>(uvarint()) - 1 : std::int64_t{int32()};
  if (failed_) return 0;
  if (length < -1 || (length == -1 && null == Null::refused)) {
    fail(Errc::malformed);
    return 0;
  }
  return length;
}

std::int64_t Reader::string_length(Form form, Null null) {
  const std::int64_t length =
      form == Form::compact ? static_cast<std::int64_t>(uvarint()) - 1 : std::int64_t{int16()};
  if (failed_) return 0;
  if (length < -1 || (length == -1 && null == Null::refused)) {
    fail(Errc::malformed);
    return 0;
  }
  if (length > static_cast<std::int64_t>(kStringSizeMax)) {
    fail(Errc::too_large);
    return 0;
  }
  return length;
}

std::optional<std::string_view> Reader::nullable_text(Form form, Null null) {
  const std::int64_t size = string_length(form, null);
  if (size < 0) return std::nullopt;
  return as_text(take(static_cast<std::size_t>(size)));
}

std::string_view Reader::text(Form form) {
  return nullable_text(form, Null::refused).value_or(std::string_view{});
}

std::optional<Bytes> Reader::nullable_span(Form form, Null null) {
  const std::int64_t size = length(form, null);
  if (size < 0) return std::nullopt;
  return take(static_cast<std::size_t>(size));
}

Bytes Reader::span(Form form) {
  return nullable_span(form, Null::refused).value_or(Bytes{});
}

std::string Reader::string(Form form) {
  const std::string_view borrowed = text(form);
  return charge(borrowed.size(), 1) ? std::string(borrowed) : std::string();
}

std::optional<std::string> Reader::nullable_string(Form form, Null null) {
  const auto borrowed = nullable_text(form, null);
  if (!borrowed || !charge(borrowed->size(), 1)) return std::nullopt;
  return std::string(*borrowed);
}

std::optional<Buffer> Reader::nullable_bytes(Form form, Null null, std::size_t size_max) {
  const auto borrowed = nullable_span(form, null);
  if (borrowed && borrowed->size() > size_max) fail(Errc::too_large);
  if (failed_ || !borrowed || !charge(borrowed->size(), 1)) return std::nullopt;
  return Buffer(borrowed->begin(), borrowed->end());
}

Buffer Reader::bytes(Form form, std::size_t size_max) {
  return nullable_bytes(form, Null::refused, size_max).value_or(Buffer{});
}

std::int64_t Reader::array_count(Form form, Null null, std::size_t item_bytes, std::size_t item_memory,
                                 std::size_t count_max) {
  const std::int64_t count = length(form, null);
  if (count <= 0) return count;
  const auto items = static_cast<std::size_t>(count);
  if (items > remaining() / item_bytes) {
    fail(Errc::truncated);
    return 0;
  }
  if (items > count_max) {
    fail(Errc::too_large);
    return 0;
  }
  return charge(items, item_memory) ? count : 0;
}

bool Reader::present(Null null) {
  const std::int8_t marker = int8();
  if (failed_) return false;
  if (marker < 0 && null == Null::refused) fail(Errc::malformed);
  return marker >= 0 && !failed_;
}

void Reader::skip_tags() {
  TagReader tags(*this);
  while (tags.next()) {
  }
}

bool TagReader::next() {
  if (reader_.failed_) return false;
  if (section_end_ != nullptr) {
    reader_.at_ = reader_.end_;
    reader_.end_ = section_end_;
    section_end_ = nullptr;
  }
  if (left_ == 0) return false;
  --left_;
  const std::uint32_t tag = reader_.uvarint();
  const std::uint32_t size = reader_.uvarint();
  if (reader_.failed_) return false;
  if (!first_ && tag <= tag_) {
    reader_.fail(Errc::malformed);
    return false;
  }
  if (size > reader_.remaining()) {
    reader_.fail(Errc::truncated);
    return false;
  }
  first_ = false;
  tag_ = tag;
  section_end_ = reader_.end_;
  reader_.end_ = reader_.at_ + size;
  return true;
}

namespace {

void read_item(Reader& reader, Form, std::int8_t& item) {
  item = reader.int8();
}
void read_item(Reader& reader, Form, std::int16_t& item) {
  item = reader.int16();
}
void read_item(Reader& reader, Form, std::int32_t& item) {
  item = reader.int32();
}
void read_item(Reader& reader, Form, std::int64_t& item) {
  item = reader.int64();
}
void read_item(Reader& reader, Form, Uuid& item) {
  item = reader.uuid();
}
void read_item(Reader& reader, Form form, std::string& item) {
  item = reader.string(form);
}

template <class Item>
constexpr std::size_t item_bytes(Form) {
  return sizeof(Item);
}
template <>
constexpr std::size_t item_bytes<std::string>(Form form) {
  return form == Form::compact ? 1 : 2;
}

}  // namespace

template <class Item>
std::optional<std::vector<Item>> Reader::nullable_array(Form form, Null null, std::size_t count_max) {
  const std::int64_t count = array_count(form, null, item_bytes<Item>(form), sizeof(Item), count_max);
  if (count < 0) return std::nullopt;
  std::vector<Item> items(static_cast<std::size_t>(count));
  for (Item& item : items) {
    read_item(*this, form, item);
    if (failed_) break;
  }
  return items;
}

template <class Item>
std::vector<Item> Reader::array(Form form, std::size_t count_max) {
  auto items = nullable_array<Item>(form, Null::refused, count_max);
  return items ? *std::move(items) : std::vector<Item>{};
}

#define WIRE_ARRAY_OF(item)                                                                    \
  template std::vector<item> Reader::array<item>(Form form, std::size_t count_max);            \
  template std::optional<std::vector<item>> Reader::nullable_array<item>(Form form, Null null, \
                                                                         std::size_t count_max);
WIRE_ARRAY_OF(std::int8_t)
WIRE_ARRAY_OF(std::int16_t)
WIRE_ARRAY_OF(std::int32_t)
WIRE_ARRAY_OF(std::int64_t)
WIRE_ARRAY_OF(Uuid)
WIRE_ARRAY_OF(std::string)
#undef WIRE_ARRAY_OF

}  // namespace tailwater::wire
