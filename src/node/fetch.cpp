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
  const bool by_id = request.version >= kFirstVersionWithIds;
  auto begun =
      sessions_.begin({.session_id = head.session_id, .session_epoch = head.session_epoch, .by_id = by_id},
                      context_.now.monotonic);
  if (begun.error != wire::ErrorCode::none) {
    refuse(request, begun.error);
    return {};
  }
  const std::uint64_t id = request.connection.value;
  CHECK(!pending_.contains(id));
  Pending& fetch = pending_[id];
  fetch.request = request;
  fetch.session = std::move(begun.session);
  fetch.incremental = begun.incremental;
  fetch.by_id = by_id;
  fetch.min_bytes = std::max(head.min_bytes, 0);
  fetch.max_bytes = static_cast<std::size_t>(
      std::clamp<std::int64_t>(head.max_bytes, 0, context_.options.config.fetch_max_bytes));
  fetch.deadline = context_.now.monotonic + Duration::from_ms(std::max(head.max_wait_ms, 0));
  fetch.terms = {.read_committed = head.isolation_level == kReadCommitted, .watch = false};
  put_targets(fetch, asked);
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
      if (fetch.session) {
        fetch.session->put(std::move(target));
      } else {
        fetch.own_targets.push_back(std::move(target));
      }
    }
  }
  if (!fetch.session) return;
  while (asked.next_forgotten_topic()) {
    while (asked.next_forgotten_partition()) {
      fetch.session->forget({fetch.by_id ? asked.topic_id() : Uuid{},
                             fetch.by_id ? std::string() : std::string(asked.topic_name()),
                             asked.forgotten_partition()});
    }
  }
}

// --- reading

void Fetches::attempt(std::uint64_t id) {
  Pending& fetch = pending_.at(id);
  Targets& targets = targets_of(fetch);
  ++fetch.round;
  fetch.woken = false;
  fetch.parts.clear();
  fetch.targets.clear();
  fetch.tickets.clear();
  fetch.needs = false;
  fetch.terms.watch = fetch.deadline > context_.now.monotonic;
  std::map<ShardId, FetchMail> elsewhere;
  std::size_t total = 0;
  const cluster::MetadataImage& image = *context_.image;
  for (auto target = targets.begin(); target != targets.end(); ++target) {
    const auto part = static_cast<std::uint32_t>(fetch.parts.size());
    fetch.targets.push_back(target);
    FetchPart& result = fetch.parts.emplace_back();
    result.part = part;
    const cluster::TopicHandle topic =
        fetch.by_id ? image.topic(target->topic_id) : image.topic(target->topic);
    const PartitionId partition{target->partition};
    if (!topic || topic->partition(partition) == nullptr) {
      result.error =
          fetch.by_id && !topic ? ErrorCode::unknown_topic_id : ErrorCode::unknown_topic_or_partition;
      continue;
    }
    const std::size_t left = fetch.max_bytes - std::min(total, fetch.max_bytes);
    const FetchAsk ask{.part = part,
                       .key = {topic->id, partition},
                       .offset = target->fetch_offset,
                       .bytes_max = static_cast<std::int32_t>(std::min<std::size_t>(
                           left, static_cast<std::size_t>(std::max(target->max_bytes, 0)))),
                       .current_leader_epoch = target->current_leader_epoch,
                       .last_fetched_epoch = target->last_fetched_epoch};
    const ShardId home = context_.home_of(topic->id, partition);
    if (!context_.is_self(home)) {
      FetchMail& mail = elsewhere[home];
      mail.asks.push_back(ask);
      continue;
    }
    auto outcome = partitions_.fetch(fetch.terms, ask, total == 0);
    if (outcome.wait) {
      fetch.needs = true;
      if (fetch.tickets.insert(outcome.wait->value).second) waiting_.emplace(outcome.wait->value, id);
    }
    total += outcome.part.bytes;
    result = std::move(outcome.part);
  }
  if (elsewhere.empty()) return conclude(id);

  // What grows while the others are asked must not be missed.
  if (fetch.terms.watch) park(id, fetch);
  fetch.outstanding = elsewhere.size();
  for (auto& [shard, mail] : elsewhere) {
    mail.fetch = id;
    mail.round = fetch.round;
    mail.terms = fetch.terms;
    context_.send(shard, std::move(mail));
  }
}

void Fetches::fetched(FetchedMail&& mail) {
  const auto at = pending_.find(mail.fetch);
  if (at == pending_.end() || at->second.round != mail.round || at->second.outstanding == 0) {
    for (FetchPart& part : mail.parts) drop_pieces(part);
    return;
  }
  Pending& fetch = at->second;
  for (FetchPart& part : mail.parts) {
    CHECK(part.part < fetch.parts.size());
    fetch.parts[part.part] = std::move(part);
  }
  if (--fetch.outstanding == 0) conclude(mail.fetch);
}

void Fetches::conclude(std::uint64_t id) {
  Pending& fetch = pending_.at(id);
  const bool late = fetch.deadline <= context_.now.monotonic;
  std::size_t total = 0;
  bool news = targets_of(fetch).empty();
  for (FetchPart& part : fetch.parts) {
    // Shards that were asked at the same time may have given more than the whole may hold.
    if (total > 0 && total + part.bytes > fetch.max_bytes) drop_pieces(part);
    if (fetch.request.version < kFirstVersionWithZstd && holds_zstd(part)) {
      drop_pieces(part);
      part.error = ErrorCode::unsupported_compression_type;
    }
    total += part.bytes;
    news = news || part.error != ErrorCode::none || part.diverging.has_value();
  }
  if (fetch.needs && (total == 0 || fetch.round < kPatientRounds)) {
    drop_all(fetch);
    // The blocks may have come while other shards were asked.
    if (fetch.tickets.empty()) attempt(id);
    return;
  }
  if (news || late || total >= static_cast<std::size_t>(fetch.min_bytes)) return answer(id);
  drop_all(fetch);
  if (fetch.woken) return attempt(id);
  park(id, fetch);
}

void Fetches::park(std::uint64_t id, Pending& fetch) {
  deadlines_.emplace(fetch.deadline, id);
  fetch.watched.clear();
  for (std::size_t part = 0; part < fetch.targets.size(); ++part) {
    const session::FetchTarget& target = *fetch.targets[part];
    const cluster::TopicHandle topic =
        fetch.by_id ? context_.image->topic(target.topic_id) : context_.image->topic(target.topic);
    if (!topic) continue;
    const PartitionKey key{topic->id, PartitionId{target.partition}};
    const ShardId home = context_.home_of(topic->id, key.partition);
    fetch.watched.emplace_back(home, key);
    if (context_.is_self(home)) partitions_.watch(key, {context_.self(), id});
  }
}

void Fetches::unwatch_all(std::uint64_t id, Pending& fetch) {
  deadlines_.erase({fetch.deadline, id});
  std::map<ShardId, UnwatchMail> elsewhere;
  for (const auto& [shard, key] : fetch.watched) {
    if (context_.is_self(shard)) {
      partitions_.unwatch(key, {context_.self(), id});
    } else {
      elsewhere[shard].keys.push_back(key);
    }
  }
  for (auto& [shard, mail] : elsewhere) {
    mail.fetch = id;
    context_.send(shard, std::move(mail));
  }
  fetch.watched.clear();
}

void Fetches::woken(std::uint64_t id) {
  const auto at = pending_.find(id);
  if (at == pending_.end()) return;
  Pending& fetch = at->second;
  fetch.woken = true;
  if (fetch.outstanding == 0 && fetch.tickets.empty()) attempt(id);
}

void Fetches::ready(log::ReadTicket ticket) {
  std::vector<std::uint64_t> due;
  const auto [first, last] = waiting_.equal_range(ticket.value);
  for (auto at = first; at != last; ++at) due.push_back(at->second);
  waiting_.erase(first, last);
  for (const std::uint64_t id : due) {
    const auto fetch = pending_.find(id);
    if (fetch == pending_.end() || fetch->second.tickets.erase(ticket.value) == 0) continue;
    if (fetch->second.tickets.empty() && fetch->second.outstanding == 0) attempt(id);
  }
  std::vector<RemoteWait> remote;
  const auto [begin, end] = remote_waiting_.equal_range(ticket.value);
  for (auto at = begin; at != end; ++at) remote.push_back(std::move(at->second));
  remote_waiting_.erase(begin, end);
  for (RemoteWait& wait : remote) answer_remote(wait.from, std::move(wait.mail));
}

void Fetches::tick() {
  while (!deadlines_.empty() && deadlines_.begin()->first <= context_.now.monotonic) {
    const std::uint64_t id = deadlines_.begin()->second;
    deadlines_.erase(deadlines_.begin());
    Pending& fetch = pending_.at(id);
    if (fetch.outstanding == 0 && fetch.tickets.empty()) attempt(id);
  }
}

Instant Fetches::next_deadline() const {
  return deadlines_.empty() ? Instant::max() : deadlines_.begin()->first;
}

void Fetches::gone(ConnectionId connection) {
  const auto at = pending_.find(connection.value);
  if (at == pending_.end()) return;
  drop_all(at->second);
  unwatch_all(at->first, at->second);
  if (at->second.session) sessions_.done(*at->second.session);
  pending_.erase(at);
}

// --- pins

void Fetches::drop_pieces(FetchPart& part) {
  if (part.pin != log::PinHandle{}) returns_[part.owner].push_back(part.pin);
  part.pin = {};
  part.pieces.clear();
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

// --- answering

void Fetches::answer(std::uint64_t id) {
  const auto at = pending_.find(id);
  Pending& fetch = at->second;
  unwatch_all(id, fetch);
  session::Response response = response_of(fetch);
  if (fetch.session) sessions_.done(*fetch.session);
  const Request request = std::move(fetch.request);
  pending_.erase(at);
  connections_.answer_frame(request, std::move(response));
}

bool Fetches::is_news(const Pending& fetch, std::size_t index) const {
  if (!fetch.incremental) return true;
  const FetchPart& part = fetch.parts[index];
  const session::FetchTarget& target = *fetch.targets[index];
  return part.bytes > 0 || part.error != ErrorCode::none || part.diverging || !target.answered ||
         target.answered_high_watermark != part.high_watermark ||
         target.answered_log_start != part.log_start_offset;
}

bool Fetches::same_topic(const Pending& fetch, std::size_t one, std::size_t other) const {
  const session::FetchTarget& first = *fetch.targets[one];
  const session::FetchTarget& second = *fetch.targets[other];
  return fetch.by_id ? first.topic_id == second.topic_id : first.topic == second.topic;
}

session::Response Fetches::response_of(Pending& fetch) {
  // The parts that are named, and where runs of one topic begin among them.
  named_.clear();
  runs_.clear();
  for (std::size_t index = 0; index < fetch.parts.size(); ++index) {
    if (!is_news(fetch, index)) continue;
    if (named_.empty() || !same_topic(fetch, named_.back(), index)) runs_.push_back(named_.size());
    named_.push_back(index);
  }
  session::Response frame;
  pieces_.clear();
  wire::FetchResponseWriter writer(frame.bytes, pieces_, fetch.request.version,
                                   {.correlation_id = fetch.request.correlation_id,
                                    .throttle_time_ms = 0,
                                    .error = wire::ErrorCode::none,
                                    .session_id = fetch.session ? fetch.session->id() : 0,
                                    .topics = runs_.size()});
  bool failures = false;
  releases_.clear();
  for (std::size_t run = 0; run < runs_.size(); ++run) {
    const std::size_t end = run + 1 < runs_.size() ? runs_[run + 1] : named_.size();
    const session::FetchTarget& topic = *fetch.targets[named_[runs_[run]]];
    writer.topic(topic.topic, topic.topic_id, end - runs_[run]);
    for (std::size_t at = runs_[run]; at < end; ++at) {
      failures = fetch.parts[named_[at]].error != ErrorCode::none || failures;
      write_part(writer, fetch, named_[at]);
    }
  }
  writer.finish();
  if (failures) ++failed;
  drop_all(fetch);
  std::size_t payload = 0;
  for (const wire::FetchPiece& piece : pieces_) {
    if (piece.payload.empty()) continue;
    frame.splices.push_back({piece.header_end, piece.payload, releases_[payload++]});
  }
  CHECK(payload == releases_.size());
  return frame;
}

void Fetches::write_part(wire::FetchResponseWriter& writer, Pending& fetch, std::size_t index) {
  FetchPart& part = fetch.parts[index];
  const auto target = fetch.targets[index];
  target->answered = part.error == ErrorCode::none;
  target->answered_high_watermark = part.high_watermark;
  target->answered_log_start = part.log_start_offset;
  wire::FetchOutcome outcome{.partition = target->partition,
                             .error = part.error,
                             .high_watermark = part.high_watermark,
                             .last_stable_offset = part.last_stable_offset,
                             .log_start_offset = part.log_start_offset};
  if (part.diverging) {
    outcome.diverging_epoch = part.diverging->epoch.value;
    outcome.diverging_end_offset = part.diverging->end.value;
  }
  if (fetch.terms.read_committed) outcome.aborted.emplace();
  std::erase_if(part.pieces, [](Bytes piece) { return piece.empty(); });
  std::size_t bytes = 0;
  for (const Bytes piece : part.pieces) bytes += piece.size();
  writer.partition(outcome, bytes);
  for (const Bytes piece : part.pieces) {
    writer.payload(piece);
    releases_.push_back(0);
  }
  // One pin holds all pieces of a part: it is given back when the last of them is sent.
  if (!part.pieces.empty()) releases_.back() = release_token(part);
  if (fetch.session && bytes > 0) fetch.session->move_to_end(target);
}

// --- owner's side of other shards' fetches

void Fetches::asked(ShardId from, FetchMail&& mail) {
  if (mail.terms.watch) {
    for (const FetchAsk& ask : mail.asks) partitions_.watch(ask.key, {from, mail.fetch});
  }
  answer_remote(from, std::move(mail));
}

void Fetches::answer_remote(ShardId from, FetchMail&& mail) {
  FetchedMail answer{.fetch = mail.fetch, .round = mail.round, .parts = {}};
  std::optional<log::ReadTicket> wait;
  std::size_t total = 0;
  for (const FetchAsk& ask : mail.asks) {
    auto outcome = partitions_.fetch(mail.terms, ask, total == 0);
    if (outcome.wait) wait = outcome.wait;
    total += outcome.part.bytes;
    answer.parts.push_back(std::move(outcome.part));
  }
  if (wait && total == 0) {
    remote_waiting_.emplace(wait->value, RemoteWait{from, std::move(mail)});
    return;
  }
  context_.send(from, std::move(answer));
}

void Fetches::unwatch(ShardId from, const UnwatchMail& mail) {
  for (const PartitionKey& key : mail.keys) partitions_.unwatch(key, {from, mail.fetch});
}

}  // namespace tailwater::node
