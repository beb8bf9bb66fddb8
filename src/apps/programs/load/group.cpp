#include "programs/load/group.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <initializer_list>
#include <utility>

#include "programs/load/requests.hpp"
#include "wire/api/heartbeat.hpp"
#include "wire/api/join_group.hpp"
#include "wire/api/leave_group.hpp"
#include "wire/api/sync_group.hpp"

namespace tailwater::load {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using wire::ErrorCode;

// The last ones in which a member gets its id by joining.
constexpr std::int16_t kJoinVersion = 3;
constexpr std::int16_t kSyncVersion = 2;
constexpr std::int16_t kHeartbeatVersion = 2;
constexpr std::int16_t kLeaveVersion = 2;
constexpr std::int32_t kSessionMs = 30'000;
constexpr std::int32_t kRebalanceMs = 60'000;
constexpr milliseconds kAskEvery{1};
constexpr milliseconds kLimit{60'000};
constexpr int kEventsMax = 64;

// Of the consumer protocol, version 0: one topic, and what follows it.
Buffer about(const std::string& topic, std::initializer_list<std::int32_t> behind) {
  Buffer bytes;
  wire::Writer writer(bytes);
  writer.int16(0);
  writer.int32(1);
  writer.string(topic, wire::Form::plain);
  for (const std::int32_t each : behind) writer.int32(each);
  return bytes;
}
// A subscription, and partition 0; neither has user data.
Buffer metadata_of(const std::string& topic) {
  return about(topic, {-1});
}
Buffer assignment_of(const std::string& topic) {
  return about(topic, {1, 0, -1});
}

template <class Work>
double milliseconds_of(Work work) {
  const auto begin = Clock::now();
  work();
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

}  // namespace

Group::Group(const Plan& plan, std::string name)
    : plan_(plan), name_(std::move(name)), poller_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (poller_ < 0) give_up("cannot create an epoll descriptor");
}

Group::~Group() {
  for (const Member& member : members_) ::close(member.socket);
  ::close(poller_);
}

void Group::add(std::uint32_t count) {
  for (; count > 0; --count) {
    Member& member = members_.emplace_back();
    member.socket = connect_to(plan_);
    member.in.resize(4'096);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &member;
    if (::epoll_ctl(poller_, EPOLL_CTL_ADD, member.socket, &event) != 0) give_up("cannot watch a connection");
  }
}

template <class Request>
void Group::ask(Member& member, Asked asked, std::int16_t version, const Request& request) {
  member.asked = asked;
  frame_.clear();
  write_frame(frame_, version, request);
  send_all(member.socket, frame_);
}

void Group::join(Member& member) {
  member.settled = false;
  wire::JoinGroupRequest request;
  request.group_id = name_;
  request.session_timeout_ms = kSessionMs;
  request.rebalance_timeout_ms = kRebalanceMs;
  request.member_id = member.id;
  request.protocol_type = "consumer";
  request.protocols.push_back({.name = "range", .metadata = metadata_of(plan_.topic)});
  ask(member, Asked::join, kJoinVersion, request);
}

void Group::leave(Member& member) {
  member.settled = false;
  wire::LeaveGroupRequest request;
  request.group_id = name_;
  request.member_id = member.id;
  ask(member, Asked::leave, kLeaveVersion, request);
}

void Group::ask_all() {
  for (Member& member : members_) {
    if (!member.settled || member.asked != Asked::nothing) continue;
    ask(member, Asked::heartbeat, kHeartbeatVersion,
        wire::HeartbeatRequest{
            .group_id = name_, .generation_id = member.generation, .member_id = member.id});
  }
}

void Group::hear(Member& member) {
  const MutableBytes space = MutableBytes(member.in).subspan(member.in_size);
  const ssize_t got = ::recv(member.socket, space.data(), space.size(), MSG_DONTWAIT);
  if (got <= 0) give_up("the broker closed a member's connection");
  member.in_size += static_cast<std::size_t>(got);
  if (member.in_size < 4) return;
  const std::size_t size = 4 + load_big<std::uint32_t>(member.in.data());
  if (member.in_size < size) {
    member.in.resize(std::max(member.in.size(), size));
    return;
  }
  member.in_size = 0;
  answered(member, Bytes(member.in).subspan(4, size - 4));
}

void Group::answered(Member& member, Bytes answer) {
  ErrorCode error = ErrorCode::none;
  const Asked asked = std::exchange(member.asked, Asked::nothing);
  switch (asked) {
    case Asked::join:
      return joined(member, answer);
    case Asked::sync: {
      const auto response = read_answer<wire::SyncGroupRequest>(kSyncVersion, answer);
      error = response.error_code;
      if (error != ErrorCode::none) break;
      if (!std::ranges::equal(response.assignment, assignment_of(plan_.topic)))
        give_up("a member's assignment is not what the leader said");
      member.settled = true;
      return;
    }
    case Asked::heartbeat:
      error = read_answer<wire::HeartbeatRequest>(kHeartbeatVersion, answer).error_code;
      break;
    case Asked::leave:
      error = read_answer<wire::LeaveGroupRequest>(kLeaveVersion, answer).error_code;
      break;
    case Asked::nothing:
      give_up("an answer that nobody asked for");
  }
  if (error == ErrorCode::none) return;
  if (error != ErrorCode::rebalance_in_progress && error != ErrorCode::illegal_generation)
    give_up("a member was answered " + std::string(wire::name(error)));
  join(member);
}

void Group::joined(Member& member, Bytes answer) {
  const auto response = read_answer<wire::JoinGroupRequest>(kJoinVersion, answer);
  // It loads the group's partition.
  if (wire::retriable(response.error_code)) return join(member);
  if (response.error_code != ErrorCode::none)
    give_up("a member that joins was answered " + std::string(wire::name(response.error_code)));
  member.generation = response.generation_id;
  member.id = response.member_id;
  wire::SyncGroupRequest request;
  request.group_id = name_;
  request.generation_id = member.generation;
  request.member_id = member.id;
  if (response.leader == member.id) {
    for (const auto& each : response.members)
      request.assignments.push_back({.member_id = each.member_id, .assignment = assignment_of(plan_.topic)});
  }
  ask(member, Asked::sync, kSyncVersion, request);
}

void Group::take_answers(int timeout_ms) {
  epoll_event events[kEventsMax];
  const int count = ::epoll_wait(poller_, events, kEventsMax, timeout_ms);
  for (int each = 0; each < count; ++each) hear(*static_cast<Member*>(events[each].data.ptr));
}

bool Group::is_settled() const {
  return std::ranges::all_of(members_, [&](const Member& member) {
    return member.settled && member.generation == members_.front().generation;
  });
}

void Group::settle() {
  const auto limit = Clock::now() + kLimit;
  auto ask_at = Clock::now();
  while (!is_settled()) {
    const auto now = Clock::now();
    if (now > limit) give_up("the group was not stable after a minute");
    if (now >= ask_at) {
      ask_all();
      ask_at = now + kAskEvery;
    }
    take_answers(static_cast<int>(kAskEvery.count()));
  }
}

// Until nobody waits for an answer.
void Group::rest() {
  while (std::ranges::any_of(members_, [](const Member& member) { return member.asked != Asked::nothing; }))
    take_answers(1'000);
}

Group::Times Group::live() {
  Times times;
  add(plan_.consumers);
  times.stable_ms = milliseconds_of([&] {
    for (Member& member : members_) join(member);
    settle();
  });
  rest();
  add(1);
  times.joined_ms = milliseconds_of([&] {
    join(members_.back());
    settle();
  });
  rest();
  times.left_ms = milliseconds_of([&] {
    const std::int32_t generation = members_.front().generation;
    leave(members_.back());
    while (members_.back().asked != Asked::nothing) take_answers(1'000);
    ::close(members_.back().socket);
    members_.pop_back();
    // The others are asked whether they still are in a stable group until the broker has told them that they are not.
    while (members_.front().generation == generation) {
      ask_all();
      take_answers(static_cast<int>(kAskEvery.count()));
    }
    settle();
  });
  rest();
  for (Member& member : members_) leave(member);
  rest();
  return times;
}

}  // namespace tailwater::load
