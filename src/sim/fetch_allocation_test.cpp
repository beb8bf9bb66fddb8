// Goal: a fetch costs no allocation, whatever it is: with a session and without one, of many partitions or of
// one, answered at once, after a wait, or because its time is over. Method: one shard, fed by hand; rounds of
// many fetches cost no more allocations than rounds of one. What a turn costs, and what bytes cost, is in
// both.
#include <gtest/gtest.h>

#include <span>
#include <string_view>
#include <vector>

#include "sim/counted_shard.hpp"

namespace tailwater::sim {
namespace {

constexpr std::int16_t kByName = 12;
constexpr std::int16_t kById = 16;
constexpr std::string_view kTopic = "a-topic-with-a-name-of-some-length";
constexpr std::int32_t kPartitions = 100;
constexpr int kRounds = 20;
constexpr int kMany = 20;

// Nothing, in all rounds: but a list may grow once more.
constexpr std::uint64_t kAllowed = kRounds * kMany / 100;

class FetchAllocation : public ::testing::Test {
 protected:
  FetchAllocation() {
    const auto created = shard.ask(7, creation(kTopic, kPartitions));
    EXPECT_EQ(created.topics.at(0).error_code, wire::ErrorCode::none);
    topic_id = created.topics.at(0).topic_id;
    for (std::int32_t partition = 0; partition < kPartitions; ++partition) produce(partition);
  }

  void produce(std::int32_t partition) {
    const Buffer batch = batch_of(1, 1'700'000'000'000);
    const auto produced = shard.ask(9, production(kTopic, partition, batch));
    EXPECT_EQ(produced.responses.at(0).partition_responses.at(0).error_code, wire::ErrorCode::none);
  }

  wire::FetchRequest of_all() const {
    wire::FetchRequest request;
    request.min_bytes = 1;
    auto& topic = request.topics.emplace_back();
    topic.topic = kTopic;
    topic.topic_id = topic_id;
    for (std::int32_t partition = 0; partition < kPartitions; ++partition) {
      topic.partitions.push_back({.partition = partition, .partition_max_bytes = 1 << 20});
    }
    return request;
  }

  // Opens a session over all partitions, at their ends, on the connection; returns its id.
  std::int32_t open_session(ConnectionId connection) {
    if (connection != kConnection) shard.connect(connection);
    wire::FetchRequest request = of_all();
    request.session_epoch = 0;
    for (auto& partition : request.topics.at(0).partitions) partition.fetch_offset = 1;
    shard.give(connection, CountedShard::frame_of(kById, request));
    return shard.take<wire::FetchRequest>(connection, kById).session_id;
  }

  CountedShard shard;
  Uuid topic_id;
};

// Allocations of so many rounds, after some that fill what is kept.
template <class Round>
std::uint64_t cost_of(Round round) {
  for (int warm = 0; warm < kRounds; ++warm) round();
  allocations = 0;
  for (int count = 0; count < kRounds; ++count) round();
  return allocations;
}

TEST_F(FetchAllocation, without_a_session) {
  for (const std::int16_t version : {kByName, kById}) {
    const Buffer frame = CountedShard::frame_of(version, of_all());
    const auto round = [&](int fetches) {
      for (int each = 0; each < fetches; ++each) shard.give(kConnection, frame);
      shard.await(kConnection, fetches);
    };
    cost_of([&] { round(kMany); });
    const std::uint64_t one = cost_of([&] { round(1); });
    const std::uint64_t many = cost_of([&] { round(kMany); });
    EXPECT_LE(many, one + kAllowed) << "version " << version << "; rounds of one cost " << one;
  }
}

TEST_F(FetchAllocation, of_a_session_that_names_all_its_partitions) {
  wire::FetchRequest request = of_all();
  request.session_id = open_session(kConnection);
  request.session_epoch = 0;
  const auto round = [&](int fetches) {
    for (int each = 0; each < fetches; ++each) {
      ++request.session_epoch;
      shard.give(kConnection, CountedShard::frame_of(kById, request));
    }
    shard.await(kConnection, fetches);
  };
  cost_of([&] { round(kMany); });
  const std::uint64_t one = cost_of([&] { round(1); });
  const std::uint64_t many = cost_of([&] { round(kMany); });
  EXPECT_LE(many, one + kAllowed) << "rounds of one cost " << one;
}

// Consumers that each keep a session, and wait for the same partition.
class Waiting : public FetchAllocation {
 protected:
  Waiting() {
    for (int each = 0; each < kMany; ++each) {
      consumers.push_back({.connection = ConnectionId{100 + static_cast<std::uint64_t>(each)}});
      consumers.back().session = open_session(consumers.back().connection);
    }
  }

  struct Consumer {
    ConnectionId connection;
    std::int32_t session = 0;
    std::int32_t epoch = 0;
  };

  // The next poll of each: of the partition with `offset`, or, without one, of what the session knows.
  void poll(int count, std::int32_t wait_ms, std::int64_t offset = -1) {
    for (Consumer& consumer : std::span(consumers).first(static_cast<std::size_t>(count))) {
      wire::FetchRequest request;
      request.min_bytes = 1;
      request.max_wait_ms = wait_ms;
      request.session_id = consumer.session;
      request.session_epoch = ++consumer.epoch;
      if (offset >= 0) {
        request.topics.push_back({.topic = {}, .topic_id = topic_id, .partitions = {}});
        request.topics.back().partitions.push_back(
            {.partition = 0, .fetch_offset = offset, .partition_max_bytes = 1 << 20});
      }
      shard.give(consumer.connection, CountedShard::frame_of(kById, request));
    }
  }
  void await(int count) {
    for (int each = 0; each < count; ++each) {
      shard.await(consumers[static_cast<std::size_t>(each)].connection, 1);
    }
  }

  std::vector<Consumer> consumers;
};

TEST_F(Waiting, until_records_come) {
  std::int64_t end = 1;
  const auto round = [&](int count) {
    poll(count, 60'000, end);
    shard.pass(5);
    produce(0);
    ++end;
    await(count);
  };
  cost_of([&] { round(kMany); });
  const std::uint64_t one = cost_of([&] { round(1); });
  const std::uint64_t many = cost_of([&] { round(kMany); });
  EXPECT_LE(many, one + kAllowed) << "rounds of one cost " << one;
}

TEST_F(Waiting, until_the_time_is_over) {
  const auto round = [&](int count) {
    poll(count, 2);
    await(count);
  };
  cost_of([&] { round(kMany); });
  const std::uint64_t one = cost_of([&] { round(1); });
  const std::uint64_t many = cost_of([&] { round(kMany); });
  EXPECT_LE(many, one + kAllowed) << "rounds of one cost " << one;
}

}  // namespace
}  // namespace tailwater::sim
