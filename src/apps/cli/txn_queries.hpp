// Questions about transactions, asked of their coordinators and of the partitions that they have touched.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apps/cli/admin_client.hpp"
#include "apps/cli/queries.hpp"
#include "base/result.hpp"
#include "wire/api/describe_producers.hpp"
#include "wire/api/describe_transactions.hpp"

namespace tailwater::apps::cli {

struct TransactionSummary {
  std::string id;
  std::string state;  // Kafka's words: Ongoing, CompleteCommit, ...
  std::int64_t producer = -1;
  std::int32_t coordinator = -1;
};

struct TransactionFilter {
  std::vector<std::string> states;
  std::vector<std::int64_t> producers;
  std::optional<std::chrono::milliseconds> longer_than;
};

// Of every broker, by id.
Result<std::vector<TransactionSummary>> list_transactions(AdminClient& client,
                                                          const TransactionFilter& filter);

using TransactionState = wire::DescribeTransactionsResponse::TransactionState;
Result<TransactionState> describe_transaction(AdminClient& client, const std::string& id);

using ProducerState = wire::DescribeProducersResponse::ProducerState;
Result<std::vector<ProducerState>> describe_producers(AdminClient& client, const TopicPartition& partition);

// Fences whoever writes under the id, which aborts its transaction.
Result<void> fence_producer(AdminClient& client, const std::string& id);
// Ends one producer's transaction in one partition, whatever its coordinator thinks.
Result<void> write_abort_marker(AdminClient& client, const TopicPartition& partition,
                                const ProducerState& producer);

}  // namespace tailwater::apps::cli
