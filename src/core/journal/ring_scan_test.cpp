// Goal: a scan gives exactly the frames that were written whole, tells a torn end from damage, and never
// takes a frame of an earlier lap, incarnation or place. Method: small rings in memory; every tear, every
// damaged block, many laps.
#include "core/journal/ring_scan.hpp"

#include <gtest/gtest.h>

#include "core/journal/ring_test.hpp"

namespace tailwater::journal {
namespace {

using Texts = std::vector<std::string>;

TEST(RingScanTest, AnEmptyRing) {
  TestRing ring(16, 4);
  const auto found = ring.scan();
  EXPECT_TRUE(found.texts.empty());
  EXPECT_FALSE(found.damaged);
  EXPECT_EQ(found.end, Lsn{0});
}

TEST(RingScanTest, EveryTearOfTheLastFrameIsATornEnd) {
  const std::string text(2 * kBlock, 'z');
  for (std::size_t landed = 0; landed < 3 * kBlock; landed += 64) {
    TestRing ring(16, 4);
    ring.append("one");
    ring.append("two");
    const auto torn = ring.form(text);
    ASSERT_EQ(torn.bytes.size(), 3 * kBlock);
    ring.write(torn, landed);
    const auto found = ring.scan();
    EXPECT_EQ(found.damaged, false);
    // Only the padding behind the payload may be missing.
    const bool whole = landed >= kFrameHeaderSize + torn.payload;
    EXPECT_EQ(found.texts.size(), whole ? 3u : 2u) << landed;
    EXPECT_EQ(found.end, whole ? ring.writer_.next() : torn.lsn);
  }
}

TEST(RingScanTest, EveryByteOfATornFrameCounts) {
  TestRing ring(16, 4);
  ring.append("one");
  const auto last = ring.append("two");
  for (std::size_t at = 0; at < kFrameHeaderSize + last.payload; ++at) {
    auto& byte = ring.image_[last.position + at];
    byte ^= std::byte{0x40};
    EXPECT_EQ(ring.scan().texts, Texts{"one"}) << at;
    byte ^= std::byte{0x40};
  }
  EXPECT_EQ(ring.scan().texts, (Texts{"one", "two"}));
}

TEST(RingScanTest, WhatIsCutOffIsAsIfItHadNeverBeenWritten) {
  TestRing ring(16, 4);
  const auto first = ring.append("one");
  const auto second = ring.form("two");
  ring.write(second);
  const auto third = ring.form("three");
  ring.write(third);
  RingScan scan(ring.superblock_);
  while (const auto range = scan.wanted())
    scan.feed(Bytes(ring.image_).subspan(range->position, range->size),
              [](const FrameHeader&, EntryCursor) { return true; });
  ASSERT_EQ(scan.frames(), 3u);
  ASSERT_EQ(scan.unsettled().size(), 2u);
  scan.cut(second.lsn);
  EXPECT_EQ(scan.end(), second.lsn);
  EXPECT_EQ(scan.frames(), 1u);
  EXPECT_TRUE(scan.unsettled().empty());
  // Goes on there, behind a jump as after any unclean stop, and is read back so.
  const std::uint32_t prev_crc = scan.prev_header_crc();
  ring.superblock_.jumps.push_back({second.lsn, second.lsn + 4 * kBlock});
  ring.reopen(second.lsn + 4 * kBlock, prev_crc, {{first.lsn, 0}});
  ring.append("four");
  EXPECT_EQ(ring.scan().texts, (Texts{"one", "four"}));
}

TEST(RingScanTest, ASettledFrameThatIsBadIsDamage) {
  TestRing ring(32, 4);
  std::vector<RingWriter::Frame> frames;
  for (int frame = 0; frame < 6; ++frame) frames.push_back(ring.append(std::to_string(frame)));
  for (std::size_t bad = 0; bad < frames.size(); ++bad) {
    auto& byte = ring.image_[frames[bad].position + kFrameHeaderSize];
    byte ^= std::byte{1};
    const auto found = ring.scan();
    EXPECT_EQ(found.damaged, bad + 1 < frames.size())
        << "rot in the last settled frame cannot be told from a tear";
    EXPECT_EQ(found.end, frames[bad].lsn);
    byte ^= std::byte{1};
  }
}

TEST(RingScanTest, AnUnsettledGapBeforeAWholeFrameIsATornEnd) {
  TestRing ring(32, 4);
  ring.append("one");
  ring.form("never landed");
  const auto second = ring.form("landed, but its predecessor did not");
  ring.write(second);
  const auto found = ring.scan();
  EXPECT_FALSE(found.damaged);
  EXPECT_EQ(found.texts, Texts{"one"});
}

TEST(RingScanTest, ManyLapsWithTrimAtEveryDistance) {
  for (std::uint64_t live = 1; live <= 7; ++live) {
    TestRing ring(8, 3);
    std::deque<std::pair<Lsn, std::string>> model;
    for (int step = 0; step < 60; ++step) {
      const std::string text(step % 3 == 0 ? kBlock + 10 : 10, static_cast<char>('a' + step % 26));
      const std::uint64_t needed = text.size() > kBlock ? 2 * kBlock : kBlock;
      while (!model.empty() && (ring.writer_.room() < needed || model.size() >= live)) {
        const Lsn to = model.size() > 1 ? model[1].first : ring.writer_.next();
        ring.trim(to);
        model.pop_front();
        if (ring.writer_.room() < needed && model.empty()) break;
      }
      // At the end of a lap only a shorter frame fits.
      const std::string fitting = ring.writer_.room() < needed ? "short" : text;
      const auto frame = ring.append(fitting);
      model.emplace_back(frame.lsn, fitting);
      const auto found = ring.scan();
      ASSERT_FALSE(found.damaged);
      Texts expected;
      for (const auto& entry : model) expected.push_back(entry.second);
      ASSERT_EQ(found.texts, expected);
      ASSERT_EQ(found.end, ring.writer_.next());
    }
  }
}

TEST(RingScanTest, AFullRingIsReadOnceRound) {
  TestRing ring(4, 1);
  for (int frame = 0; frame < 4; ++frame) ring.append(std::to_string(frame));
  EXPECT_EQ(ring.scan().texts, (Texts{"0", "1", "2", "3"}));
  ring.trim(Lsn{2 * kBlock});
  ring.append("4");
  ring.append("5");
  EXPECT_EQ(ring.scan().texts, (Texts{"2", "3", "4", "5"}));
}

TEST(RingScanTest, AfterAJumpALateWriteOfTheDeadProcessIsNotRead) {
  TestRing ring(64, 2);
  ring.append("one");
  const auto late = ring.form("in flight when the process died");
  // Recovery cuts at `late`, and goes on one window behind.
  auto found = ring.scan();
  ASSERT_EQ(found.end, late.lsn);
  const Lsn to = found.end + window_bytes(ring.superblock_.frame_bytes_max);
  ring.superblock_.jumps.push_back({found.end, to});
  ++ring.superblock_.incarnation;
  ring.reopen(to, found.prev_crc, found.marks);
  ring.append("two");
  ring.write(late);
  found = ring.scan();
  EXPECT_FALSE(found.damaged);
  EXPECT_EQ(found.texts, (Texts{"one", "two"}));
  EXPECT_EQ(found.end, ring.writer_.next());
}

TEST(RingScanTest, ABadPlaceBeforeAJumpIsDamage) {
  TestRing ring(64, 2);
  const auto one = ring.append("one");
  ring.append("two");
  auto found = ring.scan();
  ring.superblock_.jumps.push_back({found.end, found.end + window_bytes(ring.superblock_.frame_bytes_max)});
  ring.reopen(ring.superblock_.jumps[0].to, found.prev_crc, found.marks);
  ring.image_[one.position] ^= std::byte{1};
  EXPECT_TRUE(ring.scan().damaged);
}

TEST(RingScanTest, TheReceiverMayStop) {
  TestRing ring(16, 2);
  ring.append("one");
  ring.append("two");
  RingScan scan(ring.superblock_);
  const auto range = scan.wanted();
  int frames = 0;
  scan.feed(Bytes(ring.image_).subspan(range->position, range->size), [&](const FrameHeader&, EntryCursor) {
    ++frames;
    return false;
  });
  EXPECT_TRUE(scan.over());
  EXPECT_EQ(frames, 1);
}

// The newer superblock is lost; the older one has an earlier beginning, which a later lap has overwritten.
TEST(RingScanTest, AnOlderSuperblockDoesNotHideALaterLap) {
  TestRing ring(16, 2);
  const Superblock older = ring.superblock_;
  for (int frame = 0; frame < 40; ++frame) {
    const auto written = ring.append(std::to_string(frame));
    ring.trim(written.lsn);
  }
  // Nothing says that it is not the newest: the write of the newer one went astray.
  EXPECT_TRUE(ring.scan(older, RingScan::Trust::newest).damaged);
  EXPECT_TRUE(ring.scan(older, RingScan::Trust::maybe_older).damaged);
  EXPECT_FALSE(ring.scan(ring.superblock_, RingScan::Trust::maybe_older).damaged);
  EXPECT_EQ(ring.scan(ring.superblock_, RingScan::Trust::maybe_older).texts, Texts{"39"});
}

// The newer superblock is lost, and with it where the journal jumped to after a crash.
TEST(RingScanTest, AnOlderSuperblockDoesNotHideAJump) {
  TestRing ring(64, 2);
  ring.append("before");
  const Superblock older = ring.superblock_;
  const auto found = ring.scan();
  const Lsn to = found.end + window_bytes(older.frame_bytes_max);
  ring.superblock_.jumps.push_back({found.end, to});
  ++ring.superblock_.incarnation;
  ring.reopen(found.end, found.prev_crc, found.marks);
  ring.writer_.jump(to);
  ring.append("behind");
  EXPECT_EQ(ring.scan().texts, (Texts{"before", "behind"}));
  // Nothing says that it is not the newest: the write of the newer one went astray.
  EXPECT_TRUE(ring.scan(older, RingScan::Trust::newest).damaged);
  EXPECT_TRUE(ring.scan(older, RingScan::Trust::maybe_older).damaged);
}

// The newer superblock is lost, and with it that the next lap may overwrite the first; there a start had left a gap.
TEST(RingScanTest, AnOlderSuperblockDoesNotHideTheNextLap) {
  for (const int frames : {0, 1, 2, 5}) {
    TestRing ring(16, 2);
    const Lsn to = Lsn{0} + window_bytes(ring.superblock_.frame_bytes_max);
    ring.superblock_.jumps.push_back({Lsn{0}, to});
    ring.writer_.jump(to);
    for (int frame = 0; frame < 8; ++frame) ring.append("lap");
    const Superblock older = ring.superblock_;
    ring.trim(to);
    for (int frame = 0; frame < frames; ++frame) ring.append("next lap");
    // Nothing says that it is not the newest: the write of the newer one went astray.
    const auto found = ring.scan(older, RingScan::Trust::newest);
    EXPECT_EQ(found.texts, Texts(8, "lap"));
    EXPECT_EQ(found.damaged, frames > 0) << frames;
  }
}

// The newer superblock is lost, and with it that the ring is larger now.
TEST(RingScanTest, AnOlderSuperblockDoesNotHideWhatTheRingGrewBy) {
  for (const std::uint64_t frames_beyond : {0, 1, 2, 9}) {
    TestRing ring(16, 2);
    for (int frame = 0; frame < 14; ++frame) ring.append(std::to_string(frame));
    const Superblock older = ring.superblock_;
    ring.grow(32);
    for (std::uint64_t frame = 14; frame < 16 + frames_beyond; ++frame) ring.append(std::to_string(frame));
    for (const auto trust : {RingScan::Trust::newest, RingScan::Trust::maybe_older}) {
      const auto found = ring.scan(older, trust);
      EXPECT_EQ(found.texts.size(), 16u);
      EXPECT_EQ(found.damaged, frames_beyond > 0) << frames_beyond;
    }
  }
}

// A ring that was empty may grow wherever it stands, and go on behind where all of it ended before.
TEST(RingScanTest, AnOlderSuperblockDoesNotHideWhatAnEmptyRingGrewBy) {
  for (std::uint64_t before = 1; before < 40; ++before) {
    TestRing ring(8, 2);
    for (std::uint64_t frame = 0; frame < before; ++frame) {
      ring.append("before");
      ring.trim(ring.writer_.next());
    }
    const Superblock older = ring.superblock_;
    ring.grow(32);
    ring.append("behind");
    const auto found = ring.scan(older, RingScan::Trust::maybe_older);
    EXPECT_TRUE(found.damaged || found.texts == Texts{"behind"}) << before;
    EXPECT_EQ(found.damaged, before % 32 >= 8) << before;
  }
}

}  // namespace
}  // namespace tailwater::journal
