#include "core/group/partition.hpp"

#include "base/check.hpp"

namespace tailwater::group {
namespace {

// The code point that starts at `at`, which moves behind it. Overlong forms, surrogates and anything beyond
// U+10FFFF are no UTF-8: one byte is consumed and U+FFFD returned.
std::uint32_t next_code_point(std::string_view text, std::size_t& at) {
  constexpr std::uint32_t replacement = 0xFFFD;
  const auto byte_at = [&](std::size_t index) { return static_cast<std::uint8_t>(text[index]); };
  const std::uint32_t first = byte_at(at++);
  if (first < 0x80) return first;
  const std::size_t more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
  if (first < 0xC2 || first > 0xF4 || text.size() - at < more) return replacement;
  std::uint32_t point = first & (0x3Fu >> more);
  for (std::size_t index = at; index < at + more; ++index) {
    if ((byte_at(index) & 0xC0) != 0x80) return replacement;
    point = (point << 6) | (byte_at(index) & 0x3Fu);
  }
  constexpr std::uint32_t smallest[] = {0, 0x80, 0x800, 0x10000};
  if (point < smallest[more] || point > 0x10FFFF || (point >= 0xD800 && point < 0xE000)) return replacement;
  at += more;
  return point;
}

template <class Visit>
void for_each_utf16_unit(std::string_view utf8, Visit visit) {
  for (std::size_t at = 0; at < utf8.size();) {
    const std::uint32_t point = next_code_point(utf8, at);
    if (point < 0x10000) {
      visit(point);
    } else {
      visit(0xD800 + ((point - 0x10000) >> 10));
      visit(0xDC00 + ((point - 0x10000) & 0x3FF));
    }
  }
}

}  // namespace

std::int32_t java_string_hash(std::string_view utf8) {
  std::uint32_t hash = 0;
  for_each_utf16_unit(utf8, [&](std::uint32_t unit) { hash = 31 * hash + unit; });
  return static_cast<std::int32_t>(hash);
}

std::size_t utf16_length(std::string_view utf8) {
  std::size_t length = 0;
  for_each_utf16_unit(utf8, [&](std::uint32_t) { ++length; });
  return length;
}

std::int32_t coordinator_partition(std::string_view group_id, std::int32_t partitions) {
  CHECK(partitions > 0);
  const std::int32_t hash = java_string_hash(group_id);
  if (hash == INT32_MIN) return 0;  // its absolute value does not exist; Kafka takes 0
  return (hash < 0 ? -hash : hash) % partitions;
}

}  // namespace tailwater::group
