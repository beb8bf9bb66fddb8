// Offsets that are committed within a transaction: written as part of it, held while it is open, and taken or
// dropped when the marker that ends it is in the log.
#include <utility>

#include "core/group/coordinator.hpp"
#include "core/group/responses.hpp"

namespace tailwater::group {

// KIP-447: a producer that says for which member it commits is refused when the member's time is over. Unlike
// other commits these are taken in the middle of a rebalance.
ErrorCode GroupCoordinator::check_commit(Group& group, const wire::TxnOffsetCommitRequest& request) const {
  if (group.is(State::dead) || group.deletion_in_flight) return ErrorCode::coordinator_not_available;
  const std::int32_t generation = request.generation_id_or_member_epoch;
  if (generation < 0 && group.is(State::empty)) return ErrorCode::none;
  const bool names_member =
      generation >= 0 || !request.member_id.empty() || request.group_instance_id.has_value();
  if (!names_member) return ErrorCode::none;
  const ErrorCode error = check_member(group, request.member_id, request.group_instance_id);
  if (error != ErrorCode::none) return error;
  return generation == group.generation() ? ErrorCode::none : ErrorCode::illegal_generation;
}

void GroupCoordinator::txn_offset_commit(const Call& call, const wire::TxnOffsetCommitRequest& request,
                                         GroupEffects& out) {
  const auto refuse = [&](ErrorCode error) {
    out.replies.push_back({call.ticket, commit_response<wire::TxnOffsetCommitResponse>(request, error)});
  };
  if (request.group_id.empty()) return refuse(ErrorCode::invalid_group_id);
  if (const ErrorCode error = availability(); error != ErrorCode::none) return refuse(error);
  Group* group = find(request.group_id);
  if (group == nullptr) {
    if (request.generation_id_or_member_epoch >= 0) return refuse(ErrorCode::illegal_generation);
    if (memory_is_full()) return refuse(ErrorCode::invalid_commit_offset_size);
    group = &create(std::string(request.group_id), call.now.wall);
  }
  Turn turn{call.now, out};
  const ErrorCode error = check_commit(*group, request);
  if (error == ErrorCode::none) {
    if (Member* member = group->find(request.member_id)) {
      refresh_session(*group, *member, call.now.monotonic);
    }
    TxnCommitAppend commit{
        .ticket = call.ticket,
        .producer = ProducerId{request.producer_id},
        .response = commit_response<wire::TxnOffsetCommitResponse>(request, ErrorCode::none),
        .writes = {}};
    begin_batch({.producer_id = commit.producer,
                 .producer_epoch = ProducerEpoch{request.producer_epoch},
                 .transactional = true});
    if (decide_commit(turn, call, *group, request, commit)) {
      begin_writes(*group, commit.writes);
      append(turn, *group, finish_batch(), std::move(commit));
    } else {
      out.replies.push_back({call.ticket, std::move(commit.response)});
    }
  } else {
    refuse(error);
  }
  settle(*group);
  finish(turn);
}

void GroupCoordinator::hold_writes(Group* group, TxnCommitAppend& commit, ErrorCode error) {
  if (group == nullptr) return;
  for (OffsetWrite& change : commit.writes.changes) {
    if (error == ErrorCode::none) {
      group->offsets.hold(commit.producer, change.topic, change.partition, std::move(*change.value));
    }
    group->offsets.end(change.topic, change.partition);
  }
  if (error == ErrorCode::none) holders_[commit.producer].insert(group->id());
}

void GroupCoordinator::transaction_ended(ProducerId producer, bool commits, Now now, GroupEffects& out) {
  const auto holder = holders_.find(producer);
  if (holder == holders_.end()) return;
  const auto groups = std::move(holder->second);
  holders_.erase(holder);
  Turn turn{now, out};
  for (const std::string& id : groups) {
    Group* group = find(id);
    if (group == nullptr) continue;
    group->offsets.release(producer, commits);
    settle(*group);
  }
  if (phase_ == Phase::active) finish(turn);
}

}  // namespace tailwater::group
