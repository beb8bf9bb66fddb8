// A broker of one shard that is fed by hand, and whose every call into the shard counts allocations. Included
// by tests of the program whose allocation_test.cpp replaces operator new.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <memory>

#include "base/check.hpp"
#include "core/cluster/memory_metadata_store.hpp"
#include "core/cluster/metadata_start.hpp"
#include "node/shard.hpp"
#include "sim/agenda.hpp"
#include "sim/disk.hpp"
#include "sim/test_world.hpp"

namespace tailwater::sim {

extern bool counting;
extern std::uint64_t allocations;

inline constexpr ConnectionId kConnection{1};

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
    connect(kConnection);
  }
  ~CountedShard() { disk_.leave(user_); }

  void connect(ConnectionId connection) {
    shard_->connected(connection, ListenerId{0}, {.address = "client", .port = 1}, agenda_.both());
  }

  void give(ConnectionId connection, Bytes bytes) {
    while (!bytes.empty()) {
      const Counting on;
      const MutableBytes space = shard_->receive_space(connection);
      ASSERT_FALSE(space.empty());
      const std::size_t size = std::min(space.size(), bytes.size());
      std::memcpy(space.data(), bytes.data(), size);
      shard_->received(connection, size, agenda_.both());
      bytes = bytes.subspan(size);
    }
  }

  // Until so many answers have come.
  void await(ConnectionId connection, int answers) {
    Buffer& got = answers_[connection];
    const auto count = [&] {
      int whole = 0;
      for (std::size_t at = 0; at + 4 <= got.size(); ++whole) {
        at += 4 + load_big<std::uint32_t>(got.data() + at);
      }
      return whole;
    };
    for (int turns = 0; turns < 10'000 && count() < answers; ++turns) step();
    EXPECT_EQ(count(), answers);
    answer_.swap(got);
    got.clear();
  }

  void pass(int turns) {
    for (; turns > 0; --turns) step();
  }

  template <class Request>
  static Buffer frame_of(std::int16_t version, const Request& request) {
    Buffer frame(4);
    wire::Writer writer(frame);
    wire::encode_request_header(writer, {.api_key = static_cast<std::int16_t>(wire::ApiOf<Request>::key),
                                         .api_version = version,
                                         .correlation_id = 1,
                                         .client_id = "a client with a name of some length"});
    encode(writer, version, request);
    store_big(frame.data(), static_cast<std::uint32_t>(frame.size() - 4));
    return frame;
  }

  template <class Request>
  typename wire::ApiOf<Request>::Response ask(std::int16_t version, const Request& request) {
    give(kConnection, frame_of(version, request));
    return take<Request>(kConnection, version);
  }

  // The answer to a request of this kind; valid until the next one is taken.
  template <class Request>
  typename wire::ApiOf<Request>::Response take(ConnectionId connection, std::int16_t version) {
    await(connection, 1);
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
                                           {"tailwater.journal.bytes.max", "67108864"},
                                           {"group.initial.rebalance.delay.ms", "0"}};
    return cluster::parse_broker_config(properties).config;
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
          answers_[id].insert(answers_[id].end(), pieces[at].begin(), pieces[at].end());
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
  std::map<ConnectionId, Buffer> answers_;
  Buffer answer_;  // that was awaited last
};

}  // namespace tailwater::sim
