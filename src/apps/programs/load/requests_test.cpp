// Goal: what is sent is a request of Kafka's whose batches are valid and of their codec. Method: it is read
// back.
#include "programs/load/requests.hpp"

#include <gtest/gtest.h>

#include "programs/load/script.hpp"
#include "records/validate.hpp"
#include "wire/api/produce.hpp"

namespace tailwater::load {
namespace {

wire::ProduceRequest read_back(Bytes frame) {
  wire::Reader reader(frame.subspan(4));
  EXPECT_EQ(load_big<std::uint32_t>(frame.data()), frame.size() - 4);
  const auto header = wire::decode_request_header(reader);
  EXPECT_TRUE(header);
  wire::ProduceRequest request;
  EXPECT_TRUE(decode(reader, header->api_version, request));
  EXPECT_EQ(reader.remaining(), 0);
  return request;
}

TEST(Requests, EachBatchGoesToAPartitionOfItsOwn) {
  Plan plan;
  apply_scenario("d", plan);
  const Buffer frame = produce_request(plan, 99);
  const wire::ProduceRequest request = read_back(frame);
  ASSERT_EQ(request.topic_data.at(0).partition_data.size(), 10);
  for (std::int32_t each = 0; each < 10; ++each) {
    const auto& part = request.topic_data[0].partition_data[static_cast<std::size_t>(each)];
    EXPECT_EQ(part.index, 990 + each);
    const auto batch = records::parse_batch(*part.records);
    ASSERT_TRUE(batch);
    EXPECT_TRUE(batch->crc_matches());
    EXPECT_EQ(batch->records_count(), 4);
  }
}

TEST(Requests, MorePartitionsThanAreWrittenAtOnceTakeTurns) {
  Plan plan;
  apply_scenario("d", plan);
  plan.partitions = 2500;
  std::vector<int> taken(plan.partitions);
  for (std::uint32_t connection = 0; connection < plan.connections; ++connection) {
    const auto script = make_writer(plan, connection, nullptr);
    for (int turn = 0; turn < 5; ++turn) {
      for (const auto& part : read_back(script->next()).topic_data.at(0).partition_data) {
        ++taken.at(static_cast<std::size_t>(part.index));
      }
    }
  }
  EXPECT_EQ(taken, std::vector<int>(plan.partitions, 2));
}

TEST(Requests, OtherwiseAConnectionStaysWithItsPartitions) {
  for (const std::uint32_t partitions : {7U, 10U, 1000U}) {
    Plan plan;
    apply_scenario("d", plan);
    plan.partitions = partitions;
    for (int turn = 0; const std::uint32_t connection : {0U, 42U}) {
      EXPECT_EQ(partition_of(plan, connection, 3, ++turn), partition_of(plan, connection, 3));
    }
  }
}

TEST(Requests, CompressedBatchesAreSmaller) {
  for (const records::Codec codec :
       {records::Codec::gzip, records::Codec::snappy, records::Codec::lz4, records::Codec::zstd}) {
    Plan plan;
    plan.records = 1000;
    plan.codec = codec;
    const Buffer frame = produce_request(plan, 0);
    const wire::ProduceRequest request = read_back(frame);
    const auto batch = records::parse_batch(*request.topic_data.at(0).partition_data.at(0).records);
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->codec(), codec);
    EXPECT_EQ(batch->records_count(), 1000);
    EXPECT_LT(batch->size(), 75'000);
    EXPECT_GT(batch->size(), 15'000);
  }
}

}  // namespace
}  // namespace tailwater::load
