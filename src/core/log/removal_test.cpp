// Goal: what is on its way to a file of a log that is removed finds that file, or none: never one of the next log
// of its name, and it leaves nothing behind there. Method: a disk on which files are slow to find.
#include <gtest/gtest.h>

#include <algorithm>

#include "core/log/manifest.hpp"
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

// --- names of the greatest length

constexpr std::size_t kTopicNameMax = 249;

bool any_file(const World& world) {
  return std::ranges::any_of(world.disk.paths(),
                             [](const std::string& path) { return path.find("-0") != std::string::npos; });
}

void expect_gone(World& world) {
  EXPECT_EQ(world.storage->report(DirId{0}).state, DirState::online)
      << world.storage->report(DirId{0}).failure.message;
  world.advance(Duration::from_ms(LogConfig{}.file_delete_delay_ms));
  world.pump();
  EXPECT_FALSE(any_file(world));
  EXPECT_EQ(world.disk.complaints(), std::vector<std::string>{});
}

TEST(Removal, FoldersOfTheLongestNamesGoToo) {
  World world(1);
  world.start_and_recover();
  // They differ in their last letter only.
  const std::string name(kTopicNameMax - 1, 't');
  for (const char last : {'a', 'b'}) ASSERT_TRUE(world.append(world.create(name + last), {}).has_value());
  world.stop();
  world.start_and_recover();
  ASSERT_TRUE(any_file(world));
  for (const char last : {'a', 'b'}) world.remove(world.log(name + last));
  world.pump();
  expect_gone(world);
}

TEST(Removal, AFolderOfTheLongestNameIsFoundAgainAfterACrash) {
  for (std::uint64_t seed = 1; seed <= kSeeds && !testing::Test::HasFailure(); ++seed) {
    World world(seed);
    world.start_and_recover();
    const std::string name(kTopicNameMax, 't');
    ASSERT_TRUE(world.append(world.create(name), {}).has_value());
    world.stop();
    world.start_and_recover();
    world.remove(world.log(name));
    for (std::uint64_t steps = 0; steps < seed; ++steps) world.step();
    world.crash();
    world.start();
    world.pump();
    if (!world.storage->logs().empty()) world.remove(*world.storage->logs()[0]);
    world.pump();
    expect_gone(world);
  }
}

TEST(Removal, AFolderThatWasToGetATooLongNameGoesAfterAll) {
  World world(1);
  world.start_and_recover();
  const std::string name(kTopicNameMax, 't');
  ASSERT_TRUE(world.append(world.create(name), {}).has_value());
  world.stop();
  world.start_and_recover();
  world.remove(world.log(name));
  world.stop();
  // As earlier versions noted it down.
  std::string last;
  for (const std::string& path : world.disk.paths()) {
    if (path.starts_with("manifest/")) last = path;
  }
  Result<Manifest> manifest = decode_manifest(world.disk.content(last));
  ASSERT_TRUE(manifest.has_value());
  ASSERT_EQ(manifest->doomed.size(), 1u);
  ASSERT_FALSE(manifest->doomed[0].renamed);
  manifest->doomed[0].new_path = name + "-0.0123456789abcdef0123456789abcdef-delete";
  Buffer content = encode(*manifest);
  seal(content, manifest->checkpoint);
  world.disk.set_content(last, std::move(content));
  world.start();
  world.pump();
  expect_gone(world);
}

// A broker that starts more often than file.delete.delay.ms would keep it for ever.
TEST(Removal, AStartRemovesAtOnceWhatWasRemovedBefore) {
  for (const bool killed : {false, true}) {
    World world(1);
    begin(world);
    world.storage->set_config(*world.storage->logs()[0], {});
    world.remove(*world.storage->logs()[0]);
    world.pump();
    const auto renamed = [&] {
      return std::ranges::count_if(world.disk.paths(), [](const std::string& path) {
        return path.find("-delete/") != std::string::npos;
      });
    };
    EXPECT_GT(renamed(), 0) << "not before file.delete.delay.ms";
    if (killed) {
      world.kill();
    } else {
      world.stop();
    }
    world.start_and_recover();
    world.pump();
    EXPECT_EQ(renamed(), 0) << (killed ? "killed" : "stopped");
  }
}

// As one of which the topic was deleted while the broker was down.
TEST(Removal, ALogThatNobodyWasServedSinceTheStartGoesAtOnce) {
  World world(1);
  begin(world);
  world.stop();
  world.start();
  world.pump();
  world.remove(*world.storage->logs()[0]);
  world.pump();
  EXPECT_FALSE(any_file(world));
}

}  // namespace
}  // namespace tailwater::log
