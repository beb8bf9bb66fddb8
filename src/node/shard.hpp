// One shard of a broker: all connections that it accepted, all partitions, groups and coordinators that live
// on it. A pure machine: single-threaded, no locks, no clock. The shell (or the simulator) feeds inputs in
// any order and then calls turn() once; every wish of the turn is in its TurnEffects.
//
//   inputs   connected, received, sent, disconnected | disk_done | deliver (mail of other shards) | stored |
//   reload turn     steps what is due, forms at most one journal frame per directory, and lists all effects
//
// GUARANTEES: inputs of unknown connections are ignored; no input from a peer makes it crash or allocate
// without bound; no produce is answered before its records are durable.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/disk.hpp"
#include "base/result.hpp"
#include "core/cluster/image.hpp"
#include "core/cluster/metadata_store.hpp"
#include "node/metrics.hpp"
#include "node/options.hpp"
#include "node/ports.hpp"

namespace tailwater::node {

class ShardState;

class Shard {
 public:
  Shard(ShardOptions options, std::shared_ptr<const cluster::MetadataImage> image);
  ~Shard();

  // Begins recovery of the shard's logs; ready() once all directories are recovered (or given up, see
  // failure()).
  void start(Now now);
  bool ready() const;
  // Non-empty when the broker cannot serve at all (every log directory failed at start): one sentence for the
  // user.
  const std::string& failure() const;

  // --- connections
  void connected(ConnectionId connection, ListenerId listener, Peer peer, Now now);
  // Where to read to next; empty: do not read this connection until TurnEffects::resume names it.
  // Read at once and report with received() before asking for another connection: they share the memory.
  MutableBytes receive_space(ConnectionId connection);
  void received(ConnectionId connection, std::size_t bytes, Now now);
  // What to send next, in order: fills `pieces`, returns how many. 0: nothing (any more).
  std::size_t gather(ConnectionId connection, std::span<Bytes> pieces);
  void sent(ConnectionId connection, std::size_t bytes, Now now);
  // The peer closed or the connection broke. After TurnEffects::close it need not be called.
  void disconnected(ConnectionId connection);

  // --- everything else
  void disk_done(DiskDone done, Now now);
  void deliver(Envelope envelope, Now now);
  void stored(cluster::StoreToken token, cluster::StoreOutcome outcome, Now now);
  // Replaces what can be changed while running (SIGHUP).
  void reload(const cluster::BrokerConfig& config, Now now);

  void turn(Now now, TurnEffects& effects);

  // Begins a clean stop: no new requests, logs flushed and ended exactly. Continue with turns until
  // stopped().
  void stop(Now now);
  bool stopped() const;

  // A copy of the counters, for /metrics; call it on the shard's thread.
  MetricsSnapshot metrics() const;

 private:
  std::unique_ptr<ShardState> state_;
};

}  // namespace tailwater::node
