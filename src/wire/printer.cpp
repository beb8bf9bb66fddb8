// JSON text without locale or streams.
#include "wire/printer.hpp"

#include <charconv>

namespace tailwater::wire {

namespace {

// The length of the UTF-8 character at the head of `text`, or 0 if it is none.
std::size_t utf8_size(std::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned lead = byte(0);
  const std::size_t size = lead < 0x80   ? 1
                           : lead < 0xc2 ? 0
                           : lead < 0xe0 ? 2
                           : lead < 0xf0 ? 3
                           : lead < 0xf5 ? 4
                                         : 0;
  if (size == 0 || size > text.size()) return 0;
  for (std::size_t at = 1; at < size; ++at) {
    if ((byte(at) & 0xc0U) != 0x80U) return 0;
  }
  if (lead == 0xe0 && byte(1) < 0xa0) return 0;
  if (lead == 0xed && byte(1) > 0x9f) return 0;
  if (lead == 0xf0 && byte(1) < 0x90) return 0;
  if (lead == 0xf4 && byte(1) > 0x8f) return 0;
  return size;
}

void append_escaped(std::string& out, unsigned char control) {
  constexpr std::string_view digits = "0123456789abcdef";
  switch (control) {
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  out += "\\u00";
  out += digits[control >> 4];
  out += digits[control & 15];
}

}  // namespace

void Printer::separate() {
  if (out_.empty()) return;
  const char last = out_.back();
  if (last != '{' && last != '[' && last != ':') out_ += ',';
}

void Printer::open(char bracket) {
  separate();
  out_ += bracket;
}

void Printer::bare(std::string_view text) {
  separate();
  out_ += text;
}

void Printer::bare_text(std::string_view text) {
  separate();
  out_ += '"';
  while (!text.empty()) {
    const auto lead = static_cast<unsigned char>(text.front());
    const std::size_t size = utf8_size(text);
    if (size == 0) {
      out_ += "\xef\xbf\xbd";
    } else if (lead < 0x20) {
      append_escaped(out_, lead);
    } else {
      if (lead == '"' || lead == '\\') out_ += '\\';
      out_ += text.substr(0, size);
    }
    text.remove_prefix(size == 0 ? 1 : size);
  }
  out_ += '"';
}

void Printer::key(std::string_view name) {
  separate();
  out_ += '"';
  out_ += name;
  out_ += "\":";
}

void Printer::value(std::int64_t value) {
  char digits[24];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
  static_cast<void>(error);
  bare({digits, end});
}

// JSON has no words for the values that are not finite; they print as text. Whole numbers keep a ".0".
void Printer::value(double value) {
  if (value != value) return bare_text("NaN");
  if (value - value != 0) return bare_text(value > 0 ? "Infinity" : "-Infinity");
  char digits[32];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
  static_cast<void>(error);
  bare({digits, end});
  if (std::string_view(digits, end).find_first_of(".e") == std::string_view::npos) out_ += ".0";
}

void Printer::value(Bytes value) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  separate();
  out_ += '"';
  for (std::size_t at = 0; at < value.size(); at += 3) {
    std::uint32_t group = 0;
    for (std::size_t next = at; next < at + 3; ++next) {
      group = (group << 8) | (next < value.size() ? static_cast<std::uint32_t>(value[next]) : 0U);
    }
    const std::size_t letters = value.size() - at >= 3 ? 4 : value.size() - at + 1;
    for (std::size_t letter = 0; letter < 4; ++letter) {
      out_ += letter < letters ? alphabet[(group >> (18 - 6 * letter)) & 63] : '=';
    }
  }
  out_ += '"';
}

void Printer::records(std::string_view name, const std::optional<Bytes>& content) {
  if (!content) return field(name, content);
  key(std::string(name) + "SizeInBytes");
  value(static_cast<std::int64_t>(content->size()));
}

}  // namespace tailwater::wire
