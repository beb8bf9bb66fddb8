// Goal: a broker may be started again with another number of shards, and everything is still there.
// Method: clean restarts between every two numbers of shards up to three, with records written before and
// after. Crashes in the middle of it: core/log/redistribution_test.cpp.
#include "sim/test_world.hpp"

namespace tailwater::sim {
namespace {

constexpr std::int32_t kPartitions = 6;

void check_all(TestWorld& world, std::int64_t end, const std::string& when) {
  Line line(world);
  for (std::int32_t partition = 0; partition < kPartitions; ++partition) {
    const auto part = fetch(line, "t", partition, 0);
    EXPECT_EQ(part.error_code, wire::ErrorCode::none) << when;
    EXPECT_EQ(part.high_watermark, end) << when << ", partition " << partition;
    EXPECT_FALSE(part.records.value_or(Bytes{}).empty()) << when;
  }
  EXPECT_EQ(world.broker.complaints(), std::vector<std::string>{}) << when;
}

void produce_all(TestWorld& world) {
  Line line(world);
  for (std::int32_t partition = 0; partition < kPartitions; ++partition) {
    EXPECT_EQ(produce(line, "t", partition, batch_of(10, 1'700'000'000'000)).error_code,
              wire::ErrorCode::none);
  }
}

void restart_with(std::uint32_t before, std::uint32_t after) {
  const std::string when = std::to_string(before) + " to " + std::to_string(after) + " shards";
  TestWorld world(before);
  {
    Line line(world);
    create_topic(line, "t", kPartitions);
  }
  produce_all(world);
  world.stop();
  world.broker.set_shards(after);
  world.start();
  check_all(world, 10, when);
  produce_all(world);
  check_all(world, 20, when + ", produced");
  world.stop();
  world.start();
  check_all(world, 20, when + ", again");
  world.stop();
  world.broker.set_shards(before);
  world.start();
  check_all(world, 20, when + ", and back");
}

TEST(Shards, data_survives_another_number_of_shards) {
  for (std::uint32_t before = 1; before <= 3; ++before) {
    for (std::uint32_t after = 1; after <= 3; ++after) restart_with(before, after);
  }
}

}  // namespace
}  // namespace tailwater::sim
