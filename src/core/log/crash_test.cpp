// Goal: whatever happens, and whenever the power goes: nothing acknowledged is lost, nothing appears twice,
// offsets are dense, and every byte is the one that was appended. Logs of the soft ring lose nothing to a
// kill, and to a power loss an end that their flush.messages bounds. Method: random workloads with small
// limits over many seeds, power loss and kill at random moments, also during recovery; after each start every
// log is compared with the model.
#include <gtest/gtest.h>

#include <cstdlib>

#include "core/log/test_world.hpp"

namespace tailwater::log {
namespace {

struct Producers {
  std::int32_t next_sequence = 0;
};

class Chaos {
 public:
  explicit Chaos(std::uint64_t seed) : world_(seed), random_(seed * 31 + 7) {
    world_.disk.torn_by_byte = random_.one_in(2);
    world_.disk.can_reserve = seed % 3 != 0;
    world_.options.flush_run_bytes = 4096u << random_.below(5);
    world_.options.direct_run_bytes = 2'048u << random_.below(4);
    world_.options.direct_bytes_in_flight = random_.below(64u << 10);
    world_.options.flush_round_bytes = 32u << 10;
    world_.options.flush_round_logs = 1 + static_cast<std::uint32_t>(random_.below(8));
    world_.options.sync_each_max = static_cast<std::uint32_t>(random_.below(20));
    world_.options.open_files_max = 2 + static_cast<std::uint32_t>(random_.below(10));
    world_.options.ring_bytes_start = (256u << 10) << random_.below(2);
    world_.options.ring_bytes_max = world_.options.ring_bytes_start << random_.below(3);
    world_.options.ring_bytes_limit = random_.one_in(2) ? std::uint64_t{1} << 20 : 0;
    world_.options.memory_bytes = (std::uint64_t{1} << 20) << random_.below(4);
    world_.options.cold_block_bytes = 4096u << random_.below(3);
    world_.options.retention_interval = Duration::from_ms(1'000);
    world_.options.tail_bytes_start = (std::uint64_t{16} << 10) << random_.below(8);
    world_.options.os_ring = seed % 2 == 0;
    if (random_.one_in(2)) world_.options.recycle_bytes = (std::uint64_t{16} << 10) << random_.below(5);
    logs_max_ = 1 + random_.below(12);
    config_.segment_bytes = 2'000 + static_cast<std::uint32_t>(random_.below(60'000));
    config_.index_interval_bytes = 1 + static_cast<std::uint32_t>(random_.below(3'000));
    config_.file_delete_delay_ms = static_cast<std::int64_t>(random_.below(3'000));
    config_.retention_bytes =
        random_.one_in(2) ? kForever : static_cast<std::int64_t>(random_.below(100'000));
    config_.segment_ms = 1'000 + static_cast<std::int64_t>(random_.below(50'000));
  }

  void run(int rounds) {
    world_.start_and_recover();
    for (int round = 0; round < rounds && !testing::Test::HasFailure(); ++round) {
      work(20 + static_cast<int>(random_.below(150)));
      if (testing::Test::HasFailure()) return;
      end_process();
      restart();
      if (testing::Test::HasFailure()) return;
      world_.verify();
    }
  }

 private:
  void work(int steps) {
    for (int step = 0; step < steps && !testing::Test::HasFailure(); ++step) {
      act();
      for (std::uint64_t each = random_.below(6); each > 0; --each) world_.step();
      if (world_.storage->held_back(DirId{0})) {
        for (int each = 0; each < 3'000 && world_.storage->held_back(DirId{0}); ++each) {
          world_.advance(Duration::from_ms(1));
          world_.step();
        }
        EXPECT_FALSE(world_.storage->held_back(DirId{0}))
            << "held back for ever: ring " << world_.storage->report(DirId{0}).ring_used_bytes << " of "
            << world_.storage->report(DirId{0}).ring_bytes << ", dirty "
            << world_.storage->report(DirId{0}).dirty_bytes << " of " << world_.options.memory_bytes / 2
            << ", disk idle " << world_.disk.idle();
      }
    }
  }

  Log* some_log() {
    const auto logs = world_.storage->logs();
    return logs.empty() ? nullptr : logs[random_.below(logs.size())];
  }

  void act() {
    const std::uint64_t choice = random_.below(100);
    Log* log = some_log();
    if (log == nullptr || (choice < 4 && world_.storage->logs().size() < logs_max_)) {
      create();
    } else if (choice < 70) {
      append(*log);
    } else if (choice < 74) {
      world_.storage->begin_epoch(*log, LeaderEpoch{++epoch_});
    } else if (choice < 78) {
      truncate(*log);
    } else if (choice < 81) {
      const auto span = static_cast<std::uint64_t>(log->durable_end() - log->start_offset());
      if (log->durable_end() > log->start_offset()) {
        world_.storage->set_log_start(
            *log, log->start_offset() + static_cast<std::int64_t>(random_.below(span + 1)));
      }
    } else if (choice < 82) {
      topics_.insert(topics_.end(), log->identity().topic);
      world_.remove(*log);
    } else if (choice < 88) {
      world_.advance(Duration::from_ms(static_cast<std::int64_t>(random_.below(2'000))));
    } else {
      read(*log);
    }
  }

  void create() {
    // A name that was removed comes back with another topic id.
    std::string topic = "t" + std::to_string(topic_number_++);
    if (!topics_.empty() && random_.one_in(2)) {
      topic = topics_.back();
      topics_.pop_back();
    }
    LogConfig config = config_;
    if (world_.options.os_ring && random_.one_in(2)) {
      config.os_durable = true;
      constexpr std::int64_t kBounds[] = {1, 8, INT64_MAX};
      config.flush_messages = kBounds[random_.below(3)];
      if (random_.one_in(3)) config.flush_ms = static_cast<std::int64_t>(random_.below(100));
    }
    world_.create(topic, config);
  }

  void append(Log& log) {
    for (std::uint64_t batches = 1 + random_.below(4); batches > 0; --batches) {
      BatchSpec spec;
      const std::uint64_t kind = random_.below(20);
      spec.value_size = static_cast<std::size_t>(kind == 0  ? random_.below(24'000)
                                                 : kind < 6 ? random_.below(3'000)
                                                            : random_.below(200));
      spec.value_size = std::min<std::size_t>(spec.value_size, config_.segment_bytes - 100);
      spec.count = kind == 0 ? 1 : 1 + static_cast<std::int32_t>(random_.below(3));
      if (spec.count > 1)
        spec.value_size = std::min<std::size_t>(spec.value_size, config_.segment_bytes / 4 - 100);
      spec.timestamp = world_.now.wall.ms;
      spec.fill = static_cast<char>('a' + random_.below(26));
      const World::Model& model = world_.models.at(log.id());
      spec.producer = ProducerId{7};
      // Follows on the producer's last batch that is still in the log, or starts anew.
      const World::ModelBatch* last = model.batches.empty() ? nullptr : &model.batches.back();
      if (model.remembered > 0 && random_.one_in(6)) {
        repeat(log, *last);
        continue;
      }
      spec.sequence = last == nullptr
                          ? 0
                          : records::sequence_after(last->sequence,
                                                    static_cast<std::int32_t>(last->last - last->base) + 1);
      // Now and then one that the ring has to grow for.
      if (world_.options.ring_bytes_limit > 0 && world_.options.memory_bytes >= 4u << 20 &&
          random_.one_in(40)) {
        spec.count = 1;
        spec.value_size = config_.segment_bytes - 1'000;
      }
      const auto appended = world_.append(log, spec, LeaderEpoch{epoch_});
      if (!appended && appended.error() == AppendRefusal::held_back) return;
      ASSERT_TRUE(appended.has_value()) << static_cast<int>(appended.error());
      EXPECT_FALSE(appended->duplicate);
    }
  }

  // A client that got no answer sends the same again.
  void repeat(Log& log, const World::ModelBatch& batch) {
    Buffer again = batch.bytes;
    records::set_base_offset(again, Offset{0});
    records::set_leader_epoch(again, LeaderEpoch{-1});
    const auto answer =
        world_.storage->append(log, again, info_of(again), {.epoch = LeaderEpoch{epoch_}}, world_.now);
    ASSERT_TRUE(answer.has_value()) << static_cast<int>(answer.error());
    EXPECT_TRUE(answer->duplicate);
    EXPECT_EQ(answer->base, batch.base);
  }

  void truncate(Log& log) {
    const World::Model& model = world_.models.at(log.id());
    if (model.batches.empty()) return;
    const std::size_t back = static_cast<std::size_t>(random_.below(random_.one_in(4) ? 40 : 4));
    const std::size_t at = model.batches.size() - std::min(back, model.batches.size() - 1) - 1;
    if (model.batches[at].base <= log.start_offset()) return;
    world_.truncate(log, model.batches[at].base);
  }

  void read(Log& log) {
    if (log.end_offset() == log.start_offset()) return;
    const auto span = static_cast<std::uint64_t>(log.end_offset() - log.start_offset());
    Offset from = log.start_offset() + static_cast<std::int64_t>(random_.below(span));
    const Offset upper =
        from + 1 +
        static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(log.end_offset() - from)));
    const World::Model& model = world_.models.at(log.id());
    // The bound is the end of a batch, as a high watermark is.
    const auto cut = std::find_if(model.batches.begin(), model.batches.end(),
                                  [&](const auto& batch) { return batch.last + 1 >= upper; });
    const Offset bound = cut->last + 1;
    const Buffer got = world_.read_all(log, from, bound, 1 + random_.below(40'000));
    EXPECT_TRUE(got == World::bytes_from(model, from, bound))
        << model.identity.topic << " from " << from.value << " to " << bound.value;
  }

  void end_process() {
    const std::uint64_t kind = random_.below(10);
    if (kind < 6) {
      world_.crash();
    } else if (kind < 9) {
      world_.kill();
    } else {
      world_.storage->stop();
      const bool to_the_end = random_.one_in(2);
      for (int step = 0; step < 40'000 && !world_.storage->stopped(); ++step) {
        if (!to_the_end && random_.one_in(60)) break;
        if (world_.disk.idle()) world_.advance(Duration::from_ms(1));
        world_.step();
      }
      EXPECT_TRUE(!to_the_end || world_.storage->stopped());
      world_.take_news();
      world_.crash();
    }
  }

  void restart() {
    // Now and then the power goes during recovery, too.
    while (random_.one_in(4)) {
      world_.start();
      for (std::uint64_t steps = random_.below(30); steps > 0 && !world_.disk.idle(); --steps) {
        world_.storage->completed(world_.disk.step(), world_.now);
        world_.storage->turn(world_.now, world_.effects);
        world_.disk.submit(world_.effects);
      }
      world_.crash();
    }
    world_.start();
    for (int step = 0; step < 5'000 && !world_.storage->recovered(); ++step) {
      if (world_.disk.idle()) {
        world_.advance(Duration::from_ms(1));
      } else {
        world_.storage->completed(world_.disk.step(), world_.now);
      }
      world_.storage->turn(world_.now, world_.effects);
      world_.disk.submit(world_.effects);
    }
    ASSERT_TRUE(world_.storage->recovered());
    ASSERT_NE(world_.storage->report(DirId{0}).state, DirState::offline)
        << world_.storage->report(DirId{0}).failure.message;
    world_.match_logs();
    // A removal that a crash took back leaves the name in use.
    std::erase_if(topics_, [&](const std::string& topic) {
      const auto logs = world_.storage->logs();
      return std::any_of(logs.begin(), logs.end(), [&](Log* log) { return log->identity().topic == topic; });
    });
  }

  World world_;
  Prng random_;
  LogConfig config_;
  std::uint64_t logs_max_ = 1;
  std::int32_t epoch_ = 1;
  int topic_number_ = 0;
  std::vector<std::string> topics_;
};

TEST(CrashTest, RandomWorkloadsOverManySeeds) {
  const char* only = std::getenv("SEED");
  const char* many = std::getenv("SEEDS");
  const std::uint64_t first = only != nullptr ? std::strtoull(only, nullptr, 10) : 1;
  const std::uint64_t seeds = only != nullptr ? 1 : many != nullptr ? std::strtoull(many, nullptr, 10) : 60;
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    SCOPED_TRACE("SEED=" + std::to_string(seed));
    if (only != nullptr || many != nullptr)
      std::fprintf(stderr, "SEED=%llu\n", static_cast<unsigned long long>(seed));
    Chaos chaos(seed);
    chaos.run(12);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace tailwater::log
