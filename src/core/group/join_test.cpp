// Goal: JoinGroup's checks come in Kafka's order, each with its error, and each way in leads where it should.
// Method: one request per check against a group in the state that matters.
#include <gtest/gtest.h>

#include "core/group/test_harness.hpp"

namespace tailwater::group {
namespace {

Options no_delay() {
  return {.initial_rebalance_delay = Duration{}};
}

// Static: version 9 with an instance id. Its first join of an empty group, brought to stable.
std::string stable_static_group(Harness& harness, JoinSpec spec) {
  const Ticket ticket = harness.join(spec);
  harness.advance_ms(0);
  const auto joined = harness.joined(ticket);
  harness.sync({.member = joined.member_id,
                .generation = joined.generation_id,
                .instance = spec.instance,
                .assignments = {{joined.member_id, "all"}}});
  EXPECT_EQ(harness.state(), "Stable");
  return joined.member_id;
}

TEST(JoinChecks, GroupIdComesFirst) {
  Harness harness;
  EXPECT_EQ(harness.join_error({.group = "", .session_ms = 1}), ErrorCode::invalid_group_id);
}

TEST(JoinChecks, SessionTimeoutHasBounds) {
  Harness harness;
  EXPECT_EQ(harness.join_error({.session_ms = 5'999}), ErrorCode::invalid_session_timeout);
  EXPECT_EQ(harness.join_error({.session_ms = 1'800'001}), ErrorCode::invalid_session_timeout);
  EXPECT_EQ(harness.join_error({.session_ms = -1}), ErrorCode::invalid_session_timeout);
  EXPECT_EQ(harness.join_error({.session_ms = 6'000}), ErrorCode::member_id_required);
  EXPECT_EQ(harness.join_error({.session_ms = 1'800'000}), ErrorCode::member_id_required);
}

TEST(JoinChecks, UnknownGroupWithAMemberId) {
  Harness harness;
  EXPECT_EQ(harness.join_error({.member = "m"}), ErrorCode::unknown_member_id);
  EXPECT_EQ(harness.coordinator->group_count(), 0u);
}

TEST(JoinChecks, FullGroup) {
  Options options = no_delay();
  options.group_size_max = 1;
  Harness harness(options);
  const auto members = harness.stable_group(1);
  const auto refused = harness.joined(harness.join({.protocols = {{"nothing in common", {}}}}));
  EXPECT_EQ(refused.error_code, ErrorCode::group_max_size_reached);  // before 23
  EXPECT_EQ(refused.member_id, "");
  EXPECT_EQ(harness.heartbeat(members[0], 1), ErrorCode::none);
}

TEST(JoinChecks, AStaticMemberComesBackIntoAFullGroup) {
  Options options = no_delay();
  options.group_size_max = 1;
  Harness harness(options);
  stable_static_group(harness, {.instance = "i"});
  EXPECT_EQ(harness.join_error({.instance = "j"}), ErrorCode::group_max_size_reached);
  EXPECT_EQ(harness.join_error({.instance = "i"}), ErrorCode::none);
}

TEST(JoinChecks, WhereTheLimitIsLoweredTheLastToRejoinAreTurnedAway) {
  Harness harness(no_delay());
  const auto members = harness.stable_group(3);
  const std::int32_t generation = harness.coordinator->describe_group("g", 5).members.empty() ? 0 : 1;
  ASSERT_EQ(generation, 1);
  harness.options.group_size_max = 2;
  harness.restart();
  EXPECT_EQ(harness.state(), "PreparingRebalance");
  const Ticket first = harness.join({.member = members[0]});
  const Ticket second = harness.join({.member = members[1]});
  const auto third = harness.joined(harness.join({.member = members[2]}));
  EXPECT_EQ(third.error_code, ErrorCode::group_max_size_reached);
  EXPECT_TRUE(harness.answered(first));  // with the third gone nobody is missing
  EXPECT_TRUE(harness.answered(second));
  EXPECT_EQ(harness.state(), "CompletingRebalance");
}

TEST(JoinChecks, GroupThatIsBeingDeleted) {
  Harness harness;
  harness.commit({});
  harness.persists_at_once = false;
  harness.delete_group();
  EXPECT_EQ(harness.join_error({.protocols = {}}), ErrorCode::coordinator_not_available);  // before 23
}

TEST(JoinChecks, ProtocolsMustExistAndAgree) {
  Harness harness(no_delay());
  EXPECT_EQ(harness.join_error({.protocols = {}}), ErrorCode::inconsistent_group_protocol);
  EXPECT_EQ(harness.join_error({.type = ""}), ErrorCode::inconsistent_group_protocol);
  EXPECT_EQ(harness.coordinator->group_count(), 0u);  // refused newcomers leave no group behind
  harness.stable_group(1);
  EXPECT_EQ(harness.join_error({.type = "connect"}), ErrorCode::inconsistent_group_protocol);
  EXPECT_EQ(harness.join_error({.protocols = {{"roundrobin", {}}}}), ErrorCode::inconsistent_group_protocol);
  EXPECT_EQ(harness.join_error({.member = "unknown", .type = "connect"}),
            ErrorCode::inconsistent_group_protocol);
}

TEST(JoinChecks, MemberIdRequiredFromVersion4) {
  for (std::int16_t version = 0; version <= 9; ++version) {
    Harness harness(no_delay());
    const Ticket ticket = harness.join({.client = "app", .version = version});
    harness.advance_ms(0);
    const auto answer = harness.joined(ticket);
    EXPECT_EQ(answer.error_code, version >= 4 ? ErrorCode::member_id_required : ErrorCode::none) << version;
    EXPECT_TRUE(answer.member_id.starts_with("app-")) << answer.member_id;
    EXPECT_EQ(answer.member_id.size(), 4u + 36u);
  }
}

TEST(JoinChecks, UnknownAndFencedMembers) {
  Harness harness(no_delay());
  const std::string member = stable_static_group(harness, {.instance = "i"});
  EXPECT_EQ(harness.join_error({.member = "other"}), ErrorCode::unknown_member_id);
  EXPECT_EQ(harness.join_error({.member = "other", .instance = "i"}), ErrorCode::fenced_instance_id);
  EXPECT_EQ(harness.join_error({.member = member, .instance = "j"}), ErrorCode::unknown_member_id);
}

TEST(JoinChecks, APendingIdIsNoStaticMembers) {
  Harness harness;
  const std::string id = harness.new_id();
  EXPECT_EQ(harness.join_error({.member = id, .instance = "i"}), ErrorCode::unknown_member_id);
}

TEST(JoinLimits, Metadata) {
  Options options = no_delay();
  options.member_metadata_max = 100;
  options.member_protocols_max = 2;
  Harness harness(options);
  EXPECT_EQ(harness.join_error({.protocols = {{"x", Buffer(100)}}}), ErrorCode::invalid_request);
  EXPECT_EQ(harness.join_error({.protocols = {{"x", Buffer(99)}}}), ErrorCode::member_id_required);
  EXPECT_EQ(harness.join_error({.protocols = {{"x", {}}, {"y", {}}, {"z", {}}}}), ErrorCode::invalid_request);
}

TEST(JoinLimits, PendingIds) {
  Options options;
  options.pending_members_max = 2;
  Harness harness(options);
  EXPECT_EQ(harness.join_error({}), ErrorCode::member_id_required);
  EXPECT_EQ(harness.join_error({}), ErrorCode::member_id_required);
  EXPECT_EQ(harness.join_error({}), ErrorCode::group_max_size_reached);
  harness.advance_ms(10'000);  // the ids' session
  EXPECT_EQ(harness.join_error({}), ErrorCode::member_id_required);
}

TEST(JoinLimits, Memory) {
  Options options = no_delay();
  options.memory_max = 20'000;
  Harness harness(options);
  std::vector<std::string> groups;
  ErrorCode error = ErrorCode::member_id_required;
  for (int index = 0; index < 100 && error == ErrorCode::member_id_required; ++index) {
    groups.push_back("g" + std::to_string(index));
    error = harness.join_error({.group = groups.back()});
  }
  EXPECT_EQ(error, ErrorCode::group_max_size_reached);
  EXPECT_LT(groups.size(), 30u);
  harness.advance_ms(10'000);  // what only held pending ids is forgotten, and its memory is free again
  EXPECT_EQ(harness.coordinator->group_count(), 0u);
  EXPECT_EQ(harness.coordinator->memory(), 0u);
  EXPECT_EQ(harness.join_error({}), ErrorCode::member_id_required);
}

TEST(JoinNewIds, NeverCollideEvenIfTheGeneratorRepeatsItself) {
  Harness harness(no_delay());
  harness.coordinator = std::make_unique<GroupCoordinator>(harness.options, Prng(1));
  harness.coordinator->loaded(harness.now, harness.out);
  harness.drain();
  const std::string first = stable_static_group(harness, {.instance = "i"});
  harness.coordinator = std::make_unique<GroupCoordinator>(harness.options, Prng(1));
  for (const Buffer& batch : harness.log) ASSERT_TRUE(harness.coordinator->replay(batch).has_value());
  harness.coordinator->loaded(harness.now, harness.out);
  harness.drain();
  const auto back = harness.joined(harness.join({.instance = "i"}));
  EXPECT_EQ(back.error_code, ErrorCode::none);
  EXPECT_NE(back.member_id, first);
}

TEST(JoinLimits, ALongClientIdIsCutBetweenCharacters) {
  Harness harness;
  std::string client = "x";
  while (client.size() < 20'000) client += "\xE2\x82\xAC";
  const auto answer = harness.joined(harness.join({.client = client}));
  EXPECT_LE(answer.member_id.size(), 1'000u + 37u);
  const std::string prefix = answer.member_id.substr(0, answer.member_id.size() - 37);
  EXPECT_EQ(client.substr(0, prefix.size()), prefix);
  EXPECT_EQ((prefix.size() - 1) % 3, 0u);
}

TEST(JoinAnswer, LeaderSeesAllOthersNobody) {
  Harness harness;
  const std::string a = harness.new_id();
  const std::string b = harness.new_id();
  const Ticket first = harness.join({.member = a, .protocols = {{"range", bytes_of("A")}}});
  const Ticket second = harness.join({.member = b, .protocols = {{"range", bytes_of("B")}}});
  EXPECT_FALSE(harness.answered(first));
  harness.advance_ms(6'000);
  const auto leader = harness.joined(first);
  const auto follower = harness.joined(second);
  EXPECT_EQ(leader.error_code, ErrorCode::none);
  EXPECT_EQ(leader.generation_id, 1);
  EXPECT_EQ(leader.leader, a);
  EXPECT_EQ(leader.protocol_name, "range");
  EXPECT_EQ(leader.protocol_type, "consumer");
  EXPECT_FALSE(leader.skip_assignment);
  ASSERT_EQ(leader.members.size(), 2u);
  for (const auto& each : leader.members) EXPECT_EQ(text_of(each.metadata), each.member_id == a ? "A" : "B");
  EXPECT_EQ(follower.leader, a);
  EXPECT_EQ(follower.member_id, b);
  EXPECT_EQ(follower.generation_id, 1);
  EXPECT_TRUE(follower.members.empty());
}

TEST(JoinKnown, CompletingRepeatsTheAnswerUnlessMetadataChanged) {
  Harness harness(no_delay());
  const std::string a = harness.new_id();
  harness.join({.member = a});
  harness.advance_ms(0);
  EXPECT_EQ(harness.state(), "CompletingRebalance");
  const auto again = harness.joined(harness.join({.member = a}));
  EXPECT_EQ(again.generation_id, 1);
  EXPECT_EQ(again.members.size(), 1u);
  EXPECT_EQ(harness.state(), "CompletingRebalance");
  const auto changed =
      harness.joined(harness.join({.member = a, .protocols = {{"range", bytes_of("other")}}}));
  EXPECT_EQ(changed.generation_id, 2);
}

TEST(JoinKnown, StableFollowerIsAnsweredAgainLeaderRebalances) {
  Harness harness(no_delay());
  const auto members = harness.stable_group(2);
  const auto generation = harness.joined(harness.join({.member = members[1]})).generation_id;
  EXPECT_EQ(harness.state(), "Stable");
  const Ticket leader = harness.join({.member = members[0]});
  EXPECT_FALSE(harness.answered(leader));
  EXPECT_EQ(harness.state(), "PreparingRebalance");
  harness.join({.member = members[1]});
  EXPECT_EQ(harness.joined(leader).generation_id, generation + 1);
}

TEST(JoinKnown, StableFollowerWithNewMetadataRebalances) {
  Harness harness(no_delay());
  const auto members = harness.stable_group(2);
  harness.join({.member = members[1], .protocols = {{"range", subscription_to({"u"})}}});
  EXPECT_EQ(harness.state(), "PreparingRebalance");
}

TEST(JoinKnown, ASoleMemberMayChangeItsProtocols) {
  Harness harness(no_delay());
  const auto members = harness.stable_group(1);
  const auto answer = harness.joined(harness.join({.member = members[0], .protocols = {{"sticky", {}}}}));
  EXPECT_EQ(answer.error_code, ErrorCode::none);
  EXPECT_EQ(answer.protocol_name, "sticky");
}

TEST(JoinKnown, ASecondRequestTakesThePlaceOfTheFirst) {
  Harness harness(no_delay());
  const auto members = harness.stable_group(2);
  const Ticket first = harness.join({.member = members[0]});
  const Ticket second = harness.join({.member = members[0]});
  EXPECT_EQ(harness.joined(first).error_code, ErrorCode::rebalance_in_progress);
  EXPECT_FALSE(harness.answered(second));
  harness.join({.member = members[1]});
  EXPECT_EQ(harness.joined(second).error_code, ErrorCode::none);
}

TEST(JoinStatic, ComesBackWithoutARebalance) {
  for (const std::int16_t version : {std::int16_t{5}, std::int16_t{8}, std::int16_t{9}}) {
    Harness harness(no_delay());
    const JoinSpec spec{.instance = "i", .version = version};
    const std::string old = stable_static_group(harness, spec);
    EXPECT_TRUE(old.starts_with("i-"));
    harness.persists_at_once = false;
    const Ticket ticket = harness.join(spec);
    EXPECT_FALSE(harness.answered(ticket));  // not before the new id is durable
    harness.persist_one();
    const auto answer = harness.joined(ticket);
    EXPECT_EQ(answer.error_code, ErrorCode::none);
    EXPECT_EQ(answer.generation_id, 1);
    EXPECT_NE(answer.member_id, old);
    EXPECT_EQ(harness.state(), "Stable");
    // KIP-814: a leader of v9 gets the members and is told to assign nothing; older ones must not see that
    // they lead.
    EXPECT_EQ(answer.skip_assignment, version >= 9);
    EXPECT_EQ(answer.members.size(), version >= 9 ? 1u : 0u);
    EXPECT_EQ(answer.leader, version >= 9 ? answer.member_id : old);
    EXPECT_EQ(harness.heartbeat(old, 1, "i"), ErrorCode::fenced_instance_id);
    EXPECT_EQ(harness.heartbeat(answer.member_id, 1, "i"), ErrorCode::none);
    const auto synced = harness.synced(harness.sync({.member = answer.member_id, .instance = "i"}));
    EXPECT_EQ(text_of(synced.assignment), "all");
    harness.restart();
    EXPECT_EQ(harness.heartbeat(answer.member_id, 1, "i"), ErrorCode::none);
  }
}

TEST(JoinStatic, WithAnotherProtocolRebalances) {
  Harness harness(no_delay());
  stable_static_group(harness, {.instance = "i"});
  const auto answer = harness.joined(harness.join({.instance = "i", .protocols = {{"sticky", {}}}}));
  EXPECT_EQ(answer.generation_id, 2);
  EXPECT_EQ(answer.protocol_name, "sticky");
}

TEST(JoinStatic, FencesWhoWaitsForAJoin) {
  Harness harness;
  const Ticket first = harness.join({.instance = "i"});
  const Ticket second = harness.join({.instance = "i"});
  EXPECT_EQ(harness.joined(first).error_code, ErrorCode::fenced_instance_id);
  harness.advance_ms(6'000);
  EXPECT_EQ(harness.joined(second).error_code, ErrorCode::none);
}

TEST(JoinStatic, FencesWhoWaitsForASync) {
  Harness harness;
  const Ticket a = harness.join({.instance = "i"});
  const Ticket b = harness.join({.instance = "j"});
  harness.advance_ms(6'000);
  const Ticket sync = harness.sync({.member = harness.joined(b).member_id, .instance = "j"});
  const Ticket again = harness.join({.instance = "j"});
  EXPECT_EQ(harness.synced(sync).error_code, ErrorCode::fenced_instance_id);
  EXPECT_EQ(harness.state(), "PreparingRebalance");  // the leader may have assigned to the old id already
  harness.join({.member = harness.joined(a).member_id, .instance = "i"});
  EXPECT_EQ(harness.joined(again).generation_id, 2);
}

TEST(JoinStatic, WhoseNewIdCannotBeWrittenIsToldSo) {
  Harness harness(no_delay());
  stable_static_group(harness, {.instance = "i"});
  harness.persists_at_once = false;
  const Ticket ticket = harness.join({.instance = "i"});
  harness.persist_one(ErrorCode::not_enough_replicas);
  EXPECT_EQ(harness.joined(ticket).error_code, ErrorCode::coordinator_not_available);
  const Ticket again = harness.join({.instance = "i"});
  harness.persist_one();
  EXPECT_EQ(harness.joined(again).error_code, ErrorCode::none);
  EXPECT_EQ(harness.heartbeat(harness.joined(again).member_id, 1, "i"), ErrorCode::none);
}

TEST(JoinStatic, WaitingForASlowWriteCostsNoSession) {
  Harness harness(no_delay());
  stable_static_group(harness, {.instance = "i"});
  harness.persists_at_once = false;
  const Ticket ticket = harness.join({.instance = "i"});
  harness.advance_ms(50'000);
  EXPECT_EQ(harness.state(), "Stable");
  harness.persist_one();
  const std::string id = harness.joined(ticket).member_id;
  harness.advance_ms(9'999);
  EXPECT_EQ(harness.heartbeat(id, 1, "i"), ErrorCode::none);
  const Ticket failing = harness.join({.instance = "i"});
  harness.advance_ms(50'000);
  harness.persist_one(ErrorCode::not_enough_replicas);
  EXPECT_TRUE(harness.answered(failing));
  harness.advance_ms(9'999);
  EXPECT_EQ(harness.state(), "Stable");
  harness.advance_ms(1);
  EXPECT_EQ(harness.state(), "Empty");
}

TEST(JoinStatic, TheSessionRunsAgainFromTheAnswer) {
  Harness harness(no_delay());
  stable_static_group(harness, {.instance = "i"});
  harness.persists_at_once = false;
  harness.join({.instance = "i"});
  harness.advance_ms(50'000);
  harness.persist_one();
  harness.advance_ms(9'999);
  EXPECT_EQ(harness.state(), "Stable");
  harness.advance_ms(1);
  EXPECT_EQ(harness.state(), "Empty");
}

TEST(JoinStatic, ARebalanceOvertakesTheWrite) {
  Harness harness(no_delay());
  stable_static_group(harness, {.instance = "i"});
  harness.persists_at_once = false;
  const Ticket back = harness.join({.instance = "i"});
  const Ticket other = harness.join({.instance = "j"});
  EXPECT_EQ(harness.joined(back).generation_id, 2);
  EXPECT_EQ(harness.joined(other).generation_id, 2);
  harness.persist_one(ErrorCode::not_enough_replicas);  // nobody waits for it any more
  EXPECT_EQ(harness.state(), "CompletingRebalance");
}

TEST(JoinOtherProtocols, ConnectWorksLikeConsumers) {
  Harness harness;
  const auto members =
      harness.stable_group(2, {.type = "connect", .protocols = {{"sessioned", bytes_of("url")}}});
  EXPECT_EQ(harness.coordinator->describe_group("g", 5).protocol_type, "connect");
  EXPECT_EQ(harness.heartbeat(members[1], 1), ErrorCode::none);
}

}  // namespace
}  // namespace tailwater::group
