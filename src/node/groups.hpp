// The group coordinators that live on this shard: one per partition of __consumer_offsets here. Each is
// loaded from its log, then asked; what it wants written is appended to the same log, and told back when it
// is durable.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "core/group/coordinator.hpp"
#include "node/calls.hpp"
#include "node/context.hpp"
#include "node/coordinator_log.hpp"
#include "node/partitions.hpp"

namespace tailwater::node {

group::Options group_options(const cluster::BrokerConfig& config);

class Groups {
 public:
  Groups(Context& context, Partitions& partitions);

  // Coordinators follow the partitions: new ones are loaded, those of a topic that is gone are ended.
  void follow();
  // Topics that the new image has no more take the offsets that were committed for them along.
  void topics_changed(const cluster::MetadataImage& before);

  void ask(ShardId from, std::uint64_t gather, std::uint32_t part, GroupCall& call);
  void ask(ShardId from, std::uint64_t gather, std::uint32_t part, OffsetFetchCall& call);
  void ask(ShardId from, std::uint64_t gather, std::uint32_t part, DescribeGroupCall& call);
  void ask(ShardId from, std::uint64_t gather, std::uint32_t part, DeleteGroupCall& call);
  void ask(ShardId from, std::uint64_t gather, std::uint32_t part, ListGroupsCall& call);

  // A marker in the log of offsets is durable.
  void transaction_ended(const Partitions::Ended& ended);
  // The partition's durable end moved, or its directory failed.
  void advanced(const PartitionState& partition);
  void directories_failed();
  // Blocks of a ticket have been read.
  void ready(log::ReadTicket ticket);

  void tick();
  Instant next_deadline() const;
  std::vector<GroupMetrics> metrics() const;

 private:
  struct Asking {
    ShardId from;
    std::uint64_t gather = 0;
    std::uint32_t part = 0;
  };
  struct Coordinator {
    CoordinatorLog log;
    group::GroupCoordinator machine;
    std::map<group::Ticket, Asking> askers;
    Instant wake_at = Instant::max();

    Coordinator(CoordinatorLog&& log, const group::Options& options, Prng random)
        : log(std::move(log)), machine(options, random) {}
  };

  Coordinator* find(std::int32_t partition);
  bool load(Coordinator& coordinator);
  void load_next();
  group::Call call_of(Coordinator& coordinator, const Asking& asking, const GroupCaller& caller);
  void answer(const Asking& asking, AnswerBody body);
  void refuse(const Asking& asking, const GroupRequest& request, wire::ErrorCode error);
  // True if the offsets may be taken now; else the question waits, or is refused.
  bool admit(Coordinator& coordinator, const Asking& asking, GroupCall& asked,
             const wire::TxnOffsetCommitRequest& request);
  // Carries out what the coordinator wishes.
  void carry_out(Coordinator& coordinator);

  Context& context_;
  Partitions& partitions_;
  std::map<std::int32_t, Coordinator> coordinators_;
  records::Codecs codecs_;
  group::GroupEffects effects_;
  std::uint64_t next_ticket_ = 1;
};

}  // namespace tailwater::node
