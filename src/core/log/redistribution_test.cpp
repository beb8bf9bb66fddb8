// Goal: directories that were written with any number of shards are ready for any other number, each log on
// the shard that it belongs to, with every acknowledged record, whatever crashes come in between. Method:
// random logs over one to four shards on the disk of test_disk.hpp, stopped cleanly or killed; then
// redistributions that are cut off by power losses after a random number of operations, with numbers of
// shards that change on the way, until one ends.
#include "core/log/redistribution.hpp"

#include <gtest/gtest.h>

#include "core/log/test_world.hpp"

namespace tailwater::log {
namespace {

ShardId home_of(std::string_view topic, PartitionId partition, std::uint32_t shards) {
  return ShardId{(static_cast<std::uint32_t>(topic.back()) + static_cast<std::uint32_t>(partition.value)) %
                 shards};
}
std::string name_of(const Uuid& topic_id) {
  return "t" + std::to_string(topic_id.low);
}

class Folder {
 public:
  explicit Folder(std::uint64_t seed) : disk(seed), random(seed * 7 + 1) {}

  StorageOptions options_of(std::uint32_t shard) {
    StorageOptions options;
    options.shard = ShardId{shard};
    options.dirs = {DirId{0}};
    options.ring_bytes_start = options.ring_bytes_max = 256 << 10;
    options.frame_bytes_max = 16 << 10;
    options.memory_bytes = 64 << 20;
    options.cold_block_bytes = 16 << 10;
    options.seed = random.next();
    options.os_ring = os_ring;
    return options;
  }

  // Runs one shard until nothing happens any more.
  void pump(Storage& storage) {
    DiskEffects effects;
    for (int limit = 100'000; limit > 0; --limit) {
      storage.clear_news();
      storage.take_faults();
      storage.turn(now, effects);
      disk.submit(effects);
      if (!disk.idle()) {
        storage.completed(disk.step(), now);
      } else if (storage.next_deadline() > now.monotonic) {
        return;
      }
    }
    FAIL() << "no rest";
  }
  void start(Storage& storage) {
    DiskEffects effects;
    storage.start(now, effects);
    disk.submit(effects);
    pump(storage);
    ASSERT_TRUE(storage.recovered());
    ASSERT_NE(storage.report(DirId{0}).state, DirState::offline) << storage.report(DirId{0}).failure.message;
  }
  void end(Storage& storage, bool cleanly) {
    if (cleanly) {
      storage.stop();
      pump(storage);
      ASSERT_TRUE(storage.stopped());
    }
    disk.kill();
  }

  // Every shard appends to its logs, and makes some; everything is durable at the end.
  void write(std::uint32_t shards) {
    for (std::uint32_t shard = 0; shard < shards; ++shard) {
      Storage storage(options_of(shard));
      start(storage);
      for (int each = 0; each < 8; ++each) {
        const Uuid topic_id =
            random.one_in(2) || topics.empty() ? random.uuid() : topics[random.below(topics.size())];
        const PartitionId partition{static_cast<std::int32_t>(random.below(4))};
        if (home_of(name_of(topic_id), partition, shards) != ShardId{shard}) continue;
        topics.push_back(topic_id);
        Log* log = nullptr;
        for (Log* known : storage.logs()) {
          if (known->identity().topic_id == topic_id && known->identity().partition == partition) log = known;
        }
        if (log == nullptr) {
          // One that may lose nothing to the power losses in this test.
          LogConfig config;
          config.os_durable = os_ring && random.one_in(2);
          config.flush_messages = 1;
          const auto made =
              storage.create({LogId{}, topic_id, name_of(topic_id), partition, DirId{0}}, config);
          ASSERT_TRUE(made.has_value());
          log = *made;
          // The first of its kind has its ring made.
          pump(storage);
        }
        for (std::uint64_t batches = random.below(6); batches > 0; --batches) append(storage, *log);
        pump(storage);
      }
      end(storage, random.one_in(2));
    }
  }
  void append(Storage& storage, Log& log) {
    Buffer batch = make_batch({.value_size = 20 + static_cast<std::size_t>(random.below(9'000))});
    const auto appended = storage.append(log, batch, info_of(batch), {.epoch = LeaderEpoch{1}}, now);
    ASSERT_TRUE(appended.has_value());
    records::set_base_offset(batch, appended->base);
    records::set_leader_epoch(batch, LeaderEpoch{1});
    Buffer& bytes = expected[{log.identity().topic_id, log.identity().partition}];
    bytes.insert(bytes.end(), batch.begin(), batch.end());
  }

  // True if it came to its end; else the process was killed, or the power lost, after so many operations.
  bool redistribute(std::uint32_t shards, std::uint64_t operations_max) {
    Redistribution machine(options_of(0), shards, [shards](std::string_view topic, PartitionId partition) {
      return home_of(topic, partition, shards);
    });
    DiskEffects effects;
    machine.start(now, effects);
    disk.submit(effects);
    std::uint64_t operations = 0;
    for (int limit = 200'000; limit > 0 && !machine.over(); --limit) {
      if (!disk.idle()) {
        if (operations++ == operations_max) {
          power_fails ? disk.crash() : disk.kill();
          return false;
        }
        machine.completed(disk.step(), now);
      }
      machine.turn(now, effects);
      disk.submit(effects);
    }
    EXPECT_TRUE(machine.over());
    EXPECT_EQ(machine.failure(), "");
    while (!disk.idle()) disk.step();
    disk.kill();
    return true;
  }

  // The directory is as these shards need it.
  void verify(std::uint32_t shards) {
    std::map<std::pair<Uuid, PartitionId>, Buffer> found;
    for (std::uint32_t shard = 0; shard < shards; ++shard) {
      Storage storage(options_of(shard));
      start(storage);
      for (Log* log : storage.logs()) {
        EXPECT_EQ(home_of(log->identity().topic, log->identity().partition, shards), ShardId{shard});
        const Buffer bytes = read_all(storage, *log);
        if (!bytes.empty()) found[{log->identity().topic_id, log->identity().partition}] = bytes;
      }
      end(storage, random.one_in(2));
    }
    EXPECT_TRUE(found == expected) << found.size() << " logs with records, " << expected.size()
                                   << " expected";
    for (const std::string& path : disk.paths()) EXPECT_EQ(path.find("dealt"), std::string::npos);
    EXPECT_EQ(disk.complaints(), std::vector<std::string>{});
  }
  Buffer read_all(Storage& storage, Log& log) {
    Buffer all;
    for (Offset from = log.start_offset(); from < log.end_offset();) {
      std::vector<Bytes> pieces;
      const ReadPlan plan = storage.plan_read(log, {from, 1 << 20, log.end_offset(), true}, pieces);
      if (plan.kind == ReadPlan::Kind::need) {
        pump(storage);
        continue;
      }
      if (plan.kind != ReadPlan::Kind::hot) {
        ADD_FAILURE() << "cannot read " << log.identity().topic;
        return all;
      }
      for (const Bytes piece : pieces) all.insert(all.end(), piece.begin(), piece.end());
      storage.unpin(plan.pin);
      from = plan.next;
    }
    return all;
  }

  TestDisk disk;
  Prng random;
  bool os_ring = false;
  bool power_fails = true;  // where a redistribution is cut off; else only its process is killed
  Now now{Instant{1'000'000'000}, WallTime{1'000'000}};
  std::vector<Uuid> topics;
  std::map<std::pair<Uuid, PartitionId>, Buffer> expected;
};

TEST(Redistribution, does_nothing_where_nothing_is_to_do) {
  Folder folder(1);
  EXPECT_TRUE(folder.redistribute(3, UINT64_MAX)) << "an empty folder";
  EXPECT_TRUE(folder.disk.paths().empty());
  folder.write(3);
  const auto before = folder.disk.paths();
  const std::uint64_t operations = folder.disk.submitted();
  EXPECT_TRUE(folder.redistribute(3, UINT64_MAX));
  EXPECT_EQ(folder.disk.paths(), before);
  EXPECT_LE(folder.disk.submitted() - operations, 3U) << "two looks, and a name that is not there";
}

TEST(Redistribution, every_number_of_shards_to_every_other) {
  for (std::uint32_t before = 1; before <= 4; ++before) {
    for (std::uint32_t after = 1; after <= 4; ++after) {
      SCOPED_TRACE(std::to_string(before) + " to " + std::to_string(after));
      Folder folder(before * 10 + after);
      folder.os_ring = (before + after) % 2 == 0;
      folder.write(before);
      ASSERT_TRUE(folder.redistribute(after, UINT64_MAX));
      folder.verify(after);
    }
  }
}

TEST(Redistribution, crashes_on_the_way_lose_nothing) {
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Folder folder(1'000 + seed);
    folder.os_ring = seed % 2 == 0;
    std::uint32_t shards = static_cast<std::uint32_t>(1 + folder.random.below(4));
    folder.write(shards);
    for (int rounds = 0; rounds < 2; ++rounds) {
      // The number of shards may change again before it came to an end.
      do {
        shards = static_cast<std::uint32_t>(1 + folder.random.below(4));
        folder.power_fails = folder.random.one_in(2);
      } while (!folder.redistribute(shards, folder.random.below(120)));
      if (folder.random.one_in(2)) folder.disk.crash();
      folder.verify(shards);
      folder.write(shards);
      if (folder.random.one_in(2)) folder.disk.crash();
    }
    if (HasFailure()) break;
  }
}

// A process that is killed has removed files, and not made that last. The next one does not see them.
TEST(Redistribution, what_a_killed_one_removed_does_not_come_back_with_a_power_loss) {
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    bool over = false;
    for (std::uint64_t operations = 0; !over; ++operations) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", killed after " + std::to_string(operations));
      Folder folder(2'000 + seed);
      folder.power_fails = false;
      folder.write(3);
      over = folder.redistribute(2, operations);
      ASSERT_TRUE(folder.redistribute(2, UINT64_MAX));
      if (operations % 2 == 0) folder.write(2);
      folder.disk.crash();
      ASSERT_TRUE(folder.redistribute(2, UINT64_MAX));
      folder.verify(2);
      if (HasFailure()) return;
    }
  }
}

// Nor does what it dealt, which would be dealt once more, over what was written since.
TEST(Redistribution, what_was_dealt_does_not_come_back_with_a_power_loss) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Folder whole(3'000 + seed);
    whole.write(3);
    const std::uint64_t before = whole.disk.submitted();
    ASSERT_TRUE(whole.redistribute(2, UINT64_MAX));
    const std::uint64_t operations = whole.disk.submitted() - before;
    for (std::uint64_t last = 1; last <= 4; ++last) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", killed before the last " + std::to_string(last));
      Folder folder(3'000 + seed);
      folder.power_fails = false;
      folder.write(3);
      ASSERT_FALSE(folder.redistribute(2, operations - last));
      ASSERT_TRUE(folder.redistribute(2, UINT64_MAX));
      folder.write(2);
      folder.disk.crash();
      ASSERT_TRUE(folder.redistribute(2, UINT64_MAX));
      folder.verify(2);
      if (HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace tailwater::log
