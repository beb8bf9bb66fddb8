// Time: every group has one place in the agenda, at or before its earliest deadline; deadlines that move away
// (a heartbeat) leave it where it is, so that signs of life cost nothing. When a group's turn comes, its due
// deadlines are carried out and its next place is computed anew.
#include <algorithm>

#include "base/check.hpp"
#include "core/group/coordinator.hpp"

namespace tailwater::group {
namespace {

// Members that wait for an answer of ours are alive by definition, except new ones that wait for their first.
bool session_counts(const Member& member) {
  return (member.is_new && member.join) || (!member.join && !member.sync);
}

}  // namespace

void GroupCoordinator::note_deadline(Group& group, Instant deadline) {
  group.due = std::min(group.due, deadline);
  if (group.due >= group.scheduled) return;
  if (group.scheduled != Instant::max()) agenda_.erase({group.scheduled, group.serial()});
  group.scheduled = group.due;
  agenda_.emplace(std::pair(group.scheduled, group.serial()), &group);
}

void GroupCoordinator::tick(Now now, GroupEffects& out) {
  if (phase_ != Phase::active) return;
  Turn turn{now, out};
  announced_ = Instant::max();
  while (!agenda_.empty() && agenda_.begin()->first.first <= now.monotonic) {
    Group& group = *agenda_.begin()->second;
    agenda_.erase(agenda_.begin());
    group.scheduled = Instant::max();
    group.due = Instant::max();
    deadlines_passed(turn, group);
    settle(group);
  }
  if (next_sweep_ <= now.monotonic) sweep(turn);
  finish(turn);
}

void GroupCoordinator::deadlines_passed(Turn& turn, Group& group) {
  const Instant now = turn.now.monotonic;
  std::vector<std::string> expired;
  for (const auto& [id, deadline] : group.pending()) {
    if (deadline <= now) expired.push_back(id);
  }
  for (const std::string& id : expired) group.remove_pending(id);
  const bool lost_pending = !expired.empty();

  expired.clear();
  for (const auto& [id, member] : group.members()) {
    if (member.session_deadline <= now && session_counts(member)) expired.push_back(id);
  }
  for (const std::string& id : expired) {
    // A new member that is still there joins again with an empty id.
    remove_member(turn, group, *group.find(id), ErrorCode::unknown_member_id);
  }
  if (!expired.empty()) {
    rebalance_or_complete(turn, group);
  } else if (lost_pending) {
    complete_join_if_ready(turn, group);
  }

  if (group.is(State::preparing) && group.join_phase.deadline <= now) join_deadline_passed(turn, group);
  if (group.sync_deadline && *group.sync_deadline <= now) sync_deadline_passed(turn, group);

  for (const auto& [id, deadline] : group.pending()) note_deadline(group, deadline);
  for (const auto& [id, member] : group.members()) {
    if (session_counts(member)) note_deadline(group, member.session_deadline);
  }
  if (group.is(State::preparing)) note_deadline(group, group.join_phase.deadline);
  if (group.sync_deadline) note_deadline(group, *group.sync_deadline);
}

// The last act of each call: asks for a wake-up if one is needed earlier than was asked for.
void GroupCoordinator::finish(Turn& turn) {
  if (phase_ != Phase::active) return;
  Instant earliest = next_sweep_;
  if (!agenda_.empty()) earliest = std::min(earliest, agenda_.begin()->first.first);
  if (earliest >= announced_) return;
  announced_ = earliest;
  turn.out.wake_at = earliest;
}

}  // namespace tailwater::group
