// Goal: the map gives back the newest offset of every key that it took, never that of another, and stops
// within its memory. Method: compared with std::map over random keys.
#include "core/log/compaction_map.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/prng.hpp"

namespace tailwater::log {
namespace {

constexpr SipKey kSecret{11, 22};

TEST(CompactionMap, remembers_the_newest_offset_of_each_key) {
  Prng random(1);
  CompactionMap map(kSecret, 12'000, 1 << 20);
  std::map<std::string, std::int64_t> model;
  for (std::int64_t offset = 0; offset < 20'000; ++offset) {
    const std::string key(random.below(3) * 7, 'k');
    const std::string whole = key + std::to_string(random.below(4'000));
    ASSERT_TRUE(map.put(as_bytes(whole), Offset{offset}));
    model[whole] = offset;
  }
  EXPECT_EQ(map.size(), model.size());
  for (const auto& [key, offset] : model) {
    ASSERT_EQ(map.find(as_bytes(key)), Offset{offset}) << key;
  }
  EXPECT_EQ(map.find(as_bytes("never")), std::nullopt);
}

TEST(CompactionMap, is_full_within_its_memory_and_keeps_what_it_has) {
  constexpr std::uint64_t kBytes = 256 << 10;
  CompactionMap map(kSecret, 1'000'000, kBytes);
  std::int64_t taken = 0;
  while (map.put(as_bytes(std::to_string(taken)), Offset{taken})) ++taken;
  EXPECT_LE(map.memory_bytes(), kBytes);
  EXPECT_GT(map.used_percent(), 60U);
  for (std::int64_t key = 0; key < taken; ++key) {
    ASSERT_EQ(map.find(as_bytes(std::to_string(key))), Offset{key});
  }
  EXPECT_EQ(map.find(as_bytes(std::to_string(taken))), std::nullopt);
  EXPECT_TRUE(map.put(as_bytes("0"), Offset{taken + 5})) << "a key that is there needs no room";
  EXPECT_EQ(map.find(as_bytes("0")), Offset{taken + 5});
}

TEST(CompactionMap, has_a_page_however_little_it_may_take) {
  CompactionMap map(kSecret, 0, 0);
  EXPECT_TRUE(map.put(as_bytes(""), Offset{3}));
  EXPECT_EQ(map.find(as_bytes("")), Offset{3});
}

}  // namespace
}  // namespace tailwater::log
