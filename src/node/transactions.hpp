// The transaction coordinators that live on this shard: one per partition of __transaction_state here. Each
// is loaded from its log, then asked; what it wants written is appended to the same log, and the markers that
// it wishes go by mail to the shards that lead their partitions.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/txn/coordinator.hpp"
#include "node/admin.hpp"
#include "node/calls.hpp"
#include "node/context.hpp"
#include "node/coordinator_keeper.hpp"
#include "node/partitions.hpp"

namespace tailwater::node {

// Where a transactional id's coordinator is.
struct TxnPlace {
  ShardId shard;
  std::int32_t partition = 0;
};
// While there is no topic of transactions: shard 0, which then refuses.
TxnPlace transaction_place(const Context& context, std::string_view transactional_id);

struct TransactionKind {
  using Machine = txn::TxnCoordinator;
  using Effects = txn::TxnEffects;
  using Ticket = txn::Ticket;
  using AppendToken = txn::AppendToken;
  static constexpr std::string_view kTopic = cluster::kTransactionTopic;
  static bool is_empty(const Effects& effects) { return effects.empty(); }
};

class Transactions : public CoordinatorKeeper<TransactionKind> {
 public:
  Transactions(Context& context, Partitions& partitions, Calls& calls, Admin& admin);

  void ask(ShardId from, std::uint64_t gather, std::uint32_t part, TxnCall& call);
  void ask(ShardId from, std::uint64_t gather, std::uint32_t part, DescribeTransactionCall& call);
  void ask(ShardId from, std::uint64_t gather, std::uint32_t part, ListTransactionsCall& call);
  void ask(ShardId from, std::uint64_t gather, std::uint32_t part, OpenTransactionsQuery& query);

 private:
  void add(std::int32_t number, CoordinatorLog&& log) override;
  void take_over(Coordinator& coordinator) override;
  void fulfil(Coordinator& coordinator, txn::TxnEffects& wished) override;
  bool has_all_coordinators() const;
  // Whether the log of that partition is here and keeps nothing without what is in the coordinator's now.
  bool goes_before(const Coordinator& coordinator, const txn::TopicPartition& place) const;
  void send(Coordinator& coordinator, const txn::Marker& marker);
  void want_producer_id(Coordinator& coordinator);

  Calls& calls_;
  Admin& admin_;
};

}  // namespace tailwater::node
