// Goal: whatever was written comes back: entries, changes of several entries all or nothing, and snapshots
// that stand for exactly the same image. Method: small changelogs with every way to break them; a snapshot of
// an image with everything in it, in chunks of many sizes, compared field by field.
#include "core/cluster/changelog.hpp"

#include <gtest/gtest.h>

#include "core/cluster/memory_metadata_store.hpp"

namespace tailwater::cluster {
namespace {

const BatchAuthor kAuthor{BrokerId{1}, ControllerEpoch{2}, 0};

StoreEntry entry(std::uint64_t version, std::vector<Record> records) {
  return {MetadataVersion{version}, encode_batch({kAuthor, std::move(records)})};
}
wire::TopicRecord topic(std::uint64_t number) {
  return {"t" + std::to_string(number), Uuid{number, number}};
}

std::string names(const MetadataImage& image) {
  std::string all;
  for (const TopicHandle& found : image.topics) all += found->name + " ";
  return all;
}

const wire::BeginTransactionRecord kBegin;
const wire::EndTransactionRecord kEnd;
const wire::AbortTransactionRecord kAbort;

TEST(ChangelogReader, EachEntryMakesAnImage) {
  ChangelogReader reader;
  ASSERT_TRUE(reader.add(entry(1, {topic(1)})));
  const ImageHandle first = reader.image();
  ASSERT_TRUE(reader.add(entry(2, {topic(2)})));
  EXPECT_EQ(names(*reader.image()), "t1 t2 ");
  EXPECT_EQ(names(*first), "t1 ");
  EXPECT_EQ(reader.image()->version, MetadataVersion{2});
  EXPECT_EQ(reader.image()->controller, BrokerId{1});
  ASSERT_TRUE(reader.add(entry(1, {topic(9)})));  // read before: passed over
  EXPECT_EQ(names(*reader.image()), "t1 t2 ");
}

TEST(ChangelogReader, AGapIsAnError) {
  ChangelogReader reader;
  EXPECT_EQ(reader.add(entry(2, {topic(1)})).error(),
            (Error{Errc::corrupt, "the metadata changelog lacks entry 1"}));
  EXPECT_TRUE(reader.add(entry(1, {topic(1)})));
}

TEST(ChangelogReader, AChangeOfSeveralEntriesCountsWhole) {
  ChangelogReader reader;
  ASSERT_TRUE(reader.add(entry(1, {topic(1)})));
  ASSERT_TRUE(reader.add(entry(2, {kBegin, topic(2)})));
  EXPECT_TRUE(reader.inside_change());
  EXPECT_EQ(names(*reader.image()), "t1 ");
  EXPECT_EQ(reader.image()->version, MetadataVersion{1});
  ASSERT_TRUE(reader.add(entry(3, {topic(3)})));
  EXPECT_EQ(reader.last_read(), MetadataVersion{3});
  ASSERT_TRUE(reader.add(entry(4, {topic(4), kEnd})));
  EXPECT_FALSE(reader.inside_change());
  EXPECT_EQ(names(*reader.image()), "t1 t2 t3 t4 ");
  EXPECT_EQ(reader.image()->version, MetadataVersion{4});
}

TEST(ChangelogReader, AChangeThatWasGivenUpLeavesNoTrace) {
  ChangelogReader reader;
  ASSERT_TRUE(reader.add(entry(1, {kBegin, topic(1)})));
  ASSERT_TRUE(reader.add(entry(2, {kAbort})));
  EXPECT_FALSE(reader.inside_change());
  EXPECT_EQ(names(*reader.image()), "");
  EXPECT_EQ(reader.image()->version, MetadataVersion{2});
  ASSERT_TRUE(reader.add(entry(3, {topic(1)})));
  EXPECT_EQ(names(*reader.image()), "t1 ");
}

TEST(ChangelogReader, MarksOfAChangeAtTheWrongPlaceAreErrors) {
  const std::vector<std::vector<std::vector<Record>>> cases = {
      {{topic(1), kBegin}}, {{kBegin}, {kBegin}},       {{kEnd}},
      {{kAbort}},           {{kBegin, kEnd, topic(1)}}, {{kBegin}, {topic(1), kAbort}},
  };
  for (const auto& entries : cases) {
    ChangelogReader reader;
    Result<void> added;
    std::uint64_t version = 0;
    for (const auto& records : entries) added = reader.add(entry(++version, records));
    ASSERT_FALSE(added);
    EXPECT_EQ(added.error().code, Errc::corrupt);
    EXPECT_EQ(reader.add(entry(version, {topic(7)})).error(), added.error());
  }
}

TEST(ChangelogReader, AnErrorNamesTheEntry) {
  ChangelogReader reader;
  ASSERT_TRUE(reader.add(entry(1, {topic(1)})));
  EXPECT_EQ(reader.add(entry(2, {topic(1)})).error().message,
            "entry 2 of the metadata: the metadata contradicts itself: topic t1 is created twice");
  EXPECT_EQ(names(*reader.image()), "t1 ");
  ChangelogReader other;
  StoreEntry damaged = entry(1, {topic(1)});
  damaged.batch.back() ^= std::byte{1};
  EXPECT_EQ(other.add(damaged).error().message,
            "entry 1 of the metadata: the checksum of a metadata entry does not match");
}

// --- snapshots

ImageHandle with_everything() {
  std::vector<Record> records = {ClusterRecord{"cluster-1"}, wire::FeatureLevelRecord{"group.version", 1},
                                 wire::FeatureLevelRecord{"transaction.version", 2}};
  wire::ProducerIdsRecord ids;
  ids.next_producer_id = 3000;
  records.emplace_back(ids);
  for (std::int32_t id = 1; id <= 3; ++id) {
    wire::RegisterBrokerRecord broker;
    broker.broker_id = id;
    broker.broker_epoch = 100 + id;
    broker.incarnation_id = Uuid{5, static_cast<std::uint64_t>(id)};
    broker.end_points = {{"PLAINTEXT", "h" + std::to_string(id), 9092, 0}, {"S", "x", 1, 3}};
    if (id > 1) broker.rack = "rack";
    broker.log_dirs = {Uuid{6, 1}, Uuid{6, 2}};
    broker.fenced = id == 3;
    broker.in_controlled_shutdown = id == 2;
    records.emplace_back(broker);
  }
  for (std::uint64_t number = 1; number <= 70; ++number) {
    records.emplace_back(topic(number));
    ReplicaLogsRecord logs{Uuid{number, number}, 0, {}};
    for (std::int32_t id = 0; id < static_cast<std::int32_t>(number % 5); ++id) {
      wire::PartitionRecord partition;
      partition.partition_id = id;
      partition.topic_id = Uuid{number, number};
      partition.replicas = {1, 2, 3};
      partition.isr = {2, 3};
      partition.adding_replicas = {3};
      partition.removing_replicas = {1};
      partition.leader = id % 2 == 0 ? 2 : -1;
      partition.leader_epoch = id + 4;
      partition.partition_epoch = id + 5;
      partition.directories = {Uuid{6, 1}, Uuid{6, 2}, Uuid{6, 1}};
      records.emplace_back(partition);
      for (std::uint64_t replica = 0; replica < 3; ++replica)
        logs.logs.push_back(number * 1000 - replica * 7);
    }
    if (!logs.logs.empty()) records.emplace_back(logs);
    records.emplace_back(wire::ConfigRecord{2, "t" + std::to_string(number), "retention.ms", "5"});
  }
  records.emplace_back(wire::RemoveTopicRecord{Uuid{70, 70}});
  records.emplace_back(wire::ConfigRecord{4, "", "message.max.bytes", "1"});
  records.emplace_back(wire::ConfigRecord{4, "1", "message.max.bytes", "2"});
  records.emplace_back(wire::ConfigRecord{32, "g", "consumer.session.timeout.ms", ""});
  wire::AccessControlEntryRecord rule;
  rule.id = Uuid{8, 8};
  records.emplace_back(rule);
  const MetadataImage empty;
  ImageEditor editor(empty);
  for (const Record& record : records) EXPECT_TRUE(editor.apply(record));
  return editor.finish(MetadataVersion{42}, kAuthor);
}

void expect_same(const MetadataImage& a, const MetadataImage& b) {
  EXPECT_EQ(a.version, b.version);
  EXPECT_EQ(a.cluster_id, b.cluster_id);
  EXPECT_EQ(a.controller, b.controller);
  EXPECT_EQ(a.controller_epoch, b.controller_epoch);
  EXPECT_EQ(a.features, b.features);
  EXPECT_EQ(a.next_producer_id, b.next_producer_id);
  EXPECT_EQ(a.next_log_id, b.next_log_id);
  EXPECT_EQ(a.partition_count, b.partition_count);
  ASSERT_EQ(a.brokers.size(), b.brokers.size());
  for (const auto& [id, broker] : a.brokers) EXPECT_EQ(*broker, *b.broker(id));
  ASSERT_EQ(a.topics.size(), b.topics.size());
  ASSERT_EQ(a.topics_by_id.size(), b.topics_by_id.size());
  for (const TopicHandle& found : a.topics) {
    const TopicHandle other = b.topic(found->name);
    ASSERT_NE(other, nullptr) << found->name;
    EXPECT_EQ(other, b.topic(found->id));
    EXPECT_EQ(found->partitions, other->partitions) << found->name;
    EXPECT_EQ(found->configs, other->configs);
  }
  ASSERT_EQ(a.resources.size(), b.resources.size());
  for (const ResourceConfigsHandle& found : a.resources)
    EXPECT_EQ(found->values, b.configs(found->type, found->name));
  ASSERT_EQ(a.kept.size(), b.kept.size());
  for (const KeptRecordHandle& found : a.kept) {
    const KeptRecordHandle* other = b.kept.find(std::string_view(found->key));
    ASSERT_NE(other, nullptr);
    EXPECT_EQ(found->frame, (*other)->frame);
  }
}

TEST(Snapshot, StandsForExactlyTheSameImage) {
  const ImageHandle image = with_everything();
  EXPECT_EQ(image->partition_count, 140u);
  for (const std::size_t chunk_bytes : {1, 100, 500, 1000, 5000, 512 * 1024}) {
    const std::vector<Buffer> chunks = write_snapshot(*image, chunk_bytes);
    for (const Buffer& chunk : chunks) {
      EXPECT_LE(chunk.size(), std::max<std::size_t>(chunk_bytes, 350)) << chunk_bytes;
    }
    const Result<ImageHandle> read = read_snapshot({MetadataVersion{42}, chunks});
    ASSERT_TRUE(read) << read.error().message;
    expect_same(*image, **read);
  }
}

TEST(Snapshot, TheSameImageGivesTheSameBytes) {
  const ImageHandle image = with_everything();
  const auto chunks = write_snapshot(*image, 4096);
  EXPECT_EQ(chunks, write_snapshot(**read_snapshot({MetadataVersion{42}, chunks}), 4096));
}

TEST(Snapshot, ADamagedOneIsRefused) {
  std::vector<Buffer> chunks = write_snapshot(*with_everything(), 1000);
  chunks[1][30] ^= std::byte{1};
  EXPECT_EQ(read_snapshot({MetadataVersion{42}, chunks}).error(),
            (Error{Errc::corrupt,
                   "the snapshot of the metadata: the checksum of a metadata entry does not match"}));
}

TEST(LoadChangelog, BeginsAtTheSnapshotAndReadsToTheHead) {
  MemoryMetadataStore store;
  ChangelogReader reader;
  for (std::uint64_t number = 1; number <= 600; ++number) {
    const StoreEntry next = entry(number, {topic(number)});
    ASSERT_TRUE(store.append(MetadataVersion{number - 1}, next.batch));
    ASSERT_TRUE(reader.add(next));
    if (number == 250) {
      ASSERT_TRUE(store.put_snapshot(MetadataVersion{250}, write_snapshot(*reader.image())));
    }
  }
  const auto loaded = load_changelog(store);
  ASSERT_TRUE(loaded) << loaded.error().message;
  expect_same(*loaded->image(), *reader.image());
}

TEST(LoadChangelog, AnErrorOfTheStoreIsPassedOn) {
  MemoryMetadataStore store;
  store.fail_with(Error{Errc::storage, "broken"});
  EXPECT_EQ(load_changelog(store).error(), (Error{Errc::storage, "broken"}));
}

}  // namespace
}  // namespace tailwater::cluster
