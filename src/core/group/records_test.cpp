// Goal: the records of __consumer_offsets are Kafka's, byte for byte, and reading them is total. Method:
// hand-made bytes, round trips over every version that we write, every prefix and every flipped bit of a
// value.
#include "core/group/records.hpp"

#include <gtest/gtest.h>

#include "core/group/test_harness.hpp"

namespace tailwater::group {
namespace {

std::optional<Bytes> view(const KeyValue& record) {
  return record.value ? std::optional<Bytes>(*record.value) : std::nullopt;
}
Change round_trip(const KeyValue& record) {
  auto change = decode(record.key, view(record));
  EXPECT_TRUE(change.has_value() && change->has_value());
  return change.has_value() && change->has_value() ? **change : Change{};
}

std::string hex(const Buffer& bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    text += "0123456789abcdef"[static_cast<int>(byte) >> 4];
    text += "0123456789abcdef"[static_cast<int>(byte) & 15];
  }
  return text;
}

GroupChange some_group() {
  GroupRecord record{.protocol_type = "consumer",
                     .generation = 7,
                     .protocol_name = "range",
                     .leader = "m",
                     .state_since_ms = 99};
  record.members.push_back({.member_id = "m",
                            .instance_id = "i",
                            .client_id = "c",
                            .client_host = "/h",
                            .rebalance_timeout_ms = 300'000,
                            .session_timeout_ms = 45'000,
                            .subscription = bytes_of("sub"),
                            .assignment = bytes_of("assigned")});
  record.members.push_back({.member_id = "n", .rebalance_timeout_ms = 1, .session_timeout_ms = 2});
  return {.group = "g", .value = record};
}

TEST(Records, OffsetBytesAreKafkas) {
  const KeyValue record = encode(OffsetChange{
      .group = "g",
      .topic = "t",
      .partition = 3,
      .value = CommittedOffset{.offset = 5, .leader_epoch = 2, .metadata = "m", .commit_time_ms = 258}});
  EXPECT_EQ(hex(record.key),
            "0001"
            "000167"
            "000174"
            "00000003");
  EXPECT_EQ(hex(*record.value),
            "0003"
            "0000000000000005"
            "00000002"
            "00016d"
            "0000000000000102");
}

TEST(Records, GroupKeyBytesAreKafkas) {
  EXPECT_EQ(hex(encode(GroupChange{.group = "abc"}).key),
            "0002"
            "0003616263");
}

TEST(Records, RoundTrips) {
  const GroupChange group = some_group();
  EXPECT_EQ(std::get<GroupChange>(round_trip(encode(group))), group);
  const GroupChange tombstone{.group = "g"};
  EXPECT_EQ(std::get<GroupChange>(round_trip(encode(tombstone))), tombstone);
  const CommittedOffset values[] = {
      {.offset = 1, .leader_epoch = 9, .metadata = "x", .commit_time_ms = 10},
      {.offset = 1, .leader_epoch = -1, .metadata = "", .commit_time_ms = 10, .expire_time_ms = 11},
      {.offset = INT64_MAX,
       .leader_epoch = 9,
       .metadata = "x",
       .commit_time_ms = 10,
       .topic_id = Uuid{1, 2}}};
  for (const CommittedOffset& value : values) {
    const OffsetChange offset{.group = "g", .topic = "t", .partition = INT32_MAX, .value = value};
    EXPECT_EQ(std::get<OffsetChange>(round_trip(encode(offset))), offset);
  }
  const OffsetChange gone{.group = "g", .topic = "t", .partition = 0, .value = std::nullopt};
  EXPECT_EQ(std::get<OffsetChange>(round_trip(encode(gone))), gone);
}

TEST(Records, LegacyOffsetsAreRead) {
  Buffer key = encode(OffsetChange{.group = "g", .topic = "t", .partition = 3}).key;
  key[1] = std::byte{0};
  Buffer value(2);
  for (int byte = 0; byte < 8; ++byte)
    value.push_back(std::byte{byte == 7 ? std::uint8_t{5} : std::uint8_t{0}});
  for (const char byte : {'\0', '\1', 'm'}) value.push_back(static_cast<std::byte>(byte));
  for (int byte = 0; byte < 8; ++byte)
    value.push_back(std::byte{byte == 7 ? std::uint8_t{9} : std::uint8_t{0}});
  const auto change = decode(key, Bytes(value));
  ASSERT_TRUE(change.has_value() && change->has_value());
  const OffsetChange& offset = std::get<OffsetChange>(**change);
  EXPECT_EQ(offset.group, "g");
  EXPECT_EQ(offset.value->offset, 5);
  EXPECT_EQ(offset.value->metadata, "m");
  EXPECT_EQ(offset.value->commit_time_ms, 9);
}

TEST(Records, KindsOfOthersArePassedOver) {
  for (std::int16_t kind = 3; kind < 30; ++kind) {
    Buffer key(2);
    store_big(key.data(), kind);
    const auto change = decode(key, std::nullopt);
    ASSERT_TRUE(change.has_value()) << kind;
    EXPECT_FALSE(change->has_value()) << kind;
  }
}

TEST(Records, UnknownVersionsAreRefused) {
  KeyValue record = encode(some_group());
  (*record.value)[1] = std::byte{5};
  EXPECT_EQ(decode(record.key, view(record)).error().code, Errc::unsupported);
  (*record.value)[0] = std::byte{0xFF};
  EXPECT_EQ(decode(record.key, view(record)).error().code, Errc::unsupported);
}

TEST(Records, EveryPrefixIsAnErrorAndEveryFlipEndsWell) {
  const KeyValue records[] = {
      encode(some_group()),
      encode(OffsetChange{.group = "g", .topic = "t", .partition = 3, .value = CommittedOffset{.offset = 1}}),
      encode(OffsetChange{.group = "g",
                          .topic = "t",
                          .partition = 3,
                          .value = CommittedOffset{.offset = 1, .topic_id = {1, 1}}})};
  for (const KeyValue& record : records) {
    const Bytes value(*record.value);
    for (std::size_t size = 0; size < value.size(); ++size) {
      EXPECT_FALSE(decode(record.key, value.first(size)).has_value()) << size;
    }
    for (std::size_t size = 0; size < record.key.size(); ++size) {
      EXPECT_FALSE(decode(Bytes(record.key).first(size), value).has_value()) << size;
    }
    Buffer damaged = *record.value;
    for (std::size_t bit = 0; bit < damaged.size() * 8; ++bit) {
      damaged[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
      (void)decode(record.key, Bytes(damaged)).has_value();
      damaged[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
    }
  }
}

TEST(Subscription, TopicsOfEveryVersion) {
  Buffer bytes = subscription_to({"a", "b"});
  for (const int version : {0, 1, 2, 3, 9}) {
    bytes[1] = static_cast<std::byte>(version);
    EXPECT_EQ(subscribed_topics(bytes), (std::vector<std::string>{"a", "b"}));
  }
}

TEST(Subscription, DamageIsAnError) {
  const Buffer bytes = subscription_to({"a", "b"});
  for (std::size_t size = 0; size < 2 + 4 + 3 + 3; ++size) {
    EXPECT_FALSE(subscribed_topics(Bytes(bytes).first(size)).has_value()) << size;
  }
  Buffer negative = bytes;
  negative[0] = std::byte{0xFF};
  EXPECT_FALSE(subscribed_topics(negative).has_value());
}

}  // namespace
}  // namespace tailwater::group
