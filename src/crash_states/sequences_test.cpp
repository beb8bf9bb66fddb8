// Goal: the tree of sequences has every one once, and going through their last acts alone goes through every point.
#include "crash_states/sequences.hpp"

#include <gtest/gtest.h>

#include <set>

#include "crash_states/explore.hpp"

namespace tailwater::crash_states {
namespace {

TEST(Sequences, each_comes_once_and_short_ones_first) {
  EXPECT_EQ(sequences_up_to(0), 1U);
  EXPECT_EQ(sequences_up_to(1), 1 + kActs);
  EXPECT_EQ(sequences_up_to(2), 1 + kActs + kActs * kActs);
  std::set<std::vector<Act>> seen;
  std::size_t length = 0;
  for (std::uint64_t number = 0; number < sequences_up_to(3); ++number) {
    const std::vector<Act> acts = sequence(number);
    EXPECT_GE(acts.size(), length);
    length = acts.size();
    EXPECT_TRUE(seen.insert(acts).second);
  }
  EXPECT_EQ(length, 3U);
}

// The points of the last acts of all beginnings of a script are the points of the script.
TEST(Sequences, last_acts_together_are_the_whole) {
  for (const SequenceSetting& setting : sequence_settings()) {
    const auto points = [&](const Script& script) {
      Explorer explorer(setting.workload, Mode::direct_dsync, Lie::none, 3, {.states_per_point = 1});
      const Tally tally = explorer.run(script.acts, script.from);
      EXPECT_EQ(tally.failure, "") << tally.failed_state;
      return tally.points;
    };
    const std::vector<Act> acts = {Act::burst, Act::remove, Act::kill};
    Script whole = script_of(setting, acts, true);
    whole.from = 0;
    std::uint64_t sum = 0;
    for (std::size_t length = 0; length <= acts.size(); ++length) {
      const std::vector<Act> beginning(acts.begin(), acts.begin() + static_cast<std::ptrdiff_t>(length));
      sum += points(script_of(setting, beginning, length == acts.size()));
    }
    EXPECT_EQ(sum, points(whole)) << setting.workload.name;
  }
}

TEST(Sequences, every_one_of_a_single_act_recovers_from_every_state) {
  for (const SequenceSetting& setting : sequence_settings()) {
    for (std::size_t mode = 0; mode < kModes; ++mode) {
      std::uint64_t states = 0;
      for (std::uint64_t number = 0; number < sequences_up_to(1); ++number) {
        const Script script = script_of(setting, sequence(number), true);
        Explorer explorer(setting.workload, static_cast<Mode>(mode), Lie::none, 1, {.states_per_point = 8});
        const Tally tally = explorer.run(script.acts, script.from);
        EXPECT_EQ(tally.failure, "") << tally.failed_state;
        states += tally.states;
      }
      EXPECT_GT(states, 100U) << setting.workload.name;
    }
  }
}

}  // namespace
}  // namespace tailwater::crash_states
