#include "apps/cli/number_reader.hpp"

#include <fmt/format.h>

#include "apps/cli/text_encoding.hpp"

namespace tailwater::apps::cli {

namespace {

std::int64_t extend_sign(std::uint64_t value, unsigned bits) {
  const unsigned unused = 64 - bits;
  return static_cast<std::int64_t>(value << unused) >> unused;
}

Result<std::int64_t> read_ascii(ByteStream& stream) {
  const bool negative = stream.peek(0) == '-';
  std::size_t count = negative ? 1 : 0;
  std::int64_t value = 0;
  const std::size_t first = count;
  for (;; ++count) {
    const auto digit = stream.peek(count);
    if (!digit || *digit < '0' || *digit > '9') break;
    if (count - first == 18) return fail(Errc::malformed, "a number has more than 18 digits");
    value = value * 10 + (*digit - '0');
  }
  if (count == first) return fail(Errc::malformed, "a number is expected");
  if (auto taken = stream.take(count); !taken) return std::unexpected(taken.error());
  return negative ? -value : value;
}

Result<std::int64_t> read_hex(ByteStream& stream, unsigned bytes) {
  const auto text = stream.take(bytes == 0 ? 1 : 2 * bytes);
  if (!text) return std::unexpected(text.error());
  std::uint64_t value = 0;
  for (const char letter : *text) {
    const int digit = hex_digit(letter);
    if (digit < 0) return fail(Errc::malformed, fmt::format("'{}' is no hex number", printable(*text)));
    value = value * 16 + static_cast<std::uint64_t>(digit);
  }
  return bytes == 0 ? static_cast<std::int64_t>(value) : extend_sign(value, 8 * bytes);
}

Result<std::int64_t> read_binary(ByteStream& stream, const NumberForm& form) {
  const auto bytes = stream.take(form.bytes);
  if (!bytes) return std::unexpected(bytes.error());
  std::uint64_t value = 0;
  for (std::size_t index = 0; index < bytes->size(); ++index) {
    const std::size_t at = form.kind == NumberForm::Kind::big ? index : bytes->size() - 1 - index;
    value = (value << 8U) | static_cast<unsigned char>((*bytes)[at]);
  }
  return extend_sign(value, 8 * form.bytes);
}

Result<std::int64_t> read_boolean(ByteStream& stream) {
  const bool is_true = stream.peek(0) == 't';
  const std::string_view expected = is_true ? "true" : "false";
  const auto text = stream.take(expected.size());
  if (!text) return std::unexpected(text.error());
  if (*text != expected)
    return fail(Errc::malformed, fmt::format("'{}' is neither true nor false", printable(*text)));
  return is_true ? 1 : 0;
}

}  // namespace

Result<std::int64_t> read_number(ByteStream& stream, const NumberForm& form) {
  switch (form.kind) {
    case NumberForm::Kind::ascii:
      return read_ascii(stream);
    case NumberForm::Kind::hex:
      return read_hex(stream, form.bytes);
    case NumberForm::Kind::big:
    case NumberForm::Kind::little:
      return read_binary(stream, form);
    case NumberForm::Kind::boolean:
      return read_boolean(stream);
    case NumberForm::Kind::constant:
      return form.constant;
  }
  return 0;
}

Result<std::int64_t> read_size(ByteStream& stream, const NumberForm& form) {
  const auto number = read_number(stream, form);
  if (!number || *number >= -1) return number;
  if (form.kind == NumberForm::Kind::ascii || form.bytes == 8)
    return fail(Errc::malformed, "a size is negative");
  return *number + (std::int64_t{1} << (8 * form.bytes));
}

}  // namespace tailwater::apps::cli
