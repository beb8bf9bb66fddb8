// Goal: join phases end when they should: by time alone for a new group, else when nobody is missing or time
// is up. Method: virtual time to the millisecond around each deadline.
#include <gtest/gtest.h>

#include "core/group/test_harness.hpp"

namespace tailwater::group {
namespace {

Options no_delay() {
  return {.initial_rebalance_delay = Duration{}};
}

TEST(InitialDelay, EndsAfterThreeSeconds) {
  Harness harness;
  const Ticket ticket = harness.join({.member = harness.new_id()});
  harness.advance_ms(2'999);
  EXPECT_FALSE(harness.answered(ticket));
  harness.advance_ms(1);
  EXPECT_TRUE(harness.answered(ticket));
}

TEST(InitialDelay, IsExtendedWhileMembersArrive) {
  Harness harness;
  const Ticket first = harness.join({.member = harness.new_id()});
  harness.advance_ms(2'000);
  harness.join({.member = harness.new_id()});
  harness.advance_ms(3'999);  // 3 s, extended once by 3 s
  EXPECT_FALSE(harness.answered(first));
  harness.advance_ms(1);
  EXPECT_TRUE(harness.answered(first));
}

TEST(InitialDelay, NotBeyondTheRebalanceTimeout) {
  Harness harness;
  JoinSpec spec{.rebalance_ms = 8'000};
  const auto join_new = [&] {
    spec.member = harness.new_id(spec);
    return harness.join(spec);
  };
  const Ticket first = join_new();
  for (int second = 1; second < 8; ++second) {
    harness.advance_ms(1'000);
    join_new();
    EXPECT_FALSE(harness.answered(first)) << second;
  }
  harness.advance_ms(1'000);  // 3 + 3 + 2
  EXPECT_TRUE(harness.answered(first));
}

TEST(InitialDelay, OfNothingWaitsForNoPendingId) {
  Harness harness(no_delay());
  harness.new_id();  // its consumer was closed before it could join with it
  const Ticket ticket = harness.join({.member = harness.new_id()});
  harness.advance_ms(0);
  EXPECT_EQ(harness.joined(ticket).generation_id, 1);
  EXPECT_EQ(harness.joined(ticket).members.size(), 1u);
}

TEST(InitialDelay, EndsInAnEmptyGroupIfEverybodyLeft) {
  Harness harness;
  const std::string id = harness.new_id();
  const Ticket ticket = harness.join({.member = id});
  harness.leave({{id, std::nullopt}});
  EXPECT_EQ(harness.joined(ticket).error_code, ErrorCode::unknown_member_id);
  EXPECT_EQ(harness.state(), "PreparingRebalance");
  // A newcomer with another protocol finds a group without members.
  const Ticket other = harness.join({.version = 3, .type = "connect"});
  EXPECT_FALSE(harness.answered(other));
  harness.advance_ms(6'000);
  EXPECT_EQ(harness.joined(other).error_code, ErrorCode::none);
}

TEST(JoinPhase, EndsWithTheLastMember) {
  Harness harness(no_delay());
  const auto members = harness.stable_group(3);
  const Ticket first = harness.join({.member = members[0]});
  const Ticket second = harness.join({.member = members[1]});
  EXPECT_FALSE(harness.answered(first));
  harness.join({.member = members[2]});
  EXPECT_TRUE(harness.answered(first));
  EXPECT_TRUE(harness.answered(second));
}

TEST(JoinPhase, WaitsForPendingIds) {
  Harness harness(no_delay());
  const auto members = harness.stable_group(1);
  const std::string pending = harness.new_id();
  const Ticket first = harness.join({.member = members[0]});
  EXPECT_FALSE(harness.answered(first));
  harness.join({.member = pending});
  EXPECT_TRUE(harness.answered(first));
}

TEST(JoinPhase, APendingIdThatLeavesOrExpiresIsWaitedForNoLonger) {
  Harness harness(no_delay());
  const auto members = harness.stable_group(1);
  const std::string pending = harness.new_id();
  const Ticket first = harness.join({.member = members[0]});
  EXPECT_EQ(harness.leave({{pending, std::nullopt}}).members.at(0).error_code, ErrorCode::none);
  EXPECT_TRUE(harness.answered(first));
  harness.new_id({.session_ms = 7'000});
  const Ticket again = harness.join({.member = members[0], .protocols = {{"range", bytes_of("new")}}});
  harness.advance_ms(6'999);
  EXPECT_FALSE(harness.answered(again));
  harness.advance_ms(1);
  EXPECT_EQ(harness.joined(again).generation_id, 3);
}

TEST(JoinPhase, RemovesMissingDynamicMembersWhenTimeIsUp) {
  Harness harness(no_delay());
  const auto members = harness.stable_group(2, {.session_ms = 60'000, .rebalance_ms = 30'000});
  const Ticket first = harness.join({.member = members[0], .session_ms = 60'000, .rebalance_ms = 30'000});
  harness.advance_ms(29'999);
  EXPECT_FALSE(harness.answered(first));
  harness.advance_ms(1);
  EXPECT_EQ(harness.joined(first).members.size(), 1u);
  EXPECT_EQ(harness.heartbeat(members[1], 2), ErrorCode::unknown_member_id);
}

TEST(JoinPhase, TheLongestTimeoutOfAllMembersCounts) {
  Harness harness(no_delay());
  const std::string a = harness.new_id();
  const std::string b = harness.new_id();
  const Ticket first = harness.join({.member = a, .session_ms = 600'000, .rebalance_ms = 10'000});
  harness.join({.member = b, .session_ms = 600'000, .rebalance_ms = 40'000});
  harness.advance_ms(0);
  ASSERT_TRUE(harness.answered(first));
  const Ticket again = harness.join({.member = a,
                                     .session_ms = 600'000,
                                     .rebalance_ms = 10'000,
                                     .protocols = {{"range", bytes_of("new")}}});
  harness.advance_ms(39'999);
  EXPECT_FALSE(harness.answered(again));
  harness.advance_ms(1);
  EXPECT_TRUE(harness.answered(again));
}

TEST(JoinPhase, KeepsMissingStaticMembers) {
  Harness harness;
  const Ticket a = harness.join({.instance = "a", .session_ms = 600'000});
  const Ticket b = harness.join({.instance = "b", .session_ms = 600'000});
  harness.advance_ms(6'000);
  const auto first = harness.joined(a);
  ASSERT_EQ(harness.joined(b).generation_id, first.generation_id);
  const Ticket again = harness.join({.member = first.member_id,
                                     .instance = "a",
                                     .session_ms = 600'000,
                                     .protocols = {{"range", bytes_of("x")}}});
  harness.advance_ms(60'000);
  EXPECT_EQ(harness.joined(again).members.size(), 2u);
}

TEST(JoinPhase, WithoutAnyJoinedLeaderWaitsAgain) {
  Harness harness(no_delay());
  const Ticket a = harness.join({.instance = "a", .session_ms = 600'000, .rebalance_ms = 10'000});
  harness.advance_ms(0);
  const auto first = harness.joined(a);
  harness.sync({.member = first.member_id, .instance = "a"});
  const std::string dynamic = harness.new_id({.session_ms = 600'000, .rebalance_ms = 10'000});
  const Ticket joining = harness.join({.member = dynamic, .session_ms = 600'000, .rebalance_ms = 10'000});
  EXPECT_EQ(harness.state(), "PreparingRebalance");
  harness.leave({{dynamic, std::nullopt}});
  EXPECT_TRUE(harness.answered(joining));
  harness.advance_ms(10'000);
  EXPECT_EQ(harness.state(), "PreparingRebalance");
  const Ticket back = harness.join({.instance = "a", .session_ms = 600'000, .rebalance_ms = 10'000});
  EXPECT_EQ(harness.joined(back).generation_id, 2);
}

TEST(JoinPhase, WithoutAnyPatienceItStillWaitsForWhoIsAway) {
  // Not even once in a tick may the phase begin anew: there would be no end to it.
  for (const std::int32_t rebalance_ms : {0, 1, 20}) {
    SCOPED_TRACE(rebalance_ms);
    Harness harness(no_delay());
    const Ticket a = harness.join({.instance = "a", .session_ms = 600'000, .rebalance_ms = 10'000});
    harness.advance_ms(0);
    harness.sync({.member = harness.joined(a).member_id, .instance = "a"});
    harness.join({.instance = "a", .session_ms = 600'000, .rebalance_ms = rebalance_ms});
    EXPECT_EQ(harness.state(), "Stable");
    const std::string dynamic = harness.new_id({.session_ms = 600'000, .rebalance_ms = rebalance_ms});
    harness.join({.member = dynamic, .session_ms = 600'000, .rebalance_ms = rebalance_ms});
    harness.leave({{dynamic, std::nullopt}});
    int ticks = 0;
    harness.on_tick = [&ticks] { ++ticks; };
    harness.advance_ms(10'000);
    EXPECT_LE(ticks, 20);
    EXPECT_EQ(harness.state(), "PreparingRebalance");
    const Ticket back = harness.join({.instance = "a", .session_ms = 600'000, .rebalance_ms = rebalance_ms});
    EXPECT_EQ(harness.joined(back).generation_id, 2);
  }
}

TEST(JoinPhase, ANewLeaderIsTheFirstThatRejoined) {
  Harness harness(no_delay());
  const auto members = harness.stable_group(3, {.session_ms = 600'000});
  harness.join({.member = members[2], .session_ms = 600'000, .protocols = {{"range", bytes_of("x")}}});
  const Ticket second = harness.join({.member = members[1], .session_ms = 600'000});
  harness.advance_ms(60'000);
  EXPECT_EQ(harness.joined(second).leader, members[1]);
}

TEST(JoinPhase, ANewMemberThatWaitsTooLongIsSentAway) {
  Harness harness(no_delay());
  const auto members = harness.stable_group(1, {.session_ms = 1'800'000, .rebalance_ms = 1'000'000});
  const Ticket joining = harness.join({.version = 3, .session_ms = 1'800'000, .rebalance_ms = 1'000'000});
  harness.advance_ms(299'999);
  EXPECT_FALSE(harness.answered(joining));
  harness.advance_ms(1);
  EXPECT_EQ(harness.joined(joining).error_code, ErrorCode::unknown_member_id);
  EXPECT_EQ(harness.heartbeat(members[0], 1), ErrorCode::rebalance_in_progress);
}

TEST(JoinPhase, VersionZeroWaitsForTheSessionTimeout) {
  Harness harness(no_delay());
  const JoinSpec spec{.version = 0, .session_ms = 20'000, .rebalance_ms = 900'000};
  const Ticket a = harness.join(spec);
  harness.advance_ms(0);
  JoinSpec rejoin = spec;
  rejoin.member = harness.joined(a).member_id;
  harness.join(spec);  // a newcomer; the first member does not come back
  harness.heartbeat(rejoin.member, 1);
  harness.advance_ms(19'999);
  EXPECT_EQ(harness.state(), "PreparingRebalance");
  harness.advance_ms(1);
  EXPECT_EQ(harness.state(), "CompletingRebalance");
}

TEST(JoinPhase, NegativeRebalanceTimeoutIsTheSessions) {
  Harness harness(no_delay());
  const auto members = harness.stable_group(2, {.session_ms = 20'000, .rebalance_ms = -7});
  const Ticket first = harness.join({.member = members[0], .session_ms = 20'000, .rebalance_ms = -7});
  harness.heartbeat(members[1], 1);
  harness.advance_ms(20'000);
  EXPECT_TRUE(harness.answered(first));
}

}  // namespace
}  // namespace tailwater::group
