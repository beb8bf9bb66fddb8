// Goal: the small languages of options: settings, partitions, patterns, files of offsets, filters, health.
// Method: tables of texts; metadata made by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apps/cli/config_list.hpp"
#include "apps/cli/config_words.hpp"
#include "apps/cli/consume_output.hpp"
#include "apps/cli/group_queries.hpp"
#include "apps/cli/group_seek.hpp"
#include "apps/cli/health.hpp"
#include "apps/cli/queries.hpp"
#include "apps/cli/wrapped.hpp"

namespace tailwater::apps::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ConfigWords, KeyAndValue) {
  EXPECT_EQ(parse_config_change("a.b=1"), (ConfigChange{"a.b", "1", ConfigOperation::set}));
  EXPECT_EQ(parse_config_change("a=b=c"), (ConfigChange{"a", "b=c", ConfigOperation::set}));
  EXPECT_EQ(parse_config_change("a="), (ConfigChange{"a", "", ConfigOperation::set}));
  EXPECT_EQ(parse_config_change("a+=x"), (ConfigChange{"a", "x", ConfigOperation::append}));
  EXPECT_EQ(parse_config_change("a-=x"), (ConfigChange{"a", "x", ConfigOperation::subtract}));
  for (const char* wrong : {"", "a", "=1", "+=1", "-=1"}) EXPECT_FALSE(parse_config_change(wrong)) << wrong;
}

TEST(ConfigList, EveryKeyIsExplained) {
  for (const ConfigResource resource :
       {ConfigResource::topic, ConfigResource::broker, ConfigResource::group}) {
    ASSERT_FALSE(keys_of(resource).empty());
    for (const auto& key : keys_of(resource)) EXPECT_FALSE(key.documentation.empty()) << key.name;
  }
  EXPECT_EQ(key_rules(*cluster::find_topic_key("retention.ms")), "long, default 604800000, -1 or more");
  EXPECT_EQ(wrapped("one two  three", 2, 10), "  one two\n  three\n");
  EXPECT_EQ(wrapped("", 2, 10), "");
}

TEST(Partitions, ListsAndRanges) {
  EXPECT_EQ(parse_partitions({"3", "0-1,7"}), (std::vector<std::int32_t>{0, 1, 3, 7}));
  EXPECT_EQ(parse_partitions({}), std::vector<std::int32_t>{});
  for (const char* wrong : {"", "x", "1-", "-1", "1,,2", "1-x", "99999999999"}) {
    EXPECT_FALSE(parse_partitions({wrong})) << wrong;
  }
}

TEST(Patterns, AsInAShell) {
  EXPECT_TRUE(matches("orders-eu", {"x", "orders-*"}));
  EXPECT_FALSE(matches("orders", {"orders-?"}));
  EXPECT_TRUE(is_pattern("a*"));
  EXPECT_FALSE(is_pattern("a.b-c_d"));
}

TEST(OffsetsFile, LinesOfThree) {
  const auto offsets = parse_offsets_file("# comment\n\norders 0 5\r\norders,1,6\n  other\t2\t7");
  ASSERT_TRUE(offsets) << offsets.error().message;
  EXPECT_EQ(*offsets, (Offsets{{{"orders", 0}, 5}, {{"orders", 1}, 6}, {{"other", 2}, 7}}));
  const auto wrong = parse_offsets_file("orders 0 5\norders zero 5\n");
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message, HasSubstr("line 2"));
  for (const char* text : {"", "orders 0", "orders 0 -1", "orders 0 5 6"})
    EXPECT_FALSE(parse_offsets_file(text)) << text;
}

TEST(GroupSeek, OffsetsStayInside) {
  EXPECT_EQ(inside(5, 0, 10), 5);
  EXPECT_EQ(inside(-5, 2, 10), 2);
  EXPECT_EQ(inside(50, 2, 10), 10);
}

TEST(Lag, IsNeverNegativeAndKnowsWhatItDoesNotKnow) {
  PartitionLag row;
  EXPECT_EQ(row.lag(), std::nullopt);
  row.end = 10;
  EXPECT_EQ(row.lag(), std::nullopt);
  row.committed = 4;
  EXPECT_EQ(row.lag(), 6);
  row.start = 8;  // 4 to 7 are deleted
  EXPECT_EQ(row.lag(), 2);
  row.committed = 12;
  EXPECT_EQ(row.lag(), 0);
}

wire::MetadataResponse metadata(std::int32_t leader, std::vector<std::int32_t> in_sync) {
  wire::MetadataResponse response;
  response.brokers = {{.node_id = 1}, {.node_id = 2}};
  response.controller_id = 1;
  auto& topic = response.topics.emplace_back();
  topic.name = "t";
  topic.partitions.push_back(
      {.partition_index = 0, .leader_id = leader, .replica_nodes = {1, 2}, .isr_nodes = std::move(in_sync)});
  return response;
}

TEST(Health, SaysWhatIsWrong) {
  EXPECT_TRUE(health_of(metadata(1, {1, 2})).reasons.empty());
  EXPECT_THAT(health_of(metadata(1, {1})).reasons,
              ElementsAre("1 partition with replicas that are not in sync: t[0]"));
  EXPECT_EQ(health_of(metadata(-1, {1, 2})).without_leader, 1U);
  EXPECT_EQ(health_of(metadata(3, {1, 2})).without_leader, 1U);  // a broker that is not there
  EXPECT_THAT(health_of(wire::MetadataResponse{}).reasons, ElementsAre("no broker is known"));
  auto unmounted = metadata(1, {1, 2});
  unmounted.topics[0].partitions[0].offline_replicas = {2, 7};
  EXPECT_THAT(health_of(unmounted).reasons,
              ElementsAre("1 partition with replicas in a log directory that is not there: t[0]"));
  const BrokerLoad load = load_of(metadata(1, {1, 2}), 2);
  EXPECT_EQ(load.leads, 0U);
  EXPECT_EQ(load.replicas, 1U);
}

TEST(RecordFilter, AllConditionsMustHold) {
  RecordView record;
  record.key = "user-7";
  record.value = std::string_view("a\0b", 3);
  record.headers = {{"type", "created"}, {"type", "gone"}, {"empty", std::nullopt}};
  const auto shows = [&record](RecordFilter::Conditions conditions) {
    const auto filter = RecordFilter::make(conditions);
    EXPECT_TRUE(filter);
    return filter && filter->shows(record);
  };
  EXPECT_TRUE(shows({}));
  EXPECT_TRUE(shows({.key = "^user-[0-9]+$"}));
  EXPECT_FALSE(shows({.key = "^7"}));
  EXPECT_TRUE(shows({.value = "b$"}));  // beyond a zero byte
  EXPECT_TRUE(shows({.headers = {"type=^gone$", "empty"}}));
  EXPECT_FALSE(shows({.headers = {"type=other"}}));
  EXPECT_FALSE(shows({.headers = {"empty=.*"}}));
  EXPECT_FALSE(shows({.headers = {"missing"}}));
  record.value.reset();
  EXPECT_FALSE(shows({.value = "."}));
  EXPECT_FALSE(RecordFilter::make({.key = "("}));
}

}  // namespace
}  // namespace tailwater::apps::cli
