// Goal: on a full disk a directory loses nothing and stays online, and goes on by itself when there is room.
// Method: small scripts on a disk that finds no room, for everything or for one kind of operation.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/journal/superblock.hpp"
#include "core/log/log_state.hpp"
#include "core/log/test_world.hpp"

namespace tailwater::log {
namespace {

TEST(FullDisk, ALogThatIsRemovedOnAFullDiskGoesWhenThereIsRoomForItsNewName) {
  World world(17);
  world.start_and_recover();
  ASSERT_TRUE(world.append(world.create("a"), {}).has_value());
  world.stop();
  world.start_and_recover();
  Log& log = *world.storage->logs()[0];
  Log& other = world.create("b");
  const std::string folder = state_of(log).folder();
  const auto in_folder = [&](const std::string& path) { return path.starts_with(folder + "/"); };
  ASSERT_TRUE(std::ranges::any_of(world.disk.paths(), in_folder));
  world.disk.failing = folder;
  world.disk.failing_kind = DiskOpKind::rename;
  world.disk.failing_code = Errc::out_of_space;
  world.remove(log);
  world.pump();
  ASSERT_NE(world.storage->report(DirId{0}).state, DirState::offline)
      << world.storage->report(DirId{0}).failure.message;
  ASSERT_TRUE(world.append(other, {}).has_value()) << "others go on";
  world.pump();
  world.disk.failing.clear();
  world.advance(world.options.full_retry_interval);
  world.pump();
  EXPECT_TRUE(std::ranges::none_of(world.disk.paths(), in_folder)) << "it has not got its new name";
  world.verify();
}

TEST(FullDisk, ACleanStopOnAFullDiskWaitsForRoom) {
  World world(16);
  world.options.flush_run_bytes = 1;
  world.start_and_recover();
  Log& log = world.create("a");
  // So little that its index has no entry yet, and no file.
  ASSERT_TRUE(world.append(log, {}).has_value());
  world.pump();
  world.disk.no_room = true;
  world.storage->stop();
  world.pump();
  EXPECT_EQ(world.storage->report(DirId{0}).state, DirState::full)
      << world.storage->report(DirId{0}).failure.message;
  world.disk.no_room = false;
  world.advance(world.options.full_retry_interval);
  world.stop();
  world.start_and_recover();
  EXPECT_TRUE(world.storage->report(DirId{0}).clean_start);
  world.verify();
}

std::vector<std::string> manifests(const World& world) {
  std::vector<std::string> paths = world.disk.paths();
  std::erase_if(paths, [](const std::string& path) { return !path.starts_with("manifest/"); });
  return paths;
}

TEST(FullDisk, TheManifestThatFindsNoRoomGetsThatOfTheOneBeforeTheLast) {
  World world(21);
  world.start_and_recover();
  ASSERT_TRUE(world.append(world.create("a"), {}).has_value());
  for (int each = 0; each < 2; ++each) {
    world.pump();
    world.stop();
    world.start_and_recover();
  }
  const std::vector<std::string> before = manifests(world);
  ASSERT_EQ(before.size(), 2u);
  world.disk.failing = "manifest/";
  world.disk.failing_kind = DiskOpKind::replace;
  world.disk.failing_code = Errc::out_of_space;
  world.storage->stop();
  for (int steps = 0; steps < 1'000 && world.disk.exists(before[0]); ++steps) world.step();
  EXPECT_EQ(manifests(world), std::vector{before[1]}) << "the last one has to stay";
  world.disk.failing.clear();
  // Not even a moment later.
  world.stop();
  EXPECT_EQ(manifests(world).size(), 2u);
  world.start_and_recover();
  EXPECT_TRUE(world.storage->report(DirId{0}).clean_start);
  world.verify();
}

TEST(FullDisk, ManifestsThatFindNoRoomLeaveNoOlderOneBehind) {
  World world(22);
  world.start_and_recover();
  ASSERT_TRUE(world.append(world.create("a"), {}).has_value());
  world.pump();
  world.stop();
  world.start_and_recover();
  world.disk.failing = "manifest/";
  world.disk.failing_kind = DiskOpKind::replace;
  world.disk.failing_code = Errc::out_of_space;
  world.storage->stop();
  for (int each = 0; each < 3; ++each) {
    world.pump();
    ASSERT_FALSE(world.storage->stopped());
    EXPECT_EQ(manifests(world).size(), 1u);
    world.advance(world.options.full_retry_interval);
  }
  world.disk.failing.clear();
  for (int each = 0; each < 3; ++each) {
    world.stop();
    EXPECT_EQ(manifests(world).size(), 2u);
    world.start_and_recover();
    EXPECT_TRUE(world.storage->report(DirId{0}).clean_start);
  }
  world.verify();
}

// A disk that says a superblock was written which did not come to its place: the one before it would count, and names the
// manifest before the last.
TEST(FullDisk, TheManifestBeforeTheLastStaysUntilTheSuperblockIsSeenInItsPlace) {
  World world(23);
  world.start_and_recover();
  Log& log = world.create("a");
  const std::string ring = "journal/0.jnl";
  const auto head = [&] {
    const Buffer& content = world.disk.content(ring);
    return Buffer(content.begin(), content.begin() + journal::kRingStart);
  };
  const auto generation = [&] {
    journal::Superblock superblock;
    EXPECT_EQ(journal::read_ring_head(head(), superblock), journal::RingHead::formatted);
    return superblock.manifest_generation;
  };
  Buffer before;
  const std::uint64_t first = generation();
  while (generation() < first + 3) {
    before = head();
    ASSERT_TRUE(world.append(log, {.value_size = 2'000}).has_value());
    world.pump();
  }
  Buffer content = world.disk.content(ring);
  std::copy(before.begin(), before.end(), content.begin());
  world.disk.set_content(ring, std::move(content));
  ASSERT_EQ(generation(), first + 2) << "the last is lost";

  world.disk.failing = "manifest/";
  world.disk.failing_kind = DiskOpKind::replace;
  world.disk.failing_code = Errc::out_of_space;
  world.storage->stop();
  world.pump();
  EXPECT_EQ(generation(), first + 3) << "it is written again";
  world.advance(world.options.full_retry_interval);
  world.pump();
  EXPECT_EQ(manifests(world).size(), 1u) << "and its place is given away then";
  world.disk.failing.clear();
  world.crash();
  world.start_and_recover();
  EXPECT_EQ(world.storage->report(DirId{0}).state, DirState::online)
      << world.storage->report(DirId{0}).failure.message;
  world.verify();
}

// A flush that finds no room asks for it again and again; what would make some must not wait for it.
class AFlushWithoutRoom : public ::testing::Test {
 protected:
  static constexpr LogConfig kConfig{.segment_bytes = 20'000, .file_delete_delay_ms = 0};

  // Segments in their files, more than one in memory, and a flush that is stuck.
  AFlushWithoutRoom() : world(24) {
    world.options.flush_run_bytes = 1;
    world.options.recycle_bytes = 0;
    world.start_and_recover();
    log = &world.create("a", kConfig);
    fill();
    first = world.disk.paths();
    std::erase_if(first, [](const std::string& path) { return !path.starts_with("a-0/"); });
    world.disk.no_room = true;
    for (int each = 0; each < 100 && report().state == DirState::online; ++each) {
      EXPECT_TRUE(world.append(*log, {.value_size = 1'900}).has_value());
      pass();
    }
    EXPECT_EQ(report().state, DirState::full);
  }
  void fill() {
    for (int each = 0; each < 42; ++each) {
      EXPECT_TRUE(world.append(*log, {.value_size = 1'900}).has_value());
      world.pump();
    }
  }
  void pass() {
    for (int step = 0; step < 30; ++step) {
      world.advance(Duration::from_ms(1));
      world.step();
    }
  }
  const DirReport& report() const { return world.storage->report(DirId{0}); }
  void goes_on() {
    world.disk.no_room = false;
    world.advance(world.options.full_retry_interval);
    world.pump();
    EXPECT_EQ(report().state, DirState::online) << report().failure.message;
  }

  World world;
  Log* log = nullptr;
  std::vector<std::string> first;
};

TEST_F(AFlushWithoutRoom, LetsRetentionRemoveOldSegments) {
  const std::string oldest = "a-0/" + segment_name(Offset{0}, FileKind::records);
  ASSERT_TRUE(world.disk.exists(oldest));
  world.storage->set_log_start(*log, Offset{20});
  for (int each = 0; each < 5; ++each) pass();
  EXPECT_FALSE(world.disk.exists(oldest));
  EXPECT_TRUE(world.disk.exists(first.back())) << first.back();
  goes_on();
  fill();
  world.verify();
  world.stop();
  world.start_and_recover();
  world.verify();
}

TEST_F(AFlushWithoutRoom, LetsItsTopicBeRemoved) {
  Log& other = world.create("b", kConfig);
  ASSERT_TRUE(world.append(other, {.value_size = 1'900}).has_value());
  world.remove(*log);
  for (int each = 0; each < 5; ++each) {
    world.advance(world.options.full_retry_interval);
    pass();
  }
  for (const std::string& path : world.disk.paths()) EXPECT_FALSE(path.starts_with("a-0")) << path;
  goes_on();
  world.verify();
  world.crash();
  world.start_and_recover();
  world.verify();
}

}  // namespace
}  // namespace tailwater::log
