#include "core/session/fetch_session.hpp"

#include "base/check.hpp"

namespace tailwater::session {

namespace {
// A session that was not used for longer is given up for a new one; one that was opened longer ago, for a
// larger one.
constexpr Duration kEvictableAfter = Duration::from_ms(120'000);

constexpr std::uint32_t kGivenBits = 8;

constexpr std::int32_t kFinalEpoch = -1;
constexpr std::int32_t kInitialEpoch = 0;
}  // namespace

TargetKey key_of(const FetchTarget& target, bool by_id) {
  return by_id ? TargetKey{target.topic_id, {}, target.partition}
               : TargetKey{Uuid{}, target.topic, target.partition};
}

// --- targets

void FetchSession::make_ready(Targets::iterator target) {
  if (!target->quiet) return;
  target->quiet = false;
  ready_.splice(ready_.end(), quiet_, target);
}

void FetchSession::rest(Targets::iterator target) {
  CHECK(!target->quiet);
  CHECK(target->watched);
  target->quiet = true;
  quiet_.splice(quiet_.end(), ready_, target);
}

void FetchSession::add(FetchTarget&& target) {
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const std::uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  target.number = slot << kGivenBits | slots_[slot].given++;
  ready_.push_back(std::move(target));
  slots_[slot].target = std::prev(ready_.end());
}

void FetchSession::put(FetchTarget&& target) {
  if (id_ == 0) return add(std::move(target));
  const auto [known, is_new] = index_.try_emplace(key_of(target, by_id_));
  if (is_new) {
    add(std::move(target));
    known->second = std::prev(ready_.end());
    return;
  }
  FetchTarget& old = *known->second;
  make_ready(known->second);
  target.answered = old.answered;
  target.answered_high_watermark = old.answered_high_watermark;
  target.answered_log_start = old.answered_log_start;
  target.number = old.number;
  target.watched = old.watched;
  old = std::move(target);
}

std::optional<FetchTarget> FetchSession::forget(const TargetKey& key) {
  const auto known = index_.find(key);
  if (known == index_.end()) return std::nullopt;
  const Targets::iterator at = known->second;
  FetchTarget forgotten = std::move(*at);
  slots_[forgotten.number >> kGivenBits].target.reset();
  free_slots_.push_back(forgotten.number >> kGivenBits);
  (forgotten.quiet ? quiet_ : ready_).erase(at);
  index_.erase(known);
  return forgotten;
}

std::optional<FetchSession::Targets::iterator> FetchSession::find(std::uint32_t number) {
  const std::uint32_t slot = number >> kGivenBits;
  if (slot >= slots_.size() || !slots_[slot].target) return std::nullopt;
  const Targets::iterator target = *slots_[slot].target;
  return target->number == number ? std::optional(target) : std::nullopt;
}

void FetchSession::watched(std::uint32_t target) {
  if (const auto found = find(target)) (*found)->watched = true;
}

void FetchSession::changed(std::uint32_t target) {
  const auto found = find(target);
  if (!found) return;
  (*found)->watched = false;
  make_ready(*found);
}

// --- sessions

FetchSession& FetchSessions::make(std::int32_t id, const FetchSessionRequest& request, Instant now) {
  const std::uint64_t number = next_number_++;
  auto owned = std::make_unique<FetchSession>(number, id, request.by_id);
  FetchSession& session = *owned;
  sessions_.emplace(number, std::move(owned));
  session.opened_ = session.last_used_ = now;
  session.request_ = request.request;
  return session;
}

bool FetchSessions::make_room(std::size_t partitions, Instant now) {
  if (by_id_.size() < sessions_max_) return true;
  FetchSession* oldest = nullptr;
  FetchSession* smallest = nullptr;
  for (const auto& [id, session] : by_id_) {
    if (oldest == nullptr || session->last_used_ < oldest->last_used_) oldest = session;
    if (now - session->opened_ <= kEvictableAfter) continue;
    if (smallest == nullptr || session->size() < smallest->size()) smallest = session;
  }
  if (oldest != nullptr && now - oldest->last_used_ > kEvictableAfter) {
    close(*oldest);
  } else if (smallest != nullptr && smallest->size() < partitions) {
    close(*smallest);
  } else {
    return false;
  }
  return true;
}

FetchSession& FetchSessions::open(const FetchSessionRequest& request, Instant now) {
  if (sessions_max_ == 0 || !make_room(request.partitions, now)) return make(0, request, now);
  std::int32_t id = 0;
  do {
    id = static_cast<std::int32_t>(random_.next() & 0x7fffffff);
  } while (id == 0 || by_id_.contains(id));
  FetchSession& session = make(id, request, now);
  session.listed_ = true;
  by_id_.emplace(id, &session);
  return session;
}

FetchSessions::Begun FetchSessions::begin(const FetchSessionRequest& request, Instant now) {
  const auto known = by_id_.find(request.session_id);
  if (request.session_epoch == kInitialEpoch || request.session_epoch == kFinalEpoch) {
    if (known != by_id_.end()) close(*known->second);
    FetchSession& session =
        request.session_epoch == kInitialEpoch ? open(request, now) : make(0, request, now);
    return {.error = wire::ErrorCode::none, .session = &session, .incremental = false};
  }
  if (known == by_id_.end()) return {.error = wire::ErrorCode::fetch_session_id_not_found};
  FetchSession& session = *known->second;
  if (session.next_epoch_ != request.session_epoch || session.request_) {
    return {.error = wire::ErrorCode::invalid_fetch_session_epoch};
  }
  if (session.by_id_ != request.by_id) return {.error = wire::ErrorCode::fetch_session_topic_id_error};
  session.next_epoch_ = session.next_epoch_ == INT32_MAX ? 1 : session.next_epoch_ + 1;
  session.last_used_ = now;
  session.request_ = request.request;
  return {.error = wire::ErrorCode::none, .session = &session, .incremental = true};
}

void FetchSessions::done(FetchSession& session) {
  CHECK(session.request_.has_value());
  session.request_.reset();
  end_if_unused(session);
}

void FetchSessions::close(FetchSession& session) {
  if (!session.listed_) return;
  session.listed_ = false;
  by_id_.erase(session.id_);
  end_if_unused(session);
}

void FetchSessions::end_if_unused(FetchSession& session) {
  if (session.listed_ || session.request_) return;
  const auto at = sessions_.find(session.number_);
  CHECK(at != sessions_.end());
  ended_.push_back(std::move(at->second));
  sessions_.erase(at);
}

FetchSession* FetchSessions::find(std::uint64_t number) {
  const auto at = sessions_.find(number);
  return at == sessions_.end() ? nullptr : at->second.get();
}

}  // namespace tailwater::session
