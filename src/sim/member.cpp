#include "sim/member.hpp"

#include <algorithm>

#include "sim/consumer.hpp"

namespace tailwater::sim {

namespace {

// The first versions that know static members.
constexpr int kFirstStaticJoin = 5;
constexpr int kFirstStaticSync = 3;
constexpr int kFirstStaticHeartbeat = 3;
constexpr int kFirstStaticCommit = 7;
constexpr int kFirstLeaveOfMany = 3;
constexpr int kFirstCommitWithIds = 10;
constexpr int kFirstOffsetFetchOfGroups = 8;
constexpr int kFirstOffsetFetchWithIds = 10;
constexpr std::string_view kProtocolType = "consumer";
constexpr std::string_view kProtocol = "sim";
constexpr std::int32_t kSessionTimeoutMs = 10'000;
constexpr std::int32_t kFetchWaitMs = 400;
constexpr Duration kPauseMax = Duration::from_ms(3);
constexpr Duration kRestMax = Duration::from_ms(300);
constexpr Duration kRetryMax = Duration::from_ms(30);

}  // namespace

Member::Member(Agenda& agenda, Network& network, Ledger& ledger, GroupWatch& watch, std::string name,
               std::string group, Topic topic, std::vector<TrackNumber> tracks, Kind kind)
    : agenda_(agenda),
      ledger_(ledger),
      watch_(watch),
      group_(std::move(group)),
      topic_(std::move(topic)),
      tracks_(std::move(tracks)),
      kind_(kind),
      versions_(draw_versions(agenda.random(), topic_, kind)),
      fetching_(agenda.random(), ledger, topic_, Fetching::Sessions::perhaps),
      client_(agenda, network, std::move(name), [this] {
        fetching_.begin_anew();
        again();
      }) {}

Member::Versions Member::draw_versions(Prng& random, const Topic& topic, Kind kind) {
  const auto least = [&](int of_static) { return kind == Kind::fixed ? of_static : 0; };
  Versions versions;
  versions.join = draw_version<wire::JoinGroupRequest>(random, least(kFirstStaticJoin));
  versions.sync = draw_version<wire::SyncGroupRequest>(random, least(kFirstStaticSync));
  versions.heartbeat = draw_version<wire::HeartbeatRequest>(random, least(kFirstStaticHeartbeat));
  versions.leave = draw_version<wire::LeaveGroupRequest>(random, least(kFirstLeaveOfMany));
  versions.offset_fetch = draw_version_for<wire::OffsetFetchRequest>(random, topic, kFirstOffsetFetchWithIds);
  versions.list_offsets = draw_version<wire::ListOffsetsRequest>(random);
  versions.commit = draw_version_for<wire::OffsetCommitRequest>(random, topic, kFirstCommitWithIds,
                                                                least(kFirstStaticCommit));
  return versions;
}

void Member::leave() {
  if (!leaving_) silently_ = kind_ == Kind::fixed && agenda_.random().one_in(2);
  leaving_ = true;
}

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
    case ErrorCode::fenced_instance_id:
      // Of an id that was given out just before it died the coordinator need not know.
      if (member_id_ == on_record_)
        ledger_.fail("I14: " + name() + " was fenced, and nobody else has its name");
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
  request.protocol_type = kProtocolType;
  request.group_instance_id = instance();
  const Bytes metadata = as_bytes(name());
  request.protocols.push_back(
      {.name = std::string(kProtocol), .metadata = Buffer(metadata.begin(), metadata.end())});
  client_.ask(versions_.join, request,
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
                // A static leader that came again finds the group as it was.
                if (!response.skip_assignment) {
                  for (const auto& member : response.members) members_.push_back(member.member_id);
                }
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
  request.group_instance_id = instance();
  request.protocol_type = kProtocolType;
  request.protocol_name = kProtocol;
  for (std::size_t index = 0; index < members_.size(); ++index) {
    request.assignments.push_back({.member_id = members_[index], .assignment = assignment_for(index)});
  }
  client_.ask(versions_.sync, request, [this](wire::SyncGroupResponse&& response) {
    if (must_rejoin(response.error_code)) return;
    watch_.synced(generation_);
    on_record_ = member_id_;
    assigned_.clear();
    for (const std::byte partition : response.assignment) {
      const auto number = static_cast<std::int32_t>(partition);
      assigned_[number] = {};
      // A static one may have got another id meanwhile.
      watch_.given(generation_, number, kind_ == Kind::fixed ? name() : member_id_);
    }
    go(Phase::reading_offsets);
  });
}

void Member::read_offsets() {
  if (assigned_.empty()) return go(Phase::beating);
  const bool of_groups = versions_.offset_fetch >= kFirstOffsetFetchOfGroups;
  std::vector<std::int32_t> partitions;
  std::map<std::int32_t, std::int64_t> floors;
  for (const auto& [partition, assigned] : assigned_) {
    partitions.push_back(partition);
    floors[partition] = watch_.floor(partition);
  }
  wire::OffsetFetchRequest request;
  if (of_groups) {
    auto& group = request.groups.emplace_back();
    group.group_id = group_;
    group.topics.emplace().push_back(
        {.name = topic_.name, .topic_id = topic_.id, .partition_indexes = partitions});
  } else {
    request.group_id = group_;
    request.topics.emplace().push_back({.name = topic_.name, .partition_indexes = partitions});
  }
  client_.ask(versions_.offset_fetch, request, [this, floors](wire::OffsetFetchResponse&& response) {
    if (must_rejoin(response.error_code)) return;
    const auto all_found = [&](const auto& topics) {
      for (const auto& topic : topics) {
        for (const auto& each : topic.partitions) {
          if (!found_offset(each.partition_index, floors.at(each.partition_index), each.error_code,
                            each.committed_offset))
            return false;
        }
      }
      return true;
    };
    if (!all_found(response.topics)) return;
    for (const auto& group : response.groups) {
      if (must_rejoin(group.error_code) || !all_found(group.topics)) return;
    }
    go(Phase::fetching);
  });
}

bool Member::found_offset(std::int32_t partition, std::int64_t floor, wire::ErrorCode error,
                          std::int64_t committed) {
  if (must_rejoin(error)) return false;
  watch_.fetched(partition, floor, committed);
  assigned_[partition].position = std::max<std::int64_t>(0, committed);
  return true;
}

void Member::fetch() {
  if (leaving_) return leave_now();
  if (std::ranges::any_of(assigned_, [](const auto& each) { return each.second.lost; })) return find_starts();
  std::vector<FetchTarget> targets;
  for (auto& [partition, assigned] : assigned_) {
    assigned.floor = ledger_.floor(tracks_[static_cast<std::size_t>(partition)]);
    targets.push_back({partition, assigned.position, 1024 * 1024});
  }
  wire::FetchRequest request = fetching_.request(targets);
  request.max_wait_ms = kFetchWaitMs;
  request.min_bytes = 1;
  request.max_bytes = 4 * 1024 * 1024;
  client_.ask(fetching_.version(), request, [this](wire::FetchResponse&& response) { take(response); });
}

void Member::find_starts() {
  std::vector<std::int32_t> lost;
  for (const auto& [partition, assigned] : assigned_) {
    if (assigned.lost) lost.push_back(partition);
  }
  client_.ask(versions_.list_offsets, ask_starts(topic_.name, lost),
              [this](wire::ListOffsetsResponse&& response) {
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
  if (!fetching_.accept(response)) return again();
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
  request.group_instance_id = instance();
  auto& topic = request.topics.emplace_back();
  topic.name = topic_.name;
  topic.topic_id = topic_.id;
  for (const auto& [partition, assigned] : assigned_) {
    topic.partitions.push_back({.partition_index = partition,
                                .committed_offset = assigned.position,
                                .committed_metadata = std::string_view()});
  }
  const std::int32_t floor = watch_.generation_floor();
  client_.ask(versions_.commit, request, [this, floor](wire::OffsetCommitResponse&& response) {
    for (const auto& answered : response.topics) {
      for (const auto& partition : answered.partitions) {
        if (must_rejoin(partition.error_code)) return;
      }
    }
    watch_.commit_accepted(floor, generation_);
    for (const auto& [partition, assigned] : assigned_) watch_.committed(partition, assigned.position);
    go(Phase::beating);
  });
}

void Member::beat() {
  wire::HeartbeatRequest request;
  request.group_id = group_;
  request.generation_id = generation_;
  request.member_id = member_id_;
  request.group_instance_id = instance();
  client_.ask(versions_.heartbeat, request, [this](wire::HeartbeatResponse&& response) {
    if (must_rejoin(response.error_code)) return;
    phase_ = assigned_.empty() && !leaving_ ? Phase::beating : Phase::fetching;
    step_within(behind_ ? kPauseMax : kRestMax);
  });
}

void Member::leave_now() {
  const auto gone = [this] {
    member_id_.clear();
    generation_ = -1;
    assigned_.clear();
    go(Phase::out);
  };
  if (silently_) return gone();
  phase_ = Phase::leaving;
  wire::LeaveGroupRequest request;
  request.group_id = group_;
  if (versions_.leave < kFirstLeaveOfMany) {
    request.member_id = member_id_;
  } else {
    auto& member = request.members.emplace_back();
    member.member_id = member_id_;
    member.group_instance_id = instance();
  }
  client_.ask(versions_.leave, request, [gone](wire::LeaveGroupResponse&&) { gone(); });
}

}  // namespace tailwater::sim
