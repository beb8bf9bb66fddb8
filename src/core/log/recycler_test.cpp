// Goal: files of removed segments become files of new ones, with not one of their old bytes, whenever the
// power goes; never more of them than the bound says; and they make room before anybody waits for it. Method:
// a log whose segments are a few blocks is filled and trimmed; names and contents on a disk that complains
// about old bytes under a new name.
#include "core/log/recycler.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/log/segment.hpp"
#include "core/log/test_world.hpp"

namespace tailwater::log {
namespace {

constexpr LogConfig kConfig{.segment_bytes = 20'000, .file_delete_delay_ms = 0};

class RecyclerTest : public ::testing::Test {
 protected:
  RecyclerTest() : world(1) {
    world.options.recycle_bytes = 64 << 10;
    world.options.flush_run_bytes = 1;
  }

  // Five segments and the beginning of a sixth.
  void fill(Log& log) {
    for (int each = 0; each < 52; ++each) {
      ASSERT_TRUE(world.append(log, {.value_size = 1'900}).has_value());
      world.pump();
    }
  }
  void trim(Log& log) {
    world.storage->set_log_start(log, log.durable_end());
    world.pump();
  }
  std::vector<std::string> kept(std::string_view suffix = "") const {
    std::vector<std::string> found;
    for (const std::string& path : world.disk.paths()) {
      if (path.starts_with("recycled/") && path.ends_with(suffix)) found.push_back(path);
    }
    return found;
  }
  const DirReport& report() const { return world.storage->report(DirId{0}); }
  void verify() {
    world.verify();
    EXPECT_EQ(report().failure.message, "");
  }

  World world;
};

TEST_F(RecyclerTest, ARetiredFileIsBlankedAndBecomesThatOfALaterSegment) {
  world.start_and_recover();
  Log& log = world.create("a", kConfig);
  fill(log);
  EXPECT_TRUE(kept().empty());
  trim(log);
  const std::vector<std::string> blank = kept(".blank");
  ASSERT_EQ(blank.size(), 3u) << "of 20 KiB each, in 64";
  EXPECT_EQ(kept(), blank);
  for (const std::string& path : blank) {
    const Buffer& content = world.disk.content(path);
    EXPECT_EQ(content.size(), 20'480u);
    EXPECT_TRUE(std::ranges::all_of(content, [](std::byte byte) { return byte == std::byte{0}; }));
  }
  EXPECT_EQ(report().recycle_bytes, 3 * 20'480u);
  fill(log);
  EXPECT_EQ(report().recycled_segments, 3u);
  EXPECT_TRUE(kept().empty());
  EXPECT_EQ(report().recycle_bytes, 0u);
  verify();
  world.crash();
  world.start_and_recover();
  verify();
  world.stop();
  std::size_t in_files = 0;
  for (const std::string& path : world.disk.paths()) {
    if (path.ends_with(".log")) in_files += world.disk.content(path).size();
  }
  std::size_t appended = 0;
  for (const auto& batch : world.models.begin()->second.batches) {
    if (batch.last >= Offset{50}) appended += batch.bytes.size();
  }
  EXPECT_EQ(in_files, appended) << "files end exactly";
}

TEST_F(RecyclerTest, AfterACrashAnywhereWhatIsCalledBlankIs) {
  for (std::uint64_t seed = 1; seed <= 60 && !HasFailure(); ++seed) {
    World crashing(seed);
    crashing.options.recycle_bytes = 64 << 10;
    crashing.options.flush_run_bytes = 1;
    crashing.start_and_recover();
    Log& log = crashing.create("a", kConfig);
    for (int each = 0; each < 52; ++each) {
      ASSERT_TRUE(crashing.append(log, {.value_size = 1'900}).has_value());
      crashing.pump();
    }
    crashing.storage->set_log_start(log, log.durable_end());
    for (std::uint64_t steps = seed; steps > 0; --steps) crashing.step();
    crashing.crash();
    for (const std::string& path : crashing.disk.paths()) {
      if (!path.ends_with(".blank")) continue;
      EXPECT_TRUE(std::ranges::all_of(crashing.disk.content(path),
                                      [](std::byte byte) { return byte == std::byte{0}; }))
          << path << " after " << seed << " steps";
    }
    crashing.start_and_recover();
    for (int each = 0; each < 52; ++each) {
      ASSERT_TRUE(crashing.append(crashing.log("a"), {.value_size = 1'900}).has_value());
      crashing.pump();
    }
    crashing.verify();
  }
}

TEST_F(RecyclerTest, AnUncleanStopLosesNoneOfThem) {
  world.start_and_recover();
  Log& log = world.create("a", kConfig);
  fill(log);
  world.storage->set_log_start(log, log.durable_end());
  while (kept().empty()) world.step();
  ASSERT_EQ(kept(".blank").size(), 0u) << "one is on its way";
  world.kill();
  world.start_and_recover();
  EXPECT_EQ(kept(), kept(".blank"));
  ASSERT_GE(kept().size(), 1u);
  const std::size_t before = kept().size();
  fill(world.log("a"));
  // The segment that was the last one then has a file; it is known to have been full only in this run.
  EXPECT_GE(report().recycled_segments, 1u);
  EXPECT_LT(kept().size(), before);
  verify();
}

TEST_F(RecyclerTest, WithoutZeroingTheyAreRemovedAsEver) {
  world.disk.can_zero = false;
  world.start_and_recover();
  Log& log = world.create("a", kConfig);
  fill(log);
  trim(log);
  EXPECT_TRUE(kept().empty());
  fill(log);
  trim(log);
  EXPECT_TRUE(kept().empty());
  EXPECT_EQ(report().recycled_segments, 0u);
  EXPECT_FALSE(world.disk.exists(log.identity().topic + "-0/" + segment_name(Offset{0}, FileKind::records)));
  verify();
}

TEST_F(RecyclerTest, ALowerBoundRemovesTheSurplusAndNoBoundLeavesThemAlone) {
  world.start_and_recover();
  Log& log = world.create("a", kConfig);
  fill(log);
  trim(log);
  world.stop();
  ASSERT_EQ(kept().size(), 2u) << "of three: the last segment has one";
  world.options.recycle_bytes.reset();
  world.start_and_recover();
  EXPECT_EQ(kept().size(), 2u);
  world.stop();
  world.options.recycle_bytes = 25'000;
  world.start_and_recover();
  EXPECT_EQ(kept().size(), 1u);
  world.stop();
  world.options.recycle_bytes = 0;
  world.start_and_recover();
  EXPECT_TRUE(kept().empty());
  fill(world.log("a"));
  trim(world.log("a"));
  EXPECT_TRUE(kept().empty());
  verify();
}

TEST_F(RecyclerTest, OfADeletedTopicTheyAreKeptToo) {
  world.start_and_recover();
  Log& log = world.create("a", kConfig);
  fill(log);
  world.remove(log);
  world.pump();
  EXPECT_GE(kept(".blank").size(), 3u);
  EXPECT_EQ(kept(), kept(".blank"));
  for (const std::string& path : world.disk.paths()) EXPECT_FALSE(path.starts_with("a-0")) << path;
  Log& next = world.create("b", kConfig);
  fill(next);
  EXPECT_GE(report().recycled_segments, 1u);
  verify();
}

TEST_F(RecyclerTest, ALogThatNeverFilledASegmentGetsNoLargeFile) {
  world.start_and_recover();
  Log& log = world.create("a", kConfig);
  fill(log);
  trim(log);
  Log& other = world.create("other", {.segment_bytes = 1 << 20});
  const auto let_the_journal_go_round = [&] {
    for (int each = 0; each < 60; ++each) {
      ASSERT_TRUE(world.append(other, {.value_size = 500}).has_value());
      world.pump();
    }
  };
  let_the_journal_go_round();
  const std::size_t before = kept().size();
  ASSERT_GT(before, 0u);
  Log& small = world.create("small", kConfig);
  for (int each = 0; each < 3; ++each) ASSERT_TRUE(world.append(small, {.value_size = 1'900}).has_value());
  let_the_journal_go_round();
  ASSERT_TRUE(world.disk.exists("small-0/" + segment_name(Offset{0}, FileKind::records)));
  EXPECT_EQ(kept().size(), before);
}

TEST_F(RecyclerTest, AFileThatSomebodyElseHasTakenIsNoError) {
  world.start_and_recover();
  Log& log = world.create("a", kConfig);
  fill(log);
  trim(log);
  ASSERT_EQ(kept().size(), 3u);
  for (const std::string& path : kept()) world.disk.lose(path);
  fill(log);
  EXPECT_EQ(report().recycled_segments, 0u);
  verify();
}

TEST_F(RecyclerTest, OnAFullDiskTheyMakeRoomBeforeAnybodyWaits) {
  world.start_and_recover();
  Log& log = world.create("a", kConfig);
  fill(log);
  trim(log);
  ASSERT_EQ(kept().size(), 3u);
  Log& other = world.create("other", {.segment_bytes = 1 << 20});
  world.disk.no_room = true;
  int appended = 0;
  while (!kept().empty()) {
    ASSERT_LT(appended, 500);
    ASSERT_EQ(report().state, DirState::online);
    ASSERT_TRUE(world.append(other, {.value_size = 900}).has_value());
    ++appended;
    world.step();
  }
  world.disk.no_room = false;
  for (int each = 0; each < 100; ++each) {
    ASSERT_FALSE(world.storage->held_back(DirId{0}));
    world.advance(Duration::from_ms(1));
    world.step();
  }
  world.pump();
  EXPECT_TRUE(world.disk.exists("other-0/" + segment_name(Offset{0}, FileKind::records)));
  // A disk that was full gets no new ones for a while.
  fill(log);
  trim(log);
  EXPECT_TRUE(kept().empty());
  world.advance(Duration::from_ms(61'000));
  fill(log);
  trim(log);
  EXPECT_FALSE(kept().empty());
  verify();
}

TEST_F(RecyclerTest, WithoutAnythingToGiveAFullDiskIsSaidAtOnce) {
  world.start_and_recover();
  world.pump();
  Log& log = world.create("a", kConfig);
  world.disk.no_room = true;
  for (int each = 0; each < 100 && report().state == DirState::online; ++each) {
    ASSERT_TRUE(world.append(log, {.value_size = 1'900}).has_value());
    for (int step = 0; step < 30; ++step) {
      world.advance(Duration::from_ms(1));
      world.step();
    }
  }
  EXPECT_EQ(report().state, DirState::full);
  world.disk.no_room = false;
  world.advance(Duration::from_ms(1'000));
  world.pump();
  EXPECT_EQ(report().state, DirState::online);
  verify();
}

}  // namespace
}  // namespace tailwater::log
