// Goal: an index version never changes once made, stays sorted and finds exactly what was put, whatever the
// order of changes; differences are found by sharing and are exact. Method: compare with std::map over
// enumerated and random edits.
#include "core/cluster/shared_index.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/prng.hpp"

namespace tailwater::cluster {
namespace {

struct Item {
  int key = 0;
  int value = 0;
  friend bool operator==(const Item&, const Item&) = default;
};
struct ItemKey {
  int operator()(const Item& item) const { return item.key; }
};
using Index = SharedIndex<Item, ItemKey>;

std::map<int, int> content(const Index& index) {
  std::map<int, int> all;
  int previous = -1'000'000;
  for (const Item& item : index) {
    EXPECT_LT(previous, item.key);
    previous = item.key;
    all[item.key] = item.value;
  }
  EXPECT_EQ(all.size(), index.size());
  return all;
}

Index with(const Index& from, int key, int value) {
  Index::Editor editor(from);
  editor.set({key, value});
  return editor.finish();
}

TEST(SharedIndex, EmptyFindsNothing) {
  const Index index;
  EXPECT_TRUE(index.empty());
  EXPECT_EQ(index.find(1), nullptr);
  EXPECT_EQ(index.begin(), index.end());
  EXPECT_EQ(index.lower_bound(0), index.end());
}

TEST(SharedIndex, OldVersionsKeepTheirContent) {
  std::vector<Index> versions{Index{}};
  for (int key = 0; key < 300; ++key) versions.push_back(with(versions.back(), key, key));
  for (std::size_t count = 0; count < versions.size(); ++count) {
    EXPECT_EQ(versions[count].size(), count);
    EXPECT_EQ(versions[count].find(static_cast<int>(count)), nullptr);
    if (count > 0) {
      EXPECT_NE(versions[count].find(static_cast<int>(count) - 1), nullptr);
    }
  }
}

TEST(SharedIndex, EqualsAnOrdinaryMapUnderRandomBatches) {
  Prng random(7);
  Index index;
  std::map<int, int> expected;
  for (int round = 0; round < 400; ++round) {
    const Index before = index;
    const std::map<int, int> expected_before = expected;
    Index::Editor editor(index);
    const auto changes = random.below(60);
    for (std::uint64_t change = 0; change < changes; ++change) {
      const int key = static_cast<int>(random.below(700));
      if (random.one_in(3)) {
        EXPECT_EQ(editor.erase(key), expected.erase(key) == 1);
      } else {
        editor.set({key, round});
        expected[key] = round;
      }
      const Item* found = editor.find(key);
      EXPECT_EQ(found != nullptr, expected.contains(key));
    }
    index = editor.finish();
    ASSERT_EQ(content(index), expected);
    ASSERT_EQ(content(before), expected_before);
  }
  for (int key = -1; key < 702; ++key) {
    const auto at = expected.lower_bound(key);
    const auto found = index.lower_bound(key);
    ASSERT_EQ(found == index.end(), at == expected.end());
    if (at != expected.end()) {
      ASSERT_EQ(found->key, at->first);
    }
  }
}

TEST(SharedIndex, DifferencesAreExact) {
  Prng random(11);
  Index index;
  std::map<int, int> expected;
  for (int round = 1; round < 300; ++round) {
    const Index before = index;
    const std::map<int, int> expected_before = expected;
    Index::Editor editor(index);
    for (int change = 0; change < 5; ++change) {
      const int key = static_cast<int>(random.below(2000));
      if (random.one_in(4)) {
        editor.erase(key);
        expected.erase(key);
      } else {
        editor.set({key, round});
        expected[key] = round;
      }
    }
    index = editor.finish();
    std::map<int, int> patched = expected_before;
    for_each_difference(before, index, [&](const Item* old, const Item* now) {
      ASSERT_TRUE(old != nullptr || now != nullptr);
      if (old != nullptr && now != nullptr) {
        ASSERT_EQ(old->key, now->key);
        ASSERT_NE(old->value, now->value);
      }
      if (now != nullptr) {
        patched[now->key] = now->value;
      } else {
        patched.erase(old->key);
      }
    });
    ASSERT_EQ(patched, expected);
  }
}

TEST(SharedIndex, ASmallChangeSharesAllOtherLeaves) {
  Index::Editor first(Index{});
  for (int key = 0; key < 10'000; ++key) first.set({key, 0});
  const Index index = first.finish();
  const Index changed = with(index, 5000, 1);
  int visited = 0;
  for_each_difference(index, changed, [&](const Item*, const Item*) { ++visited; });
  EXPECT_EQ(visited, 1);
  std::size_t shared = 0;
  std::size_t leaves = 0;
  auto old_at = index.begin();
  auto new_at = changed.begin();
  for (; old_at != index.end(); old_at.skip_leaf(), new_at.skip_leaf()) {
    ++leaves;
    if (old_at.leaf_started() == new_at.leaf_started()) ++shared;
  }
  EXPECT_EQ(shared + 1, leaves);
  EXPECT_LT(leaves, 10'000u / 50);
}

}  // namespace
}  // namespace tailwater::cluster
