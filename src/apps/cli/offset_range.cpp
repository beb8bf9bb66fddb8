#include "apps/cli/offset_range.hpp"

#include <fmt/format.h>

#include "apps/cli/time_text.hpp"

namespace tailwater::apps::cli {

namespace {

using Kind = OffsetPoint::Kind;

// A range as it is written: both sides may be missing.
struct PartialRange {
  std::optional<OffsetPoint> from;
  std::optional<OffsetPoint> until;
};

std::unexpected<Error> refuse(std::string_view text) {
  return fail(Errc::invalid_argument,
              fmt::format("'{}' is no range of offsets; write start, end, :end, N, N:M, :N, +N, -N, @TIME or "
                          "@TIME:TIME (times: 2026-03-01, 2026-03-01T10:00:00Z, -1h, milliseconds)",
                          text));
}

std::optional<std::int64_t> whole_number(std::string_view text) {
  if (text.empty() || text.size() > 18) return std::nullopt;
  std::int64_t value = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '9') return std::nullopt;
    value = value * 10 + (digit - '0');
  }
  return value;
}

std::optional<OffsetPoint> named_point(std::string_view text) {
  if (text == "start" || text == "beginning" || text == "earliest" || text == "oldest")
    return OffsetPoint{Kind::start};
  if (text == "end" || text == "latest" || text == "newest") return OffsetPoint{Kind::end};
  return std::nullopt;
}

// "@..." without the sign.
Result<PartialRange> parse_times(std::string_view text, std::int64_t now_ms) {
  const std::string_view whole = text;
  PartialRange range;
  if (!text.starts_with(':')) {
    const auto from = take_moment(text, now_ms);
    if (!from) return std::unexpected(from.error());
    range.from = OffsetPoint{Kind::time, *from};
    if (text.empty()) return range;
    if (!text.starts_with(':')) return refuse(fmt::format("@{}", whole));
  }
  text.remove_prefix(1);
  if (text.empty()) {
    if (!range.from) return refuse("@:");
    return range;
  }
  if (text == "end") {
    range.until = OffsetPoint{Kind::end};
    return range;
  }
  std::string_view as_duration = text;
  const auto duration = take_duration(as_duration);
  if (duration && as_duration.empty()) {
    if (!range.from) return refuse(fmt::format("@{}", whole));
    range.until = OffsetPoint{Kind::time, range.from->value + duration->count()};
    return range;
  }
  const auto until = take_moment(text, now_ms);
  if (!until) return std::unexpected(until.error());
  if (!text.empty()) return refuse(fmt::format("@{}", whole));
  range.until = OffsetPoint{Kind::time, *until};
  return range;
}

Result<PartialRange> parse_until(std::string_view text, std::string_view whole) {
  if (text == "end") return PartialRange{{}, OffsetPoint{Kind::end}};
  const auto until = whole_number(text);
  if (!until) return refuse(whole);
  return PartialRange{{}, OffsetPoint{Kind::exact, *until}};
}

Result<PartialRange> parse_partial(std::string_view text, std::int64_t now_ms) {
  if (const auto named = named_point(text)) return PartialRange{named, {}};
  if (text.starts_with('@')) return parse_times(text.substr(1), now_ms);
  if (text.starts_with("s@")) return parse_times(text.substr(2), now_ms);
  if (text.starts_with("e@")) return parse_times(fmt::format(":{}", text.substr(2)), now_ms);
  if (text.starts_with(':')) return parse_until(text.substr(1), text);
  const bool plus = text.starts_with('+');
  if (plus || text.starts_with('-')) {
    const auto count = whole_number(text.substr(1));
    if (!count) return refuse(text);
    return PartialRange{OffsetPoint{plus ? Kind::after_start : Kind::before_end, *count}, {}};
  }
  const std::size_t colon = text.find(':');
  const auto from = whole_number(text.substr(0, colon));
  if (!from) return refuse(text);
  PartialRange range{OffsetPoint{Kind::exact, *from}, {}};
  if (colon == std::string_view::npos || colon + 1 == text.size()) return range;
  const auto until = parse_until(text.substr(colon + 1), text);
  if (!until) return std::unexpected(until.error());
  range.until = until->until;
  return range;
}

}  // namespace

Result<OffsetRange> parse_offset_ranges(const std::vector<std::string>& texts, std::int64_t now_ms) {
  PartialRange whole;
  for (const std::string& text : texts) {
    const auto part = parse_partial(text, now_ms);
    if (!part) return std::unexpected(part.error());
    if ((part->from && whole.from) || (part->until && whole.until)) {
      return fail(Errc::invalid_argument, fmt::format("-o {}: this end of the range was given before", text));
    }
    if (part->from) whole.from = part->from;
    if (part->until) whole.until = part->until;
  }
  const OffsetRange range{whole.from.value_or(OffsetPoint{}), whole.until};
  const bool comparable = range.until && range.until->kind == range.from.kind;
  if (comparable && range.from.kind != Kind::end && range.from.value > range.until->value) {
    return fail(Errc::invalid_argument, "the range of offsets ends before it begins");
  }
  return range;
}

Result<OffsetRange> parse_offset_range(std::string_view text, std::int64_t now_ms) {
  return parse_offset_ranges({std::string(text)}, now_ms);
}

Result<OffsetPoint> parse_offset_point(std::string_view text, std::int64_t now_ms) {
  const auto range = parse_offset_range(text, now_ms);
  if (!range) return std::unexpected(range.error());
  if (range->until) {
    return fail(Errc::invalid_argument, fmt::format("'{}' is a range; one place is wanted here", text));
  }
  return range->from;
}

}  // namespace tailwater::apps::cli
