// Goal: a shortage of descriptors takes no log directory offline, wherever it is met, and loses nothing. Method: a
// disk on which nothing can be opened for a while, and a storage that keeps no file open.
#include <gtest/gtest.h>

#include <string>

#include "core/log/log_state.hpp"
#include "core/log/test_world.hpp"

namespace tailwater::log {
namespace {

class Descriptors : public testing::Test {
 protected:
  Descriptors() {
    world.options.open_files_max = 0;
    world.options.direct_run_bytes = 16 << 10;
    world.options.flush_run_bytes = 4'096;
    world.options.flush_round_bytes = 32 << 10;
    world.options.ring_bytes_start = world.options.ring_bytes_max = 1 << 20;
    world.start_and_recover();
    world.create("a");
    world.create("b");
    world.pump();
  }
  void append(const std::string& topic, std::size_t size) {
    ASSERT_TRUE(world.append(world.log(topic), {.value_size = size}).has_value());
  }
  DirState state() const { return world.storage->report(DirId{0}).state; }
  // They come back, and what waits for them has its turn.
  void relax() {
    world.disk.no_descriptors = false;
    world.advance(world.options.full_retry_interval);
    world.pump();
  }
  void expect_all_durable() {
    for (const std::string topic : {"a", "b"})
      EXPECT_EQ(world.log(topic).durable_end(), world.log(topic).end_offset()) << topic;
    world.stop();
    world.start_and_recover();
    world.verify();
  }

  World world{11};
};

TEST_F(Descriptors, AHeadIsReadWhenThereIsOneAgain) {
  append("a", 1'000);
  world.pump();
  world.stop();
  world.start_and_recover();
  world.disk.no_descriptors = true;
  append("a", 1'000);
  world.pump();
  EXPECT_NE(state(), DirState::offline);
  EXPECT_LT(world.log("a").durable_end(), world.log("a").end_offset());
  relax();
  expect_all_durable();
}

TEST_F(Descriptors, ADirectRunIsWrittenWhenThereIsOneAgain) {
  for (int each = 0; each < 24; ++each) append("a", 2'000);
  world.pump();
  const auto append_beside = [&] {
    append("b", 100);
    world.turn();
    append("a", 30'000);
  };
  append_beside();
  world.pump();
  ASSERT_EQ(world.storage->report(DirId{0}).direct_runs, 0U) << "it only asks for room";
  const Offset before = world.log("a").durable_end();
  append_beside();
  world.disk.no_descriptors = true;
  world.turn();
  ASSERT_EQ(world.storage->report(DirId{0}).direct_runs, 1U);
  world.pump();
  EXPECT_NE(state(), DirState::offline);
  EXPECT_EQ(world.log("a").durable_end(), before);
  relax();
  expect_all_durable();
}

TEST_F(Descriptors, ACleanStopWaitsForThem) {
  append("a", 100);
  world.pump();
  world.disk.no_descriptors = true;
  world.storage->stop();
  world.pump();
  EXPECT_NE(state(), DirState::offline);
  EXPECT_FALSE(world.storage->stopped());
  relax();
  EXPECT_TRUE(world.storage->stopped());
  world.stop();
  world.start_and_recover();
  world.verify();
}

TEST_F(Descriptors, WhereverTheyRunOutAllGoesOnAfterwards) {
  Prng chance(3);
  for (int step = 0; step < 2'000 && state() != DirState::offline; ++step) {
    const std::string topic = chance.one_in(2) ? "a" : "b";
    if (chance.one_in(3)) (void)world.append(world.log(topic), {.value_size = 1 + chance.below(24'000)});
    if (chance.one_in(100)) world.storage->set_log_start(world.log(topic), world.log(topic).durable_end());
    if (chance.one_in(20)) world.disk.no_descriptors = !world.disk.no_descriptors;
    if (chance.one_in(10)) world.advance(Duration::from_ms(300));
    for (std::uint64_t more = chance.below(20); more > 0 && !world.disk.idle(); --more) world.step();
    world.turn();
  }
  EXPECT_NE(state(), DirState::offline) << world.storage->report(DirId{0}).failure.message;
  relax();
  expect_all_durable();
}

}  // namespace
}  // namespace tailwater::log
