// A whole broker in this process: log directories, metadata, shards, listeners, admin port. The program
// `tailwater` runs one; tests and applications may run as many as they like, on ports that the system
// chooses.
//
//   open     checks and prepares everything that can fail for reasons of its user, binds all ports, starts
//            the shards
//   serving  begins when all shards have recovered their logs; only then are clients let in
//   stop     closes the door, lets the shards finish and end their logs exactly; what is not done within the
//            limit is left to the next start's recovery, as after a crash
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "core/cluster/config.hpp"
#include "core/cluster/metadata_store.hpp"
#include "node/options.hpp"
#include "shell/broker/memory_share.hpp"
#include "shell/disk/log_directory.hpp"
#include "shell/log/log.hpp"
#include "shell/system/descriptor_limit.hpp"

namespace tailwater::shell {

class Acceptor;
class AdminPort;
class ConnectionLimits;
class ShardLoop;
class StoreThread;

enum class BrokerState : std::uint8_t { recovering, serving, failed, stopping, stopped };
std::string_view to_string(BrokerState state);

struct BrokerSettings {
  cluster::BrokerConfig config;
  std::string cluster_id;  // wished; empty: what the directories say, or a new one
  std::string version;
  std::int32_t shards = 0;  // 0: as configured
  std::optional<DiskEngineKind> engine;
};

// Where clients reach a listener.
struct ServedListener {
  std::string name;
  std::string bound;       // "127.0.0.1:9092", with the real port
  std::string advertised;  // "localhost:9092"
  std::uint16_t port = 0;
};

class Broker {
 public:
  // The error is one sentence for the user. `log` outlives the broker.
  static Result<std::unique_ptr<Broker>> open(BrokerSettings settings, Log& log);
  // Stops with a limit of ten seconds if nobody did.
  ~Broker();

  BrokerState state() const;
  // Waits until the state is another one, or for `limit`; returns the state then.
  BrokerState wait_while(BrokerState state, Duration limit) const;
  // Called after each change of the state, on any thread; it must return soon.
  void on_state_change(std::function<void(BrokerState)> callback);
  // Every shard turned not long ago: the process is alive.
  bool is_turning() const;
  // Why the state is `failed`.
  std::string failure() const;

  // True: everything ended in order. Later calls answer as the first.
  bool stop(Duration limit);
  // What can change while running: limits of connections, topics' defaults and the like.
  void reload(const cluster::BrokerConfig& config);

  const std::vector<ServedListener>& listeners() const { return served_; }
  std::string admin_address() const;  // "127.0.0.1:9644"; empty: none
  const std::string& cluster_id() const { return cluster_id_; }
  std::uint32_t shards() const;
  std::uint64_t memory_budget() const { return memory_budget_; }
  const std::vector<std::string>& directories() const { return settings_.config.log_dirs; }
  std::vector<std::string> directory_descriptions() const;

 private:
  friend class AdminPort;

  Broker(BrokerSettings settings, MemoryShare memory, Log& log);
  Result<void> prepare_directories();
  Result<void> bind_listeners();
  Result<void> prepare_metadata();
  void choose_recycle_bytes();
  Result<void> make_shards();
  Result<void> start_admin_port();
  node::ShardOptions shard_options(std::uint32_t shard);
  DiskOptions disk_options(DiskEngineKind engine) const;
  void start();
  void phase_changed();
  void set_state(BrokerState state, std::unique_lock<std::mutex>& lock);

  BrokerSettings settings_;
  Log& log_;
  std::string cluster_id_;
  std::int64_t started_ns_ = 0;
  std::uint32_t shard_count_ = 1;
  std::uint64_t memory_budget_ = 0;
  std::uint64_t descriptor_limit_;
  DescriptorShares descriptors_;
  std::uint64_t seed_ = 0;
  std::vector<Uuid> directory_ids_;
  std::vector<LogDirectory> directories_;  // those that can be used
  std::map<DirId, std::string> unusable_;  // the others, and why
  std::size_t metadata_directory_ = 0;     // of log.dirs
  std::vector<node::AdvertisedListener> advertised_;
  std::vector<ServedListener> served_;
  cluster::ImageHandle image_;
  std::unique_ptr<cluster::MetadataStore> store_;
  std::unique_ptr<ConnectionLimits> limits_;
  std::unique_ptr<Acceptor> acceptor_;
  std::unique_ptr<StoreThread> store_thread_;
  std::vector<std::unique_ptr<ShardLoop>> shards_;
  std::unique_ptr<AdminPort> admin_;

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  BrokerState state_ = BrokerState::recovering;
  std::string failure_;
  std::function<void(BrokerState)> callback_;
  std::mutex stop_mutex_;
  std::optional<bool> stop_outcome_;
};

}  // namespace tailwater::shell
