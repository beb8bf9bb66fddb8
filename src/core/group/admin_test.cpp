// Goal: administrators see groups as they are and delete what nobody uses. Method: a group in each state.
#include <gtest/gtest.h>

#include "core/group/test_harness.hpp"

namespace tailwater::group {
namespace {

Options no_delay() {
  return {.initial_rebalance_delay = Duration{}};
}

std::vector<std::string> list(Harness& harness, std::vector<std::string> states = {},
                              std::vector<std::string> types = {}) {
  std::vector<wire::ListGroupsResponse::ListedGroup> groups;
  wire::ListGroupsRequest request;
  request.states_filter = std::move(states);
  request.types_filter = std::move(types);
  EXPECT_EQ(harness.coordinator->list_groups(request, groups), ErrorCode::none);
  std::vector<std::string> shown;
  for (const auto& group : groups) {
    shown.push_back(group.group_id + " " + group.protocol_type + " " + group.group_state + " " +
                    group.group_type);
  }
  return shown;
}

TEST(ListGroups, FiltersByStateAndType) {
  Harness harness;
  harness.stable_group(1, {.group = "b"});
  harness.commit({.group = "a"});
  harness.join({.group = "c", .version = 3, .type = "connect"});
  const std::string a = "a  Empty classic";
  const std::string b = "b consumer Stable classic";
  const std::string c = "c connect PreparingRebalance classic";
  using Shown = std::vector<std::string>;
  EXPECT_EQ(list(harness), (Shown{a, b, c}));
  EXPECT_EQ(list(harness, {"stable", " EMPTY "}), (Shown{a, b}));
  EXPECT_EQ(list(harness, {"PreparingRebalance"}), (Shown{c}));
  EXPECT_EQ(list(harness, {"Nonsense"}), Shown{});
  EXPECT_EQ(list(harness, {}, {"Classic"}), (Shown{a, b, c}));
  EXPECT_EQ(list(harness, {}, {"consumer"}), Shown{});
  EXPECT_EQ(list(harness, {"Empty"}, {"consumer", "classic"}), (Shown{a}));
}

TEST(DescribeGroups, MissingGroups) {
  Harness harness;
  const auto old = harness.coordinator->describe_group("g", 5);
  EXPECT_EQ(old.error_code, ErrorCode::none);
  EXPECT_EQ(old.group_state, "Dead");
  const auto recent = harness.coordinator->describe_group("g", 6);
  EXPECT_EQ(recent.error_code, ErrorCode::group_id_not_found);
  EXPECT_EQ(recent.group_state, "Dead");
  EXPECT_TRUE(recent.error_message.has_value());
}

TEST(DescribeGroups, MetadataAndAssignmentsWhenStable) {
  Harness harness(no_delay());
  const auto members = harness.stable_group(1);
  const auto stable = harness.coordinator->describe_group("g", 6);
  EXPECT_EQ(stable.protocol_type, "consumer");
  EXPECT_EQ(stable.protocol_data, "range");
  EXPECT_EQ(stable.members.at(0).client_id, "client");
  EXPECT_EQ(stable.members.at(0).client_host, "/10.0.0.1");
  EXPECT_EQ(stable.members.at(0).member_metadata, subscription_to({"t"}));
  EXPECT_EQ(text_of(stable.members.at(0).member_assignment), "for " + members[0]);
  harness.join({.member = members[0], .protocols = {{"range", bytes_of("x")}}});
  const auto moving = harness.coordinator->describe_group("g", 6);
  EXPECT_EQ(moving.group_state, "CompletingRebalance");
  EXPECT_EQ(moving.protocol_data, "");
  EXPECT_TRUE(moving.members.at(0).member_metadata.empty());
  EXPECT_TRUE(moving.members.at(0).member_assignment.empty());
}

TEST(DeleteGroup, Checks) {
  Harness harness(no_delay());
  EXPECT_EQ(harness.delete_error(harness.delete_group()), ErrorCode::group_id_not_found);
  const auto members = harness.stable_group(1);
  EXPECT_EQ(harness.delete_error(harness.delete_group()), ErrorCode::non_empty_group);
  harness.leave({{members[0], std::nullopt}});
  EXPECT_EQ(harness.delete_error(harness.delete_group()), ErrorCode::none);
  EXPECT_EQ(harness.delete_error(harness.delete_group()), ErrorCode::group_id_not_found);
  EXPECT_EQ(harness.coordinator->memory(), 0u);
}

TEST(DeleteGroup, TakesEffectWhenDurable) {
  Harness harness;
  harness.commit({.offset = 5});
  harness.persists_at_once = false;
  const Ticket ticket = harness.delete_group();
  EXPECT_FALSE(harness.answered(ticket));
  EXPECT_EQ(harness.fetch(), 5);
  EXPECT_EQ(list(harness), std::vector<std::string>{});
  EXPECT_EQ(harness.delete_error(harness.delete_group()), ErrorCode::group_id_not_found);
  harness.persist_one();
  EXPECT_EQ(harness.delete_error(ticket), ErrorCode::none);
  EXPECT_EQ(harness.fetch(), -1);
  harness.restart();
  EXPECT_EQ(harness.coordinator->group_count(), 0u);
}

TEST(DeleteGroup, ThatCannotBeWrittenLeavesTheGroup) {
  Harness harness;
  harness.commit({.offset = 5});
  harness.persists_at_once = false;
  const Ticket ticket = harness.delete_group();
  harness.persist_one(ErrorCode::kafka_storage_error);
  EXPECT_EQ(harness.delete_error(ticket), ErrorCode::not_coordinator);
  EXPECT_EQ(harness.fetch(), 5);
  EXPECT_EQ(harness.state(), "Empty");
}

TEST(DeleteGroup, CoversCommitsInFlight) {
  Harness harness;
  harness.persists_at_once = false;
  const Ticket commit = harness.commit({.offset = 5});
  const Ticket deletion = harness.delete_group();
  harness.persist_one();
  harness.persist_one();
  EXPECT_EQ(harness.committed(commit), ErrorCode::none);
  EXPECT_EQ(harness.delete_error(deletion), ErrorCode::none);
  EXPECT_EQ(harness.coordinator->group_count(), 0u);
  harness.restart();
  EXPECT_EQ(harness.coordinator->group_count(), 0u);
}

TEST(DeleteGroup, OutcomesOfItsPredecessorAreNoneOfTheNewGroup) {
  Harness harness;
  harness.persists_at_once = false;
  const Ticket commit = harness.commit({.offset = 5});
  const Ticket deletion = harness.delete_group();
  const AppendToken late = harness.appends.front().token;
  harness.appends.pop_front();
  harness.persist_one();
  EXPECT_EQ(harness.delete_error(deletion), ErrorCode::none);
  const Ticket next = harness.commit({.offset = 1});
  harness.coordinator->persisted(late, ErrorCode::none, harness.now,
                                 harness.out);  // it lies before the deletion
  harness.drain();
  EXPECT_TRUE(harness.answered(commit));
  EXPECT_EQ(harness.fetch(), -1);
  harness.persist_one();
  EXPECT_EQ(harness.committed(next), ErrorCode::none);
  EXPECT_EQ(harness.fetch(), 1);
}

TEST(DeleteGroup, WithNothingButPendingIds) {
  Harness harness;
  const std::string pending = harness.new_id();
  EXPECT_EQ(harness.delete_error(harness.delete_group()), ErrorCode::none);
  EXPECT_TRUE(harness.log.empty());
  EXPECT_EQ(harness.join_error({.member = pending}), ErrorCode::unknown_member_id);
}

TEST(DeleteGroup, AGroupOfTheSameNameStartsAnew) {
  Harness harness(no_delay());
  const auto members = harness.stable_group(1);
  harness.leave({{members[0], std::nullopt}});
  harness.delete_group();
  const std::string id = harness.new_id();
  const Ticket ticket = harness.join({.member = id});
  harness.advance_ms(0);
  EXPECT_EQ(harness.joined(ticket).generation_id, 1);
}

}  // namespace
}  // namespace tailwater::group
