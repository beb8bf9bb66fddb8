// Goal: heartbeats, sessions and departures, with each check in its order. Method: one request per check;
// virtual time to the millisecond around the end of a session.
#include <gtest/gtest.h>

#include "core/group/test_harness.hpp"

namespace tailwater::group {
namespace {

Options no_delay() {
  return {.initial_rebalance_delay = Duration{}};
}

TEST(HeartbeatChecks, InOrder) {
  Harness harness(no_delay());
  EXPECT_EQ(harness.heartbeat("m", 1, std::nullopt, ""), ErrorCode::invalid_group_id);
  EXPECT_EQ(harness.heartbeat("m", 1), ErrorCode::unknown_member_id);
  const auto members = harness.stable_group(1);
  EXPECT_EQ(harness.heartbeat("m", 9), ErrorCode::unknown_member_id);
  EXPECT_EQ(harness.heartbeat(members[0], 9, "i"), ErrorCode::unknown_member_id);
  EXPECT_EQ(harness.heartbeat(members[0], 2), ErrorCode::illegal_generation);
  EXPECT_EQ(harness.heartbeat(members[0], 1), ErrorCode::none);
}

TEST(HeartbeatChecks, StateDecidesTheAnswer) {
  Harness harness;
  const std::string id = harness.new_id();
  EXPECT_EQ(harness.heartbeat(id, 0), ErrorCode::unknown_member_id);  // pending ids are no members
  harness.join({.member = id});
  EXPECT_EQ(harness.heartbeat(id, 0), ErrorCode::rebalance_in_progress);
  harness.advance_ms(3'000);
  EXPECT_EQ(harness.heartbeat(id, 1), ErrorCode::none);
  harness.sync({.member = id});
  EXPECT_EQ(harness.heartbeat(id, 1), ErrorCode::none);
  harness.leave({{id, std::nullopt}});
  EXPECT_EQ(harness.heartbeat(id, 1), ErrorCode::unknown_member_id);
}

TEST(HeartbeatChecks, DeletedGroup) {
  Harness harness;
  harness.commit({});
  harness.persists_at_once = false;
  harness.delete_group();
  EXPECT_EQ(harness.heartbeat("m", 1), ErrorCode::coordinator_not_available);
}

TEST(Session, EndsWithoutASignOfLife) {
  Harness harness(no_delay());
  const auto members = harness.stable_group(1);
  harness.advance_ms(9'999);
  EXPECT_EQ(harness.state(), "Stable");
  harness.advance_ms(1);
  EXPECT_EQ(harness.state(), "Empty");
}

TEST(Session, AnyRequestIsASignOfLife) {
  Harness harness(no_delay());
  const auto members = harness.stable_group(2);
  const std::string& follower = members[1];
  const auto leader_lives = [&] { ASSERT_EQ(harness.heartbeat(members[0], 1), ErrorCode::none); };
  const auto wait = [&] {
    harness.advance_ms(9'000);
    leader_lives();
  };
  wait();
  EXPECT_EQ(harness.heartbeat(follower, 1), ErrorCode::none);
  wait();
  EXPECT_EQ(harness.join_error({.member = follower}), ErrorCode::none);
  wait();
  EXPECT_EQ(harness.sync_error({.member = follower}), ErrorCode::none);
  wait();
  EXPECT_EQ(harness.commit_error({.member = follower, .generation = 1}), ErrorCode::none);
  wait();
  EXPECT_EQ(harness.heartbeat(follower, 1), ErrorCode::none);
}

TEST(Session, WaitersDoNotExpire) {
  Harness harness(no_delay());
  const auto members = harness.stable_group(2);
  const Ticket waiting = harness.join({.member = members[0]});
  for (int second = 0; second < 50; ++second) {
    harness.advance_ms(1'000);
    EXPECT_EQ(harness.heartbeat(members[1], 1), ErrorCode::rebalance_in_progress);
  }
  harness.join({.member = members[1]});
  EXPECT_EQ(harness.joined(waiting).generation_id, 2);
  const Ticket sync = harness.sync({.member = members[1], .generation = 2});
  for (int second = 0; second < 50; ++second) {
    harness.advance_ms(1'000);
    harness.heartbeat(members[0], 2);
  }
  harness.sync({.member = members[0], .generation = 2});
  EXPECT_EQ(harness.synced(sync).error_code, ErrorCode::none);
  harness.advance_ms(9'999);  // its session began anew with the answer
  EXPECT_EQ(harness.heartbeat(members[1], 2), ErrorCode::none);
}

TEST(Session, AnExpiredMemberStartsARebalanceForTheOthers) {
  Harness harness(no_delay());
  const auto members = harness.stable_group(2);
  harness.advance_ms(5'000);
  harness.heartbeat(members[0], 1);
  harness.advance_ms(5'000);
  EXPECT_EQ(harness.heartbeat(members[0], 1), ErrorCode::rebalance_in_progress);
  EXPECT_EQ(harness.heartbeat(members[1], 1), ErrorCode::unknown_member_id);
  EXPECT_EQ(harness.joined(harness.join({.member = members[0]})).members.size(), 1u);
}

TEST(Session, ExpiryDuringAJoinPhaseCompletesIt) {
  Harness harness(no_delay());
  const auto members = harness.stable_group(2);
  const Ticket waiting = harness.join({.member = members[0]});
  harness.advance_ms(10'000);
  EXPECT_EQ(harness.joined(waiting).members.size(), 1u);
}

TEST(LeaveChecks, InOrder) {
  Harness harness(no_delay());
  EXPECT_EQ(harness.leave({{"m", std::nullopt}}, "").error_code, ErrorCode::invalid_group_id);
  harness.stable_group(1);
  const auto answer = harness.leave({{"m", std::nullopt}, {"", std::nullopt}, {"", "i"}, {"m", "i"}});
  EXPECT_EQ(answer.error_code, ErrorCode::none);
  for (const auto& member : answer.members) EXPECT_EQ(member.error_code, ErrorCode::unknown_member_id);
  EXPECT_EQ(answer.members.size(), 4u);
  EXPECT_EQ(harness.state(), "Stable");
}

TEST(Leave, SeveralMembersEachWithItsOutcome) {
  Harness harness(no_delay());
  const auto members = harness.stable_group(3);
  const auto answer =
      harness.leave({{members[0], std::nullopt}, {"nobody", std::nullopt}, {members[2], std::nullopt}});
  EXPECT_EQ(answer.members.at(0).error_code, ErrorCode::none);
  EXPECT_EQ(answer.members.at(1).error_code, ErrorCode::unknown_member_id);
  EXPECT_EQ(answer.members.at(2).error_code, ErrorCode::none);
  EXPECT_EQ(answer.members.at(2).member_id, members[2]);
  EXPECT_EQ(harness.state(), "PreparingRebalance");
  EXPECT_EQ(harness.joined(harness.join({.member = members[1]})).members.size(), 1u);
}

TEST(Leave, TheLastMemberLeavesAnEmptyGroup) {
  Harness harness(no_delay());
  const auto members = harness.stable_group(2);
  harness.leave({{members[0], std::nullopt}, {members[1], std::nullopt}});
  EXPECT_EQ(harness.state(), "Empty");
  harness.restart();
  EXPECT_EQ(harness.state(), "Empty");
}

TEST(Leave, AdministratorsNameTheInstanceAlone) {
  Harness harness(no_delay());
  const Ticket ticket = harness.join({.instance = "i"});
  harness.advance_ms(0);
  const std::string id = harness.joined(ticket).member_id;
  EXPECT_EQ(harness.leave({{"other", "i"}}).members.at(0).error_code, ErrorCode::fenced_instance_id);
  const auto answer = harness.leave({{"", "i"}});
  EXPECT_EQ(answer.members.at(0).error_code, ErrorCode::none);
  EXPECT_EQ(answer.members.at(0).group_instance_id, "i");
  EXPECT_EQ(harness.heartbeat(id, 1, "i"), ErrorCode::unknown_member_id);
  EXPECT_EQ(harness.state(), "Empty");
}

TEST(Leave, WhoWaitsIsAnswered) {
  Harness harness(no_delay());
  const auto members = harness.stable_group(2);
  const Ticket joining = harness.join({.member = members[0]});
  harness.leave({{members[0], std::nullopt}});
  EXPECT_EQ(harness.joined(joining).error_code, ErrorCode::unknown_member_id);
  const std::string added = harness.new_id();
  const Ticket first = harness.join({.member = members[1]});
  harness.join({.member = added});
  const Ticket syncing = harness.sync({.member = added, .generation = harness.joined(first).generation_id});
  EXPECT_FALSE(harness.answered(syncing));
  harness.leave({{added, std::nullopt}});
  EXPECT_EQ(harness.synced(syncing).error_code, ErrorCode::unknown_member_id);
}

TEST(Leave, BeforeVersion3NamesOneMember) {
  Harness harness(no_delay());
  const auto members = harness.stable_group(1);
  const auto leave = [&](const std::string& member) {
    wire::LeaveGroupRequest request;
    request.group_id = "g";
    request.member_id = member;
    const Ticket ticket{1'000'000 + harness.replies.size()};
    harness.coordinator->leave(
        {.ticket = ticket, .version = 2, .client_id = "", .client_host = "", .now = harness.now}, request,
        harness.out);
    harness.drain();
    return harness.reply<wire::LeaveGroupResponse>(ticket);
  };
  EXPECT_EQ(leave("nobody").error_code, ErrorCode::unknown_member_id);
  EXPECT_EQ(leave(members[0]).error_code, ErrorCode::none);
  EXPECT_TRUE(leave("nobody").members.empty());
  EXPECT_EQ(harness.state(), "Empty");
}

TEST(Leave, OfAGroupThatNobodyKnowsIsAnsweredMemberByMember) {
  Harness harness(no_delay());
  const auto left = harness.leave({{"one", std::nullopt}, {"two", "instance"}});
  EXPECT_EQ(left.error_code, ErrorCode::none);
  ASSERT_EQ(left.members.size(), 2U);
  EXPECT_EQ(left.members[0].member_id, "one");
  EXPECT_EQ(left.members[1].group_instance_id, "instance");
  for (const auto& member : left.members) EXPECT_EQ(member.error_code, ErrorCode::unknown_member_id);
}

TEST(Leave, APendingIdLeavesWithoutARebalance) {
  Harness harness(no_delay());
  harness.stable_group(1);
  const std::string pending = harness.new_id();
  EXPECT_EQ(harness.leave({{pending, std::nullopt}}).members.at(0).error_code, ErrorCode::none);
  EXPECT_EQ(harness.state(), "Stable");
  EXPECT_EQ(harness.join_error({.member = pending}), ErrorCode::unknown_member_id);
}

}  // namespace
}  // namespace tailwater::group
