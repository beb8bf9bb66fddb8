// How often a shard asked the kernel for something, by the call: its loop, and the threads that wake it or
// work on files for it.
#pragma once

#include <cstdint>

namespace tailwater::shell {

struct SystemCalls {
  std::uint64_t epoll_wait = 0;
  std::uint64_t epoll_ctl = 0;
  std::uint64_t recv = 0;
  std::uint64_t sendmsg = 0;
  std::uint64_t eventfd = 0;  // another thread wakes the loop
  std::uint64_t io_uring_enter = 0;
  std::uint64_t disk_threads = 0;  // reads, writes and syncs that are not the ring's
};

}  // namespace tailwater::shell
