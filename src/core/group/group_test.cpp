// Goal: a group keeps its counts, its leader and its protocol votes right, and changes its state along legal
// moves only. Method: small groups by hand, and every pair of states.
#include "core/group/group.hpp"

#include <gtest/gtest.h>

#include "core/group/test_harness.hpp"

namespace tailwater::group {
namespace {

Member member(std::string id, const std::vector<std::string>& protocols = {"range"}) {
  Member made;
  made.id = std::move(id);
  for (const std::string& protocol : protocols) made.protocols.push_back({protocol, bytes_of(protocol)});
  return made;
}

Group empty_group() {
  return Group("g", 1, WallTime{1});
}

TEST(States, ExactlyTheseMovesAreLegal) {
  const State all[] = {State::empty, State::preparing, State::completing, State::stable, State::dead};
  const std::set<std::pair<State, State>> legal = {
      {State::empty, State::preparing},      {State::preparing, State::empty},
      {State::preparing, State::completing}, {State::completing, State::preparing},
      {State::completing, State::stable},    {State::stable, State::preparing},
      {State::empty, State::dead},           {State::preparing, State::dead},
      {State::completing, State::dead},      {State::stable, State::dead}};
  for (const State from : all) {
    for (const State to : all) {
      EXPECT_EQ(is_legal(from, to), legal.contains({from, to})) << name(from) << " -> " << name(to);
    }
  }
}

TEST(StatesDeathTest, AnIllegalMoveEndsTheProcess) {
  Group group = empty_group();
  EXPECT_DEATH(group.move_to(State::stable, WallTime{}), "");
}

TEST(GroupLeader, IsTheFirstAndStays) {
  Group group = empty_group();
  group.add(member("b"), "consumer");
  group.add(member("a"), "consumer");
  group.add(member("c"), "consumer");
  EXPECT_EQ(group.leader(), "b");
  group.remove("b");
  EXPECT_EQ(group.leader(), "a");  // the next that came, not the next by name
  group.remove("a");
  group.remove("c");
  EXPECT_EQ(group.leader(), std::nullopt);
}

TEST(GroupLeader, ThatDidNotJoinIsReplacedByTheFirstThatDid) {
  Group group = empty_group();
  group.add(member("a"), "consumer");
  Member& second = group.add(member("z"), "consumer");
  Member& third = group.add(member("b"), "consumer");
  EXPECT_FALSE(group.elect_joined_leader());
  group.wait_for_join(third, {});
  group.wait_for_join(second, {});
  EXPECT_TRUE(group.elect_joined_leader());
  EXPECT_EQ(group.leader(), "z");
}

TEST(GroupProtocol, MostVotesAmongThoseThatAllSupport) {
  Group group = empty_group();
  group.add(member("a", {"x", "y", "only-a"}), "consumer");
  group.add(member("b", {"y", "x"}), "consumer");
  group.add(member("c", {"other", "y", "x"}), "consumer");
  EXPECT_EQ(group.select_protocol(), "y");
}

TEST(GroupProtocol, EqualVotesGoToTheLeadersPreference) {
  Group group = empty_group();
  group.add(member("a", {"y", "x"}), "consumer");
  group.add(member("b", {"x", "y"}), "consumer");
  EXPECT_EQ(group.select_protocol(), "y");
}

TEST(GroupProtocol, SupportMeansSomethingInCommonWithAll) {
  Group group = empty_group();
  EXPECT_FALSE(group.supports("", {{"x", {}}}, nullptr));
  EXPECT_FALSE(group.supports("consumer", {}, nullptr));
  EXPECT_TRUE(group.supports("consumer", {{"x", {}}}, nullptr));
  Member& first = group.add(member("a", {"x", "y"}), "consumer");
  group.add(member("b", {"y", "z"}), "consumer");
  EXPECT_TRUE(group.supports("consumer", {{"y", {}}}, nullptr));
  EXPECT_FALSE(group.supports("consumer", {{"x", {}}}, nullptr));
  EXPECT_FALSE(group.supports("connect", {{"y", {}}}, nullptr));
  // A member that changes its mind is compared with the others only.
  EXPECT_TRUE(group.supports("consumer", {{"z", {}}}, &first));
  EXPECT_FALSE(group.supports("consumer", {{"x", {}}}, &first));
}

TEST(GroupProtocol, TypeIsTheFirstMembers) {
  Group group = empty_group();
  group.add(member("a"), "connect");
  EXPECT_EQ(group.protocol_type(), "connect");
  group.remove("a");
  EXPECT_EQ(group.protocol_type(), "connect");
  group.add(member("b"), "consumer");
  EXPECT_EQ(group.protocol_type(), "consumer");
}

TEST(GroupStatic, RenameKeepsLeadershipInstanceAndPlace) {
  Group group = empty_group();
  Member made = member("old");
  made.instance_id = "i";
  Member& first = group.add(std::move(made), "consumer");
  group.rename(first, "new");
  EXPECT_EQ(group.find("old"), nullptr);
  EXPECT_EQ(group.find("new"), &first);
  EXPECT_EQ(group.find_static("i"), &first);
  EXPECT_EQ(group.leader(), "new");
  group.remove("new");
  EXPECT_EQ(group.find_static("i"), nullptr);
}

TEST(GroupSubscription, IsTheUnionAndUnreadableMeansAnything) {
  Group group = empty_group();
  Member first = member("a", {});
  first.protocols.push_back({"range", subscription_to({"t1", "t2"})});
  Member second = member("b", {});
  second.protocols.push_back({"range", subscription_to({"t3"})});
  group.add(std::move(first), "consumer");
  Member& added = group.add(std::move(second), "consumer");
  group.move_to(State::preparing, WallTime{});
  group.start_generation(WallTime{});
  EXPECT_TRUE(group.knows_subscription());
  for (const char* topic : {"t1", "t2", "t3"}) EXPECT_TRUE(group.is_subscribed_to(topic));
  EXPECT_FALSE(group.is_subscribed_to("t4"));
  group.set_protocols(added, {{"range", bytes_of("garbage")}});
  group.refresh_subscription();
  EXPECT_FALSE(group.knows_subscription());
  EXPECT_TRUE(group.is_subscribed_to("t4"));
}

TEST(GroupGeneration, NeverOverflows) {
  Group group = empty_group();
  group.load({.protocol_type = "consumer", .generation = INT32_MAX});
  group.move_to(State::preparing, WallTime{});
  group.start_generation(WallTime{});
  EXPECT_EQ(group.generation(), 1);
}

TEST(GroupWeight, ReturnsToWhereItWas) {
  Group group = empty_group();
  const std::size_t before = group.weight();
  Member made = member("a");
  made.instance_id = "i";
  Member& first = group.add(std::move(made), "consumer");
  EXPECT_GT(group.weight(), before);
  group.set_assignment(first, bytes_of("assigned"));
  group.set_client(first, "a longer client", "host");
  group.set_protocols(first, {{"other", bytes_of("metadata")}});
  group.rename(first, "another id");
  group.add_pending("p", Instant{});
  group.offsets.begin("t", 0);
  group.offsets.apply("t", 0, CommittedOffset{.offset = 1, .metadata = "m"});
  group.offsets.end("t", 0);
  group.offsets.apply("t", 0, CommittedOffset{.offset = 2, .metadata = "mm"});
  group.offsets.apply("t", 0, std::nullopt);
  group.remove_pending("p");
  group.remove("another id");
  EXPECT_EQ(group.weight(), before);
  EXPECT_TRUE(group.offsets.empty());
}

TEST(GroupLoad, TakesTheFirstOfWhatIsNamedTwiceAndNobodyWithoutAName) {
  Group group = empty_group();
  GroupRecord record{
      .protocol_type = "consumer", .generation = 4, .protocol_name = "range", .leader = "nobody"};
  record.members.push_back({.member_id = "a", .instance_id = "i", .session_timeout_ms = 10});
  record.members.push_back({.member_id = "a", .session_timeout_ms = 20});
  record.members.push_back({.member_id = ""});
  record.members.push_back(
      {.member_id = "b", .instance_id = "i", .rebalance_timeout_ms = -1, .session_timeout_ms = -5});
  group.load(record);
  EXPECT_TRUE(group.is(State::stable));
  EXPECT_EQ(group.size(), 2u);
  EXPECT_EQ(group.find("a")->rebalance_timeout, Duration::from_ms(10));  // old records: the session's
  EXPECT_EQ(group.find("b")->session_timeout, Duration{});
  EXPECT_EQ(group.find_static("i")->id, "a");
  EXPECT_EQ(group.leader(), "a");
  EXPECT_EQ(group.state_since(), std::nullopt);
}

}  // namespace
}  // namespace tailwater::group
