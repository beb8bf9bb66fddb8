// Appends: records go out as one batch with a token; when the log has them, or refuses them, what waits for
// them is carried out. Membership records are snapshots of what memory already says; offsets are applied only
// here.
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

bool GroupCoordinator::add_to_batch(const Turn& turn, const Group& group, const OffsetWrite& write) {
  encode(group.id(), write, record_);
  return add_record(turn);
}

bool GroupCoordinator::add_to_batch(const Turn& turn, const GroupChange& change) {
  encode(change, record_);
  return add_record(turn);
}

bool GroupCoordinator::add_record(const Turn& turn) {
  constexpr std::size_t frame_max = 32;  // of a record around key and value
  const std::size_t bytes = record_.key.size() + (record_.value ? record_.value->size() : 0) + frame_max;
  if (builder_.size() + bytes > batch_bytes_max()) return false;
  return builder_.add(turn.now.wall.ms, Bytes(record_.key), view(record_.value));
}

Buffer GroupCoordinator::finish_batch() {
  Buffer batch;
  const Result<void> finished = builder_.finish(batch);
  CHECK(finished.has_value());
  constexpr std::size_t kKept = std::size_t{16} << 10;
  if (record_.value && record_.value->capacity() > kKept) record_ = {};
  return batch;
}

std::optional<Buffer> GroupCoordinator::make_batch(const Turn& turn, const GroupChange& change) {
  begin_batch();
  if (!add_to_batch(turn, change)) return std::nullopt;
  return finish_batch();
}

void GroupCoordinator::append(Turn& turn, Group& group, Buffer batch, AppendPurpose purpose) {
  const AppendToken token{next_append_++};
  appends_.emplace(token, PendingAppend{group.id(), group.serial(), std::move(purpose)});
  ++group.appends_in_flight;
  turn.out.appends.push_back({token, std::move(batch)});
}

void GroupCoordinator::append_empty_group(Turn& turn, Group& group) {
  std::optional<Buffer> batch = make_batch(turn, {group.id(), group.record()});
  if (!batch) return;  // as if it were refused
  append(turn, group, std::move(*batch), EmptyGroupAppend{});
  group.has_record = true;
}

void GroupCoordinator::begin_writes(Group& group, const OffsetWrites& writes) {
  for (const OffsetWrite& change : writes.changes) group.offsets.begin(change.topic, change.partition);
}

void GroupCoordinator::end_writes(Group* group, OffsetWrites& writes, ErrorCode error) {
  if (group == nullptr) return;
  for (OffsetWrite& change : writes.changes) {
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
            if (error != ErrorCode::none) {
              deletion.response = {};
              deletion.response.error_code = error;
            }
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
            std::optional<ErrorCode> end = error;
            const bool goes_on = group != nullptr && error == ErrorCode::none && !deletion.is_last;
            if (goes_on) end = delete_more(turn, *group, deletion.ticket);
            if (!end) return;
            out.replies.push_back({deletion.ticket, wire::DeleteGroupsResponse::DeletableGroupResult{
                                                        .group_id = pending.group_id, .error_code = *end}});
            if (group == nullptr) return;
            group->deletion_in_flight = false;
            gone = *end == ErrorCode::none;
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
