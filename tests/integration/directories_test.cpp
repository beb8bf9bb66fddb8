// Goal: whatever becomes of one of several log directories (another order, a disk that is not mounted, a file
// that is gone), no acknowledged record is lost: the broker serves what it can, or says what is wrong and
// touches nothing. Method: a broker with two directories and records in both, stopped; its folders are moved
// about as a person or a boot does; then it is started again, and at last with everything in place.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "integration/support.hpp"

namespace tailwater::integration {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr std::int32_t kPartitions = 6;

class DirectoriesTest : public ::testing::TestWithParam<std::int32_t> {
 protected:
  void SetUp() override {
    TestBroker broker(wishes({"a", "b"}));
    Client client(broker.port());
    create_topic(client, "orders", kPartitions);
    for (std::int32_t partition = 0; partition < kPartitions; ++partition)
      EXPECT_EQ(produce(client, "orders", partition, batch), 0);
    EXPECT_TRUE(broker.stop());
  }

  BrokerWishes wishes(const std::vector<std::string>& names) const {
    std::string dirs;
    for (const std::string& name : names) dirs += (dirs.empty() ? "" : ",") + (root / name).string();
    return {.folder = root.string(), .properties = {"log.dirs=" + dirs}, .shards = GetParam()};
  }
  std::string refusal(const std::vector<std::string>& names) {
    auto opened = open_broker(wishes(names), log);
    return opened ? "it opened" : opened.error().message;
  }
  // Of each partition everything is there, and goes on behind it.
  void expect_served(const std::vector<std::string>& names) {
    TestBroker broker(wishes(names));
    Client client(broker.port());
    for (std::int32_t partition = 0; partition < kPartitions; ++partition) {
      EXPECT_EQ(produce(client, "orders", partition, batch), written) << partition;
      EXPECT_EQ(read_all(client, "orders", partition, batch.size()), written + 10) << partition;
    }
    written += 10;
    EXPECT_TRUE(broker.stop());
  }
  static wire::ErrorCode try_produce(Client& client, const std::string& topic, std::int32_t partition,
                                     const Buffer& batch) {
    auto answer = client.call(produce_request(topic, partition, batch), 9, 30'000);
    if (!answer) return wire::ErrorCode::unknown_server_error;
    return answer->body.responses.at(0).partition_responses.at(0).error_code;
  }
  // Serves what lies in "a" and refuses what lies in "b"; new topics go to "a".
  void expect_b_offline(const std::string& topic) {
    TestBroker broker(wishes({"a", "b"}));
    Client client(broker.port());
    int refused = 0;
    for (std::int32_t partition = 0; partition < kPartitions; ++partition) {
      if (fs::exists(root / "a" / ("orders-" + std::to_string(partition)))) {
        EXPECT_EQ(read_all(client, "orders", partition, batch.size()), written) << partition;
        continue;
      }
      EXPECT_EQ(try_produce(client, "orders", partition, batch), wire::ErrorCode::kafka_storage_error)
          << partition;
      ++refused;
    }
    EXPECT_EQ(refused, kPartitions / 2);
    create_topic(client, topic, 4);
    for (std::int32_t partition = 0; partition < 4; ++partition)
      EXPECT_EQ(produce(client, topic, partition, batch), 0);
    EXPECT_THAT(http_get(broker.admin_port(), "/metrics"),
                HasSubstr("kafka_log_logmanager_offlinelogdirectorycount"));
    EXPECT_TRUE(broker.stop());
  }
  // Names and sizes of all that is there.
  std::set<std::pair<std::string, std::uintmax_t>> files() const {
    std::set<std::pair<std::string, std::uintmax_t>> all;
    for (const auto& entry : fs::recursive_directory_iterator(root)) {
      if (entry.is_regular_file() && entry.path().filename() != ".lock")
        all.emplace(entry.path().string(), entry.file_size());
    }
    return all;
  }

  const Buffer batch = record_batch(10, 100);
  std::int64_t written = 10;
  TemporaryFolder folder;
  const fs::path root = folder.path();
  shell::Log log{{.sink = [](std::string_view) {}}};
};
INSTANTIATE_TEST_SUITE_P(Shards, DirectoriesTest, ::testing::Values(1, 3));

TEST_P(DirectoriesTest, AnotherOrderIsServedTheSame) {
  expect_served({"b", "a"});
  expect_served({"new", "b", "a"});
  expect_served({"a", "new", "b"});
  EXPECT_FALSE(fs::exists(root / "new" / "metadata.sqlite"));
}

TEST_P(DirectoriesTest, DisksThatChangedPlacesAreServedTheSame) {
  fs::rename(root / "a", root / "c");
  fs::rename(root / "b", root / "a");
  fs::rename(root / "c", root / "b");
  expect_served({"a", "b"});
}

TEST_P(DirectoriesTest, WithoutTheMetadataNothingIsTouched) {
  fs::rename(root / "a" / "metadata.sqlite", root / "kept");
  const auto before = files();
  const std::string why = refusal({"a", "b"});
  EXPECT_THAT(why,
              AllOf(HasSubstr("metadata.sqlite"), HasSubstr((root / "a").string()), HasSubstr("log.dirs")));
  EXPECT_EQ(files(), before);
  fs::rename(root / "kept", root / "a" / "metadata.sqlite");
  expect_served({"a", "b"});
}

TEST_P(DirectoriesTest, AnEmptyMetadataFileIsNoNewBroker) {
  fs::rename(root / "a" / "metadata.sqlite", root / "kept");
  std::ofstream(root / "a" / "metadata.sqlite") << "";
  EXPECT_THAT(refusal({"a", "b"}), HasSubstr("metadata.sqlite"));
  fs::rename(root / "kept", root / "a" / "metadata.sqlite");
  expect_served({"a", "b"});
}

TEST_P(DirectoriesTest, AnEmptyMountPointInPlaceOfTheMetadataIsNoNewBroker) {
  fs::rename(root / "a", root / "kept");
  fs::create_directory(root / "a");
  EXPECT_THAT(refusal({"a", "b"}), AllOf(HasSubstr("mounted"), HasSubstr((root / "b").string())));
  EXPECT_FALSE(fs::exists(root / "a" / "metadata.sqlite"));
  // Left out of log.dirs it is not there either.
  EXPECT_THAT(refusal({"b"}), HasSubstr("metadata.sqlite"));
  fs::remove_all(root / "a");
  fs::rename(root / "kept", root / "a");
  expect_served({"a", "b"});
}

TEST_P(DirectoriesTest, AnEmptyMountPointBesideTheMetadataLosesNothing) {
  fs::rename(root / "b", root / "kept");
  fs::create_directory(root / "b");
  expect_b_offline("orders2");
  fs::remove_all(root / "b");
  fs::rename(root / "kept", root / "b");
  expect_served({"a", "b"});
}

TEST_P(DirectoriesTest, TwoMetadataFilesAreRefused) {
  fs::copy_file(root / "a" / "metadata.sqlite", root / "b" / "metadata.sqlite");
  EXPECT_THAT(refusal({"a", "b"}), AllOf(HasSubstr((root / "a").string()), HasSubstr((root / "b").string()),
                                         HasSubstr("metadata.sqlite")));
  fs::remove(root / "b" / "metadata.sqlite");
  expect_served({"a", "b"});
}

TEST_P(DirectoriesTest, MetadataOfAnEarlierTimeRemoveNothing) {
  fs::copy_file(root / "a" / "metadata.sqlite", root / "older");
  const auto produce_later = [&](std::int64_t expected) {
    TestBroker broker(wishes({"a", "b"}));
    Client client(broker.port());
    if (expected == 0) create_topic(client, "later", kPartitions);
    for (std::int32_t partition = 0; partition < kPartitions; ++partition)
      EXPECT_EQ(produce(client, "later", partition, batch), expected);
    EXPECT_TRUE(broker.stop());
  };
  produce_later(0);
  fs::rename(root / "a" / "metadata.sqlite", root / "newest");
  fs::copy_file(root / "older", root / "a" / "metadata.sqlite");
  {
    auto broker = open_broker(wishes({"a", "b"}), log);
    ASSERT_TRUE(broker.has_value()) << broker.error().message;
    EXPECT_EQ((*broker)->wait_while(shell::BrokerState::recovering, Duration::from_ms(60'000)),
              shell::BrokerState::failed);
    EXPECT_THAT((*broker)->failure(), AllOf(HasSubstr("later-"), HasSubstr("metadata.sqlite")));
  }
  fs::remove(root / "a" / "metadata.sqlite");
  fs::rename(root / "newest", root / "a" / "metadata.sqlite");
  produce_later(10);
  expect_served({"a", "b"});
}

TEST_P(DirectoriesTest, ACopyIsOfflineWhereverItStands) {
  fs::copy(root / "b", root / "copy", fs::copy_options::recursive);
  fs::remove(root / "copy" / "meta.properties");
  expect_served({"a", "b", "copy"});
  expect_served({"copy", "b", "a"});
  expect_served({"a", "copy", "b"});
  expect_served({"a", "b"});
}

TEST_P(DirectoriesTest, OneThatCannotBeUsedIsOffline) {
  fs::rename(root / "b", root / "kept");
  std::ofstream(root / "b") << "no folder";
  expect_b_offline("one");
  expect_b_offline("two");
  fs::remove(root / "b");
  fs::rename(root / "kept", root / "b");
  expect_served({"a", "b"});
}

TEST_P(DirectoriesTest, OneWhoseIdentityCannotBeReadIsOffline) {
  fs::rename(root / "b" / "meta.properties", root / "kept");
  std::ofstream(root / "b" / "meta.properties") << "version=one\n";
  expect_b_offline("one");
  fs::rename(root / "kept", root / "b" / "meta.properties");
  expect_served({"a", "b"});
}

TEST_P(DirectoriesTest, OneThatIsOfflineIsTakenOverByAnotherNumberOfShardsLater) {
  fs::rename(root / "b", root / "kept");
  std::ofstream(root / "b") << "no folder";
  {
    BrokerWishes other = wishes({"a", "b"});
    other.shards = 2;
    TestBroker broker(other);
    EXPECT_TRUE(broker.stop());
  }
  fs::remove(root / "b");
  fs::rename(root / "kept", root / "b");
  expect_served({"a", "b"});
}

TEST_P(DirectoriesTest, TheOneWithTheMetadataHasToBeUsable) {
  fs::rename(root / "a", root / "kept");
  std::ofstream(root / "a") << "no folder";
  EXPECT_THAT(refusal({"a", "b"}), AllOf(HasSubstr((root / "a").string()), HasSubstr("metadata")));
  EXPECT_THAT(refusal({"b", "a"}), AllOf(HasSubstr((root / "a").string()), HasSubstr("metadata")));
  fs::remove(root / "a");
  fs::rename(root / "kept", root / "a");
  expect_served({"a", "b"});
}

}  // namespace
}  // namespace tailwater::integration
