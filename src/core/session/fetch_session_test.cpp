// Goal: the table of session ids and epochs at the head of fetch_session.hpp, and eviction.
// Method: each row once, then the wrong neighbours of each.
#include "core/session/fetch_session.hpp"

#include <gtest/gtest.h>

namespace tailwater::session {
namespace {

using wire::ErrorCode;

TEST(FetchSessions, OpenContinueClose) {
  FetchSessions sessions(10, 1);
  const Instant now{};
  auto opened = sessions.begin({.session_id = 0, .session_epoch = 0, .by_id = true}, now);
  ASSERT_TRUE(opened.session);
  EXPECT_FALSE(opened.incremental);
  const std::int32_t id = opened.session->id();
  EXPECT_EQ(sessions.begin({id, 1, true}, now).error, ErrorCode::invalid_fetch_session_epoch)
      << "still being served";
  sessions.done(*opened.session);
  EXPECT_EQ(sessions.begin({id, 2, true}, now).error, ErrorCode::invalid_fetch_session_epoch);
  EXPECT_EQ(sessions.begin({id, 1, false}, now).error, ErrorCode::fetch_session_topic_id_error);
  EXPECT_EQ(sessions.begin({id + 1, 1, true}, now).error, ErrorCode::fetch_session_id_not_found);
  auto next = sessions.begin({id, 1, true}, now);
  EXPECT_TRUE(next.incremental);
  sessions.done(*next.session);
  const auto closed = sessions.begin({id, -1, true}, now);
  EXPECT_EQ(closed.error, ErrorCode::none);
  EXPECT_FALSE(closed.session);
  EXPECT_EQ(sessions.size(), 0u);
}

TEST(FetchSessions, AFullCacheGivesUpOnlyOldSessions) {
  FetchSessions sessions(1, 1);
  auto first = sessions.begin({0, 0, false}, Instant{});
  sessions.done(*first.session);
  EXPECT_FALSE(sessions.begin({0, 0, false}, Instant{}).session) << "answered in full, without a session";
  const Instant later = Instant{} + Duration::from_ms(120'000);
  EXPECT_TRUE(sessions.begin({0, 0, false}, later).session);
  EXPECT_EQ(sessions.size(), 1u);
}

TEST(FetchSession, TargetsKeepTheirOrderAndWhatWasAnswered) {
  FetchSession session(1, false);
  session.put({.topic = "a", .topic_id = {}, .partition = 0, .fetch_offset = 5});
  session.put({.topic = "a", .topic_id = {}, .partition = 1});
  session.targets().front().answered = true;
  session.put({.topic = "a", .topic_id = {}, .partition = 0, .fetch_offset = 9});
  ASSERT_EQ(session.targets().size(), 2u);
  EXPECT_EQ(session.targets().front().fetch_offset, 9);
  EXPECT_TRUE(session.targets().front().answered);
  session.move_to_end(session.targets().begin());
  EXPECT_EQ(session.targets().back().partition, 0);
  session.forget({Uuid{}, "a", 0});
  EXPECT_EQ(session.targets().size(), 1u);
  session.forget({Uuid{}, "a", 7});
  EXPECT_EQ(session.targets().size(), 1u);
}

}  // namespace
}  // namespace tailwater::session
