// Goal: outside the simulator's own build no bug can be planted.
// Method: the question has its answer at compile time; so the branch behind it is not compiled into a
// program.
#include "base/plant.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace tailwater {
namespace {

static_assert(!planted(Plant::acknowledgement_before_sync));
static_assert(!planted(Plant::aborted_visible));

TEST(Plant, every_bug_has_a_name_of_its_own) {
  for (std::size_t each = 0; each < kPlants; ++each) {
    EXPECT_FALSE(kPlantNames[each].empty());
    EXPECT_EQ(std::ranges::count(kPlantNames, kPlantNames[each]), 1) << kPlantNames[each];
  }
}

}  // namespace
}  // namespace tailwater
