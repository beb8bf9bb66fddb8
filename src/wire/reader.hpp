// Reader: takes Kafka's primitive types off borrowed bytes, which the caller keeps alive.
// GUARANTEES: total on hostile input. Every read is checked; the first failure sticks, and from then on
// nothing remains and every read gives zero, so a decoder need not look at ok() after each field. Nothing is
// allocated from a length that received bytes do not back, and all that is allocated is charged to an
// allowance, because two bytes of input can stand for a hundred bytes of structs.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/uuid.hpp"
#include "wire/error_code.hpp"

namespace tailwater::wire {

// How lengths are written: `plain` as int16 or int32, `compact` (flexible versions) as an unsigned varint of
// length + 1.
enum class Form : std::uint8_t { plain, compact };
constexpr Form form_if(bool flexible) {
  return flexible ? Form::compact : Form::plain;
}

// Whether a field may be null in the version at hand.
enum class Null : std::uint8_t { refused, allowed };
constexpr Null null_if(bool nullable) {
  return nullable ? Null::allowed : Null::refused;
}

// Kafka's bound for strings in both forms.
inline constexpr std::size_t kStringSizeMax = INT16_MAX;

class Reader {
 public:
  static constexpr std::size_t kDefaultAllowance = 64U << 20;
  static constexpr std::size_t kNoLimit = SIZE_MAX;

  explicit Reader(Bytes bytes, std::size_t allowance = kDefaultAllowance)
      : begin_(bytes.data()), at_(begin_), end_(begin_ + bytes.size()), allowance_(allowance) {}

  bool ok() const { return !failed_; }
  // What went wrong first: truncated, malformed or too_large. REQUIRES: !ok().
  Errc error() const { return error_; }
  // Bytes before the end, or before the end of the tagged field that is being read.
  std::size_t remaining() const { return static_cast<std::size_t>(end_ - at_); }
  Bytes rest() const { return {at_, remaining()}; }
  std::size_t position() const { return static_cast<std::size_t>(at_ - begin_); }
  void fail(Errc error);

  bool boolean() { return number<std::uint8_t>() != 0; }
  std::int8_t int8() { return number<std::int8_t>(); }
  std::int16_t int16() { return number<std::int16_t>(); }
  std::uint16_t uint16() { return number<std::uint16_t>(); }
  std::int32_t int32() { return number<std::int32_t>(); }
  std::uint32_t uint32() { return number<std::uint32_t>(); }
  std::int64_t int64() { return number<std::int64_t>(); }
  double float64() { return std::bit_cast<double>(number<std::uint64_t>()); }
  ErrorCode error_code() { return static_cast<ErrorCode>(number<std::int16_t>()); }
  Uuid uuid();
  std::uint32_t uvarint();

  // Borrowed text and bytes; a null that is refused fails the reader.
  std::string_view text(Form form);
  std::optional<std::string_view> nullable_text(Form form, Null null = Null::allowed);
  Bytes span(Form form);
  std::optional<Bytes> nullable_span(Form form, Null null = Null::allowed);

  // Owned text and bytes; `size_max` is a limit of ours.
  std::string string(Form form);
  std::optional<std::string> nullable_string(Form form, Null null = Null::allowed);
  Buffer bytes(Form form, std::size_t size_max = kNoLimit);
  std::optional<Buffer> nullable_bytes(Form form, Null null = Null::allowed, std::size_t size_max = kNoLimit);

  // Arrays of int8, int16, int32, int64, Uuid or std::string.
  template <class Item>
  std::vector<Item> array(Form form, std::size_t count_max = kNoLimit);
  template <class Item>
  std::optional<std::vector<Item>> nullable_array(Form form, Null null = Null::allowed,
                                                  std::size_t count_max = kNoLimit);

  // The count of an array, -1 for null, with each element at least `item_bytes` on the wire and `item_memory`
  // in memory, which is charged. REQUIRES: item_bytes > 0.
  std::int64_t array_count(Form form, Null null, std::size_t item_bytes, std::size_t item_memory,
                           std::size_t count_max = kNoLimit);

  // The marker before a nullable struct: true if the struct follows.
  bool present(Null null);

  void skip(std::size_t size);
  // A tagged section of which no tag is known.
  void skip_tags();

 private:
  friend class TagReader;

  template <class Number>
  Number number() {
    if (remaining() < sizeof(Number)) {
      fail(Errc::truncated);
      return Number{};
    }
    const auto value = load_big<Number>(at_);
    at_ += sizeof(Number);
    return value;
  }
  std::int64_t length(Form form, Null null);
  std::int64_t string_length(Form form, Null null);
  Bytes take(std::size_t size);
  bool charge(std::size_t count, std::size_t each);

  const std::byte* begin_;
  const std::byte* at_;
  const std::byte* end_;
  std::size_t allowance_;
  Errc error_{};
  bool failed_ = false;
};

// Walks a tagged section: `for (TagReader tags(reader); tags.next();)`, and the loop's body reads the field
// of tags.tag() from the same reader, whose end is then the end of that field. What the body leaves is
// skipped, so an unknown tag needs no code. Tags ascend strictly; anything else fails the reader.
class TagReader {
 public:
  explicit TagReader(Reader& reader) : reader_(reader), left_(reader.uvarint()) {}
  bool next();
  std::uint32_t tag() const { return tag_; }

 private:
  Reader& reader_;
  const std::byte* section_end_ = nullptr;  // set while a field is open
  std::uint32_t left_;
  std::uint32_t tag_ = 0;
  bool first_ = true;
};

}  // namespace tailwater::wire
