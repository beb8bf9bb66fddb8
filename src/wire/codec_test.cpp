// Goal: what encoding does with fields that a version lacks, with nulls that it refuses, with tags and with
// limits. Method: one message per rule, its effect seen through decode.
#include "wire/codec.hpp"

#include <gtest/gtest.h>

#include "wire/api/api_versions.hpp"
#include "wire/api/fetch.hpp"
#include "wire/api/metadata.hpp"
#include "wire/api/produce.hpp"
#include "wire/api/sasl_authenticate.hpp"
#include "wire/data/consumer_group_member_metadata_value.hpp"
#include "wire/versioned.hpp"

namespace tailwater::wire {
namespace {

template <class Message>
Buffer encoded(std::int16_t version, const Message& message) {
  Buffer buffer;
  Writer writer(buffer);
  encode(writer, version, message);
  EXPECT_EQ(encoded_size(version, message), buffer.size());
  return buffer;
}

template <class Message>
Message decoded(std::int16_t version, const Buffer& bytes) {
  Reader reader(bytes);
  Message message;
  EXPECT_TRUE(decode(reader, version, message).has_value());
  return message;
}

TEST(unsupported_field, names_what_a_version_would_drop_although_it_matters) {
  MetadataRequest request;
  EXPECT_EQ(unsupported_field(0, request), "");
  request.allow_auto_topic_creation = false;
  EXPECT_EQ(unsupported_field(3, request), "allowAutoTopicCreation");
  EXPECT_EQ(unsupported_field(4, request), "");
  request.include_cluster_authorized_operations = true;
  EXPECT_EQ(unsupported_field(7, request), "includeClusterAuthorizedOperations");
  EXPECT_EQ(unsupported_field(10, request), "");
  EXPECT_EQ(unsupported_field(11, request), "includeClusterAuthorizedOperations");
}

TEST(unsupported_field, looks_into_elements) {
  FetchRequest request;
  request.topics.emplace_back().partitions.emplace_back().last_fetched_epoch = 3;
  EXPECT_EQ(unsupported_field(11, request), "lastFetchedEpoch");
  EXPECT_EQ(unsupported_field(12, request), "");
}

TEST(unsupported_field, does_not_mind_ignorable_fields) {
  FetchRequest request;
  request.rack_id = "rack";
  request.session_id = 5;
  EXPECT_EQ(unsupported_field(4, request), "");
}

TEST(encode, drops_what_the_version_lacks) {
  MetadataRequest request;
  request.allow_auto_topic_creation = false;
  const auto again = decoded<MetadataRequest>(3, encoded(3, request));
  EXPECT_TRUE(again.allow_auto_topic_creation);
}

TEST(encode, a_null_that_the_version_refuses_becomes_empty) {
  const MetadataRequest request;
  EXPECT_EQ(request.topics, std::nullopt);
  const auto old = decoded<MetadataRequest>(0, encoded(0, request));
  EXPECT_EQ(old.topics, std::vector<MetadataRequest::MetadataRequestTopic>{});
  EXPECT_EQ(decoded<MetadataRequest>(1, encoded(1, request)).topics, std::nullopt);
}

TEST(encode, tagged_fields_with_their_defaults_are_absent) {
  ProduceResponse response;
  response.responses.emplace_back().partition_responses.emplace_back();
  const std::size_t bare = encoded(10, response).size();
  response.responses[0].partition_responses[0].current_leader.leader_id = 1;
  EXPECT_EQ(encoded(10, response).size(), bare + 2 + 9);
  EXPECT_EQ(encoded(9, response).size(), bare);
}

TEST(decode, resets_the_message) {
  MetadataRequest used;
  used.allow_auto_topic_creation = false;
  used.topics.emplace().emplace_back();
  const Buffer bytes = encoded(0, MetadataRequest{});
  Reader reader(bytes);
  ASSERT_TRUE(decode(reader, 0, used).has_value());
  EXPECT_TRUE(used.allow_auto_topic_creation);
  EXPECT_TRUE(used.topics->empty());
}

TEST(decode, skips_unknown_tags_wherever_they_stand) {
  ApiVersionsRequest request;
  request.client_software_name = "name";
  request.client_software_version = "1";
  Buffer bytes = encoded(3, request);
  bytes.back() = std::byte{2};  // two tags instead of none
  for (const int byte : {7, 1, 0xee, 9, 2, 0xee, 0xee}) bytes.push_back(static_cast<std::byte>(byte));
  Reader reader(bytes);
  ApiVersionsRequest again;
  ASSERT_TRUE(decode(reader, 3, again).has_value());
  EXPECT_EQ(again, request);
  EXPECT_EQ(reader.remaining(), 0U);
}

TEST(decode, a_known_tag_of_a_later_version_is_skipped) {
  FetchRequest request;
  request.replica_state = {5, 6};
  Buffer newer = encoded(15, request);
  Buffer older = encoded(12, FetchRequest{});
  // The tagged section of version 15 behind the fields of version 12.
  older.pop_back();
  const Buffer tags(newer.end() - 16, newer.end());
  older.insert(older.end(), tags.begin(), tags.end());
  const auto again = decoded<FetchRequest>(12, older);
  EXPECT_EQ(again.replica_state, FetchRequest::ReplicaState{});
}

TEST(decode, says_what_is_wrong) {
  const Buffer empty;
  Reader nothing(empty);
  MetadataRequest request;
  const auto truncated = decode(nothing, 9, request);
  ASSERT_FALSE(truncated.has_value());
  EXPECT_EQ(truncated.error().code, Errc::truncated);
  EXPECT_EQ(truncated.error().message, "MetadataRequest version 9 ends before its last field does");
  Reader other(empty);
  EXPECT_EQ(decode(other, 14, request).error().code, Errc::unsupported);
}

TEST(decode, a_limit_of_the_schema_is_kept) {
  SaslAuthenticateRequest request;
  request.auth_bytes.resize(524288);
  Buffer bytes = encoded(2, request);
  Reader fits(bytes);
  EXPECT_TRUE(decode(fits, 2, request).has_value());
  request.auth_bytes.resize(524289);
  bytes = encoded(2, request);
  Reader beyond(bytes);
  EXPECT_EQ(decode(beyond, 2, request).error().code, Errc::too_large);
}

TEST(decode, many_small_elements_exhaust_the_allowance_not_the_memory) {
  // Topics without a name: three bytes each on the wire, far more in memory.
  constexpr std::size_t count = 100'000;
  Buffer bytes;
  Writer writer(bytes);
  writer.array_count(count, Form::compact);
  for (std::size_t at = 0; at < count; ++at) {
    writer.string("", Form::compact);
    writer.no_tags();
  }
  writer.boolean(true);
  writer.boolean(false);
  writer.boolean(false);
  writer.no_tags();
  MetadataRequest request;
  Reader generous(bytes);
  EXPECT_TRUE(decode(generous, 9, request).has_value());
  EXPECT_EQ(request.topics->size(), count);
  Reader tight(bytes, 1U << 20);
  EXPECT_EQ(decode(tight, 9, request).error().code, Errc::too_large);
}

TEST(decode, records_are_borrowed_and_equal_by_content) {
  const Buffer records(3, std::byte{7});
  ProduceRequest request;
  request.topic_data.emplace_back().partition_data.push_back({4, Bytes(records)});
  const Buffer bytes = encoded(9, request);
  const auto again = decoded<ProduceRequest>(9, bytes);
  EXPECT_EQ(again, request);
  const Bytes span = *again.topic_data[0].partition_data[0].records;
  EXPECT_TRUE(span.data() > bytes.data() && span.data() < bytes.data() + bytes.size());
}

TEST(decode, an_absent_tag_that_means_empty_is_not_null) {
  ConsumerGroupMemberMetadataValue value;
  EXPECT_EQ(value.classic_member_metadata, std::nullopt);
  const Buffer null = encoded(0, value);
  EXPECT_EQ(decoded<ConsumerGroupMemberMetadataValue>(0, null).classic_member_metadata, std::nullopt);
  value.classic_member_metadata.emplace();
  const Buffer empty = encoded(0, value);
  EXPECT_LT(empty.size(), null.size());
  EXPECT_EQ(decoded<ConsumerGroupMemberMetadataValue>(0, empty), value);
}

}  // namespace
}  // namespace tailwater::wire
