// Goal: the snapshots of the producers are where Kafka has them, say what was known there, and go when they
// are outdated; no file is made before its segment is flushed. Method: a log of three batches a segment;
// names and contents of the files after stops, kills, and retention.
#include <gtest/gtest.h>

#include <vector>

#include "core/log/segment.hpp"
#include "core/log/test_world.hpp"

namespace tailwater::log {
namespace {

class SnapshotFilesTest : public ::testing::Test {
 protected:
  SnapshotFilesTest() : world(1) {
    world.start_and_recover();
    world.create("a", {.segment_bytes = 1'000});
  }

  void append(std::int64_t producer) {
    const std::int32_t sequence = producer < 0 ? -1 : sequences[static_cast<std::size_t>(producer)]++;
    const BatchSpec spec{.value_size = 200, .producer = ProducerId{producer}, .sequence = sequence};
    ASSERT_TRUE(world.append(world.log("a"), spec).has_value());
  }
  std::vector<std::int64_t> snapshots() const {
    std::vector<std::int64_t> found;
    for (const std::string& path : world.disk.paths()) {
      if (!path.starts_with("a-0/")) continue;
      if (const auto at = offset_in_name(path.substr(4), FileKind::snapshot)) found.push_back(at->value);
    }
    return found;
  }
  // The ids and last offsets in the snapshot there.
  std::vector<std::pair<std::int64_t, std::int64_t>> producers_at(std::int64_t offset) {
    const Buffer& bytes = world.disk.content("a-0/" + segment_name(Offset{offset}, FileKind::snapshot));
    std::vector<std::pair<std::int64_t, std::int64_t>> found;
    for (std::size_t at = 10; at < bytes.size(); at += 46) {
      found.emplace_back(load_big<std::int64_t>(bytes.data() + at),
                         load_big<std::int64_t>(bytes.data() + at + 14));
    }
    return found;
  }

  World world;
  std::int32_t sequences[3] = {};
};

using Producers = std::vector<std::pair<std::int64_t, std::int64_t>>;
using Offsets = std::vector<std::int64_t>;

TEST_F(SnapshotFilesTest, OneOfWhereEachSegmentBeginsAndOneOfTheEnd) {
  for (int each = 0; each < 3; ++each) append(1);
  append(2);
  world.pump();
  EXPECT_EQ(world.log("a").durable_end(), Offset{4});
  for (const std::string& path : world.disk.paths())
    EXPECT_FALSE(path.starts_with("a-0/")) << path << " was made though nothing was flushed";
  world.stop();
  ASSERT_EQ(snapshots(), (Offsets{3, 4}));
  EXPECT_EQ(producers_at(3), (Producers{{1, 2}})) << "what was known when the segment began";
  EXPECT_EQ(producers_at(4), (Producers{{1, 2}, {2, 3}}));
  EXPECT_EQ(world.disk.complaints(), std::vector<std::string>{});
}

TEST_F(SnapshotFilesTest, ARollIsWrittenWhileTheLogGoesOn) {
  world.stop();
  world.options.flush_run_bytes = 1;
  world.options.flush_round_bytes = 4'096;
  world.start_and_recover();
  for (int each = 0; each < 40; ++each) {
    append(1);
    world.pump();
  }
  const Offsets found = snapshots();
  ASSERT_FALSE(found.empty());
  for (const std::int64_t at : found) {
    EXPECT_EQ(at % 3, 0);
    EXPECT_EQ(producers_at(at), (Producers{{1, at - 1}}));
  }
}

TEST_F(SnapshotFilesTest, TheNextStopRemovesThatOfTheOneBefore) {
  for (int each = 0; each < 4; ++each) append(1);
  world.stop();
  world.start_and_recover();
  append(1);
  world.stop();
  EXPECT_EQ(snapshots(), (Offsets{3, 5}));
  EXPECT_EQ(producers_at(5), (Producers{{1, 4}}));
  // A stop without anything new leaves all as it is.
  world.start_and_recover();
  world.stop();
  EXPECT_EQ(snapshots(), (Offsets{3, 5}));
}

TEST_F(SnapshotFilesTest, AKillInBetweenLeavesNone) {
  for (int each = 0; each < 4; ++each) append(1);
  world.stop();
  for (int kills = 0; kills < 2; ++kills) {
    world.start_and_recover();
    append(1);
    world.pump();
    world.kill();
  }
  world.start_and_recover();
  append(2);
  world.stop();
  EXPECT_EQ(snapshots(), (Offsets{3, 6, 7}));
  EXPECT_EQ(producers_at(6), (Producers{{1, 5}})) << "the replay knows what was known at the roll";
  EXPECT_EQ(producers_at(7), (Producers{{1, 5}, {2, 6}}));
}

TEST_F(SnapshotFilesTest, ASegmentTakesItsSnapshotWithIt) {
  for (int each = 0; each < 7; ++each) append(1);
  world.stop();
  ASSERT_EQ(snapshots(), (Offsets{3, 6, 7}));
  world.start_and_recover();
  world.storage->set_log_start(world.log("a"), Offset{6});
  world.pump();
  EXPECT_EQ(snapshots(), (Offsets{3, 6, 7})) << "not before file.delete.delay.ms";
  world.advance(Duration::from_ms(60'001));
  world.pump();
  EXPECT_EQ(snapshots(), (Offsets{6, 7}));
}

TEST_F(SnapshotFilesTest, WhereNoProducerIsKnownThereIsNone) {
  for (int each = 0; each < 7; ++each) append(-1);
  world.stop();
  EXPECT_EQ(snapshots(), Offsets{});
}

}  // namespace
}  // namespace tailwater::log
