// Goal: the table of session ids and epochs at the head of fetch_session.hpp, and eviction.
// Method: each row once, then the wrong neighbours of each.
#include "core/session/fetch_session.hpp"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

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

void put(FetchSession& session, std::int32_t partition, std::int64_t offset = 0,
         std::string_view topic = "a") {
  session.put(topic, Uuid{}, {.partition = partition, .fetch_offset = offset});
}

// The partitions of the ready targets, in their order.
std::vector<std::int32_t> ready(const FetchSession& session) {
  std::vector<std::int32_t> partitions;
  for (auto slot = session.first_ready(); slot != FetchSession::kEnd; slot = session.next(slot)) {
    partitions.push_back(session[slot].wish.partition);
  }
  return partitions;
}

FetchTarget& first(FetchSession& session) {
  return session[session.first_ready()];
}

FetchTarget& last(FetchSession& session) {
  auto slot = session.first_ready();
  while (session.next(slot) != FetchSession::kEnd) slot = session.next(slot);
  return session[slot];
}

std::size_t bury(FetchSessions& sessions) {
  std::size_t count = 0;
  sessions.bury([&](const FetchSession&) { ++count; });
  return count;
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
  EXPECT_EQ(bury(sessions), 0u);
  const std::uint64_t number = nameless.session->number();
  EXPECT_EQ(sessions.find(number), nameless.session);
  sessions.done(*nameless.session);
  EXPECT_EQ(sessions.find(number), nullptr);
  EXPECT_EQ(bury(sessions), 1u);

  const auto named = begin(sessions, 0, 0);
  sessions.close(*named.session);
  EXPECT_EQ(bury(sessions), 0u) << "still being served";
  sessions.done(*named.session);
  EXPECT_EQ(bury(sessions), 1u);
  EXPECT_EQ(bury(sessions), 0u);
}

TEST(FetchSessions, a_spare_one_remembers_nothing) {
  FetchSessions sessions(10, 1);
  const auto once = begin(sessions, 0, -1);
  const std::uint64_t number = once.session->number();
  put(*once.session, 3, 5, "long name of a topic");
  put(*once.session, 4, 6, "b");
  sessions.done(*once.session);
  EXPECT_EQ(bury(sessions), 1u);
  const auto again = begin(sessions, 0, 0);
  EXPECT_NE(again.session->number(), number);
  EXPECT_EQ(sessions.find(number), nullptr);
  EXPECT_EQ(again.session->size(), 0u);
  EXPECT_FALSE(again.session->find("b", Uuid{}, 4).has_value());
  again.session->put("", Uuid{1, 2}, {.partition = 4});
  EXPECT_EQ(ready(*again.session), (std::vector<std::int32_t>{4}));
  EXPECT_EQ(again.session->topic(first(*again.session)).id, (Uuid{1, 2}));
  EXPECT_TRUE(again.session->find("", Uuid{1, 2}, 4).has_value());
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
  put(*small.session, 0);
  put(*small.session, 1);
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
  put(session, 0, 5);
  put(session, 1);
  first(session).answered = true;
  put(session, 0, 9);
  ASSERT_EQ(session.size(), 2u);
  EXPECT_EQ(first(session).wish.fetch_offset, 9);
  EXPECT_TRUE(first(session).answered);
  session.move_to_end(session.first_ready());
  EXPECT_EQ(ready(session), (std::vector<std::int32_t>{1, 0}));
  const auto slot = session.find("a", Uuid{}, 0);
  ASSERT_TRUE(slot.has_value());
  EXPECT_EQ(session[*slot].wish.fetch_offset, 9);
  session.forget(*slot);
  EXPECT_EQ(ready(session), (std::vector<std::int32_t>{1}));
  EXPECT_FALSE(session.find("a", Uuid{}, 0).has_value());
  EXPECT_FALSE(session.find("a", Uuid{}, 7).has_value());
  EXPECT_FALSE(session.find("b", Uuid{}, 1).has_value());
  EXPECT_EQ(session.size(), 1u);
}

TEST(FetchSession, partitions_of_topics_are_told_apart) {
  FetchSession session(1, 1, false);
  put(session, 0, 10, "a");
  put(session, 0, 20, "b");
  put(session, 0, 30, "c");
  put(session, 0, 21, "b");
  ASSERT_EQ(session.size(), 3u);
  EXPECT_EQ(session[*session.find("b", Uuid{}, 0)].wish.fetch_offset, 21);
  session.forget(*session.find("b", Uuid{}, 0));
  EXPECT_FALSE(session.find("b", Uuid{}, 0).has_value());
  // A topic that comes takes the place of one that went.
  put(session, 0, 40, "d");
  for (const auto& [topic, offset] : {std::pair{"a", 10}, std::pair{"c", 30}, std::pair{"d", 40}}) {
    const auto slot = session.find(topic, Uuid{}, 0);
    ASSERT_TRUE(slot.has_value()) << topic;
    EXPECT_EQ(session[*slot].wish.fetch_offset, offset);
    EXPECT_EQ(session.topic(session[*slot]).name, topic);
  }
}

TEST(FetchSession, a_target_rests_until_it_changes_or_is_named) {
  FetchSession session(1, 1, false);
  for (std::int32_t partition = 0; partition < 3; ++partition) put(session, partition);
  const std::uint32_t number = first(session).number;
  for (int count = 0; count < 2; ++count) {
    session.watched(first(session).number);
    session.rest(session.first_ready());
  }
  EXPECT_EQ(ready(session), (std::vector<std::int32_t>{2}));
  EXPECT_EQ(session.size(), 3u);
  session.changed(number);
  EXPECT_EQ(ready(session), (std::vector<std::int32_t>{2, 0})) << "behind those that waited before";
  EXPECT_FALSE(last(session).watched) << "told once";
  put(session, 1, 4);
  EXPECT_EQ(ready(session), (std::vector<std::int32_t>{2, 0, 1}));
  EXPECT_TRUE(last(session).watched);
  session.changed(number);  // twice is as good as once
  EXPECT_EQ(session.size(), 3u);
}

TEST(FetchSession, late_news_of_a_forgotten_target_is_no_news_of_the_next_one) {
  FetchSession session(1, 1, false);
  put(session, 0);
  const std::uint32_t forgotten = first(session).number;
  session.forget(session.first_ready());
  put(session, 1);
  session.watched(first(session).number);
  session.rest(session.first_ready());
  session.changed(forgotten);
  session.watched(forgotten);
  EXPECT_TRUE(ready(session).empty());
  session.changed(12'345);
  EXPECT_EQ(session.size(), 1u);
}

}  // namespace
}  // namespace tailwater::session
