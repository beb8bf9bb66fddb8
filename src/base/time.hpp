// Time as plain values that are handed in; nothing below the shell reads a clock.
#pragma once

#include <compare>
#include <cstdint>

namespace tailwater {

// A span of time in nanoseconds.
struct Duration {
  std::int64_t nanoseconds = 0;

  static constexpr Duration from_ns(std::int64_t ns) { return {ns}; }
  static constexpr Duration from_us(std::int64_t us) { return {us * 1'000}; }
  // Saturates: Kafka's configuration uses Long.MAX_VALUE milliseconds for "for ever".
  static constexpr Duration from_ms(std::int64_t ms) {
    constexpr std::int64_t limit = INT64_MAX / 1'000'000;
    return ms > limit ? max() : ms < -limit ? Duration{INT64_MIN} : Duration{ms * 1'000'000};
  }
  static constexpr Duration max() { return {INT64_MAX}; }

  constexpr std::int64_t to_ms() const { return nanoseconds / 1'000'000; }
  friend constexpr auto operator<=>(Duration, Duration) = default;
  constexpr Duration operator+(Duration other) const { return {nanoseconds + other.nanoseconds}; }
  constexpr Duration operator-(Duration other) const { return {nanoseconds - other.nanoseconds}; }
};

// A point of the monotonic clock: for timeouts and ages within one run of the process.
struct Instant {
  std::int64_t nanoseconds = 0;

  static constexpr Instant max() { return {INT64_MAX}; }
  friend constexpr auto operator<=>(Instant, Instant) = default;
  constexpr Instant operator+(Duration span) const {
    return span.nanoseconds > INT64_MAX - nanoseconds ? max() : Instant{nanoseconds + span.nanoseconds};
  }
  constexpr Duration operator-(Instant other) const { return {nanoseconds - other.nanoseconds}; }
};

// A point of the wall clock, in milliseconds since 1970: what record timestamps and retention use.
struct WallTime {
  std::int64_t ms = 0;
  friend constexpr auto operator<=>(WallTime, WallTime) = default;
};

// Both clocks as one turn sees them.
struct Now {
  Instant monotonic;
  WallTime wall;
};

}  // namespace tailwater
