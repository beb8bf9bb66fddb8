// Goal: an empty store begins with the cluster's id and this broker alive; a used one keeps its id and gets a
// new epoch; stores of others and stores that fail are refused. Method: the store in memory and the real
// controller.
#include "core/cluster/metadata_start.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/cluster/changelog.hpp"
#include "core/cluster/memory_metadata_store.hpp"

namespace tailwater::cluster {
namespace {

using ::testing::HasSubstr;

MetadataStart start_of(std::string cluster_id) {
  MetadataStart start;
  start.cluster_id = std::move(cluster_id);
  start.config = parse_broker_config({{"node.id", "3"}, {"log.dirs", "/data"}}).config;
  start.registration.broker = BrokerId{3};
  start.registration.incarnation = Uuid{1, 2};
  start.registration.log_dirs = {Uuid{3, 4}};
  start.registration.endpoints = {{"PLAINTEXT", "localhost", 9092, 0}};
  start.seed = 5;
  return start;
}

TEST(MetadataStart, BeginsAnEmptyChangelog) {
  MemoryMetadataStore store;
  const auto image = start_metadata(store, start_of("abc"));
  ASSERT_TRUE(image.has_value()) << image.error().message;
  EXPECT_EQ((*image)->cluster_id, "abc");
  EXPECT_TRUE((*image)->is_alive(BrokerId{3}));
  EXPECT_EQ((*image)->broker(BrokerId{3})->endpoint("PLAINTEXT")->port, 9092);
  EXPECT_EQ((*image)->version, store.head().value());
}

TEST(MetadataStart, GoesOnWithAUsedOne) {
  MemoryMetadataStore store;
  const auto first = start_metadata(store, start_of("abc"));
  ASSERT_TRUE(first.has_value());
  MetadataStart again = start_of("abc");
  again.registration.endpoints[0].port = 9999;
  const auto second = start_metadata(store, again);
  ASSERT_TRUE(second.has_value()) << second.error().message;
  EXPECT_EQ((*second)->cluster_id, "abc");
  EXPECT_GT((*second)->broker(BrokerId{3})->epoch, (*first)->broker(BrokerId{3})->epoch);
  EXPECT_EQ((*second)->broker(BrokerId{3})->endpoint("PLAINTEXT")->port, 9999);
  // What was stored is what was answered.
  const auto reader = load_changelog(store);
  ASSERT_TRUE(reader.has_value());
  EXPECT_EQ(reader->image()->version, (*second)->version);
}

TEST(MetadataStart, RefusesAnotherCluster) {
  MemoryMetadataStore store;
  ASSERT_TRUE(start_metadata(store, start_of("abc")).has_value());
  const auto other = start_metadata(store, start_of("xyz"));
  ASSERT_FALSE(other.has_value());
  EXPECT_THAT(other.error().message, HasSubstr("belong to cluster abc"));
}

TEST(MetadataStart, SaysWhatTheStoreSays) {
  MemoryMetadataStore store;
  store.fail_with(Error{Errc::storage, "the disk is gone"});
  const auto image = start_metadata(store, start_of("abc"));
  ASSERT_FALSE(image.has_value());
  EXPECT_EQ(image.error().message, "the disk is gone");
}

TEST(MetadataStart, ClosesAChangeThatItsWriterLeftOpen) {
  MemoryMetadataStore store;
  const auto first = start_metadata(store, start_of("abc"));
  ASSERT_TRUE(first.has_value());
  RecordBatch open;
  open.author = {BrokerId{3}, (*first)->controller_epoch, 1};
  open.records.emplace_back(wire::BeginTransactionRecord{});
  ASSERT_TRUE(store.append(store.head().value(), encode_batch(open)).has_value());
  const auto second = start_metadata(store, start_of("abc"));
  ASSERT_TRUE(second.has_value()) << second.error().message;
  EXPECT_EQ((*second)->version, store.head().value());
  EXPECT_TRUE((*second)->is_alive(BrokerId{3}));
}

}  // namespace
}  // namespace tailwater::cluster
