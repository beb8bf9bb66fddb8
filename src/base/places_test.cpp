// Goal: numbers name what they were given for and nothing else, and a place keeps its memory. Method: random
// takes and gives against a map.
#include "base/places.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/prng.hpp"

namespace tailwater {
namespace {

TEST(PlacesTest, NumbersNameWhatTheyWereGivenForAndNothingElse) {
  Prng random(5);
  Places<int> places;
  std::map<std::uint64_t, int> model;
  std::vector<std::uint64_t> gone;
  for (int step = 0; step < 5'000; ++step) {
    if (!model.empty() && random.one_in(2)) {
      const auto at = std::next(model.begin(), static_cast<std::ptrdiff_t>(random.below(model.size())));
      places.give(at->first);
      gone.push_back(at->first);
      model.erase(at);
    } else {
      const std::uint64_t number = places.take();
      ASSERT_FALSE(model.contains(number));
      *places.find(number) = step;
      model[number] = step;
    }
    ASSERT_EQ(places.size(), model.size());
    for (const auto& [number, value] : model) ASSERT_EQ(*places.find(number), value);
  }
  for (const std::uint64_t number : gone) EXPECT_EQ(places.find(number), nullptr);
  EXPECT_EQ(places.find(0), nullptr);
}

TEST(PlacesTest, AnItemFindsTheMemoryOfTheOneBefore) {
  Places<std::string> places;
  const std::uint64_t first = places.take();
  places.find(first)->assign(100, 'x');
  std::string* const there = places.find(first);
  places.give(first);
  const std::uint64_t second = places.take();
  EXPECT_NE(first, second);
  EXPECT_EQ(places.find(second), there);
  EXPECT_GE(there->capacity(), 100u);
}

}  // namespace
}  // namespace tailwater
