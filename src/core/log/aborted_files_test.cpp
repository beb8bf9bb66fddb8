// Goal: the indexes of aborted transactions are beside the segments that have their markers, say which these
// are, and go when that is no longer so. Method: transactions of a few producers, half of them aborted, in small
// segments; the files after stops, rolls, truncations and compaction.
#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "core/log/compaction_test_world.hpp"
#include "core/log/segment.hpp"

namespace tailwater::log {
namespace {

constexpr std::size_t kEntry = 34;

class AbortedFilesTest : public ::testing::Test {
 protected:
  AbortedFilesTest() : world(1) { world.config.compact = false; }

  void transaction(std::int64_t producer, records::ControlType type) {
    const Producing how{
        .producer = ProducerId{producer}, .sequence = sequences[producer]++, .transactional = true};
    ASSERT_TRUE(world.append_one("key " + std::to_string(producer), std::string(60, '.'), how));
    ASSERT_TRUE(world.append_marker(ProducerId{producer}, type));
  }
  void alternate(int transactions) {
    for (int each = 0; each < transactions; ++each) {
      transaction(each % 3, each % 2 == 0 ? records::ControlType::commit : records::ControlType::abort);
      if (each % 5 == 0) world.pump();
    }
    world.pump();
  }
  // First offset and marker of each transaction, by the base in the file's name.
  std::map<std::int64_t, std::vector<std::pair<std::int64_t, std::int64_t>>> files() {
    std::map<std::int64_t, std::vector<std::pair<std::int64_t, std::int64_t>>> found;
    for (const std::string& path : world.disk.paths()) {
      if (!path.starts_with("t-0/")) continue;
      const auto base = offset_in_name(path.substr(4), FileKind::aborted);
      if (!base) continue;
      const Buffer& bytes = world.disk.content(path);
      EXPECT_EQ(bytes.size() % kEntry, 0u);
      for (std::size_t at = 0; at < bytes.size(); at += kEntry) {
        found[base->value].emplace_back(load_big<std::int64_t>(bytes.data() + at + 10),
                                        load_big<std::int64_t>(bytes.data() + at + 18));
      }
    }
    return found;
  }
  std::vector<std::int64_t> bases() const {
    std::vector<std::int64_t> found;
    for (const std::string& path : world.disk.paths()) {
      if (!path.starts_with("t-0/")) continue;
      if (const auto base = offset_in_name(path.substr(4), FileKind::records)) found.push_back(base->value);
    }
    return found;
  }
  std::vector<std::int64_t> markers_of_aborts() const {
    std::vector<std::int64_t> markers;
    for (const KeyedWorld::Batch& batch : world.model) {
      if (batch.marker == records::ControlType::abort) markers.push_back(batch.base.value);
    }
    return markers;
  }
  // Every marker is in the file of its segment, once.
  void expect_all_listed() {
    std::vector<std::int64_t> listed;
    const std::vector<std::int64_t> segments = bases();
    for (const auto& [base, transactions] : files()) {
      const auto next = std::ranges::upper_bound(segments, base);
      for (const auto& [first, marker] : transactions) {
        EXPECT_EQ(first, marker - 1);
        EXPECT_GE(marker, base);
        if (next != segments.end()) {
          EXPECT_LT(marker, *next);
        }
        listed.push_back(marker);
      }
    }
    EXPECT_EQ(listed, markers_of_aborts());
  }

  KeyedWorld world;
  std::map<std::int64_t, std::int32_t> sequences;
};

TEST_F(AbortedFilesTest, ACleanStopLeavesThemAll) {
  world.start();
  alternate(60);
  EXPECT_TRUE(files().empty()) << "nothing was flushed yet";
  world.stop();
  EXPECT_GT(bases().size(), 2u);
  expect_all_listed();
  // What follows is added.
  world.start();
  alternate(31);
  world.stop();
  expect_all_listed();
}

TEST_F(AbortedFilesTest, AFullSegmentHasItsWhileTheLogGoesOn) {
  world.options.flush_run_bytes = 1;
  world.options.flush_round_bytes = 4'096;
  world.start();
  alternate(120);
  const auto found = files();
  ASSERT_GT(found.size(), 1u);
  EXPECT_FALSE(found.contains(bases().back())) << "it takes more of them";
  world.end(true);
  world.start();
  alternate(6);
  world.stop();
  expect_all_listed();
}

TEST_F(AbortedFilesTest, WhereNothingWasAbortedThereIsNone) {
  world.start();
  for (int each = 0; each < 60; ++each) transaction(1, records::ControlType::commit);
  world.stop();
  EXPECT_TRUE(files().empty());
}

TEST_F(AbortedFilesTest, WhatATruncationTookIsNotListed) {
  world.start();
  transaction(1, records::ControlType::commit);
  transaction(1, records::ControlType::abort);
  world.stop();
  ASSERT_EQ(files().size(), 1u);
  world.start();
  world.truncate(Offset{3});
  ASSERT_TRUE(world.append_marker(ProducerId{1}, records::ControlType::commit));
  world.stop();
  EXPECT_TRUE(files().empty());
}

TEST_F(AbortedFilesTest, ACompactedSegmentListsWhatItStillHas) {
  world.config.compact = true;
  world.start();
  alternate(120);
  world.compact();
  world.advance(Duration::from_ms(61'000));  // the files of the old segments go
  world.pump();
  std::vector<AbortedTransaction> known;
  world.storage->aborted_transactions(world.log(), Offset{0}, world.log().end_offset(), known);
  ASSERT_FALSE(known.empty());
  world.stop();
  std::vector<std::int64_t> listed;
  for (const auto& [base, transactions] : files()) {
    for (const auto& [first, marker] : transactions) listed.push_back(first);
  }
  std::vector<std::int64_t> wanted;
  for (const AbortedTransaction& each : known) wanted.push_back(each.first_offset.value);
  EXPECT_EQ(listed, wanted);
}

}  // namespace
}  // namespace tailwater::log
