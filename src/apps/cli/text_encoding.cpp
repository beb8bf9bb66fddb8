#include "apps/cli/text_encoding.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <iterator>

namespace tailwater::apps::cli {

namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::uint32_t byte_at(std::string_view bytes, std::size_t index) {
  return static_cast<unsigned char>(bytes[index]);
}

int base64_digit(char letter) {
  if (letter >= 'A' && letter <= 'Z') return letter - 'A';
  if (letter >= 'a' && letter <= 'z') return letter - 'a' + 26;
  if (letter >= '0' && letter <= '9') return letter - '0' + 52;
  if (letter == '+') return 62;
  return letter == '/' ? 63 : -1;
}

// Bytes of the UTF-8 character that begins at `at`, or 0 if there is none.
std::size_t utf8_character(std::string_view bytes, std::size_t at) {
  const std::uint32_t first = byte_at(bytes, at);
  if (first < 0x80) return 1;
  const std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || bytes.size() - at < size) return 0;
  for (std::size_t index = 1; index < size; ++index) {
    if ((byte_at(bytes, at + index) & 0xC0U) != 0x80) return 0;
  }
  const std::uint32_t second = byte_at(bytes, at + 1);
  const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool surrogate = first == 0xED && second >= 0xA0;
  const bool beyond = first == 0xF4 && second >= 0x90;
  return overlong || surrogate || beyond ? 0 : size;
}

}  // namespace

void append_hex(std::string& out, std::string_view bytes) {
  for (std::size_t index = 0; index < bytes.size(); ++index) {
    out += kHexDigits[byte_at(bytes, index) >> 4U];
    out += kHexDigits[byte_at(bytes, index) & 0xFU];
  }
}

int hex_digit(char letter) {
  if (letter >= '0' && letter <= '9') return letter - '0';
  if (letter >= 'a' && letter <= 'f') return letter - 'a' + 10;
  if (letter >= 'A' && letter <= 'F') return letter - 'A' + 10;
  return -1;
}

std::optional<std::string> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t index = 0; index < text.size(); index += 2) {
    const int high = hex_digit(text[index]);
    const int low = hex_digit(text[index + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

void append_base64(std::string& out, std::string_view bytes, Padding padding) {
  for (std::size_t index = 0; index < bytes.size(); index += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - index);
    std::uint32_t group = byte_at(bytes, index) << 16U;
    if (count > 1) group |= byte_at(bytes, index + 1) << 8U;
    if (count > 2) group |= byte_at(bytes, index + 2);
    for (std::size_t digit = 0; digit < 4; ++digit) {
      if (digit <= count) {
        out += kBase64[(group >> (18 - 6 * digit)) & 0x3FU];
      } else if (padding == Padding::with) {
        out += '=';
      }
    }
  }
}

std::optional<std::string> from_base64(std::string_view text) {
  const std::size_t padded = text.size();
  while (text.ends_with('=') && padded - text.size() < 2) text.remove_suffix(1);
  if (padded != text.size() && padded % 4 != 0) return std::nullopt;
  if (text.size() % 4 == 1) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t group = 0;
  unsigned bits = 0;
  for (const char letter : text) {
    const int digit = base64_digit(letter);
    if (digit < 0) return std::nullopt;
    group = (group << 6U) | static_cast<std::uint32_t>(digit);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>((group >> bits) & 0xFFU);
  }
  if ((group & ((1U << bits) - 1)) != 0) return std::nullopt;  // bits that stand for nothing
  return bytes;
}

std::size_t base64_size(std::size_t bytes, Padding padding) {
  return padding == Padding::with ? (bytes + 2) / 3 * 4 : (bytes * 4 + 2) / 3;
}

bool is_utf8(std::string_view bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t size = utf8_character(bytes, at);
    if (size == 0) return false;
    at += size;
  }
  return true;
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  std::size_t plain = 0;  // what was not written yet begins here
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto letter = static_cast<unsigned char>(text[at]);
    if (letter >= 0x20 && letter != '"' && letter != '\\' && letter != 0x7F) continue;
    out.append(text, plain, at - plain);
    plain = at + 1;
    switch (letter) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        fmt::format_to(std::back_inserter(out), "\\u{:04x}", letter);
    }
  }
  out.append(text, plain, text.size() - plain);
  out += '"';
}

std::string printable(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = utf8_character(text, at);
    const std::uint32_t first = byte_at(text, at);
    // U+0080 to U+009F are control characters too.
    const bool control =
        first < 0x20 || first == 0x7F || (first == 0xC2 && size == 2 && byte_at(text, at + 1) < 0xA0);
    if (size == 0 || control) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", first);
      ++at;
      continue;
    }
    out.append(text, at, size);
    at += size;
  }
  return out;
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  for (const char letter : text) width += (static_cast<unsigned char>(letter) & 0xC0U) != 0x80 ? 1 : 0;
  return width;
}

std::string counted(std::size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

Result<char> take_escape(std::string_view& after_backslash) {
  const char letter = after_backslash.empty() ? ' ' : after_backslash.front();
  if (letter == 'x' && after_backslash.size() >= 3) {
    const int high = hex_digit(after_backslash[1]);
    const int low = hex_digit(after_backslash[2]);
    if (high >= 0 && low >= 0) {
      after_backslash.remove_prefix(3);
      return static_cast<char>(high * 16 + low);
    }
  }
  static constexpr std::string_view kNames = "tnr\\0";
  static constexpr std::string_view kValues{"\t\n\r\\\0", 5};
  const std::size_t index = kNames.find(letter);
  if (index == std::string_view::npos) {
    return fail(Errc::invalid_argument,
                R"(after a backslash comes t, n, r, 0, another backslash, or xNN with two hex digits)");
  }
  after_backslash.remove_prefix(1);
  return kValues[index];
}

}  // namespace tailwater::apps::cli
