// Goal: a storage recovers from every state that a power loss may leave, power losses during its recoveries
// included, and from the death of its process; and a port that lies is found out, so the states can show what
// they are for. Method: short scripts gone through whole, in all three disk modes; then the courses over a
// port with each lie.
#include "crash_states/explore.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace tailwater::crash_states {
namespace {

constexpr Workload kScripted{
    .name = "script", .logs = 2, .value_max = 3'000, .segment_bytes = 8'000, .flush_run_bytes = 8 << 10};
constexpr Workload kSoft{.name = "soft_script",
                         .logs = 2,
                         .value_max = 3'000,
                         .segment_bytes = 8'000,
                         .flush_run_bytes = 8 << 10,
                         .os_percent = 100};
constexpr Workload kKeyed{.name = "keyed_script",
                          .value_max = 150,
                          .segment_bytes = 1'000,
                          .flush_run_bytes = 4'096,
                          .flush_round_bytes = 4'096,
                          .keys = 3};
constexpr Workload kTwoDirs{.name = "dirs_script",
                            .logs = 4,
                            .dirs = 2,
                            .value_max = 3'000,
                            .segment_bytes = 8'000,
                            .flush_run_bytes = 8 << 10};

struct Script {
  const char* name;
  std::vector<Act> acts;
  const Workload& workload = kScripted;
  std::uint64_t states_per_point = UINT64_MAX;
};

const Script kScripts[] = {
    {"appends", {Act::create, Act::append, Act::append}},
    {"a_clean_stop", {Act::append, Act::burst, Act::restart, Act::append}},
    {"a_kill", {Act::append, Act::append, Act::kill, Act::append}},
    {"a_truncation", {Act::burst, Act::settle, Act::truncate, Act::append}},
    {"a_name_used_again", {Act::append, Act::settle, Act::remove, Act::create, Act::append}},
    {"a_log_start", {Act::burst, Act::settle, Act::start, Act::settle}},
    {"a_transaction", {Act::transaction, Act::transaction, Act::abort, Act::append}},
    {"a_flush", {Act::burst, Act::burst, Act::burst, Act::settle, Act::append}},
    {"an_os_log", {Act::create, Act::append, Act::append, Act::settle, Act::append}, kSoft},
    {"an_os_log_of_a_name_used_again",
     {Act::append, Act::settle, Act::remove, Act::create, Act::append},
     kSoft},
    {"a_compaction",
     {Act::burst, Act::burst, Act::burst, Act::settle, Act::wait, Act::settle, Act::append},
     kKeyed,
     12},
    {"two_directories",
     {Act::create, Act::create, Act::create, Act::append, Act::append, Act::append},
     kTwoDirs,
     40},
    {"a_directory_that_breaks",
     {Act::create, Act::create, Act::create, Act::burst, Act::fault, Act::burst, Act::append, Act::kill,
      Act::append},
     kTwoDirs,
     12},
};

using ScriptInMode = std::tuple<std::size_t, std::size_t>;

class ExploreTest : public ::testing::TestWithParam<ScriptInMode> {};

TEST_P(ExploreTest, a_short_script_recovers_from_every_state) {
  const auto [script, mode] = GetParam();
  Explorer explorer(kScripts[script].workload, static_cast<Mode>(mode), Lie::none, 7,
                    {.states_per_point = kScripts[script].states_per_point, .second_crash_every = 4});
  std::vector<Act> acts = kScripts[script].acts;
  acts.push_back(Act::settle);
  const Tally tally = explorer.run(acts);
  EXPECT_EQ(tally.failure, "") << tally.failed_state;
  EXPECT_GT(tally.points, 20U);
  EXPECT_GT(tally.states, 30U);
  EXPECT_GT(tally.kinds[static_cast<std::size_t>(disk_model::ChoiceKind::every)], 0U);
  EXPECT_GT(tally.kinds[static_cast<std::size_t>(Kind::second_crash)], 0U);
  EXPECT_GT(tally.kinds[static_cast<std::size_t>(Kind::second_life)], 0U);
  EXPECT_GT(tally.kinds[static_cast<std::size_t>(Kind::death)], 0U);
  const bool dirs = kScripts[script].workload.dirs > 1;
  EXPECT_EQ(tally.kinds[static_cast<std::size_t>(Kind::without_dir)] > 0, dirs);
  EXPECT_EQ(tally.kinds[static_cast<std::size_t>(disk_model::ChoiceKind::one_dir)] > 0, dirs);
}

INSTANTIATE_TEST_SUITE_P(Scripts, ExploreTest,
                         ::testing::Combine(::testing::Range(std::size_t{0}, std::size(kScripts)),
                                            ::testing::Range(std::size_t{0}, kModes)),
                         [](const ::testing::TestParamInfo<ScriptInMode>& info) {
                           return std::string(kScripts[std::get<0>(info.param)].name) + "_" +
                                  std::string(kModeNames[std::get<1>(info.param)]);
                         });

TEST(Explore, the_same_seed_gives_the_same_states) {
  for (const Workload& workload : workloads()) {
    Explorer explorer(workload, Mode::direct_dsync, Lie::none, 3, {.states = 20, .states_per_point = 4});
    const Tally first = explorer.run();
    const Tally second = explorer.run();
    EXPECT_EQ(first.failure, "") << first.failed_state;
    EXPECT_EQ(first.states, second.states);
    EXPECT_EQ(first.kinds, second.kinds);
    EXPECT_EQ(first.repeated, second.repeated);
  }
}

TEST(Explore, large_batches_go_past_the_journal) {
  const auto direct = std::ranges::find(workloads(), std::string_view("direct"), &Workload::name);
  ASSERT_NE(direct, workloads().end());
  for (std::size_t mode = 0; mode < kModes; ++mode) {
    Course course(*direct, static_cast<Mode>(mode), Lie::none, 5);
    std::uint64_t runs = 0;
    course.at_point = [&](Life& life) { runs = std::max(runs, life.storage().report(DirId{0}).direct_runs); };
    course.run();
    EXPECT_EQ(course.failure(), "");
    EXPECT_GE(runs, 3u);
  }
}

// The process dies while the folder of a removed log gets another name, the next one finds that name, and then
// the power goes.
TEST(Explore, a_name_that_a_dead_process_gave_is_made_stable) {
  const crash_states::Setup setup{.storage = small_storage()};
  std::uint64_t lives = 100;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    Prng random(seed);
    const Now now{Instant{1'000'000'000}, WallTime{1'000'000}};
    auto life = std::make_unique<Life>(setup, Port::fresh_disk(setup.mode), Ledger{}, now, seed);
    const auto go_on = [&](std::unique_ptr<disk_model::Disk> disk, End before) {
      life = std::make_unique<Life>(setup, std::move(disk), life->ledger(), life->now(), ++lives);
      life->start();
      life->judge(before);
    };
    life->start();
    life->judge(End::process_died);
    life->create("t", {});
    life->append(*life->storage().logs()[0], {});
    life->stop();
    go_on(life->port().kill(random), End::process_died);
    life->remove(*life->storage().logs()[0]);
    for (std::uint64_t steps = random.below(12); steps > 0; --steps) life->step();
    go_on(life->port().kill(random), End::process_died);
    life->settle();
    auto lost = life->port().lose_power(random);
    lost->settle(std::vector<bool>(lost->unsettled().size(), false));
    go_on(std::move(lost), End::power_lost);
    life->prove_tidy();
    ASSERT_EQ(life->failure(), "") << "seed " << seed;
  }
}

// The process dies at any step of its first start, the next one finds what it had made, and then the power goes.
TEST(Explore, a_journal_whose_maker_died_keeps_its_name) {
  for (std::size_t mode = 0; mode < kModes; ++mode) {
    crash_states::Setup setup{.storage = small_storage()};
    setup.mode = static_cast<Mode>(mode);
    setup.storage.os_ring = true;
    crash_states::Setup next_boot = setup;
    next_boot.storage.boot_id = {2, 1};
    const Now now{Instant{1'000'000'000}, WallTime{1'000'000}};
    Prng random(mode);
    std::vector<std::pair<std::unique_ptr<disk_model::Disk>, Ledger>> left;
    Life dying(setup, Port::fresh_disk(setup.mode), Ledger{}, now, 1);
    dying.at_point = [&] {
      for (int each = 0; each < 8; ++each) left.emplace_back(dying.port().kill(random), dying.ledger());
    };
    dying.start();
    dying.create("os", {.os_durable = true});
    dying.settle();
    ASSERT_EQ(dying.failure(), "");
    ASSERT_GT(left.size(), 100U);
    for (auto& [disk, ledger] : left) {
      Life second(setup, std::move(disk), ledger, now, 2);
      second.start();
      second.judge(End::process_died);
      second.create("fsync", {});
      second.create("os2", {.os_durable = true});
      for (log::Log* log : second.storage().logs()) second.append(*log, {});
      second.settle();
      ASSERT_EQ(second.failure(), "");
      std::unique_ptr<disk_model::Disk> lost = second.port().lose_power(random);
      lost->settle(std::vector<bool>(lost->unsettled().size(), false));
      Life third(next_boot, std::move(lost), second.ledger(), second.now(), 3);
      third.start();
      third.judge(End::power_lost);
      ASSERT_EQ(third.failure(), "") << kModeNames[mode];
    }
  }
}

// The files of a removed log are gone, and nobody will look for them any more: now the power goes.
TEST(Explore, a_folder_that_was_removed_does_not_come_back) {
  const crash_states::Setup setup{.storage = small_storage()};
  Prng random(1);
  const Now now{Instant{1'000'000'000}, WallTime{1'000'000}};
  auto life = std::make_unique<Life>(setup, Port::fresh_disk(setup.mode), Ledger{}, now, 1);
  const auto go_on = [&](std::unique_ptr<disk_model::Disk> disk, std::uint64_t seed, End before) {
    life = std::make_unique<Life>(setup, std::move(disk), life->ledger(), life->now(), seed);
    life->start();
    life->judge(before);
  };
  life->start();
  life->judge(End::process_died);
  life->create("t", {});
  life->append(*life->storage().logs()[0], {});
  life->stop();
  go_on(life->port().kill(random), 2, End::process_died);
  life->remove(*life->storage().logs()[0]);
  life->settle();
  life->prove_tidy();
  life->stop();
  auto lost = life->port().lose_power(random);
  lost->settle(std::vector<bool>(lost->unsettled().size(), false));
  go_on(std::move(lost), 3, End::power_lost);
  life->prove_tidy();
  EXPECT_EQ(life->failure(), "");
}

struct Caught {
  const char* name;
  Lie lie;
  std::string_view by = {};  // the workload that has to find it; any
};

constexpr Caught kLies[] = {
    {"syncs", Lie::drop_syncs},
    {"durable_writes", Lie::drop_durability},
    {"folder_syncs", Lie::drop_folder_syncs},
    {"trim_before_sync", Lie::trim_before_sync},
    {"soft_frames", Lie::keep_soft_frames, "soft"},
    {"soft_frames_of_a_name_used_again", Lie::keep_soft_frames, "recreate"},
    {"syncs_of_compacted_segments", Lie::drop_syncs, "compaction"},
    {"names_of_compacted_segments", Lie::drop_folder_syncs, "compaction"},
    {"durable_writes_in_two_directories", Lie::drop_durability, "dirs"},
    {"syncs_beside_a_broken_directory", Lie::drop_syncs, "broken_dir"},
};

using LieInMode = std::tuple<std::size_t, std::size_t>;

class LieTest : public ::testing::TestWithParam<LieInMode> {};

// Half of what CI tries.
constexpr std::uint64_t kStatesToFindIt = 10'000;

TEST_P(LieTest, is_found_out) {
  const auto [lie, mode] = GetParam();
  std::uint64_t states = 0;
  for (std::uint64_t seed = 1; states < kStatesToFindIt; ++seed) {
    for (const Workload& workload : workloads()) {
      if (!kLies[lie].by.empty() && workload.name != kLies[lie].by) continue;
      Explorer explorer(workload, static_cast<Mode>(mode), kLies[lie].lie, seed,
                        {.states = 100, .states_per_point = 12});
      const Tally tally = explorer.run();
      states += tally.states;
      if (!tally.failure.empty()) {
        RecordProperty("states", static_cast<int>(states));
        RecordProperty("failure", tally.failure);
        return;
      }
    }
  }
  FAIL() << "not found in " << states << " states";
}

INSTANTIATE_TEST_SUITE_P(Lies, LieTest,
                         ::testing::Combine(::testing::Range(std::size_t{0}, std::size(kLies)),
                                            ::testing::Range(std::size_t{0}, kModes)),
                         [](const ::testing::TestParamInfo<LieInMode>& info) {
                           return std::string(kLies[std::get<0>(info.param)].name) + "_" +
                                  std::string(kModeNames[std::get<1>(info.param)]);
                         });

}  // namespace
}  // namespace tailwater::crash_states
