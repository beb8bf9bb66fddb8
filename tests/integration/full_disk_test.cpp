// Goal: a full disk holds producers back, or refuses them for a while, and that is all: consumers go on, a start
// goes through, and when there is room again so does everything else, without a hand. Method: a small file system
// of the test's own, on which space can be reserved and on which it cannot; records until nothing goes any more,
// and a file of no use that takes up the rest.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <filesystem>

#include "integration/support.hpp"
#include "support/loop_mount.hpp"

namespace tailwater::integration {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kDiskMegabytes = 96;
constexpr std::size_t kBatchBytes = std::size_t{256} << 10;
// Longer than any answer takes that is not held back, shorter than the client's patience.
constexpr int kHeldBackMs = 3'000;
constexpr int kPatienceMs = 60'000;

class FullDisk : public ::testing::TestWithParam<const char*> {
 protected:
  BrokerWishes wishes(std::vector<std::string> more = {}) const {
    BrokerWishes wishes{.folder = mount_.path() + "/data",
                        .properties = {"log.retention.ms=-1", "log.segment.bytes=1048576",
                                       "log.retention.check.interval.ms=1000",
                                       "log.segment.delete.delay.ms=0", "tailwater.recycle.bytes=0"}};
    for (std::string& each : more) wishes.properties.push_back(std::move(each));
    return wishes;
  }
  // So much of what is free, all of it if there is less.
  void fill(const std::string& name, std::uint64_t bytes_max) const {
    const shell::Descriptor file(
        ::open((mount_.path() + "/" + name).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    ASSERT_TRUE(file);
    const std::string zeros(std::size_t{1} << 20, '\0');
    std::uint64_t written = 0;
    for (std::size_t step = zeros.size(); step > 0;) {
      const std::size_t size = std::min<std::uint64_t>(step, bytes_max - written);
      if (size == 0) break;
      const ssize_t got = ::write(file.get(), zeros.data(), size);
      if (got > 0) written += static_cast<std::uint64_t>(got);
      if (got <= 0) step /= 2;
    }
    ASSERT_EQ(::fsync(file.get()), 0);
  }
  void make_room(const std::string& name) const { std::filesystem::remove(mount_.path() + "/" + name); }
  std::uint64_t free_bytes() const {
    struct statvfs space{};
    EXPECT_EQ(::statvfs(mount_.path().c_str(), &space), 0);
    return static_cast<std::uint64_t>(space.f_bavail) * space.f_frsize;
  }
  // How many batches there are, from the beginning on.
  static std::int64_t count(Client& client) {
    std::int64_t offset = 0;
    while (true) {
      const auto fetched = client.call(fetch_request("orders", 0, offset, 1 << 20), 11);
      if (!fetched) return -1;
      const auto& answer = fetched->body.responses.at(0).partitions.at(0);
      if (answer.error_code != wire::ErrorCode::none) return -2;
      const std::size_t bytes = answer.records.value_or(Bytes{}).size();
      if (bytes == 0) return offset;
      offset += static_cast<std::int64_t>(bytes / batch_size());
    }
  }
  static const Buffer& batch() {
    static const Buffer batch = record_batch(1, kBatchBytes);
    return batch;
  }
  static std::size_t batch_size() { return batch().size(); }

  LoopMount mount_{kDiskMegabytes, GetParam()};
};

INSTANTIATE_TEST_SUITE_P(FileSystems, FullDisk, ::testing::Values("", kCannotReserve));

bool is_retriable(wire::ErrorCode error) {
  return error == wire::ErrorCode::kafka_storage_error || error == wire::ErrorCode::not_leader_or_follower;
}

TEST_P(FullDisk, HoldsProducersBackUntilThereIsRoomAndConsumersNever) {
  NEEDS(mount_);
  fill("of-no-use", std::uint64_t{24} << 20);
  std::int64_t acknowledged = 0;
  {
    TestBroker broker(wishes());
    Client producer(broker.port());
    Client consumer(broker.port());
    create_topic(producer, "orders");
    // More cannot fit.
    const std::int64_t most = static_cast<std::int64_t>((kDiskMegabytes << 20) / kBatchBytes);
    bool held_back = false;
    for (std::int64_t each = 0; each < 2 * most && !held_back; ++each) {
      const auto answer = producer.call(produce_request("orders", 0, batch()), 9, kHeldBackMs);
      held_back = !answer;
      if (!answer) break;
      const wire::ErrorCode error = answer->body.responses.at(0).partition_responses.at(0).error_code;
      if (error == wire::ErrorCode::none) {
        ++acknowledged;
      } else {
        ASSERT_TRUE(is_retriable(error)) << static_cast<int>(error);
      }
    }
    EXPECT_TRUE(held_back);
    EXPECT_GT(acknowledged, 0);
    EXPECT_LT(acknowledged, most);
    EXPECT_GE(count(consumer), acknowledged);
    EXPECT_THAT(http_get(broker.admin_port(), "/metrics"),
                HasSubstr("kafka_log_logmanager_offlinelogdirectorycount 0\n"));

    make_room("of-no-use");
    // The one that was held back, and others.
    ASSERT_TRUE(producer.receive(kPatienceMs));
    ++acknowledged;
    for (int each = 0; each < 8; ++each) {
      EXPECT_EQ(produce(producer, "orders", 0, batch()), acknowledged);
      ++acknowledged;
    }
    EXPECT_TRUE(broker.stop());
  }
  TestBroker broker(wishes());
  Client consumer(broker.port());
  EXPECT_EQ(count(consumer), acknowledged);
}

// A clean stop writes a manifest, and only has the place of the one before the last for it: there are two of a size
// when the disk gets full. With records that are in no file yet it would wait for room.
TEST_P(FullDisk, DoesNotKeepABrokerFromStartingWhichThenMakesRoomItself) {
  NEEDS(mount_);
  for (const int batches : {40, 0}) {
    TestBroker broker(wishes());
    Client client(broker.port());
    if (batches > 0) create_topic(client, "orders");
    for (int each = 0; each < batches; ++each) produce(client, "orders", 0, batch());
    EXPECT_TRUE(broker.stop());
  }
  for (int rounds = 0; rounds < 2; ++rounds) {
    fill("of-no-use-" + std::to_string(rounds), UINT64_MAX);
    ASSERT_LT(free_bytes(), 1'024u);
    TestBroker broker(wishes());
    Client client(broker.port());
    EXPECT_EQ(count(client), 40);
    EXPECT_TRUE(broker.stop());
  }
  fill("of-no-use", UINT64_MAX);
  TestBroker broker(wishes({"log.retention.ms=1000"}));
  Client client(broker.port());
  const auto end = Clock::now() + std::chrono::milliseconds(kPatienceMs);
  // A fetch from the end waits for half a second.
  while (free_bytes() < 4u << 20 && Clock::now() < end)
    ASSERT_TRUE(client.call(fetch_request("orders", 0, 40, 1 << 20), 11));
  EXPECT_GE(free_bytes(), 4u << 20);
  EXPECT_EQ(produce(client, "orders", 0, batch()), 40);
  EXPECT_TRUE(broker.stop());
}

}  // namespace
}  // namespace tailwater::integration
