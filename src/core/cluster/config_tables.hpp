// Shorthand for the tables of configuration keys. Included by the files that hold such a table and by no
// other.
#pragma once

#include <cstddef>
#include <string_view>

#include "core/cluster/config_keys.hpp"

namespace tailwater::cluster {

inline constexpr std::int64_t kMinute = 60'000;
inline constexpr std::int64_t kHour = 3'600'000;

constexpr ValueCheck at_least(std::int64_t low) {
  return {ValueCheck::Kind::range, low, INT64_MAX, {}};
}
constexpr ValueCheck between(std::int64_t low, std::int64_t high) {
  return {ValueCheck::Kind::range, low, high, {}};
}
constexpr ValueCheck between_or_minus_one(std::int64_t low, std::int64_t high) {
  return {ValueCheck::Kind::range_or_minus_one, low, high, {}};
}
constexpr ValueCheck at_least_or_zero(std::int64_t low) {
  return {ValueCheck::Kind::range_or_zero, low, INT64_MAX, {}};
}
constexpr ValueCheck one_of(std::string_view allowed) {
  return {ValueCheck::Kind::one_of, 0, 0, allowed};
}
constexpr ValueCheck one_of_any_case(std::string_view allowed) {
  return {ValueCheck::Kind::one_of_any_case, 0, 0, allowed};
}
constexpr ValueCheck list_of(std::string_view allowed) {
  return {ValueCheck::Kind::list_of, 0, 0, allowed};
}
constexpr ValueCheck not_empty_list_of(std::string_view allowed) {
  return {ValueCheck::Kind::not_empty_list_of, 0, 0, allowed};
}
constexpr ValueCheck not_empty() {
  return {ValueCheck::Kind::not_empty, 0, 0, {}};
}
constexpr ValueCheck partition_broker_pairs() {
  return {ValueCheck::Kind::partition_broker_pairs, 0, 0, {}};
}

template <class Keys>
constexpr bool sorted_by_name(const Keys& keys) {
  std::string_view before;
  for (const ConfigKey& key : keys) {
    if (!(before < key.name)) return false;
    before = key.name;
  }
  return true;
}

}  // namespace tailwater::cluster
