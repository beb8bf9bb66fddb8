// OffsetCommit, OffsetFetch and OffsetDelete. A commit is written first; only then fetches see it and its
// client is answered.
#include <algorithm>
#include <set>
#include <type_traits>
#include <utility>

#include "core/group/coordinator.hpp"
#include "core/group/partition.hpp"
#include "core/group/responses.hpp"

namespace tailwater::group {
namespace {

constexpr std::int64_t kNoOffset = -1;

using FetchGroup = wire::OffsetFetchResponse::OffsetFetchResponseGroup;
using FetchTopic = wire::OffsetFetchResponse::OffsetFetchResponseTopics;
using FetchPartition = wire::OffsetFetchResponse::OffsetFetchResponsePartitions;

FetchPartition unstable(std::int32_t partition) {
  FetchPartition answer;
  answer.partition_index = partition;
  answer.committed_offset = kNoOffset;
  answer.committed_leader_epoch = -1;
  answer.metadata = std::string();
  answer.error_code = ErrorCode::unstable_offset_commit;
  return answer;
}

FetchPartition fetched(std::int32_t partition, const CommittedOffset* committed) {
  FetchPartition answer;
  answer.partition_index = partition;
  answer.committed_offset = committed != nullptr ? committed->offset : kNoOffset;
  answer.committed_leader_epoch = committed != nullptr ? committed->leader_epoch : -1;
  answer.metadata = committed != nullptr ? committed->metadata : std::string();
  return answer;
}

// An offset of a topic that was deleted and made anew under the same name is none of the new topic's.
bool is_of_other_topic(const CommittedOffset& committed, const Uuid& topic_id) {
  return !committed.topic_id.is_zero() && !topic_id.is_zero() && committed.topic_id != topic_id;
}

// When an offset ends for which the client has set the time itself; -1 if it has not.
std::int64_t expire_time(std::int64_t now_ms, const wire::OffsetCommitRequest& request) {
  const std::int64_t retention_ms = request.retention_time_ms;
  if (retention_ms < 0) return -1;
  return retention_ms > INT64_MAX - now_ms ? INT64_MAX : now_ms + retention_ms;
}
std::int64_t expire_time(std::int64_t, const wire::TxnOffsetCommitRequest&) {
  return -1;
}

// Clients that name topics by their ids are told of the id.
template <class Request>
ErrorCode error_of_gone_topic(std::int16_t version) {
  constexpr std::int16_t first_with_ids = std::is_same_v<Request, wire::OffsetCommitRequest> ? 10 : 6;
  return version >= first_with_ids ? ErrorCode::unknown_topic_id : ErrorCode::unknown_topic_or_partition;
}

}  // namespace

ErrorCode GroupCoordinator::check_commit(Group& group, const wire::OffsetCommitRequest& request) const {
  if (group.is(State::dead) || group.deletion_in_flight) return ErrorCode::coordinator_not_available;
  const std::int32_t generation = request.generation_id_or_member_epoch;
  // Simple consumers and administrators commit without a membership, as long as there are no members.
  if (generation < 0 && group.is(State::empty)) return ErrorCode::none;
  const bool names_member =
      generation >= 0 || !request.member_id.empty() || request.group_instance_id.has_value();
  if (!names_member) return group.is(State::empty) ? ErrorCode::none : ErrorCode::unknown_member_id;
  const ErrorCode error = check_member(group, request.member_id, request.group_instance_id);
  if (error != ErrorCode::none) return error;
  if (generation != group.generation()) return ErrorCode::illegal_generation;
  return group.is(State::completing) ? ErrorCode::rebalance_in_progress : ErrorCode::none;
}

void GroupCoordinator::offset_commit(const Call& call, const wire::OffsetCommitRequest& request,
                                     GroupEffects& out) {
  constexpr std::int16_t error_for_missing_group_version = 9;
  const auto refuse = [&](ErrorCode error) {
    out.replies.push_back({call.ticket, commit_response<wire::OffsetCommitResponse>(request, error)});
  };
  if (const ErrorCode error = availability(); error != ErrorCode::none) return refuse(error);
  Group* group = find(request.group_id);
  if (group == nullptr) {
    if (request.generation_id_or_member_epoch >= 0) {
      return refuse(call.version >= error_for_missing_group_version ? ErrorCode::group_id_not_found
                                                                    : ErrorCode::illegal_generation);
    }
    if (memory_is_full()) return refuse(ErrorCode::invalid_commit_offset_size);
    group = &create(std::string(request.group_id), call.now.wall);
  }
  if (const ErrorCode error = check_commit(*group, request); error != ErrorCode::none) return refuse(error);

  Turn turn{call.now, out};
  if (Member* member = group->find(request.member_id)) refresh_session(*group, *member, call.now.monotonic);
  CommitAppend commit{.ticket = call.ticket,
                      .response = commit_response<wire::OffsetCommitResponse>(request, ErrorCode::none),
                      .writes = {}};
  begin_batch();
  if (decide_commit(turn, call, *group, request, commit)) {
    begin_writes(*group, commit.writes);
    append(turn, *group, finish_batch(), std::move(commit));
  } else {
    out.replies.push_back({call.ticket, std::move(commit.response)});
  }
  settle(*group);
  finish(turn);
}

ErrorCode GroupCoordinator::check_offset(const Group& group, std::string_view topic, std::int32_t partition,
                                         std::string_view metadata) const {
  if (utf16_length(metadata) > options_.offset_metadata_max || metadata.size() > wire::kStringSizeMax) {
    return ErrorCode::offset_metadata_too_large;
  }
  if (memory_is_full() && !group.offsets.knows(topic, partition))
    return ErrorCode::invalid_commit_offset_size;
  return ErrorCode::none;
}

template <class Request, class Commit>
bool GroupCoordinator::decide_commit(const Turn& turn, const Call& call, const Group& group,
                                     const Request& request, Commit& commit) {
  const std::int64_t now_ms = turn.now.wall.ms;
  const std::int64_t expires = expire_time(now_ms, request);
  for (std::size_t topic_index = 0; topic_index < request.topics.size(); ++topic_index) {
    const auto& topic = request.topics[topic_index];
    const bool is_gone = call.is_gone != nullptr && (*call.is_gone)(topic.name, topic.topic_id);
    for (std::size_t index = 0; index < topic.partitions.size(); ++index) {
      const auto& partition = topic.partitions[index];
      ErrorCode& error = commit.response.topics[topic_index].partitions[index].error_code;
      const std::string_view metadata = partition.committed_metadata.value_or(std::string_view());
      error = is_gone ? error_of_gone_topic<Request>(call.version)
                      : check_offset(group, topic.name, partition.partition_index, metadata);
      if (error != ErrorCode::none) continue;
      OffsetWrite write{.topic = std::string(topic.name),
                        .partition = partition.partition_index,
                        .value = CommittedOffset{.offset = partition.committed_offset,
                                                 .leader_epoch = partition.committed_leader_epoch,
                                                 .metadata = std::string(metadata),
                                                 .commit_time_ms = now_ms,
                                                 .expire_time_ms = expires,
                                                 .topic_id = topic.topic_id}};
      if (!add_to_batch(turn, group, write)) {
        set_error(commit.response, ErrorCode::unknown_server_error);
        return false;
      }
      commit.writes.changes.push_back(std::move(write));
    }
  }
  return !builder_.empty();
}

template bool GroupCoordinator::decide_commit(const Turn& turn, const Call& call, const Group& group,
                                              const wire::OffsetCommitRequest& request, CommitAppend& commit);
template bool GroupCoordinator::decide_commit(const Turn& turn, const Call& call, const Group& group,
                                              const wire::TxnOffsetCommitRequest& request,
                                              TxnCommitAppend& commit);

FetchGroup GroupCoordinator::offset_fetch(const wire::OffsetFetchRequest::OffsetFetchRequestGroup& request,
                                          Stability stability) const {
  const bool stable_only = stability == Stability::required;
  FetchGroup answer;
  answer.group_id = request.group_id;
  answer.error_code = availability();
  if (answer.error_code != ErrorCode::none) return answer;
  const auto found = groups_.find(request.group_id);
  const Group* group = found == groups_.end() ? nullptr : &found->second;
  if (request.topics) {
    for (const auto& topic : *request.topics) {
      FetchTopic& answered = answer.topics.emplace_back();
      answered.name = topic.name;
      answered.topic_id = topic.topic_id;
      for (const std::int32_t partition : topic.partition_indexes) {
        if (stable_only && group != nullptr && group->offsets.is_unstable(topic.name, partition)) {
          answered.partitions.push_back(unstable(partition));
          continue;
        }
        const CommittedOffset* committed =
            group == nullptr ? nullptr : group->offsets.find(topic.name, partition);
        if (committed != nullptr && is_of_other_topic(*committed, topic.topic_id)) committed = nullptr;
        answered.partitions.push_back(fetched(partition, committed));
      }
    }
    return answer;
  }
  if (group == nullptr) return answer;
  for (const auto& [topic, partitions] : group->offsets.topics()) {
    FetchTopic answered;
    answered.name = topic;
    // Records of clients that set a time to expire do not keep the id.
    const auto note_id = [&answered](const Uuid& id) {
      if (!id.is_zero()) answered.topic_id = id;
    };
    for (const auto& [partition, entry] : partitions) {
      if (stable_only && !entry.held.empty()) {
        note_id(entry.held.front().value.topic_id);
        answered.partitions.push_back(unstable(partition));
        continue;
      }
      if (!entry.committed) continue;
      note_id(entry.committed->topic_id);
      answered.partitions.push_back(fetched(partition, &*entry.committed));
    }
    if (!answered.partitions.empty()) answer.topics.push_back(std::move(answered));
  }
  return answer;
}

void GroupCoordinator::offset_delete(const Call& call, const wire::OffsetDeleteRequest& request,
                                     GroupEffects& out) {
  OffsetDeleteAppend deletion{.ticket = call.ticket, .response = {}, .writes = {}};
  const auto refuse = [&](ErrorCode error) {
    if (error != ErrorCode::none) deletion.response.topics.clear();
    deletion.response.error_code = error;
    out.replies.push_back({call.ticket, std::move(deletion.response)});
  };
  if (request.group_id.empty()) return refuse(ErrorCode::invalid_group_id);
  if (const ErrorCode error = availability(); error != ErrorCode::none) return refuse(error);
  Group* group = find(request.group_id);
  if (group == nullptr || group->is(State::dead) || group->deletion_in_flight) {
    return refuse(ErrorCode::group_id_not_found);
  }
  // While there are members only topics that no consumer of the group reads may go; other protocols do not
  // say.
  if (!group->is(State::empty) && !group->uses_consumer_protocol()) return refuse(ErrorCode::non_empty_group);

  Turn turn{call.now, out};
  std::set<std::pair<std::string_view, std::int32_t>> taken;
  begin_batch();
  for (const auto& topic : request.topics) {
    auto& answered = deletion.response.topics.emplace_back();
    answered.name = topic.name;
    const bool is_read = group->is_subscribed_to(topic.name);
    for (const auto& partition : topic.partitions) {
      answered.partitions.push_back(
          {.partition_index = partition.partition_index,
           .error_code = is_read ? ErrorCode::group_subscribed_to_topic : ErrorCode::none});
      if (is_read || !group->offsets.knows(topic.name, partition.partition_index)) continue;
      if (!taken.emplace(topic.name, partition.partition_index).second) continue;
      OffsetWrite tombstone{.topic = topic.name, .partition = partition.partition_index, .value = {}};
      if (!add_to_batch(turn, *group, tombstone)) return refuse(ErrorCode::unknown_server_error);
      deletion.writes.changes.push_back(std::move(tombstone));
    }
  }
  if (builder_.empty()) return refuse(ErrorCode::none);
  begin_writes(*group, deletion.writes);
  append(turn, *group, finish_batch(), std::move(deletion));
  settle(*group);
  finish(turn);
}

wire::OffsetFetchRequest::OffsetFetchRequestGroup as_group_request(const wire::OffsetFetchRequest& request) {
  wire::OffsetFetchRequest::OffsetFetchRequestGroup group;
  group.group_id = request.group_id;
  if (!request.topics) return group;
  group.topics.emplace();
  for (const auto& topic : *request.topics) {
    auto& asked = group.topics->emplace_back();
    asked.name = topic.name;
    asked.partition_indexes = topic.partition_indexes;
  }
  return group;
}

wire::OffsetFetchResponse merge_offset_fetch(const wire::OffsetFetchRequest& request, std::int16_t version,
                                             std::vector<FetchGroup> groups) {
  constexpr std::int16_t many_groups_version = 8;
  constexpr std::int16_t group_error_version = 2;
  wire::OffsetFetchResponse response;
  if (version >= many_groups_version) {
    response.groups = std::move(groups);
    return response;
  }
  if (groups.empty()) return response;
  FetchGroup& group = groups.front();
  response.error_code = group.error_code;
  for (FetchTopic& topic : group.topics) {
    auto& answered = response.topics.emplace_back();
    answered.name = std::move(topic.name);
    for (FetchPartition& partition : topic.partitions) {
      answered.partitions.push_back({.partition_index = partition.partition_index,
                                     .committed_offset = partition.committed_offset,
                                     .committed_leader_epoch = partition.committed_leader_epoch,
                                     .metadata = std::move(partition.metadata),
                                     .error_code = partition.error_code});
    }
  }
  if (version >= group_error_version || group.error_code == ErrorCode::none || !request.topics)
    return response;
  // v1 has no place for a group's error: each partition carries it.
  for (const auto& topic : *request.topics) {
    auto& answered = response.topics.emplace_back();
    answered.name = topic.name;
    for (const std::int32_t partition : topic.partition_indexes) {
      answered.partitions.push_back({.partition_index = partition,
                                     .committed_offset = kNoOffset,
                                     .committed_leader_epoch = -1,
                                     .metadata = std::string(),
                                     .error_code = group.error_code});
    }
  }
  return response;
}

}  // namespace tailwater::group
