// Goal: few things are tried in all combinations, many in their corners. Method: lists made by hand.
#include "disk_model/choices.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace tailwater::disk_model {
namespace {

using Kind = Unsettled::Kind;

// So many operations of so many sectors each.
std::vector<Unsettled> writes(std::size_t operations, std::size_t sectors) {
  std::vector<Unsettled> all;
  for (std::size_t operation = 0; operation < operations; ++operation) {
    for (std::size_t sector = 0; sector < sectors; ++sector) all.push_back({operation + 1, Kind::sector});
  }
  return all;
}

std::size_t different(const std::vector<Choice>& made) {
  std::set<std::vector<bool>> seen;
  for (const Choice& choice : made) seen.insert(choice.kept);
  return seen.size();
}

// Of writes of four sectors.
bool whole(const Choice& choice, std::size_t operation) {
  const auto first = choice.kept.begin() + static_cast<std::ptrdiff_t>(operation * 4);
  return std::count(first, first + 4, true) == 4;
}

bool holds(const std::vector<Choice>& made, ChoiceKind kind, const std::vector<bool>& kept) {
  return std::ranges::any_of(
      made, [&](const Choice& choice) { return choice.kind == kind && choice.kept == kept; });
}

TEST(Choices, nothing_unsettled_is_one_state) {
  Prng random(1);
  const auto made = choices({}, random);
  ASSERT_EQ(made.size(), 1U);
  EXPECT_EQ(made[0].kind, ChoiceKind::all);
}

TEST(Choices, few_things_are_chosen_from_in_every_way) {
  Prng random(1);
  EXPECT_EQ(different(choices(writes(5, 1), random)), 32U);
  EXPECT_EQ(different(choices({{1, Kind::name}, {2, Kind::size}, {2, Kind::sector}}, random)), 8U);
}

TEST(Choices, few_operations_are_lost_kept_and_torn_in_every_way) {
  Prng random(1);
  const auto made = choices(writes(3, 8), random);
  std::set<std::vector<int>> seen;
  for (const Choice& choice : made) {
    std::vector<int> fates;
    for (std::size_t operation = 0; operation < 3; ++operation) {
      const auto first = choice.kept.begin() + static_cast<std::ptrdiff_t>(operation * 8);
      const auto kept = std::count(first, first + 8, true);
      fates.push_back(kept == 0 ? 0 : kept == 8 ? 1 : 2);
    }
    seen.insert(fates);
  }
  EXPECT_GE(seen.size(), 20U) << "of 27; chance may tear so that nothing or everything is left";
  EXPECT_TRUE(seen.contains({0, 1, 0}));
  EXPECT_TRUE(seen.contains({1, 1, 1}));
}

TEST(Choices, of_many_operations_the_corners_are_tried) {
  Prng random(1);
  const auto made = choices(writes(11, 1), random);
  EXPECT_TRUE(holds(made, ChoiceKind::none, std::vector<bool>(11, false)));
  EXPECT_TRUE(holds(made, ChoiceKind::all, std::vector<bool>(11, true)));
  EXPECT_TRUE(holds(made, ChoiceKind::one,
                    {false, false, true, false, false, false, false, false, false, false, false}));
  EXPECT_TRUE(holds(made, ChoiceKind::all_but_one,
                    {true, true, false, true, true, true, true, true, true, true, true}));
  EXPECT_TRUE(holds(made, ChoiceKind::up_to,
                    {true, true, true, false, false, false, false, false, false, false, false}));
  EXPECT_EQ(std::ranges::count(made, ChoiceKind::mixed, &Choice::kind), 6);
}

TEST(Choices, a_torn_operation_is_the_last_one) {
  Prng random(1);
  std::size_t torn = 0;
  for (const Choice& choice : choices(writes(6, 4), random)) {
    if (choice.kind != ChoiceKind::torn) continue;
    std::size_t operation = 0;
    while (operation < 6 && whole(choice, operation)) ++operation;
    if (operation == 6) continue;
    const auto behind = choice.kept.begin() + static_cast<std::ptrdiff_t>((operation + 1) * 4);
    EXPECT_EQ(std::count(behind, choice.kept.end(), true), 0);
    ++torn;
  }
  EXPECT_GT(torn, 0U);
}

TEST(Choices, each_of_several_directories_may_have_missed_the_power_loss) {
  Prng random(1);
  std::vector<Unsettled> all = writes(6, 4);
  EXPECT_FALSE(std::ranges::any_of(choices(all, random), [](const Choice& choice) {
    return choice.kind == ChoiceKind::one_dir;
  })) << "there is one only";
  std::vector<bool> second;
  for (Unsettled& each : all) {
    each.dir = DirId{each.operation % 3 == 0 ? 1U : 0U};
    second.push_back(each.dir == DirId{1});
  }
  const auto made = choices(all, random);
  std::vector<bool> first = second;
  first.flip();
  EXPECT_TRUE(holds(made, ChoiceKind::one_dir, first));
  EXPECT_TRUE(holds(made, ChoiceKind::one_dir, second));
}

}  // namespace
}  // namespace tailwater::disk_model
