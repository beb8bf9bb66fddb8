// Goal: partitions are spread evenly over shards, the same way at every start; mail and effects keep their
// order. Method: enumerates numbers of shards and partitions.
#include "node/context.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/prng.hpp"

namespace tailwater::node {
namespace {

TEST(ShardOf, consecutive_partitions_of_a_topic_differ_by_one_at_most) {
  Prng random(1);
  for (int topic = 0; topic < 50; ++topic) {
    const std::string name = "topic-" + std::to_string(random.next());
    for (std::uint32_t shards = 1; shards <= 9; ++shards) {
      for (const std::int32_t partitions : {1, 2, 5, 12, 50}) {
        std::vector<int> load(shards, 0);
        for (std::int32_t partition = 0; partition < partitions; ++partition) {
          const ShardId home = shard_of(name, PartitionId{partition}, shards);
          ASSERT_LT(home.value, shards);
          ++load[home.value];
        }
        const auto [least, most] = std::ranges::minmax(load);
        EXPECT_LE(most - least, 1) << partitions << " partitions on " << shards << " shards";
      }
    }
  }
}

TEST(ShardOf, topics_of_one_partition_are_spread_too) {
  constexpr std::uint32_t kShards = 4;
  constexpr int kTopics = 4'000;
  std::vector<int> load(kShards, 0);
  for (int topic = 0; topic < kTopics; ++topic)
    ++load[shard_of("topic-" + std::to_string(topic), PartitionId{0}, kShards).value];
  for (const int each : load) EXPECT_NEAR(each, kTopics / static_cast<int>(kShards), 150);
}

TEST(ShardOf, depends_on_its_arguments_alone) {
  const ShardId first = shard_of("orders", PartitionId{7}, 5);
  EXPECT_EQ(first, shard_of(std::string("orders"), PartitionId{7}, 5));
  EXPECT_EQ(shard_of("orders", PartitionId{8}, 5).value, (first.value + 1) % 5);
}

TEST(Context, mail_leaves_in_the_order_in_which_it_was_sent) {
  Context context({.shard = ShardId{2}, .shards = 3}, nullptr);
  context.send(ShardId{0}, ImageSeenMail{cluster::MetadataVersion{1}});
  context.send(ShardId{2}, ImageSeenMail{cluster::MetadataVersion{2}});
  context.send(ShardId{0}, ImageSeenMail{cluster::MetadataVersion{3}});
  ASSERT_EQ(context.outbox.size(), 3U);
  for (std::size_t at = 0; at < 3; ++at) {
    EXPECT_EQ(context.outbox[at].mail->from, ShardId{2});
    EXPECT_EQ(std::get<ImageSeenMail>(context.outbox[at].mail->content).version.value, at + 1);
  }
  EXPECT_TRUE(context.is_self(context.outbox[1].to));
  EXPECT_FALSE(context.is_self(context.outbox[2].to));
}

TEST(TurnEffects, clear_empties_everything) {
  TurnEffects effects;
  effects.send.push_back(ConnectionId{1});
  effects.resume.push_back(ConnectionId{1});
  effects.close.push_back(ConnectionId{1});
  effects.disk.emplace_back();
  effects.mail.emplace_back(ShardId{0}, std::make_unique<ShardMail>());
  effects.store.emplace_back();
  effects.snapshots.emplace_back();
  effects.log.emplace_back();
  effects.wake_at = Instant{1};
  effects.clear();
  EXPECT_TRUE(effects.send.empty() && effects.resume.empty() && effects.close.empty());
  EXPECT_TRUE(effects.disk.empty() && effects.mail.empty() && effects.store.empty());
  EXPECT_TRUE(effects.snapshots.empty() && effects.log.empty());
  EXPECT_EQ(effects.wake_at, Instant::max());
}

}  // namespace
}  // namespace tailwater::node
