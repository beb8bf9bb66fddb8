// What other threads hand to a shard's thread: mail of other shards, accepted sockets, and tasks. Locked for
// the length of a swap; one wake-up for all that gathers until the shard looks. GUARANTEES: mail from one
// sender is taken in the order in which it was put.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "node/ports.hpp"
#include "shell/disk/wake.hpp"
#include "shell/net/accepted_socket.hpp"

namespace tailwater::node {
class Shard;
}

namespace tailwater::shell {

using ShardTask = std::move_only_function<void(node::Shard&, Now)>;

class Inbox {
 public:
  struct Contents {
    std::vector<node::Envelope> mail;
    std::vector<AcceptedSocket> sockets;
    std::vector<ShardTask> tasks;
  };

  // Changes the contents under the lock, then wakes the shard if it does not know yet.
  template <class Change>
  void put(Change&& change) {
    bool ring = false;
    {
      const std::lock_guard lock(mutex_);
      std::forward<Change>(change)(contents_);
      ring = !waiting_.exchange(true);
    }
    if (ring) wake_.signal();
  }

  // Swaps everything that waits into `into`, which must be empty. False: nothing waits; that costs no lock.
  bool take(Contents& into) {
    if (!waiting_.load()) return false;
    ++wakes_;
    const std::lock_guard lock(mutex_);
    waiting_.store(false);
    std::swap(contents_, into);
    return true;
  }

  // Becomes readable when something waits. Watch its edges: it is never read.
  int descriptor() const { return wake_.get(); }
  // How often the shard found something; each time it was rung for once. For its own thread.
  std::uint64_t wakes() const { return wakes_; }

 private:
  std::mutex mutex_;
  Contents contents_;
  std::atomic<bool> waiting_{false};
  std::uint64_t wakes_ = 0;
  Wake wake_;
};

}  // namespace tailwater::shell
