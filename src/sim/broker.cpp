#include "sim/broker.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "core/cluster/metadata_start.hpp"

namespace tailwater::sim {

namespace {

constexpr BrokerId kBroker{1};
constexpr ListenerId kListener{0};
constexpr Duration kTurnDelayMax = Duration::from_us(20);
constexpr Duration kStoreDelayMax = Duration::from_us(1'500);
constexpr std::size_t kPiecesMax = 16;

}  // namespace

Broker::Broker(Agenda& agenda, Digest& digest, Disk& disk, BrokerSetup setup)
    : agenda_(agenda), digest_(digest), disk_(disk), setup_(std::move(setup)), network_(agenda, *this) {}

Broker::~Broker() {
  if (redistribution_) disk_.leave(redistribution_user_);
  for (Lane& lane : lanes_) disk_.leave(lane.disk_user);
}

cluster::BrokerConfig Broker::configuration() const {
  std::string dirs;
  for (const std::string& dir : setup_.log_dirs) dirs += (dirs.empty() ? "" : ",") + dir;
  cluster::ConfigValues properties{{"node.id", "1"},
                                   {"listeners", "PLAINTEXT://sim:9092"},
                                   {"log.dirs", dirs},
                                   {"offsets.topic.num.partitions", "4"},
                                   {"offsets.topic.replication.factor", "1"},
                                   {"group.initial.rebalance.delay.ms", "200"},
                                   {"tailwater.journal.bytes", "16777216"}};
  for (const auto& [key, value] : setup_.settings) properties[key] = value;
  cluster::ParsedBrokerConfig parsed = cluster::parse_broker_config(properties);
  CHECK(parsed.valid() && parsed.notices.empty());
  return std::move(parsed.config);
}

cluster::ImageHandle Broker::load_image() {
  cluster::MetadataStart start;
  start.cluster_id = "simulated-cluster-id-00";
  start.registration.broker = kBroker;
  start.registration.endpoints = {
      {.listener = "PLAINTEXT", .host = "sim", .port = 9092, .security_protocol = 0}};
  for (std::uint64_t dir = 0; dir < setup_.log_dirs.size(); ++dir)
    start.registration.log_dirs.push_back(Uuid{1, 1 + dir});
  start.config = configuration();
  start.seed = agenda_.random().next();
  auto image = cluster::start_metadata(store_, start);
  CHECK(image.has_value());
  return *image;
}

node::ShardOptions Broker::options_of(std::uint32_t index, const cluster::ImageHandle& image) {
  node::ShardOptions options;
  options.shard = ShardId{index};
  options.shards = setup_.shards;
  options.broker = kBroker;
  options.cluster_id = image->cluster_id;
  options.listeners = {{.id = kListener, .name = "PLAINTEXT", .host = "sim", .port = 9092}};
  options.log_dirs = setup_.log_dirs;
  options.config = configuration();
  options.memory_budget = setup_.memory_bytes;
  options.seed = agenda_.random().next();
  return options;
}

// --- folders that were written with another number of shards

void Broker::redistribute(const cluster::ImageHandle& image) {
  redistribution_at_ = Instant::max();
  redistribution_ = node::make_redistribution(options_of(0, image));
  redistribution_user_ = disk_.enter([this, image](DiskDone done) {
    redistribution_->completed(std::move(done), agenda_.both());
    step_redistribution(image);
  });
  log::DiskEffects effects;
  redistribution_->start(agenda_.both(), effects);
  for (DiskOp& op : effects) disk_.submit(redistribution_user_, std::move(op));
}

void Broker::step_redistribution(const cluster::ImageHandle& image) {
  const std::uint64_t generation = generation_;
  log::DiskEffects effects;
  redistribution_->turn(agenda_.both(), effects);
  for (DiskOp& op : effects) disk_.submit(redistribution_user_, std::move(op));
  if (redistribution_->over()) {
    agenda_.soon(kTurnDelayMax, [this, generation, image] {
      if (generation == generation_) start_lanes(image);
    });
    return;
  }
  const Instant next = std::max(redistribution_->next_deadline(), agenda_.now() + kTurnDelayMax);
  if (next >= redistribution_at_) return;
  redistribution_at_ = next;
  agenda_.at(next, [this, generation, image, next] {
    if (generation != generation_ || redistribution_at_ != next) return;
    redistribution_at_ = Instant::max();
    if (redistribution_ && !redistribution_->over()) step_redistribution(image);
  });
}

void Broker::make_lane(std::uint32_t index, const cluster::ImageHandle& image) {
  Lane& lane = lanes_[index];
  lane.shard = std::make_unique<node::Shard>(options_of(index, image), image);
  lane.disk_user = disk_.enter([this, index](DiskDone done) {
    lanes_[index].shard->disk_done(std::move(done), agenda_.both());
    ask_turn(index);
  });
}

void Broker::start() {
  CHECK(state_ == State::down);
  state_ = State::starting;
  agenda_.note("the broker starts");
  ++generation_;
  complaints_.clear();
  redistribute(load_image());
}

void Broker::start_lanes(const cluster::ImageHandle& image) {
  if (!redistribution_ || !redistribution_->failure().empty()) return;
  disk_.leave(redistribution_user_);
  redistribution_.reset();
  lanes_ = std::vector<Lane>(setup_.shards);
  for (std::uint32_t index = 0; index < setup_.shards; ++index) make_lane(index, image);
  for (std::uint32_t index = 0; index < setup_.shards; ++index) {
    lanes_[index].shard->start(agenda_.both());
    ask_turn(index);
  }
}

void Broker::stop(Stopped stopped) {
  CHECK(state_ == State::serving);
  state_ = State::stopping;
  network_.listen(false);
  when_stopped_ = std::move(stopped);
  for (std::uint32_t index = 0; index < lanes_.size(); ++index) {
    lanes_[index].shard->stop(agenda_.both());
    ask_turn(index);
  }
}

void Broker::die(Death death) {
  CHECK(state_ != State::down);
  network_.listen(false);
  const auto end = [&](std::uint64_t disk_user) {
    if (death == Death::process) {
      disk_.kill(disk_user);
    } else {
      disk_.cut_off(disk_user);
    }
  };
  if (redistribution_) end(redistribution_user_);
  for (Lane& lane : lanes_) end(lane.disk_user);
  if (death == Death::machine) disk_.lose();
  clear();
  if (death == Death::process) {
    network_.host_died();
  } else {
    network_.host_vanished();
  }
}

void Broker::clear() {
  state_ = State::down;
  ++generation_;
  when_stopped_ = nullptr;
  redistribution_.reset();
  lanes_.clear();
  lane_of_.clear();
  last_mail_.clear();
  late_stores_ = 0;
}

void Broker::check_state() {
  const auto all = [&](auto holds) { return std::ranges::all_of(lanes_, holds); };
  if (redistribution_) return;
  if (state_ == State::starting && all([](const Lane& lane) { return lane.shard->ready(); })) {
    if (!failure().empty()) return;
    state_ = State::serving;
    serving_since_ = agenda_.now();
    agenda_.note("the broker serves");
    network_.listen(true);
    return;
  }
  if (state_ != State::stopping || !all([](const Lane& lane) { return lane.shard->stopped(); })) return;
  for (Lane& lane : lanes_) disk_.leave(lane.disk_user);
  const bool whole = failure().empty();
  Stopped stopped = std::move(when_stopped_);
  clear();
  network_.host_died();
  agenda_.soon(kTurnDelayMax, [stopped, whole] { stopped(whole); });
}

std::vector<node::MetricsSnapshot> Broker::metrics() const {
  std::vector<node::MetricsSnapshot> all;
  for (const Lane& lane : lanes_) all.push_back(lane.shard->metrics());
  return all;
}

std::string Broker::failure() const {
  if (redistribution_ && redistribution_->over()) return redistribution_->failure();
  for (const Lane& lane : lanes_) {
    if (!lane.shard->failure().empty()) return lane.shard->failure();
    if (!lane.shard->metrics().offline_dirs.empty())
      return complaints_.empty() ? "a log directory is offline" : complaints_.back();
  }
  return {};
}

std::uint64_t Broker::sum(std::uint64_t node::MetricsSnapshot::* counter) const {
  std::uint64_t sum = 0;
  for (const Lane& lane : lanes_) sum += lane.shard->metrics().*counter;
  return sum;
}

std::uint64_t Broker::connections_held() const {
  return sum(&node::MetricsSnapshot::connections);
}

std::uint64_t Broker::memory_held() const {
  return sum(&node::MetricsSnapshot::memory_used);
}

std::uint64_t Broker::reads_held() const {
  return sum(&node::MetricsSnapshot::pinned_reads);
}

std::uint64_t Broker::fetches_held() const {
  return sum(&node::MetricsSnapshot::waiting_fetches);
}

// --- turns

void Broker::ask_turn(std::uint32_t index) {
  Lane& lane = lanes_[index];
  if (lane.turn_asked) return;
  lane.turn_asked = true;
  const std::uint64_t generation = generation_;
  const auto delay = static_cast<std::int64_t>(
      agenda_.random().below(static_cast<std::uint64_t>(kTurnDelayMax.nanoseconds) + 1));
  agenda_.at(std::max(agenda_.now() + Duration{delay}, paused_until_), [this, index, generation] {
    if (generation == generation_) turn(index);
  });
}

void Broker::turn(std::uint32_t index) {
  Lane& lane = lanes_[index];
  lane.turn_asked = false;
  ++turns_;
  digest_.add(index);
  digest_.add(static_cast<std::uint64_t>(agenda_.now().nanoseconds));
  lane.effects.clear();
  lane.shard->turn(agenda_.both(), lane.effects);
  carry_out(index);
  if (state_ == State::starting || state_ == State::stopping) check_state();
}

void Broker::carry_out(std::uint32_t index) {
  Lane& lane = lanes_[index];
  const std::uint64_t generation = generation_;
  node::TurnEffects& effects = lane.effects;
  for (DiskOp& op : effects.disk) disk_.submit(lane.disk_user, std::move(op));
  for (node::Envelope& envelope : effects.mail) post(index, std::move(envelope));
  for (cluster::StoreAppend& append : effects.store) store(index, std::move(append));
  for (const cluster::StoreSnapshot& snapshot : effects.snapshots) {
    CHECK(store_.put_snapshot(snapshot.version, snapshot.chunks).has_value());
  }
  for (const node::LogLine& line : effects.log) {
    digest_.add(line.text);
    agenda_.note(line.text);
    if (line.level >= node::LogLevel::warning) complaints_.push_back(line.text);
  }
  for (const ConnectionId id : effects.send) flush(id.value);
  for (const ConnectionId id : effects.resume) readable(id.value);
  for (const ConnectionId id : effects.close) close(id.value);
  if (effects.wake_at < lane.wake_at || lane.wake_at <= agenda_.now()) {
    lane.wake_at = effects.wake_at;
    if (lane.wake_at < Instant::max()) {
      agenda_.at(lane.wake_at, [this, generation, index] {
        if (generation == generation_) ask_turn(index);
      });
    }
  }
}

void Broker::post(std::uint32_t from, node::Envelope envelope) {
  const std::uint32_t to = envelope.to.value;
  digest_.add(to);
  Instant& last = last_mail_[{from, to}];
  const auto delay = static_cast<std::int64_t>(
      agenda_.random().below(static_cast<std::uint64_t>(setup_.mail_delay_max.nanoseconds)));
  last = std::max(last, agenda_.now() + Duration{delay});
  agenda_.at(last, [this, generation = generation_, to, mail = std::move(envelope)]() mutable {
    if (generation != generation_) return;
    lanes_[to].shard->deliver(std::move(mail), agenda_.both());
    ask_turn(to);
  });
}

// The store has the entry at once, or only when it answers: a broker that dies in between does not know.
void Broker::store(std::uint32_t index, cluster::StoreAppend append) {
  digest_.add(Bytes(append.batch));
  std::optional<cluster::StoreOutcome> early;
  if (late_stores_ == 0 && agenda_.random().one_in(2)) {
    early = store_.append(append.expected_head, append.batch);
  } else {
    ++late_stores_;
  }
  const auto delay = static_cast<std::int64_t>(
      agenda_.random().below(static_cast<std::uint64_t>(kStoreDelayMax.nanoseconds)));
  last_store_ = std::max(last_store_, agenda_.now() + Duration{delay});
  agenda_.at(last_store_, [this, generation = generation_, index, append = std::move(append),
                           early = std::move(early)]() mutable {
    if (generation != generation_) return;
    if (!early) --late_stores_;
    const cluster::StoreOutcome outcome =
        early ? std::move(*early) : store_.append(append.expected_head, append.batch);
    lanes_[index].shard->stored(append.token, outcome, agenda_.both());
    ask_turn(index);
  });
}

// --- network

void Broker::opened(std::uint64_t id) {
  const auto lane = static_cast<std::uint32_t>(agenda_.random().below(lanes_.size()));
  lane_of_[id] = lane;
  lanes_[lane].shard->connected(ConnectionId{id}, kListener, {.address = "client", .port = 1},
                                agenda_.both());
}

void Broker::readable(std::uint64_t id) {
  const auto at = lane_of_.find(id);
  if (at == lane_of_.end()) return;
  node::Shard& shard = *lanes_[at->second].shard;
  for (;;) {
    const MutableBytes space = shard.receive_space(ConnectionId{id});
    if (space.empty()) break;
    const std::size_t size = network_.take(id, space);
    if (size == 0) break;
    digest_.add(Bytes(space.first(size)));
    shard.received(ConnectionId{id}, size, agenda_.both());
  }
  ask_turn(at->second);
}

void Broker::broken(std::uint64_t id) {
  const auto at = lane_of_.find(id);
  if (at == lane_of_.end()) return;
  const std::uint32_t lane = at->second;
  lane_of_.erase(at);
  lanes_[lane].shard->disconnected(ConnectionId{id});
  ask_turn(lane);
}

void Broker::flush(std::uint64_t id) {
  const auto at = lane_of_.find(id);
  if (at == lane_of_.end()) return;
  node::Shard& shard = *lanes_[at->second].shard;
  for (;;) {
    Bytes pieces[kPiecesMax];
    const std::size_t count = shard.gather(ConnectionId{id}, pieces);
    if (count == 0) break;
    Buffer flat;
    for (std::size_t piece = 0; piece < count; ++piece) {
      flat.insert(flat.end(), pieces[piece].begin(), pieces[piece].end());
    }
    flat.resize(1 + agenda_.random().below(flat.size()));
    shard.sent(ConnectionId{id}, flat.size(), agenda_.both());
    digest_.add(Bytes(flat));
    network_.send_back(id, std::move(flat));
  }
  ask_turn(at->second);
}

void Broker::close(std::uint64_t id) {
  lane_of_.erase(id);
  network_.close(id);
}

}  // namespace tailwater::sim
