// Goal: the audit accepts what a log writes, and finds every kind of damage in segments and indexes; indexes
// made from a segment are those that the log wrote. Method: a log is stopped cleanly; its files are judged
// against its state, whole and with bits turned.
#include "core/log/audit.hpp"

#include <gtest/gtest.h>

#include "core/log/test_world.hpp"

namespace tailwater::log {
namespace {

class AuditTest : public ::testing::Test {
 protected:
  AuditTest() : world(3) {
    world.start_and_recover();
    Log& log = world.create("a", {.index_interval_bytes = 1'000});
    for (int each = 0; each < 40; ++each) {
      EXPECT_TRUE(
          world.append(log, {.value_size = 200, .count = 3, .timestamp = 1'000 + 10 * each}).has_value());
    }
    world.pump();
    world.storage->stop();
    world.pump();
    EXPECT_TRUE(world.storage->stopped());
    state = world.storage->describe(DirId{0}).logs.at(0);
  }

  const Segment& segment() const { return state.segments.at(0); }
  Buffer& content(FileKind kind) { return world.disk.content("a-0/" + segment_name(Offset{0}, kind)); }
  void flip(Buffer& bytes, std::size_t at) { bytes[at] ^= std::byte{0x10}; }

  // What is said of the first batch that is wrong.
  std::string judge() {
    SegmentAudit audit(state, segment());
    records::BatchCursor cursor(content(FileKind::records));
    std::uint64_t at = 0;
    while (const auto batch = cursor.next()) {
      std::string wrong = audit.batch(at, *batch);
      if (!wrong.empty()) return wrong;
      at = cursor.position();
    }
    return at == segment().size ? "" : "no batch";
  }
  std::string judge(FileKind kind) {
    IndexAudit audit(segment(), kind, content(kind));
    records::BatchCursor cursor(content(FileKind::records));
    std::uint64_t at = 0;
    while (const auto batch = cursor.next()) {
      audit.batch(at, *batch);
      at = cursor.position();
    }
    return audit.verdict();
  }

  World world;
  ManifestLog state;
};

TEST_F(AuditTest, WhatALogWroteIsWhole) {
  EXPECT_EQ(judge(), "");
  EXPECT_EQ(judge(FileKind::index), "");
  EXPECT_EQ(judge(FileKind::time_index), "");
}

TEST_F(AuditTest, IndexesMadeFromTheSegmentAreThoseOfTheLog) {
  IndexMaker maker(segment(), 1'000);
  records::BatchCursor cursor(content(FileKind::records));
  std::uint64_t at = 0;
  while (const auto batch = cursor.next()) {
    maker.batch(at, *batch);
    at = cursor.position();
  }
  EXPECT_EQ(maker.state(), segment().stored);
  Buffer index = content(FileKind::index);
  Buffer times = content(FileKind::time_index);
  index.resize(segment().stored.entries * kIndexEntrySize);
  times.resize(segment().stored.time_entries * kTimeEntrySize);
  EXPECT_GT(maker.index().size(), 5 * kIndexEntrySize);
  EXPECT_EQ(maker.index(), index);
  EXPECT_EQ(maker.time_index(), times);
}

TEST_F(AuditTest, EveryBitOfABatchCounts) {
  Buffer& bytes = content(FileKind::records);
  const std::size_t batch = bytes.size() / 40;
  for (std::size_t at = 20 * batch; at < 21 * batch; ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      bytes[at] ^= static_cast<std::byte>(1u << bit);
      ASSERT_NE(judge(), "") << "bit " << bit << " of byte " << at - 20 * batch;
      bytes[at] ^= static_cast<std::byte>(1u << bit);
    }
  }
}

TEST_F(AuditTest, TheSentenceNamesTheOffsets) {
  flip(content(FileKind::records), 100);
  EXPECT_EQ(judge(), "the checksum of the batch of offsets 0 to 2 does not match");
}

TEST_F(AuditTest, ABatchOfAnotherPlaceIsFoundUnlessThereMayBeGaps) {
  Buffer& bytes = content(FileKind::records);
  const auto batch = static_cast<std::ptrdiff_t>(bytes.size() / 40);
  std::copy_n(bytes.begin() + 39 * batch, batch, bytes.begin() + 38 * batch);
  bytes.resize(static_cast<std::size_t>(39 * batch));
  state.segments.at(0).size = bytes.size();
  EXPECT_EQ(judge(), "the batch of offsets 117 to 119 stands where offset 114 was");
  state.segments.at(0).gapless = false;
  EXPECT_EQ(judge(), "");
}

TEST_F(AuditTest, ABatchOfAnotherEpochIsFound) {
  const std::size_t batch = content(FileKind::records).size() / 40;
  records::set_leader_epoch(MutableBytes(content(FileKind::records)).subspan(batch, batch), LeaderEpoch{7});
  EXPECT_EQ(judge(), "the batch of offsets 3 to 5 says leader epoch 7, which was 1 then");
}

TEST_F(AuditTest, EveryByteOfAnIndexCounts) {
  for (const FileKind kind : {FileKind::index, FileKind::time_index}) {
    const std::size_t size = kind == FileKind::index ? segment().stored.entries * kIndexEntrySize
                                                     : segment().stored.time_entries * kTimeEntrySize;
    Buffer& bytes = content(kind);
    for (std::size_t at = 0; at < size; ++at) {
      flip(bytes, at);
      ASSERT_NE(judge(kind), "") << "byte " << at;
      flip(bytes, at);
    }
    bytes.resize(size - 1);
    EXPECT_NE(judge(kind), "");
  }
}

TEST_F(AuditTest, BehindDamageTheNextWholeBatchIsFound) {
  Buffer& bytes = content(FileKind::records);
  const std::size_t batch = bytes.size() / 40;
  EXPECT_EQ(find_batch(bytes, 1, Offset{0}), batch);
  EXPECT_EQ(find_batch(bytes, 1, Offset{30}), 10 * batch);
  EXPECT_EQ(find_batch(bytes, bytes.size() - 10, Offset{0}), bytes.size());
  flip(bytes, batch + 70);
  EXPECT_EQ(find_batch(bytes, 1, Offset{0}), 2 * batch);
}

}  // namespace
}  // namespace tailwater::log
