// Goal: the writer's arithmetic of addresses, room and durability. Method: small rings, every order of
// completion.
#include "core/journal/ring_writer.hpp"

#include <gtest/gtest.h>

#include "core/journal/ring_test.hpp"

namespace tailwater::journal {
namespace {

TEST(RingWriterTest, DurableFollowsTheOldestFrameInFlight) {
  const std::vector<std::vector<int>> orders = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                                {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  for (const auto& order : orders) {
    TestRing ring(64, 4);
    std::vector<Lsn> frames;
    for (const char* text : {"a", "b", "c"}) frames.push_back(ring.form(text).lsn);
    std::vector<bool> done(3, false);
    for (const int frame : order) {
      ring.writer_.completed(frames[static_cast<std::size_t>(frame)]);
      done[static_cast<std::size_t>(frame)] = true;
      Lsn expected = ring.writer_.next();
      for (std::size_t each = 3; each-- > 0;) {
        if (!done[each]) expected = frames[each];
      }
      EXPECT_EQ(ring.writer_.durable(), expected);
    }
  }
}

TEST(RingWriterTest, AFrameEndsAtTheEndOfTheLapAndNeverOverwritesWhatIsLive) {
  TestRing ring(8, 4);
  for (int frame = 0; frame < 7; ++frame) ring.append("x");
  EXPECT_EQ(ring.writer_.room(), kBlock);
  ring.append("last of the lap");
  EXPECT_EQ(ring.writer_.room(), 0u);
  ring.trim(Lsn{kBlock});
  EXPECT_EQ(ring.writer_.room(), kBlock);
  ring.trim(Lsn{6 * kBlock});
  EXPECT_EQ(ring.writer_.room(), 4 * kBlock);
  EXPECT_EQ(ring.append("first of the second lap").position, kRingStart);
}

TEST(RingWriterTest, ContentRoomIsExact) {
  TestRing ring(8, 1);
  Buffer memory(kBlock);
  ring.writer_.begin(memory);
  const std::size_t room = ring.writer_.content_room();
  EXPECT_EQ(room, kBlock - kFrameHeaderSize - kEntryHeaderSize);
  EXPECT_TRUE(ring.writer_.fits(room));
  EXPECT_FALSE(ring.writer_.fits(room + 1));
  const Buffer content(room, std::byte{7});
  ring.writer_.add({.log = LogId{1}, .kind = EntryKind::batches, .length = static_cast<std::uint32_t>(room)},
                   content);
  EXPECT_EQ(ring.writer_.content_room(), 0u);
  EXPECT_EQ(ring.writer_.finish().bytes.size(), kBlock);
}

TEST(RingWriterTest, GrowthNeedsAllLiveFramesInOneLapThatStaysInPlace) {
  TestRing ring(4, 1);
  EXPECT_TRUE(ring.writer_.can_grow_to(8 * kBlock));
  for (int frame = 0; frame < 4; ++frame) ring.append("x");
  EXPECT_FALSE(ring.writer_.can_grow_to(8 * kBlock))
      << "the next frame is in the second lap, the live ones in the first";
  ring.trim(Lsn{2 * kBlock});
  ring.append("y");
  ring.trim(Lsn{4 * kBlock});
  EXPECT_FALSE(ring.writer_.can_grow_to(8 * kBlock)) << "the second lap would move to the second half";
  for (int frame = 0; frame < 3; ++frame) ring.append("y");
  ring.trim(Lsn{8 * kBlock});
  EXPECT_TRUE(ring.writer_.can_grow_to(8 * kBlock));
}

TEST(RingWriterTest, AHeldLapIsNotLeftUntilTheRingHasGrown) {
  TestRing ring(4, 4);
  ring.writer_.prepare_growth(8 * kBlock);
  for (int frame = 0; frame < 4; ++frame) ring.append(std::to_string(frame));
  EXPECT_EQ(ring.writer_.room(), 0u);
  ring.image_.resize(kRingStart + 8 * kBlock, std::byte{0xa5});
  ring.superblock_.capacity = 8 * kBlock;
  ring.writer_.grown(8 * kBlock);
  EXPECT_EQ(ring.append("4").position, kRingStart + 4 * kBlock);
  EXPECT_EQ(ring.scan().texts, (std::vector<std::string>{"0", "1", "2", "3", "4"}));
}

TEST(RingWriterTest, AnEmptyRingGrowsWhereverItStands) {
  TestRing ring(4, 4);
  for (int frame = 0; frame < 5; ++frame) {
    ring.append("old");
    if (frame == 3) ring.trim(Lsn{4 * kBlock});
  }
  EXPECT_FALSE(ring.writer_.can_grow_to(8 * kBlock));
  ring.trim(Lsn{5 * kBlock});
  ASSERT_TRUE(ring.writer_.can_grow_to(8 * kBlock));
  ring.writer_.prepare_growth(8 * kBlock);
  EXPECT_EQ(ring.writer_.room(), 0u) << "a frame would lie where the larger ring does not look for it";
  ring.image_.resize(kRingStart + 8 * kBlock, std::byte{0xa5});
  ring.superblock_.capacity = 8 * kBlock;
  ring.writer_.grown(8 * kBlock);
  EXPECT_EQ(ring.append("first").position, kRingStart + 5 * kBlock);
  EXPECT_EQ(ring.append("second").position, kRingStart + 6 * kBlock);
  EXPECT_EQ(ring.scan().texts, (std::vector<std::string>{"first", "second"}));
}

}  // namespace
}  // namespace tailwater::journal
