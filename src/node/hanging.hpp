// Transactions that hang: open in a partition, and no coordinator will ever end them (records that came in
// while verification was switched off, a topic of transactions that was deleted). They would hold back every
// reader of committed records for ever. Each shard looks at its partitions from time to time; of what was
// open the last time already it asks all coordinators, and what none of them knows it aborts itself.
// GUARANTEES: nothing is aborted while a coordinator that might know of it is loading or gone; a transaction
// that a coordinator runs, or is ending, is left alone.
#pragma once

#include <compare>
#include <cstdint>
#include <set>
#include <vector>

#include "node/calls.hpp"
#include "node/context.hpp"
#include "node/partitions.hpp"

namespace tailwater::node {

class HangingTransactions {
 public:
  HangingTransactions(Context& context, Partitions& partitions, Calls& calls)
      : context_(context), partitions_(partitions), calls_(calls) {}

  void tick();
  Instant next_deadline() const { return next_look_; }

  std::uint64_t aborted = 0;

 private:
  struct Open {
    txn::ProducerIdentity producer;
    PartitionKey key;
    Offset first;
    std::int32_t last_sequence = -1;
    friend auto operator<=>(const Open&, const Open&) = default;
  };
  void look();
  void ask(std::vector<Open> open);
  void end(const Open& open);

  Context& context_;
  Partitions& partitions_;
  Calls& calls_;
  std::vector<Open> seen_;  // the last time; in order
  Instant next_look_;
  bool asking_ = false;
};

}  // namespace tailwater::node
