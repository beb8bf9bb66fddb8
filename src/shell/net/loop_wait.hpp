// Where a shard's thread sleeps: a Boost.Asio io_context with one descriptor in it, the shard's poller.
// Whatever else needs Asio on that thread lives in the same context and runs between turns. Asio stays out of
// this header.
#pragma once

#include <cstdint>
#include <memory>

#include "base/time.hpp"

namespace tailwater::shell {

class LoopWait {
 public:
  // `descriptor` stays the caller's and open.
  explicit LoopWait(int descriptor);
  ~LoopWait();

  // Returns when the descriptor is readable, a handler of the context ran, or the time is over.
  void wait(Duration limit);
  // Runs handlers that are ready, without waiting.
  void poll();

  // How often the kernel was asked what is ready, and told what to look for.
  std::uint64_t waits() const;
  std::uint64_t changes() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace tailwater::shell
