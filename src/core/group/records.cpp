#include "core/group/records.hpp"

#include <utility>

#include "wire/data/group_metadata_key.hpp"
#include "wire/data/group_metadata_value.hpp"
#include "wire/data/legacy_offset_commit_key.hpp"
#include "wire/data/legacy_offset_commit_value.hpp"
#include "wire/data/offset_commit_key.hpp"
#include "wire/data/offset_commit_value.hpp"
#include "wire/reader.hpp"
#include "wire/writer.hpp"

namespace tailwater::group {
namespace {

// The lowest version that loses nothing, so that brokers and tools of every age read what they can.
constexpr std::int16_t kOffsetVersion = 3;
constexpr std::int16_t kOffsetVersionWithExpiry = 1;
constexpr std::int16_t kOffsetVersionWithTopicId = 4;
constexpr std::int16_t kGroupVersion = 3;

// In place of what the record had.
template <class Key>
void encode_key(const Key& key, KeyValue& record) {
  record.key.clear();
  wire::Writer writer(record.key);
  writer.int16(Key::kRecordKey);
  encode(writer, Key::kMaxVersion, key);
}

template <class Value>
void encode_value(std::int16_t version, const Value& value, KeyValue& record) {
  if (!record.value) record.value.emplace();
  record.value->clear();
  wire::Writer writer(*record.value);
  writer.int16(version);
  encode(writer, version, value);
}

template <class Key>
Result<Key> decode_key(wire::Reader& reader) {
  Key key;
  if (auto done = decode(reader, Key::kMaxVersion, key); !done) return std::unexpected(done.error());
  return key;
}

template <class Value>
Result<Value> decode_value(Bytes bytes) {
  wire::Reader reader(bytes);
  const std::int16_t version = reader.int16();
  if (!reader.ok()) return fail(Errc::truncated, "a record's value has no version");
  if (version < Value::kMinVersion || version > Value::kMaxVersion) {
    return fail(Errc::unsupported, "a record's value has an unknown version");
  }
  Value value;
  if (auto done = decode(reader, version, value); !done) return std::unexpected(done.error());
  return value;
}

Result<CommittedOffset> decode_offset(Bytes bytes) {
  auto value = decode_value<wire::OffsetCommitValue>(bytes);
  if (!value) return std::unexpected(value.error());
  return CommittedOffset{.offset = value->offset,
                         .leader_epoch = value->leader_epoch,
                         .metadata = std::string(value->metadata),
                         .commit_time_ms = value->commit_timestamp,
                         .expire_time_ms = value->expire_timestamp,
                         .topic_id = value->topic_id};
}

Result<CommittedOffset> decode_legacy_offset(Bytes bytes) {
  auto value = decode_value<wire::LegacyOffsetCommitValue>(bytes);
  if (!value) return std::unexpected(value.error());
  return CommittedOffset{.offset = value->offset,
                         .metadata = std::string(value->metadata),
                         .commit_time_ms = value->commit_timestamp};
}

template <class Key>
Result<std::optional<Change>> decode_offset_change(wire::Reader& key_reader, std::optional<Bytes> value) {
  auto key = decode_key<Key>(key_reader);
  if (!key) return std::unexpected(key.error());
  OffsetChange change{
      .group = std::string(key->group), .topic = std::string(key->topic), .partition = key->partition};
  if (value) {
    constexpr bool is_legacy = Key::kRecordKey == wire::LegacyOffsetCommitKey::kRecordKey;
    auto offset = decode_offset(*value);
    if (is_legacy && !offset) offset = decode_legacy_offset(*value);
    if (!offset) return std::unexpected(offset.error());
    change.value = std::move(*offset);
  }
  return Change(std::move(change));
}

Result<std::optional<Change>> decode_group_change(wire::Reader& key_reader, std::optional<Bytes> value) {
  auto key = decode_key<wire::GroupMetadataKey>(key_reader);
  if (!key) return std::unexpected(key.error());
  GroupChange change{.group = std::move(key->group)};
  if (!value) return Change(std::move(change));
  auto read = decode_value<wire::GroupMetadataValue>(*value);
  if (!read) return std::unexpected(read.error());
  GroupRecord& record = change.value.emplace();
  record.protocol_type = std::move(read->protocol_type);
  record.generation = read->generation;
  record.protocol_name = std::move(read->protocol);
  record.leader = std::move(read->leader);
  record.state_since_ms = read->current_state_timestamp;
  for (auto& member : read->members) {
    record.members.push_back({.member_id = std::move(member.member_id),
                              .instance_id = std::move(member.group_instance_id),
                              .client_id = std::move(member.client_id),
                              .client_host = std::move(member.client_host),
                              .rebalance_timeout_ms = member.rebalance_timeout,
                              .session_timeout_ms = member.session_timeout,
                              .subscription = std::move(member.subscription),
                              .assignment = std::move(member.assignment)});
  }
  return Change(std::move(change));
}

void encode_offset(const wire::OffsetCommitKey& key, const std::optional<CommittedOffset>& written,
                   KeyValue& record) {
  encode_key(key, record);
  if (!written) return record.value.reset();
  const CommittedOffset& value = *written;
  const std::int16_t version = value.expire_time_ms >= 0   ? kOffsetVersionWithExpiry
                               : !value.topic_id.is_zero() ? kOffsetVersionWithTopicId
                                                           : kOffsetVersion;
  encode_value(version,
               wire::OffsetCommitValue{.offset = value.offset,
                                       .leader_epoch = value.leader_epoch,
                                       .metadata = value.metadata,
                                       .commit_timestamp = value.commit_time_ms,
                                       .expire_timestamp = value.expire_time_ms,
                                       .topic_id = value.topic_id},
               record);
}

}  // namespace

void encode(std::string_view group, const OffsetWrite& write, KeyValue& record) {
  encode_offset({.group = group, .topic = write.topic, .partition = write.partition}, write.value, record);
}

void encode(const OffsetChange& change, KeyValue& record) {
  encode_offset({.group = change.group, .topic = change.topic, .partition = change.partition}, change.value,
                record);
}

void encode(const GroupChange& change, KeyValue& record) {
  encode_key(wire::GroupMetadataKey{.group = change.group}, record);
  if (!change.value) return record.value.reset();
  const GroupRecord& value = *change.value;
  wire::GroupMetadataValue message{.protocol_type = value.protocol_type,
                                   .generation = value.generation,
                                   .protocol = value.protocol_name,
                                   .leader = value.leader,
                                   .current_state_timestamp = value.state_since_ms};
  for (const MemberRecord& member : value.members) {
    message.members.push_back({.member_id = member.member_id,
                               .group_instance_id = member.instance_id,
                               .client_id = member.client_id,
                               .client_host = member.client_host,
                               .rebalance_timeout = member.rebalance_timeout_ms,
                               .session_timeout = member.session_timeout_ms,
                               .subscription = member.subscription,
                               .assignment = member.assignment});
  }
  encode_value(kGroupVersion, message, record);
}

Result<std::optional<Change>> decode(Bytes key, std::optional<Bytes> value) {
  wire::Reader reader(key);
  const std::int16_t kind = reader.int16();
  if (!reader.ok()) return fail(Errc::truncated, "a record's key has no type");
  switch (kind) {
    case wire::LegacyOffsetCommitKey::kRecordKey:
      return decode_offset_change<wire::LegacyOffsetCommitKey>(reader, value);
    case wire::OffsetCommitKey::kRecordKey:
      return decode_offset_change<wire::OffsetCommitKey>(reader, value);
    case wire::GroupMetadataKey::kRecordKey:
      return decode_group_change(reader, value);
    default:
      return std::optional<Change>();
  }
}

Result<std::vector<std::string>> subscribed_topics(Bytes subscription) {
  // The topics come first in every version; what follows is no business of the broker.
  wire::Reader reader(subscription);
  const std::int16_t version = reader.int16();
  auto topics = reader.array<std::string>(wire::Form::plain);
  if (!reader.ok()) return fail(reader.error(), "a subscription cannot be read");
  if (version < 0) return fail(Errc::malformed, "a subscription has a negative version");
  return topics;
}

}  // namespace tailwater::group
