// The group coordinators that live on this shard: one per partition of __consumer_offsets here. Each is
// loaded from its log, then asked; what it wants written is appended to the same log, and told back when it
// is durable.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/group/coordinator.hpp"
#include "node/calls.hpp"
#include "node/context.hpp"
#include "node/coordinator_keeper.hpp"
#include "node/partitions.hpp"

namespace tailwater::node {

group::Options group_options(const cluster::BrokerConfig& config);

struct GroupKind {
  using Machine = group::GroupCoordinator;
  using Effects = group::GroupEffects;
  using Ticket = group::Ticket;
  using AppendToken = group::AppendToken;
  static constexpr std::string_view kTopic = cluster::kOffsetsTopic;
  static bool is_empty(const Effects& effects) {
    return effects.replies.empty() && effects.appends.empty() && !effects.wake_at;
  }
};

class Groups : public CoordinatorKeeper<GroupKind> {
 public:
  using CoordinatorKeeper::CoordinatorKeeper;

  // Topics that the new image has no more take the offsets that were committed for them along.
  void topics_changed(const cluster::MetadataImage& before);

  void ask(ShardId from, std::uint64_t gather, std::uint32_t part, GroupCall& call);
  void ask(ShardId from, std::uint64_t gather, std::uint32_t part, OffsetFetchCall& call);
  void ask(ShardId from, std::uint64_t gather, std::uint32_t part, DescribeGroupCall& call);
  void ask(ShardId from, std::uint64_t gather, std::uint32_t part, DeleteGroupCall& call);
  void ask(ShardId from, std::uint64_t gather, std::uint32_t part, ListGroupsCall& call);

  // A marker in the log of offsets is durable.
  void transaction_ended(const Partitions::Ended& ended);
  std::vector<GroupMetrics> metrics() const;

 private:
  void add(std::int32_t number, CoordinatorLog&& log) override;
  void take_over(Coordinator& coordinator) override;
  void fulfil(Coordinator& coordinator, group::GroupEffects& wished) override;
  bool is_gone(std::string_view topic, const Uuid& id) const;
  group::Call call_of(Coordinator& coordinator, const Asking& asking, const GroupCaller& caller);
  void refuse(const Asking& asking, const GroupRequest& request, wire::ErrorCode error);
  // True if the offsets may be taken now; else the question waits, or is refused.
  bool admit(Coordinator& coordinator, const Asking& asking, GroupCall& asked,
             const wire::TxnOffsetCommitRequest& request);
};

}  // namespace tailwater::node
