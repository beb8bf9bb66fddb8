// When a flush of one file may be believed. The kernel tells of a write-back that failed once through each open
// file description: of flushes that overlap on one, any may be told of it, also one that has nothing to do with
// the bytes, and all others succeed. So the success of a flush counts only when every one that overlapped it has
// ended, and then only if the file has not failed. Numbers of operations are the owner's. Of the shard's thread
// only.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace tailwater::shell {

class FlushOrder {
 public:
  void begin(std::uint64_t number) { flushes_.push_back({number, ++begun_, 0}); }
  void end(std::uint64_t number) {
    const auto found = std::ranges::find(flushes_, number, &Flush::number);
    if (found != flushes_.end()) found->overlaps = begun_;
  }
  // Those that have ended and are not waited for any more, in the order in which they began.
  std::vector<std::uint64_t> take_settled() {
    std::vector<std::uint64_t> settled;
    std::uint64_t running = UINT64_MAX;  // the one that began first
    for (const Flush& flush : flushes_) {
      if (flush.overlaps == 0) running = std::min(running, flush.began);
    }
    std::erase_if(flushes_, [&](const Flush& flush) {
      if (flush.overlaps == 0 || running <= flush.overlaps) return false;
      settled.push_back(flush.number);
      return true;
    });
    return settled;
  }
  bool empty() const { return flushes_.empty(); }

 private:
  struct Flush {
    std::uint64_t number = 0;
    std::uint64_t began = 0;     // as the how manyth
    std::uint64_t overlaps = 0;  // how many had begun when it ended; 0: it runs
  };
  std::vector<Flush> flushes_;
  std::uint64_t begun_ = 0;
};

}  // namespace tailwater::shell
