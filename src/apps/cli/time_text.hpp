// Times and durations as text: what people write on the command line, and what the record formats print.
// All dates are UTC, so that output does not depend on the machine.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace tailwater::apps::cli {

// "250ms", "10s", "1h30m", "2d", "1.5s"; "0". Without a unit it is refused.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);

// "1.5s" and the like, for people: two units at most.
std::string duration_text(std::chrono::milliseconds duration);

// Takes the longest moment that `text` begins with and leaves the rest: 13 digits (milliseconds), 9 or 10
// digits (seconds), YYYY-MM-DD, YYYY-MM-DDTHH:MM:SS[.fff](Z|+HH:MM|-HH:MM), or -DURATION before `now_ms`.
Result<std::int64_t> take_moment(std::string_view& text, std::int64_t now_ms);

// Takes the longest duration that `text` begins with.
Result<std::chrono::milliseconds> take_duration(std::string_view& text);

// "2026-03-01T10:00:00.250Z"
std::string rfc3339_text(std::int64_t unix_ms);

// strftime's %-sequences; "%f" gives the milliseconds as three digits.
std::string strftime_text(const std::string& pattern, std::int64_t unix_ms);

// Go's reference layout ("2006-01-02 15:04:05.000").
std::string go_time_text(std::string_view layout, std::int64_t unix_ms);

// Now, in milliseconds since 1970.
std::int64_t unix_now_ms();

}  // namespace tailwater::apps::cli
