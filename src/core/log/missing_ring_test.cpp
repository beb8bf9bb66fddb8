// Goal: a ring that is gone, or of which only zeros are left, is never taken for one that was not made yet while
// manifests say that it was: the directory stays offline, and nothing in it is touched. Method: a directory of
// several checkpoints whose ring is lost or blanked between two starts, and then brought back.
#include <gtest/gtest.h>

#include <algorithm>

#include "core/journal/format.hpp"
#include "core/log/test_world.hpp"

namespace tailwater::log {
namespace {

constexpr const char* kHardRing = "journal/0.jnl";
constexpr const char* kSoftRing = "journal/0-os.jnl";

class MissingRingTest : public testing::TestWithParam<const char*> {
 protected:
  MissingRingTest() {
    world.options.os_ring = true;
    world.start_and_recover();
  }
  bool soft() const { return GetParam() == std::string(kSoftRing); }
  // Several checkpoints of the ring, and records behind the last.
  void write() {
    LogConfig config;
    config.os_durable = soft();
    Log& log = world.create("t", config);
    world.pump();
    for (int batches = 0; batches < 120; ++batches) {
      ASSERT_TRUE(world.append(log, {.value_size = 8'000}).has_value());
      world.pump();
    }
    const std::string first = std::string("manifest/0") + (soft() ? "-os" : "") + "-1";
    ASSERT_FALSE(world.disk.exists(first)) << "its first manifests are gone";
  }
  std::map<std::string, Buffer> files() {
    std::map<std::string, Buffer> all;
    for (const std::string& path : world.disk.paths()) all[path] = world.disk.content(path);
    return all;
  }
  // Starts twice: what a start does about it must not change what the next one sees.
  void expect_offline(const std::string& why) {
    const auto before = files();
    for (int starts = 0; starts < 2; ++starts) {
      world.start();
      world.pump();
      const DirReport& report = world.storage->report(DirId{0});
      EXPECT_EQ(report.state, DirState::offline);
      EXPECT_NE(report.failure.message.find(why), std::string::npos) << report.failure.message;
      EXPECT_NE(report.failure.message.find("manifest/0-"), std::string::npos) << report.failure.message;
      world.kill();
      EXPECT_TRUE(files() == before) << "something was written, or removed";
    }
  }
  void expect_served() {
    world.start_and_recover();
    world.verify();
    EXPECT_EQ(world.storage->logs().size(), 1u);
  }

  World world{11};
};
INSTANTIATE_TEST_SUITE_P(Rings, MissingRingTest, testing::Values(kHardRing, kSoftRing));

TEST_P(MissingRingTest, one_that_is_gone_after_a_clean_stop) {
  write();
  world.stop();
  const Buffer ring = world.disk.content(GetParam());
  world.disk.lose(GetParam());
  expect_offline(std::string(GetParam()) + " is missing");
  world.disk.put(GetParam(), ring);
  expect_served();
}

TEST_P(MissingRingTest, one_that_is_gone_after_a_crash) {
  write();
  world.kill();
  const Buffer ring = world.disk.content(GetParam());
  world.disk.lose(GetParam());
  expect_offline(std::string(GetParam()) + " is missing");
  world.disk.put(GetParam(), ring);
  expect_served();
}

TEST_P(MissingRingTest, one_whose_superblocks_are_blank) {
  write();
  world.stop();
  const Buffer ring = world.disk.content(GetParam());
  Buffer blank = ring;
  std::fill_n(blank.begin(), journal::kRingStart, std::byte{0});
  world.disk.set_content(GetParam(), blank);
  expect_offline(std::string(GetParam()) + " is blank");
  world.disk.set_content(GetParam(), ring);
  expect_served();
}

TEST_P(MissingRingTest, one_of_which_only_the_name_is_left) {
  write();
  world.stop();
  const Buffer ring = world.disk.content(GetParam());
  world.disk.set_content(GetParam(), {});
  expect_offline(std::string(GetParam()) + " is blank");
  world.disk.set_content(GetParam(), ring);
  expect_served();
}

TEST_P(MissingRingTest, one_that_was_stopped_before_it_had_a_second_manifest) {
  LogConfig config;
  config.os_durable = soft();
  Log& log = world.create("t", config);
  world.pump();
  ASSERT_TRUE(world.append(log, {}).has_value());
  world.pump();
  world.stop();
  world.disk.lose(GetParam());
  expect_offline(std::string(GetParam()) + " is missing");
}

TEST(MissingRing, a_soft_one_that_was_never_made_is_not_missed) {
  World world{12};
  world.options.os_ring = true;
  world.start_and_recover();
  Log& log = world.create("t");
  world.pump();
  for (int batches = 0; batches < 120; ++batches) {
    ASSERT_TRUE(world.append(log, {.value_size = 8'000}).has_value());
    world.pump();
  }
  world.stop();
  EXPECT_FALSE(world.disk.exists(kSoftRing));
  world.start_and_recover();
  world.verify();
  EXPECT_FALSE(world.disk.exists(kSoftRing));
  LogConfig config;
  config.os_durable = true;
  world.create("u", config);
  world.pump();
  world.verify();
  EXPECT_TRUE(world.disk.exists(kSoftRing));
}

}  // namespace
}  // namespace tailwater::log
