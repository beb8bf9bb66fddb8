// Goal: whatever is written, whenever compaction runs, and wherever the process or the power fails, a
// compacted log gives every consumer the newest committed value of every key, and nothing that was aborted or
// never written. Method: random keyed writes, tombstones, transactions, truncations and pauses on a disk that
// forgets what was not synced; ends at any step; the model of compaction_test_world.hpp after each start and
// in between.
#include <gtest/gtest.h>

#include "core/log/compaction_test_world.hpp"

namespace tailwater::log {
namespace {

constexpr records::Codec kCodecs[] = {records::Codec::none, records::Codec::none, records::Codec::lz4,
                                      records::Codec::zstd};

class Story {
 public:
  explicit Story(std::uint64_t seed) : world_(seed), random_(seed * 7 + 3) {
    world_.disk.can_reserve = seed % 3 != 0;
    world_.config.delete_retention_ms = random_.one_in(2) ? 3'000 : 60'000;
    world_.config.segment_bytes = static_cast<std::uint32_t>(1'500 + random_.below(6'000));
    if (random_.one_in(3)) world_.config.short_from_bytes = static_cast<std::uint32_t>(random_.below(1'500));
    world_.config.file_delete_delay_ms = random_.one_in(2) ? 0 : 2'000;
    world_.options.compaction_map_bytes = random_.one_in(3) ? 1 : 1 << 20;
    world_.options.producer_expiration_ms = random_.one_in(4) ? 20'000 : 86'400'000;
    world_.options.retention_interval = Duration::from_ms(4'000);
    if (random_.one_in(3)) world_.options.compaction_bytes_per_second = 1;
    keys_ = 1 + random_.below(40);
  }

  void run(int acts) {
    world_.start();
    for (int act = 0; act < acts && !testing::Test::HasFatalFailure(); ++act) {
      world_.now.wall.ms += 1 + static_cast<std::int64_t>(random_.below(200));
      const std::uint64_t dice = random_.below(100);
      if (dice < 60) {
        write();
      } else if (dice < 70) {
        end_transaction();
      } else if (dice < 90) {
        for (std::uint64_t steps = random_.below(120); steps > 0; --steps) world_.step();
      } else if (dice < 95) {
        world_.advance(Duration::from_ms(static_cast<std::int64_t>(random_.below(6'000))));
      } else if (dice < 96) {
        cut();
      } else if (dice < 98) {
        restart();
      } else {
        look();
      }
    }
    if (testing::Test::HasFatalFailure()) return;
    // At rest: everything that can be compacted is, and nothing is left over.
    world_.pump();
    for (int patience = 0; patience < 20; ++patience) world_.compact();
    world_.check(Offset{0});
    EXPECT_EQ(world_.paths_with(".cleaned"), std::vector<std::string>{});
    rounds = world_.storage->compaction().rounds;
    world_.end(true);
    world_.start();
    world_.check(Offset{0});
  }
  std::uint64_t rounds = 0;

 private:
  void write() {
    if (world_.storage->held_back(DirId{0})) return world_.pump();
    Producing how;
    how.codec = kCodecs[random_.below(std::size(kCodecs))];
    const std::uint64_t producer = random_.below(5);
    if (producer > 0) {
      how.producer = ProducerId{static_cast<std::int64_t>(producer)};
      how.sequence = world_.next_sequence(how.producer);
      // Producers 1 and 2 write transactions only, the others none.
      how.transactional = producer <= 2;
    }
    std::vector<KeyedWorld::Written> records;
    for (std::uint64_t count = 1 + random_.below(6); count > 0; --count) {
      const std::string key = "k" + std::to_string(random_.below(keys_));
      std::optional<std::string> value;
      if (!random_.one_in(6)) value = std::to_string(++values_) + std::string(random_.below(80), 'v');
      records.push_back({key, value, world_.now.wall.ms - static_cast<std::int64_t>(random_.below(50))});
    }
    // A producer that was forgotten meanwhile may be refused; it begins anew with the next one.
    const bool taken = world_.append(std::move(records), how);
    EXPECT_TRUE(taken || how.producer.value >= 0);
  }
  void end_transaction() {
    const ProducerId producer{1 + static_cast<std::int64_t>(random_.below(2))};
    if (!world_.in_transaction(producer) || world_.storage->held_back(DirId{0})) return;
    const auto type = random_.one_in(2) ? records::ControlType::abort : records::ControlType::commit;
    EXPECT_TRUE(world_.append_marker(producer, type));
  }
  void cut() {
    // Below that everything may have been compacted: no leader asks for it.
    const Offset end = world_.log().end_offset();
    Offset from = std::max({world_.log().first_unstable_offset(), Offset{end.value - 15}, Offset{0}});
    for (const auto& batch : world_.model) {
      if (batch.marker) from = std::max(from, batch.last + 1);
    }
    if (from >= end) return;
    world_.truncate(from + static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(end - from))));
    world_.pump();  // what a crash would bring back is tested elsewhere
  }
  void restart() {
    if (random_.one_in(4)) {
      world_.stop();
    } else {
      world_.end(random_.one_in(2));
    }
    world_.start();
    if (!testing::Test::HasFatalFailure()) world_.check(Offset{0});
  }
  void look() {
    const auto end = static_cast<std::uint64_t>(world_.log().end_offset().value);
    world_.check(Offset{static_cast<std::int64_t>(random_.below(end + 1))});
  }

  KeyedWorld world_;
  Prng random_;
  std::uint64_t keys_ = 1;
  std::uint64_t values_ = 0;
};

TEST(CompactionProperty, consumers_get_the_newest_committed_value_of_every_key) {
  std::uint64_t rounds = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Story story(seed);
    story.run(1'500);
    rounds += story.rounds;
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(rounds, 40U) << "compaction hardly ran";
}

}  // namespace
}  // namespace tailwater::log
