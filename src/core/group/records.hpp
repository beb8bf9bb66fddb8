// The records of __consumer_offsets that classic groups live by: committed offsets (keys 0 and 1) and group
// metadata (key 2). Encoding makes keys and values byte for byte as Kafka reads them; decoding is total on
// damaged bytes and passes over the kinds that belong to others (consumer, share and streams groups).
//   key = type int16, body;  value = version int16, body;  null value = tombstone
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/uuid.hpp"

namespace tailwater::group {

struct CommittedOffset {
  std::int64_t offset = -1;
  std::int32_t leader_epoch = -1;
  std::string metadata;
  std::int64_t commit_time_ms = -1;
  std::int64_t expire_time_ms = -1;  // from clients that set a retention time; -1 none
  Uuid topic_id;                     // zero where the client did not know it
  friend bool operator==(const CommittedOffset&, const CommittedOffset&) = default;
};

struct MemberRecord {
  std::string member_id;
  std::optional<std::string> instance_id;
  std::string client_id;
  std::string client_host;
  std::int32_t rebalance_timeout_ms = -1;
  std::int32_t session_timeout_ms = -1;
  Buffer subscription;
  Buffer assignment;
  friend bool operator==(const MemberRecord&, const MemberRecord&) = default;
};

struct GroupRecord {
  std::string protocol_type;
  std::int32_t generation = 0;
  std::optional<std::string> protocol_name;
  std::optional<std::string> leader;
  std::int64_t state_since_ms = -1;
  std::vector<MemberRecord> members;
  friend bool operator==(const GroupRecord&, const GroupRecord&) = default;
};

// A change of one offset of a group that is known.
struct OffsetWrite {
  std::string topic;
  std::int32_t partition = 0;
  std::optional<CommittedOffset> value;  // none: a tombstone
  friend bool operator==(const OffsetWrite&, const OffsetWrite&) = default;
};

struct OffsetChange {
  std::string group;
  std::string topic;
  std::int32_t partition = 0;
  std::optional<CommittedOffset> value;  // none: a tombstone
  friend bool operator==(const OffsetChange&, const OffsetChange&) = default;
};

struct GroupChange {
  std::string group;
  std::optional<GroupRecord> value;  // none: a tombstone
  friend bool operator==(const GroupChange&, const GroupChange&) = default;
};

using Change = std::variant<OffsetChange, GroupChange>;

struct KeyValue {
  Buffer key;
  std::optional<Buffer> value;
};

// In place of what the record was, and in its memory.
void encode(std::string_view group, const OffsetWrite& write, KeyValue& record);
void encode(const OffsetChange& change, KeyValue& record);
void encode(const GroupChange& change, KeyValue& record);
template <class AnyChange>
KeyValue encode(const AnyChange& change) {
  KeyValue record;
  encode(change, record);
  return record;
}

// Nothing for a key of another kind. malformed, truncated or unsupported for bytes that make no sense.
Result<std::optional<Change>> decode(Bytes key, std::optional<Bytes> value);

// The topics of a consumer's subscription (ConsumerProtocolSubscription, any version).
Result<std::vector<std::string>> subscribed_topics(Bytes subscription);

}  // namespace tailwater::group
