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
// After so many attempts a fetch is answered with what is there, so that blocks that come and go cannot
// starve it.
constexpr std::uint32_t kPatientRounds = 4;

// Up to four bytes that may lie across pieces, as a big-endian number; 0 beyond the end.
std::uint32_t number_at(const std::vector<Bytes>& pieces, std::size_t at, std::size_t bytes) {
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

bool holds_zstd(const FetchPart& part) {
  for (std::size_t at = 0; at + records::kBatchHeaderSize <= part.bytes;) {
    const std::uint32_t attributes = number_at(part.pieces, at + records::at::kAttributes, 2);
    if ((attributes & records::kCodecMask) == static_cast<std::uint32_t>(records::Codec::zstd)) return true;
    at += records::kLogOverhead + number_at(part.pieces, at + records::at::kBatchLength, 4);
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
  CHECK(!pending_.contains(id));
  Pending& fetch = pending_[id];
  fetch.request = request;
  fetch.session = begun.session;
  fetch.session_id = begun.session->id();
  fetch.incremental = begun.incremental;
  fetch.by_id = by_id;
  fetch.min_bytes = std::max(head.min_bytes, 0);
  fetch.max_bytes = static_cast<std::size_t>(
      std::clamp<std::int64_t>(head.max_bytes, 0, context_.options.config.fetch_max_bytes));
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
  attempt(id);
  return {};
}

void Fetches::put_targets(Pending& fetch, wire::FetchReader& asked) {
  while (asked.next_topic()) {
    while (asked.next_partition()) {
      const wire::FetchReader::Partition& partition = asked.partition();
      session::FetchTarget target;
      target.topic = std::string(asked.topic_name());
      target.topic_id = asked.topic_id();
      target.partition = partition.index;
      target.fetch_offset = partition.fetch_offset;
      target.log_start_offset = partition.log_start_offset;
      target.max_bytes = partition.partition_max_bytes;
      target.current_leader_epoch = partition.current_leader_epoch;
      target.last_fetched_epoch = partition.last_fetched_epoch;
      fetch.session->put(std::move(target));
    }
  }
  while (asked.next_forgotten_topic()) {
    while (asked.next_forgotten_partition()) {
      const auto forgotten = fetch.session->forget(
          {fetch.by_id ? asked.topic_id() : Uuid{},
           fetch.by_id ? std::string() : std::string(asked.topic_name()), asked.forgotten_partition()});
      if (forgotten) unwatch(*fetch.session, *forgotten);
    }
  }
  send_unwatching();
}

cluster::TopicHandle Fetches::topic_of(const session::FetchTarget& target, bool by_id) const {
  return by_id ? context_.image->topic(target.topic_id) : context_.image->topic(target.topic);
}

// --- reading

void Fetches::attempt(std::uint64_t id) {
  Pending& fetch = pending_.at(id);
  ++fetch.round;
  fetch.changed = false;
  fetch.parts.clear();
  fetch.targets.clear();
  fetch.tickets.clear();
  fetch.needs = false;
  std::map<ShardId, FetchMail> elsewhere;
  std::size_t total = 0;
  Targets& ready = fetch.session->ready();
  looks += ready.size();
  for (auto target = ready.begin(); target != ready.end(); ++target) {
    look(id, fetch, target, total, elsewhere);
    total += fetch.parts.back().bytes;
  }
  if (elsewhere.empty()) return conclude(id);
  fetch.outstanding = elsewhere.size();
  for (auto& [shard, mail] : elsewhere) {
    mail.fetch = id;
    mail.round = fetch.round;
    mail.terms = fetch.terms;
    context_.send(shard, std::move(mail));
  }
}

void Fetches::look(std::uint64_t id, Pending& fetch, Targets::iterator target, std::size_t total,
                   std::map<ShardId, FetchMail>& elsewhere) {
  const auto part = static_cast<std::uint32_t>(fetch.parts.size());
  fetch.targets.push_back(target);
  FetchPart& result = fetch.parts.emplace_back();
  result.part = part;
  const cluster::TopicHandle topic = topic_of(*target, fetch.by_id);
  const PartitionId partition{target->partition};
  if (!topic || topic->partition(partition) == nullptr) {
    result.error =
        fetch.by_id && !topic ? ErrorCode::unknown_topic_id : ErrorCode::unknown_topic_or_partition;
    return;
  }
  const std::size_t left = fetch.max_bytes - std::min(total, fetch.max_bytes);
  const FetchAsk ask{.part = part,
                     .target = target->number,
                     .key = {topic->id, partition},
                     .offset = target->fetch_offset,
                     .bytes_max = static_cast<std::int32_t>(std::min<std::size_t>(
                         left, static_cast<std::size_t>(std::max(target->max_bytes, 0)))),
                     .current_leader_epoch = target->current_leader_epoch,
                     .last_fetched_epoch = target->last_fetched_epoch};
  const ShardId home = context_.home_of(*topic, partition);
  if (!context_.is_self(home)) {
    // From here on it may be watched, whatever becomes of this attempt.
    target->watched = target->watched || fetch.terms.watch;
    elsewhere[home].asks.push_back(ask);
    return;
  }
  auto outcome = partitions_.fetch(home, fetch.terms, ask, total == 0);
  if (outcome.wait) {
    fetch.needs = true;
    if (fetch.tickets.insert(outcome.wait->value).second) waiting_.emplace(outcome.wait->value, id);
  }
  result = std::move(outcome.part);
  target->watched = target->watched || result.watched;
}

void Fetches::fetched(FetchedMail&& mail) {
  const auto at = pending_.find(mail.fetch);
  if (at == pending_.end() || at->second.round != mail.round || at->second.outstanding == 0 ||
      at->second.session->number() != mail.session) {
    session::FetchSession* const session = sessions_.find(mail.session);
    for (FetchPart& part : mail.parts) {
      if (session != nullptr && part.watched) session->watched(part.target);
      drop_pieces(part);
    }
    return;
  }
  Pending& fetch = at->second;
  for (FetchPart& part : mail.parts) {
    CHECK(part.part < fetch.parts.size());
    const Targets::iterator target = fetch.targets[part.part];
    target->watched = target->watched || part.watched;
    fetch.parts[part.part] = std::move(part);
  }
  if (--fetch.outstanding == 0) conclude(mail.fetch);
}

void Fetches::conclude(std::uint64_t id) {
  Pending& fetch = pending_.at(id);
  const bool late = fetch.deadline <= context_.now.monotonic;
  std::size_t total = 0;
  bool news = fetch.session->size() == 0;
  bool corrupt = false;
  for (FetchPart& part : fetch.parts) {
    // Shards that were asked at the same time may have given more than the whole may hold.
    if (total > 0 && total + part.bytes > fetch.max_bytes) drop_pieces(part);
    if (fetch.request.version < kFirstVersionWithZstd && holds_zstd(part)) {
      drop_pieces(part);
      part.error = ErrorCode::unsupported_compression_type;
    }
    total += part.bytes;
    news = news || part.error != ErrorCode::none || part.diverging.has_value();
    corrupt = corrupt || part.error == ErrorCode::corrupt_message;
  }
  // What was found to be damaged is forgotten, and would have to be read again: while one partition waits for
  // that the other's turn would come, and so on for ever.
  if (fetch.needs && !corrupt && (total == 0 || fetch.round < kPatientRounds)) {
    drop_all(fetch);
    // The blocks may have come while other shards were asked.
    if (fetch.tickets.empty()) attempt(id);
    return;
  }
  if (news || late || total >= static_cast<std::size_t>(fetch.min_bytes)) return answer(id);
  drop_all(fetch);
  rest_quiet_ones(fetch);
  if (fetch.changed) return attempt(id);
  deadlines_.emplace(fetch.deadline, id);
}

// What was read of them is what the client knows, and nothing is left to read.
void Fetches::rest_quiet_ones(Pending& fetch) {
  for (std::size_t index = 0; index < fetch.parts.size(); ++index) {
    const FetchPart& part = fetch.parts[index];
    const Targets::iterator target = fetch.targets[index];
    // A change that was told since takes `watched` from the target.
    const bool is_told = part.watched && target->watched;
    const bool is_known = target->answered && target->answered_high_watermark == part.high_watermark &&
                          target->answered_log_start == part.log_start_offset;
    if (part.at_end && is_told && is_known && part.error == ErrorCode::none && !part.diverging) {
      fetch.session->rest(target);
    }
  }
}

void Fetches::changed(const Watch& watch) {
  session::FetchSession* const session = sessions_.find(watch.session);
  if (session == nullptr) return;
  session->changed(watch.target);
  if (!session->request()) return;
  pending_.at(*session->request()).changed = true;
  changed_.push_back(*session->request());
}

bool Fetches::attend() {
  if (changed_.empty()) return false;
  for (const std::uint64_t id : std::exchange(changed_, {})) {
    const auto at = pending_.find(id);
    if (at != pending_.end() && at->second.changed && idle(at->second)) attempt(id);
  }
  return true;
}

void Fetches::ready(log::ReadTicket ticket) {
  std::vector<std::uint64_t> due;
  const auto [first, last] = waiting_.equal_range(ticket.value);
  for (auto at = first; at != last; ++at) due.push_back(at->second);
  waiting_.erase(first, last);
  for (const std::uint64_t id : due) {
    const auto fetch = pending_.find(id);
    if (fetch == pending_.end() || fetch->second.tickets.erase(ticket.value) == 0) continue;
    if (idle(fetch->second)) attempt(id);
  }
}

void Fetches::tick() {
  while (!deadlines_.empty() && deadlines_.begin()->first <= context_.now.monotonic) {
    const std::uint64_t id = deadlines_.begin()->second;
    deadlines_.erase(deadlines_.begin());
    if (idle(pending_.at(id))) attempt(id);
  }
}

Instant Fetches::next_deadline() const {
  return deadlines_.empty() ? Instant::max() : deadlines_.begin()->first;
}

void Fetches::gone(ConnectionId connection) {
  const auto at = pending_.find(connection.value);
  if (at == pending_.end()) return;
  drop_all(at->second);
  finish(at->second);
  pending_.erase(at);
}

void Fetches::finish(Pending& fetch) {
  deadlines_.erase({fetch.deadline, fetch.request.connection.value});
  sessions_.done(*fetch.session);
  unwatch_ended();
}

// --- what is not to be told any more

void Fetches::unwatch(const session::FetchSession& session, const session::FetchTarget& target) {
  if (!target.watched) return;
  const cluster::TopicHandle topic = topic_of(target, session.by_id());
  if (!topic) return;  // deleted, with all who watched it
  const PartitionKey key{topic->id, PartitionId{target.partition}};
  const ShardId home = context_.home_of(*topic, key.partition);
  if (context_.is_self(home)) {
    partitions_.unwatch(key, {home, session.number(), target.number});
  } else {
    unwatching_[home].targets.push_back({key, session.number(), target.number});
  }
}

void Fetches::unwatch_ended() {
  for (const auto& session : sessions_.take_ended()) {
    for (const session::FetchTarget& target : session->ready()) unwatch(*session, target);
    for (const session::FetchTarget& target : session->quiet()) unwatch(*session, target);
  }
  send_unwatching();
}

void Fetches::send_unwatching() {
  for (auto& [shard, mail] : std::exchange(unwatching_, {})) context_.send(shard, std::move(mail));
}

// --- pins

void Fetches::drop_pieces(FetchPart& part) {
  if (part.pin != log::PinHandle{}) returns_[part.owner].push_back(part.pin);
  part.pin = {};
  part.pieces.clear();
  part.aborted.clear();
  part.bytes = 0;
}

void Fetches::drop_all(Pending& fetch) {
  for (FetchPart& part : fetch.parts) drop_pieces(part);
}

std::uint64_t Fetches::release_token(FetchPart& part) {
  if (part.pin == log::PinHandle{}) return 0;
  const std::uint64_t token = next_token_++;
  pins_.emplace(token, Pin{part.owner, part.pin});
  part.pin = {};
  return token;
}

void Fetches::released(std::uint64_t token) {
  const auto at = pins_.find(token);
  CHECK(at != pins_.end());
  returns_[at->second.owner].push_back(at->second.pin);
  pins_.erase(at);
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
