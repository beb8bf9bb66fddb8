// Lookup of configuration keys, checks of values with messages for people, and the nearest known key.
#include "core/cluster/config_keys.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

namespace tailwater::cluster {

namespace {

constexpr std::string_view kListenerPrefix = "listener.name.";

bool is_space(char letter) {
  return letter == ' ' || (letter >= '\t' && letter <= '\r');
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

char lower(char letter) {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

bool same_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

std::optional<std::int64_t> whole_number(std::string_view text) {
  text = trimmed(text);
  if (text.size() > 1 && text.front() == '+' && text[1] != '-') text.remove_prefix(1);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<double> decimal(std::string_view text) {
  text = trimmed(text);
  if (text.size() > 1 && text.front() == '+' && text[1] != '-') text.remove_prefix(1);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

const ConfigKey* find_in(std::span<const ConfigKey> keys, std::string_view name) {
  const auto at =
      std::lower_bound(keys.begin(), keys.end(), name,
                       [](const ConfigKey& key, std::string_view wanted) { return key.name < wanted; });
  return at != keys.end() && at->name == name ? &*at : nullptr;
}

bool may_be_set_per_listener(std::string_view key) {
  return key.starts_with("ssl.") || key.starts_with("sasl.") || key == "max.connections" ||
         key == "max.connection.creation.rate" || key == "num.network.threads" ||
         key == "connections.max.reauth.ms" || key == "connections.max.idle.ms" ||
         key == "principal.builder.class";
}

std::string_view unit_of(std::string_view name) {
  constexpr std::pair<std::string_view, std::string_view> kUnits[] = {
      {".ms", "milliseconds"}, {".bytes", "bytes"},     {".hours", "hours"},
      {".minutes", "minutes"}, {".seconds", "seconds"},
  };
  for (const auto& [ending, unit] : kUnits) {
    if (name.ends_with(ending)) return unit;
  }
  return {};
}

// The numbers that both type and check allow.
struct Bounds {
  std::int64_t low;
  std::int64_t high;
};
Bounds bounds_of(const ConfigKey& key) {
  Bounds bounds{INT64_MIN, INT64_MAX};
  if (key.type == ConfigType::int32) bounds = {INT32_MIN, INT32_MAX};
  if (key.type == ConfigType::int16) bounds = {INT16_MIN, INT16_MAX};
  if (key.check.kind == ValueCheck::Kind::range || key.check.kind == ValueCheck::Kind::range_or_minus_one ||
      key.check.kind == ValueCheck::Kind::range_or_zero) {
    bounds.low = std::max(bounds.low, key.check.low);
    bounds.high = std::min(bounds.high, key.check.high);
  }
  return bounds;
}

std::string spaced_list(std::string_view comma_separated) {
  std::string text;
  for (const std::string& word : parse_list(comma_separated)) {
    if (!text.empty()) text += ", ";
    text += word;
  }
  return text;
}

std::string describe_number(const ConfigKey& key) {
  const bool whole = key.type != ConfigType::float64;
  std::string text = whole ? "a whole number" : "a number";
  if (const std::string_view unit = unit_of(key.name); !unit.empty()) text += " of " + std::string(unit);
  const Bounds bounds = bounds_of(key);
  const bool limited_below = key.check.kind != ValueCheck::Kind::any;
  const bool limited_above = bounds.high != INT64_MAX;
  if (limited_above && (whole || limited_below)) {
    text += (unit_of(key.name).empty() ? " from " : ", from ") + std::to_string(bounds.low) + " to " +
            std::to_string(bounds.high);
  } else if (limited_below) {
    text += ", " + std::to_string(bounds.low) + " or more";
  }
  if (key.check.kind == ValueCheck::Kind::range_or_minus_one) text += ", or -1";
  if (key.check.kind == ValueCheck::Kind::range_or_zero) text += ", or 0";
  return text;
}

// "true or false", "a whole number of milliseconds, -1 or more", ...
std::string describe_allowed(const ConfigKey& key) {
  switch (key.check.kind) {
    case ValueCheck::Kind::one_of:
    case ValueCheck::Kind::one_of_any_case:
      return "one of " + spaced_list(key.check.allowed);
    case ValueCheck::Kind::list_of:
      return "a list of different ones of " + spaced_list(key.check.allowed);
    case ValueCheck::Kind::not_empty_list_of:
      return "a list of one or more different ones of " + spaced_list(key.check.allowed);
    case ValueCheck::Kind::not_empty:
      return key.type == ConfigType::list ? "a list of one or more different names"
                                          : "a text that is not empty";
    case ValueCheck::Kind::partition_broker_pairs:
      return "a list of partition:broker pairs, or *";
    default:
      break;
  }
  if (key.type == ConfigType::list) return "a list without repetitions";
  return key.type == ConfigType::boolean ? "true or false" : describe_number(key);
}

bool is_partition_broker_pairs(std::string_view value) {
  const std::vector<std::string> pairs = parse_list(value);
  if (pairs.size() == 1 && pairs.front() == "*") return true;
  return std::ranges::all_of(pairs, [](const std::string& pair) {
    const std::size_t colon = pair.find(':');
    if (colon == std::string::npos) return false;
    const auto partition = whole_number(std::string_view(pair).substr(0, colon));
    const auto broker = whole_number(std::string_view(pair).substr(colon + 1));
    return partition && broker && *partition >= 0 && *broker >= 0;
  });
}

bool is_list_of(std::string_view allowed, std::string_view value) {
  const std::vector<std::string> known = parse_list(allowed);
  return std::ranges::all_of(parse_list(value), [&](const std::string& member) {
    return std::ranges::find(known, member) != known.end();
  });
}

bool is_list_without_repetitions(std::string_view value) {
  std::vector<std::string> members = parse_list(value);
  std::ranges::sort(members);
  return std::ranges::adjacent_find(members) == members.end();
}

bool satisfies_check(const ConfigKey& key, std::string_view value) {
  const std::vector<std::string> allowed = parse_list(key.check.allowed);
  switch (key.check.kind) {
    case ValueCheck::Kind::one_of:
      return std::ranges::find(allowed, value) != allowed.end();
    case ValueCheck::Kind::one_of_any_case:
      return std::ranges::any_of(allowed,
                                 [&](const std::string& word) { return same_ignoring_case(word, value); });
    case ValueCheck::Kind::list_of:
      return is_list_of(key.check.allowed, value);
    case ValueCheck::Kind::not_empty_list_of:
      return !value.empty() && is_list_of(key.check.allowed, value);
    case ValueCheck::Kind::not_empty:
      return !value.empty();
    case ValueCheck::Kind::partition_broker_pairs:
      return is_partition_broker_pairs(value);
    default:
      return true;
  }
}

bool satisfies_type(const ConfigKey& key, std::string_view value) {
  switch (key.type) {
    case ConfigType::boolean:
      return same_ignoring_case(value, "true") || same_ignoring_case(value, "false");
    case ConfigType::int16:
    case ConfigType::int32:
    case ConfigType::int64: {
      const auto number = whole_number(value);
      if (!number) return false;
      if (key.check.kind == ValueCheck::Kind::range_or_minus_one && *number == -1) return true;
      if (key.check.kind == ValueCheck::Kind::range_or_zero && *number == 0) return true;
      const Bounds bounds = bounds_of(key);
      return *number >= bounds.low && *number <= bounds.high;
    }
    case ConfigType::float64: {
      const auto number = decimal(value);
      if (!number) return false;
      if (key.check.kind != ValueCheck::Kind::range) return true;
      return *number >= static_cast<double>(key.check.low) && *number <= static_cast<double>(key.check.high);
    }
    case ConfigType::list:
      return is_list_without_repetitions(value);
    default:
      return true;
  }
}

// The number of single-letter insertions, removals and replacements, and swaps of neighbours, between two
// words; anything beyond `limit` counts as limit + 1.
std::size_t distance(std::string_view a, std::string_view b, std::size_t limit) {
  const std::size_t longer = std::max(a.size(), b.size());
  if (longer - std::min(a.size(), b.size()) > limit) return limit + 1;
  std::vector<std::size_t> before_last(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t column = 0; column <= b.size(); ++column) row[column] = column;
  for (std::size_t line = 1; line <= a.size(); ++line) {
    std::swap(before_last, last);
    std::swap(last, row);
    row[0] = line;
    for (std::size_t column = 1; column <= b.size(); ++column) {
      const std::size_t replaced = last[column - 1] + (a[line - 1] == b[column - 1] ? 0 : 1);
      row[column] = std::min({replaced, last[column] + 1, row[column - 1] + 1});
      if (line > 1 && column > 1 && a[line - 1] == b[column - 2] && a[line - 2] == b[column - 1]) {
        row[column] = std::min(row[column], before_last[column - 2] + 1);
      }
    }
  }
  return std::min(row[b.size()], limit + 1);
}

}  // namespace

std::string_view to_string(ConfigType type) {
  switch (type) {
    case ConfigType::boolean:
      return "boolean";
    case ConfigType::string:
      return "string";
    case ConfigType::int32:
      return "int";
    case ConfigType::int16:
      return "short";
    case ConfigType::int64:
      return "long";
    case ConfigType::float64:
      return "double";
    case ConfigType::list:
      return "list";
    case ConfigType::class_name:
      return "class";
    case ConfigType::password:
      return "password";
    case ConfigType::unknown:
      break;
  }
  return "unknown";
}

const ConfigKey* find_topic_key(std::string_view name) {
  return find_in(topic_keys(), name);
}

const ConfigKey* find_group_key(std::string_view name) {
  return find_in(group_keys(), name);
}

const ConfigKey* find_broker_key(std::string_view name) {
  if (const ConfigKey* key = find_in(broker_keys(), name)) return key;
  const auto split = split_listener_key(name);
  return split && may_be_set_per_listener(split->key) ? find_in(broker_keys(), split->key) : nullptr;
}

std::optional<ListenerKey> split_listener_key(std::string_view name) {
  if (!name.starts_with(kListenerPrefix)) return std::nullopt;
  name.remove_prefix(kListenerPrefix.size());
  const std::size_t dot = name.find('.');
  if (dot == 0 || dot == std::string_view::npos || dot + 1 == name.size()) return std::nullopt;
  ListenerKey split{name.substr(0, dot), {}, name.substr(dot + 1)};
  if (find_in(broker_keys(), split.key) != nullptr) return split;
  const std::size_t next = split.key.find('.');
  if (next == std::string_view::npos || next == 0) return split;
  const std::string_view after_mechanism = split.key.substr(next + 1);
  if (find_in(broker_keys(), after_mechanism) == nullptr) return split;
  split.mechanism = split.key.substr(0, next);
  split.key = after_mechanism;
  return split;
}

const ConfigKey* topic_key_of_broker_key(std::string_view broker_key) {
  for (const ConfigKey& key : topic_keys()) {
    for (const KeySynonym& synonym : key.synonyms) {
      if (!synonym.broker_key.empty() && synonym.broker_key == broker_key) return &key;
    }
  }
  return nullptr;
}

Result<void> check_value(const ConfigKey& key, std::string_view value) {
  const std::string_view plain = trimmed(value);
  if (!satisfies_type(key, plain) || !satisfies_check(key, plain)) {
    std::string message = std::string(key.name) + " must be " + describe_allowed(key);
    if (!key.is_sensitive()) message += "; got '" + std::string(value) + "'";
    return fail(Errc::invalid_argument, std::move(message));
  }
  if (key.effect == KeyEffect::refused && !plain.empty() && plain != key.fallback) {
    return fail(Errc::invalid_argument, std::string(key.name) + " cannot be set to '" + std::string(plain) +
                                            "': " + std::string(key.reason));
  }
  return {};
}

std::int64_t parse_int64(std::string_view text, std::int64_t fallback) {
  return whole_number(text).value_or(fallback);
}

bool parse_bool(std::string_view text, bool fallback) {
  if (same_ignoring_case(trimmed(text), "true")) return true;
  if (same_ignoring_case(trimmed(text), "false")) return false;
  return fallback;
}

std::int64_t parse_millionths(std::string_view text, std::int64_t fallback) {
  constexpr double kMost = 9e12;
  const auto number = decimal(text);
  if (!number || !(*number == *number)) return fallback;
  const double clamped = std::clamp(*number, -kMost, kMost) * 1e6;
  return static_cast<std::int64_t>(clamped + (clamped < 0 ? -0.5 : 0.5));
}

std::vector<std::string> parse_list(std::string_view text) {
  std::vector<std::string> members;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string_view member = trimmed(text.substr(0, comma));
    if (!member.empty()) members.emplace_back(member);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return members;
}

std::string_view nearest_key(std::span<const ConfigKey> keys, std::string_view name) {
  // A third of the letters wrong is no misspelling any more.
  std::size_t limit = std::min<std::size_t>(4, name.size() / 3);
  std::string_view nearest;
  for (const ConfigKey& key : keys) {
    const std::size_t apart = distance(name, key.name, limit);
    if (apart > limit || apart == 0) continue;
    nearest = key.name;
    limit = apart - 1;
    if (limit == 0) break;
  }
  return nearest;
}

}  // namespace tailwater::cluster
