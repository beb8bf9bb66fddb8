// Goal: a transfer ends exactly once, with all bytes or an error, whatever the kernel answers to its parts.
// Method: the kernel's answers are scripted.
#include "shell/disk/data_task.hpp"

#include <gtest/gtest.h>

#include <cerrno>

#include "shell/disk/disk_test_support.hpp"

namespace tailwater::shell {
namespace {

using Step = DataTask::Step;

DiskOp write_op(std::vector<Bytes> pieces, std::uint64_t at = 0) {
  DiskOp op;
  op.kind = DiskOpKind::write;
  op.pieces = std::move(pieces);
  op.at = at;
  return op;
}

DiskOp read_op(MutableBytes memory) {
  DiskOp op;
  op.kind = DiskOpKind::read;
  op.memory = memory;
  return op;
}

std::size_t total(const std::vector<iovec>& memory) {
  std::size_t size = 0;
  for (const iovec& piece : memory) size += piece.iov_len;
  return size;
}

TEST(DataTask, AnyShortWritesAddUpToTheWhole) {
  // Every way to answer a write of 6 bytes in 3 pieces with two short answers first.
  const std::string text = "abcdef";
  const Bytes all = as_bytes(text);
  for (std::int64_t first = 1; first < 6; ++first) {
    for (std::int64_t second = 1; first + second < 6; ++second) {
      DataTask task;
      task.begin(write_op({all.subspan(0, 1), all.subspan(1, 3), all.subspan(4, 2)}, 100), 5, false,
                 DurableBy::nothing);
      std::string written;
      for (const std::int64_t answer : {first, second, 6 - first - second}) {
        const auto part = task.next_part();
        EXPECT_EQ(part.at, 100 + written.size());
        EXPECT_EQ(part.size, total(task.iovecs()));
        EXPECT_TRUE(part.last);
        std::string offered;
        for (const iovec& piece : task.iovecs())
          offered.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
        written += offered.substr(0, static_cast<std::size_t>(answer));
        EXPECT_EQ(task.advance(answer), written.size() == 6 ? Step::done : Step::again);
      }
      EXPECT_EQ(written, text);
      EXPECT_EQ(task.error(), 0);
      EXPECT_EQ(task.transferred(), 6U);
      EXPECT_EQ(task.short_parts(), 2U);
    }
  }
}

TEST(DataTask, PartsAreBoundedInBytesAndPieces) {
  const Aligned block(kDiskBlock);
  const std::vector<Bytes> many(2000, block.bytes());
  DataTask task;
  task.begin(write_op(many), 5, true, DurableBy::fdatasync);
  std::size_t parts = 0;
  for (Step step = Step::again; step == Step::again; ++parts) {
    const auto part = task.next_part();
    EXPECT_LE(part.size, DataTask::kPartBytes);
    EXPECT_LE(task.iovecs().size(), DataTask::kPartPieces);
    step = task.advance(static_cast<std::int64_t>(part.size));
    EXPECT_EQ(step, part.last ? Step::flush : Step::again);
  }
  EXPECT_EQ(parts, 8U);
  EXPECT_EQ(task.flushed(0), Step::done);

  const std::string byte = "x";
  task.begin(write_op(std::vector<Bytes>(2500, as_bytes(byte))), 5, false, DurableBy::nothing);
  EXPECT_EQ(task.next_part().size, 1024U);
}

TEST(DataTask, ADirectWriteGoesOnAtABlock) {
  const Aligned blocks(3 * kDiskBlock);
  DataTask task;
  task.begin(write_op({blocks.bytes()}), 5, true, DurableBy::dsync);
  task.next_part();
  EXPECT_EQ(task.advance(kDiskBlock + 512), Step::again);
  const auto part = task.next_part();
  EXPECT_EQ(part.at, kDiskBlock);
  EXPECT_EQ(part.size, 2 * kDiskBlock);
  EXPECT_EQ(task.advance(2 * kDiskBlock), Step::done);
  EXPECT_EQ(task.transferred(), 3 * kDiskBlock);
}

TEST(DataTask, AWriteWithoutProgressIsAnError) {
  DataTask task;
  const std::string text = "x";
  task.begin(write_op({as_bytes(text)}), 5, false, DurableBy::nothing);
  task.next_part();
  EXPECT_EQ(task.advance(0), Step::done);
  EXPECT_EQ(task.error(), EIO);
}

TEST(DataTask, InterruptionsAreTriedAgainButNotForEver) {
  DataTask task;
  const std::string text = "x";
  task.begin(write_op({as_bytes(text)}), 5, false, DurableBy::nothing);
  int tries = 0;
  Step step = Step::again;
  while (step == Step::again && tries < 100'000) {
    task.next_part();
    step = task.advance(-EINTR);
    ++tries;
  }
  EXPECT_EQ(step, Step::done);
  EXPECT_EQ(task.error(), EINTR);
  EXPECT_GT(tries, 100);
}

TEST(DataTask, ErrorsOfWritesAndFlushesEndIt) {
  DataTask task;
  const std::string text = "x";
  task.begin(write_op({as_bytes(text)}), 5, false, DurableBy::fdatasync);
  task.next_part();
  EXPECT_EQ(task.advance(-ENOSPC), Step::done);
  EXPECT_EQ(task.error(), ENOSPC);

  task.begin(write_op({as_bytes(text)}), 5, false, DurableBy::fdatasync);
  task.next_part();
  EXPECT_EQ(task.advance(1), Step::flush);
  EXPECT_EQ(task.flushed(-EINTR), Step::flush);
  EXPECT_EQ(task.flushed(-EIO), Step::done);
  EXPECT_EQ(task.error(), EIO);
}

// The kernel says of a lost write once, to whoever syncs first.
TEST(DataTask, AnErrorOfAFlushInTheRingIsTheEndWhateverTheOrder) {
  using Order = DataTask::Order;
  const std::string text = "ab";
  DataTask task;
  const auto ended = [&](std::int64_t written, std::int64_t flushed, Order order) {
    task.begin(write_op({as_bytes(text)}), 5, false, DurableBy::fdatasync);
    task.next_part();
    task.ring.has_io = task.ring.has_flush = true;
    task.ring.io_result = written;
    task.ring.flush_result = flushed;
    return task.ended_in_ring(order);
  };
  for (const Order order : {Order::linked, Order::any}) {
    for (const std::int64_t written : {2, 1}) {
      EXPECT_EQ(ended(written, -EIO, order), Step::done);
      EXPECT_EQ(task.error(), EIO);
    }
    EXPECT_EQ(ended(2, -ECANCELED, order), Step::flush);
    EXPECT_EQ(ended(2, -EINTR, order), Step::flush);
    EXPECT_EQ(ended(1, -ECANCELED, order), Step::again);
    EXPECT_EQ(ended(-ENOSPC, -ECANCELED, order), Step::done);
    EXPECT_EQ(task.error(), ENOSPC);
  }
  EXPECT_EQ(ended(2, 0, Order::linked), Step::done);
  EXPECT_EQ(task.error(), 0);
  // It may have gone before the write.
  EXPECT_EQ(ended(2, 0, Order::any), Step::flush);

  DiskOp sync;
  sync.kind = DiskOpKind::sync;
  task.begin(std::move(sync), 5, false, DurableBy::nothing);
  task.ring.has_flush = true;
  task.ring.flush_result = -EIO;
  EXPECT_EQ(task.ended_in_ring(Order::any), Step::done);
  EXPECT_EQ(task.error(), EIO);
}

TEST(DataTask, AReadEndsAtTheEndOfTheFile) {
  Aligned room(3 * kDiskBlock);
  DataTask task;
  task.begin(read_op(room.room()), 5, false, DurableBy::nothing);
  task.next_part();
  EXPECT_EQ(task.advance(100), Step::again);
  EXPECT_EQ(task.next_part().at, 100U);
  EXPECT_EQ(task.advance(0), Step::done);
  EXPECT_EQ(task.transferred(), 100U);

  // A direct read cannot go on within a block: stopping there is the end of the file.
  task.begin(read_op(room.room()), 5, true, DurableBy::nothing);
  task.next_part();
  EXPECT_EQ(task.advance(kDiskBlock), Step::again);
  EXPECT_EQ(task.next_part().at, kDiskBlock);
  EXPECT_EQ(task.advance(512), Step::done);
  EXPECT_EQ(task.transferred(), kDiskBlock + 512);
  EXPECT_EQ(task.error(), 0);
}

TEST(DataTask, EmptyTransfersHaveNothingToDo) {
  DataTask task;
  task.begin(write_op({Bytes{}, Bytes{}}), 5, true, DurableBy::dsync);
  EXPECT_TRUE(task.nothing_to_do());
  DiskOp sync;
  sync.kind = DiskOpKind::sync;
  task.begin(std::move(sync), 5, true, DurableBy::nothing);
  EXPECT_FALSE(task.nothing_to_do());
}

}  // namespace
}  // namespace tailwater::shell
