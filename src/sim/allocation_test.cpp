// Goal: nothing is allocated per record on the data path: a batch of 10,000 records costs a shard no more
// allocations than one of 10 records and as many bytes, in a transaction as without one. Nothing is allocated
// per produce request: fifty of them in a turn cost no more than one. Method: one shard, fed by hand;
// operator new counts while the shard itself runs, and only then.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "base/check.hpp"
#include "core/cluster/memory_metadata_store.hpp"
#include "core/cluster/metadata_start.hpp"
#include "node/shard.hpp"
#include "sim/agenda.hpp"
#include "sim/disk.hpp"
#include "sim/test_world.hpp"
#include "wire/api/end_txn.hpp"
#include "wire/api/init_producer_id.hpp"

namespace {

bool counting = false;
std::uint64_t allocations = 0;

void* counted(std::size_t size) {
  if (counting) ++allocations;
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

constexpr ConnectionId kConnection{1};

struct Counting {
  Counting() { counting = true; }
  ~Counting() { counting = false; }
};

// A broker of one shard whose every call into the shard is counted, and nothing else.
class CountedShard {
 public:
  CountedShard() : disk_(agenda_, digest_) {
    cluster::MetadataStart start;
    start.cluster_id = "simulated-cluster-id-00";
    start.registration.broker = BrokerId{1};
    start.registration.endpoints = {
        {.listener = "PLAINTEXT", .host = "sim", .port = 9092, .security_protocol = 0}};
    start.registration.log_dirs = {Uuid{1, 1}};
    start.config = configuration();
    auto image = cluster::start_metadata(store_, start);
    CHECK(image.has_value());
    node::ShardOptions options;
    options.broker = BrokerId{1};
    options.cluster_id = start.cluster_id;
    options.listeners = {{.id = ListenerId{0}, .name = "PLAINTEXT", .host = "sim", .port = 9092}};
    options.log_dirs = {"d"};
    options.config = configuration();
    options.memory_budget = std::uint64_t{256} << 20;
    shard_ = std::make_unique<node::Shard>(std::move(options), *image);
    user_ = disk_.enter([this](DiskDone done) {
      const Counting on;
      shard_->disk_done(std::move(done), agenda_.both());
    });
    shard_->start(agenda_.both());
    for (int turns = 0; turns < 10'000 && !shard_->ready(); ++turns) step();
    EXPECT_TRUE(shard_->ready());
    shard_->connected(kConnection, ListenerId{0}, {.address = "client", .port = 1}, agenda_.both());
  }
  ~CountedShard() { disk_.leave(user_); }

  // The frame as often as that, at once; all are answered.
  void ask_many(const Buffer& frame, int times) {
    answer_.clear();
    for (int each = 0; each < times; ++each) give(frame);
    const auto count = [this] {
      int answers = 0;
      for (std::size_t at = 0; at + 4 <= answer_.size(); ++answers) {
        at += 4 + load_big<std::uint32_t>(answer_.data() + at);
      }
      return answers;
    };
    for (int turns = 0; turns < 10'000 && count() < times; ++turns) step();
    EXPECT_EQ(count(), times);
  }

  template <class Request>
  static Buffer frame_of(std::int16_t version, const Request& request) {
    Buffer frame(4);
    wire::Writer writer(frame);
    wire::encode_request_header(writer, {.api_key = static_cast<std::int16_t>(wire::ApiOf<Request>::key),
                                         .api_version = version,
                                         .correlation_id = 1,
                                         .client_id = "c"});
    encode(writer, version, request);
    store_big(frame.data(), static_cast<std::uint32_t>(frame.size() - 4));
    return frame;
  }

  template <class Request>
  typename wire::ApiOf<Request>::Response ask(std::int16_t version, const Request& request) {
    const Buffer frame = frame_of(version, request);
    answer_.clear();
    give(frame);
    for (int turns = 0; turns < 10'000 && !answered(); ++turns) step();
    EXPECT_TRUE(answered());
    wire::Reader reader(Bytes(answer_).subspan(4));
    EXPECT_TRUE(wire::decode_response_header(reader, wire::ApiOf<Request>::key, version).has_value());
    typename wire::ApiOf<Request>::Response response;
    EXPECT_TRUE(decode(reader, version, response).has_value());
    return response;
  }

 private:
  static cluster::BrokerConfig configuration() {
    const cluster::ConfigValues properties{{"node.id", "1"},
                                           {"listeners", "PLAINTEXT://sim:9092"},
                                           {"log.dirs", "d"},
                                           {"tailwater.journal.bytes.max", "67108864"}};
    return cluster::parse_broker_config(properties).config;
  }

  bool answered() const {
    return answer_.size() >= 4 && answer_.size() - 4 >= load_big<std::uint32_t>(answer_.data());
  }

  void give(Bytes bytes) {
    while (!bytes.empty()) {
      const Counting on;
      const MutableBytes space = shard_->receive_space(kConnection);
      ASSERT_FALSE(space.empty());
      const std::size_t size = std::min(space.size(), bytes.size());
      std::memcpy(space.data(), bytes.data(), size);
      shard_->received(kConnection, size, agenda_.both());
      bytes = bytes.subspan(size);
    }
  }

  void step() {
    agenda_.after(Duration::from_us(100), [] {});
    effects_.clear();
    {
      const Counting on;
      shard_->turn(agenda_.both(), effects_);
    }
    for (DiskOp& op : effects_.disk) disk_.submit(user_, std::move(op));
    for (cluster::StoreAppend& append : effects_.store) {
      shard_->stored(append.token, store_.append(append.expected_head, append.batch), agenda_.both());
    }
    for (const ConnectionId id : effects_.send) {
      Bytes pieces[16];
      while (const std::size_t count = shard_->gather(id, pieces)) {
        std::size_t size = 0;
        for (std::size_t at = 0; at < count; ++at) {
          answer_.insert(answer_.end(), pieces[at].begin(), pieces[at].end());
          size += pieces[at].size();
        }
        const Counting on;
        shard_->sent(id, size, agenda_.both());
      }
    }
    while (agenda_.step(agenda_.now() + Duration::from_us(100))) {
    }
  }

  Agenda agenda_{1};
  Digest digest_;
  Disk disk_;
  cluster::MemoryMetadataStore store_;
  std::unique_ptr<node::Shard> shard_;
  std::uint64_t user_ = 0;
  node::TurnEffects effects_;
  Buffer answer_;
};

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
  for (int warm = 0; warm < 50; ++warm) shard.ask_many(frame, 50);
  allocations = 0;
  for (int round = 0; round < rounds; ++round) shard.ask_many(frame, requests);
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
