// Goal: administrators see groups as they are and delete what nobody uses. Method: a group in each state.
#include <gtest/gtest.h>

#include "core/group/test_harness.hpp"
#include "records/replay.hpp"

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

// What is deleted goes batch by batch, and the next batch is made when the last is durable.
struct ManyOffsets : Harness {
  explicit ManyOffsets(std::size_t batch_bytes_max) : Harness({.batch_bytes_max = batch_bytes_max}) {
    const auto members = stable_group(1);
    for (std::int32_t partition = 0; partition < kOffsets; ++partition) {
      commit({.member = members[0], .generation = 1, .partition = partition, .offset = 5});
    }
    leave({{members[0], std::nullopt}});
    persists_at_once = false;
  }
  static constexpr std::int32_t kOffsets = 50;
};

TEST(DeleteGroups, ManyOffsetsGoInSeveralBatches) {
  ManyOffsets harness(400);
  const Ticket ticket = harness.delete_group();
  std::int32_t tombstones = 0;
  int batches = 0;
  while (!harness.answered(ticket)) {
    ASSERT_EQ(harness.appends.size(), 1u);
    const Buffer& batch = harness.appends.front().batch;
    EXPECT_LE(batch.size(), 400u);
    tombstones += records::whole_batch(batch)->records_count();
    ++batches;
    EXPECT_EQ(harness.commit_error({}), ErrorCode::coordinator_not_available);
    harness.persist_one();
  }
  EXPECT_EQ(harness.delete_error(ticket), ErrorCode::none);
  EXPECT_EQ(tombstones, ManyOffsets::kOffsets + 1);
  EXPECT_GT(batches, 2);
  EXPECT_EQ(harness.coordinator->group_count(), 0u);
  harness.restart();
  EXPECT_EQ(harness.coordinator->group_count(), 0u);
}

TEST(DeleteGroups, WhatIsRefusedHalfWayStays) {
  ManyOffsets harness(1'000);
  const Ticket ticket = harness.delete_group();
  harness.persist_one();
  harness.persist_one(ErrorCode::not_enough_replicas);
  EXPECT_EQ(harness.delete_error(ticket), ErrorCode::coordinator_not_available);
  EXPECT_EQ(harness.state(), "Empty");
  EXPECT_EQ(harness.fetch("t", 0), -1);
  EXPECT_EQ(harness.fetch("t", 49), 5);
  harness.restart();
  EXPECT_EQ(harness.fetch("t", 0), -1);
  EXPECT_EQ(harness.fetch("t", 49), 5);
  harness.persists_at_once = true;
  EXPECT_EQ(harness.delete_error(harness.delete_group()), ErrorCode::none);
  EXPECT_EQ(harness.coordinator->group_count(), 0u);
}

TEST(DeleteGroups, WhatFitsIntoNoBatchIsRefused) {
  ManyOffsets harness(1'000);
  harness.options.batch_bytes_max = 70;
  harness.restart();
  EXPECT_EQ(harness.delete_error(harness.delete_group()), ErrorCode::unknown_server_error);
  EXPECT_EQ(harness.state(), "Empty");
  EXPECT_EQ(harness.fetch("t", 0), 5);
}

}  // namespace
}  // namespace tailwater::group
