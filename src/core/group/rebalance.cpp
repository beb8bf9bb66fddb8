// The join phase: how it begins, how long it waits for whom, and how it ends in a new generation.
#include <algorithm>

#include "base/check.hpp"
#include "core/group/coordinator.hpp"

namespace tailwater::group {
namespace {

// A phase that begins anew must not end in the same tick, however hasty its members are.
constexpr Duration kWaitForAbsentMin = Duration::from_ms(1'000);

}  // namespace

void GroupCoordinator::rebalance_or_complete(Turn& turn, Group& group) {
  if (group.is(State::preparing)) return complete_join_if_ready(turn, group);
  prepare_rebalance(turn, group);
}

// REQUIRES: empty, completing or stable.
void GroupCoordinator::prepare_rebalance(Turn& turn, Group& group) {
  const Instant now = turn.now.monotonic;
  // Whoever waits for an assignment of the generation that ends here shall join again.
  if (group.is(State::completing)) fail_syncs(turn, group, ErrorCode::rebalance_in_progress);
  group.expect_no_syncs();
  group.sync_deadline.reset();

  // The first phase of a group ends by time alone, also after no time: a pending id, whose owner may be gone,
  // holds nobody back.
  const Duration delay = options_.initial_rebalance_delay;
  const bool is_initial = group.is(State::empty);
  const Duration longest = group.rebalance_timeout_max();
  group.join_phase = {
      .started = now, .deadline = now + (is_initial ? delay : longest), .initial = is_initial};
  if (is_initial) {
    group.join_phase.delay = delay;
    group.join_phase.remaining = std::max(longest - delay, Duration{});
  }
  group.move_to(State::preparing, turn.now.wall);
  note_deadline(group, group.join_phase.deadline);
  complete_join_if_ready(turn, group);
}

// Ends the join phase if nobody is missing; the first one of a group ends by time alone.
void GroupCoordinator::complete_join_if_ready(Turn& turn, Group& group) {
  if (!group.is(State::preparing) || group.join_phase.initial) return;
  if (group.all_joined()) complete_join(turn, group);
}

void GroupCoordinator::join_deadline_passed(Turn& turn, Group& group) {
  JoinPhase& phase = group.join_phase;
  const bool extends = phase.initial && phase.newcomer_arrived && phase.remaining > Duration{};
  if (!extends) return complete_join(turn, group);
  phase.newcomer_arrived = false;
  const Duration next = std::min(options_.initial_rebalance_delay, phase.remaining);
  phase.remaining = std::max(phase.remaining - phase.delay, Duration{});
  phase.delay = next;
  phase.deadline = turn.now.monotonic + next;
  note_deadline(group, phase.deadline);
}

void GroupCoordinator::complete_join(Turn& turn, Group& group) {
  const Instant now = turn.now.monotonic;
  std::vector<std::string> missing;
  for (const auto& [id, member] : group.members()) {
    if (!member.join && !member.instance_id) missing.push_back(id);
  }
  for (const std::string& id : missing) group.remove(id);

  if (group.size() > 0 && !group.elect_joined_leader()) {
    // Only static members that are away: wait until one is back or the sessions of all have ended.
    group.join_phase = {.started = now,
                        .deadline = now + std::max(group.rebalance_timeout_max(), kWaitForAbsentMin)};
    note_deadline(group, group.join_phase.deadline);
    return;
  }
  group.start_generation(turn.now.wall);
  if (group.is(State::empty)) return append_empty_group(turn, group);
  for (auto& [id, member] : group.members()) {
    if (member.join) answer_join(turn, group, member);
    member.is_new = false;
    refresh_session(group, member, now);
  }
  group.expect_syncs();
  group.sync_deadline = now + group.rebalance_timeout_max();
  note_deadline(group, *group.sync_deadline);
}

// The current generation as `member` is to see it. REQUIRES: it waits for its join.
void GroupCoordinator::answer_join(Turn& turn, Group& group, Member& member) {
  const auto waiting = group.take_join(member);
  CHECK(waiting.has_value());
  wire::JoinGroupResponse response;
  response.generation_id = group.generation();
  response.protocol_type = group.protocol_type();
  response.protocol_name = group.protocol_name();
  response.leader = group.leader().value_or(std::string());
  response.member_id = member.id;
  if (group.is_leader(member)) {
    const std::string protocol = group.protocol_name().value_or(std::string());
    response.members.reserve(group.size());
    for (const auto& [id, each] : group.members()) {
      const Buffer* metadata = each.metadata_of(protocol);
      response.members.push_back({.member_id = id,
                                  .group_instance_id = each.instance_id,
                                  .metadata = metadata != nullptr ? *metadata : Buffer()});
    }
  }
  refresh_session(group, member, turn.now.monotonic);
  turn.out.replies.push_back({waiting->ticket, std::move(response)});
}

void GroupCoordinator::refuse_waiting(Turn& turn, Group& group, Member& member, ErrorCode error) {
  if (const auto waiting = group.take_join(member)) {
    wire::JoinGroupResponse response;
    response.error_code = error;
    turn.out.replies.push_back({waiting->ticket, std::move(response)});
  }
  if (const auto waiting = std::exchange(member.sync, std::nullopt)) {
    wire::SyncGroupResponse response;
    response.error_code = error;
    turn.out.replies.push_back({waiting->ticket, std::move(response)});
  }
}

// Takes a member out and answers what it waits for. What that means for the group is the caller's next step.
void GroupCoordinator::remove_member(Turn& turn, Group& group, Member& member, ErrorCode error) {
  refuse_waiting(turn, group, member, error);
  const std::string id = member.id;
  group.remove(id);
}

}  // namespace tailwater::group
