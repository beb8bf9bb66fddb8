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
#include <vector>

#include "base/check.hpp"
#include "base/places.hpp"
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
        at->second.machine.limit_batches(at->second.log.batch_bytes_max());
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
      Coordinator& added = coordinators_.at(number);
      added.machine.limit_batches(added.log.batch_bytes_max());
      is_restless_ = true;
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
    if (!is_restless_) return;
    for (auto& [number, coordinator] : coordinators_) coordinator.log.ready(ticket);
  }

  // Most turns have nothing to do with any coordinator: none of them is looked at then.
  void tick() {
    if (!is_restless_ && next_wake_ > context_.now.monotonic) return;
    load_next();
    is_restless_ = false;
    next_wake_ = Instant::max();
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
    const auto can_load = [](const auto& each) { return each.second.log.can_load(); };
    if (is_restless_ && std::ranges::any_of(coordinators_, can_load)) return context_.now.monotonic;
    return next_wake_;
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
    Places<Asking> askers;  // by ticket
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
    const typename Kind::Ticket ticket{coordinator.askers.take()};
    *coordinator.askers.find(ticket.value) = asking;
    return ticket;
  }
  void answer(const Asking& asking, AnswerBody body) {
    context_.send(asking.from, AnswerMail{asking.gather, asking.part, std::move(body)});
  }
  void answer(Coordinator& coordinator, typename Kind::Ticket ticket, AnswerBody body) {
    const Asking* asker = coordinator.askers.find(ticket.value);
    CHECK(asker != nullptr);
    answer(*asker, std::move(body));
    coordinator.askers.give(ticket.value);
  }

  // All that the coordinator wishes now, and what comes of that.
  void carry_out(Coordinator& coordinator) {
    while (true) {
      // What became of writes may wish more.
      coordinator.log.take_outcomes(outcomes_);
      for (const CoordinatorLog::Outcome& outcome : outcomes_) {
        const typename Kind::AppendToken token{outcome.token};
        coordinator.machine.persisted(token, outcome.error, context_.now, effects_);
      }
      if (Kind::is_empty(effects_)) break;
      Effects wished = take_spare();
      std::swap(wished, effects_);
      if (wished.wake_at) coordinator.wake_at = *wished.wake_at;
      fulfil(coordinator, wished);
      wished.clear();
      spare_effects_.push_back(std::move(wished));
    }
    is_restless_ = is_restless_ || coordinator.log.is_restless();
    next_wake_ = std::min(next_wake_, coordinator.wake_at);
  }

  Context& context_;
  Partitions& partitions_;
  std::map<std::int32_t, Coordinator> coordinators_;
  Effects effects_;

 private:
  Effects take_spare() {
    if (spare_effects_.empty()) return {};
    Effects spare = std::move(spare_effects_.back());
    spare_effects_.pop_back();
    return spare;
  }

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
  bool is_restless_ = false;            // a log loads, or has writes that wait
  Instant next_wake_ = Instant::max();  // the earliest of the coordinators, or before
  std::vector<Effects> spare_effects_;  // kept for their memory, as all that follows
  std::vector<CoordinatorLog::Outcome> outcomes_;
};

}  // namespace tailwater::node
