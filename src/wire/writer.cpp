// Writing primitive types.
#include "wire/writer.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "base/varint.hpp"

namespace tailwater::wire {

void Writer::raw(Bytes value) {
  if (to_ != nullptr) {
    to_->insert(to_->end(), value.begin(), value.end());
  } else {
    counted_ += value.size();
  }
}

void Writer::uuid(const Uuid& value) {
  number(value.high);
  number(value.low);
}

void Writer::uvarint(std::uint32_t value) {
  std::byte bytes[kVarlongMaxBytes];
  raw({bytes, write_uvarint(bytes, value)});
}

void Writer::string(std::string_view value, Form form) {
  value = value.substr(0, kStringSizeMax);
  if (form == Form::compact) {
    uvarint(static_cast<std::uint32_t>(value.size()) + 1);
  } else {
    int16(static_cast<std::int16_t>(value.size()));
  }
  raw(as_bytes(value));
}

void Writer::nullable_string(const std::optional<std::string_view>& value, Form form, Null null) {
  if (value || null == Null::refused) return string(value.value_or(std::string_view{}), form);
  if (form == Form::compact) {
    uvarint(0);
  } else {
    int16(-1);
  }
}

void Writer::nullable_string(const std::optional<std::string>& value, Form form, Null null) {
  nullable_string(value ? std::optional<std::string_view>(*value) : std::nullopt, form, null);
}

void Writer::bytes(Bytes value, Form form) {
  array_count(value.size(), form);
  raw(value);
}

void Writer::nullable_bytes(const std::optional<Bytes>& value, Form form, Null null) {
  if (!value) return null_array(form, null);
  bytes(*value, form);
}

void Writer::nullable_bytes(const std::optional<Buffer>& value, Form form, Null null) {
  if (!value) return null_array(form, null);
  bytes(*value, form);
}

void Writer::array_count(std::size_t count, Form form) {
  CHECK(count < INT32_MAX);
  if (form == Form::compact) {
    uvarint(static_cast<std::uint32_t>(count) + 1);
  } else {
    int32(static_cast<std::int32_t>(count));
  }
}

void Writer::null_array(Form form, Null null) {
  if (null == Null::refused) return array_count(0, form);
  if (form == Form::compact) {
    uvarint(0);
  } else {
    int32(-1);
  }
}

void Writer::tag_count(std::initializer_list<bool> present_tags) {
  uvarint(static_cast<std::uint32_t>(std::count(present_tags.begin(), present_tags.end(), true)));
}

std::size_t Writer::begin_tag(std::uint32_t tag) {
  uvarint(tag);
  return size();
}

// The size is known only now: it is put in before the field's bytes.
void Writer::end_tag(std::size_t begin) {
  std::byte bytes[kVarlongMaxBytes];
  const std::size_t width = write_uvarint(bytes, size() - begin);
  if (to_ != nullptr) {
    const auto at = to_->begin() + static_cast<std::ptrdiff_t>(start_ + begin);
    to_->insert(at, bytes, bytes + width);
  } else {
    counted_ += width;
  }
}

namespace {

void write_item(Writer& writer, Form, std::int8_t item) {
  writer.int8(item);
}
void write_item(Writer& writer, Form, std::int16_t item) {
  writer.int16(item);
}
void write_item(Writer& writer, Form, std::int32_t item) {
  writer.int32(item);
}
void write_item(Writer& writer, Form, std::int64_t item) {
  writer.int64(item);
}
void write_item(Writer& writer, Form, const Uuid& item) {
  writer.uuid(item);
}
void write_item(Writer& writer, Form form, const std::string& item) {
  writer.string(item, form);
}

}  // namespace

template <class Item>
void Writer::array(const std::vector<Item>& items, Form form) {
  array_count(items.size(), form);
  for (const Item& item : items) write_item(*this, form, item);
}

template <class Item>
void Writer::nullable_array(const std::optional<std::vector<Item>>& items, Form form, Null null) {
  if (!items) return null_array(form, null);
  array(*items, form);
}

#define WIRE_ARRAY_OF(item)                                                                            \
  template void Writer::array<item>(const std::vector<item>& items, Form form);                        \
  template void Writer::nullable_array<item>(const std::optional<std::vector<item>>& items, Form form, \
                                             Null null);
WIRE_ARRAY_OF(std::int8_t)
WIRE_ARRAY_OF(std::int16_t)
WIRE_ARRAY_OF(std::int32_t)
WIRE_ARRAY_OF(std::int64_t)
WIRE_ARRAY_OF(Uuid)
WIRE_ARRAY_OF(std::string)
#undef WIRE_ARRAY_OF

}  // namespace tailwater::wire
