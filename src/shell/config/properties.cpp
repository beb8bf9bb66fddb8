#include "shell/config/properties.hpp"

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>

namespace tailwater::shell {
namespace {

constexpr std::size_t kFileBytesMax = 16 << 20;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

bool is_blank(char letter) {
  return letter == ' ' || letter == '\t' || letter == '\f';
}

std::string_view without_leading_blanks(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  return text;
}

// Takes the next natural line off the text; "\n", "\r" and "\r\n" end one.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find_first_of("\r\n");
  const std::string_view line = text.substr(0, end);
  if (end == std::string_view::npos) {
    text = {};
  } else {
    text.remove_prefix(text.substr(end).starts_with("\r\n") ? end + 2 : end + 1);
  }
  return line;
}

bool is_continued(std::string_view line) {
  std::size_t backslashes = 0;
  while (backslashes < line.size() && line[line.size() - 1 - backslashes] == '\\') ++backslashes;
  return backslashes % 2 == 1;
}

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto first = static_cast<unsigned char>(text[i]);
    const std::size_t size = first < 0x80 ? 1 : first >= 0xC2 && first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (first >= 0x80 && (first < 0xC2 || first > 0xF4)) return false;
    if (text.size() - i < size) return false;
    for (std::size_t k = 1; k < size; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xC0) != 0x80) return false;
    }
    i += size;
  }
  return true;
}

void append_utf8(std::string& out, std::uint32_t point) {
  const auto put = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (point < 0x80) return put(point);
  if (point < 0x800) {
    put(0xC0 | (point >> 6));
  } else if (point < 0x10000) {
    put(0xE0 | (point >> 12));
    put(0x80 | ((point >> 6) & 0x3F));
  } else {
    put(0xF0 | (point >> 18));
    put(0x80 | ((point >> 12) & 0x3F));
    put(0x80 | ((point >> 6) & 0x3F));
  }
  put(0x80 | (point & 0x3F));
}

std::optional<std::uint32_t> hex4(std::string_view digits) {
  if (digits.size() < 4) return std::nullopt;
  std::uint32_t number = 0;
  for (const char digit : digits.substr(0, 4)) {
    const char lower = digit >= 'A' && digit <= 'F' ? static_cast<char>(digit - 'A' + 'a') : digit;
    if (lower >= '0' && lower <= '9') {
      number = number * 16 + static_cast<std::uint32_t>(lower - '0');
    } else if (lower >= 'a' && lower <= 'f') {
      number = number * 16 + static_cast<std::uint32_t>(lower - 'a' + 10);
    } else {
      return std::nullopt;
    }
  }
  return number;
}

// The character of "\uXXXX" or of a pair of them; `text` begins after the first "\u" and is advanced.
std::optional<std::uint32_t> take_unicode(std::string_view& text) {
  const auto first = hex4(text);
  if (!first) return std::nullopt;
  text.remove_prefix(4);
  const bool is_high = *first >= 0xD800 && *first < 0xDC00;
  const bool is_low = *first >= 0xDC00 && *first < 0xE000;
  if (!is_high && !is_low) return first;
  if (is_low || !text.starts_with("\\u")) return std::nullopt;
  const auto second = hex4(text.substr(2));
  if (!second || *second < 0xDC00 || *second >= 0xE000) return std::nullopt;
  text.remove_prefix(6);
  return 0x10000 + ((*first - 0xD800) << 10) + (*second - 0xDC00);
}

// False on a malformed \u.
bool unescape(std::string_view text, std::string& out) {
  while (!text.empty()) {
    const char letter = text.front();
    text.remove_prefix(1);
    if (letter != '\\' || text.empty()) {
      // A lone backslash at the very end means nothing.
      if (letter != '\\') out.push_back(letter);
      continue;
    }
    const char escaped = text.front();
    text.remove_prefix(1);
    switch (escaped) {
      case 't':
        out.push_back('\t');
        break;
      case 'n':
        out.push_back('\n');
        break;
      case 'r':
        out.push_back('\r');
        break;
      case 'f':
        out.push_back('\f');
        break;
      case 'u': {
        const auto point = take_unicode(text);
        if (!point) return false;
        append_utf8(out, *point);
        break;
      }
      default:
        out.push_back(escaped);
    }
  }
  return true;
}

struct Split {
  std::string_view key;
  std::string_view value;
};

Split split(std::string_view line) {
  std::size_t end = 0;
  while (end < line.size()) {
    const char letter = line[end];
    if (letter == '=' || letter == ':' || is_blank(letter)) break;
    end += letter == '\\' ? 2 : 1;
  }
  end = std::min(end, line.size());
  std::string_view rest = without_leading_blanks(line.substr(end));
  if (rest.starts_with('=') || rest.starts_with(':')) rest = without_leading_blanks(rest.substr(1));
  return {line.substr(0, end), rest};
}

std::string at(std::string_view name, int line) {
  return std::string(name) + ":" + std::to_string(line) + ": ";
}

}  // namespace

Result<std::vector<Property>> parse_properties(std::string_view text, std::string_view name) {
  std::vector<Property> properties;
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  int line_number = 0;
  while (!text.empty()) {
    std::string_view line = without_leading_blanks(take_line(text));
    const int first_line = ++line_number;
    if (line.empty() || line.starts_with('#') || line.starts_with('!')) continue;
    std::string logical;
    while (is_continued(line)) {
      logical.append(line.substr(0, line.size() - 1));
      line = without_leading_blanks(take_line(text));
      if (!text.empty() || !line.empty()) ++line_number;
    }
    logical.append(line);

    if (!is_utf8(logical)) {
      return fail(Errc::malformed,
                  at(name, first_line) + "the text is not UTF-8; save the file as UTF-8 or write \\uXXXX");
    }
    const Split parts = split(logical);
    Property property;
    property.line = first_line;
    if (!unescape(parts.key, property.key) || !unescape(parts.value, property.value)) {
      return fail(Errc::malformed,
                  at(name, first_line) +
                      "\\u must be followed by the four hexadecimal digits of a character; a "
                      "backslash itself is written twice");
    }
    // "= value" and a lone backslash have an empty key.
    if (property.key.empty()) {
      if (parts.value.empty() && parts.key.empty() && logical.empty()) continue;
      return fail(Errc::malformed, at(name, first_line) + "there is no key before the value");
    }
    properties.push_back(std::move(property));
  }
  return properties;
}

Result<std::vector<Property>> read_properties(const std::string& path) {
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  const auto refuse = [&path](int error) {
    char buffer[128];
    return fail(error == ENOENT ? Errc::not_found : Errc::storage,
                "cannot read " + path + ": " + ::strerror_r(error, buffer, sizeof buffer));
  };
  const std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "rbe"));
  if (!file) return refuse(errno);
  std::string text;
  char buffer[65536];
  while (text.size() <= kFileBytesMax) {
    const std::size_t got = std::fread(buffer, 1, sizeof buffer, file.get());
    text.append(buffer, got);
    if (got == sizeof buffer) continue;
    if (std::ferror(file.get()) != 0) return refuse(errno);
    break;
  }
  if (text.size() > kFileBytesMax)
    return fail(Errc::too_large, "cannot read " + path + ": larger than 16 MiB");
  return parse_properties(text, path);
}

}  // namespace tailwater::shell
