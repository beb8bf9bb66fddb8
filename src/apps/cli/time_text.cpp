#include "apps/cli/time_text.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <ctime>
#include <optional>

namespace tailwater::apps::cli {

namespace {

constexpr std::int64_t kSecond = 1000;
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kDay = 24 * kHour;

bool is_digit(char letter) {
  return letter >= '0' && letter <= '9';
}

std::size_t digits_at_front(std::string_view text) {
  std::size_t count = 0;
  while (count < text.size() && is_digit(text[count])) ++count;
  return count;
}

// REQUIRES: only digits, 18 at most.
std::int64_t number(std::string_view digits) {
  std::int64_t value = 0;
  for (const char digit : digits) value = value * 10 + (digit - '0');
  return value;
}

std::int64_t take_unit(std::string_view& text) {
  static constexpr std::array<std::pair<std::string_view, std::int64_t>, 5> kUnits = {
      {{"ms", 1}, {"s", kSecond}, {"m", kMinute}, {"h", kHour}, {"d", kDay}}};
  for (const auto& [name, factor] : kUnits) {
    if (!text.starts_with(name)) continue;
    text.remove_prefix(name.size());
    return factor;
  }
  return 0;
}

// Takes exactly `count` digits and then `after` (none if 0).
std::optional<int> take_field(std::string_view& text, std::size_t count, char after) {
  if (digits_at_front(text) < count) return std::nullopt;
  const int value = static_cast<int>(number(text.substr(0, count)));
  if (after != 0 && (text.size() <= count || text[count] != after)) return std::nullopt;
  text.remove_prefix(after == 0 ? count : count + 1);
  return value;
}

// The offset from UTC at the end of RFC 3339, in milliseconds.
std::optional<std::int64_t> take_zone(std::string_view& text) {
  if (text.empty()) return std::nullopt;
  const char sign = text.front();
  text.remove_prefix(1);
  if (sign == 'Z' || sign == 'z') return 0;
  if (sign != '+' && sign != '-') return std::nullopt;
  const auto hours = take_field(text, 2, ':');
  if (!hours) return std::nullopt;
  const auto minutes = take_field(text, 2, 0);
  if (!minutes) return std::nullopt;
  const std::int64_t offset = *hours * kHour + *minutes * kMinute;
  return sign == '+' ? offset : -offset;
}

std::optional<std::int64_t> take_time_of_day(std::string_view& text) {
  const auto hour = take_field(text, 2, ':');
  if (!hour) return std::nullopt;
  const auto minute = take_field(text, 2, ':');
  if (!minute) return std::nullopt;
  const auto second = take_field(text, 2, 0);
  if (!second || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  std::int64_t milliseconds = 0;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    const std::size_t count = digits_at_front(text);
    if (count == 0) return std::nullopt;
    for (std::size_t index = 0; index < 3; ++index) {
      milliseconds = milliseconds * 10 + (index < count ? text[index] - '0' : 0);
    }
    text.remove_prefix(count);
  }
  return *hour * kHour + *minute * kMinute + *second * kSecond + milliseconds;
}

std::optional<std::int64_t> take_date(std::string_view& text) {
  const auto year = take_field(text, 4, '-');
  if (!year) return std::nullopt;
  const auto month = take_field(text, 2, '-');
  if (!month) return std::nullopt;
  const auto day = take_field(text, 2, 0);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date).time_since_epoch().count() * kDay;
}

std::unexpected<Error> no_moment(std::string_view text) {
  return fail(Errc::invalid_argument,
              fmt::format("'{}' is no time; write milliseconds (13 digits), seconds (10 digits), YYYY-MM-DD, "
                          "YYYY-MM-DDTHH:MM:SSZ, or -1h for an hour ago",
                          text));
}

std::tm broken_down(std::int64_t unix_ms) {
  const std::time_t seconds = (unix_ms >= 0 ? unix_ms : unix_ms - (kSecond - 1)) / kSecond;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return parts;
}

std::int64_t millisecond_of(std::int64_t unix_ms) {
  return ((unix_ms % kSecond) + kSecond) % kSecond;
}

std::string plain_strftime(const std::string& pattern, const std::tm& parts) {
  if (pattern.empty()) return {};
  std::string text(pattern.size() + 64, '\0');
  while (text.size() < (std::size_t{1} << 16)) {
    const std::size_t size = std::strftime(text.data(), text.size(), pattern.c_str(), &parts);
    if (size > 0) {
      text.resize(size);
      return text;
    }
    text.resize(text.size() * 4);
  }
  return {};
}

}  // namespace

Result<std::chrono::milliseconds> take_duration(std::string_view& text) {
  const std::string_view whole = text;
  std::int64_t total = 0;
  bool any = false;
  while (!text.empty() && is_digit(text.front())) {
    const std::size_t count = digits_at_front(text);
    if (count > 12) break;
    const std::int64_t value = number(text.substr(0, count));
    std::string_view after = text.substr(count);
    std::string_view fraction;
    if (after.starts_with('.')) {
      fraction = after.substr(1, digits_at_front(after.substr(1)));
      after.remove_prefix(1 + fraction.size());
    }
    const std::int64_t factor = take_unit(after);
    if (factor == 0) break;
    total += value * factor;
    std::int64_t part = factor;
    for (const char digit : fraction) {
      part /= 10;
      total += (digit - '0') * part;
    }
    text = after;
    any = true;
  }
  if (!any) {
    return fail(Errc::invalid_argument,
                fmt::format("'{}' is no duration; write a number with ms, s, m, h or d, like 1h30m", whole));
  }
  return std::chrono::milliseconds(total);
}

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  if (text == "0") return std::chrono::milliseconds(0);
  std::string_view rest = text;
  auto duration = take_duration(rest);
  if (duration && rest.empty()) return duration;
  return fail(Errc::invalid_argument,
              fmt::format("'{}' is no duration; write a number with ms, s, m, h or d, like 1h30m", text));
}

std::string duration_text(std::chrono::milliseconds duration) {
  const std::int64_t ms = duration.count();
  if (ms < kSecond) return fmt::format("{} ms", ms);
  if (ms < kMinute) return fmt::format("{}.{} s", ms / kSecond, ms % kSecond / 100);
  if (ms < kHour) return fmt::format("{} min {} s", ms / kMinute, ms % kMinute / kSecond);
  return fmt::format("{} h {} min", ms / kHour, ms % kHour / kMinute);
}

Result<std::int64_t> take_moment(std::string_view& text, std::int64_t now_ms) {
  const std::string_view whole = text;
  if (text.starts_with('-')) {
    text.remove_prefix(1);
    const auto duration = take_duration(text);
    if (!duration) return no_moment(whole);
    return now_ms - duration->count();
  }
  const std::size_t count = digits_at_front(text);
  if (count == 13 || count == 10 || count == 9) {
    const std::int64_t value = number(text.substr(0, count));
    text.remove_prefix(count);
    return count == 13 ? value : value * kSecond;
  }
  const auto day = take_date(text);
  if (!day) return no_moment(whole);
  if (!text.starts_with('T') && !text.starts_with('t')) return *day;
  text.remove_prefix(1);
  const auto time = take_time_of_day(text);
  if (!time) return no_moment(whole);
  const auto zone = take_zone(text);
  if (!zone) return no_moment(whole);
  return *day + *time - *zone;
}

std::string rfc3339_text(std::int64_t unix_ms) {
  const std::tm parts = broken_down(unix_ms);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, millisecond_of(unix_ms));
}

std::string strftime_text(const std::string& pattern, std::int64_t unix_ms) {
  std::string whole;
  for (std::size_t index = 0; index < pattern.size(); ++index) {
    if (pattern[index] != '%' || index + 1 == pattern.size()) {
      whole += pattern[index];
      continue;
    }
    ++index;
    if (pattern[index] == 'f') {
      whole += fmt::format("{:03}", millisecond_of(unix_ms));
    } else {
      whole += '%';
      whole += pattern[index];
    }
  }
  return plain_strftime(whole, broken_down(unix_ms));
}

std::string go_time_text(std::string_view layout, std::int64_t unix_ms) {
  // The longest first, since "2006" must not be read as "2" and "006".
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 20> kParts = {{
      {"January", "%B"}, {"Monday", "%A"}, {"Z07:00", "Z"}, {"-07:00", "+00:00"}, {"-0700", "+0000"},
      {"2006", "%Y"},    {"Jan", "%b"},    {"Mon", "%a"},   {"MST", "UTC"},       {".000", ".%f"},
      {"01", "%m"},      {"02", "%d"},     {"03", "%I"},    {"04", "%M"},         {"05", "%S"},
      {"06", "%y"},      {"15", "%H"},     {"PM", "%p"},    {"_2", "%e"},         {"%", "%%"},
  }};
  std::string pattern;
  while (!layout.empty()) {
    std::string_view replacement = layout.substr(0, 1);
    std::size_t size = 1;
    for (const auto& [from, to] : kParts) {
      if (!layout.starts_with(from)) continue;
      replacement = to;
      size = from.size();
      break;
    }
    pattern += replacement;
    layout.remove_prefix(size);
  }
  return strftime_text(pattern, unix_ms);
}

std::int64_t unix_now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace tailwater::apps::cli
