#include "apps/cli/txn_queries.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "apps/cli/json_output.hpp"
#include "wire/api/init_producer_id.hpp"
#include "wire/api/list_transactions.hpp"
#include "wire/api/write_txn_markers.hpp"

namespace tailwater::apps::cli {

namespace {

constexpr std::int16_t kAnyVersion = INT16_MAX;

Result<std::int32_t> leader_of(AdminClient& client, const TopicPartition& partition) {
  const auto metadata =
      client.metadata({.kind = AdminClient::TopicChoice::Kind::named, .names = {partition.topic}});
  if (!metadata) return std::unexpected(metadata.error());
  const auto* topic = find_topic(*metadata, partition.topic);
  if (topic != nullptr) {
    for (const auto& each : topic->partitions) {
      if (each.partition_index == partition.partition) return each.leader_id;
    }
  }
  return fail(Errc::not_found, fmt::format("there is no partition {}", to_string(partition)));
}

}  // namespace

Result<std::vector<TransactionSummary>> list_transactions(AdminClient& client,
                                                          const TransactionFilter& filter) {
  const auto metadata = client.metadata({.kind = AdminClient::TopicChoice::Kind::none});
  if (!metadata) return std::unexpected(metadata.error());
  wire::ListTransactionsRequest request;
  request.state_filters = filter.states;
  request.producer_id_filters = filter.producers;
  if (filter.longer_than) request.duration_filter = filter.longer_than->count();
  std::vector<TransactionSummary> all;
  for (const auto& broker : metadata->brokers) {
    const auto answer = client.ask_broker(broker.node_id, request);
    if (!answer) return std::unexpected(answer.error());
    if (answer->error_code != wire::ErrorCode::none) {
      return fail(Errc::unavailable,
                  fmt::format("broker {}: {}", broker.node_id, error_text(answer->error_code)));
    }
    if (!answer->unknown_state_filters.empty()) {
      return fail(Errc::invalid_argument,
                  fmt::format("'{}' is no state of a transaction; there are Empty, Ongoing, PrepareCommit, "
                              "PrepareAbort, CompleteCommit, CompleteAbort",
                              answer->unknown_state_filters.front()));
    }
    for (const auto& each : answer->transaction_states) {
      all.push_back({each.transactional_id, each.transaction_state, each.producer_id, broker.node_id});
    }
  }
  std::ranges::sort(all, {}, &TransactionSummary::id);
  return all;
}

Result<TransactionState> describe_transaction(AdminClient& client, const std::string& id) {
  wire::DescribeTransactionsRequest request;
  request.transactional_ids = {id};
  const auto error_of = [](const wire::DescribeTransactionsResponse& answered) {
    return answered.transaction_states.empty() ? wire::ErrorCode::none
                                               : answered.transaction_states.front().error_code;
  };
  const auto answer = client.ask_coordinator(id, request, error_of, kAnyVersion, Coordinated::transaction);
  if (!answer) return std::unexpected(answer.error());
  if (answer->transaction_states.empty()) {
    return fail(Errc::malformed, fmt::format("transactional id {}: nothing was answered", id));
  }
  return answer->transaction_states.front();
}

Result<std::vector<ProducerState>> describe_producers(AdminClient& client, const TopicPartition& partition) {
  const auto leader = leader_of(client, partition);
  if (!leader) return std::unexpected(leader.error());
  wire::DescribeProducersRequest request;
  request.topics.push_back({.name = partition.topic, .partition_indexes = {partition.partition}});
  const auto answer = client.ask_broker(*leader, request);
  if (!answer) return std::unexpected(answer.error());
  if (answer->topics.empty() || answer->topics.front().partitions.empty()) {
    return fail(Errc::malformed, fmt::format("{}: nothing was answered", to_string(partition)));
  }
  const auto& found = answer->topics.front().partitions.front();
  if (found.error_code != wire::ErrorCode::none) {
    return fail(Errc::unavailable, fmt::format("{}: {}", to_string(partition),
                                               error_text(found.error_code, found.error_message)));
  }
  return found.active_producers;
}

Result<void> fence_producer(AdminClient& client, const std::string& id) {
  const auto known = describe_transaction(client, id);
  if (!known) return std::unexpected(known.error());
  if (known->error_code != wire::ErrorCode::none) {
    return fail(Errc::not_found, fmt::format("transactional id {}: {}", id, error_text(known->error_code)));
  }
  wire::InitProducerIdRequest request;
  request.transactional_id = id;
  request.transaction_timeout_ms = known->transaction_timeout_ms;
  const auto answer = client.ask_coordinator(
      id, request, [](const wire::InitProducerIdResponse& answered) { return answered.error_code; },
      kAnyVersion, Coordinated::transaction);
  if (!answer) return std::unexpected(answer.error());
  if (answer->error_code == wire::ErrorCode::none) return {};
  return fail(Errc::unavailable, fmt::format("transactional id {}: {}", id, error_text(answer->error_code)));
}

Result<void> write_abort_marker(AdminClient& client, const TopicPartition& partition,
                                const ProducerState& producer) {
  const auto leader = leader_of(client, partition);
  if (!leader) return std::unexpected(leader.error());
  wire::WriteTxnMarkersRequest request;
  auto& marker = request.markers.emplace_back();
  marker.producer_id = producer.producer_id;
  marker.producer_epoch = static_cast<std::int16_t>(producer.producer_epoch);
  marker.transaction_result = false;
  marker.coordinator_epoch = producer.coordinator_epoch;
  marker.topics.push_back({.name = partition.topic, .partition_indexes = {partition.partition}});
  // Later versions are for the epochs that only coordinators give.
  constexpr std::int16_t plain = 1;
  const auto answer = client.ask_broker(*leader, request, plain);
  if (!answer) return std::unexpected(answer.error());
  for (const auto& each : answer->markers) {
    for (const auto& topic : each.topics) {
      for (const auto& result : topic.partitions) {
        if (result.error_code == wire::ErrorCode::none) return {};
        return fail(Errc::unavailable,
                    fmt::format("{}: {}", to_string(partition), error_text(result.error_code)));
      }
    }
  }
  return fail(Errc::malformed, fmt::format("{}: nothing was answered", to_string(partition)));
}

}  // namespace tailwater::apps::cli
