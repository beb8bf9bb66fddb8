// Goal: what is on its way to a file of a log that is removed finds that file, or none: never one of the next log
// of its name, and it leaves nothing behind there. Method: a disk on which files are slow to find.
#include <gtest/gtest.h>

#include "core/log/test_world.hpp"

namespace tailwater::log {
namespace {

constexpr int kSeeds = 20;
constexpr std::string_view kFiles = "a-0/";

// With a log whose records are in its files, and nowhere else.
void begin(World& world) {
  world.start_and_recover();
  Log& log = world.create("a");
  for (int each = 0; each < 10; ++each) ASSERT_TRUE(world.append(log, {}).has_value());
  world.stop();
  world.start();
  world.pump();
}

// There is another log with its name, and all of that is in its files.
void expect_next(World& world) {
  Log& next = world.create("a");
  ASSERT_TRUE(world.append(next, {.fill = 'n'}).has_value());
  world.stop();
  world.disk.slow.clear();
  world.start_and_recover();
  EXPECT_EQ(world.log("a").end_offset(), Offset{1});
  world.verify();
}

TEST(Removal, AFolderKeepsItsNameUntilReadersHaveTheFilesInIt) {
  for (std::uint64_t seed = 1; seed <= kSeeds && !testing::Test::HasFailure(); ++seed) {
    World world(seed);
    begin(world);
    Log& log = *world.storage->logs()[0];
    world.disk.slow = kFiles;
    std::vector<Bytes> pieces;
    const ReadPlan plan = world.storage->plan_read(log, {Offset{0}, 4'096, log.end_offset(), true}, pieces);
    ASSERT_EQ(plan.kind, ReadPlan::Kind::need);
    world.remove(log);
    world.pump();
    expect_next(world);
  }
}

TEST(Removal, AFolderKeepsItsNameUntilFilesOfItAreGone) {
  for (std::uint64_t seed = 1; seed <= kSeeds && !testing::Test::HasFailure(); ++seed) {
    World world(seed);
    begin(world);
    Log& log = *world.storage->logs()[0];
    world.disk.slow = kFiles;
    world.storage->restart_at(log, log.end_offset());
    for (int steps = 0; world.disk.slow_queued() == 0 && steps < 1'000; ++steps) world.step();
    ASSERT_GT(world.disk.slow_queued(), 0u) << "no file goes";
    world.remove(log);
    expect_next(world);
  }
}

}  // namespace
}  // namespace tailwater::log
