// A 128-bit id as Kafka uses it: 16 bytes on the wire, URL-safe base64 without padding (22 characters) as
// text.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace tailwater {

struct Uuid {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  constexpr bool is_zero() const { return high == 0 && low == 0; }
  friend constexpr auto operator<=>(const Uuid&, const Uuid&) = default;
};

std::string to_string(const Uuid& id);
Result<Uuid> parse_uuid(std::string_view text);

}  // namespace tailwater

template <>
struct std::hash<tailwater::Uuid> {
  std::size_t operator()(const tailwater::Uuid& id) const noexcept {
    return static_cast<std::size_t>(id.high ^ (id.low * 0x9e3779b97f4a7c15ULL));
  }
};
