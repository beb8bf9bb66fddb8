// Writer: appends Kafka's primitive types to a buffer, or only counts what it would append.
// It never fails. What a version cannot carry takes the nearest form that it can: a null that is refused
// becomes empty, a string beyond Kafka's 32767 bytes is cut. unsupported_field() of a message tells
// beforehand what a version would drop.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/uuid.hpp"
#include "wire/error_code.hpp"
#include "wire/reader.hpp"

namespace tailwater::wire {

class Writer {
 public:
  // The buffer outlives the writer; nobody else touches it meanwhile.
  explicit Writer(Buffer& to) : to_(&to), start_(to.size()) {}
  static Writer counter() { return Writer(); }

  // Bytes written, or counted, so far.
  std::size_t size() const { return to_ != nullptr ? to_->size() - start_ : counted_; }

  // Whether any error code was written but `none`.
  bool tells_error() const { return tells_error_; }

  void boolean(bool value) { number(static_cast<std::uint8_t>(value ? 1 : 0)); }
  void int8(std::int8_t value) { number(value); }
  void int16(std::int16_t value) { number(value); }
  void uint16(std::uint16_t value) { number(value); }
  void int32(std::int32_t value) { number(value); }
  void uint32(std::uint32_t value) { number(value); }
  void int64(std::int64_t value) { number(value); }
  void float64(double value) { number(std::bit_cast<std::uint64_t>(value)); }
  void error_code(ErrorCode value) {
    tells_error_ = tells_error_ || value != ErrorCode::none;
    number(static_cast<std::int16_t>(value));
  }
  void uuid(const Uuid& value);
  void uvarint(std::uint32_t value);
  void raw(Bytes value);

  void string(std::string_view value, Form form);
  void nullable_string(const std::optional<std::string_view>& value, Form form, Null null = Null::allowed);
  void nullable_string(const std::optional<std::string>& value, Form form, Null null = Null::allowed);
  void bytes(Bytes value, Form form);
  void nullable_bytes(const std::optional<Bytes>& value, Form form, Null null = Null::allowed);
  void nullable_bytes(const std::optional<Buffer>& value, Form form, Null null = Null::allowed);

  // Arrays of int8, int16, int32, int64, Uuid or std::string.
  template <class Item>
  void array(const std::vector<Item>& items, Form form);
  template <class Item>
  void nullable_array(const std::optional<std::vector<Item>>& items, Form form, Null null = Null::allowed);
  // The count before an array's elements, or the length before bytes that the caller sends by himself.
  void array_count(std::size_t count, Form form);
  void null_array(Form form, Null null = Null::allowed);

  // The marker before a nullable struct.
  void present(bool value) { int8(value ? 1 : -1); }

  // The head of a tagged section, and around each field its tag and its size.
  void tag_count(std::initializer_list<bool> present_tags);
  std::size_t begin_tag(std::uint32_t tag);
  void end_tag(std::size_t begin);
  void no_tags() { int8(0); }

 private:
  Writer() = default;

  template <class Number>
  void number(Number value) {
    std::byte bytes[sizeof(Number)];
    store_big(bytes, value);
    raw(bytes);
  }

  Buffer* to_ = nullptr;
  std::size_t start_ = 0;
  std::size_t counted_ = 0;
  bool tells_error_ = false;
};

}  // namespace tailwater::wire
