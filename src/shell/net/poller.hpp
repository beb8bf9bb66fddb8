// The readiness of many descriptors (epoll). A poller is used by one thread.
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <span>
#include <vector>

#include "shell/disk/descriptor.hpp"

namespace tailwater::shell {

class Poller {
 public:
  // Throws std::system_error: without it nothing can be served.
  Poller();

  // `events` as epoll(7) has them. False: the kernel refused (errno says why).
  bool add(int descriptor, std::uint32_t events, std::uint64_t key);
  bool change(int descriptor, std::uint32_t events, std::uint64_t key);
  void remove(int descriptor);

  // What is ready, at most 256 at a time; the span lives until the next call. -1 waits without limit.
  std::span<const epoll_event> wait(int timeout_ms);
  // Whether something is ready now; the next wait() gives it.
  bool look();

  std::uint64_t waits() const { return waits_; }
  std::uint64_t changes() const { return changes_; }

 private:
  std::size_t ask(int timeout_ms);
  bool control(int operation, int descriptor, std::uint32_t events, std::uint64_t key);

  Descriptor epoll_;
  std::vector<epoll_event> events_;
  std::size_t seen_ = 0;  // of them, by look()
  std::uint64_t waits_ = 0;
  std::uint64_t changes_ = 0;  // of what is watched
};

}  // namespace tailwater::shell
