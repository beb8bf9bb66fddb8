// Goal: a log that two directories name is served from the one of the metadata, or else from the one that stands
// first, at every start; the other directory goes offline with a sentence that names both, and neither loses anything. Method: a directory and a
// copy of it on two disks, whose operations end in any order.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "core/log/redistribution.hpp"
#include "core/log/test_world.hpp"

namespace tailwater::log {
namespace {

using ::testing::HasSubstr;

class Copies {
 public:
  explicit Copies(std::uint64_t seed) : random(seed), disks{TestDisk{seed}, TestDisk{seed + 1}} {}

  StorageOptions options(std::vector<DirId> dirs) {
    StorageOptions options;
    options.dirs = std::move(dirs);
    options.dir_names = {"/first", "/second"};
    options.ring_bytes_start = options.ring_bytes_max = 256 << 10;
    options.frame_bytes_max = 16 << 10;
    options.memory_bytes = 64 << 20;
    options.cold_block_bytes = 16 << 10;
    options.os_ring = true;
    options.place_of = [this](const LogIdentity&) { return place; };
    options.seed = random.next();
    return options;
  }
  void submit() {
    std::vector<DiskOp> of_dir[2];
    for (DiskOp& op : effects) of_dir[op.dir.value].push_back(std::move(op));
    effects.clear();
    for (std::size_t dir = 0; dir < 2; ++dir) disks[dir].submit(of_dir[dir]);
  }
  bool idle() const { return disks[0].idle() && disks[1].idle(); }
  DiskDone step() {
    const std::size_t dir = disks[0].idle() || (!disks[1].idle() && random.one_in(2)) ? 1 : 0;
    return disks[dir].step();
  }
  void pump() {
    for (int limit = 200'000; limit > 0; --limit) {
      storage->clear_news();
      storage->turn(now, effects);
      submit();
      if (!idle()) {
        storage->completed(step(), now);
      } else if (storage->next_deadline() > now.monotonic) {
        return;
      }
    }
    FAIL() << "no rest";
  }
  void start(std::vector<DirId> dirs) {
    storage = std::make_unique<Storage>(options(std::move(dirs)));
    storage->start(now, effects);
    submit();
    pump();
    ASSERT_TRUE(storage->recovered());
  }
  void kill() {
    storage.reset();
    effects.clear();
    for (TestDisk& disk : disks) disk.kill();
  }
  void stop() {
    storage->stop();
    pump();
    ASSERT_TRUE(storage->stopped());
    kill();
  }
  void append(Log& log) {
    Buffer batch = make_batch({.value_size = 5'000});
    ASSERT_TRUE(storage->append(log, batch, info_of(batch), {.epoch = LeaderEpoch{1}}, now).has_value());
    pump();
  }
  // One log that the manifest has, one of which only the journal knows, and a soft one.
  void write_first() {
    start({DirId{0}});
    for (const char* topic : {"old", "soft", "new"}) {
      LogConfig config;
      config.os_durable = topic == std::string("soft");
      auto made = storage->create({LogId{}, random.uuid(), topic, PartitionId{0}, DirId{0}}, config);
      ASSERT_TRUE(made.has_value());
      pump();
      for (int batches = 0; batches < (topic == std::string("old") ? 60 : 3); ++batches) append(**made);
    }
  }
  void copy() {
    for (const std::string& path : disks[0].paths()) disks[1].put(path, disks[0].content(path));
  }
  void expect_serves(DirId kept) {
    const DirId other{1 - kept.value};
    EXPECT_EQ(storage->report(kept).state, DirState::online) << storage->report(kept).failure.message;
    EXPECT_EQ(storage->report(other).state, DirState::offline);
    const std::string& why = storage->report(other).failure.message;
    EXPECT_THAT(why, HasSubstr("/first"));
    EXPECT_THAT(why, HasSubstr("/second"));
    EXPECT_THAT(why, HasSubstr("log.dirs"));
    ASSERT_EQ(storage->logs().size(), 3u);
    for (Log* log : storage->logs()) {
      EXPECT_EQ(log->identity().dir, kept);
      const Offset end = log->end_offset();
      append(*log);
      EXPECT_EQ(log->durable_end(), end + 1);
    }
    for (TestDisk& disk : disks) EXPECT_EQ(disk.complaints(), std::vector<std::string>{});
  }

  Prng random;
  std::optional<DirId> place;  // of all logs, as the metadata have it
  TestDisk disks[2];
  Now now{Instant{1'000'000'000}, WallTime{1'000'000}};
  std::unique_ptr<Storage> storage;
  DiskEffects effects;
};

TEST(TwiceNamed, the_first_directory_serves_whichever_is_read_first) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Copies copies(100 + seed);
    copies.write_first();
    if (seed % 2 == 0) copies.stop();
    if (seed % 2 == 1) copies.kill();
    copies.copy();
    for (int starts = 0; starts < 3; ++starts) {
      copies.start({DirId{0}, DirId{1}});
      copies.expect_serves(DirId{0});
      if (testing::Test::HasFailure()) return;
      if (starts == 1) copies.stop();
      if (starts != 1) copies.kill();
    }
    // The second is as it was, and can be served alone.
    copies.start({DirId{1}});
    EXPECT_EQ(copies.storage->report(DirId{1}).state, DirState::online);
    EXPECT_EQ(copies.storage->logs().size(), 3u);
  }
}

TEST(TwiceNamed, the_directory_of_the_metadata_serves_wherever_it_stands) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Copies copies(200 + seed);
    copies.write_first();
    copies.kill();
    copies.copy();
    copies.place = DirId{static_cast<std::uint32_t>(seed % 2)};
    for (int starts = 0; starts < 2; ++starts) {
      copies.start({DirId{0}, DirId{1}});
      copies.expect_serves(*copies.place);
      if (testing::Test::HasFailure()) return;
      copies.kill();
    }
  }
}

TEST(TwiceNamed, another_number_of_shards_is_refused_with_both_names) {
  Copies copies(7);
  copies.write_first();
  copies.kill();
  copies.copy();
  Redistribution machine(copies.options({DirId{0}, DirId{1}}), 2,
                         [](std::string_view, PartitionId) { return ShardId{1}; });
  machine.start(copies.now, copies.effects);
  copies.submit();
  for (int limit = 200'000; limit > 0 && !machine.over(); --limit) {
    if (!copies.idle()) machine.completed(copies.step(), copies.now);
    machine.turn(copies.now, copies.effects);
    copies.submit();
  }
  EXPECT_TRUE(machine.over());
  EXPECT_THAT(machine.failure(), HasSubstr("/first"));
  EXPECT_THAT(machine.failure(), HasSubstr("/second"));
}

}  // namespace
}  // namespace tailwater::log
