// Goal: what the simulator once found stays mended.
// Method: the few steps that led there, over many seeds, since what a power loss takes is a matter of luck.
#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

#include "sim/test_world.hpp"
#include "sim/txn_client.hpp"
#include "wire/api/delete_topics.hpp"
#include "wire/api/describe_producers.hpp"
#include "wire/api/describe_topic_partitions.hpp"
#include "wire/api/describe_transactions.hpp"

namespace tailwater::sim {
namespace {

constexpr std::uint64_t kSeeds = 30;

// A frame of the journal whose write failed may still be read by the next start. What is acknowledged behind
// it is lost with it, should it then vanish in a power loss.
TEST(Faults, a_frame_that_only_the_page_cache_has_is_written_again) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    TestWorld world(1, seed);
    {
      Line line(world);
      create_topic(line, "t", 1);
      ASSERT_EQ(produce(line, "t", 0, batch_of(1, 1'700'000'000'000)).error_code, wire::ErrorCode::none);
      world.disk.arm(Fault::write_error);
      EXPECT_NE(produce(line, "t", 0, batch_of(1, 1'700'000'000'000)).error_code, wire::ErrorCode::none);
      EXPECT_TRUE(world.disk.has_failed());
    }
    world.broker.die(Death::process);
    world.start();
    std::int64_t end = 0;
    {
      Line line(world);
      const auto answer = produce(line, "t", 0, batch_of(1, 1'700'000'000'000));
      ASSERT_EQ(answer.error_code, wire::ErrorCode::none);
      end = answer.base_offset + 1;
    }
    world.broker.die(Death::machine);
    world.start();
    ASSERT_EQ(world.broker.failure(), "") << "seed " << seed;
    Line line(world);
    EXPECT_EQ(fetch(line, "t", 0, 0).high_watermark, end) << "seed " << seed;
  }
}

// The coordinator's log is on stable storage, the partition's waits for the operating system: that a transaction is
// complete must not be kept without the marker that ended it there.
TEST(Faults, a_transaction_that_is_complete_is_open_nowhere) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    TestWorld world(static_cast<std::uint32_t>(1 + seed % 2), seed);
    std::int64_t begun = 0;
    {
      Line line(world);
      create_topic(line, "t", 1, {{"tailwater.durability", "os"}, {"flush.ms", "50"}});
      make_transaction_coordinators(line);
      TxnClient client(line, "id", TxnClient::Kind::bumping);
      ASSERT_EQ(client.init(), wire::ErrorCode::none);
      ASSERT_EQ(client.produce("t", 0, 1), wire::ErrorCode::none);
      world.pass(Duration::from_ms(200));  // the records are synced
      begun = world.agenda.now().nanoseconds;
      ASSERT_EQ(client.end(true), wire::ErrorCode::none);
      wire::DescribeTransactionsRequest describe;
      describe.transactional_ids = {"id"};
      const auto complete = [&] {
        return line.ask(0, describe).transaction_states.at(0).transaction_state == "CompleteCommit";
      };
      // Until() would let the time pass in which nothing happens.
      for (int look = 0; look < 100 && !complete(); ++look) world.pass(Duration::from_us(100));
    }
    ASSERT_LT(world.agenda.now().nanoseconds - begun, Duration::from_ms(50).nanoseconds)
        << "nothing is tried";
    world.broker.die(Death::machine);
    world.start();
    Line line(world);
    wire::DescribeProducersRequest producers;
    producers.topics.push_back({.name = "t", .partition_indexes = {0}});
    for (const auto& producer : line.ask(0, producers).topics.at(0).partitions.at(0).active_producers) {
      EXPECT_EQ(producer.current_txn_start_offset, -1) << "seed " << seed;
    }
  }
}

// When there is room again everything goes on by itself, also if it was the manifest that found none.
TEST(Faults, a_disk_that_was_full_is_written_to_again) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    TestWorld world(1, seed, {{"tailwater.journal.bytes", "524288"}});
    auto line = std::make_unique<Line>(world);
    create_topic(*line, "t", 1);
    Prng random(seed);
    for (int round = 0; round < 150; ++round) {
      if (random.one_in(15)) {
        world.disk.set_no_room(false);
        line.reset();
        world.broker.die(Death::process);
        world.start();
        line = std::make_unique<Line>(world);
      }
      world.disk.set_no_room(random.one_in(2));
      line->post(9, production("t", 0, batch_of(4, 1'700'000'000'000, {}, 4'000)));
      world.pass(Duration::from_ms(static_cast<std::int64_t>(random.below(40))));
    }
    world.disk.set_no_room(false);
    world.pass(Duration::from_ms(5'000));
    Line fresh(world);
    const auto answer = produce(fresh, "t", 0, batch_of(1, 1'700'000'000'000));
    EXPECT_EQ(answer.error_code, wire::ErrorCode::none) << "seed " << seed;
  }
}

TEST(Faults, a_disk_that_is_full_and_has_room_again_is_told_of_once_each) {
  TestWorld world(1, 1, {{"tailwater.journal.bytes", "524288"}});
  Line line(world);
  create_topic(line, "t", 1);
  world.disk.set_no_room(true);
  for (int each = 0; each < 200; ++each)
    line.post(9, production("t", 0, batch_of(4, 1'700'000'000'000, {}, 4'000)));
  world.pass(Duration::from_ms(10'000));
  const auto told = [&](std::string_view what) {
    return std::ranges::count_if(world.broker.complaints(), [&](const std::string& each) {
      return each.find(what) != std::string::npos;
    });
  };
  EXPECT_EQ(told("log directory d is full"), 1);
  EXPECT_EQ(told("log directory d has room again"), 0);
  world.disk.set_no_room(false);
  world.pass(Duration::from_ms(5'000));
  EXPECT_EQ(told("log directory d is full"), 1);
  EXPECT_EQ(told("log directory d has room again"), 1);
}

// A log directory that a start does not find any more: whoever asks can see which partitions lie there.
TEST(Faults, partitions_of_a_log_directory_that_is_not_there_are_told) {
  TestWorld world(1, 1, {}, {"d", "e"});
  const auto partitions = [&world] {
    Line line(world);
    wire::MetadataRequest request;
    request.topics = {{.name = "t"}};
    return line.ask(12, request).topics.at(0).partitions;
  };
  {
    Line line(world);
    create_topic(line, "t", 2);
  }
  for (const auto& partition : partitions()) EXPECT_TRUE(partition.offline_replicas.empty());
  world.stop();
  world.broker.set_log_dirs({"d"});
  world.start();
  std::vector<std::int32_t> offline;
  for (const auto& partition : partitions()) {
    if (!partition.offline_replicas.empty()) offline.push_back(partition.partition_index);
  }
  ASSERT_EQ(offline.size(), 1U);
  Line line(world);
  EXPECT_EQ(produce(line, "t", offline[0], batch_of(1, 1'700'000'000'000)).error_code,
            wire::ErrorCode::kafka_storage_error);
  EXPECT_EQ(produce(line, "t", 1 - offline[0], batch_of(1, 1'700'000'000'000)).error_code,
            wire::ErrorCode::none);
}

// One that fails while it is served: for the partitions that the same shard has there, and for no others.
TEST(Faults, partitions_of_a_log_directory_that_failed_are_told) {
  constexpr std::int32_t kPartitions = 8;
  // Of three shards, that of partition 0 has partitions 0, 3 and 6, of which one lies in the other directory.
  for (const auto& [shards, lost] : {std::pair{1U, 4}, std::pair{3U, 2}}) {
    TestWorld world(shards, 1, {}, {"d", "e"});
    Line line(world);
    create_topic(line, "t", kPartitions);
    world.disk.arm(Fault::write_error);
    EXPECT_EQ(produce(line, "t", 0, batch_of(1, 1'700'000'000'000)).error_code,
              wire::ErrorCode::kafka_storage_error);
    wire::MetadataRequest request;
    request.topics = {{.name = "t"}};
    wire::DescribeTopicPartitionsRequest again;
    again.topics = {{.name = "t"}};
    const auto told = line.ask(12, request).topics.at(0).partitions;
    const auto told_again = line.ask(0, again).topics.at(0).partitions;
    ASSERT_EQ(told_again.size(), told.size());
    int offline = 0;
    for (const auto& partition : told) {
      const std::int32_t number = partition.partition_index;
      const bool refused = produce(line, "t", number, batch_of(1, 1'700'000'000'000)).error_code ==
                           wire::ErrorCode::kafka_storage_error;
      EXPECT_EQ(!partition.offline_replicas.empty(), refused) << "partition " << number;
      EXPECT_EQ(told_again.at(static_cast<std::size_t>(number)).offline_replicas, partition.offline_replicas);
      offline += refused ? 1 : 0;
    }
    EXPECT_EQ(offline, lost);
  }
}

// The new topic's folders have the names of the old ones, which are renamed away, and removed a minute later.
TEST(Faults, a_topic_that_is_created_anew_keeps_its_records) {
  constexpr std::int32_t kPartitions = 4;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    TestWorld world(4, seed);
    Prng random(seed);
    const auto produce_all = [&](Line& line, std::size_t size) {
      for (std::int32_t each = 0; each < kPartitions; ++each) {
        const Buffer batch = batch_of(3, 1'700'000'000'000, {}, size);
        ASSERT_EQ(produce(line, "t", each, batch).error_code, wire::ErrorCode::none) << "seed " << seed;
      }
    };
    const auto look = [&] {
      ASSERT_EQ(world.broker.failure(), "") << "seed " << seed;
      Line line(world);
      for (std::int32_t each = 0; each < kPartitions; ++each) {
        const auto part = fetch(line, "t", each, 0);
        ASSERT_EQ(part.error_code, wire::ErrorCode::none) << "seed " << seed << " partition " << each;
        ASSERT_EQ(part.high_watermark, 3) << "seed " << seed << " partition " << each;
        ASSERT_GT(part.records.value_or(Bytes{}).size(), 200U) << "seed " << seed << " partition " << each;
      }
    };
    {
      Line line(world);
      create_topic(line, "t", kPartitions);
      produce_all(line, 1'000);
    }
    world.stop();
    world.start();
    {
      // Renaming takes its time, and so many bytes are written to files at once.
      world.disk.set_slow(200);
      Line line(world);
      wire::DeleteTopicsRequest deletion;
      deletion.topic_names = {"t"};
      line.ask(5, deletion);
      create_topic(line, "t", kPartitions);
      produce_all(line, 100'000);
    }
    world.pass(Duration::from_ms(static_cast<std::int64_t>(random.below(2'000))));
    world.disk.set_slow(1);
    for (int end = 0; end < 2; ++end) {
      const std::uint64_t kind = random.below(3);
      if (kind == 0) world.stop();
      if (kind == 1) world.broker.die(Death::process);
      if (kind == 2) world.broker.die(Death::machine);
      if (random.one_in(3)) world.broker.set_shards(static_cast<std::uint32_t>(1 + random.below(4)));
      world.start();
      look();
      if (HasFatalFailure()) return;
      world.pass(Duration::from_ms(70'000));
      look();
      if (HasFatalFailure()) return;
    }
  }
}

// The coordinator's shard may be ready before those of the partitions that wait for the end.
TEST(Faults, a_commit_that_was_answered_is_carried_out_after_a_start) {
  constexpr std::int32_t kPartitions = 4;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    TestWorld world(4, seed);
    {
      Line line(world);
      create_topic(line, "t", kPartitions);
      make_transaction_coordinators(line);
      TxnClient client(line, "id-" + std::to_string(seed), TxnClient::Kind::bumping);
      ASSERT_EQ(client.init(), wire::ErrorCode::none);
      for (std::int32_t each = 0; each < kPartitions; ++each)
        ASSERT_EQ(client.produce("t", each, 3), wire::ErrorCode::none);
      ASSERT_EQ(client.end(true), wire::ErrorCode::none);
    }
    world.broker.die(seed % 2 == 0 ? Death::process : Death::machine);
    world.start();
    world.pass(Duration::from_ms(3'000));
    Line line(world);
    for (std::int32_t each = 0; each < kPartitions; ++each) {
      const Read committed = read(line, "t", each, 0, kCommitted);
      ASSERT_EQ(committed.values.size(), 3U) << "seed " << seed << " partition " << each;
    }
  }
}

}  // namespace
}  // namespace tailwater::sim
