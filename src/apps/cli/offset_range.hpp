// Where consuming begins and ends, for each partition:
//
//   start  end    from there on
//   :end          up to what is there now
//   +N  -N        from N after the start, from N before the end
//   N  N:         from offset N
//   :N            up to, and without, offset N
//   N:M           both
//   @T  @T:       from time T
//   @:T  @T:U     up to time T, or from T to U
//   T, U          milliseconds (13 digits), seconds (9 or 10 digits), YYYY-MM-DD, RFC 3339, -1h (an hour
//                 ago); U also: 1h (that long after T), end
// Also understood: s@T and e@T, beginning, earliest, oldest, latest, newest.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace tailwater::apps::cli {

struct OffsetPoint {
  enum class Kind : std::uint8_t { start, end, after_start, before_end, exact, time };
  Kind kind = Kind::start;
  std::int64_t value = 0;  // records, an offset, or milliseconds
  friend bool operator==(const OffsetPoint&, const OffsetPoint&) = default;
};

struct OffsetRange {
  OffsetPoint from;
  std::optional<OffsetPoint> until;  // exclusive; end, exact or time
  friend bool operator==(const OffsetRange&, const OffsetRange&) = default;
};

// Errc::invalid_argument with a sentence for the user.
Result<OffsetRange> parse_offset_range(std::string_view text, std::int64_t now_ms);

// One point only, without an end: for seeking and trimming.
Result<OffsetPoint> parse_offset_point(std::string_view text, std::int64_t now_ms);

// Several -o together: at most one gives the beginning and one the end.
Result<OffsetRange> parse_offset_ranges(const std::vector<std::string>& texts, std::int64_t now_ms);

}  // namespace tailwater::apps::cli
