// The thread of one shard: gathers what is ready (sockets, mail, disk), lets the shard take a turn, carries
// out what it wishes. It decides nothing; every order that matters is the shard's.
//
//   wait       one call asks what is ready, and sleeps until something is (decision 0014)
//   gather     mail of other shards; disk completions; readable sockets, at most a share each, where much is coming
//              behind a turn for what the disk has finished; time
//   turn       node::Shard::turn
//   carry out  disk first (so that writes start early), then one gathered send per connection, mail with one
//              wake-up per shard, the metadata store, connections to read again or to close
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "core/cluster/image.hpp"
#include "core/cluster/metadata_store.hpp"
#include "node/options.hpp"
#include "node/ports.hpp"
#include "node/shard.hpp"
#include "shell/disk/disk.hpp"
#include "shell/log/allowance.hpp"
#include "shell/log/log.hpp"
#include "shell/net/connection_limits.hpp"
#include "shell/net/connections.hpp"
#include "shell/net/inbox.hpp"
#include "shell/system/kernel_pages.hpp"
#include "shell/system/system_calls.hpp"

namespace tailwater::shell {

enum class ShardPhase : std::uint8_t { made, recovering, ready, failed, stopped };

struct ShardLoopOptions {
  node::ShardOptions shard;
  ConnectionOptions connections;
  DiskOptions disk;
};

struct ShardLoopPorts {
  // Takes the appends and snapshots of a turn, in order; the outcomes come back by post(). Called on the
  // loop's thread.
  std::function<void(std::vector<cluster::StoreAppend>&&, std::vector<cluster::StoreSnapshot>&&)> store;
  // Takes the broker's configuration when it has changed. Called on the loop of shard 0; it must return soon.
  std::function<void(const cluster::BrokerConfig&)> configured;
  std::function<void()> phase_changed;  // called on the loop's thread
  ConnectionLimits* limits = nullptr;
};

struct ShardLoopStats {
  std::int64_t last_turn_ns = 0;  // monotonic; 0: none yet
  std::uint64_t turns = 0;
  std::uint64_t busy_ns = 0;  // not waiting
};

class ShardLoop {
 public:
  // Throws std::system_error if the system gives no descriptors or threads for it.
  ShardLoop(ShardLoopOptions options, cluster::ImageHandle image, ShardLoopPorts ports, Log& log);
  // Stops and waits, without a limit.
  ~ShardLoop();
  ShardLoop(const ShardLoop&) = delete;

  // All loops of the broker by the number of their shard, this one among them. Before start().
  void set_peers(std::vector<ShardLoop*> peers) { peers_ = std::move(peers); }
  void start();

  // From any thread.
  void adopt(AcceptedSocket socket);
  void post(ShardTask task);
  void request_stop();
  void set_idle_max(Duration idle_max) { idle_max_ns_.store(idle_max.nanoseconds); }
  // Ends the thread after its turn, whatever the shard has left to do: as safe as a crash, and as untidy.
  void abandon();
  ShardPhase phase() const { return phase_.load(); }
  std::string failure() const;
  ShardLoopStats stats() const;
  // On the loop's own thread, as in a task.
  SystemCalls system_calls() const;
  // Since the last turn; 0 before the first.
  Duration since_turn() const;
  // Waits for the thread to end. After request_stop() or abandon().
  void join();

 private:
  class Machine;

  void run();
  bool all_stopped() const;
  std::span<const epoll_event> wait();
  int sleep_ms(Instant now) const;
  void gather(std::span<const epoll_event> ready, Now now);
  void take_inbox(Now now);
  void turn(Now now);
  bool carry_out(Now now);
  void send_mail();
  void write_log(Now now);
  void set_phase(ShardPhase phase);
  void observe(Now now);

  const ShardId id_;
  const ShardLoopPorts ports_;
  Log& log_;
  KernelPages pages_;
  node::Shard shard_;
  Disk disk_;
  std::unique_ptr<Machine> machine_;
  Poller poller_;
  Inbox inbox_;
  Connections connections_;
  std::vector<ShardLoop*> peers_;

  Inbox::Contents taken_;
  std::vector<std::vector<node::Envelope>> outgoing_;
  std::vector<DiskDone> disk_done_;
  node::TurnEffects effects_;
  LogAllowance log_allowance_;
  Instant wake_at_ = Instant::max();
  bool unsettled_ = false;  // the last turns left something to do
  bool much_came_ = false;  // from the sockets, the last time
  std::int64_t awake_since_ns_ = 0;

  std::atomic<std::int64_t> idle_max_ns_;
  std::atomic<bool> stop_requested_{false};
  std::atomic<bool> abandoned_{false};
  std::atomic<bool> alone_{false};  // the others may have gone
  bool stopping_ = false;
  std::atomic<ShardPhase> phase_{ShardPhase::made};
  mutable std::mutex failure_mutex_;
  std::string failure_;
  std::atomic<std::int64_t> last_turn_ns_{0};
  std::atomic<std::uint64_t> turns_{0};
  std::atomic<std::uint64_t> busy_ns_{0};
  std::thread thread_;
};

}  // namespace tailwater::shell
