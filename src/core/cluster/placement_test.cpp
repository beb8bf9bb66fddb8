// Goal: replicas are on different brokers, leaders are spread evenly, racks are used as widely as possible,
// and directories fill evenly. Method: enumerate small clusters (brokers, racks, replication factors) and
// check the properties.
#include "core/cluster/placement.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/cluster/decide_test_support.hpp"

namespace tailwater::cluster {
namespace {

MetadataImage image_of(const std::vector<std::optional<std::string>>& racks,
                       const std::set<std::int32_t>& fenced = {}) {
  MetadataImage image;
  for (std::size_t at = 0; at < racks.size(); ++at) {
    auto broker = std::make_shared<Broker>();
    broker->id = BrokerId{static_cast<std::int32_t>(at + 1)};
    broker->rack = racks[at];
    broker->fenced = fenced.contains(broker->id.value);
    image.brokers[broker->id] = std::move(broker);
  }
  return image;
}

using Placement = std::vector<std::vector<BrokerId>>;

Placement placed(const MetadataImage& image, std::size_t partitions, std::size_t replicas,
                 std::size_t already = 0) {
  Prng random(3);
  auto result = place_replicas(image, partitions, replicas, already, random);
  EXPECT_TRUE(result) << result.error().message;
  return result ? *result : Placement{};
}

TEST(PlaceReplicas, EachPartitionUsesDifferentBrokersAndEachRackAsRarelyAsPossible) {
  for (std::size_t brokers = 1; brokers <= 6; ++brokers) {
    for (std::size_t racks = 0; racks <= brokers; ++racks) {
      std::vector<std::optional<std::string>> layout(brokers);
      for (std::size_t at = 0; racks > 0 && at < brokers; ++at) layout[at] = "r" + std::to_string(at % racks);
      const MetadataImage image = image_of(layout);
      for (std::size_t replicas = 1; replicas <= brokers; ++replicas) {
        const Placement all = placed(image, 24, replicas);
        ASSERT_EQ(all.size(), 24u);
        for (const auto& partition : all) {
          ASSERT_EQ(partition.size(), replicas);
          EXPECT_EQ(std::set<BrokerId>(partition.begin(), partition.end()).size(), replicas);
          std::set<std::string> used;
          for (const BrokerId id : partition) {
            const auto& rack = layout[static_cast<std::size_t>(id.value - 1)];
            used.insert(rack ? *rack : std::to_string(id.value));
          }
          EXPECT_EQ(used.size(), std::min(replicas, racks == 0 ? brokers : racks)) << brokers << " " << racks;
        }
      }
    }
  }
}

TEST(PlaceReplicas, LeadersTakeTurns) {
  for (std::size_t brokers = 1; brokers <= 5; ++brokers) {
    const MetadataImage image = image_of(std::vector<std::optional<std::string>>(brokers));
    std::map<BrokerId, int> leads;
    std::map<BrokerId, int> holds;
    for (const auto& partition : placed(image, brokers * 4, std::min<std::size_t>(brokers, 3))) {
      ++leads[partition.front()];
      for (const BrokerId id : partition) ++holds[id];
    }
    for (const auto& [id, count] : leads) EXPECT_EQ(count, 4);
    for (const auto& [id, count] : holds)
      EXPECT_EQ(count, 4 * static_cast<int>(std::min<std::size_t>(brokers, 3)));
  }
}

TEST(PlaceReplicas, ALostBrokersPartitionsFallToManyOthers) {
  const MetadataImage image = image_of(std::vector<std::optional<std::string>>(5));
  std::set<BrokerId> heirs;
  for (const auto& partition : placed(image, 40, 2)) {
    if (partition[0] == BrokerId{1}) heirs.insert(partition[1]);
  }
  EXPECT_EQ(heirs.size(), 4u);
}

TEST(PlaceReplicas, MorePartitionsGoOnWhereTheOldOnesEnd) {
  const MetadataImage image = image_of(std::vector<std::optional<std::string>>(3));
  const Placement first = placed(image, 1, 1, 4);
  const Placement next = placed(image, 1, 1, 5);
  EXPECT_NE(first[0][0], next[0][0]);
}

TEST(PlaceReplicas, FencedBrokersOnlyFillUp) {
  const MetadataImage image = image_of(std::vector<std::optional<std::string>>(3), {2});
  for (const auto& partition : placed(image, 6, 2)) {
    EXPECT_EQ(std::ranges::count(partition, BrokerId{2}), 0);
  }
  for (const auto& partition : placed(image, 6, 3)) {
    EXPECT_EQ(partition.back(), BrokerId{2});
  }
}

TEST(PlaceReplicas, TooFewBrokersAreAnError) {
  Prng random(1);
  EXPECT_EQ(place_replicas(image_of({std::nullopt}), 1, 2, 0, random).error().message,
            "Replication factor 2 is larger than the number of available brokers, 1");
  EXPECT_EQ(place_replicas(image_of({std::nullopt}, {1}), 1, 1, 0, random).error().message,
            "No broker is available");
  EXPECT_EQ(place_replicas(MetadataImage{}, 1, 1, 0, random).error().message, "No broker is available");
}

TEST(DirectoryChooser, FillsDirectoriesEvenlyAndLeavesCordonedOnesAlone) {
  Draft draft = draft_with(1, {{"log.dirs", "/a,/b,/c"}});
  Registration with_three = registration(1);
  with_three.log_dirs = {Uuid{5, 1}, Uuid{5, 2}, Uuid{5, 3}};
  decide_brokers(draft, {with_three});
  make_topic(draft, "t", 4);
  const auto count = [&] {
    std::map<Uuid, int> replicas;
    for (const TopicHandle& topic : draft.image().topics) {
      for (const Partition& partition : topic->partitions) ++replicas[partition.replicas[0].directory];
    }
    return replicas;
  };
  EXPECT_EQ(count(), (std::map<Uuid, int>{{Uuid{5, 1}, 2}, {Uuid{5, 2}, 1}, {Uuid{5, 3}, 1}}));
  make_topic(draft, "u", 2);
  EXPECT_EQ(count(), (std::map<Uuid, int>{{Uuid{5, 1}, 2}, {Uuid{5, 2}, 2}, {Uuid{5, 3}, 2}}));
  draft.propose({wire::ConfigRecord{4, "1", "cordoned.log.dirs", "/b"}});
  make_topic(draft, "v", 4);
  EXPECT_EQ(count(), (std::map<Uuid, int>{{Uuid{5, 1}, 4}, {Uuid{5, 2}, 2}, {Uuid{5, 3}, 4}}));
  draft.propose({wire::ConfigRecord{4, "1", "cordoned.log.dirs", "*"}});
  make_topic(draft, "w", 1);  // somewhere it must go
  EXPECT_EQ(draft.image().topic("w")->partitions[0].replicas[0].directory, (Uuid{5, 2}));
}

TEST(DirectoryChooser, LeavesThoseAloneThatCannotBeUsed) {
  Draft draft = draft_with(1, {{"log.dirs", "/a,/b,/c"}});
  Registration without_two = registration(1);
  without_two.log_dirs = {Uuid{}, Uuid{5, 2}, Uuid{}};
  decide_brokers(draft, {without_two});
  make_topic(draft, "t", 3);
  draft.propose({wire::ConfigRecord{4, "1", "cordoned.log.dirs", "*"}});
  make_topic(draft, "u", 3);
  for (const TopicHandle& topic : draft.image().topics) {
    for (const Partition& partition : topic->partitions) {
      EXPECT_EQ(partition.replicas[0].directory, (Uuid{5, 2}));
      EXPECT_EQ(draft.image().dir_of(partition.replicas[0]), DirId{1});
    }
  }
  EXPECT_FALSE(draft.image().broker(BrokerId{1})->dir(Uuid{}));
}

TEST(DirectoryChooser, ABrokerThatDidNotSayWhichDirectoriesItHasGetsNone) {
  const MetadataImage image = image_of({std::nullopt});
  const BrokerConfig config;
  EXPECT_EQ(DirectoryChooser(image, kSelf, config).choose(BrokerId{1}), Uuid{});
  EXPECT_EQ(DirectoryChooser(image, kSelf, config).choose(BrokerId{9}), Uuid{});
}

}  // namespace
}  // namespace tailwater::cluster
