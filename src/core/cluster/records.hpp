// Records of the metadata changelog, and batches of them, which are the entries of the store.
#pragma once

// A record is framed as in Kafka's metadata log: uvarint 1, uvarint key of its kind, uvarint version, body in
// Kafka's flexible encoding. Kinds are Kafka's own where Kafka has one; those below are ours and have keys
// from 1000 on.
//
//   batch    u8 format 1 | u32 CRC-32C of all that follows | i32 controller | i32 controller epoch
//            | u64 nonce | uvarint count | count x { uvarint size, frame }      (numbers big-endian)
//
// The nonce is the writer's and makes a batch recognisable: after an append with an unknown outcome the
// writer reads the entry back and sees whether it is his.
//
// Reading is total: damaged bytes give Errc::corrupt, kinds and versions of a newer release
// Errc::unsupported.

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/uuid.hpp"
#include "core/cluster/version.hpp"
#include "wire/data/abort_transaction_record.hpp"
#include "wire/data/access_control_entry_record.hpp"
#include "wire/data/begin_transaction_record.hpp"
#include "wire/data/broker_registration_change_record.hpp"
#include "wire/data/client_quota_record.hpp"
#include "wire/data/config_record.hpp"
#include "wire/data/delegation_token_record.hpp"
#include "wire/data/end_transaction_record.hpp"
#include "wire/data/feature_level_record.hpp"
#include "wire/data/fence_broker_record.hpp"
#include "wire/data/no_op_record.hpp"
#include "wire/data/partition_change_record.hpp"
#include "wire/data/partition_record.hpp"
#include "wire/data/producer_ids_record.hpp"
#include "wire/data/register_broker_record.hpp"
#include "wire/data/remove_access_control_entry_record.hpp"
#include "wire/data/remove_delegation_token_record.hpp"
#include "wire/data/remove_topic_record.hpp"
#include "wire/data/remove_user_scram_credential_record.hpp"
#include "wire/data/topic_record.hpp"
#include "wire/data/unfence_broker_record.hpp"
#include "wire/data/unregister_broker_record.hpp"
#include "wire/data/user_scram_credential_record.hpp"

namespace tailwater::cluster {

// The cluster's name; the first record of every changelog.
//   body  compact string cluster_id, tags
struct ClusterRecord {
  static constexpr std::int16_t kRecordKey = 1000;
  static constexpr std::int16_t kMinVersion = 0;
  static constexpr std::int16_t kMaxVersion = 0;
  std::string cluster_id;
  friend bool operator==(const ClusterRecord&, const ClusterRecord&) = default;
};

// The log ids of the replicas of consecutive partitions: first those of the partition `first_partition` in
// the order of its replicas, then those of the next one, and so on. Zero leaves a replica as it is.
//   body  uuid topic_id, i32 first_partition, compact bytes { zigzag uvarint step from the id before }*, tags
struct ReplicaLogsRecord {
  static constexpr std::int16_t kRecordKey = 1001;
  static constexpr std::int16_t kMinVersion = 0;
  static constexpr std::int16_t kMaxVersion = 0;
  Uuid topic_id;
  std::int32_t first_partition = 0;
  std::vector<std::uint64_t> logs;
  friend bool operator==(const ReplicaLogsRecord&, const ReplicaLogsRecord&) = default;
};

// High marks that outlive what they counted; in snapshots only.
//   body  i64 next_log_id, tags
struct HighMarksRecord {
  static constexpr std::int16_t kRecordKey = 1002;
  static constexpr std::int16_t kMinVersion = 0;
  static constexpr std::int16_t kMaxVersion = 0;
  std::int64_t next_log_id = 1;
  friend bool operator==(const HighMarksRecord&, const HighMarksRecord&) = default;
};

using Record =
    std::variant<wire::NoOpRecord, wire::RegisterBrokerRecord, wire::UnregisterBrokerRecord,
                 wire::FenceBrokerRecord, wire::UnfenceBrokerRecord, wire::BrokerRegistrationChangeRecord,
                 wire::TopicRecord, wire::RemoveTopicRecord, wire::PartitionRecord,
                 wire::PartitionChangeRecord, wire::ConfigRecord, wire::FeatureLevelRecord,
                 wire::ProducerIdsRecord, wire::BeginTransactionRecord, wire::EndTransactionRecord,
                 wire::AbortTransactionRecord, wire::AccessControlEntryRecord,
                 wire::RemoveAccessControlEntryRecord, wire::UserScramCredentialRecord,
                 wire::RemoveUserScramCredentialRecord, wire::ClientQuotaRecord, wire::DelegationTokenRecord,
                 wire::RemoveDelegationTokenRecord, ClusterRecord, ReplicaLogsRecord, HighMarksRecord>;

// A record's frame.
Buffer encode_record(const Record& record);
Result<Record> decode_record(Bytes frame);

// Who wrote a batch.
struct BatchAuthor {
  BrokerId controller{-1};
  ControllerEpoch epoch;
  std::uint64_t nonce = 0;
  friend bool operator==(const BatchAuthor&, const BatchAuthor&) = default;
};

struct RecordBatch {
  BatchAuthor author;
  std::vector<Record> records;
};

// Gathers frames into a batch.
class BatchBuilder {
 public:
  // What a batch takes besides its frames, and a frame besides its bytes, at most.
  static constexpr std::size_t kBatchOverhead = 32;
  static constexpr std::size_t kFrameOverhead = 5;

  void add(Bytes frame);
  std::size_t count() const { return count_; }
  // The size of the batch, or a little more.
  std::size_t size() const { return frames_.size() + kBatchOverhead; }
  // The batch; the builder is empty again.
  Buffer finish(const BatchAuthor& author);

 private:
  Buffer frames_;
  std::size_t count_ = 0;
};

Buffer encode_batch(const RecordBatch& batch);
Result<RecordBatch> decode_batch(Bytes bytes);
// Only who wrote it, with the checksum verified.
Result<BatchAuthor> author_of(Bytes bytes);

}  // namespace tailwater::cluster
