// JoinGroup: who may join, under which id, and what that does to the group. In Kafka's order of checks.
#include <algorithm>

#include "base/check.hpp"
#include "core/group/coordinator.hpp"

namespace tailwater::group {

// One JoinGroup request on its way through the checks.
struct GroupCoordinator::Joiner {
  const Call& call;
  const wire::JoinGroupRequest& request;
  Turn turn;
  Duration session_timeout;
  Duration rebalance_timeout;
  std::vector<Protocol> protocols;
};

namespace {

constexpr std::int16_t kMemberIdRequiredVersion = 4;
constexpr std::int16_t kSkipAssignmentVersion = 9;
constexpr std::size_t kIdPrefixMax = 1'000;

// The first of equal names counts.
std::vector<Protocol> protocols_of(const wire::JoinGroupRequest& request) {
  std::vector<Protocol> protocols;
  std::set<std::string_view> names;
  for (const auto& offered : request.protocols) {
    if (names.insert(offered.name).second) protocols.push_back({offered.name, offered.metadata});
  }
  return protocols;
}

std::string_view id_prefix(std::string_view text) {
  if (text.size() <= kIdPrefixMax) return text;
  std::size_t end = kIdPrefixMax;
  while (end > 0 && (static_cast<std::uint8_t>(text[end]) & 0xC0) == 0x80) --end;  // never inside a character
  return text.substr(0, end);
}

// In the form of Java's UUIDs: 8-4-4-4-12 hexadecimal digits.
void append_uuid(std::string& text, const Uuid& uuid) {
  constexpr std::string_view digits = "0123456789abcdef";
  for (int nibble = 0; nibble < 32; ++nibble) {
    if (nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20) text += '-';
    const std::uint64_t half = nibble < 16 ? uuid.high : uuid.low;
    text += digits[(half >> (60 - 4 * (nibble % 16))) & 0xF];
  }
}

}  // namespace

void GroupCoordinator::join(const Call& call, const wire::JoinGroupRequest& request, GroupEffects& out) {
  const Duration session = Duration::from_ms(request.session_timeout_ms);
  const bool has_rebalance_timeout = call.version >= 1 && request.rebalance_timeout_ms >= 0;
  Joiner joiner{
      .call = call,
      .request = request,
      .turn = {call.now, out},
      .session_timeout = session,
      .rebalance_timeout = has_rebalance_timeout ? Duration::from_ms(request.rebalance_timeout_ms) : session,
      .protocols = {}};
  if (const ErrorCode error = check_join(request); error != ErrorCode::none)
    return refuse_join(joiner, error);
  if (const ErrorCode error = availability(); error != ErrorCode::none) return refuse_join(joiner, error);

  const bool is_newcomer = request.member_id.empty();
  Group* group = find(request.group_id);
  if (group == nullptr) {
    if (!is_newcomer) return refuse_join(joiner, ErrorCode::unknown_member_id);
    if (memory_is_full()) return refuse_join(joiner, ErrorCode::group_max_size_reached);
    group = &create(request.group_id, call.now.wall);
  }
  joiner.protocols = protocols_of(request);
  if (!has_room_for(*group, request)) {
    if (Member* member = group->find(request.member_id)) {
      remove_member(joiner.turn, *group, *member, ErrorCode::group_max_size_reached);
      complete_join_if_ready(joiner.turn, *group);
    }
    refuse_join(joiner, ErrorCode::group_max_size_reached);
  } else if (group->is(State::dead) || group->deletion_in_flight) {
    refuse_join(joiner, ErrorCode::coordinator_not_available);
  } else if (is_newcomer) {
    join_newcomer(joiner, *group);
  } else if (group->is_pending(request.member_id)) {
    join_pending(joiner, *group);
  } else {
    join_known(joiner, *group);
  }
  settle(*group);
  finish(joiner.turn);
}

ErrorCode GroupCoordinator::check_join(const wire::JoinGroupRequest& request) const {
  if (request.group_id.empty()) return ErrorCode::invalid_group_id;
  const Duration session = Duration::from_ms(request.session_timeout_ms);
  if (session < options_.session_timeout_min || session > options_.session_timeout_max) {
    return ErrorCode::invalid_session_timeout;
  }
  std::size_t bytes = 0;
  for (const auto& offered : request.protocols) bytes += offered.name.size() + offered.metadata.size();
  const bool is_too_large =
      bytes > options_.member_metadata_max || request.protocols.size() > options_.member_protocols_max;
  return is_too_large ? ErrorCode::invalid_request : ErrorCode::none;
}

// Whether the group's size allows this member. While a join phase runs those count that have joined: others
// may be gone, and where the limit was lowered the last to come back are turned away.
bool GroupCoordinator::has_room_for(Group& group, const wire::JoinGroupRequest& request) const {
  // A static member that comes back takes its own place.
  const bool is_back = request.member_id.empty() && request.group_instance_id;
  const Member* member =
      is_back ? group.find_static(*request.group_instance_id) : group.find(request.member_id);
  const auto limit = static_cast<std::size_t>(std::max(options_.group_size_max, 0));
  switch (group.state()) {
    case State::empty:
    case State::dead:
      return true;
    case State::preparing:
      return (member != nullptr && member->join) || group.joined_count() < limit;
    case State::completing:
    case State::stable:
      return member != nullptr || group.size() < limit;
  }
  return false;
}

void GroupCoordinator::refuse_join(const Joiner& joiner, ErrorCode error) {
  wire::JoinGroupResponse response;
  response.error_code = error;
  if (error != ErrorCode::group_max_size_reached) response.member_id = joiner.request.member_id;
  joiner.turn.out.replies.push_back({joiner.call.ticket, std::move(response)});
}

// An empty member id: a new member, or a static member that comes back.
void GroupCoordinator::join_newcomer(Joiner& joiner, Group& group) {
  const wire::JoinGroupRequest& request = joiner.request;
  Member* known = request.group_instance_id ? group.find_static(*request.group_instance_id) : nullptr;
  if (!group.supports(request.protocol_type, joiner.protocols, known)) {
    return refuse_join(joiner, ErrorCode::inconsistent_group_protocol);
  }
  const bool is_static = request.group_instance_id.has_value();
  std::string member_id =
      new_member_id(group, is_static ? *request.group_instance_id : joiner.call.client_id);
  if (known != nullptr) return replace_static_member(joiner, group, *known, std::move(member_id));
  if (memory_is_full()) return refuse_join(joiner, ErrorCode::group_max_size_reached);
  const bool needs_known_id = !is_static && joiner.call.version >= kMemberIdRequiredVersion;
  if (needs_known_id) return give_member_id(joiner, group, std::move(member_id));
  add_member(joiner, group, std::move(member_id));
}

void GroupCoordinator::give_member_id(Joiner& joiner, Group& group, std::string member_id) {
  if (group.pending().size() >= options_.pending_members_max) {
    return refuse_join(joiner, ErrorCode::group_max_size_reached);
  }
  const Instant deadline = joiner.call.now.monotonic + joiner.session_timeout;
  wire::JoinGroupResponse response;
  response.error_code = ErrorCode::member_id_required;
  response.member_id = member_id;
  group.add_pending(std::move(member_id), deadline);
  note_deadline(group, deadline);
  joiner.turn.out.replies.push_back({joiner.call.ticket, std::move(response)});
}

// The second request of a new member, with the id that it was given.
void GroupCoordinator::join_pending(Joiner& joiner, Group& group) {
  if (!group.supports(joiner.request.protocol_type, joiner.protocols, nullptr)) {
    return refuse_join(joiner, ErrorCode::inconsistent_group_protocol);
  }
  // Static members are never given an id to come back with.
  if (joiner.request.group_instance_id) return refuse_join(joiner, ErrorCode::unknown_member_id);
  if (memory_is_full()) return refuse_join(joiner, ErrorCode::group_max_size_reached);
  add_member(joiner, group, joiner.request.member_id);
}

void GroupCoordinator::add_member(Joiner& joiner, Group& group, std::string member_id) {
  const Instant now = joiner.call.now.monotonic;
  Member added{.id = std::move(member_id),
               .instance_id = joiner.request.group_instance_id,
               .client_id = std::string(joiner.call.client_id),
               .client_host = std::string(joiner.call.client_host),
               .rebalance_timeout = joiner.rebalance_timeout,
               .session_timeout = joiner.session_timeout,
               .protocols = std::move(joiner.protocols),
               .is_new = true,
               // It cannot send heartbeats yet. If its connection is gone it will try again under another id,
               // so it may not wait for ever.
               .session_deadline = now + options_.new_member_timeout};
  if (group.is(State::preparing) && group.join_phase.initial) group.join_phase.newcomer_arrived = true;
  Member& member = group.add(std::move(added), joiner.request.protocol_type);
  note_deadline(group, member.session_deadline);
  park(joiner, group, member);
  rebalance_or_complete(joiner.turn, group);
}

// The member waits for the end of the join phase, which waits for its members as long as each of them asks
// for.
void GroupCoordinator::park(Joiner& joiner, Group& group, Member& member) {
  group.wait_for_join(member, {joiner.call.ticket, joiner.call.version});
  JoinPhase& phase = group.join_phase;
  if (group.is(State::preparing) && !phase.initial) {
    phase.deadline = std::max(phase.deadline, phase.started + member.rebalance_timeout);
  }
}

// A member id that is neither empty nor pending.
void GroupCoordinator::join_known(Joiner& joiner, Group& group) {
  const wire::JoinGroupRequest& request = joiner.request;
  Member* member = group.find(request.member_id);
  if (!group.supports(request.protocol_type, joiner.protocols, member)) {
    return refuse_join(joiner, ErrorCode::inconsistent_group_protocol);
  }
  const ErrorCode error = check_member(group, request.member_id, request.group_instance_id);
  if (error != ErrorCode::none) return refuse_join(joiner, error);

  const bool is_changed = member->protocols != joiner.protocols;
  bool answers_again = false;
  switch (group.state()) {
    case State::preparing:
      break;
    case State::completing:  // it may have missed its answer
      answers_again = !is_changed;
      break;
    case State::stable:  // a leader that joins again wants a new assignment
      answers_again = !is_changed && !group.is_leader(*member) && !member->join;
      break;
    case State::empty:
    case State::dead:
      return refuse_join(joiner, ErrorCode::unknown_member_id);
  }
  if (!answers_again) return update_member(joiner, group, *member);
  group.wait_for_join(*member, {joiner.call.ticket, joiner.call.version});
  answer_join(joiner.turn, group, *member);
  refresh_session(group, *member, joiner.call.now.monotonic);
}

void GroupCoordinator::update_member(Joiner& joiner, Group& group, Member& member) {
  // An older request of the same member gives way: its connection is gone, or it will ask again.
  if (const auto waiting = group.take_join(member)) {
    wire::JoinGroupResponse response;
    response.error_code = ErrorCode::rebalance_in_progress;
    response.member_id = member.id;
    joiner.turn.out.replies.push_back({waiting->ticket, std::move(response)});
  }
  group.set_protocols(member, std::move(joiner.protocols));
  member.rebalance_timeout = joiner.rebalance_timeout;
  member.session_timeout = joiner.session_timeout;
  park(joiner, group, member);
  rebalance_or_complete(joiner.turn, group);
}

// The instance is back under a new member id. Whoever still uses the old one is fenced. In a stable group
// whose protocol stays what it is nothing is rebalanced: the group is written with the new id, then the
// member is answered.
void GroupCoordinator::replace_static_member(Joiner& joiner, Group& group, Member& member,
                                             std::string member_id) {
  Turn& turn = joiner.turn;
  const std::string previous_leader = group.leader().value_or(std::string());
  if (const auto waiting = group.take_join(member)) {
    wire::JoinGroupResponse response;
    response.error_code = ErrorCode::fenced_instance_id;
    response.member_id = member.id;
    turn.out.replies.push_back({waiting->ticket, std::move(response)});
  }
  if (const auto waiting = std::exchange(member.sync, std::nullopt)) {
    wire::SyncGroupResponse response;
    response.error_code = ErrorCode::fenced_instance_id;
    turn.out.replies.push_back({waiting->ticket, std::move(response)});
  }
  group.rename(member, std::move(member_id));
  group.set_client(member, joiner.call.client_id, joiner.call.client_host);
  group.set_protocols(member, std::move(joiner.protocols));
  member.rebalance_timeout = joiner.rebalance_timeout;
  member.session_timeout = joiner.session_timeout;
  member.is_new = false;
  refresh_session(group, member, joiner.call.now.monotonic);
  park(joiner, group, member);

  const bool keeps_generation =
      group.is(State::stable) && group.protocol_name().value_or(std::string()) == group.select_protocol();
  if (!keeps_generation) return rebalance_or_complete(turn, group);
  group.refresh_subscription();
  StaticMemberAppend purpose{.generation = group.generation(),
                             .member_id = member.id,
                             .previous_leader = previous_leader,
                             .ticket = joiner.call.ticket};
  std::optional<Buffer> batch = make_batch(turn, {group.id(), group.record()});
  if (!batch) return answer_static_member(turn, group, purpose, ErrorCode::unknown_server_error);
  append(turn, group, std::move(*batch), std::move(purpose));
}

void GroupCoordinator::answer_static_member(Turn& turn, Group& group, const StaticMemberAppend& append,
                                            ErrorCode error) {
  // If anything has happened since, the member waits in a join phase or was answered, and this is over.
  if (!group.is(State::stable) || group.generation() != append.generation) return;
  Member* member = group.find(append.member_id);
  if (member == nullptr || !member->join || member->join->ticket != append.ticket) return;
  if (error != ErrorCode::none) {
    // The id in memory is the new one, the one in the log still the old one: the instance joins again and is
    // written then.
    const auto waiting = group.take_join(*member);
    wire::JoinGroupResponse response;
    response.error_code = error;
    turn.out.replies.push_back({waiting->ticket, std::move(response)});
    return refresh_session(group, *member, turn.now.monotonic);
  }
  const std::int16_t version = member->join->version;
  const bool leads = group.is_leader(*member);
  const bool may_skip = version >= kSkipAssignmentVersion;
  answer_join(turn, group, *member);
  auto& response = std::get<wire::JoinGroupResponse>(turn.out.replies.back().body);
  response.skip_assignment = may_skip && leads;
  if (may_skip) return;
  // Older clients would compute an assignment if they were told that they lead; they are shown the old id as
  // leader.
  response.leader = append.previous_leader;
  response.members.clear();
}

// An id that the group does not know, whatever the generator draws.
std::string GroupCoordinator::new_member_id(Group& group, std::string_view prefix) {
  for (;;) {
    const Uuid uuid = random_.uuid();
    std::string id(id_prefix(prefix));
    id += '-';
    append_uuid(id, uuid);
    if (group.find(id) == nullptr && !group.is_pending(id)) return id;
  }
}

}  // namespace tailwater::group
