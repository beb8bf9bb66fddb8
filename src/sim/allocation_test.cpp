// Goal: nothing is allocated per record on the data path: a batch of 10,000 records costs a shard no more
// allocations than one of 10 records and as many bytes, in a transaction as without one. Nothing is allocated
// per produce request: fifty of them in a turn cost no more than one. Method: one shard, fed by hand;
// operator new counts while the shard itself runs, and only then (counted_shard.hpp).
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "sim/counted_shard.hpp"
#include "wire/api/end_txn.hpp"
#include "wire/api/init_producer_id.hpp"

namespace tailwater::sim {
bool counting = false;
std::uint64_t allocations = 0;
}  // namespace tailwater::sim

namespace {

void* counted(std::size_t size) {
  if (tailwater::sim::counting) ++tailwater::sim::allocations;
  void* block = std::malloc(size == 0 ? 1 : size);
  if (block == nullptr) std::abort();
  return block;
}

}  // namespace

void* operator new(std::size_t size) {
  return counted(size);
}
void* operator new[](std::size_t size) {
  return counted(size);
}
void operator delete(void* block) noexcept {
  std::free(block);
}
void operator delete[](void* block) noexcept {
  std::free(block);
}
void operator delete(void* block, std::size_t) noexcept {
  std::free(block);
}
void operator delete[](void* block, std::size_t) noexcept {
  std::free(block);
}

namespace tailwater::sim {
namespace {

// A batch of so many records, about 200 KiB.
Buffer large_batch(std::int32_t records, const records::BatchOptions& options = {}) {
  constexpr std::size_t kBytes = 200'000;
  constexpr std::size_t kOverhead = 9;  // of a record of this size, about
  const std::size_t size = kBytes / static_cast<std::size_t>(records);
  return batch_of(records, 1'700'000'000'000, options,
                  size > 100 ? size : std::max<std::size_t>(size - kOverhead, 1));
}

// Allocations of so many produces and fetches of batches with `records` records.
std::uint64_t cost_of(std::int32_t records, int requests) {
  CountedShard shard;
  const Buffer batch = large_batch(records);
  EXPECT_EQ(shard.ask(7, creation("t", 1)).topics.at(0).error_code, wire::ErrorCode::none);
  std::int64_t offset = 0;
  const auto round = [&] {
    const auto produced = shard.ask(9, production("t", 0, batch));
    EXPECT_EQ(produced.responses.at(0).partition_responses.at(0).base_offset, offset);
    const auto fetched = shard.ask(12, fetching("t", 0, offset));
    EXPECT_EQ(fetched.responses.at(0).partitions.at(0).records.value_or(Bytes{}).size(), batch.size());
    offset += records;
  };
  for (int warm = 0; warm < 20; ++warm) round();
  allocations = 0;
  for (int request = 0; request < requests; ++request) round();
  return allocations;
}

// Allocations of so many transactions, each of two batches with `records` records.
std::uint64_t cost_of_transactions(std::int32_t records, int transactions) {
  CountedShard shard;
  EXPECT_EQ(shard.ask(7, creation("t", 1)).topics.at(0).error_code, wire::ErrorCode::none);
  wire::FindCoordinatorRequest find;
  find.key = "id";
  find.key_type = 1;
  EXPECT_EQ(shard.ask(3, find).error_code, wire::ErrorCode::none);
  const auto until_done = [](const auto& ask) {
    auto response = ask();
    for (int again = 0; again < 1'000 && wire::retriable(response.error_code); ++again) response = ask();
    EXPECT_EQ(response.error_code, wire::ErrorCode::none);
    return response;
  };
  wire::InitProducerIdRequest init;
  init.transactional_id = "id";
  init.transaction_timeout_ms = 60'000;
  const auto begun = until_done([&] { return shard.ask(4, init); });
  wire::EndTxnRequest end{.transactional_id = "id",
                          .producer_id = begun.producer_id,
                          .producer_epoch = begun.producer_epoch,
                          .committed = true};
  const auto round = [&] {
    for (std::int32_t each = 0; each < 2; ++each) {
      const Buffer batch = large_batch(records, {.producer_id = ProducerId{end.producer_id},
                                                 .producer_epoch = ProducerEpoch{end.producer_epoch},
                                                 .base_sequence = each * records,
                                                 .transactional = true});
      auto request = production("t", 0, batch);
      request.transactional_id = "id";
      const auto produced = shard.ask(12, request);
      EXPECT_EQ(produced.responses.at(0).partition_responses.at(0).error_code, wire::ErrorCode::none);
    }
    const auto ended = until_done([&] { return shard.ask(5, end); });
    end.producer_id = ended.producer_id;
    end.producer_epoch = ended.producer_epoch;
  };
  for (int warm = 0; warm < 20; ++warm) round();
  allocations = 0;
  for (int transaction = 0; transaction < transactions; ++transaction) round();
  return allocations;
}

// Allocations of so many rounds of so many produce requests at once, each of one small record.
std::uint64_t cost_of_produces(int rounds, int requests) {
  CountedShard shard;
  EXPECT_EQ(shard.ask(7, creation("t", 1)).topics.at(0).error_code, wire::ErrorCode::none);
  const Buffer batch = batch_of(1, 1'700'000'000'000, {}, 100);
  const Buffer frame = CountedShard::frame_of(9, production("t", 0, batch));
  const auto ask = [&](int times) {
    for (int each = 0; each < times; ++each) shard.give(kConnection, frame);
    shard.await(kConnection, times);
  };
  for (int warm = 0; warm < 50; ++warm) ask(50);
  allocations = 0;
  for (int round = 0; round < rounds; ++round) ask(requests);
  return allocations;
}

// What bytes cost (chunks of memory, entries of their index, writes to the disk) is not nothing: one in a
// hundred.
TEST(Allocation, does_not_grow_with_the_number_of_produce_requests) {
  constexpr int kRounds = 20;
  constexpr int kRequests = 50;
  const std::uint64_t one = cost_of_produces(kRounds, 1);
  const std::uint64_t many = cost_of_produces(kRounds, kRequests);
  RecordProperty("allocations_of_rounds_of_one", std::to_string(one));
  RecordProperty("allocations_of_rounds_of_many", std::to_string(many));
  EXPECT_LE(many, one + kRounds * kRequests / 100) << "a round of one request costs " << one / kRounds;
}

TEST(Allocation, does_not_grow_with_the_records_of_a_batch) {
  constexpr int kRequests = 40;
  const std::uint64_t few = cost_of(10, kRequests) / kRequests;
  const std::uint64_t many = cost_of(10'000, kRequests) / kRequests;
  RecordProperty("allocations_per_produce_and_fetch", std::to_string(many));
  EXPECT_LT(many, few + 20) << "10 records cost " << few;
  EXPECT_LT(many, 400U);
}

TEST(Allocation, does_not_grow_with_the_records_of_a_transaction) {
  constexpr int kTransactions = 30;
  const std::uint64_t few = cost_of_transactions(10, kTransactions) / kTransactions;
  const std::uint64_t many = cost_of_transactions(10'000, kTransactions) / kTransactions;
  RecordProperty("allocations_per_transaction", std::to_string(many));
  EXPECT_LT(many, few + 20) << "10 records cost " << few;
  EXPECT_LT(many, 600U);
}

}  // namespace
}  // namespace tailwater::sim
