// The transaction coordinators that live on this shard: one per partition of __transaction_state here. Each
// is loaded from its log, then asked; what it wants written is appended to the same log, and the markers that
// it wishes go by mail to the shards that lead their partitions.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "core/txn/coordinator.hpp"
#include "node/admin.hpp"
#include "node/calls.hpp"
#include "node/context.hpp"
#include "node/coordinator_log.hpp"
#include "node/partitions.hpp"

namespace tailwater::node {

// Where a transactional id's coordinator is.
struct TxnPlace {
  ShardId shard;
  std::int32_t partition = 0;
};
// While there is no topic of transactions: shard 0, which then refuses.
TxnPlace transaction_place(const Context& context, std::string_view transactional_id);

class Transactions {
 public:
  Transactions(Context& context, Partitions& partitions, Calls& calls, Admin& admin);

  // Coordinators follow the partitions: new ones are loaded, those of a topic that is gone are ended.
  void follow();

  void ask(ShardId from, std::uint64_t gather, std::uint32_t part, TxnCall& call);
  void ask(ShardId from, std::uint64_t gather, std::uint32_t part, DescribeTransactionCall& call);
  void ask(ShardId from, std::uint64_t gather, std::uint32_t part, ListTransactionsCall& call);
  void ask(ShardId from, std::uint64_t gather, std::uint32_t part, OpenTransactionsQuery& query);

  // The partition's durable end moved, or its directory failed.
  void advanced(const PartitionState& partition);
  void directories_failed();
  // Blocks of a ticket have been read.
  void ready(log::ReadTicket ticket);

  void tick();
  Instant next_deadline() const;

 private:
  struct Asking {
    ShardId from;
    std::uint64_t gather = 0;
    std::uint32_t part = 0;
  };
  struct Coordinator {
    CoordinatorLog log;
    txn::TxnCoordinator machine;
    std::map<txn::Ticket, Asking> askers;
    Instant wake_at = Instant::max();

    Coordinator(CoordinatorLog&& log, const txn::Options& options) : log(std::move(log)), machine(options) {}
  };

  Coordinator* find(std::int32_t partition);
  bool load(Coordinator& coordinator);
  void load_next();
  bool has_all_coordinators() const;
  void answer(const Asking& asking, AnswerBody body);
  void carry_out(Coordinator& coordinator);
  // Whether the log of that partition is here and keeps nothing without what is in the coordinator's now.
  bool goes_before(const Coordinator& coordinator, const txn::TopicPartition& place) const;
  void send(Coordinator& coordinator, const txn::Marker& marker);
  void want_producer_id(Coordinator& coordinator);

  Context& context_;
  Partitions& partitions_;
  Calls& calls_;
  Admin& admin_;
  std::map<std::int32_t, Coordinator> coordinators_;
  records::Codecs codecs_;
  txn::TxnEffects effects_;
  std::uint64_t next_ticket_ = 1;
};

}  // namespace tailwater::node
