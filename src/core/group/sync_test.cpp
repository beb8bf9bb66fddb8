// Goal: nobody sees an assignment before it is durable, and every state answers SyncGroup as Kafka does.
// Method: one request per check; then the outcomes of the write.
#include <gtest/gtest.h>

#include "core/group/test_harness.hpp"

namespace tailwater::group {
namespace {

struct Completing : Harness {
  Completing() : Completing(Options{.initial_rebalance_delay = Duration{}}) {}
  explicit Completing(const Options& chosen) : Harness(chosen) {
    leader = new_id();
    follower = new_id();
    const Ticket ticket = join({.member = leader});
    join({.member = follower});
    advance_ms(0);
    EXPECT_EQ(joined(ticket).generation_id, 1);
    EXPECT_EQ(state(), "CompletingRebalance");
  }
  std::string leader;
  std::string follower;
};

TEST(SyncChecks, GroupAndMember) {
  Completing harness;
  EXPECT_EQ(harness.sync_error({.group = ""}), ErrorCode::invalid_group_id);
  EXPECT_EQ(harness.sync_error({.group = "other"}), ErrorCode::unknown_member_id);
  EXPECT_EQ(harness.sync_error({.member = "other", .generation = 9}), ErrorCode::unknown_member_id);
  EXPECT_EQ(harness.sync_error({.member = harness.leader, .instance = "i"}), ErrorCode::unknown_member_id);
}

TEST(SyncChecks, GenerationThenProtocol) {
  Completing harness;
  EXPECT_EQ(harness.sync_error({.member = harness.leader, .generation = 2, .type = "connect"}),
            ErrorCode::illegal_generation);
  EXPECT_EQ(harness.sync_error({.member = harness.leader, .type = "connect"}),
            ErrorCode::inconsistent_group_protocol);
  EXPECT_EQ(harness.sync_error({.member = harness.leader, .protocol = "sticky"}),
            ErrorCode::inconsistent_group_protocol);
}

TEST(SyncChecks, FromVersionFiveOnTheProtocolIsNamed) {
  Completing harness;
  SyncSpec spec{.group = "", .member = harness.leader, .version = 5};
  EXPECT_EQ(harness.sync_error(spec), ErrorCode::inconsistent_group_protocol);
  spec.group = "g";
  EXPECT_EQ(harness.sync_error(spec), ErrorCode::inconsistent_group_protocol);
  spec.type = "consumer";
  EXPECT_EQ(harness.sync_error(spec), ErrorCode::inconsistent_group_protocol);
  spec.type.reset();
  spec.protocol = "range";
  EXPECT_EQ(harness.sync_error(spec), ErrorCode::inconsistent_group_protocol);
  spec.type = "consumer";
  EXPECT_EQ(harness.sync_error(spec), ErrorCode::none);
}

TEST(SyncChecks, PreparingAsksToJoin) {
  Completing harness;
  harness.join({.member = harness.leader, .protocols = {{"range", bytes_of("new")}}});
  EXPECT_EQ(harness.sync_error({.member = harness.follower}), ErrorCode::rebalance_in_progress);
}

TEST(SyncChecks, DeletedGroupsHaveNoMembers) {
  Harness harness;
  harness.commit({});
  harness.persists_at_once = false;
  harness.delete_group();
  EXPECT_EQ(harness.sync_error({.member = "m"}), ErrorCode::coordinator_not_available);
}

TEST(Sync, AnswersAllWhenTheAssignmentIsDurable) {
  Completing harness;
  harness.persists_at_once = false;
  const Ticket follower = harness.sync({.member = harness.follower});
  const Ticket leader =
      harness.sync({.member = harness.leader,
                    .assignments = {{harness.leader, "L"}, {harness.follower, "F"}, {"?", "?"}},
                    .type = "consumer",
                    .protocol = "range"});
  EXPECT_FALSE(harness.answered(follower));
  EXPECT_FALSE(harness.answered(leader));
  EXPECT_EQ(harness.state(), "CompletingRebalance");
  harness.persist_one();
  EXPECT_EQ(harness.state(), "Stable");
  const auto answer = harness.synced(leader);
  EXPECT_EQ(answer.error_code, ErrorCode::none);
  EXPECT_EQ(text_of(answer.assignment), "L");
  EXPECT_EQ(answer.protocol_type, "consumer");
  EXPECT_EQ(answer.protocol_name, "range");
  EXPECT_EQ(text_of(harness.synced(follower).assignment), "F");
}

TEST(Sync, MembersThatAreNotMentionedGetNothing) {
  Completing harness;
  harness.sync({.member = harness.leader, .assignments = {{harness.leader, "L"}}});
  const auto answer = harness.synced(harness.sync({.member = harness.follower}));
  EXPECT_EQ(answer.error_code, ErrorCode::none);
  EXPECT_TRUE(answer.assignment.empty());
}

TEST(Sync, StableRepeatsTheAssignment) {
  Completing harness;
  harness.sync({.member = harness.leader, .assignments = {{harness.leader, "L"}}});
  const auto again =
      harness.synced(harness.sync({.member = harness.leader, .assignments = {{harness.leader, "X"}}}));
  EXPECT_EQ(text_of(again.assignment), "L");
}

TEST(Sync, TheLeaderThatAsksTwiceWritesOnce) {
  Completing harness;
  harness.persists_at_once = false;
  const Ticket first = harness.sync({.member = harness.leader, .assignments = {{harness.leader, "L"}}});
  const Ticket second = harness.sync({.member = harness.leader, .assignments = {{harness.leader, "X"}}});
  EXPECT_EQ(harness.appends.size(), 1u);
  EXPECT_EQ(harness.synced(first).error_code, ErrorCode::rebalance_in_progress);
  harness.persist_one();
  EXPECT_EQ(text_of(harness.synced(second).assignment), "L");
}

TEST(Sync, AFailedWriteIsToldToAllAndTheGroupRebalances) {
  const std::pair<ErrorCode, ErrorCode> errors[] = {
      {ErrorCode::unknown_topic_or_partition, ErrorCode::coordinator_not_available},
      {ErrorCode::not_enough_replicas, ErrorCode::coordinator_not_available},
      {ErrorCode::not_enough_replicas_after_append, ErrorCode::coordinator_not_available},
      {ErrorCode::request_timed_out, ErrorCode::coordinator_not_available},
      {ErrorCode::not_leader_or_follower, ErrorCode::not_coordinator},
      {ErrorCode::kafka_storage_error, ErrorCode::not_coordinator},
      {ErrorCode::message_too_large, ErrorCode::unknown_server_error},
      {ErrorCode::record_list_too_large, ErrorCode::unknown_server_error}};
  for (const auto& [written, told] : errors) {
    Completing harness;
    harness.persists_at_once = false;
    const Ticket follower = harness.sync({.member = harness.follower});
    const Ticket leader = harness.sync({.member = harness.leader});
    harness.persist_one(written);
    EXPECT_EQ(harness.synced(leader).error_code, told);
    EXPECT_EQ(harness.synced(follower).error_code, told);
    EXPECT_EQ(harness.state(), "PreparingRebalance");
  }
}

TEST(Sync, AnAssignmentThatIsTooLargeFailsAtOnce) {
  Completing harness({.initial_rebalance_delay = Duration{}, .batch_bytes_max = 1'000});
  const Ticket leader =
      harness.sync({.member = harness.leader, .assignments = {{harness.leader, std::string(2'000, 'x')}}});
  EXPECT_EQ(harness.synced(leader).error_code, ErrorCode::unknown_server_error);
  EXPECT_EQ(harness.state(), "PreparingRebalance");
  EXPECT_TRUE(harness.appends.empty());
}

TEST(Sync, ARebalanceSendsWaitersBackToJoin) {
  Completing harness;
  const Ticket waiting = harness.sync({.member = harness.follower});
  harness.join({.member = harness.leader, .protocols = {{"range", bytes_of("new")}}});
  EXPECT_EQ(harness.synced(waiting).error_code, ErrorCode::rebalance_in_progress);
}

TEST(Sync, AWriteOfAnOldGenerationChangesNothing) {
  Completing harness;
  harness.persists_at_once = false;
  harness.sync({.member = harness.leader, .assignments = {{harness.leader, "old"}}});
  const Ticket rejoined = harness.join({.member = harness.leader, .protocols = {{"range", bytes_of("new")}}});
  harness.join({.member = harness.follower});
  EXPECT_EQ(harness.joined(rejoined).generation_id, 2);
  harness.persist_one();
  EXPECT_EQ(harness.state(), "CompletingRebalance");
  const Ticket leader =
      harness.sync({.member = harness.leader, .generation = 2, .assignments = {{harness.leader, "new"}}});
  harness.persist_one();
  EXPECT_EQ(text_of(harness.synced(leader).assignment), "new");
}

TEST(Sync, TwoGenerationsInFlight) {
  Completing harness;
  harness.persists_at_once = false;
  harness.sync({.member = harness.leader, .assignments = {{harness.leader, "old"}}});
  harness.join({.member = harness.leader, .protocols = {{"range", bytes_of("new")}}});
  harness.join({.member = harness.follower});
  const Ticket leader =
      harness.sync({.member = harness.leader, .generation = 2, .assignments = {{harness.leader, "new"}}});
  harness.persist_one();
  EXPECT_FALSE(harness.answered(leader));
  harness.persist_one();
  EXPECT_EQ(text_of(harness.synced(leader).assignment), "new");
}

TEST(SyncDeadline, WhoNeverSyncsIsRemovedAfterTheRebalanceTimeout) {
  Completing harness;
  harness.sync({.member = harness.leader, .assignments = {{harness.leader, "L"}}});
  EXPECT_EQ(harness.state(), "Stable");
  for (int second = 0; second < 59; second += 1) {
    harness.advance_ms(1'000);
    ASSERT_EQ(harness.heartbeat(harness.leader, 1), ErrorCode::none);
    ASSERT_EQ(harness.heartbeat(harness.follower, 1), ErrorCode::none);
  }
  harness.advance_ms(1'000);
  EXPECT_EQ(harness.heartbeat(harness.follower, 1), ErrorCode::unknown_member_id);
  EXPECT_EQ(harness.heartbeat(harness.leader, 1), ErrorCode::rebalance_in_progress);
}

TEST(SyncDeadline, ALeaderThatNeverSyncsIsReplaced) {
  Completing harness;
  const Ticket waiting = harness.sync({.member = harness.follower});
  for (int second = 0; second < 60; ++second) {
    harness.heartbeat(harness.leader, 1);
    harness.advance_ms(1'000);
  }
  EXPECT_EQ(harness.synced(waiting).error_code, ErrorCode::rebalance_in_progress);
  const auto next = harness.joined(harness.join({.member = harness.follower}));
  EXPECT_EQ(next.leader, harness.follower);
  EXPECT_EQ(next.generation_id, 2);
}

}  // namespace
}  // namespace tailwater::group
