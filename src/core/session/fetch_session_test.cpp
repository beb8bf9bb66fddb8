// Goal: the table of session ids and epochs at the head of fetch_session.hpp, and eviction.
// Method: each row once, then the wrong neighbours of each.
#include "core/session/fetch_session.hpp"

#include <gtest/gtest.h>

namespace tailwater::session {
namespace {

using wire::ErrorCode;

constexpr Instant kNow{};
constexpr Duration kLong = Duration::from_ms(120'001);

FetchSessions::Begun begin(FetchSessions& sessions, std::int32_t id, std::int32_t epoch,
                           std::size_t partitions = 1, Instant now = kNow) {
  return sessions.begin(
      {.session_id = id, .session_epoch = epoch, .by_id = true, .partitions = partitions, .request = 7}, now);
}

FetchTarget target(std::int32_t partition, std::int64_t offset = 0) {
  FetchTarget target;
  target.topic = "a";
  target.partition = partition;
  target.fetch_offset = offset;
  return target;
}

TEST(FetchSessions, open_continue_close) {
  FetchSessions sessions(10, 1);
  const auto opened = begin(sessions, 0, 0);
  ASSERT_NE(opened.session, nullptr);
  EXPECT_FALSE(opened.incremental);
  const std::int32_t id = opened.session->id();
  EXPECT_NE(id, 0);
  EXPECT_EQ(begin(sessions, id, 1).error, ErrorCode::invalid_fetch_session_epoch) << "still being served";
  sessions.done(*opened.session);
  EXPECT_EQ(begin(sessions, id, 2).error, ErrorCode::invalid_fetch_session_epoch);
  EXPECT_EQ(sessions.begin({.session_id = id, .session_epoch = 1, .by_id = false}, kNow).error,
            ErrorCode::fetch_session_topic_id_error);
  EXPECT_EQ(begin(sessions, id + 1, 1).error, ErrorCode::fetch_session_id_not_found);
  const auto next = begin(sessions, id, 1);
  EXPECT_EQ(next.session, opened.session);
  EXPECT_TRUE(next.incremental);
  sessions.done(*next.session);
  const auto closed = begin(sessions, id, -1);
  EXPECT_EQ(closed.error, ErrorCode::none);
  EXPECT_EQ(closed.session->id(), 0) << "the answer is whole, without a session";
  EXPECT_EQ(sessions.size(), 0u);
}

TEST(FetchSessions, end_when_nobody_can_come_back_and_nothing_is_served) {
  FetchSessions sessions(10, 1);
  const auto nameless = begin(sessions, 0, -1);
  EXPECT_EQ(nameless.session->id(), 0);
  EXPECT_TRUE(sessions.take_ended().empty());
  const std::uint64_t number = nameless.session->number();
  EXPECT_EQ(sessions.find(number), nameless.session);
  sessions.done(*nameless.session);
  EXPECT_EQ(sessions.find(number), nullptr);
  EXPECT_EQ(sessions.take_ended().size(), 1u);

  const auto named = begin(sessions, 0, 0);
  sessions.close(*named.session);
  EXPECT_TRUE(sessions.take_ended().empty()) << "still being served";
  sessions.done(*named.session);
  EXPECT_EQ(sessions.take_ended().size(), 1u);
  EXPECT_TRUE(sessions.take_ended().empty());
}

TEST(FetchSessions, a_full_cache_gives_up_unused_ones) {
  FetchSessions sessions(1, 1);
  sessions.done(*begin(sessions, 0, 0).session);
  const auto refused = begin(sessions, 0, 0);
  EXPECT_EQ(refused.session->id(), 0) << "answered in full, without a session";
  sessions.done(*refused.session);
  EXPECT_NE(begin(sessions, 0, 0, 1, kNow + kLong).session->id(), 0);
  EXPECT_EQ(sessions.size(), 1u);
}

TEST(FetchSessions, a_full_cache_gives_up_old_small_ones_for_large_ones) {
  FetchSessions sessions(1, 1);
  const auto small = begin(sessions, 0, 0);
  small.session->put(target(0));
  small.session->put(target(1));
  sessions.done(*small.session);
  const std::int32_t id = small.session->id();
  // Opened long ago, and in use.
  sessions.done(*begin(sessions, id, 1, 0, kNow + kLong).session);
  EXPECT_EQ(begin(sessions, 0, 0, 2, kNow + kLong).session->id(), 0) << "not larger";
  EXPECT_NE(begin(sessions, 0, 0, 3, kNow + kLong).session->id(), 0);
  EXPECT_EQ(begin(sessions, id, 2).error, ErrorCode::fetch_session_id_not_found);
}

TEST(FetchSession, targets_keep_their_order_and_what_was_answered) {
  FetchSession session(1, 1, false);
  session.put(target(0, 5));
  session.put(target(1));
  session.ready().front().answered = true;
  session.put(target(0, 9));
  ASSERT_EQ(session.size(), 2u);
  EXPECT_EQ(session.ready().front().fetch_offset, 9);
  EXPECT_TRUE(session.ready().front().answered);
  session.move_to_end(session.ready().begin());
  EXPECT_EQ(session.ready().back().partition, 0);
  EXPECT_EQ(session.forget({Uuid{}, "a", 0})->fetch_offset, 9);
  EXPECT_EQ(session.size(), 1u);
  EXPECT_FALSE(session.forget({Uuid{}, "a", 7}).has_value());
  EXPECT_EQ(session.size(), 1u);
}

TEST(FetchSession, a_target_rests_until_it_changes_or_is_named) {
  FetchSession session(1, 1, false);
  for (std::int32_t partition = 0; partition < 3; ++partition) session.put(target(partition));
  const std::uint32_t first = session.ready().front().number;
  for (int count = 0; count < 2; ++count) {
    session.watched(session.ready().front().number);
    session.rest(session.ready().begin());
  }
  EXPECT_EQ(session.ready().size(), 1u);
  EXPECT_EQ(session.quiet().size(), 2u);
  session.changed(first);
  EXPECT_EQ(session.ready().back().partition, 0) << "behind those that waited before";
  EXPECT_FALSE(session.ready().back().watched) << "told once";
  session.put(target(1, 4));
  EXPECT_EQ(session.ready().back().partition, 1);
  EXPECT_TRUE(session.ready().back().watched);
  EXPECT_EQ(session.quiet().size(), 0u);
  session.changed(first);  // twice is as good as once
  EXPECT_EQ(session.size(), 3u);
}

TEST(FetchSession, late_news_of_a_forgotten_target_is_no_news_of_the_next_one) {
  FetchSession session(1, 1, false);
  session.put(target(0));
  const std::uint32_t forgotten = session.ready().front().number;
  session.forget({Uuid{}, "a", 0});
  session.put(target(1));
  session.watched(session.ready().front().number);
  session.rest(session.ready().begin());
  session.changed(forgotten);
  session.watched(forgotten);
  EXPECT_TRUE(session.ready().empty());
  session.changed(12'345);
  EXPECT_EQ(session.size(), 1u);
}

}  // namespace
}  // namespace tailwater::session
