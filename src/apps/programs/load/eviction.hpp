// Keeps what is to be read cold out of the page cache: once at the beginning, and again with each round of
// the reader, in a thread of its own, so that the load does not wait for it. A broker that reads past the
// page cache has nothing there.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

namespace tailwater::load {

// The files of the topic's partitions, whose folders lie anywhere below `root`. Their bytes are on disk
// afterwards and not in the page cache. Gives how many files there were.
std::size_t evict(const std::string& root, const std::string& topic);

class Eviction {
 public:
  // Without a root it does nothing. REQUIRES: `rounds` outlives this.
  Eviction(std::string root, std::string topic, std::atomic<std::uint32_t>& rounds);
  ~Eviction();
  Eviction(const Eviction&) = delete;
  Eviction& operator=(const Eviction&) = delete;

 private:
  std::atomic<std::uint32_t>& rounds_;
  std::atomic<bool> over_ = false;
  std::thread thread_;
};

}  // namespace tailwater::load
