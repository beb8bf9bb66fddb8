// Events as text. Time is UTC with milliseconds, computed by hand: no locale, no lock.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <iterator>

#include "shell/log/log.hpp"

namespace tailwater::shell {

namespace {

constexpr std::array<std::string_view, 4> kNames = {"debug", "info", "warning", "error"};
constexpr std::array<std::string_view, 4> kPaddedNames = {"DEBUG", "INFO ", "WARN ", "ERROR"};

// Days since 1970 to a date of the proleptic Gregorian calendar; years start in March within.
void append_time(std::string& line, std::int64_t time_us) {
  std::int64_t seconds = time_us / 1'000'000;
  std::int64_t rest_us = time_us % 1'000'000;
  if (rest_us < 0) {
    rest_us += 1'000'000;
    --seconds;
  }
  std::int64_t days = seconds / 86'400;
  std::int64_t second_of_day = seconds % 86'400;
  if (second_of_day < 0) {
    second_of_day += 86'400;
    --days;
  }
  const std::int64_t shifted = days + 719'468;
  const std::int64_t era = (shifted >= 0 ? shifted : shifted - 146'096) / 146'097;
  const std::int64_t day_of_era = shifted - era * 146'097;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t month_from_march = (5 * day_of_year + 2) / 153;
  const std::int64_t day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
  const std::int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
  const std::int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  fmt::format_to(std::back_inserter(line), "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", year, month, day,
                 second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60, rest_us / 1000);
}

void append_escaped(std::string& line, std::string_view text, bool quotes) {
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    if (character == '\n') {
      line += "\\n";
    } else if (character == '\r') {
      line += "\\r";
    } else if (character == '\t') {
      line += "\\t";
    } else if (byte < 0x20 || byte == 0x7f) {
      fmt::format_to(std::back_inserter(line), "\\u{:04x}", byte);
    } else if (quotes && (character == '"' || character == '\\')) {
      line += '\\';
      line += character;
    } else {
      line += character;
    }
  }
}

bool is_plain(std::string_view value) {
  return !value.empty() && std::none_of(value.begin(), value.end(), [](char character) {
    return static_cast<unsigned char>(character) <= 0x20 || character == '"' || character == '\\' ||
           character == '=' || character == 0x7f;
  });
}

void append_quoted(std::string& line, std::string_view text) {
  line += '"';
  append_escaped(line, text, true);
  line += '"';
}

std::string text_line(const LogEvent& event) {
  std::string line;
  line.reserve(64 + event.message.size());
  append_time(line, event.time_us);
  line += ' ';
  line += kPaddedNames[static_cast<std::size_t>(event.severity)];
  line += ' ';
  append_escaped(line, event.component, false);
  line += ' ';
  append_escaped(line, event.message, false);
  for (const LogField& field : event.fields) {
    line += ' ';
    append_escaped(line, field.key, false);
    line += '=';
    if (is_plain(field.value)) {
      line += field.value;
    } else {
      append_quoted(line, field.value);
    }
  }
  line += '\n';
  return line;
}

std::string json_line(const LogEvent& event) {
  std::string line = "{\"time\":\"";
  append_time(line, event.time_us);
  line += "\",\"level\":\"";
  line += kNames[static_cast<std::size_t>(event.severity)];
  line += "\",\"component\":";
  append_quoted(line, event.component);
  line += ",\"message\":";
  append_quoted(line, event.message);
  for (const LogField& field : event.fields) {
    line += ',';
    append_quoted(line, field.key);
    line += ':';
    append_quoted(line, field.value);
  }
  line += "}\n";
  return line;
}

}  // namespace

std::string_view to_string(LogSeverity severity) {
  return kNames[static_cast<std::size_t>(severity)];
}

Result<LogSeverity> parse_log_severity(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char character) { return static_cast<char>(std::tolower(character)); });
  if (lower == "warn") return LogSeverity::warning;
  for (std::size_t index = 0; index < kNames.size(); ++index) {
    if (lower == kNames[index]) return static_cast<LogSeverity>(index);
  }
  return fail(Errc::invalid_argument,
              fmt::format("'{}' is no log level; allowed are debug, info, warning and error", text));
}

std::string format_log_line(const LogEvent& event, LogFormat format) {
  return format == LogFormat::json ? json_line(event) : text_line(event);
}

}  // namespace tailwater::shell
