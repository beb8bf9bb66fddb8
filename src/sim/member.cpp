#include "sim/member.hpp"

#include <algorithm>

#include "sim/consumer.hpp"

namespace tailwater::sim {

namespace {

constexpr std::int16_t kJoinVersion = 5;
constexpr std::int16_t kSyncVersion = 3;
constexpr std::int16_t kHeartbeatVersion = 3;
constexpr std::int16_t kLeaveVersion = 2;
constexpr std::int16_t kOffsetFetchVersion = 5;
constexpr std::int16_t kCommitVersion = 7;
constexpr std::int16_t kFetchVersion = 11;
constexpr std::int32_t kSessionTimeoutMs = 10'000;
constexpr std::int32_t kFetchWaitMs = 400;
constexpr Duration kPauseMax = Duration::from_ms(3);
constexpr Duration kRestMax = Duration::from_ms(300);
constexpr Duration kRetryMax = Duration::from_ms(30);

}  // namespace

Member::Member(Agenda& agenda, Network& network, Ledger& ledger, GroupWatch& watch, std::string name,
               std::string group, std::string topic, std::vector<TrackNumber> tracks)
    : agenda_(agenda),
      ledger_(ledger),
      watch_(watch),
      client_(agenda, network, std::move(name), [this] { again(); }),
      group_(std::move(group)),
      topic_(std::move(topic)),
      tracks_(std::move(tracks)) {}

void Member::start() {
  if (phase_ != Phase::out) return;
  leaving_ = false;
  go(Phase::joining);
}

std::string Member::state() const {
  constexpr const char* kNames[] = {"out",      "joining",    "syncing", "reading offsets",
                                    "fetching", "committing", "beating", "leaving"};
  return std::string(kNames[static_cast<std::size_t>(phase_)]) +
         (client_.busy() ? ", waiting for an answer" : "") + (leaving_ ? ", on its way out" : "") +
         ", generation " + std::to_string(generation_);
}

void Member::go(Phase phase) {
  phase_ = phase;
  step_within(kPauseMax);
}

void Member::again() {
  step_within(kRetryMax);
}

void Member::step_within(Duration bound) {
  if (step_asked_) return;
  step_asked_ = true;
  agenda_.soon(bound, [this] {
    step_asked_ = false;
    step();
  });
}

void Member::rejoin(bool forget_id) {
  if (forget_id) member_id_.clear();
  generation_ = -1;
  assigned_.clear();
  if (leaving_ && member_id_.empty()) return go(Phase::out);
  go(leaving_ ? Phase::leaving : Phase::joining);
}

void Member::step() {
  if (client_.busy()) return;
  switch (phase_) {
    case Phase::out:
      return;
    case Phase::joining:
      return join();
    case Phase::syncing:
      return sync();
    case Phase::reading_offsets:
      return read_offsets();
    case Phase::fetching:
      return fetch();
    case Phase::committing:
      return commit();
    case Phase::beating:
      return beat();
    case Phase::leaving:
      return leave_now();
  }
}

bool Member::must_rejoin(wire::ErrorCode error) {
  using wire::ErrorCode;
  switch (error) {
    case ErrorCode::none:
      return false;
    case ErrorCode::unknown_member_id:
      rejoin(true);
      return true;
    case ErrorCode::illegal_generation:
    case ErrorCode::rebalance_in_progress:
      rejoin(false);
      return true;
    default:
      if (!wire::retriable(error))
        ledger_.fail("I18: " + name() + " was refused with " + std::string(wire::name(error)));
      again();
      return true;
  }
}

void Member::join() {
  wire::JoinGroupRequest request;
  request.group_id = group_;
  request.session_timeout_ms = kSessionTimeoutMs;
  request.rebalance_timeout_ms = kSessionTimeoutMs;
  request.member_id = member_id_;
  request.protocol_type = "consumer";
  const Bytes metadata = as_bytes(name());
  request.protocols.push_back({.name = "sim", .metadata = Buffer(metadata.begin(), metadata.end())});
  client_.ask(kJoinVersion, request,
              [this, floor = watch_.generation_floor()](wire::JoinGroupResponse&& response) {
                if (response.error_code == wire::ErrorCode::member_id_required) {
                  member_id_ = response.member_id;
                  return go(Phase::joining);
                }
                if (must_rejoin(response.error_code)) return;
                member_id_ = response.member_id;
                generation_ = response.generation_id;
                watch_.joined(floor, generation_);
                members_.clear();
                for (const auto& member : response.members) members_.push_back(member.member_id);
                go(Phase::syncing);
              });
}

// Partition p goes to the member with index p mod count; the assignment is the list of partitions.
Buffer Member::assignment_for(std::size_t index) const {
  Buffer bytes;
  for (std::size_t partition = index; partition < tracks_.size(); partition += members_.size()) {
    bytes.push_back(static_cast<std::byte>(partition));
  }
  return bytes;
}

void Member::sync() {
  wire::SyncGroupRequest request;
  request.group_id = group_;
  request.generation_id = generation_;
  request.member_id = member_id_;
  for (std::size_t index = 0; index < members_.size(); ++index) {
    request.assignments.push_back({.member_id = members_[index], .assignment = assignment_for(index)});
  }
  client_.ask(kSyncVersion, request, [this](wire::SyncGroupResponse&& response) {
    if (must_rejoin(response.error_code)) return;
    watch_.synced(generation_);
    assigned_.clear();
    for (const std::byte partition : response.assignment) {
      const auto number = static_cast<std::int32_t>(partition);
      assigned_[number] = {};
      watch_.given(generation_, number, member_id_);
    }
    go(Phase::reading_offsets);
  });
}

void Member::read_offsets() {
  if (assigned_.empty()) return go(Phase::beating);
  wire::OffsetFetchRequest request;
  request.group_id = group_;
  auto& topic = request.topics.emplace().emplace_back();
  topic.name = topic_;
  std::map<std::int32_t, std::int64_t> floors;
  for (const auto& [partition, assigned] : assigned_) {
    topic.partition_indexes.push_back(partition);
    floors[partition] = watch_.floor(partition);
  }
  client_.ask(kOffsetFetchVersion, request, [this, floors](wire::OffsetFetchResponse&& response) {
    if (must_rejoin(response.error_code)) return;
    for (const auto& answered : response.topics) {
      for (const auto& partition : answered.partitions) {
        if (must_rejoin(partition.error_code)) return;
        watch_.fetched(partition.partition_index, floors.at(partition.partition_index),
                       partition.committed_offset);
        assigned_[partition.partition_index].position = std::max<std::int64_t>(0, partition.committed_offset);
      }
    }
    go(Phase::fetching);
  });
}

void Member::fetch() {
  if (leaving_) return leave_now();
  if (std::ranges::any_of(assigned_, [](const auto& each) { return each.second.lost; })) return find_starts();
  wire::FetchRequest request;
  request.max_wait_ms = kFetchWaitMs;
  request.min_bytes = 1;
  request.max_bytes = 4 * 1024 * 1024;
  auto& topic = request.topics.emplace_back();
  topic.topic = topic_;
  for (auto& [partition, assigned] : assigned_) {
    assigned.floor = ledger_.floor(tracks_[static_cast<std::size_t>(partition)]);
    topic.partitions.push_back(
        {.partition = partition, .fetch_offset = assigned.position, .partition_max_bytes = 1024 * 1024});
  }
  client_.ask(kFetchVersion, request, [this](wire::FetchResponse&& response) { take(response); });
}

void Member::find_starts() {
  std::vector<std::int32_t> lost;
  for (const auto& [partition, assigned] : assigned_) {
    if (assigned.lost) lost.push_back(partition);
  }
  client_.ask(kListOffsetsVersion, ask_starts(topic_, lost), [this](wire::ListOffsetsResponse&& response) {
    for (const auto& each : response.topics) {
      for (const auto& answer : each.partitions) {
        Assigned& assigned = assigned_[answer.partition_index];
        if (answer.error_code != wire::ErrorCode::none) continue;
        const TrackNumber track = tracks_[static_cast<std::size_t>(answer.partition_index)];
        assigned.position = start_of(ledger_, track, assigned.floor, assigned.position, answer);
        assigned.lost = false;
      }
    }
    go(Phase::fetching);
  });
}

void Member::take(const wire::FetchResponse& response) {
  behind_ = false;
  for (const auto& topic : response.responses) {
    for (const auto& partition : topic.partitions) {
      Assigned& assigned = assigned_[partition.partition_index];
      const TrackNumber track = tracks_[static_cast<std::size_t>(partition.partition_index)];
      if (partition.error_code == wire::ErrorCode::offset_out_of_range) {
        ledger_.out_of_range(track, assigned.position);
        assigned.lost = behind_ = true;
        continue;
      }
      if (partition.error_code == wire::ErrorCode::corrupt_message) {
        assigned.position = ledger_.told_damaged(track, assigned.position);
        behind_ = true;
        continue;
      }
      if (partition.error_code != wire::ErrorCode::none) {
        if (wire::retriable(partition.error_code)) continue;
        ledger_.fail("I18: " + name() + ": fetch refused with " +
                     std::string(wire::name(partition.error_code)));
        return;
      }
      const std::int64_t before = assigned.position;
      assigned.position = check_fetched(ledger_, track, assigned.floor, before, partition);
      behind_ = behind_ || assigned.position < partition.high_watermark;
      records_read_ += static_cast<std::uint64_t>(assigned.position - before);
    }
  }
  go(Phase::committing);
}

void Member::commit() {
  wire::OffsetCommitRequest request;
  request.group_id = group_;
  request.generation_id_or_member_epoch = generation_;
  request.member_id = member_id_;
  auto& topic = request.topics.emplace_back();
  topic.name = topic_;
  for (const auto& [partition, assigned] : assigned_) {
    topic.partitions.push_back({.partition_index = partition,
                                .committed_offset = assigned.position,
                                .committed_metadata = std::string_view()});
  }
  client_.ask(kCommitVersion, request, [this](wire::OffsetCommitResponse&& response) {
    for (const auto& answered : response.topics) {
      for (const auto& partition : answered.partitions) {
        if (must_rejoin(partition.error_code)) return;
      }
    }
    for (const auto& [partition, assigned] : assigned_) watch_.committed(partition, assigned.position);
    go(Phase::beating);
  });
}

void Member::beat() {
  wire::HeartbeatRequest request;
  request.group_id = group_;
  request.generation_id = generation_;
  request.member_id = member_id_;
  client_.ask(kHeartbeatVersion, request, [this](wire::HeartbeatResponse&& response) {
    if (must_rejoin(response.error_code)) return;
    phase_ = assigned_.empty() && !leaving_ ? Phase::beating : Phase::fetching;
    step_within(behind_ ? kPauseMax : kRestMax);
  });
}

void Member::leave_now() {
  phase_ = Phase::leaving;
  wire::LeaveGroupRequest request;
  request.group_id = group_;
  request.member_id = member_id_;
  client_.ask(kLeaveVersion, request, [this](wire::LeaveGroupResponse&&) {
    member_id_.clear();
    generation_ = -1;
    assigned_.clear();
    go(Phase::out);
  });
}

}  // namespace tailwater::sim
