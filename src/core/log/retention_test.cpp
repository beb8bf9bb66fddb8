// Goal: segments go exactly when Kafka's rules say so, and begin when they say so. Method: plans over made-up
// logs, one rule per test.
#include "core/log/retention.hpp"

#include <gtest/gtest.h>

#include <set>

namespace tailwater::log {
namespace {

// Segments of 100 records and 1,000 bytes; the n-th ends at time n * 1,000 + 999. The last one is active.
struct Plan {
  LogState log;
  explicit Plan(int segments) {
    for (int each = 0; each < segments; ++each) {
      Segment segment;
      segment.base = Offset{each * 100};
      segment.next = Offset{each * 100 + 100};
      segment.size = 1'000;
      segment.first_timestamp = each * 1'000;
      segment.index.max_timestamp = each * 1'000 + 999;
      segment.sealed = each + 1 < segments;
      log.segments.push_back(segment);
    }
    log.end = log.durable_end = Offset{segments * 100};
    log.config.retention_ms = kForever;
  }
  RetentionPlan at(std::int64_t ms) const { return plan_retention(log, WallTime{ms}); }
};

TEST(Retention, keeps_everything_without_a_limit) {
  EXPECT_EQ(Plan(4).at(1'000'000'000).start, Offset{0});
}

TEST(Retention, a_segment_goes_when_its_newest_record_is_too_old) {
  Plan plan(4);
  plan.log.config.retention_ms = 5'000;
  EXPECT_EQ(plan.at(5'999).start, Offset{0}) << "as old as allowed";
  EXPECT_EQ(plan.at(6'000).start, Offset{100});
  EXPECT_EQ(plan.at(7'998).start, Offset{200});
  EXPECT_EQ(plan.at(7'999).start, Offset{200});
}

TEST(Retention, the_last_segment_goes_as_well_and_an_empty_one_is_rolled_first) {
  Plan plan(2);
  plan.log.config.retention_ms = 5'000;
  const RetentionPlan all = plan.at(100'000);
  EXPECT_EQ(all.start, Offset{200});
  EXPECT_TRUE(all.roll);
  EXPECT_FALSE(plan.at(6'000).roll);
}

TEST(Retention, an_empty_active_segment_is_left_alone) {
  Plan plan(2);
  Segment& active = plan.log.segments.back();
  active.size = 0;
  active.next = active.base;
  active.index.max_timestamp = -1;
  plan.log.end = plan.log.durable_end = active.base;
  plan.log.config.retention_ms = 0;
  const RetentionPlan all = plan.at(100'000);
  EXPECT_EQ(all.start, Offset{100});
  EXPECT_FALSE(all.roll);
}

TEST(Retention, a_timestamp_in_the_future_holds_what_follows_it) {
  Plan plan(4);
  plan.log.config.retention_ms = 0;
  plan.log.segments[1].index.max_timestamp = 10'000'000;
  EXPECT_EQ(plan.at(100'000).start, Offset{100});
}

TEST(Retention, without_timestamps_the_time_counts_since_the_segment_was_first_seen_full) {
  Plan plan(3);
  plan.log.config.retention_ms = 5'000;
  plan.log.segments[0].index.max_timestamp = -1;
  EXPECT_EQ(plan.at(100'000).start, Offset{0}) << "nobody knows";
  note_untimed(plan.log, WallTime{100'000});
  EXPECT_EQ(plan.at(105'000).start, Offset{0});
  note_untimed(plan.log, WallTime{104'000});
  EXPECT_GE(plan.at(105'001).start, Offset{100});
}

TEST(Retention, the_oldest_go_while_the_rest_has_enough_bytes) {
  Plan plan(4);
  plan.log.config.retention_bytes = 3'001;
  EXPECT_EQ(plan.at(0).start, Offset{0});
  plan.log.config.retention_bytes = 3'000;
  EXPECT_EQ(plan.at(0).start, Offset{100});
  plan.log.config.retention_bytes = 1'500;
  EXPECT_EQ(plan.at(0).start, Offset{200});
  plan.log.config.retention_bytes = 0;
  EXPECT_EQ(plan.at(0).start, Offset{400});
}

TEST(Retention, nothing_goes_that_consumers_cannot_see_yet) {
  Plan plan(4);
  plan.log.config.retention_bytes = 0;
  plan.log.high_watermark = Offset{199};
  EXPECT_EQ(plan.at(0).start, Offset{100});
  plan.log.high_watermark = Offset{200};
  EXPECT_EQ(plan.at(0).start, Offset{200});
  plan.log.high_watermark = Offset{400};
  plan.log.durable_end = Offset{350};
  EXPECT_EQ(plan.at(0).start, Offset{300}) << "nor what is not on stable storage";
}

TEST(Retention, what_lies_below_the_log_start_goes_under_every_policy) {
  Plan plan(4);
  plan.log.config.remove = false;
  plan.log.config.compact = true;
  plan.log.config.retention_ms = 0;
  plan.log.config.retention_bytes = 0;
  EXPECT_EQ(plan.at(1'000'000).start, Offset{0}) << "compaction alone keeps the rest";
  plan.log.start = Offset{250};
  EXPECT_EQ(plan.at(0).start, Offset{250});
  plan.log.start = Offset{400};
  EXPECT_TRUE(plan.at(0).roll);
}

TEST(Retention, compacted_and_deleted_topics_know_both) {
  Plan plan(4);
  plan.log.config.compact = true;
  plan.log.config.retention_ms = 5'000;
  // Compaction has emptied the first segment.
  plan.log.segments[0].size = 0;
  plan.log.segments[0].index.max_timestamp = -1;
  EXPECT_EQ(plan.at(7'000).start, Offset{200});
  EXPECT_EQ(plan.at(6'000).start, Offset{0});
}

// --- rolling

Arrival arrival(std::uint64_t size, std::int64_t timestamp, std::int64_t last = 50) {
  return {.size = size, .last_offset = Offset{last}, .max_timestamp = timestamp};
}

TEST(Roll, by_size_index_and_offset) {
  Plan plan(1);
  plan.log.config.segment_bytes = 1'500;
  EXPECT_FALSE(must_roll(plan.log, arrival(500, 0), WallTime{0}));
  EXPECT_TRUE(must_roll(plan.log, arrival(501, 0), WallTime{0}));
  EXPECT_TRUE(must_roll(plan.log, arrival(1, 0, std::int64_t{INT32_MAX} + 1), WallTime{0}));
  plan.log.config.segment_index_bytes = 80;
  plan.log.segments[0].index.entries = 10;
  EXPECT_TRUE(must_roll(plan.log, arrival(1, 0), WallTime{0}));
  plan.log.segments[0].size = 0;
  EXPECT_FALSE(must_roll(plan.log, arrival(5'000, 0), WallTime{0})) << "an empty segment takes anything";
}

TEST(Roll, by_the_time_between_the_first_record_and_this_one) {
  Plan plan(1);
  plan.log.config.segment_ms = 10'000;
  EXPECT_FALSE(must_roll(plan.log, arrival(1, 10'000), WallTime{0}));
  EXPECT_TRUE(must_roll(plan.log, arrival(1, 10'001), WallTime{0}));
  EXPECT_FALSE(must_roll(plan.log, arrival(1, -1), WallTime{1'000'000})) << "which has none";
}

TEST(Roll, by_the_clock_where_no_record_has_a_timestamp) {
  Plan plan(1);
  plan.log.config.segment_ms = 10'000;
  Segment& active = plan.log.segments.back();
  active.first_timestamp = active.index.max_timestamp = -1;
  EXPECT_FALSE(must_roll(plan.log, arrival(1, -1), WallTime{1'000'000})) << "nobody knows since when";
  note_untimed(plan.log, WallTime{1'000'000});
  EXPECT_FALSE(must_roll(plan.log, arrival(1, -1), WallTime{1'010'000}));
  EXPECT_TRUE(must_roll(plan.log, arrival(1, -1), WallTime{1'010'001}));
  EXPECT_TRUE(must_roll(plan.log, arrival(1, 5), WallTime{1'010'001})) << "whatever comes";
}

// How old the segment that begins at `base` may get.
std::int64_t oldest(Plan& plan, Offset base) {
  plan.log.segments.back().base = base;
  std::int64_t age = 0;
  while (!must_roll(plan.log, arrival(1, age + 1, base.value + 1), WallTime{0})) ++age;
  return age;
}

TEST(Roll, segments_that_began_together_do_not_end_together_where_there_is_jitter) {
  Plan plan(1);
  plan.log.config.segment_ms = 1'000;
  EXPECT_EQ(oldest(plan, Offset{0}), 1'000);
  plan.log.config.segment_jitter_ms = 100;
  std::set<std::int64_t> by_base;
  std::set<std::int64_t> by_log;
  for (std::int64_t each = 0; each < 50; ++each) {
    plan.log.identity.topic_id = {};
    const std::int64_t age = oldest(plan, Offset{each * 100});
    EXPECT_GT(age, 900);
    EXPECT_LE(age, 1'000);
    EXPECT_EQ(oldest(plan, Offset{each * 100}), age) << "the same every time";
    by_base.insert(age);
    plan.log.identity.topic_id = {7, static_cast<std::uint64_t>(each)};
    by_log.insert(oldest(plan, Offset{0}));
  }
  EXPECT_GT(by_base.size(), 20U);
  EXPECT_GT(by_log.size(), 20U);
  plan.log.config.segment_jitter_ms = INT64_MAX;
  EXPECT_GT(oldest(plan, Offset{0}), 0) << "never more than all of the time";
}

TEST(Roll, a_compacted_log_in_time_for_its_largest_lag) {
  Plan plan(1);
  plan.log.config.segment_ms = 10'000;
  plan.log.config.max_compaction_lag_ms = 2'000;
  EXPECT_FALSE(must_roll(plan.log, arrival(1, 2'001), WallTime{0}));
  plan.log.config.compact = true;
  EXPECT_TRUE(must_roll(plan.log, arrival(1, 2'001), WallTime{0}));
  EXPECT_FALSE(must_roll(plan.log, arrival(1, 2'000), WallTime{0}));
}

}  // namespace
}  // namespace tailwater::log
