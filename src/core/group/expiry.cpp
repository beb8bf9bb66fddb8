// Expiry of offsets and of groups that hold nothing any more, in slices: a sweep looks at a bounded number of
// offsets per tick and goes on in the next one. Offsets of topics that were deleted go at once.
#include <algorithm>
#include <utility>

#include "core/group/coordinator.hpp"

namespace tailwater::group {
namespace {

constexpr std::size_t kSweepBudget = 5'000;  // offsets and groups looked at per tick
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
  for (const auto& [topic, partitions] : group.offsets.topics()) {
    left -= std::min(left, partitions.size());
    const bool is_kept =
        rule == Rule::keep || (rule == Rule::since_commit_if_left && group.is_subscribed_to(topic));
    for (const auto& [partition, entry] : partitions) {
      const bool expires =
          !is_kept && entry.committed && entry.writes_in_flight == 0 && entry.held.empty() &&
          expiry.writes.changes.size() < kExpiredPerBatch &&
          has_expired(*entry.committed, rule, group, turn.now.wall, options_.offsets_retention);
      if (expires) {
        expiry.writes.changes.push_back(
            {.group = group.id(), .topic = topic, .partition = partition, .value = std::nullopt});
      } else {
        keeps_some = true;
      }
    }
  }
  const bool is_unused = group.is(State::empty) && group.pending().empty() && group.appends_in_flight == 0;
  expiry.deletes_group = is_unused && !keeps_some && group.has_record;
  remove_offsets(turn, group, std::move(expiry));
}

void GroupCoordinator::remove_offsets(Turn& turn, Group& group, ExpiryAppend removal) {
  std::vector<Change> changes(removal.writes.changes.begin(), removal.writes.changes.end());
  if (removal.deletes_group) {
    group.deletion_in_flight = true;
    changes.push_back(GroupChange{.group = group.id(), .value = std::nullopt});
  }
  if (changes.empty()) return;
  begin_writes(group, removal.writes);
  append(turn, group, make_batch_of_any_size(turn, changes), std::move(removal));
}

void GroupCoordinator::forget_topics(const std::function<bool(std::string_view)>& is_gone, Now now,
                                     GroupEffects& out) {
  if (availability() != ErrorCode::none) return;
  Turn turn{now, out};
  for (auto at = groups_.begin(); at != groups_.end();) {
    Group& group = at->second;
    ++at;
    if (group.deletion_in_flight) continue;
    ExpiryAppend removal;
    for (const auto& [topic, partitions] : group.offsets.topics()) {
      if (!is_gone(topic)) continue;
      for (const auto& [partition, entry] : partitions) {
        removal.writes.changes.push_back(
            {.group = group.id(), .topic = topic, .partition = partition, .value = std::nullopt});
        if (removal.writes.changes.size() < kExpiredPerBatch) continue;
        remove_offsets(turn, group, std::exchange(removal, {}));
      }
    }
    remove_offsets(turn, group, std::move(removal));
    settle(group);
  }
  finish(turn);
}

}  // namespace tailwater::group
