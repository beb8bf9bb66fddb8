#include "shell/broker/broker.hpp"

#include <fmt/format.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <thread>
#include <utility>

#include "base/prng.hpp"
#include "core/cluster/metadata_start.hpp"
#include "shell/broker/admin_port.hpp"
#include "shell/broker/meta_properties.hpp"
#include "shell/broker/metadata_place.hpp"
#include "shell/broker/redistribute.hpp"
#include "shell/broker/store_thread.hpp"
#include "shell/metadata_store_sqlite/sqlite_metadata_store.hpp"
#include "shell/net/acceptor.hpp"
#include "shell/net/clock.hpp"
#include "shell/net/connection_limits.hpp"
#include "shell/net/shard_loop.hpp"
#include "shell/system/boot_id.hpp"
#include "shell/system/descriptor_limit.hpp"
#include "shell/system/memory.hpp"

namespace tailwater::shell {

namespace {

constexpr std::uint64_t kRecycleShare = 32;
constexpr std::uint64_t kRecycleMost = std::uint64_t{16} << 30;

// Kafka's default of 50 refuses the storm of connections that follows a restart.
constexpr std::int32_t kBacklogMin = 1024;
// A loop turns twice a second when nothing happens; one that did not for this long is stuck.
constexpr Duration kStuck = Duration::from_ms(10'000);

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  if (::getrandom(&seed, sizeof seed, 0) != sizeof seed) {
    seed = static_cast<std::uint64_t>(read_clocks().monotonic.nanoseconds) ^
           static_cast<std::uint64_t>(::getpid());
  }
  return seed;
}

// What other machines may call this one.
std::string machine_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == 0) return "localhost";
  return name.data();
}

ConnectionLimitValues limit_values(const cluster::BrokerConfig& config, std::size_t descriptors) {
  return {std::min(config.max_connections, static_cast<std::int64_t>(descriptors)),
          config.max_connections_per_ip, config.max_connections_per_ip_overrides};
}

Result<MemoryShare> memory_of(const BrokerSettings& settings) {
  const std::int32_t shards = settings.shards > 0 ? settings.shards : settings.config.shards;
  return share_memory(
      {.shards = static_cast<std::uint32_t>(std::max(shards, 0)),
       .bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(settings.config.memory_bytes, 0)),
       .cores = std::thread::hardware_concurrency(),
       .limit = memory_limit(),
       .available = available_memory()});
}

// Who says so names the directory before it.
std::string without_name(std::string message, const std::string& path) {
  const std::string name = "log directory " + path + ": ";
  return message.starts_with(name) ? message.substr(name.size()) : message;
}

Duration idle_max(const cluster::BrokerConfig& config) {
  return config.connections_max_idle_ms < 0 ? Duration::max()
                                            : Duration::from_ms(config.connections_max_idle_ms);
}

}  // namespace

std::string_view to_string(BrokerState state) {
  switch (state) {
    case BrokerState::recovering:
      return "recovering";
    case BrokerState::serving:
      return "serving";
    case BrokerState::failed:
      return "failed";
    case BrokerState::stopping:
      return "stopping";
    case BrokerState::stopped:
      return "stopped";
  }
  return "unknown";
}

Broker::Broker(BrokerSettings settings, MemoryShare memory, Log& log)
    : settings_(std::move(settings)),
      log_(log),
      started_ns_(read_clocks().monotonic.nanoseconds),
      shard_count_(memory.shards),
      memory_budget_(memory.bytes),
      descriptor_limit_(raise_descriptor_limit()),
      descriptors_(share_descriptors(descriptor_limit_, shard_count_)),
      seed_(random_seed()),
      limits_(std::make_unique<ConnectionLimits>(limit_values(settings_.config, descriptors_.connections))) {
  if (descriptor_limit_ >= kAdvisedDescriptorLimit) return;
  log_.warning("broker", "the limit of open files is low; raise it (ulimit -Hn, LimitNOFILE of systemd)",
               {{"limit", fmt::format("{}", descriptor_limit_)},
                {"advised", fmt::format("{}", kAdvisedDescriptorLimit)},
                {"connections_at_most", fmt::format("{}", descriptors_.connections)},
                {"files_per_shard", fmt::format("{}", descriptors_.files_per_shard)}});
}

Broker::~Broker() {
  stop(Duration::from_ms(10'000));
}

Result<std::unique_ptr<Broker>> Broker::open(BrokerSettings settings, Log& log) {
  const auto memory = memory_of(settings);
  if (!memory) return std::unexpected(memory.error());
  std::unique_ptr<Broker> broker(new Broker(std::move(settings), *memory, log));
  for (const auto step : {&Broker::prepare_directories, &Broker::bind_listeners, &Broker::prepare_metadata,
                          &Broker::make_shards, &Broker::start_admin_port}) {
    if (auto done = (broker.get()->*step)(); !done) return std::unexpected(done.error());
  }
  broker->start();
  return broker;
}

// A directory that cannot be used is offline, as one that fails later: the others serve without it. One that another
// process uses is a mistake of the configuration.
Result<void> Broker::prepare_directories() {
  const std::vector<std::string>& paths = settings_.config.log_dirs;
  UnusableDirectories unusable;
  for (std::size_t index = 0; index < paths.size(); ++index) {
    auto directory = LogDirectory::prepare(DirId{static_cast<std::uint32_t>(index)}, paths[index]);
    if (!directory && directory.error().code == Errc::busy) return std::unexpected(directory.error());
    if (!directory) {
      unusable.emplace(index, directory.error());
      continue;
    }
    for (const std::string& warning : directory->traits().warnings) log_.warning("disk", warning);
    directories_.push_back(std::move(*directory));
  }
  // Before anything is written: a folder may be the empty mount point of a disk.
  const auto metadata = find_metadata(paths, unusable);
  if (!metadata) return std::unexpected(metadata.error());
  metadata_directory_ = *metadata;
  Prng random(random_seed());
  auto identity = identify_directories(
      paths, {BrokerId{settings_.config.broker_id}, settings_.cluster_id, [&] { return random.uuid(); }},
      unusable);
  if (!identity) return std::unexpected(identity.error());
  if (const auto why = unusable.find(metadata_directory_); why != unusable.end()) {
    return fail(why->second.code, fmt::format("{}; the broker's metadata are in that directory, so it cannot "
                                              "start without it",
                                              why->second.message));
  }
  cluster_id_ = identity->cluster_id;
  directory_ids_ = identity->directories;
  for (const auto& [index, why] : unusable) {
    const DirId dir{static_cast<std::uint32_t>(index)};
    unusable_.emplace(dir, without_name(why.message, paths[index]));
    std::erase_if(directories_, [&](const LogDirectory& directory) { return directory.root().dir == dir; });
  }
  return {};
}

Result<void> Broker::bind_listeners() {
  const cluster::BrokerConfig& config = settings_.config;
  ListenOptions options;
  std::vector<BoundListener> bound;
  for (std::size_t index = 0; index < config.listeners.size(); ++index) {
    const cluster::ListenerConfig& listener = config.listeners[index];
    if (listener.protocol != cluster::SecurityProtocol::plaintext) {
      return fail(Errc::unsupported,
                  fmt::format("listener {} wants {}, which this version does not speak yet", listener.name,
                              to_string(listener.protocol)));
    }
    auto sockets = bind_to(listener.host, listener.port, options);
    if (!sockets) return std::unexpected(sockets.error());
    const ListenerId id{static_cast<std::uint32_t>(index)};
    ServedListener served{listener.name,
                          join_host_port(listener.host.empty() ? "0.0.0.0" : listener.host, sockets->port),
                          "", sockets->port};
    for (const cluster::ListenerConfig& advertised : config.advertised_listeners) {
      if (advertised.name != listener.name) continue;
      const std::string host = advertised.host.empty() ? machine_name() : advertised.host;
      const std::uint16_t port = advertised.port == 0 ? sockets->port : advertised.port;
      served.advertised = join_host_port(host, port);
      advertised_.push_back({id, listener.name, host, port});
    }
    served_.push_back(std::move(served));
    bound.push_back({id, listener.name, std::move(*sockets)});
  }
  acceptor_ = std::make_unique<Acceptor>(std::move(bound), *limits_, log_,
                                         [this](std::uint64_t turn, AcceptedSocket socket) {
                                           shards_[turn % shards_.size()]->adopt(std::move(socket));
                                         });
  return {};
}

Result<void> Broker::prepare_metadata() {
  if (!settings_.config.zookeeper_connect.empty()) {
    return fail(Errc::unsupported,
                "zookeeper.connect is set, but this version runs single brokers only; leave it out for one");
  }
  auto store = SqliteMetadataStore::open(settings_.config.log_dirs.at(metadata_directory_));
  if (!store) return std::unexpected(store.error());
  store_ = std::move(*store);

  Prng random(random_seed());
  cluster::MetadataStart start;
  start.cluster_id = cluster_id_;
  start.config = settings_.config;
  start.seed = random.next();
  start.registration.broker = BrokerId{settings_.config.broker_id};
  start.registration.incarnation = random.uuid();
  start.registration.rack = settings_.config.rack;
  start.registration.log_dirs = directory_ids_;
  for (const node::AdvertisedListener& listener : advertised_) {
    start.registration.endpoints.push_back({listener.name, listener.host, listener.port, 0});
  }
  auto image = cluster::start_metadata(*store_, start);
  if (!image) return std::unexpected(image.error());
  image_ = std::move(*image);
  limits_->configure(limit_values(
      cluster::effective_broker_config(settings_.config, *image_, BrokerId{settings_.config.broker_id}),
      descriptors_.connections));
  return {};
}

node::ShardOptions Broker::shard_options(std::uint32_t shard) {
  node::ShardOptions options;
  options.shard = ShardId{shard};
  options.shards = shard_count_;
  options.broker = BrokerId{settings_.config.broker_id};
  options.cluster_id = cluster_id_;
  options.rack = settings_.config.rack.value_or("");
  options.listeners = advertised_;
  options.log_dirs = settings_.config.log_dirs;
  options.unusable_dirs = unusable_;
  options.config = settings_.config;
  options.memory_budget = memory_budget_ / shard_count_;
  options.files_max = static_cast<std::uint32_t>(descriptors_.files_per_shard);
  options.seed = seed_ + shard * 0x9e3779b97f4a7c15ULL;
  options.boot_id = boot_id();
  return options;
}

DiskOptions Broker::disk_options(DiskEngineKind engine) const {
  DiskOptions options;
  options.engine = engine;
  options.descriptors_max = descriptors_.files_per_shard;
  for (const LogDirectory& directory : directories_) options.roots.push_back(directory.root());
  return options;
}

// How much of removed segments is kept for new ones: a small part of the disk, and enough for logs that roll at about
// the same time.
void Broker::choose_recycle_bytes() {
  if (settings_.config.recycle_bytes >= 0 || directories_.empty()) return;
  std::uint64_t smallest = UINT64_MAX;
  for (const LogDirectory& directory : directories_)
    smallest = std::min(smallest, directory.file_system_bytes());
  settings_.config.recycle_bytes =
      static_cast<std::int64_t>(std::min(smallest / kRecycleShare, kRecycleMost));
}

Result<void> Broker::make_shards() {
  choose_recycle_bytes();
  const EngineChoice engine = choose_engine(settings_.engine);
  if (!engine.reason.empty()) log_.info("disk", "io_uring is not used", {{"reason", engine.reason}});
  if (auto ready = redistribute(shard_options(0), disk_options(engine.kind), log_); !ready) return ready;
  for (std::uint32_t shard = 0; shard < shard_count_; ++shard) {
    ShardLoopOptions options;
    options.shard = shard_options(shard);
    options.connections.idle_max = idle_max(settings_.config);
    options.disk = disk_options(engine.kind);
    options.disk.name = fmt::format("{}", shard);
    ShardLoopPorts ports;
    ports.limits = limits_.get();
    ports.phase_changed = [this] { phase_changed(); };
    ports.configured = [this](const cluster::BrokerConfig& config) {
      acceptor_->limit(limit_values(config, descriptors_.connections));
    };
    ports.store = [this](auto&& appends, auto&& snapshots) {
      store_thread_->put(std::move(appends), std::move(snapshots));
    };
    shards_.push_back(std::make_unique<ShardLoop>(std::move(options), image_, std::move(ports), log_));
  }
  store_thread_ = std::make_unique<StoreThread>(
      *store_, log_, [this](cluster::StoreToken token, cluster::StoreOutcome outcome) {
        shards_[0]->post([token, outcome = std::move(outcome)](node::Shard& shard, Now now) mutable {
          shard.stored(token, std::move(outcome), now);
        });
      });
  return {};
}

Result<void> Broker::start_admin_port() {
  if (settings_.config.admin_listener.empty()) return {};
  admin_ = std::make_unique<AdminPort>(*this, log_);
  return admin_->start(settings_.config.admin_listener);
}

void Broker::start() {
  std::vector<ShardLoop*> peers;
  for (const auto& shard : shards_) peers.push_back(shard.get());
  for (const auto& shard : shards_) shard->set_peers(peers);
  for (const auto& shard : shards_) shard->start();
}

// On the thread of a shard. The last shard that is ready opens the door.
void Broker::phase_changed() {
  std::unique_lock lock(mutex_);
  changed_.notify_all();
  if (state_ != BrokerState::recovering) return;
  for (const auto& shard : shards_) {
    if (shard->phase() != ShardPhase::failed) continue;
    failure_ = shard->failure();
    set_state(BrokerState::failed, lock);
    return;
  }
  const auto is_ready = [](const auto& shard) { return shard->phase() == ShardPhase::ready; };
  if (!std::all_of(shards_.begin(), shards_.end(), is_ready)) return;
  if (auto opened = acceptor_->start(std::max(settings_.config.socket_listen_backlog, kBacklogMin));
      !opened) {
    failure_ = opened.error().message;
    set_state(BrokerState::failed, lock);
    return;
  }
  set_state(BrokerState::serving, lock);
}

void Broker::set_state(BrokerState state, std::unique_lock<std::mutex>& lock) {
  state_ = state;
  const std::function<void(BrokerState)> callback = callback_;
  changed_.notify_all();
  if (!callback) return;
  lock.unlock();
  callback(state);
  lock.lock();
}

BrokerState Broker::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

BrokerState Broker::wait_while(BrokerState state, Duration limit) const {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::nanoseconds(limit.nanoseconds), [&] { return state_ != state; });
  return state_;
}

void Broker::on_state_change(std::function<void(BrokerState)> callback) {
  const std::lock_guard lock(mutex_);
  callback_ = std::move(callback);
}

bool Broker::is_turning() const {
  const auto turns = [](const auto& shard) { return shard->since_turn() < kStuck; };
  return std::all_of(shards_.begin(), shards_.end(), turns);
}

std::string Broker::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

bool Broker::stop(Duration limit) {
  const std::lock_guard stopping(stop_mutex_);
  if (stop_outcome_) return *stop_outcome_;
  std::unique_lock lock(mutex_);
  set_state(BrokerState::stopping, lock);
  lock.unlock();
  if (acceptor_) acceptor_->stop();
  for (const auto& shard : shards_) {
    if (shard->phase() != ShardPhase::made) shard->request_stop();
  }
  lock.lock();
  const auto is_stopped = [](const auto& shard) {
    return shard->phase() == ShardPhase::stopped || shard->phase() == ShardPhase::made;
  };
  const bool in_order = changed_.wait_for(lock, std::chrono::nanoseconds(limit.nanoseconds), [&] {
    return std::all_of(shards_.begin(), shards_.end(), is_stopped);
  });
  lock.unlock();
  if (!in_order) log_.warning("broker", "shards did not stop in time: the next start recovers their logs");
  for (const auto& shard : shards_) shard->abandon();
  for (const auto& shard : shards_) shard->join();
  if (store_thread_) store_thread_->stop();
  if (admin_) admin_->stop();
  lock.lock();
  set_state(BrokerState::stopped, lock);
  stop_outcome_ = in_order;
  return in_order;
}

void Broker::reload(const cluster::BrokerConfig& config) {
  for (const auto& shard : shards_) {
    shard->set_idle_max(idle_max(config));
    shard->post([config](node::Shard& running, Now now) { running.reload(config, now); });
  }
}

std::string Broker::admin_address() const {
  return admin_ ? admin_->address() : std::string();
}

std::uint32_t Broker::shards() const {
  return static_cast<std::uint32_t>(shards_.size());
}

std::vector<std::string> Broker::directory_descriptions() const {
  std::vector<std::string> lines;
  for (const LogDirectory& directory : directories_) lines.push_back(directory.description());
  return lines;
}

}  // namespace tailwater::shell
