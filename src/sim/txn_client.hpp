// A transactional producer in a test's hands: it keeps producer id, epoch and sequences as clients do, and
// says what it was answered. Plain ones add partitions themselves and keep their epoch; bumping ones
// (transaction.version 2) leave the adding to the broker and take a new epoch after every end. Included by
// tests only.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "records/record.hpp"
#include "sim/test_world.hpp"
#include "wire/api/add_offsets_to_txn.hpp"
#include "wire/api/add_partitions_to_txn.hpp"
#include "wire/api/describe_producers.hpp"
#include "wire/api/describe_transactions.hpp"
#include "wire/api/end_txn.hpp"
#include "wire/api/init_producer_id.hpp"
#include "wire/api/list_offsets.hpp"
#include "wire/api/list_transactions.hpp"
#include "wire/api/offset_fetch.hpp"
#include "wire/api/txn_offset_commit.hpp"
#include "wire/api/write_txn_markers.hpp"

namespace tailwater::sim {

inline constexpr std::int8_t kUncommitted = 0;
inline constexpr std::int8_t kCommitted = 1;

// Makes the topic of transactions, so that they have coordinators.
inline void make_transaction_coordinators(Line& line) {
  wire::FindCoordinatorRequest request;
  request.key = "any";
  request.key_type = 1;
  EXPECT_EQ(line.ask(3, request).error_code, wire::ErrorCode::none);
}

// The offset that follows what a reader of this isolation sees.
inline std::int64_t latest(Line& line, std::string_view topic, std::int32_t partition,
                           std::int8_t isolation) {
  wire::ListOffsetsRequest request;
  request.replica_id = -1;
  request.isolation_level = isolation;
  auto& asked = request.topics.emplace_back();
  asked.name = topic;
  asked.partitions.push_back({.partition_index = partition, .timestamp = -1});
  return line.ask(8, request).topics.at(0).partitions.at(0).offset;
}

class TxnClient {
 public:
  enum class Kind : std::uint8_t { plain, bumping };
  struct Identity {
    std::int64_t id = -1;
    std::int16_t epoch = -1;
  };
  using ErrorCode = wire::ErrorCode;

  TxnClient(Line& line, std::string id, Kind kind)
      : produce_version(kind == Kind::plain ? 9 : 12), line_(&line), id_(std::move(id)), kind_(kind) {}

  void use(Line& line) { line_ = &line; }

  ErrorCode init() {
    wire::InitProducerIdRequest request;
    request.transactional_id = id_;
    request.transaction_timeout_ms = timeout_ms;
    const auto response = line_->ask(4, request);
    if (response.error_code != ErrorCode::none) return response.error_code;
    identity = {response.producer_id, response.producer_epoch};
    sequences_.clear();
    return ErrorCode::none;
  }

  // Nothing to do for one that bumps.
  ErrorCode add(const std::string& topic, const std::vector<std::int32_t>& partitions) {
    if (kind_ == Kind::bumping) return ErrorCode::none;
    wire::AddPartitionsToTxnRequest request;
    request.v3_and_below_transactional_id = id_;
    request.v3_and_below_producer_id = identity.id;
    request.v3_and_below_producer_epoch = identity.epoch;
    request.v3_and_below_topics.push_back({topic, partitions});
    const auto response = line_->ask(3, request);
    return response.results_by_topic_v3_and_below.at(0).results_by_partition.at(0).partition_error_code;
  }

  ErrorCode produce(const std::string& topic, std::int32_t partition, std::int32_t count) {
    const ErrorCode error = take(post(topic, partition, count));
    if (error != ErrorCode::none) skip(topic, partition, -count);
    return error;
  }
  void skip(const std::string& topic, std::int32_t partition, std::int32_t count) {
    sequences_[{topic, partition}] += count;
  }
  std::int32_t post(const std::string& topic, std::int32_t partition, std::int32_t count) {
    std::int32_t& sequence = sequences_[{topic, partition}];
    const Buffer batch = batch_of(count, 1'000,
                                  {.producer_id = ProducerId{identity.id},
                                   .producer_epoch = ProducerEpoch{identity.epoch},
                                   .base_sequence = sequence,
                                   .transactional = true});
    auto request = production(topic, partition, batch);
    if (names_itself) request.transactional_id = id_;
    sequence += count;
    return line_->post(produce_version, request);
  }
  ErrorCode take(std::int32_t correlation) {
    const auto response = line_->take<wire::ProduceRequest>(produce_version, correlation);
    return response.responses.at(0).partition_responses.at(0).error_code;
  }

  // To these partitions with one request.
  std::int32_t post_to_all(const std::string& topic, const std::vector<std::int32_t>& partitions,
                           std::int32_t count) {
    std::vector<Buffer> batches;
    batches.reserve(partitions.size());
    wire::ProduceRequest request = production(topic, 0, {});
    request.topic_data.at(0).partition_data.clear();
    if (names_itself) request.transactional_id = id_;
    for (const std::int32_t partition : partitions) {
      std::int32_t& sequence = sequences_[{topic, partition}];
      batches.push_back(batch_of(count, 1'000,
                                 {.producer_id = ProducerId{identity.id},
                                  .producer_epoch = ProducerEpoch{identity.epoch},
                                  .base_sequence = sequence,
                                  .transactional = true}));
      sequence += count;
      request.topic_data.at(0).partition_data.push_back({.index = partition, .records = batches.back()});
    }
    return line_->post(produce_version, request);
  }
  // How many of them were told what.
  std::map<ErrorCode, std::size_t> take_all(std::int32_t correlation) {
    std::map<ErrorCode, std::size_t> told;
    const auto response = line_->take<wire::ProduceRequest>(produce_version, correlation);
    for (const auto& part : response.responses.at(0).partition_responses) ++told[part.error_code];
    return told;
  }

  ErrorCode end(bool commits) { return take_end(post_end(commits)); }
  std::int32_t post_end(bool commits) {
    wire::EndTxnRequest request;
    request.transactional_id = id_;
    request.producer_id = identity.id;
    request.producer_epoch = identity.epoch;
    request.committed = commits;
    return line_->post(end_version(), request);
  }
  ErrorCode take_end(std::int32_t correlation) {
    const auto response = line_->take<wire::EndTxnRequest>(end_version(), correlation);
    if (response.error_code == ErrorCode::none && kind_ == Kind::bumping) {
      identity = {response.producer_id, response.producer_epoch};
      sequences_.clear();
    }
    return response.error_code;
  }

  // One that bumps, as it will be when its transaction has ended.
  TxnClient in_next_transaction() const {
    TxnClient next = *this;
    ++next.identity.epoch;
    next.sequences_.clear();
    return next;
  }

  ErrorCode commit_offset(const std::string& group, const std::string& topic, std::int32_t partition,
                          std::int64_t offset) {
    if (kind_ == Kind::bumping) return ask_to_commit(group, topic, partition, offset, 5);
    wire::AddOffsetsToTxnRequest request;
    request.transactional_id = id_;
    request.producer_id = identity.id;
    request.producer_epoch = identity.epoch;
    request.group_id = group;
    const ErrorCode error = line_->ask(3, request).error_code;
    return error == ErrorCode::none ? ask_to_commit(group, topic, partition, offset, 3) : error;
  }

  ErrorCode ask_to_commit(const std::string& group, const std::string& topic, std::int32_t partition,
                          std::int64_t offset, std::int16_t version) {
    wire::TxnOffsetCommitRequest request;
    request.transactional_id = id_;
    request.group_id = group;
    request.producer_id = identity.id;
    request.producer_epoch = identity.epoch;
    auto& asked = request.topics.emplace_back();
    asked.name = topic;
    asked.partitions.push_back({.partition_index = partition, .committed_offset = offset});
    return line_->ask(version, request).topics.at(0).partitions.at(0).error_code;
  }

  Identity identity;
  std::int16_t produce_version;
  std::int32_t timeout_ms = 60'000;
  bool names_itself = true;  // its requests carry the transactional id

 private:
  std::int16_t end_version() const { return kind_ == Kind::bumping ? 5 : 3; }

  Line* line_;
  std::string id_;
  Kind kind_;
  std::map<std::pair<std::string, std::int32_t>, std::int32_t> sequences_;
};

// What a consumer makes of a partition: the values that it shows.
struct Read {
  std::vector<std::string> values;
  std::vector<wire::FetchResponse::AbortedTransaction> aborted;
};

inline Read read(Line& line, const std::string& topic, std::int32_t partition, std::int64_t from,
                 std::int8_t isolation) {
  auto request = fetching(topic, partition, from);
  request.isolation_level = isolation;
  const auto response = line.ask(12, request);
  const auto& data = response.responses.at(0).partitions.at(0);
  EXPECT_EQ(data.error_code, wire::ErrorCode::none);
  Read result;
  if (data.aborted_transactions) result.aborted = *data.aborted_transactions;
  // As clients do: from its first offset on, until its abort marker, a producer's records are dropped.
  std::vector<std::int64_t> dropped;
  std::vector<wire::FetchResponse::AbortedTransaction> ahead = result.aborted;
  records::BatchCursor cursor(data.records.value_or(Bytes{}));
  while (const auto batch = cursor.next()) {
    std::erase_if(ahead, [&](const auto& each) {
      if (each.first_offset > batch->last_offset().value) return false;
      dropped.push_back(each.producer_id);
      return true;
    });
    if (batch->is_control()) {
      std::erase(dropped, batch->producer_id().value);
      continue;
    }
    const bool is_dropped =
        batch->is_transactional() && std::ranges::find(dropped, batch->producer_id().value) != dropped.end();
    if (is_dropped) continue;
    records::RecordCursor records(batch->records(), batch->records_count());
    while (const auto record = records.next()) {
      if (batch->base_offset().value + record->offset_delta < from) continue;
      result.values.emplace_back(as_text(record->value.value_or(Bytes{})));
    }
  }
  return result;
}

inline wire::OffsetFetchResponse::OffsetFetchResponsePartitions fetch_offset(
    Line& line, const std::string& group, const std::string& topic, std::int32_t partition, bool stable) {
  wire::OffsetFetchRequest request;
  request.require_stable = stable;
  auto& asked = request.groups.emplace_back();
  asked.group_id = group;
  asked.topics.emplace().push_back({.name = topic, .topic_id = {}, .partition_indexes = {partition}});
  const auto answered = line.ask(9, request).groups.at(0);
  if (answered.error_code == wire::ErrorCode::none) return answered.topics.at(0).partitions.at(0);
  wire::OffsetFetchResponse::OffsetFetchResponsePartitions refused;
  refused.error_code = answered.error_code;
  return refused;
}

}  // namespace tailwater::sim
