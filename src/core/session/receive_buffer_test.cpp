// Goal: idle connections own no memory, large frames wait for the budget, held blocks stay untouched.
// Method: frames of chosen sizes are fed in chosen pieces; the budget's use is looked at after each step.
#include "core/session/receive_buffer.hpp"

#include <gtest/gtest.h>

#include <cstring>
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
  EXPECT_FALSE(budget.take_retry()) << "nothing was released yet";
  first.received(90'000 - 8);
  first.consume(90'000);
  first.settle(0);
  EXPECT_TRUE(budget.take_retry());
  EXPECT_EQ(second.space().size(), 80'000u - 4);
  EXPECT_EQ(as_text(second.unread()), "abcd");
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
  EXPECT_EQ(buffer.space().size(), kSizeField);
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
  buffer.settle(150'000);
  EXPECT_FALSE(buffer.starved());
  const BlockRef rest = pool.reserve(80'000);  // too little is left for a second block
  EXPECT_GE(buffer.space().size(), 150'000U - 4);
  EXPECT_EQ(as_text(buffer.unread()), "abcd");
}

}  // namespace
}  // namespace tailwater::session
