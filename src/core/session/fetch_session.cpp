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

// Sessions without a name come and go with each request: so many are kept for the next ones, if they are not
// larger than this.
constexpr std::size_t kSpareMax = 64;
constexpr std::size_t kSpareTargetsMax = 1'024;
constexpr std::size_t kSpareTopicsMax = 16;
}  // namespace

// --- targets

void FetchSession::open(std::uint64_t number, std::int32_t id, bool by_id) {
  number_ = number;
  id_ = id;
  by_id_ = by_id;
  next_epoch_ = 1;
  request_.reset();
  listed_ = false;
  size_ = 0;
  slots_.clear();
  slots_.resize(kFirst);
  slots_[kQuiet].before = slots_[kQuiet].after = kQuiet;
  free_slots_.clear();
  index_.clear();
  for (const auto& topic : topics_) {
    topic->targets = 0;
    topic->slots.clear();
  }
  topics_used_ = 0;
  free_topics_.clear();
  last_topic_ = kNoTopic;
}

bool FetchSession::is_large() const {
  return slots_.capacity() > kSpareTargetsMax || topics_.size() > kSpareTopicsMax;
}

void FetchSession::unlink(Slot slot) {
  const Entry& entry = slots_[slot];
  slots_[entry.before].after = entry.after;
  slots_[entry.after].before = entry.before;
}

// As the last of the ring.
void FetchSession::link(Slot slot, Slot ring) {
  Entry& entry = slots_[slot];
  entry.before = slots_[ring].before;
  entry.after = ring;
  slots_[entry.before].after = slot;
  slots_[ring].before = slot;
}

void FetchSession::make_ready(Slot slot) {
  FetchTarget& target = slots_[slot].target;
  if (!target.quiet) return;
  target.quiet = false;
  move(slot, kReady);
}

void FetchSession::rest(Slot slot) {
  FetchTarget& target = slots_[slot].target;
  CHECK(!target.quiet);
  CHECK(target.watched);
  target.quiet = true;
  move(slot, kQuiet);
}

bool FetchSession::is_topic(std::uint32_t topic, std::string_view name, const Uuid& id) const {
  const FetchTopic& known = topics_[topic]->topic;
  return by_id_ ? known.id == id : known.name == name;
}

std::uint32_t FetchSession::find_topic(std::string_view name, const Uuid& id) {
  if (last_topic_ != kNoTopic && is_topic(last_topic_, name, id)) return last_topic_;
  const auto known = index_.find(key_of(name, id));
  if (known == index_.end()) return kNoTopic;
  return last_topic_ = known->second;
}

std::uint32_t FetchSession::add_topic(std::string_view name, const Uuid& id) {
  std::uint32_t topic = topics_used_;
  if (!free_topics_.empty()) {
    topic = free_topics_.back();
    free_topics_.pop_back();
  } else if (++topics_used_ > topics_.size()) {
    topics_.push_back(std::make_unique<Topic>());
  }
  FetchTopic& named = topics_[topic]->topic;
  named.name = name;
  named.id = id;
  if (id_ != 0) index_.emplace(key_of(named.name, id), topic);
  return last_topic_ = topic;
}

FetchSession::Slot FetchSession::add(std::uint32_t topic, const FetchWish& wish) {
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<Slot>(slots_.size()));
    slots_.emplace_back();
  }
  const Slot slot = free_slots_.back();
  free_slots_.pop_back();
  Entry& entry = slots_[slot];
  entry.used = true;
  entry.target = {.wish = wish, .topic = topic, .number = slot << kGivenBits | entry.given++};
  ++topics_[topic]->targets;
  ++size_;
  link(slot, kReady);
  return slot;
}

void FetchSession::put(std::string_view topic_name, const Uuid& topic_id, const FetchWish& wish) {
  std::uint32_t topic = find_topic(topic_name, topic_id);
  if (topic == kNoTopic) topic = add_topic(topic_name, topic_id);
  if (id_ == 0) {
    add(topic, wish);
    return;
  }
  const auto [known, is_new] = topics_[topic]->slots.try_emplace(wish.partition);
  if (is_new) {
    known->second = add(topic, wish);
    return;
  }
  make_ready(known->second);
  slots_[known->second].target.wish = wish;
}

std::optional<FetchSession::Slot> FetchSession::find(std::string_view topic_name, const Uuid& topic_id,
                                                     std::int32_t partition) {
  const std::uint32_t topic = find_topic(topic_name, topic_id);
  if (topic == kNoTopic) return std::nullopt;
  const auto& slots = topics_[topic]->slots;
  const auto known = slots.find(partition);
  return known == slots.end() ? std::nullopt : std::optional(known->second);
}

void FetchSession::forget(Slot slot) {
  Entry& entry = slots_[slot];
  CHECK(entry.used);
  unlink(slot);
  entry.used = false;
  free_slots_.push_back(slot);
  --size_;
  Topic& topic = *topics_[entry.target.topic];
  topic.slots.erase(entry.target.wish.partition);
  if (--topic.targets > 0) return;
  index_.erase(key_of(topic.topic.name, topic.topic.id));
  free_topics_.push_back(entry.target.topic);
  last_topic_ = kNoTopic;
}

std::optional<FetchSession::Slot> FetchSession::find(std::uint32_t number) const {
  const Slot slot = number >> kGivenBits;
  const bool is_known = slot < slots_.size() && slots_[slot].used && slots_[slot].target.number == number;
  return is_known ? std::optional(slot) : std::nullopt;
}

void FetchSession::watched(std::uint32_t target) {
  if (const auto slot = find(target)) slots_[*slot].target.watched = true;
}

void FetchSession::changed(std::uint32_t target) {
  const auto slot = find(target);
  if (!slot) return;
  slots_[*slot].target.watched = false;
  make_ready(*slot);
}

// --- sessions

FetchSession& FetchSessions::make(std::int32_t id, const FetchSessionRequest& request, Instant now) {
  if (free_places_.empty()) {
    free_places_.push_back(static_cast<std::uint32_t>(places_.size()));
    places_.emplace_back();
  }
  const std::uint32_t number = free_places_.back();
  free_places_.pop_back();
  Place& place = places_[number];
  place.over = false;
  const std::uint64_t name = std::uint64_t{++place.given} << 32 | number;
  if (spare_.empty()) {
    place.session = std::make_unique<FetchSession>(name, id, request.by_id);
  } else {
    place.session = std::move(spare_.back());
    spare_.pop_back();
    place.session->open(name, id, request.by_id);
  }
  FetchSession& session = *place.session;
  session.opened_ = session.last_used_ = now;
  session.request_ = request.request;
  return session;
}

void FetchSessions::give_back(std::uint32_t number) {
  Place& place = places_[number];
  if (spare_.size() < kSpareMax && !place.session->is_large()) spare_.push_back(std::move(place.session));
  place.session.reset();
  free_places_.push_back(number);
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
  const auto number = static_cast<std::uint32_t>(session.number_);
  CHECK(!places_[number].over);
  places_[number].over = true;
  ended_.push_back(number);
}

FetchSession* FetchSessions::find(std::uint64_t number) {
  const auto place = static_cast<std::uint32_t>(number);
  if (place >= places_.size() || !places_[place].session || places_[place].over) return nullptr;
  FetchSession& session = *places_[place].session;
  return session.number_ == number ? &session : nullptr;
}

}  // namespace tailwater::session
