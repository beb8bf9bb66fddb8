#include "core/txn/records.hpp"

#include <utility>

#include "wire/data/transaction_log_key.hpp"
#include "wire/data/transaction_log_value.hpp"
#include "wire/versioned.hpp"

namespace tailwater::txn {
namespace {

wire::TransactionLogValue message_of(const Metadata& metadata) {
  wire::TransactionLogValue message;
  message.producer_id = metadata.producer.id.value;
  message.previous_producer_id = metadata.previous_id.value;
  message.next_producer_id = metadata.next_id.value;
  message.producer_epoch = metadata.producer.epoch.value;
  message.transaction_timeout_ms = metadata.timeout_ms;
  message.transaction_status = static_cast<std::int8_t>(metadata.state);
  message.transaction_last_update_timestamp_ms = metadata.last_update_ms;
  message.transaction_start_timestamp_ms = metadata.start_ms;
  message.client_transaction_version = static_cast<std::int16_t>(metadata.version);
  if (metadata.state == State::empty) return message;
  auto& topics = message.transaction_partitions.emplace();
  for (const TopicPartition& each : metadata.partitions) {
    if (topics.empty() || topics.back().topic != each.topic) topics.emplace_back().topic = each.topic;
    topics.back().partition_ids.push_back(each.partition);
  }
  return message;
}

Result<Metadata> metadata_of(const wire::TransactionLogValue& message) {
  if (message.transaction_status < 0 ||
      message.transaction_status > static_cast<std::int8_t>(State::complete_abort)) {
    return fail(Errc::malformed, "a transaction is in an unknown state");
  }
  Metadata metadata;
  metadata.producer = {ProducerId{message.producer_id}, ProducerEpoch{message.producer_epoch}};
  metadata.previous_id = ProducerId{message.previous_producer_id};
  metadata.next_id = ProducerId{message.next_producer_id};
  metadata.timeout_ms = message.transaction_timeout_ms;
  metadata.state = static_cast<State>(message.transaction_status);
  metadata.last_update_ms = message.transaction_last_update_timestamp_ms;
  metadata.start_ms = message.transaction_start_timestamp_ms;
  if (message.client_transaction_version >= static_cast<std::int16_t>(ClientVersion::bumping)) {
    metadata.version = ClientVersion::bumping;
  } else if (message.client_transaction_version == static_cast<std::int16_t>(ClientVersion::flexible)) {
    metadata.version = ClientVersion::flexible;
  }
  if (!message.transaction_partitions) return metadata;
  for (const auto& topic : *message.transaction_partitions) {
    for (const std::int32_t partition : topic.partition_ids) {
      metadata.partitions.insert({topic.topic, partition});
    }
  }
  return metadata;
}

}  // namespace

KeyValue encode(const std::string& transactional_id, const Metadata* value) {
  KeyValue record;
  record.key = wire::encode_record_key(wire::TransactionLogKey{.transactional_id = transactional_id});
  if (value != nullptr) {
    record.value = wire::encode_versioned(wire::TransactionLogValue::kMaxVersion, message_of(*value));
  }
  return record;
}

Result<std::optional<Change>> decode(Bytes key, std::optional<Bytes> value) {
  const auto type = wire::record_key_type(key);
  if (!type) return std::unexpected(type.error());
  if (*type != wire::TransactionLogKey::kRecordKey) return std::optional<Change>();
  auto named = wire::decode_record_key<wire::TransactionLogKey>(key);
  if (!named) return std::unexpected(named.error());
  Change change{.transactional_id = std::move(named->transactional_id), .value = {}};
  if (!value) return change;
  const auto message = wire::decode_versioned<wire::TransactionLogValue>(*value);
  if (!message) return std::unexpected(message.error());
  auto metadata = metadata_of(*message);
  if (!metadata) return std::unexpected(metadata.error());
  change.value = std::move(*metadata);
  return change;
}

}  // namespace tailwater::txn
