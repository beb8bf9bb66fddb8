#include "node/shard.hpp"

#include <algorithm>
#include <utility>

#include "node/shard_state.hpp"
#include "node/storage_options.hpp"

namespace tailwater::node {

namespace {

// Rounds of mail and answers within one turn; what is left waits for the next one.
constexpr int kRoundsMax = 64;

}  // namespace

ShardState::ShardState(ShardOptions options, cluster::ImageHandle image)
    : context(std::move(options), std::move(image)),
      budget(request_budget(context.options)),
      receive_pool(budget),
      calls(context),
      partitions(context, storage_options(context.options)),
      connections(context, *this, receive_pool),
      produces(context, partitions, connections),
      fetches(context, partitions, connections),
      remote_fetches(context, partitions),
      queries(context, partitions),
      groups(context, partitions),
      admin(context),
      transactions(context, partitions, calls, admin),
      hanging(context, partitions, calls) {}

ShardState::~ShardState() = default;

void ShardState::start(Now now) {
  context.now = now;
  partitions.storage().start(now, disk);
}

void ShardState::finish_recovery() {
  if (adopted || !partitions.storage().recovered()) return;
  bool usable = context.options.log_dirs.empty();
  for (std::size_t dir = 0; dir < context.options.log_dirs.size(); ++dir) {
    const log::DirReport& report = partitions.storage().report(DirId{static_cast<std::uint32_t>(dir)});
    if (report.state != log::DirState::offline) {
      usable = true;
    } else if (failure.empty()) {
      failure = "log directory " + context.options.log_dirs[dir] + ": " + report.failure.message;
    }
  }
  adopted = true;
  if (!usable) return;
  failure.clear();
  if (const log::Log* newer = partitions.newer_than(*context.image)) {
    const log::LogIdentity& log = newer->identity();
    failure =
        "the log of " + log.topic + "-" + std::to_string(log.partition.value) + " in " +
        context.options.log_dirs[log.dir.value] +
        " was made after what the metadata know, as where metadata.sqlite was restored from an older backup: "
        "it would be taken for one of a deleted topic. Put the newest metadata.sqlite back, or move the log "
        "directories away and begin anew";
    return;
  }
  partitions.adopt(*context.image);
  groups.follow();
  transactions.follow();
  life_ = Life::serving;
}

void ShardState::apply_image(cluster::ImageHandle image) {
  const cluster::ImageHandle before = context.image;
  context.image = std::move(image);
  if (adopted) {
    partitions.apply(*before, *context.image);
    groups.follow();
    groups.topics_changed(*before);
    transactions.follow();
  }
  context.send(ShardId{0}, ImageSeenMail{context.image->version});
}

namespace {

// Hands a piece of mail to the part of the shard that it is for.
struct Delivery {
  ShardState& shard;
  ShardId from;

  void operator()(ProduceMail& content) { shard.produces.asked(from, content); }
  void operator()(ProducedMail& content) {
    for (ProduceResult& result : content.results) shard.produces.produced(content.request, std::move(result));
  }
  void operator()(FetchMail& content) { shard.remote_fetches.asked(from, std::move(content)); }
  void operator()(FetchedMail& content) { shard.fetches.fetched(std::move(content)); }
  void operator()(UnpinMail& content) {
    for (const log::PinHandle pin : content.pins) shard.partitions.storage().unpin(pin);
  }
  void operator()(ChangedMail& content) {
    for (const Watch& watch : content.told) shard.fetches.changed(watch);
  }
  void operator()(UnwatchMail& content) { shard.remote_fetches.unwatch(from, content); }
  void operator()(CallMail& call) {
    std::visit([&](auto& body) { ask(call, body); }, call.body);
  }
  void operator()(AnswerMail& content) {
    shard.calls.answered(content.gather, content.part, std::move(content.body));
  }
  void operator()(ImageMail& content) { shard.apply_image(std::move(content.image)); }
  void operator()(ImageSeenMail& content) { shard.admin.image_seen(from, content.version); }
  void operator()(OfflineMail& content) { shard.context.offline_dirs.emplace(from, content.dir); }

  // A question goes to the part that can answer its type.
  template <class Body>
  void ask(CallMail& call, Body& body) {
    if constexpr (requires { shard.queries.ask(from, call.gather, call.part, body); }) {
      shard.queries.ask(from, call.gather, call.part, body);
    } else if constexpr (requires { shard.groups.ask(from, call.gather, call.part, body); }) {
      shard.groups.ask(from, call.gather, call.part, body);
    } else if constexpr (requires { shard.transactions.ask(from, call.gather, call.part, body); }) {
      shard.transactions.ask(from, call.gather, call.part, body);
    } else {
      shard.admin.ask(from, call.gather, call.part, body);
    }
  }
};

}  // namespace

void ShardState::deliver(ShardMail& mail) {
  std::visit(Delivery{*this, mail.from}, mail.content);
}

bool ShardState::deliver_own_mail() {
  passing_.swap(context.outbox);
  // What goes elsewhere stays before all that this delivery sends there.
  for (Envelope& envelope : passing_) {
    if (!context.is_self(envelope.to)) context.outbox.push_back(std::move(envelope));
  }
  bool any = false;
  for (Envelope& envelope : passing_) {
    if (!context.is_self(envelope.to)) continue;
    deliver(*envelope.mail);
    context.discard(std::move(envelope.mail));
    any = true;
  }
  passing_.clear();
  return any;
}

void ShardState::take_news() {
  log::Storage& storage = partitions.storage();
  partitions.take_news();
  const bool failed = !storage.failed().empty();
  ready_.assign(storage.ready_reads().begin(), storage.ready_reads().end());
  ended_.swap(partitions.ended);
  for (const auto& ended : ended_) groups.transaction_ended(ended);
  ended_.clear();
  advanced_.swap(partitions.advanced);
  for (PartitionState* partition : advanced_) {
    const std::string& topic = partition->topic->topic->name;
    if (topic == cluster::kOffsetsTopic) groups.advanced(*partition);
    if (topic == cluster::kTransactionTopic) transactions.advanced(*partition);
  }
  advanced_.clear();
  if (failed) {
    groups.directories_failed();
    transactions.directories_failed();
  }
  queries.settle();
  for (const log::ReadTicket ticket : ready_) {
    fetches.ready(ticket);
    remote_fetches.ready(ticket);
    queries.ready(ticket);
    groups.ready(ticket);
    transactions.ready(ticket);
  }
  storage.clear_news();
}

void ShardState::return_released() {
  for (const std::uint64_t token : connections.released) fetches.released(token);
  connections.released.clear();
  for (const ConnectionId id : connections.gone) fetches.gone(id);
  connections.gone.clear();
  fetches.flush_releases();
}

namespace {

// What the owner of partitions wants to know of one transaction in this turn. It is asked together: the
// coordinator writes and weighs a transaction as a whole each time.
struct TransactionQuestion {
  std::string transactional_id;
  txn::ProducerIdentity producer;
  bool adds = false;
  friend auto operator<=>(const TransactionQuestion&, const TransactionQuestion&) = default;
};

void ask_about_transaction(ShardState& shard, const TransactionQuestion& question,
                           const std::vector<PartitionKey>& wished) {
  std::vector<PartitionKey> keys;
  std::vector<txn::TopicPartition> partitions;
  for (const PartitionKey& key : wished) {
    const cluster::TopicHandle topic = shard.context.image->topic(key.topic_id);
    if (!topic) continue;  // it was deleted meanwhile, and who waited was told
    keys.push_back(key);
    partitions.push_back({topic->name, key.partition.value});
  }
  if (keys.empty()) return;
  const TxnPlace place = transaction_place(shard.context, question.transactional_id);
  TxnCall call{.coordinator = place.partition, .request = {}};
  if (question.adds) {
    call.request = txn::AddRequest{.transactional_id = question.transactional_id,
                                   .producer = question.producer,
                                   .partitions = partitions,
                                   .version = txn::ClientVersion::bumping,
                                   .by_leader = true};
  } else {
    call.request = txn::VerifyRequest{question.transactional_id, question.producer, partitions};
  }
  auto gather = shard.calls.begin(1, [&shard, producer = question.producer, keys = std::move(keys),
                                      partitions = std::move(partitions)](std::vector<AnswerBody>& answers) {
    const auto answer = std::get<txn::Answer>(std::move(answers.front()));
    auto missing = answer.missing.begin();  // in the order of the question
    for (std::size_t each = 0; each < keys.size(); ++each) {
      const bool belongs = missing == answer.missing.end() || *missing != partitions[each];
      if (!belongs) ++missing;
      shard.partitions.verified(
          keys[each], producer,
          answer.error == ErrorCode::none && !belongs ? ErrorCode::transaction_abortable : answer.error);
    }
  });
  gather.ask(place.shard, 0, std::move(call));
}

void ask_about_transactions(ShardState& shard) {
  if (shard.partitions.verification_wishes.empty()) return;
  std::map<TransactionQuestion, std::vector<PartitionKey>> questions;
  for (auto& wish : std::exchange(shard.partitions.verification_wishes, {})) {
    questions[{std::move(wish.transactional_id), wish.producer, wish.adds}].push_back(wish.key);
  }
  for (const auto& [question, wished] : questions) ask_about_transaction(shard, question, wished);
}

void hand_out_transactions(ShardState& shard) {
  for (const auto& answer : std::exchange(shard.partitions.marker_answers, {})) {
    PartitionAnswer body;
    body.error = answer.error;
    shard.context.send(answer.asker.shard, AnswerMail{answer.asker.gather, answer.asker.part, body});
  }
  ask_about_transactions(shard);
}

// Answers and news that partitions gathered go to their askers: here at once, elsewhere in one mail per
// request, or per shard.
void hand_out(ShardState& shard) {
  Context& context = shard.context;
  std::map<std::pair<ShardId, std::uint64_t>, ProducedMail> elsewhere;
  // What is handed out may bring more, for the next time; the two vectors keep their memory.
  shard.handed_out.clear();
  std::swap(shard.handed_out, shard.partitions.answers);
  for (auto& answer : shard.handed_out) {
    const auto& asker = answer.asker;
    if (context.is_self(asker.shard)) {
      shard.produces.produced(asker.request, std::move(answer.result));
      continue;
    }
    ProducedMail& mail = elsewhere[{asker.shard, asker.request}];
    mail.request = asker.request;
    mail.results.push_back(std::move(answer.result));
  }
  for (auto& [to, mail] : elsewhere) context.send(to.first, std::move(mail));
  hand_out_transactions(shard);
  std::map<ShardId, ChangedMail> changes;
  for (const Watch& watch : shard.partitions.told) {
    if (context.is_self(watch.shard)) {
      shard.fetches.changed(watch);
    } else {
      changes[watch.shard].told.push_back(watch);
    }
  }
  shard.partitions.told.clear();
  for (auto& [to, mail] : changes) context.send(to, std::move(mail));
}

}  // namespace

void ShardState::turn(Now now, TurnEffects& effects) {
  context.now = now;
  finish_recovery();
  take_news();
  calls.tick();
  produces.tick();
  fetches.tick();
  groups.tick();
  transactions.tick();
  hanging.tick();
  for (int round = 0; round < kRoundsMax; ++round) {
    hand_out(*this);
    bool more = deliver_own_mail();
    more = fetches.attend() || more;
    if (admin.flush(effects.store, effects.snapshots)) {
      if (auto image = admin.take_image()) apply_image(std::move(*image));
      more = true;
    }
    connections.hold_produce(partitions.held_back());
    more = connections.pump() || more;
    return_released();
    if (!more && !partitions.has_news()) break;
  }
  // Last: what coordinators write is little and others wait for it; and this shard's own connections, which were held,
  // have put what they bring into the line, where what other shards sent waits.
  partitions.retry_deferred();
  connections.hold_produce(partitions.held_back());
  stop_step();
  partitions.storage().turn(now, disk);
  connections.list(effects);
  std::ranges::move(disk, std::back_inserter(effects.disk));
  disk.clear();
  bool own_mail_left = false;
  passing_.swap(context.outbox);
  for (Envelope& envelope : passing_) {
    if (context.is_self(envelope.to)) {
      context.outbox.push_back(std::move(envelope));
      own_mail_left = true;
    } else {
      effects.mail.push_back(std::move(envelope));
    }
  }
  passing_.clear();
  if (std::exchange(partitions.reconfigured, false) && context.is_self(ShardId{0})) {
    effects.config = partitions.broker_config();
  }
  std::ranges::move(context.log, std::back_inserter(effects.log));
  context.log.clear();
  // Recovery may have ended just now: what waits for it goes on at once.
  const bool again =
      own_mail_left || connections.has_work() || (!adopted && partitions.storage().recovered());
  effects.wake_at = again ? now.monotonic : std::min(effects.wake_at, next_deadline());
}

Instant ShardState::next_deadline() const {
  if (partitions.has_news()) return context.now.monotonic;
  return std::min({const_cast<ShardState*>(this)->partitions.storage().next_deadline(), calls.next_deadline(),
                   produces.next_deadline(), fetches.next_deadline(), groups.next_deadline(),
                   transactions.next_deadline(), hanging.next_deadline()});
}

void ShardState::stop() {
  stop_asked_ = true;
}

void ShardState::stop_step() {
  if (!stop_asked_) return;
  if (life_ == Life::starting || life_ == Life::serving) {
    connections.drain();
    life_ = Life::draining;
  }
  if (life_ == Life::draining) {
    partitions.storage().stop();
    life_ = Life::flushing;
  }
}

bool ShardState::stopped() const {
  return life_ == Life::flushing && const_cast<ShardState*>(this)->partitions.storage().stopped();
}

namespace {

CompactionMetrics compaction_metrics(const log::CompactionStats& stats, Instant now) {
  const auto positive = [](std::int64_t number) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(number, 0));
  };
  return {.rounds = stats.rounds,
          .bytes_before = stats.bytes_before,
          .bytes_after = stats.bytes_after,
          .unreadable_batches = stats.unreadable_batches,
          .uncleanable_partitions = stats.uncleanable_logs,
          .max_dirty_percent = positive(stats.max_dirty_millionths / 10'000),
          .max_delay_seconds = positive(stats.max_delay_ms / 1'000),
          .max_round_seconds = positive(stats.max_ms / 1'000),
          .map_percent = stats.last_map_percent,
          .since_last_ms = stats.rounds == 0 ? -1 : (now - stats.last_end).to_ms()};
}

}  // namespace

MetricsSnapshot ShardState::metrics() const {
  MetricsSnapshot snapshot;
  snapshot.shard = context.options.shard.value;
  snapshot.connections = connections.size();
  snapshot.connections_created = connections.created;
  snapshot.connections_closed_by_broker = connections.closed_by_broker;
  snapshot.messages_in = partitions.messages_in;
  snapshot.bytes_in = partitions.bytes_in;
  snapshot.bytes_out = connections.bytes_out;
  snapshot.produce_requests = produces.requests;
  snapshot.fetch_requests = fetches.requests;
  snapshot.fetch_partitions = fetches.looks;
  snapshot.failed_produce_requests = produces.failed;
  snapshot.failed_fetch_requests = fetches.failed;
  snapshot.memory_budget = budget.limit();
  snapshot.memory_used = budget.used();
  auto& storage = const_cast<ShardState*>(this)->partitions.storage();
  const log::CacheReport cache = storage.cache();
  snapshot.cache_unflushed = cache.unflushed;
  snapshot.cache_recent = cache.recent;
  snapshot.cache_cold = cache.cold;
  snapshot.cache_other = cache.other;
  for (std::size_t dir = 0; dir < context.options.log_dirs.size(); ++dir) {
    const log::DirReport& report = storage.report(DirId{static_cast<std::uint32_t>(dir)});
    snapshot.journal_frames += report.frames;
    snapshot.journal_bytes += report.frame_bytes;
    snapshot.journal_padding_bytes +=
        report.frame_bytes - std::min(report.frame_bytes, report.frame_payload_bytes);
    snapshot.journal_size += report.ring_bytes;
    snapshot.journal_used += report.ring_used_bytes;
    snapshot.journal_write.add(report.frame_times);
    snapshot.direct_runs += report.direct_runs;
    snapshot.direct_bytes += report.direct_bytes;
    snapshot.recycled_segments += report.recycled_segments;
    snapshot.recycle_bytes += report.recycle_bytes;
    if (report.state == log::DirState::offline)
      snapshot.offline_dirs.insert(DirId{static_cast<std::uint32_t>(dir)});
  }
  snapshot.corrupt_reads = storage.corrupt_reads();
  snapshot.pinned_reads = storage.pinned_reads();
  snapshot.waiting_fetches = fetches.waiting();
  snapshot.compaction = compaction_metrics(storage.compaction(), context.now.monotonic);
  for (const auto& [key, api] : connections.api_metrics()) {
    snapshot.apis.emplace(std::string(wire::find_api(key)->name), api);
  }
  partitions.each([&](const PartitionState& partition) {
    snapshot.partitions.push_back({partition.topic->topic->name, partition.partition.value,
                                   partition.log->start_offset().value, partition.high_watermark(),
                                   partition.log->size_bytes()});
  });
  snapshot.groups = groups.metrics();
  return snapshot;
}

// --- Shard

Shard::Shard(ShardOptions options, std::shared_ptr<const cluster::MetadataImage> image)
    : state_(std::make_unique<ShardState>(std::move(options), std::move(image))) {}
Shard::~Shard() = default;

void Shard::start(Now now) {
  state_->start(now);
}
bool Shard::ready() const {
  return state_->adopted;
}
const std::string& Shard::failure() const {
  return state_->failure;
}

void Shard::connected(ConnectionId connection, ListenerId listener, Peer peer, Now now) {
  state_->context.now = now;
  state_->connections.connected(connection, listener, std::move(peer));
}
MutableBytes Shard::receive_space(ConnectionId connection) {
  return state_->connections.receive_space(connection);
}
void Shard::received(ConnectionId connection, std::size_t bytes, Now now) {
  state_->context.now = now;
  state_->connections.received(connection, bytes);
}
std::size_t Shard::gather(ConnectionId connection, std::span<Bytes> pieces) {
  return state_->connections.gather(connection, pieces);
}
void Shard::sent(ConnectionId connection, std::size_t bytes, Now now) {
  state_->context.now = now;
  state_->connections.sent(connection, bytes);
}
void Shard::disconnected(ConnectionId connection) {
  state_->connections.disconnected(connection);
}

void Shard::disk_done(DiskDone done, Now now) {
  state_->partitions.storage().completed(std::move(done), now);
}
void Shard::deliver(Envelope envelope, Now now) {
  state_->context.now = now;
  state_->deliver(*envelope.mail);
  state_->context.discard(std::move(envelope.mail));
}
void Shard::stored(cluster::StoreToken token, cluster::StoreOutcome outcome, Now now) {
  state_->context.now = now;
  state_->admin.stored(token, std::move(outcome));
}
void Shard::reload(const cluster::BrokerConfig& config, Now now) {
  state_->context.now = now;
  state_->context.options.config = config;
  state_->partitions.reconfigure();
  state_->admin.reload();
}
void Shard::turn(Now now, TurnEffects& effects) {
  state_->turn(now, effects);
}
void Shard::stop(Now now) {
  state_->context.now = now;
  state_->stop();
}
bool Shard::stopped() const {
  return state_->stopped();
}
MetricsSnapshot Shard::metrics() const {
  return state_->metrics();
}

}  // namespace tailwater::node
