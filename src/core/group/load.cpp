// The life of a coordinator: loading its partition, taking over, letting go.
#include <utility>

#include "base/check.hpp"
#include "core/group/coordinator.hpp"
#include "core/group/responses.hpp"
#include "records/control.hpp"
#include "records/replay.hpp"

namespace tailwater::group {

Result<Replayed> GroupCoordinator::replay(Bytes bytes, records::Codecs* codecs) {
  CHECK(phase_ == Phase::loading);
  const auto batch = records::whole_batch(bytes);
  if (!batch) return std::unexpected(batch.error());
  if (batch->is_control()) {
    const auto marker = records::read_end_marker(*batch);
    if (!marker) return Replayed{.foreign = 1};
    GroupEffects nothing;
    transaction_ended(marker->producer_id, marker->type == records::ControlType::commit, {}, nothing);
    return Replayed{.applied = 1};
  }
  return records::replay<Replayed>(*batch, codecs, decode, [&](Change& change) {
    if (batch->is_transactional()) {
      replay_held(batch->producer_id(), change);
    } else {
      replay_change(change);
    }
  });
}

void GroupCoordinator::replay_change(Change& change) {
  if (auto* offset = std::get_if<OffsetChange>(&change)) {
    replay_offset(*offset);
  } else {
    replay_group(std::get<GroupChange>(change));
  }
}

// Transactions write offsets and nothing else.
void GroupCoordinator::replay_held(ProducerId producer, Change& change) {
  auto* offset = std::get_if<OffsetChange>(&change);
  if (offset == nullptr || !offset->value) return;
  Group* group = find(offset->group);
  if (group == nullptr) group = &create(offset->group, WallTime{});
  group->offsets.hold(producer, offset->topic, offset->partition, std::move(*offset->value));
  holders_[producer].insert(offset->group);
  settle(*group);
}

void GroupCoordinator::replay_offset(OffsetChange& change) {
  Group* group = find(change.group);
  if (group == nullptr) {
    if (!change.value) return;
    group = &create(change.group, WallTime{});
  }
  group->offsets.apply(change.topic, change.partition, std::move(change.value));
  settle(*group);
}

void GroupCoordinator::replay_group(GroupChange& change) {
  Group* group = find(change.group);
  if (group == nullptr) {
    if (!change.value) return;
    group = &create(change.group, WallTime{});
  }
  // Offsets may outlive their group's record: then it is a group without memberships.
  group->has_record = change.value.has_value();
  group->load(change.value.value_or(GroupRecord{}));
  settle(*group);
}

void GroupCoordinator::loaded(Now now, GroupEffects& out) {
  CHECK(phase_ == Phase::loading);
  phase_ = Phase::active;
  Turn turn{now, out};
  next_sweep_ = now.monotonic + options_.expiry_interval;
  for (auto& [id, group] : groups_) {
    for (auto& [member_id, member] : group.members()) refresh_session(group, member, now.monotonic);
    const bool is_too_large = group.size() > static_cast<std::size_t>(std::max(options_.group_size_max, 0));
    if (group.is(State::stable) && is_too_large) prepare_rebalance(turn, group);
  }
  finish(turn);
}

void GroupCoordinator::unload(GroupEffects& out) {
  constexpr ErrorCode error = ErrorCode::not_coordinator;
  Turn turn{{}, out};
  for (auto& [id, group] : groups_) {
    for (auto& [member_id, member] : group.members()) refuse_waiting(turn, group, member, error);
  }
  for (auto& [token, pending] : appends_) {
    if (auto* commit = std::get_if<CommitAppend>(&pending.purpose)) {
      set_error(commit->response, error);
      out.replies.push_back({commit->ticket, std::move(commit->response)});
    } else if (auto* txn_commit = std::get_if<TxnCommitAppend>(&pending.purpose)) {
      set_error(txn_commit->response, error);
      out.replies.push_back({txn_commit->ticket, std::move(txn_commit->response)});
    } else if (auto* deletion = std::get_if<OffsetDeleteAppend>(&pending.purpose)) {
      deletion->response = {};
      deletion->response.error_code = error;
      out.replies.push_back({deletion->ticket, std::move(deletion->response)});
    } else if (auto* group_deletion = std::get_if<GroupDeleteAppend>(&pending.purpose)) {
      out.replies.push_back({group_deletion->ticket, wire::DeleteGroupsResponse::DeletableGroupResult{
                                                         .group_id = pending.group_id, .error_code = error}});
    }
  }
  appends_.clear();
  agenda_.clear();
  groups_.clear();
  holders_.clear();
  memory_ = 0;
  phase_ = Phase::stopped;
}

}  // namespace tailwater::group
