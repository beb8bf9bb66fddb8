#include "core/session/fetch_session.hpp"

#include "base/check.hpp"

namespace tailwater::session {

namespace {
// A session that was used within this time is not given up for a new one.
constexpr Duration kEvictableAfter = Duration::from_ms(120'000);

constexpr std::int32_t kFinalEpoch = -1;
constexpr std::int32_t kInitialEpoch = 0;
}  // namespace

TargetKey key_of(const FetchTarget& target, bool by_id) {
  return by_id ? TargetKey{target.topic_id, {}, target.partition}
               : TargetKey{Uuid{}, target.topic, target.partition};
}

void FetchSession::put(FetchTarget&& target) {
  TargetKey key = key_of(target, by_id_);
  const auto known = index_.find(key);
  if (known == index_.end()) {
    targets_.push_back(std::move(target));
    index_.emplace(std::move(key), std::prev(targets_.end()));
    return;
  }
  FetchTarget& old = *known->second;
  target.answered = old.answered;
  target.answered_high_watermark = old.answered_high_watermark;
  target.answered_log_start = old.answered_log_start;
  old = std::move(target);
}

void FetchSession::forget(const TargetKey& key) {
  const auto known = index_.find(key);
  if (known == index_.end()) return;
  targets_.erase(known->second);
  index_.erase(known);
}

bool FetchSessions::make_room(Instant now) {
  if (sessions_.size() < sessions_max_) return true;
  auto oldest = sessions_.end();
  for (auto at = sessions_.begin(); at != sessions_.end(); ++at) {
    if (at->second->users_ > 0) continue;
    if (oldest == sessions_.end() || at->second->last_used_ < oldest->second->last_used_) oldest = at;
  }
  if (oldest == sessions_.end() || now - oldest->second->last_used_ < kEvictableAfter) return false;
  sessions_.erase(oldest);
  return true;
}

std::shared_ptr<FetchSession> FetchSessions::open(bool by_id, Instant now) {
  if (sessions_max_ == 0 || !make_room(now)) return nullptr;
  std::int32_t id = 0;
  do {
    id = static_cast<std::int32_t>(random_.next() & 0x7fffffff);
  } while (id == 0 || sessions_.contains(id));
  auto session = std::make_shared<FetchSession>(id, by_id);
  session->last_used_ = now;
  ++session->users_;
  sessions_.emplace(id, session);
  return session;
}

FetchSessions::Begun FetchSessions::begin(const FetchSessionRequest& request, Instant now) {
  if (request.session_epoch == kInitialEpoch || request.session_epoch == kFinalEpoch) {
    sessions_.erase(request.session_id);
    if (request.session_epoch == kFinalEpoch) return {};
    return {.error = wire::ErrorCode::none, .session = open(request.by_id, now), .incremental = false};
  }
  const auto known = sessions_.find(request.session_id);
  if (known == sessions_.end()) return {.error = wire::ErrorCode::fetch_session_id_not_found};
  FetchSession& session = *known->second;
  if (session.next_epoch_ != request.session_epoch || session.users_ > 0) {
    return {.error = wire::ErrorCode::invalid_fetch_session_epoch};
  }
  if (session.by_id_ != request.by_id) return {.error = wire::ErrorCode::fetch_session_topic_id_error};
  session.next_epoch_ = session.next_epoch_ == INT32_MAX ? 1 : session.next_epoch_ + 1;
  session.last_used_ = now;
  ++session.users_;
  return {.error = wire::ErrorCode::none, .session = known->second, .incremental = true};
}

void FetchSessions::done(FetchSession& session) {
  CHECK(session.users_ > 0);
  --session.users_;
}

}  // namespace tailwater::session
