// A broker in the simulator: the same shards as in the real one, with a make-believe network, disk and
// metadata store around them. Connections are pairs of byte streams, each first-in first-out, cut and delayed
// at random; mail between shards is delayed, in order for each pair. A stop is a clean one; disk and store
// stay for the next start.
#pragma once

#include <cstdint>
#include <deque>
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

namespace tailwater::sim {

// A client's end of a connection.
class Wire {
 public:
  virtual ~Wire() = default;
  virtual void bytes_arrived(Bytes bytes) = 0;
  virtual void closed() = 0;
};

class Broker {
 public:
  Broker(Agenda& agenda, Digest& digest, Disk& disk, std::uint32_t shards);
  ~Broker();

  void start();
  // Refuses new connections, closes the present ones, stops the shards; then calls `stopped`.
  void stop(std::function<void()> stopped);
  // How many shards the next start makes. REQUIRES: stopped, or never started.
  void set_shards(std::uint32_t shards) { shard_count_ = shards; }
  bool accepting() const { return state_ == State::serving; }

  // A connection of the client `wire`, which outlives it or disconnects; 0 if the broker does not accept.
  std::uint64_t connect(Wire& wire);
  void send(std::uint64_t connection, Buffer bytes);
  void disconnect(std::uint64_t connection);

  std::uint64_t turns() const { return turns_; }
  // Of each shard.
  std::vector<node::MetricsSnapshot> metrics() const;
  // What the broker logged at warning or above.
  const std::vector<std::string>& complaints() const { return complaints_; }

 private:
  enum class State { down, starting, serving, stopping };
  struct Lane {
    std::unique_ptr<node::Shard> shard;
    std::uint64_t disk_user = 0;
    bool turn_asked = false;
    Instant wake_at = Instant::max();
    node::TurnEffects effects;
  };
  struct Connection {
    Wire* wire = nullptr;
    std::uint32_t lane = 0;
    std::deque<Buffer> incoming;  // delivered to the broker's host, not read yet
    std::size_t incoming_offset = 0;
    Instant last_arrival;    // of bytes to the broker; later ones arrive later
    Instant last_departure;  // of bytes to the client
    bool open_at_broker = false;
  };

  node::ShardOptions options_of(std::uint32_t index, const cluster::ImageHandle& image);
  void redistribute(const cluster::ImageHandle& image);
  void step_redistribution(const cluster::ImageHandle& image);
  void start_lanes(const cluster::ImageHandle& image);
  void make_lane(std::uint32_t index, const cluster::ImageHandle& image);
  cluster::ImageHandle load_image();
  void ask_turn(std::uint32_t lane);
  void turn(std::uint32_t lane);
  void carry_out(std::uint32_t lane);
  void read(std::uint64_t id);
  void flush(std::uint64_t id);
  void close_at_broker(std::uint64_t id);
  void check_state();

  Agenda& agenda_;
  Digest& digest_;
  Disk& disk_;
  std::uint32_t shard_count_;
  cluster::MemoryMetadataStore store_;
  State state_ = State::down;
  std::uint64_t generation_ = 0;  // of the present start: what earlier ones still had in flight is void
  std::unique_ptr<log::Redistribution> redistribution_;  // before the lanes
  std::uint64_t redistribution_user_ = 0;
  std::vector<Lane> lanes_;
  std::map<std::uint64_t, Connection> connections_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, Instant> last_mail_;
  std::uint64_t next_connection_ = 1;
  std::uint64_t turns_ = 0;
  std::function<void()> when_stopped_;
  std::vector<std::string> complaints_;
};

}  // namespace tailwater::sim
