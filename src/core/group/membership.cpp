// Heartbeat and LeaveGroup, and the checks of who a member is.
#include <algorithm>
#include <utility>

#include "core/group/coordinator.hpp"

namespace tailwater::group {

ErrorCode GroupCoordinator::check_member(Group& group, std::string_view member_id,
                                         const std::optional<std::string_view>& instance_id) const {
  if (instance_id) {
    const Member* owner = group.find_static(*instance_id);
    if (owner == nullptr) return ErrorCode::unknown_member_id;
    if (owner->id != member_id) return ErrorCode::fenced_instance_id;
  }
  return group.find(member_id) == nullptr ? ErrorCode::unknown_member_id : ErrorCode::none;
}

// A sign of life. A new member that still waits for its first answer keeps its own, longer time.
void GroupCoordinator::refresh_session(Group& group, Member& member, Instant now) {
  if (member.is_new && member.join) return;
  member.session_deadline = now + member.session_timeout;
  note_deadline(group, member.session_deadline);
}

void GroupCoordinator::heartbeat(const Call& call, const wire::HeartbeatRequest& request, GroupEffects& out) {
  const auto decide = [&]() -> ErrorCode {
    if (request.group_id.empty()) return ErrorCode::invalid_group_id;
    // Clients take COORDINATOR_LOAD_IN_PROGRESS as fatal here; a group that is being loaded has its sessions
    // renewed anyway.
    if (phase_ == Phase::loading) return ErrorCode::none;
    if (const ErrorCode error = availability(); error != ErrorCode::none) return error;
    Group* group = find(request.group_id);
    if (group == nullptr) return ErrorCode::unknown_member_id;
    if (group->is(State::dead) || group->deletion_in_flight) return ErrorCode::coordinator_not_available;
    const ErrorCode error = check_member(*group, request.member_id, request.group_instance_id);
    if (error != ErrorCode::none) return error;
    if (request.generation_id != group->generation()) return ErrorCode::illegal_generation;
    refresh_session(*group, *group->find(request.member_id), call.now.monotonic);
    return group->is(State::preparing) ? ErrorCode::rebalance_in_progress : ErrorCode::none;
  };
  wire::HeartbeatResponse response;
  response.error_code = decide();
  out.replies.push_back({call.ticket, std::move(response)});
  Turn turn{call.now, out};
  finish(turn);
}

void GroupCoordinator::leave(const Call& call, const wire::LeaveGroupRequest& request, GroupEffects& out) {
  constexpr std::int16_t batch_version = 3;
  wire::LeaveGroupResponse response;
  Group* group = nullptr;
  const auto refusal = [&]() -> ErrorCode {
    if (request.group_id.empty()) return ErrorCode::invalid_group_id;
    if (const ErrorCode error = availability(); error != ErrorCode::none) return error;
    group = find(request.group_id);
    if (group == nullptr) return ErrorCode::unknown_member_id;
    if (group->is(State::dead) || group->deletion_in_flight) return ErrorCode::coordinator_not_available;
    return ErrorCode::none;
  };
  response.error_code = refusal();
  // That nobody is there is said of each who would leave, as for a group that is there without them.
  if (response.error_code == ErrorCode::unknown_member_id && call.version >= batch_version) {
    response.error_code = ErrorCode::none;
    for (const auto& leaver : request.members) {
      response.members.push_back({.member_id = leaver.member_id,
                                  .group_instance_id = leaver.group_instance_id,
                                  .error_code = ErrorCode::unknown_member_id});
    }
    out.replies.push_back({call.ticket, std::move(response)});
    return;
  }
  if (response.error_code != ErrorCode::none) {
    out.replies.push_back({call.ticket, std::move(response)});
    return;
  }

  Turn turn{call.now, out};
  std::uint32_t removed = 0;
  if (call.version < batch_version) {
    response.error_code = leave_one(turn, *group, request.member_id, std::nullopt, removed);
  } else {
    for (const auto& leaver : request.members) {
      const ErrorCode error = leave_one(turn, *group, leaver.member_id, leaver.group_instance_id, removed);
      response.members.push_back({.member_id = leaver.member_id,
                                  .group_instance_id = leaver.group_instance_id,
                                  .error_code = error});
    }
  }
  if (removed > 0) {
    rebalance_or_complete(turn, *group);
  } else {
    complete_join_if_ready(turn, *group);  // a pending id may have gone
  }
  out.replies.push_back({call.ticket, std::move(response)});
  settle(*group);
  finish(turn);
}

// Administrators name the instance alone; members name themselves.
ErrorCode GroupCoordinator::leave_one(Turn& turn, Group& group, std::string_view member_id,
                                      const std::optional<std::string>& instance_id, std::uint32_t& removed) {
  Member* member = nullptr;
  if (member_id.empty()) {
    member = instance_id ? group.find_static(*instance_id) : nullptr;
    if (member == nullptr) return ErrorCode::unknown_member_id;
  } else if (group.is_pending(member_id)) {
    group.remove_pending(member_id);
    return ErrorCode::none;
  } else {
    const ErrorCode error = check_member(group, member_id, instance_id);
    if (error != ErrorCode::none) return error;
    member = group.find(member_id);
  }
  remove_member(turn, group, *member, ErrorCode::unknown_member_id);
  ++removed;
  return ErrorCode::none;
}

}  // namespace tailwater::group
