// Goal: another salt gives the same map another order, and none changes nothing.
#include "base/hash_map.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace tailwater {
namespace {

template <std::size_t salt>
std::vector<std::uint64_t> order() {
  std::unordered_map<std::uint64_t, int, SaltedHash<std::uint64_t, std::hash<std::uint64_t>, salt>> map;
  for (std::uint64_t key = 0; key < 100; ++key) map.emplace(key, 0);
  std::vector<std::uint64_t> keys;
  for (const auto& [key, value] : map) keys.push_back(key);
  return keys;
}

TEST(HashMap, another_salt_gives_another_order) {
  EXPECT_NE(order<0>(), order<0x7a11>());
}

TEST(HashMap, without_a_salt_a_hash_is_that_of_the_key) {
  EXPECT_EQ((SaltedHash<std::uint64_t, std::hash<std::uint64_t>, 0>{}(7)), std::hash<std::uint64_t>{}(7));
}

}  // namespace
}  // namespace tailwater
