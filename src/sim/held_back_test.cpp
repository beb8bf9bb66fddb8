// Goal: while producers bring more than a shard can take, everybody gets on: transactions end and offsets are committed,
// a shard's own connections and those of others are served alike, and batches keep their order. Method: a
// simulated broker of two shards, with producers that keep so much on the way that the journal never has room.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "sim/txn_client.hpp"
#include "wire/api/offset_commit.hpp"

namespace tailwater::sim {
namespace {

using wire::ErrorCode;

constexpr std::size_t kBatchBytes = 60'000;

// A producer that sends the next request when one is answered, up to `end`, and has so many on the way.
class Flood : public Wire {
 public:
  Flood(TestWorld& world, std::int32_t in_flight, Instant end) : world_(world), end_(end) {
    request_.resize(4);
    wire::Writer writer(request_);
    wire::encode_request_header(writer,
                                {.api_key = static_cast<std::int16_t>(wire::ApiOf<wire::ProduceRequest>::key),
                                 .api_version = 12,
                                 .client_id = "flood"});
    const Buffer batch = batch_of(1, 1'000, {}, kBatchBytes);
    encode(writer, 12, production("t", 0, batch));
    store_big(request_.data(), static_cast<std::uint32_t>(request_.size() - 4));
    connection_ = world_.broker.connect(*this);
    for (std::int32_t each = 0; each < in_flight; ++each) send();
  }
  ~Flood() override { world_.broker.disconnect(connection_); }
  Flood(const Flood&) = delete;
  Flood& operator=(const Flood&) = delete;

  std::uint64_t answered = 0;

  void bytes_arrived(Bytes bytes) override {
    received_.insert(received_.end(), bytes.begin(), bytes.end());
    std::size_t at = 0;
    while (received_.size() - at >= 4) {
      const std::size_t size = 4 + load_big<std::uint32_t>(received_.data() + at);
      if (received_.size() - at < size) break;
      at += size;
      ++answered;
      if (world_.agenda.now() < end_) send();
    }
    received_.erase(received_.begin(), received_.begin() + static_cast<std::ptrdiff_t>(at));
  }
  void closed() override { ADD_FAILURE() << "the broker closed a producer's connection"; }

 private:
  void send() { world_.broker.send(connection_, request_); }

  TestWorld& world_;
  Instant end_;
  std::uint64_t connection_ = 0;
  Buffer request_;
  Buffer received_;
};

class HeldBack : public testing::Test {
 protected:
  static constexpr Duration kSoon = Duration::from_ms(500);

  void SetUp() override {
    create_topic(line, "t", 1, {{"retention.bytes", "1"}, {"segment.bytes", "4194304"}});
    make_coordinators(line);
    make_transaction_coordinators(line);
  }
  void flood() {
    const Instant end = world.agenda.now() + kSoon + kSoon;  // so that a test ends that waits in vain
    for (int each = 0; each < 16; ++each) floods.push_back(std::make_unique<Flood>(world, 60, end));
    world.pass(Duration::from_ms(50));
  }
  std::int64_t stable() { return latest(line, "t", 0, kCommitted); }

  TestWorld world{2};
  Line line{world};
  std::vector<std::unique_ptr<Flood>> floods;
};

TEST_F(HeldBack, transactions_end) {
  TxnClient client(line, "id", TxnClient::Kind::bumping);
  ASSERT_EQ(client.init(), ErrorCode::none);
  ASSERT_EQ(client.produce("t", 0, 1), ErrorCode::none);
  const std::int64_t open = stable();
  flood();
  ASSERT_EQ(stable(), open);
  const Instant begin = world.agenda.now();
  EXPECT_EQ(client.end(true), ErrorCode::none);
  EXPECT_TRUE(world.until([&] { return stable() > open; }, kSoon));
  EXPECT_LE(world.agenda.now(), begin + kSoon);
}

TEST_F(HeldBack, offsets_are_committed) {
  flood();
  wire::OffsetCommitRequest request;
  request.group_id = "g";
  auto& topic = request.topics.emplace_back();
  topic.name = "t";
  topic.partitions.push_back({.partition_index = 0, .committed_offset = 1});
  for (int group = 0; group < 8; ++group) {  // their coordinators live on both shards
    const std::string name = "g" + std::to_string(group);
    request.group_id = name;
    const Instant begin = world.agenda.now();
    EXPECT_EQ(line.ask(7, request).topics.at(0).partitions.at(0).error_code, ErrorCode::none);
    EXPECT_LE(world.agenda.now(), begin + kSoon) << name;
  }
}

TEST_F(HeldBack, batches_behind_the_first_of_a_transaction_stay_behind_it) {
  std::vector<TxnClient> clients;  // their coordinators live on both shards
  for (int each = 0; each < 12; ++each) {
    clients.emplace_back(line, "id" + std::to_string(each), TxnClient::Kind::bumping);
    ASSERT_EQ(clients.back().init(), ErrorCode::none);
  }
  flood();
  for (int round = 0; round < 8; ++round) {
    std::vector<std::pair<TxnClient*, std::int32_t>> asked;
    for (TxnClient& client : clients) {
      for (int each = 0; each < 5; ++each) asked.emplace_back(&client, client.post("t", 0, 1));
    }
    for (const auto& [client, correlation] : asked)
      EXPECT_EQ(client->take(correlation), ErrorCode::none) << round;
    for (TxnClient& client : clients) EXPECT_EQ(client.end(true), ErrorCode::none) << round;
  }
}

TEST_F(HeldBack, every_connection_is_served) {
  flood();
  std::vector<std::uint64_t> before;
  for (const auto& each : floods) before.push_back(each->answered);
  world.pass(kSoon);
  for (std::size_t each = 0; each < floods.size(); ++each)
    EXPECT_GT(floods[each]->answered, before[each]) << each;
}

}  // namespace
}  // namespace tailwater::sim
