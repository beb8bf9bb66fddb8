// Goal: what is damaged on the disk is told and never served, and all else goes on.
// Method: a broker is stopped, bytes of its files are changed, it is started again and asked; at the points
// that seeds of the simulator have found.
#include "sim/test_world.hpp"

namespace tailwater::sim {
namespace {

using wire::ErrorCode;

constexpr std::int64_t kTime = 1'700'000'000'000;

void flip(TestWorld& world, const std::string& path, std::uint64_t at) {
  disk_model::File& file = *world.disk.files().at(path);
  const std::byte flipped = file.content().at(at) ^ std::byte{4};
  file.damage(at, Bytes(&flipped, 1));
}

class DamagedFetch : public testing::TestWithParam<std::uint32_t> {};

TEST_P(DamagedFetch, two_damaged_partitions_are_told_in_one_answer_or_two) {
  constexpr std::int32_t kPartitions = 3;
  TestWorld world(GetParam());
  {
    Line line(world);
    create_topic(line, "t", kPartitions);
    for (std::int32_t each = 0; each < kPartitions; ++each) produce(line, "t", each, batch_of(2, kTime));
  }
  world.stop();
  for (const char* folder : {"t-0", "t-1"})
    flip(world, "0/" + std::string(folder) + "/00000000000000000000.log", 80);
  world.start();
  Line line(world);
  wire::FetchRequest request = fetching("t", 0, 0);
  for (std::int32_t each = 1; each < kPartitions; ++each) {
    request.topics[0].partitions.push_back(request.topics[0].partitions[0]);
    request.topics[0].partitions.back().partition = each;
  }
  std::vector<bool> told(kPartitions);
  bool read = false;
  for (int tries = 0; tries < 5; ++tries) {
    const auto response = line.ask(12, request);
    for (const auto& part : response.responses.at(0).partitions) {
      const auto index = static_cast<std::size_t>(part.partition_index);
      told[index] = told[index] || part.error_code == ErrorCode::corrupt_message;
      if (index == 2) read = read || !part.records.value_or(Bytes{}).empty();
    }
  }
  EXPECT_TRUE(told[0]);
  EXPECT_TRUE(told[1]);
  EXPECT_FALSE(told[2]);
  EXPECT_TRUE(read);
}

INSTANTIATE_TEST_SUITE_P(Shards, DamagedFetch, testing::Values(1U, 3U));

}  // namespace
}  // namespace tailwater::sim
