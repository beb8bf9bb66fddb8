// SyncGroup: the leader's assignment is written to the log first; then the group is stable and everybody is
// answered.
#include <utility>

#include "core/group/coordinator.hpp"

namespace tailwater::group {
namespace {

constexpr std::int16_t kNamesProtocolVersion = 5;

void refuse_sync(GroupEffects& out, Ticket ticket, ErrorCode error) {
  wire::SyncGroupResponse response;
  response.error_code = error;
  out.replies.push_back({ticket, std::move(response)});
}

// Clients before v5 name no protocol; those that do must mean the group's.
bool differs(const std::optional<std::string>& named, const std::optional<std::string>& own) {
  return named && own && *named != *own;
}

}  // namespace

void GroupCoordinator::sync(const Call& call, const wire::SyncGroupRequest& request, GroupEffects& out) {
  const bool names_protocol = request.protocol_type && request.protocol_name;
  if (call.version >= kNamesProtocolVersion && !names_protocol) {
    return refuse_sync(out, call.ticket, ErrorCode::inconsistent_group_protocol);
  }
  if (request.group_id.empty()) return refuse_sync(out, call.ticket, ErrorCode::invalid_group_id);
  if (const ErrorCode error = availability(); error != ErrorCode::none)
    return refuse_sync(out, call.ticket, error);
  Group* group = find(request.group_id);
  if (group == nullptr) return refuse_sync(out, call.ticket, ErrorCode::unknown_member_id);
  if (const ErrorCode error = check_sync(*group, request); error != ErrorCode::none) {
    return refuse_sync(out, call.ticket, error);
  }

  Turn turn{call.now, out};
  Member& member = *group->find(request.member_id);
  // An older request of the same member gives way: its connection is gone, or it will ask again.
  if (const auto waiting = std::exchange(member.sync, Waiting{call.ticket, call.version})) {
    refuse_sync(out, waiting->ticket, ErrorCode::rebalance_in_progress);
  }
  group->synced(member);
  if (group->pending_syncs() == 0) group->sync_deadline.reset();
  refresh_session(*group, member, call.now.monotonic);
  if (group->is(State::stable)) {
    answer_sync(turn, *group, member);
  } else if (group->is_leader(member) && group->assignment_in_flight != group->generation()) {
    store_assignment(turn, *group, request);
  }
  settle(*group);
  finish(turn);
}

ErrorCode GroupCoordinator::check_sync(Group& group, const wire::SyncGroupRequest& request) const {
  if (group.is(State::dead) || group.deletion_in_flight) return ErrorCode::coordinator_not_available;
  const ErrorCode error = check_member(group, request.member_id, request.group_instance_id);
  if (error != ErrorCode::none) return error;
  if (request.generation_id != group.generation()) return ErrorCode::illegal_generation;
  if (differs(request.protocol_type, group.protocol_type()) ||
      differs(request.protocol_name, group.protocol_name())) {
    return ErrorCode::inconsistent_group_protocol;
  }
  switch (group.state()) {
    case State::empty:
    case State::dead:
      return ErrorCode::unknown_member_id;
    case State::preparing:
      return ErrorCode::rebalance_in_progress;
    case State::completing:
    case State::stable:
      return ErrorCode::none;
  }
  return ErrorCode::unknown_server_error;
}

// Members that the leader does not mention get nothing; ids that the group does not know are passed over.
void GroupCoordinator::store_assignment(Turn& turn, Group& group, const wire::SyncGroupRequest& request) {
  AssignmentAppend purpose{.generation = group.generation(), .since = turn.now.wall, .assignments = {}};
  for (const auto& [id, member] : group.members()) purpose.assignments.emplace(id, Buffer());
  for (const auto& given : request.assignments) {
    const auto found = purpose.assignments.find(given.member_id);
    if (found != purpose.assignments.end()) found->second = given.assignment;
  }
  std::optional<Buffer> batch =
      make_batch(turn, {group.id(), group.record_with(purpose.assignments, purpose.since)});
  if (!batch) return assignment_stored(turn, group, purpose, ErrorCode::unknown_server_error);
  group.assignment_in_flight = group.generation();
  group.has_record = true;
  append(turn, group, std::move(*batch), std::move(purpose));
}

void GroupCoordinator::assignment_stored(Turn& turn, Group& group, AssignmentAppend& append,
                                         ErrorCode error) {
  if (group.assignment_in_flight == append.generation) group.assignment_in_flight.reset();
  // Somebody may have joined or left meanwhile: then this generation is over.
  if (!group.is(State::completing) || group.generation() != append.generation) return;
  if (error != ErrorCode::none) {
    fail_syncs(turn, group, error);
    return prepare_rebalance(turn, group);
  }
  group.move_to(State::stable, append.since);
  for (auto& [id, member] : group.members()) {
    const auto found = append.assignments.find(id);
    group.set_assignment(member, found != append.assignments.end() ? std::move(found->second) : Buffer());
    if (member.sync) answer_sync(turn, group, member);
  }
}

// REQUIRES: the member waits for its sync.
void GroupCoordinator::answer_sync(Turn& turn, Group& group, Member& member) {
  const auto waiting = std::exchange(member.sync, std::nullopt);
  wire::SyncGroupResponse response;
  response.protocol_type = group.protocol_type();
  response.protocol_name = group.protocol_name();
  response.assignment = member.assignment;
  refresh_session(group, member, turn.now.monotonic);
  turn.out.replies.push_back({waiting->ticket, std::move(response)});
}

void GroupCoordinator::fail_syncs(Turn& turn, Group& group, ErrorCode error) {
  for (auto& [id, member] : group.members()) {
    group.set_assignment(member, {});
    if (const auto waiting = std::exchange(member.sync, std::nullopt)) {
      refuse_sync(turn.out, waiting->ticket, error);
      refresh_session(group, member, turn.now.monotonic);
    }
  }
}

// Members that were told of their generation and never asked for their assignment are gone.
void GroupCoordinator::sync_deadline_passed(Turn& turn, Group& group) {
  group.sync_deadline.reset();
  std::vector<std::string> missing;
  for (const auto& [id, member] : group.members()) {
    if (member.pending_sync) missing.push_back(id);
  }
  if (missing.empty()) return;
  for (const std::string& id : missing)
    remove_member(turn, group, *group.find(id), ErrorCode::unknown_member_id);
  prepare_rebalance(turn, group);
}

}  // namespace tailwater::group
