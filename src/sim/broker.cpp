#include "sim/broker.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.hpp"
#include "core/cluster/metadata_start.hpp"

namespace tailwater::sim {

namespace {

constexpr BrokerId kBroker{1};
constexpr ListenerId kListener{0};
constexpr Duration kTurnDelayMax = Duration::from_us(20);
constexpr Duration kNetworkDelayMax = Duration::from_us(500);
constexpr Duration kMailDelayMax = Duration::from_us(30);
constexpr Duration kStoreDelayMax = Duration::from_us(1'500);
constexpr std::size_t kPiecesMax = 16;
constexpr std::uint64_t kMemoryBytes = std::uint64_t{96} << 20;

cluster::BrokerConfig configuration() {
  const cluster::ConfigValues properties{{"node.id", "1"},
                                         {"listeners", "PLAINTEXT://sim:9092"},
                                         {"log.dirs", "d"},
                                         {"offsets.topic.num.partitions", "4"},
                                         {"offsets.topic.replication.factor", "1"},
                                         {"group.initial.rebalance.delay.ms", "200"},
                                         {"tailwater.journal.bytes.max", "16777216"}};
  cluster::ParsedBrokerConfig parsed = cluster::parse_broker_config(properties);
  return std::move(parsed.config);
}

}  // namespace

Broker::Broker(Agenda& agenda, Digest& digest, Disk& disk, std::uint32_t shards)
    : agenda_(agenda), digest_(digest), disk_(disk), shard_count_(shards) {}

Broker::~Broker() {
  if (redistribution_) disk_.leave(redistribution_user_);
  for (Lane& lane : lanes_) disk_.leave(lane.disk_user);
}

cluster::ImageHandle Broker::load_image() {
  cluster::MetadataStart start;
  start.cluster_id = "simulated-cluster-id-00";
  start.registration.broker = kBroker;
  start.registration.endpoints = {
      {.listener = "PLAINTEXT", .host = "sim", .port = 9092, .security_protocol = 0}};
  start.registration.log_dirs = {Uuid{1, 1}};
  start.config = configuration();
  start.seed = agenda_.random().next();
  auto image = cluster::start_metadata(store_, start);
  CHECK(image.has_value());
  return *image;
}

node::ShardOptions Broker::options_of(std::uint32_t index, const cluster::ImageHandle& image) {
  node::ShardOptions options;
  options.shard = ShardId{index};
  options.shards = shard_count_;
  options.broker = kBroker;
  options.cluster_id = image->cluster_id;
  options.listeners = {{.id = kListener, .name = "PLAINTEXT", .host = "sim", .port = 9092}};
  options.log_dirs = {"d"};
  options.config = configuration();
  options.memory_budget = kMemoryBytes;
  options.seed = agenda_.random().next();
  return options;
}

// --- folders that were written with another number of shards

void Broker::redistribute(const cluster::ImageHandle& image) {
  redistribution_ = node::make_redistribution(options_of(0, image));
  const std::uint64_t generation = generation_;
  redistribution_user_ = disk_.enter([this, generation, image](DiskDone done) {
    if (generation != generation_) return;
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
  } else if (const Instant next = redistribution_->next_deadline(); next < Instant::max()) {
    agenda_.at(std::max(next, agenda_.now()), [this, generation, image] {
      if (generation == generation_ && redistribution_ && !redistribution_->over())
        step_redistribution(image);
    });
  }
}

void Broker::make_lane(std::uint32_t index, const cluster::ImageHandle& image) {
  Lane& lane = lanes_[index];
  lane.shard = std::make_unique<node::Shard>(options_of(index, image), image);
  const std::uint64_t generation = generation_;
  lane.disk_user = disk_.enter([this, index, generation](DiskDone done) {
    if (generation != generation_) return;
    lanes_[index].shard->disk_done(std::move(done), agenda_.both());
    ask_turn(index);
  });
}

void Broker::start() {
  CHECK(state_ == State::down);
  state_ = State::starting;
  ++generation_;
  redistribute(load_image());
}

void Broker::start_lanes(const cluster::ImageHandle& image) {
  if (!redistribution_) return;
  disk_.leave(redistribution_user_);
  if (const std::string& failure = redistribution_->failure(); !failure.empty()) {
    complaints_.push_back(failure);
  }
  redistribution_.reset();
  lanes_ = std::vector<Lane>(shard_count_);
  for (std::uint32_t index = 0; index < shard_count_; ++index) make_lane(index, image);
  for (std::uint32_t index = 0; index < shard_count_; ++index) {
    lanes_[index].shard->start(agenda_.both());
    ask_turn(index);
  }
}

void Broker::stop(std::function<void()> stopped) {
  CHECK(state_ == State::serving);
  state_ = State::stopping;
  when_stopped_ = std::move(stopped);
  for (std::uint32_t index = 0; index < lanes_.size(); ++index) {
    lanes_[index].shard->stop(agenda_.both());
    ask_turn(index);
  }
}

void Broker::check_state() {
  const auto all = [&](auto holds) { return std::ranges::all_of(lanes_, holds); };
  if (state_ == State::starting && all([](const Lane& lane) { return lane.shard->ready(); })) {
    state_ = State::serving;
    return;
  }
  if (state_ != State::stopping || !all([](const Lane& lane) { return lane.shard->stopped(); })) return;
  state_ = State::down;
  ++generation_;
  for (Lane& lane : lanes_) disk_.leave(lane.disk_user);
  lanes_.clear();
  last_mail_.clear();
  std::vector<std::uint64_t> open;
  for (const auto& [id, connection] : connections_) open.push_back(id);
  for (const std::uint64_t id : open) {
    Wire* wire = connections_.at(id).wire;
    connections_.erase(id);
    if (wire != nullptr) wire->closed();
  }
  std::function<void()> stopped = std::move(when_stopped_);
  agenda_.soon(kTurnDelayMax, [stopped] { stopped(); });
}

std::vector<node::MetricsSnapshot> Broker::metrics() const {
  std::vector<node::MetricsSnapshot> all;
  for (const Lane& lane : lanes_) all.push_back(lane.shard->metrics());
  return all;
}

// --- turns

void Broker::ask_turn(std::uint32_t index) {
  Lane& lane = lanes_[index];
  if (lane.turn_asked) return;
  lane.turn_asked = true;
  const std::uint64_t generation = generation_;
  agenda_.soon(kTurnDelayMax, [this, index, generation] {
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
  check_state();
}

void Broker::carry_out(std::uint32_t index) {
  Lane& lane = lanes_[index];
  const std::uint64_t generation = generation_;
  node::TurnEffects& effects = lane.effects;
  for (DiskOp& op : effects.disk) disk_.submit(lane.disk_user, std::move(op));
  for (node::Envelope& envelope : effects.mail) {
    const std::uint32_t to = envelope.to.value;
    digest_.add(to);
    Instant& last = last_mail_[{index, to}];
    const auto delay = static_cast<std::int64_t>(
        agenda_.random().below(static_cast<std::uint64_t>(kMailDelayMax.nanoseconds)));
    last = std::max(last, agenda_.now() + Duration{delay});
    auto mail = std::make_shared<node::Envelope>(std::move(envelope));
    agenda_.at(last, [this, generation, to, mail] {
      if (generation != generation_) return;
      lanes_[to].shard->deliver(std::move(*mail), agenda_.both());
      ask_turn(to);
    });
  }
  for (cluster::StoreAppend& append : effects.store) {
    digest_.add(Bytes(append.batch));
    auto outcome = std::make_shared<cluster::StoreOutcome>(store_.append(append.expected_head, append.batch));
    const cluster::StoreToken token = append.token;
    agenda_.soon(kStoreDelayMax, [this, generation, index, token, outcome] {
      if (generation != generation_) return;
      lanes_[index].shard->stored(token, *outcome, agenda_.both());
      ask_turn(index);
    });
  }
  for (const cluster::StoreSnapshot& snapshot : effects.snapshots) {
    CHECK(store_.put_snapshot(snapshot.version, snapshot.chunks).has_value());
  }
  for (const node::LogLine& line : effects.log) {
    digest_.add(line.text);
    if (line.level >= node::LogLevel::warning) complaints_.push_back(line.text);
  }
  for (const ConnectionId id : effects.send) flush(id.value);
  for (const ConnectionId id : effects.resume) read(id.value);
  for (const ConnectionId id : effects.close) close_at_broker(id.value);
  if (effects.wake_at < lane.wake_at || lane.wake_at <= agenda_.now()) {
    lane.wake_at = effects.wake_at;
    if (lane.wake_at < Instant::max()) {
      agenda_.at(lane.wake_at, [this, generation, index] {
        if (generation == generation_) ask_turn(index);
      });
    }
  }
}

// --- network

std::uint64_t Broker::connect(Wire& wire) {
  if (state_ != State::serving) return 0;
  const std::uint64_t id = next_connection_++;
  Connection& connection = connections_[id];
  connection.wire = &wire;
  connection.lane = static_cast<std::uint32_t>(agenda_.random().below(lanes_.size()));
  connection.open_at_broker = true;
  lanes_[connection.lane].shard->connected(ConnectionId{id}, kListener, {.address = "client", .port = 1},
                                           agenda_.both());
  return id;
}

void Broker::send(std::uint64_t id, Buffer bytes) {
  const auto at = connections_.find(id);
  if (at == connections_.end()) return;
  Prng& random = agenda_.random();
  const auto delay =
      static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(kNetworkDelayMax.nanoseconds)));
  Instant& last = at->second.last_arrival;
  last = std::max(last, agenda_.now() + Duration{delay});
  auto sent = std::make_shared<Buffer>(std::move(bytes));
  agenda_.at(last, [this, id, sent] {
    const auto found = connections_.find(id);
    if (found == connections_.end() || !found->second.open_at_broker) return;
    found->second.incoming.push_back(std::move(*sent));
    read(id);
  });
}

void Broker::read(std::uint64_t id) {
  const auto at = connections_.find(id);
  if (at == connections_.end()) return;
  Connection& connection = at->second;
  if (connection.lane >= lanes_.size() || !lanes_[connection.lane].shard) return;
  node::Shard& shard = *lanes_[connection.lane].shard;
  while (!connection.incoming.empty()) {
    const MutableBytes space = shard.receive_space(ConnectionId{id});
    if (space.empty()) break;
    Buffer& front = connection.incoming.front();
    const std::size_t left = front.size() - connection.incoming_offset;
    const std::size_t most = std::min(left, space.size());
    const std::size_t size = 1 + agenda_.random().below(most);
    std::memcpy(space.data(), front.data() + connection.incoming_offset, size);
    digest_.add(Bytes(space.first(size)));
    connection.incoming_offset += size;
    if (connection.incoming_offset == front.size()) {
      connection.incoming.pop_front();
      connection.incoming_offset = 0;
    }
    shard.received(ConnectionId{id}, size, agenda_.both());
  }
  ask_turn(connection.lane);
}

void Broker::flush(std::uint64_t id) {
  const auto at = connections_.find(id);
  if (at == connections_.end() || !at->second.open_at_broker) return;
  Connection& connection = at->second;
  node::Shard& shard = *lanes_[connection.lane].shard;
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
    const auto delay = static_cast<std::int64_t>(
        agenda_.random().below(static_cast<std::uint64_t>(kNetworkDelayMax.nanoseconds)));
    connection.last_departure = std::max(connection.last_departure, agenda_.now() + Duration{delay});
    auto sent = std::make_shared<Buffer>(std::move(flat));
    agenda_.at(connection.last_departure, [this, id, sent] {
      const auto found = connections_.find(id);
      if (found != connections_.end() && found->second.wire != nullptr)
        found->second.wire->bytes_arrived(*sent);
    });
  }
  ask_turn(connection.lane);
}

void Broker::close_at_broker(std::uint64_t id) {
  const auto at = connections_.find(id);
  if (at == connections_.end()) return;
  at->second.open_at_broker = false;
  agenda_.at(std::max(agenda_.now(), at->second.last_departure), [this, id] {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    Wire* wire = found->second.wire;
    connections_.erase(found);
    if (wire != nullptr) wire->closed();
  });
}

void Broker::disconnect(std::uint64_t id) {
  const auto at = connections_.find(id);
  if (at == connections_.end()) return;
  if (at->second.open_at_broker && at->second.lane < lanes_.size()) {
    lanes_[at->second.lane].shard->disconnected(ConnectionId{id});
    ask_turn(at->second.lane);
  }
  connections_.erase(at);
}

}  // namespace tailwater::sim
