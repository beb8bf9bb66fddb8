// Goal: idle connections own no memory, large frames wait for the budget, held blocks stay untouched.
// Method: frames of chosen sizes are fed in chosen pieces; the budget's use is looked at after each step.
#include "core/session/receive_buffer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <string>
#include <utility>
#include <vector>

namespace tailwater::session {
namespace {

void feed(ReceiveBuffer& buffer, std::string_view text) {
  const MutableBytes space = buffer.space();
  ASSERT_GE(space.size(), text.size());
  std::memcpy(space.data(), text.data(), text.size());
  buffer.received(text.size());
}

TEST(ReceiveBuffer, AWholeFrameLeavesNoMemoryBehind) {
  MemoryBudget budget(1 << 20);
  ReceivePool pool(budget);
  ReceiveBuffer first(pool);
  ReceiveBuffer second(pool);
  feed(first, "hello");
  EXPECT_EQ(as_text(first.unread()), "hello");
  first.consume(5);
  first.settle(0);
  feed(second, "world");
  second.consume(5);
  second.settle(0);
  EXPECT_EQ(budget.used(), kScratchBytes) << "only the shared scratch block";
}

TEST(ReceiveBuffer, HalfAFrameMovesOutOfTheScratchBlock) {
  MemoryBudget budget(1 << 20);
  ReceivePool pool(budget);
  ReceiveBuffer first(pool);
  ReceiveBuffer second(pool);
  feed(first, "half");
  first.settle(10);
  feed(second, "other");
  EXPECT_EQ(as_text(first.unread()), "half");
  feed(first, "frame!");
  EXPECT_EQ(as_text(first.unread()), "halfframe!");
  EXPECT_EQ(as_text(second.unread()), "other");
}

TEST(ReceiveBuffer, AHeldBlockIsNotReused) {
  MemoryBudget budget(1 << 20);
  ReceivePool pool(budget);
  ReceiveBuffer buffer(pool);
  feed(buffer, "kept");
  const Bytes kept = buffer.unread();
  {
    const BlockRef hold = buffer.block();
    buffer.consume(4);
    buffer.settle(0);
    feed(buffer, "next");
    EXPECT_EQ(as_text(kept), "kept");
    EXPECT_EQ(as_text(buffer.unread()), "next");
    EXPECT_EQ(budget.used(), kScratchBytes) << "both lie in the shared block";
    buffer.consume(4);
    buffer.settle(0);
    feed(buffer, std::string(kScratchBytes - kScratchLeast, 'x'));
    buffer.consume(buffer.unread().size());
    buffer.settle(0);
    feed(buffer, "more");
    EXPECT_EQ(as_text(kept), "kept");
    EXPECT_EQ(as_text(buffer.unread()), "more");
    EXPECT_EQ(budget.used(), 2 * kScratchBytes) << "the room that was left was too little";
  }
  EXPECT_EQ(budget.used(), kScratchBytes);
}

TEST(ReceiveBuffer, ManySmallRequestsThatAreServedShareBlocks) {
  constexpr std::size_t kConnections = 20'000;
  constexpr std::size_t kRequestBytes = 200;
  MemoryBudget budget(64 << 20);
  ReceivePool pool(budget);
  std::vector<std::pair<BlockRef, Bytes>> served;
  for (std::size_t each = 0; each < kConnections; ++each) {
    ReceiveBuffer buffer(pool);
    feed(buffer, std::string(kRequestBytes, static_cast<char>('a' + each % 26)));
    served.emplace_back(buffer.block(), buffer.unread());
    buffer.consume(kRequestBytes);
    buffer.settle(0);
  }
  EXPECT_LE(budget.used(), 3 * kConnections * kRequestBytes);
  for (std::size_t each = 0; each < kConnections; ++each) {
    ASSERT_EQ(as_text(served[each].second), std::string(kRequestBytes, static_cast<char>('a' + each % 26)));
  }
  served.clear();
  EXPECT_EQ(budget.used(), kScratchBytes);
  ReceiveBuffer buffer(pool);
  EXPECT_EQ(buffer.space().size(), kScratchBytes) << "it begins anew when nothing is held";
}

TEST(ReceiveBuffer, ALargeFrameWaitsForTheBudget) {
  MemoryBudget budget(kScratchBytes + 100'000);
  ReceivePool pool(budget);
  ReceiveBuffer first(pool);
  ReceiveBuffer second(pool);
  feed(first, "12345678");
  first.settle(90'000);
  EXPECT_EQ(first.space().size(), 90'000u - 8);
  feed(second, "abcd");
  second.settle(80'000);
  EXPECT_TRUE(second.starved());
  EXPECT_TRUE(second.space().empty());
  first.received(90'000 - 8);
  first.consume(90'000);
  first.settle(0);
  EXPECT_EQ(second.space().size(), 80'000u - 4);
  EXPECT_EQ(as_text(second.unread()), "abcd");
}

// As after a restart: everybody's first frame is a large one, and together they are many times what there is.
TEST(ReceiveBuffer, HoweverManyBeginALargeFrameAllGetThrough) {
  constexpr std::size_t kFrame = (std::size_t{1} << 20) + 100;
  MemoryBudget budget(16 << 20);
  ReceivePool pool(budget);
  struct Peer {
    explicit Peer(ReceivePool& pool) : buffer(pool) {}
    ReceiveBuffer buffer;
    std::size_t left = kFrame;
  };
  std::deque<Peer> peers;
  for (int each = 0; each < 1'000; ++each) peers.emplace_back(pool);
  std::size_t done = 0;
  for (std::size_t before = peers.size(); done < peers.size() && before != done;) {
    before = done;
    for (Peer& peer : peers) {
      if (peer.left == 0) continue;
      for (MutableBytes space = peer.buffer.space(); !space.empty() && peer.left > 0;) {
        const std::size_t size = std::min(space.size(), peer.left);
        peer.buffer.received(size);
        peer.left -= size;
        if (peer.left == 0) peer.buffer.consume(kFrame);
        peer.buffer.settle(peer.left == 0 ? 0 : kFrame);
        space = peer.buffer.space();
      }
      done += peer.left == 0 ? 1 : 0;
      EXPECT_LE(budget.used(), budget.limit() + kFrame + kScratchBytes);
    }
  }
  EXPECT_EQ(done, peers.size());
}

TEST(ReceiveBuffer, AFrameLargerThanTheWholeBudgetGetsThrough) {
  MemoryBudget budget(1 << 20);
  ReceivePool pool(budget);
  ReceiveBuffer buffer(pool);
  feed(buffer, "12345678");
  buffer.settle(20 << 20);
  EXPECT_EQ(buffer.space().size(), (20U << 20) - 8);
}

TEST(ReceiveBuffer, WhoWaitsForMuchIsNotOvertaken) {
  MemoryBudget budget(1 << 20);
  ReceivePool pool(budget);
  ReceiveBuffer first(pool);
  BlockRef taken = pool.reserve(950'000);
  feed(first, "size");
  first.settle(800'000);
  ASSERT_TRUE(first.starved());
  ReceiveBuffer second(pool);
  taken = BlockRef();
  feed(second, "size");
  second.settle(70'000);
  EXPECT_TRUE(second.starved()) << "although there is room for it";
  EXPECT_EQ(first.space().size(), 800'000U - kSizeField);
}

TEST(ReceiveBuffer, ProducersLeaveSomethingToTheOthers) {
  constexpr std::size_t kRequest = 10'000;
  MemoryBudget budget(1 << 20);
  ReceivePool pool(budget);
  ReceiveBuffer producer(pool);
  std::vector<BlockRef> held;
  const auto receive = [&](ReceiveBuffer& buffer, std::size_t left, Need need) {
    for (std::size_t at = 0; at < left;) {
      const std::size_t size = std::min(buffer.space().size(), left - at);
      if (size == 0) return false;
      buffer.received(size);
      at += size;
      if (at < left) buffer.settle(left, need);
    }
    held.push_back(buffer.block());
    buffer.consume(left, need);
    buffer.settle(0);
    return true;
  };
  while (receive(producer, kRequest, Need::bulk)) ASSERT_LT(held.size(), 1'000U);
  EXPECT_GT(held.size(), 10U);
  EXPECT_TRUE(producer.space().empty());
  EXPECT_FALSE(producer.starved());
  ReceiveBuffer newcomer(pool);
  EXPECT_FALSE(receive(newcomer, kRequest, Need::bulk)) << "as soon as it is seen to be one of them";
  ReceiveBuffer other(pool);
  EXPECT_TRUE(receive(other, kRequest, Need::little));
  held.clear();
  EXPECT_FALSE(producer.space().empty());
}

TEST(ReceiveBuffer, BehindALargeFrameItIsTheSizeOfTheNextOneThatComesFirst) {
  MemoryBudget budget(1 << 20);
  ReceivePool pool(budget);
  ReceiveBuffer buffer(pool);
  feed(buffer, "12345678");
  buffer.settle(100'000);
  buffer.received(buffer.space().size());
  buffer.consume(100'000);
  buffer.settle(0);
  EXPECT_EQ(buffer.space().size(), kBeginning);
  feed(buffer, "size");
  buffer.settle(200'000);
  EXPECT_EQ(buffer.space().size(), 200'000U - kSizeField) << "exactly the frame";
  EXPECT_EQ(as_text(buffer.unread()), "size");
  buffer.received(200'000 - kSizeField);
  buffer.consume(200'000);
  buffer.settle(0);
  feed(buffer, "size");
  buffer.settle(10);
  feed(buffer, "frame!");
  buffer.consume(10);
  buffer.settle(0);
  EXPECT_GE(buffer.space().size(), kScratchLeast) << "behind a small one as much as there is room for";
}

TEST(ReceiveBuffer, BlocksOfLargeFramesServeAgainAndAreFew) {
  constexpr std::uint64_t kLimit = std::uint64_t{64} << 20;
  constexpr std::size_t kFrame = 300'000;
  MemoryBudget budget(kLimit);
  ReceivePool pool(budget);
  const std::byte* first = nullptr;
  {
    const BlockRef block = pool.reserve(kFrame);
    first = block->memory.get();
  }
  EXPECT_EQ(budget.used(), 0) << "what is spare is nobody's";
  EXPECT_NE(pool.reserve(2 * kFrame)->memory.get(), first) << "too small";
  {
    const BlockRef block = pool.reserve(kFrame - 1000);
    EXPECT_EQ(block->memory.get(), first);
    EXPECT_EQ(block->capacity, kFrame - 1000) << "nothing of the next frame is received there";
    EXPECT_EQ(budget.used(), kFrame - 1000);
  }
  std::vector<BlockRef> many;
  for (int each = 0; each < 100; ++each) many.push_back(pool.reserve(kFrame));
  many.clear();
  EXPECT_LE(pool.spare_large_bytes(), kLimit / 32);
  EXPECT_GT(pool.spare_large_bytes(), kLimit / 32 - kFrame);
}

TEST(ReceiveBuffer, AFrameThatWaitedForItsBlockDoesNotWaitForAnother) {
  MemoryBudget budget(300'000);
  ReceivePool pool(budget);
  BlockRef other = pool.reserve(200'000);
  ReceiveBuffer buffer(pool);
  feed(buffer, "abcd");
  buffer.settle(150'000);
  EXPECT_TRUE(buffer.starved());
  buffer.settle(150'000);  // an answer was sent meanwhile
  EXPECT_TRUE(buffer.starved());
  other = BlockRef();
  EXPECT_EQ(buffer.space().size(), 150'000U - 4);
  EXPECT_FALSE(buffer.starved());
  const BlockRef rest = pool.reserve(150'000);  // nothing is left for a second block
  buffer.settle(150'000);
  EXPECT_FALSE(buffer.starved());
  EXPECT_EQ(buffer.space().size(), 150'000U - 4);
  EXPECT_EQ(as_text(buffer.unread()), "abcd");
}

}  // namespace
}  // namespace tailwater::session
