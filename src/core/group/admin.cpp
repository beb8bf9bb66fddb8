// ListGroups, DescribeGroups and DeleteGroups.
#include <algorithm>
#include <utility>

#include "core/group/coordinator.hpp"

namespace tailwater::group {
namespace {

constexpr std::string_view kGroupType = "classic";

char lower(char letter) {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// Filters are not particular about case; no filter lets everything pass.
bool passes(const std::vector<std::string>& filter, std::string_view value) {
  return filter.empty() || std::ranges::any_of(filter, [&](const std::string& wanted) {
           return std::ranges::equal(trim(wanted), value, {}, lower, lower);
         });
}

}  // namespace

ErrorCode GroupCoordinator::list_groups(const wire::ListGroupsRequest& request,
                                        std::vector<wire::ListGroupsResponse::ListedGroup>& out) const {
  if (const ErrorCode error = availability(); error != ErrorCode::none) return error;
  if (!passes(request.types_filter, kGroupType)) return ErrorCode::none;
  for (const auto& [id, group] : groups_) {
    if (group.deletion_in_flight || !passes(request.states_filter, name(group.state()))) continue;
    out.push_back({.group_id = id,
                   .protocol_type = group.protocol_type().value_or(std::string()),
                   .group_state = std::string(name(group.state())),
                   .group_type = std::string(kGroupType)});
  }
  return ErrorCode::none;
}

wire::DescribeGroupsResponse::DescribedGroup GroupCoordinator::describe_group(const std::string& group_id,
                                                                              std::int16_t version) const {
  constexpr std::int16_t not_found_version = 6;
  wire::DescribeGroupsResponse::DescribedGroup answer;
  answer.group_id = group_id;
  answer.error_code = availability();
  if (answer.error_code != ErrorCode::none) return answer;
  const Group* group = find_living(group_id);
  if (group == nullptr) {
    answer.group_state = name(State::dead);
    if (version < not_found_version) return answer;
    answer.error_code = ErrorCode::group_id_not_found;
    answer.error_message = "Group " + group_id + " not found.";
    return answer;
  }
  answer.group_state = name(group->state());
  answer.protocol_type = group->protocol_type().value_or(std::string());
  // Metadata and assignments mean something only together, once the generation stands.
  const bool is_stable = group->is(State::stable);
  if (is_stable) answer.protocol_data = group->protocol_name().value_or(std::string());
  for (const auto& [id, member] : group->members()) {
    auto& described = answer.members.emplace_back();
    described.member_id = id;
    described.group_instance_id = member.instance_id;
    described.client_id = member.client_id;
    described.client_host = member.client_host;
    if (!is_stable) continue;
    if (const Buffer* metadata = member.metadata_of(answer.protocol_data))
      described.member_metadata = *metadata;
    described.member_assignment = member.assignment;
  }
  return answer;
}

void GroupCoordinator::delete_group(const Call& call, const std::string& group_id, GroupEffects& out) {
  const auto answer = [&](ErrorCode error) {
    out.replies.push_back({call.ticket, wire::DeleteGroupsResponse::DeletableGroupResult{
                                            .group_id = group_id, .error_code = error}});
  };
  if (const ErrorCode error = availability(); error != ErrorCode::none) return answer(error);
  Group* group = find(group_id);
  if (group == nullptr || group->is(State::dead) || group->deletion_in_flight) {
    return answer(ErrorCode::group_id_not_found);
  }
  if (!group->is(State::empty)) return answer(ErrorCode::non_empty_group);

  Turn turn{call.now, out};
  group->deletion_in_flight = true;
  if (const std::optional<ErrorCode> end = delete_more(turn, *group, call.ticket)) {
    group->deletion_in_flight = false;
    answer(*end);
    if (*end == ErrorCode::none) {  // nothing but ids that were given out
      erase(*group);
      return finish(turn);
    }
  }
  settle(*group);
  finish(turn);
}

// As much at once as a batch may hold; the rest when that is durable, so that a deletion takes little memory.
// No commit is taken meanwhile, and offsets that are on their way to the log are in it before these
// tombstones.
std::optional<ErrorCode> GroupCoordinator::delete_more(Turn& turn, Group& group, Ticket ticket) {
  GroupDeleteAppend deletion{.ticket = ticket, .writes = {}, .is_last = true};
  begin_batch();
  for (const auto& [topic, partitions] : group.offsets.topics()) {
    for (const auto& [partition, entry] : partitions) {
      OffsetWrite tombstone{.topic = topic, .partition = partition, .value = std::nullopt};
      deletion.is_last = add_to_batch(turn, group, tombstone);
      if (!deletion.is_last) break;
      deletion.writes.changes.push_back(std::move(tombstone));
    }
    if (!deletion.is_last) break;
  }
  if (deletion.is_last && group.has_record) deletion.is_last = add_to_batch(turn, {group.id(), std::nullopt});
  if (builder_.empty()) return deletion.is_last ? ErrorCode::none : ErrorCode::unknown_server_error;
  begin_writes(group, deletion.writes);
  append(turn, group, finish_batch(), std::move(deletion));
  return std::nullopt;
}

}  // namespace tailwater::group
