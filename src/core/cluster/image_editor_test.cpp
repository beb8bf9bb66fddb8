// Goal: records change an image as they say and nothing else, older images stay as they are, and
// contradictions are refused. Method: build small images by records; for each kind its effect, and each
// contradiction once.
#include "core/cluster/image_editor.hpp"

#include <gtest/gtest.h>

#include "core/cluster/changelog.hpp"

namespace tailwater::cluster {
namespace {

const BatchAuthor kAuthor{BrokerId{1}, ControllerEpoch{2}, 0};
const Uuid kId{1, 1};
const Uuid kOtherId{2, 2};
const Uuid kDirectory{7, 7};

Result<ImageHandle> applied(const ImageHandle& from, const std::vector<Record>& records) {
  ImageEditor editor(*from);
  for (const Record& record : records) {
    if (Result<void> done = editor.apply(record); !done) return std::unexpected(done.error());
  }
  return editor.finish(from->version.next(), kAuthor);
}

ImageHandle built(const std::vector<Record>& records,
                  ImageHandle from = std::make_shared<const MetadataImage>()) {
  Result<ImageHandle> image = applied(from, records);
  EXPECT_TRUE(image) << image.error().message;
  return image ? *image : from;
}

std::string refusal(const ImageHandle& from, const std::vector<Record>& records) {
  const Result<ImageHandle> image = applied(from, records);
  if (image) return "accepted";
  EXPECT_EQ(image.error().code, Errc::corrupt);
  return image.error().message;
}

wire::PartitionRecord partition(std::int32_t id, std::vector<std::int32_t> replicas,
                                const Uuid& topic = kId) {
  wire::PartitionRecord record;
  record.partition_id = id;
  record.topic_id = topic;
  record.replicas = replicas;
  record.isr = replicas;
  record.leader = replicas.front();
  record.leader_epoch = 0;
  record.partition_epoch = 0;
  record.directories.assign(replicas.size(), kDirectory);
  return record;
}

wire::RegisterBrokerRecord broker(std::int32_t id) {
  wire::RegisterBrokerRecord record;
  record.broker_id = id;
  record.broker_epoch = 10 + id;
  record.end_points = {{"PLAINTEXT", "host", 9092, 0}};
  record.rack = "r";
  record.log_dirs = {Uuid{9, 9}, kDirectory};
  record.fenced = false;
  return record;
}

wire::ConfigRecord config(ResourceType type, std::string name, std::string key,
                          std::optional<std::string> value) {
  return {static_cast<std::int8_t>(type), std::move(name), std::move(key), std::move(value)};
}

ImageHandle with_topic() {
  return built({broker(1), wire::TopicRecord{"t", kId}, partition(0, {1}), partition(1, {1, 2}),
                ReplicaLogsRecord{kId, 0, {5, 6, 7}}});
}

TEST(ImageEditor, ATopicWithItsPartitionsIsFoundByNameAndId) {
  const ImageHandle image = with_topic();
  EXPECT_EQ(image->version, MetadataVersion{1});
  EXPECT_EQ(image->controller_epoch, ControllerEpoch{2});
  EXPECT_EQ(image->partition_count, 2u);
  const TopicHandle topic = image->topic("t");
  ASSERT_NE(topic, nullptr);
  EXPECT_EQ(image->topic(kId), topic);
  ASSERT_EQ(topic->partitions.size(), 2u);
  const Partition& second = topic->partitions[1];
  EXPECT_EQ(second.leader, BrokerId{1});
  EXPECT_EQ(second.isr, (BrokerIds{BrokerId{1}, BrokerId{2}}));
  EXPECT_EQ(second.replicas,
            (Replicas{{BrokerId{1}, LogId{6}, kDirectory}, {BrokerId{2}, LogId{7}, kDirectory}}));
  EXPECT_EQ(image->next_log_id, 8u);
  EXPECT_EQ(image->dir_of(second.replicas[0]), DirId{1});
  EXPECT_EQ(image->dir_of(second.replicas[1]), std::nullopt);
  EXPECT_EQ(second.replica_on(BrokerId{3}), nullptr);
  EXPECT_EQ(image->partition("t", PartitionId{2}), nullptr);
  EXPECT_EQ(image->partition("t", PartitionId{-1}), nullptr);
}

TEST(ImageEditor, ADeletedTopicIsGoneAndMayComeBackWithinTheSameBatch) {
  const ImageHandle image = with_topic();
  const ImageHandle gone = built({wire::RemoveTopicRecord{kId}}, image);
  EXPECT_EQ(gone->topic("t"), nullptr);
  EXPECT_EQ(gone->topic(kId), nullptr);
  EXPECT_EQ(gone->partition_count, 0u);
  EXPECT_EQ(gone->next_log_id, 8u);
  EXPECT_NE(image->topic("t"), nullptr);
  const ImageHandle again = built(
      {wire::RemoveTopicRecord{kId}, wire::TopicRecord{"t", kOtherId}, partition(0, {1}, kOtherId)}, image);
  EXPECT_EQ(again->topic("t")->id, kOtherId);
  EXPECT_EQ(again->topic(kId), nullptr);
  EXPECT_EQ(again->partition_count, 1u);
  const auto changes = changed_topics(*image, *again);
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_EQ(changes[0].before->id, kId);
  EXPECT_EQ(changes[0].after, nullptr);
  EXPECT_EQ(changes[1].before, nullptr);
  EXPECT_EQ(changes[1].after->id, kOtherId);
  const ImageHandle never = built(
      {wire::TopicRecord{"x", kOtherId}, partition(0, {1}, kOtherId), wire::RemoveTopicRecord{kOtherId}},
      image);
  EXPECT_EQ(never->partition_count, 2u);
  EXPECT_TRUE(changed_topics(*image, *never).empty());
}

TEST(ImageEditor, AChangedPartitionRaisesItsEpochs) {
  const ImageHandle image = with_topic();
  wire::PartitionChangeRecord shrink;
  shrink.topic_id = kId;
  shrink.partition_id = 1;
  shrink.isr = std::vector<std::int32_t>{2};
  wire::PartitionChangeRecord elect = shrink;
  elect.isr = std::nullopt;
  elect.leader = 2;
  wire::PartitionChangeRecord move = shrink;
  move.isr = std::nullopt;
  move.replicas = std::vector<std::int32_t>{3, 2};
  move.directories = std::vector<Uuid>{Uuid{8, 8}, Uuid{}};
  move.adding_replicas = std::vector<std::int32_t>{3};
  const ImageHandle after = built({shrink, elect, move, ReplicaLogsRecord{kId, 1, {20, 0}}}, image);
  const Partition& partition = after->topic("t")->partitions[1];
  EXPECT_EQ(partition.isr, BrokerIds{BrokerId{2}});
  EXPECT_EQ(partition.leader, BrokerId{2});
  EXPECT_EQ(partition.leader_epoch, LeaderEpoch{1});
  EXPECT_EQ(partition.partition_epoch, 3);
  EXPECT_EQ(partition.replicas,
            (Replicas{{BrokerId{3}, LogId{20}, Uuid{8, 8}}, {BrokerId{2}, LogId{7}, kDirectory}}));
  EXPECT_EQ(partition.adding, BrokerIds{BrokerId{3}});
  EXPECT_EQ(after->next_log_id, 21u);
  EXPECT_EQ(image->topic("t")->partitions[1].partition_epoch, 0);
  EXPECT_EQ(after->topic("t")->partitions[0], image->topic("t")->partitions[0]);
}

TEST(ImageEditor, EpochsDoNotOverflow) {
  wire::PartitionRecord last = partition(0, {1});
  last.leader_epoch = INT32_MAX;
  last.partition_epoch = INT32_MAX;
  wire::PartitionChangeRecord change;
  change.topic_id = kId;
  change.partition_id = 0;
  change.leader = 1;
  const ImageHandle image = built({last, change}, with_topic());
  EXPECT_EQ(image->topic("t")->partitions[0].leader_epoch, LeaderEpoch{INT32_MAX});
  EXPECT_EQ(image->topic("t")->partitions[0].partition_epoch, INT32_MAX);
}

TEST(ImageEditor, ConfigurationsAreSetAndUnset) {
  const ImageHandle image = built({config(ResourceType::topic, "t", "retention.ms", "1"),
                                   config(ResourceType::broker, "", "message.max.bytes", "2"),
                                   config(ResourceType::broker, "1", "message.max.bytes", "3"),
                                   config(ResourceType::group, "g", "consumer.session.timeout.ms", "4")},
                                  with_topic());
  EXPECT_EQ(image->topic("t")->configs, (ConfigValues{{"retention.ms", "1"}}));
  EXPECT_EQ(image->default_broker_configs(), (ConfigValues{{"message.max.bytes", "2"}}));
  EXPECT_EQ(image->broker_configs(BrokerId{1}), (ConfigValues{{"message.max.bytes", "3"}}));
  EXPECT_TRUE(image->broker_configs(BrokerId{2}).empty());
  EXPECT_EQ(image->configs(ResourceType::group, "g").size(), 1u);
  const ImageHandle unset = built({config(ResourceType::topic, "t", "retention.ms", std::nullopt),
                                   config(ResourceType::broker, "1", "message.max.bytes", std::nullopt),
                                   config(ResourceType::broker, "1", "never.set", std::nullopt)},
                                  image);
  EXPECT_TRUE(unset->topic("t")->configs.empty());
  EXPECT_TRUE(unset->broker_configs(BrokerId{1}).empty());
  EXPECT_EQ(unset->resources.size(), 2u);
}

TEST(ImageEditor, BrokersRegisterAreFencedAndLeave) {
  ImageHandle image = built({broker(1), broker(2)});
  EXPECT_EQ(image->alive_brokers(), (std::vector<BrokerId>{BrokerId{1}, BrokerId{2}}));
  EXPECT_EQ(image->broker(BrokerId{1})->endpoint("PLAINTEXT")->port, 9092);
  EXPECT_EQ(image->broker(BrokerId{1})->endpoint("SSL"), nullptr);
  image = built({wire::FenceBrokerRecord{1, 11}}, image);
  EXPECT_FALSE(image->is_alive(BrokerId{1}));
  EXPECT_TRUE(image->is_alive(BrokerId{2}));
  image = built({wire::UnfenceBrokerRecord{1, 11}}, image);
  EXPECT_TRUE(image->is_alive(BrokerId{1}));
  wire::BrokerRegistrationChangeRecord change;
  change.broker_id = 1;
  change.fenced = 1;
  change.in_controlled_shutdown = 1;
  change.log_dirs = {kDirectory};
  image = built({change}, image);
  EXPECT_TRUE(image->broker(BrokerId{1})->fenced);
  EXPECT_TRUE(image->broker(BrokerId{1})->in_controlled_shutdown);
  EXPECT_EQ(image->broker(BrokerId{1})->log_dirs, std::vector<Uuid>{kDirectory});
  image = built({wire::UnregisterBrokerRecord{1, 11}}, image);
  EXPECT_EQ(image->broker(BrokerId{1}), nullptr);
  EXPECT_FALSE(image->is_alive(BrokerId{1}));
}

TEST(ImageEditor, ClusterFeaturesAndHighMarks) {
  wire::ProducerIdsRecord ids;
  ids.next_producer_id = 2000;
  ImageHandle image =
      built({ClusterRecord{"c"}, wire::FeatureLevelRecord{"group.version", 1}, ids, HighMarksRecord{50}});
  EXPECT_EQ(image->cluster_id, "c");
  EXPECT_EQ(image->feature("group.version"), 1);
  EXPECT_EQ(image->feature("other"), 0);
  EXPECT_EQ(image->next_producer_id, 2000);
  EXPECT_EQ(image->next_log_id, 50u);
  ids.next_producer_id = 1000;
  image = built({wire::FeatureLevelRecord{"group.version", 0}, ids, HighMarksRecord{-5}}, image);
  EXPECT_EQ(image->feature("group.version"), 0);
  EXPECT_EQ(image->next_producer_id, 2000);
  EXPECT_EQ(image->next_log_id, 50u);
}

TEST(ImageEditor, RecordsForOtherRoomsAreKeptByWhatTheyReplace) {
  wire::AccessControlEntryRecord rule;
  rule.id = kId;
  rule.resource_name = "a";
  wire::AccessControlEntryRecord changed = rule;
  changed.resource_name = "b";
  wire::AccessControlEntryRecord other = rule;
  other.id = kOtherId;
  wire::ClientQuotaRecord quota;
  quota.entity = {{"user", "u"}, {"client-id", std::nullopt}};
  quota.key = "producer_byte_rate";
  wire::ClientQuotaRecord same_quota = quota;
  same_quota.entity = {{"client-id", std::nullopt}, {"user", "u"}};
  same_quota.value = 5;
  wire::UserScramCredentialRecord credential;
  credential.name = "u";
  credential.mechanism = 1;
  ImageHandle image = built({rule, changed, other, quota, same_quota, credential});
  EXPECT_EQ(kept_records<wire::AccessControlEntryRecord>(*image),
            (std::vector<wire::AccessControlEntryRecord>{changed, other}));
  EXPECT_EQ(kept_records<wire::ClientQuotaRecord>(*image), std::vector<wire::ClientQuotaRecord>{same_quota});
  EXPECT_EQ(kept_records<wire::UserScramCredentialRecord>(*image).size(), 1u);
  EXPECT_TRUE(kept_records<wire::DelegationTokenRecord>(*image).empty());
  quota.remove = true;
  image =
      built({wire::RemoveAccessControlEntryRecord{kId}, quota, wire::RemoveUserScramCredentialRecord{"u", 2},
             wire::RemoveUserScramCredentialRecord{"u", 1}},
            image);
  EXPECT_EQ(kept_records<wire::AccessControlEntryRecord>(*image).size(), 1u);
  EXPECT_EQ(image->kept.size(), 1u);
}

TEST(ImageEditor, ContradictionsAreRefused) {
  const ImageHandle image = with_topic();
  const auto change = [](std::int32_t id, const Uuid& topic) {
    wire::PartitionChangeRecord record;
    record.partition_id = id;
    record.topic_id = topic;
    return record;
  };
  const std::vector<Record> contradictions[] = {
      {wire::TopicRecord{"t", kOtherId}},
      {wire::TopicRecord{"u", kId}},
      {wire::TopicRecord{"u", kOtherId}, wire::TopicRecord{"u", Uuid{3, 3}}},
      {wire::RemoveTopicRecord{kOtherId}},
      {wire::RemoveTopicRecord{kId}, wire::RemoveTopicRecord{kId}},
      {partition(3, {1})},
      {partition(-1, {1})},
      {partition(0, {1}, kOtherId)},
      {change(2, kId)},
      {change(-1, kId)},
      {change(0, kOtherId)},
      {config(ResourceType::topic, "u", "retention.ms", "1")},
      {wire::RemoveTopicRecord{kId}, config(ResourceType::topic, "t", "retention.ms", "1")},
      {ReplicaLogsRecord{kId, 0, {1, 2, 3, 4}}},
      {ReplicaLogsRecord{kId, -1, {1}}},
      {ReplicaLogsRecord{kOtherId, 0, {1}}},
      {ReplicaLogsRecord{kId, 0, {INT64_MAX}}},
      {ReplicaLogsRecord{kId, 0, {UINT64_MAX}}},
      {wire::FenceBrokerRecord{5, 1}},
      {wire::UnfenceBrokerRecord{5, 1}},
      {wire::UnregisterBrokerRecord{5, 1}},
      {wire::BrokerRegistrationChangeRecord{5}},
  };
  for (const auto& records : contradictions) {
    EXPECT_NE(refusal(image, records).find("contradicts itself"), std::string::npos)
        << refusal(image, records);
  }
}

TEST(ImageEditor, ASmallChangeLeavesTenThousandTopicsShared) {
  std::vector<Record> records;
  for (std::uint64_t at = 0; at < 10'000; ++at) {
    records.emplace_back(wire::TopicRecord{"topic-" + std::to_string(at), Uuid{at + 100, 1}});
    records.emplace_back(partition(0, {1}, Uuid{at + 100, 1}));
  }
  const ImageHandle image = built(records);
  EXPECT_EQ(image->partition_count, 10'000u);
  const ImageHandle after = built({config(ResourceType::topic, "topic-77", "retention.ms", "1")}, image);
  const auto changes = changed_topics(*image, *after);
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].after->name, "topic-77");
  EXPECT_EQ(image->topic("topic-78"), after->topic("topic-78"));
}

}  // namespace
}  // namespace tailwater::cluster
