// Goal: the memory of a log's newest bytes is little more than these bytes, however long it goes on, and their
// number of chunks stays small. Method: batches of one kind, and flushes as the flusher would do them.
#include "core/log/tail.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace tailwater::log {
namespace {

class TailTest : public ::testing::Test {
 protected:
  TailTest() { log.segments.emplace_back(); }
  ~TailTest() override {
    while (!log.chunks.empty()) drop_first();
  }

  void drop_first() {
    cache.drop(log.chunks.front());
    log.chunks.pop_front();
  }
  void append(std::uint64_t size) {
    const Offset at = log.end;
    cache::Chunk& chunk = *chunk_for(log, cache, end_place(log), size);
    std::fill_n(chunk.at(log.active().size), size, std::byte{1});
    account_batch(log, chunk, {.base = at, .last = at, .size = size, .max_timestamp = 1});
  }
  // All that is there goes to its file; of what is in memory only chunks that are wholly in the file may go.
  void flush() {
    log.active().flushed = log.active().size;
    while (log.chunks.size() > 1) drop_first();
  }
  std::uint64_t unflushed() const { return log.active().size - log.active().flushed; }

  cache::BlockPool pool;
  cache::TailCache cache{pool};
  LogState log;
};

TEST_F(TailTest, AThousandBytesAfterTheOtherTakeLittleMore) {
  constexpr std::uint64_t kBatch = 1'128;
  constexpr std::uint64_t kFlush = 256 << 10;
  std::size_t chunks_max = 0;
  for (int round = 0; round < 20; ++round) {
    while (unflushed() < kFlush) {
      append(kBatch);
      // What is in the file already: at most the chunk that was open at the flush, a quarter of it then.
      ASSERT_LE(cache.bytes(), unflushed() + unflushed() / 2 + kFlush / 2) << "in round " << round;
    }
    chunks_max = std::max(chunks_max, log.chunks.size());
    flush();
    ASSERT_LE(cache.bytes(), kFlush / 2);
  }
  EXPECT_LE(chunks_max, 32u);
}

TEST_F(TailTest, ManyBytesLieInLargeChunks) {
  while (unflushed() < (32 << 20)) append(16 << 10);
  EXPECT_EQ(log.chunks.back()->memory.size(), cache::kBlockSizes.back());
  EXPECT_LE(log.chunks.size(), 80u);
}

TEST_F(TailTest, LargeBatchesThatComeTogetherLieTogether) {
  for (int each = 0; each < 6; ++each) append(100'000);
  EXPECT_EQ(log.chunks.back()->memory.size(), cache::kBlockSizes.back());
  EXPECT_EQ(log.chunks.size(), 2u);
}

TEST_F(TailTest, AnEndedSegmentThatIsNotFlushedCounts) {
  while (unflushed() < (1 << 20)) append(1'128);
  log.active().sealed = true;
  Segment next;
  next.base = next.next = log.end;
  log.segments.push_back(next);
  append(1'128);
  EXPECT_EQ(log.chunks.back()->memory.size(), std::size_t{256} << 10);
}

}  // namespace
}  // namespace tailwater::log
