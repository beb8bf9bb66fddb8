#include "apps/cli/unpack.hpp"

#include <fmt/format.h>

#include <bit>
#include <cctype>
#include <cstdint>
#include <iterator>

#include "base/bytes.hpp"

namespace tailwater::apps::cli {

namespace {

std::size_t size_of(char letter) {
  switch (letter) {
    case 'b':
    case 'B':
    case 'c':
    case '.':
      return 1;
    case 'h':
    case 'H':
      return 2;
    case 'i':
    case 'I':
      return 4;
    case 'q':
    case 'Q':
      return 8;
    default:
      return 0;
  }
}

// REQUIRES: 8 bytes at most.
std::uint64_t load(std::string_view bytes, std::endian order) {
  std::uint64_t value = 0;
  for (std::size_t index = 0; index < bytes.size(); ++index) {
    const std::size_t at = order == std::endian::big ? index : bytes.size() - 1 - index;
    value = (value << 8U) | static_cast<unsigned char>(bytes[at]);
  }
  return value;
}

std::int64_t extend_sign(std::uint64_t value, std::size_t size) {
  const auto unused = static_cast<unsigned>(64 - 8 * size);
  return static_cast<std::int64_t>(value << unused) >> unused;
}

}  // namespace

Result<void> check_unpack(std::string_view pattern) {
  for (std::size_t index = 0; index < pattern.size(); ++index) {
    const char letter = pattern[index];
    const bool is_last = index + 1 == pattern.size();
    const bool known = letter == '<' || letter == '>' || letter == ' ' || letter == 's' || letter == '$' ||
                       size_of(letter) > 0;
    if (!known)
      return fail(Errc::invalid_argument,
                  fmt::format("unpack knows < > b B h H i I q Q c s . $, not '{}'", letter));
    if (letter == '$' && !is_last) return fail(Errc::invalid_argument, "in unpack, $ comes last");
  }
  return {};
}

void append_unpacked(std::string& out, std::string_view pattern, std::string_view bytes) {
  std::endian order = std::endian::big;
  bool first = true;
  for (const char letter : pattern) {
    if (letter == '<' || letter == '>') {
      order = letter == '<' ? std::endian::little : std::endian::big;
      continue;
    }
    if (letter == ' ') continue;
    if (letter == '$') {
      if (!bytes.empty()) fmt::format_to(std::back_inserter(out), " ({} bytes more)", bytes.size());
      return;
    }
    const std::size_t size = letter == 's' ? bytes.size() : size_of(letter);
    if (bytes.size() < size) {
      fmt::format_to(std::back_inserter(out), "{}({} bytes are too few)", first ? "" : " ", bytes.size());
      return;
    }
    const std::string_view taken = bytes.substr(0, size);
    bytes.remove_prefix(size);
    if (letter == '.') continue;
    if (!first) out += ' ';
    first = false;
    if (letter == 'c' || letter == 's') {
      out += taken;
    } else if (std::isupper(static_cast<unsigned char>(letter)) != 0) {
      fmt::format_to(std::back_inserter(out), "{}", load(taken, order));
    } else {
      fmt::format_to(std::back_inserter(out), "{}", extend_sign(load(taken, order), size));
    }
  }
}

}  // namespace tailwater::apps::cli
