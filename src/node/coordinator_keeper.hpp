// The coordinators of one kind (of groups, of transactions) that live on this shard: one per partition of
// their internal topic here. Each is loaded from its log, asked, woken, told what became of what it wrote,
// and ended with its partition. What differs between the kinds is their machines, what these wish, and how
// they are asked.
//   Kind  Machine, Effects, Ticket, AppendToken; kTopic; is_empty(effects)
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "base/check.hpp"
#include "node/calls.hpp"
#include "node/context.hpp"
#include "node/coordinator_log.hpp"
#include "node/partitions.hpp"

namespace tailwater::node {

template <class Kind>
class CoordinatorKeeper {
 public:
  CoordinatorKeeper(Context& context, Partitions& partitions) : context_(context), partitions_(partitions) {}
  virtual ~CoordinatorKeeper() = default;

  // Coordinators follow the partitions: new ones are loaded, those of a topic that is gone are ended.
  void follow() {
    const cluster::TopicHandle topic = context_.image->topic(Kind::kTopic);
    for (auto at = coordinators_.begin(); at != coordinators_.end();) {
      if (topic && at->second.log.key().topic_id == topic->id) {
        ++at;
        continue;
      }
      at->second.machine.unload(effects_);
      carry_out(at->second);
      at = coordinators_.erase(at);
    }
    if (!topic) return;
    for (std::size_t index = 0; index < topic->partitions.size(); ++index) {
      const auto number = static_cast<std::int32_t>(index);
      const PartitionKey key{topic->id, PartitionId{number}};
      const PartitionState* partition = partitions_.find(key);
      if (partition == nullptr || partition->log == nullptr || coordinators_.contains(number)) continue;
      add(number, CoordinatorLog(context_, partitions_, key));
    }
  }

  // The partition's durable end moved, or its directory failed.
  void advanced(const PartitionState& partition) {
    Coordinator* coordinator = find(partition.partition.value);
    if (coordinator == nullptr || coordinator->log.key().topic_id != partition.topic->topic->id) return;
    coordinator->log.advanced();
    carry_out(*coordinator);
  }
  void directories_failed() {
    for (auto& [number, coordinator] : coordinators_) {
      coordinator.log.directory_failed();
      carry_out(coordinator);
    }
  }
  // Blocks of a ticket have been read.
  void ready(log::ReadTicket ticket) {
    for (auto& [number, coordinator] : coordinators_) coordinator.log.ready(ticket);
  }

  void tick() {
    load_next();
    for (auto& [number, coordinator] : coordinators_) {
      coordinator.log.retry();
      if (coordinator.wake_at <= context_.now.monotonic) {
        coordinator.wake_at = Instant::max();
        coordinator.machine.tick(context_.now, effects_);
      }
      carry_out(coordinator);
    }
  }
  Instant next_deadline() const {
    Instant next = Instant::max();
    for (const auto& [number, coordinator] : coordinators_) {
      if (coordinator.log.can_load()) return context_.now.monotonic;
      next = std::min(next, coordinator.wake_at);
    }
    return next;
  }

 protected:
  using Effects = typename Kind::Effects;
  struct Asking {
    ShardId from;
    std::uint64_t gather = 0;
    std::uint32_t part = 0;
  };
  struct Coordinator {
    CoordinatorLog log;
    typename Kind::Machine machine;
    std::map<typename Kind::Ticket, Asking> askers;
    Instant wake_at = Instant::max();

    template <class... Arguments>
    explicit Coordinator(CoordinatorLog&& its_log, Arguments&&... arguments)
        : log(std::move(its_log)), machine(std::forward<Arguments>(arguments)...) {}
  };

  // Puts one into coordinators_.
  virtual void add(std::int32_t number, CoordinatorLog&& log) = 0;
  // Its log is read: it takes over.
  virtual void take_over(Coordinator& coordinator) = 0;
  virtual void fulfil(Coordinator& coordinator, Effects& wished) = 0;

  Coordinator* find(std::int32_t partition) {
    const auto at = coordinators_.find(partition);
    return at == coordinators_.end() ? nullptr : &at->second;
  }
  Coordinator* find(const PartitionKey& key) {
    Coordinator* coordinator = find(key.partition.value);
    return coordinator != nullptr && coordinator->log.key() == key ? coordinator : nullptr;
  }

  typename Kind::Ticket ticket_of(Coordinator& coordinator, const Asking& asking) {
    const typename Kind::Ticket ticket{next_ticket_++};
    coordinator.askers.emplace(ticket, asking);
    return ticket;
  }
  void answer(const Asking& asking, AnswerBody body) {
    context_.send(asking.from, AnswerMail{asking.gather, asking.part, std::move(body)});
  }
  void answer(Coordinator& coordinator, typename Kind::Ticket ticket, AnswerBody body) {
    const auto asker = coordinator.askers.find(ticket);
    CHECK(asker != coordinator.askers.end());
    answer(asker->second, std::move(body));
    coordinator.askers.erase(asker);
  }

  // All that the coordinator wishes now, and what comes of that.
  void carry_out(Coordinator& coordinator) {
    while (true) {
      // What became of writes may wish more.
      for (const CoordinatorLog::Outcome& outcome : coordinator.log.take_outcomes()) {
        const typename Kind::AppendToken token{outcome.token};
        coordinator.machine.persisted(token, outcome.error, context_.now, effects_);
      }
      if (Kind::is_empty(effects_)) return;
      Effects wished;
      std::swap(wished, effects_);
      if (wished.wake_at) coordinator.wake_at = *wished.wake_at;
      fulfil(coordinator, wished);
    }
  }

  Context& context_;
  Partitions& partitions_;
  std::map<std::int32_t, Coordinator> coordinators_;
  Effects effects_;

 private:
  // Reads of all that load are begun; what has come is taken in, one step a turn.
  void load_next() {
    bool stepped = false;
    for (auto& [number, coordinator] : coordinators_) {
      if (coordinator.log.can_load() && !stepped) stepped = load(coordinator);
    }
  }
  // One step; true if another one can follow at once.
  bool load(Coordinator& coordinator) {
    const auto step = coordinator.log.load([&](Bytes batch) -> Result<void> {
      const auto replayed = coordinator.machine.replay(batch, &codecs_);
      if (!replayed) return std::unexpected(replayed.error());
      return {};
    });
    if (step != CoordinatorLog::LoadStep::done) return step == CoordinatorLog::LoadStep::taken;
    take_over(coordinator);
    carry_out(coordinator);
    return false;
  }

  records::Codecs codecs_;
  std::uint64_t next_ticket_ = 1;
};

}  // namespace tailwater::node
