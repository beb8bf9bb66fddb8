// A broker in the simulator: the same shards as in the real one, with a make-believe network, disk and
// metadata store around them. Mail between shards is delayed, in order for each pair. It stops in peace or
// dies at any moment; disk and store stay for the next start.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/cluster/memory_metadata_store.hpp"
#include "node/metrics.hpp"
#include "node/shard.hpp"
#include "node/storage_options.hpp"
#include "sim/agenda.hpp"
#include "sim/digest.hpp"
#include "sim/disk.hpp"
#include "sim/network.hpp"

namespace tailwater::sim {

struct BrokerSetup {
  std::uint32_t shards = 1;
  std::uint64_t memory_bytes = std::uint64_t{96} << 20;  // of each shard
  std::vector<std::string> log_dirs = {"d"};
  Duration mail_delay_max = Duration::from_us(30);
  cluster::ConfigValues settings = {};  // beside those that every simulated broker has
};

enum class Death : std::uint8_t {
  process,  // the machine lives on
  machine,
};

class Broker : private Host {
 public:
  Broker(Agenda& agenda, Digest& digest, Disk& disk, BrokerSetup setup);
  Broker(Agenda& agenda, Digest& digest, Disk& disk, std::uint32_t shards)
      : Broker(agenda, digest, disk, BrokerSetup{.shards = shards}) {}
  ~Broker() override;

  void start();
  // Refuses new connections, closes the present ones, stops the shards; then calls `stopped`. Whole: no log
  // directory has failed, not even on the way.
  using Stopped = std::function<void(bool whole)>;
  void stop(Stopped stopped);
  // At once, in whatever it is about.
  void die(Death death);
  // Takes no turn before then, as if the process were stopped.
  void pause_until(Instant until) { paused_until_ = until; }
  // The metadata store answers nothing before then.
  void hang_store_until(Instant until) { last_store_ = std::max(last_store_, until); }
  // How many shards the next start makes. REQUIRES: stopped, or never started.
  void set_shards(std::uint32_t shards) { setup_.shards = shards; }
  // The directories that the next start finds; those that come first stay the same. REQUIRES: as above.
  void set_log_dirs(std::vector<std::string> dirs) { setup_.log_dirs = std::move(dirs); }

  std::uint32_t shards() const { return setup_.shards; }
  bool accepting() const { return state_ == State::serving; }
  bool running() const { return state_ != State::down; }
  bool starting() const { return state_ == State::starting; }
  // Instant::max() if it does not serve.
  Instant serving_since() const { return accepting() ? serving_since_ : Instant::max(); }
  // Why it cannot serve: a log directory is offline; empty if all is well.
  std::string failure() const;

  Network& network() { return network_; }
  const Network& network() const { return network_; }
  std::uint64_t connect(Wire& wire) { return network_.connect(wire); }
  void send(std::uint64_t connection, Buffer bytes) { network_.send(connection, std::move(bytes)); }
  void disconnect(std::uint64_t connection) { network_.disconnect(connection); }

  std::uint64_t turns() const { return turns_; }
  // Of each shard.
  std::vector<node::MetricsSnapshot> metrics() const;
  // What the broker logged at warning or above since its start.
  const std::vector<std::string>& complaints() const { return complaints_; }
  // Of all shards together: connections, and memory that requests and answers hold.
  std::uint64_t connections_held() const;
  std::uint64_t memory_held() const;
  // And: reads whose bytes are kept for answers, and fetches that wait.
  std::uint64_t reads_held() const;
  std::uint64_t fetches_held() const;

 private:
  enum class State { down, starting, serving, stopping };
  struct Lane {
    std::unique_ptr<node::Shard> shard;
    std::uint64_t disk_user = 0;
    bool turn_asked = false;
    Instant wake_at = Instant::max();
    node::TurnEffects effects;
  };

  std::uint64_t sum(std::uint64_t node::MetricsSnapshot::* counter) const;
  void opened(std::uint64_t connection) override;
  void readable(std::uint64_t connection) override;
  void broken(std::uint64_t connection) override;

  node::ShardOptions options_of(std::uint32_t index, const cluster::ImageHandle& image);
  void redistribute(const cluster::ImageHandle& image);
  void step_redistribution(const cluster::ImageHandle& image);
  void start_lanes(const cluster::ImageHandle& image);
  void make_lane(std::uint32_t index, const cluster::ImageHandle& image);
  cluster::BrokerConfig configuration() const;
  cluster::ImageHandle load_image();
  void clear();
  void ask_turn(std::uint32_t lane);
  void turn(std::uint32_t lane);
  void carry_out(std::uint32_t lane);
  void post(std::uint32_t from, node::Envelope envelope);
  void store(std::uint32_t lane, cluster::StoreAppend append);
  void flush(std::uint64_t connection);
  void close(std::uint64_t connection);
  void check_state();

  Agenda& agenda_;
  Digest& digest_;
  Disk& disk_;
  BrokerSetup setup_;
  Network network_;
  cluster::MemoryMetadataStore store_;
  State state_ = State::down;
  std::uint64_t generation_ = 0;  // of the present start: what earlier ones still had in flight is void
  std::unique_ptr<log::Redistribution> redistribution_;  // before the lanes
  std::uint64_t redistribution_user_ = 0;
  Instant redistribution_at_ = Instant::max();  // its next turn
  std::vector<Lane> lanes_;
  std::map<std::uint64_t, std::uint32_t> lane_of_;  // by connection
  std::map<std::pair<std::uint32_t, std::uint32_t>, Instant> last_mail_;
  Instant last_store_;
  std::uint64_t late_stores_ = 0;  // appends to the store that wait
  Instant paused_until_;
  Instant serving_since_;
  std::uint64_t turns_ = 0;
  Stopped when_stopped_;
  std::vector<std::string> complaints_;
};

}  // namespace tailwater::sim
