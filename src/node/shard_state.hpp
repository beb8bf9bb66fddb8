// All parts of a shard, in the order in which they depend on each other. Private to node: everybody else sees
// Shard.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/session/fetch_session.hpp"
#include "core/session/memory_budget.hpp"
#include "core/session/receive_buffer.hpp"
#include "node/admin.hpp"
#include "node/calls.hpp"
#include "node/connections.hpp"
#include "node/context.hpp"
#include "node/fetch.hpp"
#include "node/groups.hpp"
#include "node/hanging.hpp"
#include "node/partitions.hpp"
#include "node/produce.hpp"
#include "node/queries.hpp"
#include "node/remote_fetches.hpp"
#include "node/transactions.hpp"

namespace tailwater::node {

class ShardState {
 public:
  ShardState(ShardOptions options, cluster::ImageHandle image);
  ~ShardState();

  void start(Now now);
  void deliver(ShardMail& mail);
  void turn(Now now, TurnEffects& effects);
  void stop();
  bool stopped() const;
  MetricsSnapshot metrics() const;

  // Publishes an image that this shard has not seen.
  void apply_image(cluster::ImageHandle image);

  Context context;
  session::MemoryBudget budget;
  session::ReceivePool receive_pool;
  Calls calls;
  Partitions partitions;
  std::vector<Partitions::ProduceAnswer> handed_out;  // of this turn
  Connections connections;
  Produces produces;
  Fetches fetches;
  RemoteFetches remote_fetches;
  Queries queries;
  Groups groups;
  Admin admin;
  Transactions transactions;
  HangingTransactions hanging;

  // Disk operations wished outside of turns.
  std::vector<DiskOp> disk;
  bool adopted = false;
  std::string failure;

 private:
  enum class Life { starting, serving, draining, flushing };

  void finish_recovery();
  void take_news();
  bool deliver_own_mail();
  void return_released();
  void stop_step();
  Instant next_deadline() const;

  // Lists of one round, kept for their memory.
  std::vector<Envelope> passing_;
  std::vector<log::ReadTicket> ready_;
  std::vector<Partitions::Ended> ended_;
  std::vector<PartitionState*> advanced_;
  Life life_ = Life::starting;
  bool stop_asked_ = false;
};

}  // namespace tailwater::node
