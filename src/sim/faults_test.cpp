// Goal: what the simulator once found stays mended.
// Method: the few steps that led there, over many seeds, since what a power loss takes is a matter of luck.
#include <memory>

#include "sim/test_world.hpp"

namespace tailwater::sim {
namespace {

constexpr std::uint64_t kSeeds = 30;

// A frame of the journal whose write failed may still be read by the next start. What is acknowledged behind
// it is lost with it, should it then vanish in a power loss.
TEST(Faults, a_frame_that_only_the_page_cache_has_is_written_again) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    TestWorld world(1, seed);
    {
      Line line(world);
      create_topic(line, "t", 1);
      ASSERT_EQ(produce(line, "t", 0, batch_of(1, 1'700'000'000'000)).error_code, wire::ErrorCode::none);
      world.disk.arm(Fault::write_error);
      EXPECT_NE(produce(line, "t", 0, batch_of(1, 1'700'000'000'000)).error_code, wire::ErrorCode::none);
      EXPECT_TRUE(world.disk.has_failed());
    }
    world.broker.die(Death::process);
    world.start();
    std::int64_t end = 0;
    {
      Line line(world);
      const auto answer = produce(line, "t", 0, batch_of(1, 1'700'000'000'000));
      ASSERT_EQ(answer.error_code, wire::ErrorCode::none);
      end = answer.base_offset + 1;
    }
    world.broker.die(Death::machine);
    world.start();
    ASSERT_EQ(world.broker.failure(), "") << "seed " << seed;
    Line line(world);
    EXPECT_EQ(fetch(line, "t", 0, 0).high_watermark, end) << "seed " << seed;
  }
}

// When there is room again everything goes on by itself, also if it was the manifest that found none.
TEST(Faults, a_disk_that_was_full_is_written_to_again) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    TestWorld world(1, seed, {{"tailwater.journal.bytes", "524288"}});
    auto line = std::make_unique<Line>(world);
    create_topic(*line, "t", 1);
    Prng random(seed);
    for (int round = 0; round < 150; ++round) {
      if (random.one_in(15)) {
        world.disk.set_no_room(false);
        line.reset();
        world.broker.die(Death::process);
        world.start();
        line = std::make_unique<Line>(world);
      }
      world.disk.set_no_room(random.one_in(2));
      line->post(9, production("t", 0, batch_of(4, 1'700'000'000'000, {}, 4'000)));
      world.pass(Duration::from_ms(static_cast<std::int64_t>(random.below(40))));
    }
    world.disk.set_no_room(false);
    world.pass(Duration::from_ms(5'000));
    Line fresh(world);
    const auto answer = produce(fresh, "t", 0, batch_of(1, 1'700'000'000'000));
    EXPECT_EQ(answer.error_code, wire::ErrorCode::none) << "seed " << seed;
  }
}

}  // namespace
}  // namespace tailwater::sim
