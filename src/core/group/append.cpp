// Appends: records go out as one batch with a token; when the log has them, or refuses them, what waits for
// them is carried out. Membership records are snapshots of what memory already says; offsets are applied only
// here.
#include <array>

#include "base/check.hpp"
#include "core/group/coordinator.hpp"
#include "core/group/responses.hpp"
#include "wire/coordinator_error.hpp"

namespace tailwater::group {
namespace {

std::optional<Bytes> view(const std::optional<Buffer>& bytes) {
  if (!bytes) return std::nullopt;
  return Bytes(*bytes);
}

template <class... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};

}  // namespace

bool GroupCoordinator::add_to_batch(const Turn& turn, const OffsetChange& change) {
  encode(change, record_);
  return builder_.add(turn.now.wall.ms, Bytes(record_.key), view(record_.value));
}

bool GroupCoordinator::add_to_batch(const Turn& turn, const GroupChange& change) {
  encode(change, record_);
  return builder_.add(turn.now.wall.ms, Bytes(record_.key), view(record_.value));
}

bool GroupCoordinator::add_to_batch(const Turn& turn, const Change& change) {
  return std::visit([&](const auto& each) { return add_to_batch(turn, each); }, change);
}

Buffer GroupCoordinator::finish_batch() {
  Buffer batch;
  const Result<void> finished = builder_.finish(batch);
  CHECK(finished.has_value());
  constexpr std::size_t kKept = std::size_t{16} << 10;
  if (record_.value && record_.value->capacity() > kKept) record_ = {};
  return batch;
}

void GroupCoordinator::append(Turn& turn, Group& group, Buffer batch, AppendPurpose purpose) {
  const AppendToken token{next_append_++};
  appends_.emplace(token, PendingAppend{group.id(), group.serial(), std::move(purpose)});
  ++group.appends_in_flight;
  turn.out.appends.push_back({token, std::move(batch)});
}

void GroupCoordinator::append_empty_group(Turn& turn, Group& group) {
  const std::array record{GroupChange{group.id(), group.record()}};
  append(turn, group, make_batch_of_any_size(turn, record), EmptyGroupAppend{});
  group.has_record = true;
}

void GroupCoordinator::begin_writes(Group& group, const OffsetWrites& writes) {
  for (const OffsetChange& change : writes.changes) group.offsets.begin(change.topic, change.partition);
}

void GroupCoordinator::end_writes(Group* group, OffsetWrites& writes, ErrorCode error) {
  if (group == nullptr) return;
  for (OffsetChange& change : writes.changes) {
    if (error == ErrorCode::none)
      group->offsets.apply(change.topic, change.partition, std::move(change.value));
    group->offsets.end(change.topic, change.partition);
  }
}

void GroupCoordinator::persisted(AppendToken token, ErrorCode log_error, Now now, GroupEffects& out) {
  const auto found = appends_.find(token);
  if (found == appends_.end()) return;
  PendingAppend pending = std::move(found->second);
  appends_.erase(found);

  Turn turn{now, out};
  const ErrorCode error = wire::coordinator_error(log_error);
  Group* group = find(pending.group_id);
  if (group != nullptr && group->serial() != pending.serial) group = nullptr;
  if (group != nullptr) --group->appends_in_flight;
  bool gone = false;
  std::visit(
      Overloaded{
          [&](CommitAppend& commit) {
            end_writes(group, commit.writes, error);
            set_error(commit.response, error);
            out.replies.push_back({commit.ticket, std::move(commit.response)});
          },
          [&](TxnCommitAppend& commit) {
            hold_writes(group, commit, error);
            set_error(commit.response, error);
            out.replies.push_back({commit.ticket, std::move(commit.response)});
          },
          [&](OffsetDeleteAppend& deletion) {
            end_writes(group, deletion.writes, error);
            set_error(deletion.response, error);
            out.replies.push_back({deletion.ticket, std::move(deletion.response)});
          },
          [&](ExpiryAppend& expiry) {
            end_writes(group, expiry.writes, error);
            if (group == nullptr || !expiry.deletes_group) return;
            group->deletion_in_flight = false;
            gone = error == ErrorCode::none;
          },
          [&](GroupDeleteAppend& deletion) {
            end_writes(group, deletion.writes, error);
            out.replies.push_back({deletion.ticket, wire::DeleteGroupsResponse::DeletableGroupResult{
                                                        .group_id = pending.group_id, .error_code = error}});
            if (group == nullptr) return;
            group->deletion_in_flight = false;
            gone = error == ErrorCode::none;
          },
          [&](AssignmentAppend& assignment) {
            if (group != nullptr) assignment_stored(turn, *group, assignment, error);
          },
          [&](StaticMemberAppend& replacement) {
            if (group != nullptr) answer_static_member(turn, *group, replacement, error);
          },
          [](EmptyGroupAppend&) {},  // if it was refused, a restart finds old members, whose sessions end
      },
      pending.purpose);
  if (gone) {
    erase(*group);
  } else if (group != nullptr) {
    settle(*group);
  }
  finish(turn);
}

}  // namespace tailwater::group
