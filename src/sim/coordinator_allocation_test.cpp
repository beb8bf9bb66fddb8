// Goal: a heartbeat costs no allocation, and what commits of offsets and transactions cost stays where it is.
// Method: one shard, fed by hand, that has a group with a member and a transactional producer; many requests, one
// after the other, after as many that warm it.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "sim/counted_shard.hpp"
#include "wire/api/add_partitions_to_txn.hpp"
#include "wire/api/end_txn.hpp"
#include "wire/api/find_coordinator.hpp"
#include "wire/api/heartbeat.hpp"
#include "wire/api/init_producer_id.hpp"
#include "wire/api/join_group.hpp"
#include "wire/api/offset_commit.hpp"
#include "wire/api/offset_fetch.hpp"
#include "wire/api/sync_group.hpp"

namespace tailwater::sim {
namespace {

constexpr std::string_view kTopic = "a-topic-with-a-name-of-some-length";
constexpr std::string_view kGroup = "a-group-with-a-name-of-some-length";
constexpr std::string_view kProducer = "a-producer-with-a-name-of-some-length";
constexpr int kWarming = 200;
constexpr int kRequests = 400;

class CoordinatorAllocation : public ::testing::Test {
 protected:
  CoordinatorAllocation() {
    EXPECT_EQ(shard.ask(7, creation(kTopic, 1)).topics.at(0).error_code, wire::ErrorCode::none);
    find(kGroup, 0);
    find(kProducer, 1);
  }

  template <class Request>
  auto until_done(std::int16_t version, const Request& request) {
    auto response = shard.ask(version, request);
    for (int again = 0; again < 1'000 && wire::retriable(response.error_code); ++again) {
      response = shard.ask(version, request);
    }
    return response;
  }

  void find(std::string_view key, std::int8_t type) {
    wire::FindCoordinatorRequest request;
    request.key = key;
    request.key_type = type;
    EXPECT_EQ(until_done(3, request).error_code, wire::ErrorCode::none);
  }

  void join() {
    wire::JoinGroupRequest joining;
    joining.group_id = kGroup;
    joining.session_timeout_ms = 30'000;
    joining.rebalance_timeout_ms = 30'000;
    joining.protocol_type = "consumer";
    joining.protocols.push_back({.name = "range", .metadata = {}});
    const auto joined = until_done(3, joining);
    ASSERT_EQ(joined.error_code, wire::ErrorCode::none);
    member = joined.member_id;
    generation = joined.generation_id;
    wire::SyncGroupRequest syncing;
    syncing.group_id = kGroup;
    syncing.generation_id = generation;
    syncing.member_id = member;
    syncing.assignments.push_back({.member_id = member, .assignment = {}});
    ASSERT_EQ(shard.ask(3, syncing).error_code, wire::ErrorCode::none);
  }

  // Allocations of a request, with the turns that it takes.
  double cost_of(const Buffer& frame) {
    const auto serve = [&](int requests) {
      for (int each = 0; each < requests; ++each) {
        shard.give(kConnection, frame);
        shard.await(kConnection, 1);
      }
    };
    serve(kWarming);
    allocations = 0;
    serve(kRequests);
    return static_cast<double>(allocations) / kRequests;
  }

  CountedShard shard;
  std::string member;
  std::int32_t generation = 0;
};

TEST_F(CoordinatorAllocation, a_heartbeat_costs_nothing) {
  join();
  wire::HeartbeatRequest request;
  request.group_id = kGroup;
  request.generation_id = generation;
  request.member_id = member;
  EXPECT_LE(cost_of(CountedShard::frame_of(4, request)), 0.01);
  // What is refused would cost as little.
  EXPECT_EQ(shard.ask(4, request).error_code, wire::ErrorCode::none);
}

TEST_F(CoordinatorAllocation, of_a_commit_and_a_fetch_of_offsets) {
  join();
  wire::OffsetCommitRequest commit;
  commit.group_id = kGroup;
  commit.generation_id_or_member_epoch = generation;
  commit.member_id = member;
  auto& topic = commit.topics.emplace_back();
  topic.name = kTopic;
  topic.partitions.push_back({.partition_index = 0, .committed_offset = 1});
  const double committing = cost_of(CountedShard::frame_of(8, commit));
  RecordProperty("allocations_per_commit", std::to_string(committing));
  EXPECT_LE(committing, 12.5);
  EXPECT_EQ(shard.ask(8, commit).topics.at(0).partitions.at(0).error_code, wire::ErrorCode::none);

  wire::OffsetFetchRequest fetch;
  auto& group = fetch.groups.emplace_back();
  group.group_id = kGroup;
  group.topics.emplace().push_back({.name = std::string(kTopic), .topic_id = {}, .partition_indexes = {0}});
  const double fetching = cost_of(CountedShard::frame_of(8, fetch));
  RecordProperty("allocations_per_fetch_of_offsets", std::to_string(fetching));
  EXPECT_LE(fetching, 10);
  EXPECT_EQ(shard.ask(8, fetch).groups.at(0).topics.at(0).partitions.at(0).committed_offset, 1);
}

// An addition of a partition and the end of the transaction, its marker included.
TEST_F(CoordinatorAllocation, of_a_transaction) {
  wire::InitProducerIdRequest init;
  init.transactional_id = std::string(kProducer);
  init.transaction_timeout_ms = 60'000;
  const auto begun = until_done(4, init);
  wire::AddPartitionsToTxnRequest add;
  add.v3_and_below_transactional_id = kProducer;
  add.v3_and_below_producer_id = begun.producer_id;
  add.v3_and_below_producer_epoch = begun.producer_epoch;
  add.v3_and_below_topics.push_back({.name = std::string(kTopic), .partitions = {0}});
  const wire::EndTxnRequest end{.transactional_id = std::string(kProducer),
                                .producer_id = begun.producer_id,
                                .producer_epoch = begun.producer_epoch,
                                .committed = true};
  const auto round = [&] {
    const auto added = shard.ask(3, add);
    EXPECT_EQ(added.results_by_topic_v3_and_below.at(0).results_by_partition.at(0).partition_error_code,
              wire::ErrorCode::none);
    EXPECT_EQ(shard.ask(3, end).error_code, wire::ErrorCode::none);
  };
  for (int warm = 0; warm < kWarming; ++warm) round();
  allocations = 0;
  for (int count = 0; count < kRequests; ++count) round();
  const double cost = static_cast<double>(allocations) / kRequests;
  RecordProperty("allocations_per_transaction", std::to_string(cost));
  EXPECT_LE(cost, 91);
}

}  // namespace
}  // namespace tailwater::sim
