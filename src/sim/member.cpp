#include "sim/member.hpp"

#include "records/batch.hpp"

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
constexpr std::int32_t kFetchWaitMs = 100;
constexpr Duration kPauseMax = Duration::from_ms(3);
constexpr Duration kRetryMax = Duration::from_ms(30);

}  // namespace

Member::Member(Agenda& agenda, Broker& broker, std::string name, std::string group, std::string topic,
               std::int32_t partitions, Given given)
    : agenda_(agenda),
      client_(broker, std::move(name), [this] { again(); }),
      group_(std::move(group)),
      topic_(std::move(topic)),
      partitions_(partitions),
      given_(std::move(given)) {}

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
  agenda_.soon(kPauseMax, [this] { step(); });
}

void Member::again() {
  agenda_.soon(kRetryMax, [this] { step(); });
}

void Member::rejoin(bool forget_id) {
  if (forget_id) member_id_.clear();
  generation_ = -1;
  position_.clear();
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
    case ErrorCode::not_coordinator:
    case ErrorCode::coordinator_not_available:
    case ErrorCode::coordinator_load_in_progress:
      again();
      return true;
    default:
      complaint_ = name() + ": refused with " + std::string(wire::name(error));
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
  client_.ask(kJoinVersion, request, [this](wire::JoinGroupResponse&& response) {
    if (response.error_code == wire::ErrorCode::member_id_required) {
      member_id_ = response.member_id;
      return go(Phase::joining);
    }
    if (must_rejoin(response.error_code)) return;
    member_id_ = response.member_id;
    generation_ = response.generation_id;
    members_.clear();
    for (const auto& member : response.members) members_.push_back(member.member_id);
    go(Phase::syncing);
  });
}

// Partition p goes to the member with index p mod count; the assignment is the list of partitions.
Buffer Member::assignment_for(std::size_t index) const {
  Buffer bytes;
  for (std::int32_t partition = 0; partition < partitions_; ++partition) {
    if (static_cast<std::size_t>(partition) % members_.size() != index) continue;
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
    position_.clear();
    for (const std::byte partition : response.assignment) {
      const auto number = static_cast<std::int32_t>(partition);
      position_[number] = 0;
      given_(generation_, number, member_id_);
    }
    go(Phase::reading_offsets);
  });
}

void Member::read_offsets() {
  if (position_.empty()) return go(Phase::beating);
  wire::OffsetFetchRequest request;
  request.group_id = group_;
  auto& topic = request.topics.emplace().emplace_back();
  topic.name = topic_;
  for (const auto& [partition, offset] : position_) topic.partition_indexes.push_back(partition);
  client_.ask(kOffsetFetchVersion, request, [this](wire::OffsetFetchResponse&& response) {
    if (must_rejoin(response.error_code)) return;
    for (const auto& answered : response.topics) {
      for (const auto& partition : answered.partitions) {
        if (partition.committed_offset >= 0)
          position_[partition.partition_index] = partition.committed_offset;
      }
    }
    go(Phase::fetching);
  });
}

void Member::fetch() {
  if (leaving_) return leave_now();
  wire::FetchRequest request;
  request.max_wait_ms = kFetchWaitMs;
  request.min_bytes = 1;
  request.max_bytes = 64 * 1024;
  auto& topic = request.topics.emplace_back();
  topic.topic = topic_;
  for (const auto& [partition, offset] : position_) {
    topic.partitions.push_back(
        {.partition = partition, .fetch_offset = offset, .partition_max_bytes = 16 * 1024});
  }
  client_.ask(kFetchVersion, request, [this](wire::FetchResponse&& response) { take(response); });
}

void Member::take(const wire::FetchResponse& response) {
  for (const auto& topic : response.responses) {
    for (const auto& partition : topic.partitions) {
      if (partition.error_code != wire::ErrorCode::none) {
        if (wire::retriable(partition.error_code)) continue;
        complaint_ = name() + ": fetch refused with " + std::string(wire::name(partition.error_code));
        return;
      }
      std::int64_t& position = position_[partition.partition_index];
      records::BatchCursor cursor(partition.records.value_or(Bytes{}));
      while (const auto batch = cursor.next()) {
        if (!batch->crc_matches()) complaint_ = name() + ": a batch with a wrong CRC";
        if (batch->last_offset().value < position) continue;
        records_read_ += static_cast<std::uint64_t>(batch->last_offset().value + 1 -
                                                    std::max(position, batch->base_offset().value));
        position = batch->last_offset().value + 1;
      }
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
  for (const auto& [partition, offset] : position_) {
    topic.partitions.push_back(
        {.partition_index = partition, .committed_offset = offset, .committed_metadata = std::string()});
  }
  client_.ask(kCommitVersion, request, [this](wire::OffsetCommitResponse&& response) {
    for (const auto& answered : response.topics) {
      for (const auto& partition : answered.partitions) {
        if (must_rejoin(partition.error_code)) return;
      }
    }
    for (const auto& [partition, offset] : position_) committed_[partition] = offset;
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
    go(position_.empty() && !leaving_ ? Phase::beating : Phase::fetching);
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
    position_.clear();
    go(Phase::out);
  });
}

}  // namespace tailwater::sim
