// Goal: a ledger promises exactly what a log said, whatever was truncated since. Method: changes by hand.
#include "crash_states/ledger.hpp"

#include <gtest/gtest.h>

#include "records/builder.hpp"

namespace tailwater::crash_states {
namespace {

Buffer batch_at(Offset base) {
  records::BatchBuilder builder({.base_offset = base});
  EXPECT_TRUE(builder.add(1'000, std::nullopt, as_bytes("v")));
  Buffer batch;
  EXPECT_TRUE(builder.finish(batch).has_value());
  return batch;
}

void append(Story& story, int count) {
  for (int each = 0; each < count; ++each) story.append(story.end(), story.end(), batch_at(story.end()));
}

TEST(Ledger, what_is_durable_is_promised) {
  Story story;
  append(story, 3);
  EXPECT_EQ(story.promised(), 0U);
  story.acknowledge(Offset{2}, Offset{0});
  EXPECT_EQ(story.promised(), 2U);
  story.acknowledge(Offset{1}, Offset{0});
  EXPECT_EQ(story.promised(), 2U);
}

TEST(Ledger, an_append_behind_a_truncation_promises_the_truncation_too) {
  Story story;
  append(story, 3);
  story.acknowledge(Offset{3}, Offset{0});
  story.truncate(Offset{1});
  story.acknowledge(Offset{1}, Offset{0});
  EXPECT_EQ(story.promised(), 3U) << "that the log is shorter promises nothing";
  append(story, 1);
  story.acknowledge(Offset{2}, Offset{0});
  EXPECT_EQ(story.promised(), 5U);
  EXPECT_EQ(LogContent(story.changes(), 3).end, Offset{3});
  EXPECT_EQ(LogContent(story.changes(), 5).end, Offset{2});
  EXPECT_EQ(LogContent(story.changes(), 5).batches.size(), 2U);
}

TEST(Ledger, a_start_settles_what_there_is) {
  Story story;
  append(story, 3);
  story.start_at(Offset{1});
  append(story, 1);
  story.remove();
  story.settle(3);
  EXPECT_EQ(story.end(), Offset{3});
  EXPECT_EQ(story.start(), Offset{0});
  EXPECT_EQ(story.promised(), 3U);
  EXPECT_FALSE(story.removed());
}

TEST(Ledger, a_reader_gets_the_batches_from_the_start_on) {
  Story story;
  append(story, 2);
  story.start_at(Offset{1});
  EXPECT_EQ(LogContent(story.changes(), 3).bytes(), batch_at(Offset{1}));
}

Story soft(std::int64_t flush_messages, std::int64_t flush_ms) {
  log::LogConfig config;
  config.os_durable = true;
  config.flush_messages = flush_messages;
  config.flush_ms = flush_ms;
  return {{}, config};
}

TEST(Ledger, what_only_the_operating_system_has_is_acknowledged_and_not_promised) {
  Story story = soft(INT64_MAX, INT64_MAX);
  append(story, 3);
  story.acknowledge(Offset{2}, Offset{0});
  EXPECT_EQ(story.acknowledged(), 2U);
  EXPECT_EQ(story.promised(), 0U);
  story.rest(Instant{1});
  EXPECT_EQ(story.promised(), 0U);
  story.stopped();
  EXPECT_EQ(story.promised(), 2U);
}

TEST(Ledger, flush_messages_bounds_what_is_not_promised) {
  Story story = soft(2, INT64_MAX);
  append(story, 3);
  story.acknowledge(Offset{1}, Offset{0});
  EXPECT_EQ(story.promised(), 0U);
  story.acknowledge(Offset{3}, Offset{0});
  EXPECT_EQ(story.promised(), 2U);
  Story fsync = soft(1, INT64_MAX);
  append(fsync, 3);
  fsync.acknowledge(Offset{3}, Offset{0});
  EXPECT_EQ(fsync.promised(), 3U);
}

TEST(Ledger, flush_ms_bounds_how_long_it_is_not_promised) {
  Story story = soft(INT64_MAX, 5);
  append(story, 2);
  story.acknowledge(Offset{1}, Offset{0}, Instant{1'000'000});
  story.acknowledge(Offset{2}, Offset{0}, Instant{3'000'000});
  story.rest(Instant{5'999'999});
  EXPECT_EQ(story.promised(), 0U);
  story.rest(Instant{6'000'000});
  EXPECT_EQ(story.promised(), 1U);
}

TEST(Ledger, what_is_gone_or_removed_at_rest_stays_so) {
  Story story;
  append(story, 4);
  story.note_left({Offset{0}, Offset{2}}, Offset{3});
  EXPECT_EQ(story.gone(), std::set<Offset>{Offset{1}}) << "the last one was not looked for";
  EXPECT_FALSE(story.presence_promised());
  story.rest({});
  EXPECT_TRUE(story.presence_promised());
  story.remove();
  EXPECT_FALSE(story.removal_promised());
  story.rest({});
  EXPECT_TRUE(story.removal_promised());
  EXPECT_FALSE(story.presence_promised());
}

}  // namespace
}  // namespace tailwater::crash_states
