// Expiry of offsets and of groups that hold nothing any more, in slices: a sweep looks at a bounded number of
// offsets per tick and goes on in the next one. Offsets of topics that were deleted go at once.
#include <algorithm>
#include <utility>

#include "core/group/coordinator.hpp"

namespace tailwater::group {
namespace {

constexpr std::size_t kSweepBudget = 5'000;        // offsets and groups looked at per tick
constexpr std::size_t kSweepBytesPerUnit = 1'024;  // of what is written meanwhile
constexpr std::size_t kExpiredPerBatch = 5'000;

enum class Rule : std::uint8_t {
  keep,                  // members of the group may still want every offset
  since_empty,           // the retention time counts from when the last member left
  since_commit,          // it counts from the commit: nobody can tell who still uses the offset
  since_commit_if_left,  // as before, but only for topics that the group does not read any more
};

Rule rule_for(const Group& group) {
  if (!group.protocol_type()) return Rule::since_commit;
  if (group.is(State::empty)) return group.state_since() ? Rule::since_empty : Rule::since_commit;
  const bool tells_topics = group.uses_consumer_protocol() && group.knows_subscription();
  return group.is(State::stable) && tells_topics ? Rule::since_commit_if_left : Rule::keep;
}

bool has_expired(const CommittedOffset& committed, Rule rule, const Group& group, WallTime now,
                 Duration retention) {
  if (committed.expire_time_ms >= 0) return now.ms >= committed.expire_time_ms;
  const bool counts_from_empty = rule == Rule::since_empty && group.state_since();
  const std::int64_t since = counts_from_empty ? group.state_since()->ms : committed.commit_time_ms;
  return since <= now.ms - retention.to_ms();
}

}  // namespace

void GroupCoordinator::sweep(Turn& turn) {
  std::size_t left = kSweepBudget;
  auto at = sweep_at_ ? groups_.upper_bound(*sweep_at_) : groups_.begin();
  while (at != groups_.end() && left > 0) {
    Group& group = at->second;
    ++at;
    sweep_at_ = group.id();
    expire_offsets(turn, group, left);
    settle(group);
  }
  if (at != groups_.end()) {
    next_sweep_ = turn.now.monotonic;
    return;
  }
  sweep_at_.reset();
  next_sweep_ = turn.now.monotonic + options_.expiry_interval;
}

void GroupCoordinator::expire_offsets(Turn& turn, Group& group, std::size_t& left) {
  --left;
  if (group.deletion_in_flight) return;
  const Rule rule = rule_for(group);
  ExpiryAppend expiry;
  bool keeps_some = false;
  begin_batch();
  for (const auto& [topic, partitions] : group.offsets.topics()) {
    left -= std::min(left, partitions.size());
    const bool is_kept =
        rule == Rule::keep || (rule == Rule::since_commit_if_left && group.is_subscribed_to(topic));
    for (const auto& [partition, entry] : partitions) {
      const bool expires =
          !is_kept && entry.committed && entry.writes_in_flight == 0 && entry.held.empty() &&
          expiry.writes.changes.size() < kExpiredPerBatch &&
          has_expired(*entry.committed, rule, group, turn.now.wall, options_.offsets_retention);
      OffsetWrite tombstone{.topic = {}, .partition = partition, .value = {}};
      if (expires) tombstone.topic = topic;
      if (expires && add_to_batch(turn, group, tombstone)) {
        expiry.writes.changes.push_back(std::move(tombstone));
      } else {
        keeps_some = true;  // for good, or until the next sweep
      }
    }
  }
  const bool is_unused = group.is(State::empty) && group.pending().empty() && group.appends_in_flight == 0;
  expiry.deletes_group =
      is_unused && !keeps_some && group.has_record && add_to_batch(turn, {group.id(), std::nullopt});
  left -= std::min(left, builder_.size() / kSweepBytesPerUnit);
  remove_offsets(turn, group, std::move(expiry));
}

void GroupCoordinator::remove_offsets(Turn& turn, Group& group, ExpiryAppend removal) {
  if (builder_.empty()) return;
  group.deletion_in_flight = removal.deletes_group;
  begin_writes(group, removal.writes);
  append(turn, group, finish_batch(), std::move(removal));
}

void GroupCoordinator::forget_topics(const IsGone& is_gone, Now now, GroupEffects& out) {
  if (availability() != ErrorCode::none) return;
  Turn turn{now, out};
  const std::map<Place, bool> in_flight = gone_in_flight(is_gone);
  for (auto at = groups_.begin(); at != groups_.end();) {
    Group& group = at->second;
    ++at;
    if (!group.deletion_in_flight) forget_topics(turn, group, is_gone, in_flight);
  }
  finish(turn);
}

std::map<GroupCoordinator::Place, bool> GroupCoordinator::gone_in_flight(const IsGone& is_gone) const {
  std::map<Place, bool> places;
  const auto note = [&](const std::string& group, const OffsetWrites& writes) {
    for (const OffsetWrite& write : writes.changes) {
      if (!write.value) continue;
      bool& all = places.try_emplace({group, write.topic, write.partition}, true).first->second;
      all = all && is_gone(write.topic, write.value->topic_id);
    }
  };
  for (const auto& [token, pending] : appends_) {
    if (const auto* commit = std::get_if<CommitAppend>(&pending.purpose)) {
      note(pending.group_id, commit->writes);
    } else if (const auto* in_transaction = std::get_if<TxnCommitAppend>(&pending.purpose)) {
      note(pending.group_id, in_transaction->writes);
    }
  }
  return places;
}

// A tombstone takes all that a partition has, so it is for those of which nothing is of a topic that is there.
// In-flight writes are borrowed by `in_flight`: no append of a commit ends meanwhile.
void GroupCoordinator::forget_topics(Turn& turn, Group& group, const IsGone& is_gone,
                                     const std::map<Place, bool>& in_flight) {
  ExpiryAppend removal;
  begin_batch();
  for (const auto& [topic, partitions] : group.offsets.topics()) {
    std::optional<std::pair<Uuid, bool>> last;  // most partitions have the same id
    const auto gone = [&, &name = topic](const CommittedOffset& offset) {
      if (!last || last->first != offset.topic_id)
        last.emplace(offset.topic_id, is_gone(name, offset.topic_id));
      return last->second;
    };
    for (const auto& [partition, entry] : partitions) {
      const auto coming = in_flight.find({group.id(), topic, partition});
      const bool has_any = entry.committed || !entry.held.empty() || coming != in_flight.end();
      if (!has_any || (entry.committed && !gone(*entry.committed))) continue;
      if (coming != in_flight.end() && !coming->second) continue;
      if (!std::ranges::all_of(entry.held, gone, &HeldOffset::value)) continue;
      OffsetWrite tombstone{.topic = topic, .partition = partition, .value = {}};
      if (removal.writes.changes.size() >= kExpiredPerBatch || !add_to_batch(turn, group, tombstone)) {
        remove_offsets(turn, group, std::exchange(removal, {}));
        begin_batch();
        if (!add_to_batch(turn, group, tombstone)) continue;
      }
      removal.writes.changes.push_back(std::move(tombstone));
    }
  }
  remove_offsets(turn, group, std::move(removal));
  settle(group);
}

}  // namespace tailwater::group
