// Goal: keys and values of coordinator records, and the consumer protocol, carry type or version in front.
// Method: bytes written by hand and there and back.
#include "wire/versioned.hpp"

#include <gtest/gtest.h>

#include "wire/data/consumer_protocol_subscription.hpp"
#include "wire/data/group_metadata_key.hpp"
#include "wire/data/offset_commit_key.hpp"
#include "wire/data/offset_commit_value.hpp"

namespace tailwater::wire {
namespace {

TEST(versioned, a_record_key_begins_with_its_type) {
  const OffsetCommitKey key{"g", "t", 3};
  const Buffer bytes = encode_record_key(key);
  const Buffer expected{std::byte{0},   std::byte{1}, std::byte{0}, std::byte{1},
                        std::byte{'g'}, std::byte{0}, std::byte{1}, std::byte{'t'},
                        std::byte{0},   std::byte{0}, std::byte{0}, std::byte{3}};
  EXPECT_EQ(bytes, expected);
  EXPECT_EQ(record_key_type(bytes), 1);
  EXPECT_EQ(decode_record_key<OffsetCommitKey>(bytes), key);
  EXPECT_EQ(decode_record_key<GroupMetadataKey>(bytes).error().code, Errc::unsupported);
  EXPECT_EQ(record_key_type(Bytes(bytes).first(1)).error().code, Errc::truncated);
}

TEST(versioned, a_record_value_begins_with_its_version) {
  OffsetCommitValue value;
  value.offset = 7;
  value.metadata = "m";
  for (std::int16_t version = 0; version <= OffsetCommitValue::kMaxVersion; ++version) {
    const Buffer bytes = encode_versioned(version, value);
    EXPECT_EQ(bytes[1], static_cast<std::byte>(version));
    EXPECT_EQ(decode_versioned<OffsetCommitValue>(bytes), value);
  }
}

TEST(versioned, a_newer_version_is_refused_or_read_as_the_newest) {
  ConsumerProtocolSubscription subscription;
  subscription.topics = {"t"};
  Buffer bytes = encode_versioned(3, subscription);
  bytes[1] = std::byte{9};
  bytes.push_back(std::byte{0xee});  // a field of the future
  EXPECT_EQ(decode_versioned<ConsumerProtocolSubscription>(bytes).error().code, Errc::unsupported);
  EXPECT_EQ(decode_versioned<ConsumerProtocolSubscription>(bytes, Newer::read_as_newest), subscription);
}

}  // namespace
}  // namespace tailwater::wire
