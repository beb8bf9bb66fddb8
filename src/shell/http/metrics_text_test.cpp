// Goal: the text is what existing scrapers, dashboards and alert rules read, and lag is right in the cases in
// which exporters go wrong. Method: a small broker of two shards, golden lines of it, and a check of the
// format on the whole.
#include "shell/http/metrics_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <sstream>

namespace tailwater::shell {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

MetricsInput two_shards() {
  MetricsInput input;
  input.version = "1.2.3";
  input.cluster_id = "abc";
  input.broker_id = 7;
  input.address = "localhost:9092";
  input.uptime_seconds = 12.5;
  input.shards.resize(2);
  input.loops = {{10, 1'500'000'000, 2'000'000, {.recv = 7, .io_uring_enter = 4}}, {20, 0, 0, {}}};
  node::MetricsSnapshot& first = input.shards[0];
  first.messages_in = 5;
  first.cache_unflushed = 4'096;
  first.connections = 2;
  first.partitions = {{"orders", 0, 10, 100, 1000}, {"orders", 2, 0, 7, 70}};
  first.apis["Produce"].requests = 3;
  first.apis["Produce"].latency.add_us(100);
  node::MetricsSnapshot& second = input.shards[1];
  second.messages_in = 6;
  second.cache_unflushed = 1'048'576;
  second.partitions = {{"orders", 1, 0, 50, 500}};
  second.apis["Produce"].requests = 4;
  second.apis["Produce"].latency.add_us(1'000'000);
  second.groups = {
      {"g\"1\"", "Stable", 2, {{"orders", 0, 90}, {"orders", 1, 60}, {"orders", 2, 3}, {"gone", 0, 1}}},
      {"g2", "Empty", 0, {{"orders", 0, 4}}}};
  return input;
}

TEST(MetricsText, FormatIsThatOfPrometheus) {
  const std::string text = write_metrics(two_shards());
  std::istringstream lines(text);
  std::set<std::string> families;
  std::string current;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# HELP ")) {
      current = line.substr(7, line.find(' ', 7) - 7);
      EXPECT_TRUE(families.insert(current).second) << current << " comes twice";
      EXPECT_GT(line.size(), 8 + current.size()) << line;
    } else if (line.starts_with("# TYPE ")) {
      EXPECT_TRUE(line.starts_with("# TYPE " + current + " ")) << line;
    } else {
      EXPECT_TRUE(line.starts_with(current)) << line;
      const std::string value = line.substr(line.rfind(' ') + 1);
      EXPECT_FALSE(value.empty());
      EXPECT_EQ(value.find_first_not_of("0123456789.-"), std::string::npos) << line;
    }
  }
  EXPECT_TRUE(text.ends_with('\n'));
}

TEST(MetricsText, ShardsAreAddedUp) {
  const std::string text = write_metrics(two_shards());
  EXPECT_THAT(text, HasSubstr("\nkafka_server_brokertopicmetrics_messagesin_total 11\n"));
  EXPECT_THAT(text, HasSubstr("\ntailwater_requests_total{api=\"Produce\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("\nkafka_topic_partitions{topic=\"orders\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("\ntailwater_topic_log_bytes{topic=\"orders\"} 1570\n"));
  EXPECT_THAT(text, HasSubstr("\nkafka_broker_info{id=\"7\",address=\"localhost:9092\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("\ntailwater_shard_busy_seconds_total{shard=\"0\"} 1.500\n"));
}

TEST(MetricsText, SystemCallsAreOfEachShard) {
  const std::string text = write_metrics(two_shards());
  EXPECT_THAT(text, HasSubstr("\ntailwater_system_calls_total{shard=\"0\",call=\"recv\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("\ntailwater_system_calls_total{shard=\"0\",call=\"io_uring_enter\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("\ntailwater_system_calls_total{shard=\"1\",call=\"recv\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("\ntailwater_cache_bytes{kind=\"unflushed\"} 1052672\n"));
  EXPECT_THAT(text, HasSubstr("\ntailwater_cache_bytes{kind=\"cold\"} 0\n"));
}

TEST(MetricsText, Partitions) {
  const std::string text = write_metrics(two_shards());
  EXPECT_THAT(text, HasSubstr("# HELP kafka_topic_partition_current_offset End of the partition's log.\n"
                              "# TYPE kafka_topic_partition_current_offset gauge\n"
                              "kafka_topic_partition_current_offset{topic=\"orders\",partition=\"0\"} 100\n"
                              "kafka_topic_partition_current_offset{topic=\"orders\",partition=\"1\"} 50\n"
                              "kafka_topic_partition_current_offset{topic=\"orders\",partition=\"2\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("kafka_topic_partition_oldest_offset{topic=\"orders\",partition=\"0\"} 10\n"));
  MetricsInput less = two_shards();
  less.partitions = false;
  EXPECT_THAT(write_metrics(less), Not(HasSubstr("partition=\"")));
  EXPECT_THAT(write_metrics(less), HasSubstr("kafka_consumergroup_lag_sum"));
}

TEST(MetricsText, Lag) {
  const std::string text = write_metrics(two_shards());
  const std::string group = "consumergroup=\"g\\\"1\\\"\"";
  EXPECT_THAT(text,
              HasSubstr("kafka_consumergroup_lag{" + group + ",topic=\"orders\",partition=\"0\"} 10\n"));
  // A commit beyond the end, as two moments of looking would show it: never negative.
  EXPECT_THAT(text, HasSubstr("kafka_consumergroup_lag{" + group + ",topic=\"orders\",partition=\"1\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("kafka_consumergroup_lag_sum{" + group + ",topic=\"orders\"} 14\n"));
  // A deleted topic has a commit and no lag.
  EXPECT_THAT(text, HasSubstr("kafka_consumergroup_current_offset{" + group +
                              ",topic=\"gone\",partition=\"0\"} 1\n"));
  EXPECT_THAT(text, Not(HasSubstr("kafka_consumergroup_lag{" + group + ",topic=\"gone\"")));
  // Retention passed the commit of an empty group: what is gone is no lag.
  EXPECT_THAT(
      text, HasSubstr("kafka_consumergroup_lag{consumergroup=\"g2\",topic=\"orders\",partition=\"0\"} 90\n"));
  EXPECT_THAT(text, HasSubstr("kafka_consumergroup_members{consumergroup=\"g2\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("tailwater_groups{state=\"Stable\"} 1\n"));
}

TEST(MetricsText, CompactionHasKafkasNames) {
  MetricsInput input = two_shards();
  input.shards[0].compaction = {.rounds = 2,
                                .bytes_before = 100,
                                .bytes_after = 40,
                                .uncleanable_partitions = 1,
                                .max_dirty_percent = 30,
                                .since_last_ms = 700};
  input.shards[1].compaction = {.rounds = 3, .max_dirty_percent = 60, .map_percent = 12};
  const std::string text = write_metrics(input);
  EXPECT_THAT(text, HasSubstr("\nkafka_log_logcleanermanager_max_dirty_percent 60\n"));
  EXPECT_THAT(text, HasSubstr("\nkafka_log_logcleanermanager_uncleanable_partitions_count 1\n"));
  EXPECT_THAT(text, HasSubstr("\nkafka_log_logcleaner_max_buffer_utilization_percent 12\n"));
  EXPECT_THAT(text, HasSubstr("\nkafka_log_logcleanermanager_time_since_last_run_ms 700\n"));
  EXPECT_THAT(text, HasSubstr("\ntailwater_compaction_rounds_total 5\n"));
}

TEST(MetricsText, Histogram) {
  const std::string text = write_metrics(two_shards());
  EXPECT_THAT(text, HasSubstr("tailwater_request_seconds_bucket{api=\"Produce\",le=\"0.000064\"} 0\n"
                              "tailwater_request_seconds_bucket{api=\"Produce\",le=\"0.000128\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("tailwater_request_seconds_bucket{api=\"Produce\",le=\"0.524288\"} 1\n"
                              "tailwater_request_seconds_bucket{api=\"Produce\",le=\"1.048576\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("tailwater_request_seconds_bucket{api=\"Produce\",le=\"+Inf\"} 2\n"
                              "tailwater_request_seconds_sum{api=\"Produce\"} 1.0001\n"
                              "tailwater_request_seconds_count{api=\"Produce\"} 2\n"));
}

TEST(MetricsText, ProcessFactsAreOfThisProcess) {
  const ProcessFacts facts = read_process_facts();
  EXPECT_GT(facts.resident_bytes, 100'000u);
  EXPECT_GE(facts.virtual_bytes, facts.resident_bytes);
  EXPECT_GT(facts.open_descriptors, 2u);
  EXPECT_GT(facts.max_descriptors, facts.open_descriptors);
  EXPECT_GT(facts.start_time_seconds, 1.7e9);
}

}  // namespace
}  // namespace tailwater::shell
