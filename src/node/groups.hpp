// The group coordinators that live on this shard: one per partition of __consumer_offsets here. Each is
// loaded from its log, then asked; what it wants written is appended to the same log, and told back when it
// is durable.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "core/group/coordinator.hpp"
#include "node/calls.hpp"
#include "node/context.hpp"
#include "node/partitions.hpp"

namespace tailwater::node {

group::Options group_options(const cluster::BrokerConfig& config);

class Groups {
 public:
  Groups(Context& context, Partitions& partitions);

  // Coordinators follow the partitions: new ones are loaded, those of a topic that is gone are ended.
  void follow();

  void ask(ShardId from, std::uint64_t gather, std::uint32_t part, GroupCall& call);
  void ask(ShardId from, std::uint64_t gather, std::uint32_t part, OffsetFetchCall& call);
  void ask(ShardId from, std::uint64_t gather, std::uint32_t part, DescribeGroupCall& call);
  void ask(ShardId from, std::uint64_t gather, std::uint32_t part, DeleteGroupCall& call);
  void ask(ShardId from, std::uint64_t gather, std::uint32_t part, ListGroupsCall& call);

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
  struct Writing {
    Offset last;
    group::AppendToken token;
  };
  struct Coordinator {
    PartitionKey key;
    group::GroupCoordinator machine;
    bool loading = true;
    bool load_failed = false;
    Offset load_from{0};
    std::optional<log::ReadTicket> load_ticket;  // blocks are being read
    std::deque<Writing> writing;                 // in log order
    std::deque<group::Append> deferred;          // while the journal has no room
    std::map<group::Ticket, Asking> askers;
    Instant wake_at = Instant::max();

    bool waits_for_loading() const { return loading && !load_failed && !load_ticket; }

    Coordinator(PartitionKey key, const group::Options& options, Prng random)
        : key(key), machine(options, random) {}
  };

  Coordinator* find(std::int32_t partition);
  bool load(Coordinator& coordinator);
  void load_next();
  void replay(Coordinator& coordinator);
  group::Call call_of(Coordinator& coordinator, const Asking& asking, const GroupCaller& caller);
  void answer(const Asking& asking, AnswerBody body);
  void refuse(const Asking& asking, const GroupRequest& request);
  // Carries out what the coordinator wishes.
  void carry_out(Coordinator& coordinator);
  void write(Coordinator& coordinator, const group::Append& append);
  void write_deferred(Coordinator& coordinator);
  void write_now(Coordinator& coordinator, PartitionState& partition, const group::Append& append);
  void fail_writes(Coordinator& coordinator, wire::ErrorCode error);

  Context& context_;
  Partitions& partitions_;
  std::map<std::int32_t, Coordinator> coordinators_;
  records::Codecs codecs_;
  Buffer load_buffer_;
  group::GroupEffects effects_;
  std::uint64_t next_ticket_ = 1;
};

}  // namespace tailwater::node
