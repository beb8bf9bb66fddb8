// For this room's tests: a coordinator with a clock, a log and clients' requests in few words.
// GUARANTEES: every ticket is answered at most once (a second answer fails the test); time moves only by
// advance(), which ticks exactly when the coordinator asked to be woken. Must not be used outside of tests.
#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/check.hpp"
#include "core/group/coordinator.hpp"
#include "records/control.hpp"
#include "wire/writer.hpp"

namespace tailwater::group {

using Protocols = std::vector<std::pair<std::string, Buffer>>;

inline Buffer bytes_of(std::string_view text) {
  const Bytes bytes = as_bytes(text);
  return {bytes.begin(), bytes.end()};
}
inline std::string text_of(const Buffer& bytes) {
  return std::string(as_text(bytes));
}

// A consumer's subscription to `topics`.
inline Buffer subscription_to(const std::vector<std::string>& topics) {
  Buffer bytes;
  wire::Writer writer(bytes);
  writer.int16(1);
  writer.array(topics, wire::Form::plain);
  writer.nullable_bytes(std::optional<Bytes>(), wire::Form::plain);
  writer.array_count(0, wire::Form::plain);
  return bytes;
}

struct JoinSpec {
  std::string group = "g";
  std::string member;
  std::optional<std::string> instance;
  std::string client = "client";
  std::int16_t version = 9;
  std::int32_t session_ms = 10'000;
  std::int32_t rebalance_ms = 60'000;
  std::string type = "consumer";
  Protocols protocols = {{"range", subscription_to({"t"})}};
};

struct SyncSpec {
  std::string group = "g";
  std::string member;
  std::int32_t generation = 1;
  std::optional<std::string> instance;
  std::map<std::string, std::string> assignments;  // member id -> what it is given
  std::optional<std::string> type;
  std::optional<std::string> protocol;
  std::int16_t version = 4;
};

struct CommitSpec {
  std::string group = "g";
  std::string member;
  std::int32_t generation = -1;
  std::optional<std::string> instance;
  std::int16_t version = 8;
  std::string topic = "t";
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::optional<std::string> metadata;
  std::int64_t retention_ms = -1;
  std::int32_t leader_epoch = -1;
  Uuid topic_id;
};

// What a coordinator's log would have to say for another one to be as it is, but for open transactions.
inline std::vector<Change> durable_state(const GroupCoordinator& coordinator) {
  std::vector<Change> state;
  for (const auto& [id, group] : coordinator.groups()) {
    if (group.has_record) state.emplace_back(GroupChange{.group = id, .value = group.record()});
    for (const auto& [topic, partitions] : group.offsets.topics()) {
      for (const auto& [partition, entry] : partitions) {
        if (!entry.committed) continue;
        state.emplace_back(
            OffsetChange{.group = id, .topic = topic, .partition = partition, .value = entry.committed});
      }
    }
  }
  return state;
}

class Harness {
 public:
  explicit Harness(const Options& chosen = {}) : options(chosen) {
    set_check_hook([](const char* condition, const char* file, int line) {
      std::fprintf(stderr, "%s:%d: CHECK(%s)\n", file, line, condition);
    });
    coordinator = std::make_unique<GroupCoordinator>(options, Prng(7));
    coordinator->loaded(now, out);
    drain();
  }

  // ---- requests; each gives its ticket
  Ticket join(const JoinSpec& spec) {
    wire::JoinGroupRequest request;
    request.group_id = spec.group;
    request.session_timeout_ms = spec.session_ms;
    request.rebalance_timeout_ms = spec.rebalance_ms;
    request.member_id = spec.member;
    request.group_instance_id = spec.instance;
    request.protocol_type = spec.type;
    for (const auto& [protocol, metadata] : spec.protocols) {
      request.protocols.push_back({.name = protocol, .metadata = metadata});
    }
    const Call asked = call(spec.version, spec.client);
    coordinator->join(asked, request, out);
    return done(asked);
  }

  Ticket sync(const SyncSpec& spec) {
    wire::SyncGroupRequest request;
    request.group_id = spec.group;
    request.generation_id = spec.generation;
    request.member_id = spec.member;
    request.group_instance_id = spec.instance;
    request.protocol_type = spec.type;
    request.protocol_name = spec.protocol;
    for (const auto& [member, given] : spec.assignments) {
      request.assignments.push_back({.member_id = member, .assignment = bytes_of(given)});
    }
    const Call asked = call(spec.version);
    coordinator->sync(asked, request, out);
    return done(asked);
  }

  ErrorCode heartbeat(const std::string& member, std::int32_t generation,
                      const std::optional<std::string>& instance = std::nullopt,
                      const std::string& group = "g") {
    wire::HeartbeatRequest request;
    request.group_id = group;
    request.generation_id = generation;
    request.member_id = member;
    request.group_instance_id = instance;
    const Call asked = call(4);
    coordinator->heartbeat(asked, request, out);
    return reply<wire::HeartbeatResponse>(done(asked)).error_code;
  }

  wire::LeaveGroupResponse leave(
      const std::vector<std::pair<std::string, std::optional<std::string>>>& members,
      const std::string& group = "g") {
    wire::LeaveGroupRequest request;
    request.group_id = group;
    for (const auto& [member, instance] : members) {
      auto& leaver = request.members.emplace_back();
      leaver.member_id = member;
      leaver.group_instance_id = instance;
    }
    const Call asked = call(5);
    coordinator->leave(asked, request, out);
    return reply<wire::LeaveGroupResponse>(done(asked));
  }

  Ticket commit(const CommitSpec& spec) {
    wire::OffsetCommitRequest request;
    request.group_id = spec.group;
    request.member_id = spec.member;
    request.group_instance_id = spec.instance;
    request.generation_id_or_member_epoch = spec.generation;
    request.retention_time_ms = spec.retention_ms;
    auto& topic = request.topics.emplace_back();
    topic.name = spec.topic;
    topic.topic_id = spec.topic_id;
    topic.partitions.push_back({.partition_index = spec.partition,
                                .committed_offset = spec.offset,
                                .committed_leader_epoch = spec.leader_epoch,
                                .committed_metadata = spec.metadata});
    const Call asked = call(spec.version);
    coordinator->offset_commit(asked, request, out);
    return done(asked);
  }
  Ticket txn_commit(const CommitSpec& spec, ProducerId producer) {
    wire::TxnOffsetCommitRequest request;
    request.group_id = spec.group;
    request.member_id = spec.member;
    request.group_instance_id = spec.instance;
    request.generation_id_or_member_epoch = spec.generation;
    request.producer_id = producer.value;
    auto& topic = request.topics.emplace_back();
    topic.name = spec.topic;
    topic.partitions.push_back({.partition_index = spec.partition,
                                .committed_offset = spec.offset,
                                .committed_metadata = spec.metadata});
    const Call asked = call(spec.version);
    coordinator->txn_offset_commit(asked, request, out);
    return done(asked);
  }
  // A marker comes behind everything that is in the log.
  void end_transaction(ProducerId producer, bool commits) {
    Buffer marker;
    records::append_end_marker({.type = commits ? records::ControlType::commit : records::ControlType::abort,
                                .producer_id = producer},
                               now.wall, marker);
    log.push_back(std::move(marker));
    coordinator->transaction_ended(producer, commits, now, out);
    drain();
  }
  ErrorCode commit_error(const CommitSpec& spec) { return committed(commit(spec)); }
  ErrorCode committed(Ticket ticket) {
    return reply<wire::OffsetCommitResponse>(ticket).topics.at(0).partitions.at(0).error_code;
  }

  // The committed offset, -1 if there is none.
  std::int64_t fetch(const std::string& topic = "t", std::int32_t partition = 0,
                     const std::string& group = "g") {
    wire::OffsetFetchRequest::OffsetFetchRequestGroup request;
    request.group_id = group;
    auto& asked = request.topics.emplace().emplace_back();
    asked.name = topic;
    asked.partition_indexes = {partition};
    return coordinator->offset_fetch(request).topics.at(0).partitions.at(0).committed_offset;
  }

  Ticket delete_group(const std::string& group = "g") {
    const Call asked = call(3);
    coordinator->delete_group(asked, group, out);
    return done(asked);
  }
  ErrorCode delete_error(Ticket ticket) {
    return reply<wire::DeleteGroupsResponse::DeletableGroupResult>(ticket).error_code;
  }

  Ticket offset_delete(const std::string& topic = "t", std::int32_t partition = 0,
                       const std::string& group = "g") {
    return offset_delete(topic, std::vector{partition}, group);
  }
  Ticket offset_delete(const std::string& topic, const std::vector<std::int32_t>& partitions,
                       const std::string& group = "g") {
    wire::OffsetDeleteRequest request;
    request.group_id = group;
    auto& asked = request.topics.emplace_back();
    asked.name = topic;
    for (const std::int32_t partition : partitions)
      asked.partitions.push_back({.partition_index = partition});
    const Call asking = call(0);
    coordinator->offset_delete(asking, request, out);
    return done(asking);
  }

  std::string state(const std::string& group = "g") {
    return coordinator->describe_group(group, 5).group_state;
  }

  // ---- answers
  bool answered(Ticket ticket) const { return replies.contains(ticket); }
  template <class Body>
  Body reply(Ticket ticket) {
    const auto found = replies.find(ticket);
    if (found == replies.end()) {
      ADD_FAILURE() << "no answer to ticket " << ticket.value;
      return {};
    }
    return std::get<Body>(found->second);
  }
  wire::JoinGroupResponse joined(Ticket ticket) { return reply<wire::JoinGroupResponse>(ticket); }
  wire::SyncGroupResponse synced(Ticket ticket) { return reply<wire::SyncGroupResponse>(ticket); }
  ErrorCode join_error(const JoinSpec& spec) { return joined(join(spec)).error_code; }
  ErrorCode sync_error(const SyncSpec& spec) { return synced(sync(spec)).error_code; }

  // ---- the log
  void persist_one(ErrorCode error = ErrorCode::none) {
    ASSERT_FALSE(appends.empty());
    Append append = std::move(appends.front());
    appends.pop_front();
    if (error == ErrorCode::none) log.push_back(std::move(append.batch));
    coordinator->persisted(append.token, error, now, out);
    collect();
  }
  void drain() {
    collect();
    while (persists_at_once && !appends.empty()) persist_one();
  }
  void restart() {
    coordinator->unload(out);
    collect();
    appends.clear();
    coordinator = std::make_unique<GroupCoordinator>(options, Prng(++seed_));
    for (const Buffer& batch : log) EXPECT_TRUE(coordinator->replay(batch).has_value());
    coordinator->loaded(now, out);
    drain();
  }

  // ---- time
  void advance_ms(std::int64_t ms) {
    const Instant target = now.monotonic + Duration::from_ms(ms);
    while (wake_at <= target) {
      set_time(std::max(now.monotonic, wake_at));
      wake_at = Instant::max();
      if (on_tick) on_tick();
      coordinator->tick(now, out);
      drain();
    }
    set_time(target);
  }
  void set_time(Instant instant) {
    now.wall.ms += (instant - now.monotonic).to_ms();
    now.monotonic = instant;
  }

  // ---- whole dances
  // A new dynamic member's id.
  std::string new_id(JoinSpec spec = {}) {
    spec.member.clear();
    return joined(join(spec)).member_id;
  }
  // Brings `count` dynamic members to a stable generation; their ids, the leader first.
  std::vector<std::string> stable_group(std::size_t count, JoinSpec spec = {}) {
    std::vector<std::string> members;
    std::vector<Ticket> tickets;
    // All ids first: a join phase waits for ids that were given out.
    for (std::size_t index = 0; index < count; ++index) members.push_back(new_id(spec));
    for (const std::string& member : members) {
      spec.member = member;
      tickets.push_back(join(spec));
    }
    for (int round = 0; round < 100 && !answered(tickets.front()); ++round) advance_ms(1'000);
    SyncSpec wanted{.group = spec.group, .generation = joined(tickets.front()).generation_id};
    for (const std::string& member : members) wanted.assignments[member] = "for " + member;
    for (const std::string& member : members) {
      wanted.member = member;
      sync(wanted);
    }
    EXPECT_EQ(state(spec.group), "Stable");
    return members;
  }

  Options options;
  std::unique_ptr<GroupCoordinator> coordinator;
  Now now{Instant{1'000'000'000'000}, WallTime{1'700'000'000'000}};
  GroupEffects out;
  std::map<Ticket, ReplyBody> replies;
  std::deque<Append> appends;
  std::vector<Buffer> log;
  Instant wake_at = Instant::max();
  // Called with each effect as it appears, for transcripts.
  std::function<void(const Reply&)> on_reply;
  std::function<void(const Append&)> on_append;
  std::function<void()> on_tick;
  bool persists_at_once = true;

 private:
  Call call(std::int16_t version, std::string_view client = "client") {
    return {.ticket = Ticket{next_ticket_++},
            .version = version,
            .client_id = client,
            .client_host = "/10.0.0.1",
            .now = now};
  }
  Ticket done(const Call& asked) {
    drain();
    return asked.ticket;
  }
  void collect() {
    for (Reply& reply : out.replies) {
      if (on_reply) on_reply(reply);
      const bool is_first = replies.emplace(reply.ticket, std::move(reply.body)).second;
      EXPECT_TRUE(is_first) << "ticket " << reply.ticket.value << " was answered twice";
    }
    for (Append& append : out.appends) {
      if (on_append) on_append(append);
      appends.push_back(std::move(append));
    }
    if (out.wake_at) wake_at = *out.wake_at;
    out.clear();
  }

  std::uint64_t next_ticket_ = 1;
  std::uint64_t seed_ = 7;  // each leadership draws ids of its own
};

}  // namespace tailwater::group
