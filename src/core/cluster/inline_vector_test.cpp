// Goal: an InlineVector behaves as a vector does, within its inline room and beyond it. Method: enumerate
// sizes around the inline capacity and compare with std::vector through copies, moves, assignment and
// removal.
#include "core/cluster/inline_vector.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace tailwater::cluster {
namespace {

using Small = InlineVector<int, 2>;

Small numbers(int count) {
  Small made;
  for (int value = 0; value < count; ++value) made.push_back(value);
  return made;
}

std::vector<int> content(const Small& values) {
  return {values.begin(), values.end()};
}

TEST(InlineVector, CopiesMovesAndAssignsAtEverySize) {
  for (int size = 0; size <= 9; ++size) {
    for (int other_size = 0; other_size <= 9; ++other_size) {
      const Small original = numbers(size);
      std::vector<int> expected;
      for (int value = 0; value < size; ++value) expected.push_back(value);
      Small copy = original;
      EXPECT_EQ(content(copy), expected);
      Small assigned = numbers(other_size);
      assigned = copy;
      EXPECT_EQ(content(assigned), expected);
      const Small moved = std::move(copy);
      EXPECT_EQ(content(moved), expected);
      EXPECT_EQ(moved == numbers(other_size), size == other_size);
      EXPECT_EQ(content(original), expected);
    }
  }
}

TEST(InlineVector, RemoveKeepsTheOrderOfTheRest) {
  for (int size = 1; size <= 6; ++size) {
    for (int gone = 0; gone <= size; ++gone) {
      Small values = numbers(size);
      values.remove(gone);
      std::vector<int> expected;
      for (int value = 0; value < size; ++value) {
        if (value != gone) expected.push_back(value);
      }
      EXPECT_EQ(content(values), expected);
      EXPECT_FALSE(values.contains(gone));
    }
  }
}

TEST(InlineVector, ClearedOnesCanBeFilledAgain) {
  Small values = numbers(5);
  values.clear();
  EXPECT_TRUE(values.empty());
  values.push_back(8);
  EXPECT_EQ(content(values), std::vector<int>{8});
  EXPECT_EQ((Small{8}), values);
}

}  // namespace
}  // namespace tailwater::cluster
