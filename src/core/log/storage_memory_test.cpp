// Goal: what recent records may take of the memory follows the readers, and only those who follow. Method: a
// storage with little room, writers, and readers of different ages.
#include <gtest/gtest.h>

#include "core/log/test_world.hpp"

namespace tailwater::log {
namespace {

// Whether a read at this offset finds its bytes in memory.
bool in_memory(World& world, Log& log, Offset from) {
  std::vector<Bytes> pieces;
  const ReadPlan plan = world.storage->plan_read(log, {from, 1, log.end_offset(), true}, pieces);
  if (plan.kind == ReadPlan::Kind::hot) world.storage->unpin(plan.pin);
  return plan.kind == ReadPlan::Kind::hot;
}

// Of the newest records so many are in memory.
std::int64_t kept(World& world, Log& log) {
  std::int64_t count = 0;
  while (in_memory(world, log, Offset{log.end_offset().value - count - 100})) count += 100;
  return count;
}

void write_kilobytes(World& world, Log& log, int count) {
  for (int each = 0; each < count; ++each) {
    ASSERT_TRUE(world.append(log, {.value_size = 1'000}).has_value());
    if (each % 20 == 19) world.pump();
  }
}

World& with_little_room(World& world) {
  world.options.tail_bytes_start = 2 << 20;
  world.options.flush_run_bytes = 32'000;
  world.start_and_recover();
  return world;
}

TEST(StorageMemory, GrowsByWhatReadersMissedAndNotBefore) {
  World world(23);
  Log& log = with_little_room(world).create("a");
  write_kilobytes(world, log, 8'000);
  const std::int64_t before = kept(world, log);
  EXPECT_GT(before, 500);
  ASSERT_LT(before, 4'000);
  // It grows by what the reader misses within twice the room; what is older is no reason.
  Offset begin{0};
  world.read_all(log, begin, log.end_offset());
  write_kilobytes(world, log, 8'000);
  const std::int64_t once = kept(world, log);
  EXPECT_GT(once, before * 3 / 2);
  EXPECT_LT(once, before * 3);
  begin = Offset{8'000};
  world.read_all(log, begin, log.end_offset());
  write_kilobytes(world, log, 8'000);
  EXPECT_GT(kept(world, log), once * 3 / 2);
}

// With several directories the others would wait for it for ever.
TEST(StorageMemory, WhatAFailedDirectoryHoldsIsNotWaitedFor) {
  World world(25);
  world.start_and_recover();
  Log& log = world.create("a");
  for (int each = 0; each < 40; ++each) ASSERT_TRUE(world.append(log, {.value_size = 1'000}).has_value());
  world.pump();
  ASSERT_GT(world.storage->cache().unflushed, 40'000U);
  world.disk.failing = "journal/";
  world.disk.failing_kind = DiskOpKind::write;
  ASSERT_TRUE(world.append(log, {}).has_value());
  world.pump();
  ASSERT_EQ(world.storage->report(DirId{0}).state, DirState::offline);
  EXPECT_EQ(world.storage->cache().unflushed, 0U);
}

TEST(StorageMemory, ReadersThatTakeNothingGetLittleAndOthersKeepWhatTheyRead) {
  World world(26);
  world.options.memory_bytes = 16 << 20;
  Log& log = with_little_room(world).create("a");
  write_kilobytes(world, log, 4'000);
  const std::int64_t before = kept(world, log);
  std::vector<PinHandle> pins;
  std::uint64_t lent = 0;
  for (int reader = 0; reader < 20; ++reader) {
    const Offset from{log.end_offset().value - before};
    std::vector<Bytes> pieces;
    const ReadPlan plan = world.storage->plan_read(log, {from, 1 << 20, log.end_offset(), true}, pieces);
    ASSERT_EQ(plan.kind, ReadPlan::Kind::hot);
    pins.push_back(plan.pin);
    lent += plan.bytes;
    write_kilobytes(world, log, 400);
  }
  EXPECT_LT(lent, 10U << 20) << "of the 20 MiB that they asked for";
  EXPECT_GT(kept(world, log), before / 2);
  for (const PinHandle pin : pins) world.storage->unpin(pin);
  world.verify();
}

TEST(StorageMemory, WhatIsReadAgainFromMemoryIsNoReason) {
  World world(23);
  Log& log = with_little_room(world).create("a");
  write_kilobytes(world, log, 8'000);
  const std::int64_t before = kept(world, log);
  for (int readers = 0; readers < 10; ++readers) {
    Offset begin{0};
    world.read_all(log, begin, log.end_offset());
  }
  write_kilobytes(world, log, 8'000);
  EXPECT_LT(kept(world, log), before * 3);
}

TEST(StorageMemory, WhoReadsWhatOthersHaveLeftFarBehindGetsNoRoom) {
  World world(23);
  Log& old = with_little_room(world).create("old");
  write_kilobytes(world, old, 3'000);
  Log& log = world.create("new");
  write_kilobytes(world, log, 8'000);
  const std::int64_t before = kept(world, log);
  Offset begin{0};
  world.read_all(old, begin, old.end_offset());
  write_kilobytes(world, log, 8'000);
  EXPECT_LT(kept(world, log), before * 5 / 4);
}

}  // namespace
}  // namespace tailwater::log
