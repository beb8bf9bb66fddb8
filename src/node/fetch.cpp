#include "node/fetch.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "records/batch.hpp"
#include "wire/api/fetch.hpp"
#include "wire/fetch_stream.hpp"

namespace tailwater::node {

namespace {
constexpr std::int16_t kFirstVersionWithIds = 13;
constexpr std::int16_t kFirstVersionWithZstd = 10;
constexpr std::int8_t kReadCommitted = 1;
// The memory of so many attempts is kept, and of each that of so many parts.
constexpr std::size_t kAttemptsKept = 4;
constexpr std::size_t kPartsKept = 16'384;
// So many partitions are read one after the other; what they need of memory is asked for together.
constexpr std::size_t kReadsTogether = 16;
// After so many attempts a fetch is answered with what is there, so that blocks that come and go cannot
// starve it.
constexpr std::uint32_t kPatientRounds = 4;

// Up to four bytes that may lie across pieces, as a big-endian number; 0 beyond the end.
std::uint32_t number_at(std::span<const Bytes> pieces, std::size_t at, std::size_t bytes) {
  std::uint32_t number = 0;
  std::size_t begin = 0;
  for (const Bytes piece : pieces) {
    for (; bytes > 0 && at >= begin && at < begin + piece.size(); ++at, --bytes) {
      number = number << 8 | static_cast<std::uint8_t>(piece[at - begin]);
    }
    begin += piece.size();
  }
  return bytes == 0 ? number : 0;
}

bool holds_zstd(std::span<const Bytes> pieces, std::size_t bytes) {
  for (std::size_t at = 0; at + records::kBatchHeaderSize <= bytes;) {
    const std::uint32_t attributes = number_at(pieces, at + records::at::kAttributes, 2);
    if ((attributes & records::kCodecMask) == static_cast<std::uint32_t>(records::Codec::zstd)) return true;
    at += records::kLogOverhead + number_at(pieces, at + records::at::kBatchLength, 4);
  }
  return false;
}

}  // namespace

Fetches::Fetches(Context& context, Partitions& partitions, Connections& connections)
    : context_(context),
      partitions_(partitions),
      connections_(connections),
      sessions_(static_cast<std::size_t>(
                    std::max(context.options.config.max_incremental_fetch_session_cache_slots, 0)),
                context.random.next()) {}

void Fetches::refuse(const Request& request, wire::ErrorCode error) {
  ++failed;
  wire::FetchResponse response;
  response.error_code = error;
  connections_.answer(request, response);
}

Result<void> Fetches::serve(const Request& request, Bytes body) {
  auto opened = wire::FetchReader::open(body, request.version);
  if (!opened) return fail(opened.error().code, "sent a malformed Fetch request: " + opened.error().message);
  wire::FetchReader& asked = *opened;
  const wire::FetchReader::Head& head = asked.head();
  ++requests;
  const std::uint64_t id = request.connection.value;
  const bool by_id = request.version >= kFirstVersionWithIds;
  const session::FetchSessions::Begun begun = sessions_.begin({.session_id = head.session_id,
                                                               .session_epoch = head.session_epoch,
                                                               .by_id = by_id,
                                                               .partitions = head.partitions,
                                                               .request = id},
                                                              context_.now.monotonic);
  unwatch_ended();
  if (begun.error != wire::ErrorCode::none) {
    refuse(request, begun.error);
    return {};
  }
  Fetch& fetch = open(request);
  fetch.session = begun.session;
  fetch.session_id = begun.session->id();
  fetch.incremental = begun.incremental;
  fetch.by_id = by_id;
  fetch.max_bytes = static_cast<std::size_t>(
      std::clamp<std::int64_t>(head.max_bytes, 0, context_.options.config.fetch_max_bytes));
  // It would wait in vain for more than it takes.
  fetch.min_bytes = static_cast<std::int32_t>(
      std::min(static_cast<std::size_t>(std::max(head.min_bytes, 0)), fetch.max_bytes));
  fetch.deadline = context_.now.monotonic + Duration::from_ms(std::max(head.max_wait_ms, 0));
  fetch.terms = {.session = begun.session->number(),
                 .read_committed = head.isolation_level == kReadCommitted,
                 .watch = begun.session->id() != 0 || head.max_wait_ms > 0,
                 .min_bytes = fetch.min_bytes};
  put_targets(fetch, asked);
  // A session that has no partition left ends, as in Kafka.
  if (begun.incremental && begun.session->size() == 0) {
    sessions_.close(*begun.session);
    fetch.session_id = 0;
  }
  attempt(fetch);
  return {};
}

Fetches::Fetch& Fetches::open(const Request& request) {
  const auto [at, is_new] = fetches_.try_emplace(request.connection.value);
  Fetch& fetch = at->second;
  if (is_new) {
    if (free_numbers_.empty()) {
      free_numbers_.push_back(static_cast<std::uint32_t>(by_number_.size()));
      by_number_.emplace_back();
    }
    fetch.number = free_numbers_.back();
    free_numbers_.pop_back();
    by_number_[fetch.number] = &fetch;
  }
  CHECK(!fetch.is_open);
  fetch.is_open = true;
  fetch.request = request;
  fetch.round = 0;
  return fetch;
}

std::uint64_t Fetches::waiting() const {
  return static_cast<std::uint64_t>(
      std::ranges::count_if(fetches_, [](const auto& each) { return each.second.is_open; }));
}

Fetches::Fetch* Fetches::find(std::uint64_t connection) {
  const auto at = fetches_.find(connection);
  return at == fetches_.end() || !at->second.is_open ? nullptr : &at->second;
}

void Fetches::put_targets(Fetch& fetch, wire::FetchReader& asked) {
  session::FetchSession& session = *fetch.session;
  while (asked.next_topic()) {
    while (asked.next_partition()) {
      const wire::FetchReader::Partition& partition = asked.partition();
      session.put(asked.topic_name(), asked.topic_id(),
                  {.partition = partition.index,
                   .fetch_offset = partition.fetch_offset,
                   .max_bytes = partition.partition_max_bytes,
                   .current_leader_epoch = partition.current_leader_epoch,
                   .last_fetched_epoch = partition.last_fetched_epoch});
    }
  }
  while (asked.next_forgotten_topic()) {
    while (asked.next_forgotten_partition()) {
      const auto slot = session.find(asked.topic_name(), asked.topic_id(), asked.forgotten_partition());
      if (!slot) continue;
      unwatch(session, session[*slot]);
      session.forget(*slot);
    }
  }
  send_unwatching();
}

cluster::TopicHandle Fetches::topic_of(const session::FetchTopic& topic, bool by_id) const {
  return by_id ? context_.image->topic(topic.id) : context_.image->topic(topic.name);
}

// --- reading

void Fetches::attempt(Fetch& fetch) {
  ++fetch.round;
  fetch.changed = false;
  fetch.tickets.clear();
  fetch.needs = false;
  CHECK(!fetch.attempt);
  if (spare_attempts_.empty()) spare_attempts_.push_back(std::make_unique<Attempt>());
  fetch.attempt = std::move(spare_attempts_.back());
  spare_attempts_.pop_back();
  const session::FetchSession& session = *fetch.session;
  Looking looking;
  here_.clear();
  for (Slot slot = session.first_ready(); slot != session::FetchSession::kEnd; slot = session.next(slot)) {
    if (const auto ask = look(fetch, slot, looking)) here_.push_back(*ask);
    if (here_.size() == kReadsTogether) read_here(fetch, looking);
  }
  read_here(fetch, looking);
  looks += fetch.attempt->parts.size();
  if (looking.elsewhere.empty()) return conclude(fetch);
  fetch.outstanding = looking.elsewhere.size();
  for (auto& [shard, mail] : looking.elsewhere) {
    mail.fetch = id_of(fetch);
    mail.round = fetch.round;
    mail.terms = fetch.terms;
    context_.send(shard, std::move(mail));
  }
}

void Fetches::end_attempt(Fetch& fetch) {
  Attempt& over = *fetch.attempt;
  over.targets.clear();
  over.parts.clear();
  over.pieces.clear();
  if (spare_attempts_.size() < kAttemptsKept && over.parts.capacity() <= kPartsKept) {
    spare_attempts_.push_back(std::move(fetch.attempt));
  }
  fetch.attempt.reset();
}

std::int32_t Fetches::bytes_left(const Fetch& fetch, const Looking& looking, std::int32_t wished) {
  const std::size_t left = fetch.max_bytes - std::min(looking.total, fetch.max_bytes);
  return static_cast<std::int32_t>(std::min(left, static_cast<std::size_t>(wished)));
}

// What is to be read here for the target; nothing if its partition lives elsewhere or cannot be read.
std::optional<FetchAsk> Fetches::look(Fetch& fetch, Slot slot, Looking& looking) {
  session::FetchTarget& target = (*fetch.session)[slot];
  Attempt& attempt = *fetch.attempt;
  const auto number = static_cast<std::uint32_t>(attempt.parts.size());
  attempt.targets.push_back(slot);
  FetchPart& part = attempt.parts.emplace_back();
  part.part = number;
  if (looking.topic_in_session != target.topic) {
    looking.topic_in_session = target.topic;
    looking.topic = topic_of(fetch.session->topic(target), fetch.by_id);
  }
  const cluster::TopicHandle& topic = looking.topic;
  const PartitionId partition{target.wish.partition};
  if (!topic || topic->partition(partition) == nullptr) {
    part.error = fetch.by_id && !topic ? ErrorCode::unknown_topic_id : ErrorCode::unknown_topic_or_partition;
    return std::nullopt;
  }
  FetchAsk ask{.part = number,
               .target = target.number,
               .key = {topic->id, partition},
               .offset = target.wish.fetch_offset,
               .bytes_max = std::max(target.wish.max_bytes, 0),
               .current_leader_epoch = target.wish.current_leader_epoch,
               .last_fetched_epoch = target.wish.last_fetched_epoch};
  const ShardId home = context_.home_of(*topic, partition);
  if (context_.is_self(home)) return ask;
  // From here on it may be watched, whatever becomes of this attempt.
  target.watched = target.watched || fetch.terms.watch;
  ask.bytes_max = bytes_left(fetch, looking, ask.bytes_max);
  looking.elsewhere[home].asks.push_back(ask);
  return std::nullopt;
}

void Fetches::read_here(Fetch& fetch, Looking& looking) {
  Attempt& attempt = *fetch.attempt;
  partitions_.expect(here_);
  for (FetchAsk& ask : here_) {
    ask.bytes_max = bytes_left(fetch, looking, ask.bytes_max);
    ask.at_least_one_batch = looking.total == 0;
    FetchPart& part = attempt.parts[ask.part];
    const auto wait = partitions_.fetch(context_.self(), fetch.terms, ask, part, attempt.pieces);
    if (wait) {
      fetch.needs = true;
      if (fetch.tickets.insert(wait->value).second) waiting_.emplace(wait->value, id_of(fetch));
    }
    session::FetchTarget& target = (*fetch.session)[attempt.targets[ask.part]];
    target.watched = target.watched || part.watched;
    looking.total += part.bytes;
  }
  here_.clear();
}

void Fetches::fetched(FetchedMail&& mail) {
  Fetch* const fetch = find(mail.fetch);
  if (fetch == nullptr || fetch->round != mail.round || fetch->outstanding == 0 ||
      fetch->session->number() != mail.session) {
    session::FetchSession* const session = sessions_.find(mail.session);
    for (FetchPart& part : mail.parts) {
      if (session != nullptr && part.watched) session->watched(part.target);
      give_back(part);
    }
    return;
  }
  Attempt& attempt = *fetch->attempt;
  const auto first_piece = static_cast<std::uint32_t>(attempt.pieces.size());
  attempt.pieces.insert(attempt.pieces.end(), mail.pieces.begin(), mail.pieces.end());
  for (FetchPart& part : mail.parts) {
    CHECK(part.part < attempt.parts.size());
    session::FetchTarget& target = (*fetch->session)[attempt.targets[part.part]];
    target.watched = target.watched || part.watched;
    part.first_piece += first_piece;
    attempt.parts[part.part] = std::move(part);
  }
  if (--fetch->outstanding == 0) conclude(*fetch);
}

void Fetches::conclude(Fetch& fetch) {
  Attempt& found = *fetch.attempt;
  const bool late = fetch.deadline <= context_.now.monotonic;
  std::size_t total = 0;
  std::uint64_t countable = 0;
  bool news = fetch.session->size() == 0;
  bool corrupt = false;
  for (FetchPart& part : found.parts) {
    countable += part.countable;
    // Shards that were asked at the same time may have given more than the whole may hold.
    if (total > 0 && total + part.bytes > fetch.max_bytes) give_back(part);
    const auto pieces = std::span<const Bytes>(found.pieces).subspan(part.first_piece, part.pieces);
    if (fetch.request.version < kFirstVersionWithZstd && holds_zstd(pieces, part.bytes)) {
      give_back(part);
      part.error = ErrorCode::unsupported_compression_type;
    }
    total += part.bytes;
    news = news || part.error != ErrorCode::none || part.diverging.has_value();
    corrupt = corrupt || part.error == ErrorCode::corrupt_message;
  }
  // What was found to be damaged is forgotten, and would have to be read again: while one partition waits for
  // that the other's turn would come, and so on for ever.
  if (fetch.needs && !corrupt && (total == 0 || fetch.round < kPatientRounds)) {
    give_back_all(fetch);
    end_attempt(fetch);
    // The blocks may have come while other shards were asked.
    if (fetch.tickets.empty()) attempt(fetch);
    return;
  }
  // What does not fit counts like what does. Only an answer that holds nothing would be asked for at once again.
  const auto min_bytes = static_cast<std::uint64_t>(fetch.min_bytes);
  const bool enough = total >= min_bytes || (total > 0 && (countable >= min_bytes || fetch.needs));
  if (news || late || enough) return answer(fetch);
  give_back_all(fetch);
  rest_quiet_ones(fetch);
  end_attempt(fetch);
  if (fetch.changed) return attempt(fetch);
  deadlines_.drop(fetch.number);
  deadlines_.set(fetch.number, fetch.deadline);
}

// What was read of them is what the client knows, and nothing is left to read.
void Fetches::rest_quiet_ones(Fetch& fetch) {
  const Attempt& found = *fetch.attempt;
  for (std::size_t index = 0; index < found.parts.size(); ++index) {
    const FetchPart& part = found.parts[index];
    const session::FetchTarget& target = (*fetch.session)[found.targets[index]];
    // A change that was told since takes `watched` from the target.
    const bool is_told = part.watched && target.watched;
    const bool is_known = target.answered && target.answered_high_watermark == part.high_watermark &&
                          target.answered_log_start == part.log_start_offset;
    if (part.at_end && is_told && is_known && part.error == ErrorCode::none && !part.diverging) {
      fetch.session->rest(found.targets[index]);
    }
  }
}

void Fetches::changed(const Watch& watch) {
  session::FetchSession* const session = sessions_.find(watch.session);
  if (session == nullptr) return;
  session->changed(watch.target);
  if (!session->request()) return;
  Fetch* const fetch = find(*session->request());
  CHECK(fetch != nullptr);
  fetch->changed = true;
  changed_.push_back(*session->request());
}

bool Fetches::attend() {
  if (changed_.empty()) return false;
  attending_.clear();
  attending_.swap(changed_);
  for (const std::uint64_t id : attending_) {
    Fetch* const fetch = find(id);
    if (fetch != nullptr && fetch->changed && idle(*fetch)) attempt(*fetch);
  }
  return true;
}

void Fetches::ready(log::ReadTicket ticket) {
  std::vector<std::uint64_t> due;
  const auto [first, last] = waiting_.equal_range(ticket.value);
  for (auto at = first; at != last; ++at) due.push_back(at->second);
  waiting_.erase(first, last);
  for (const std::uint64_t id : due) {
    Fetch* const fetch = find(id);
    if (fetch == nullptr || fetch->tickets.erase(ticket.value) == 0) continue;
    if (idle(*fetch)) attempt(*fetch);
  }
}

void Fetches::tick() {
  while (!deadlines_.empty() && deadlines_.next() <= context_.now.monotonic) {
    Fetch& fetch = *by_number_[deadlines_.first()];
    deadlines_.drop(fetch.number);
    if (idle(fetch)) attempt(fetch);
  }
}

void Fetches::gone(ConnectionId connection) {
  const auto at = fetches_.find(connection.value);
  if (at == fetches_.end()) return;
  Fetch& fetch = at->second;
  if (fetch.is_open) {
    if (fetch.attempt) {
      give_back_all(fetch);
      end_attempt(fetch);
    }
    finish(fetch);
  }
  by_number_[fetch.number] = nullptr;
  free_numbers_.push_back(fetch.number);
  fetches_.erase(at);
}

void Fetches::finish(Fetch& fetch) {
  deadlines_.drop(fetch.number);
  fetch.is_open = false;
  fetch.outstanding = 0;
  fetch.tickets.clear();
  sessions_.done(*fetch.session);
  unwatch_ended();
}

// --- what is not to be told any more

void Fetches::unwatch(const session::FetchSession& session, const session::FetchTarget& target) {
  if (!target.watched) return;
  const cluster::TopicHandle topic = topic_of(session.topic(target), session.by_id());
  if (!topic) return;  // deleted, with all who watched it
  const PartitionKey key{topic->id, PartitionId{target.wish.partition}};
  const ShardId home = context_.home_of(*topic, key.partition);
  if (context_.is_self(home)) {
    partitions_.unwatch(key, {home, session.number(), target.number});
  } else {
    unwatching_[home].targets.push_back({key, session.number(), target.number});
  }
}

void Fetches::unwatch_ended() {
  sessions_.bury([this](const session::FetchSession& session) {
    session.each([&](const session::FetchTarget& target) { unwatch(session, target); });
  });
  send_unwatching();
}

void Fetches::send_unwatching() {
  for (auto& [shard, mail] : std::exchange(unwatching_, {})) context_.send(shard, std::move(mail));
}

// --- pins

void Fetches::give_back(FetchPart& part) {
  if (part.pin != log::PinHandle{}) returns_[part.owner].push_back(part.pin);
  part.pin = {};
  part.pieces = 0;
  part.aborted.clear();
  part.bytes = 0;
}

void Fetches::give_back_all(Fetch& fetch) {
  for (FetchPart& part : fetch.attempt->parts) give_back(part);
}

std::uint64_t Fetches::release_token(FetchPart& part) {
  if (part.pin == log::PinHandle{}) return 0;
  if (free_tokens_.empty()) {
    pins_.emplace_back();
    free_tokens_.push_back(pins_.size());
  }
  const std::uint64_t token = free_tokens_.back();
  free_tokens_.pop_back();
  pins_[token - 1] = {part.owner, std::exchange(part.pin, {})};
  return token;
}

void Fetches::released(std::uint64_t token) {
  CHECK(token > 0 && token <= pins_.size());
  Pin& pin = pins_[token - 1];
  CHECK(pin.pin != log::PinHandle{});
  returns_[pin.owner].push_back(std::exchange(pin.pin, {}));
  free_tokens_.push_back(token);
}

void Fetches::flush_releases() {
  for (auto& [owner, pins] : returns_) {
    if (pins.empty()) continue;
    if (context_.is_self(owner)) {
      for (const log::PinHandle pin : pins) partitions_.storage().unpin(pin);
      pins.clear();
    } else {
      context_.send(owner, UnpinMail{std::exchange(pins, {})});
    }
  }
}

}  // namespace tailwater::node
