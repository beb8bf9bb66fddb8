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
  story.promise(Offset{2}, Offset{0});
  EXPECT_EQ(story.promised(), 2U);
  story.promise(Offset{1}, Offset{0});
  EXPECT_EQ(story.promised(), 2U);
}

TEST(Ledger, an_append_behind_a_truncation_promises_the_truncation_too) {
  Story story;
  append(story, 3);
  story.promise(Offset{3}, Offset{0});
  story.truncate(Offset{1});
  story.promise(Offset{1}, Offset{0});
  EXPECT_EQ(story.promised(), 3U) << "that the log is shorter promises nothing";
  append(story, 1);
  story.promise(Offset{2}, Offset{0});
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

}  // namespace
}  // namespace tailwater::crash_states
