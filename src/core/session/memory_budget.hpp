// One shard's memory for requests, as a number that is reserved before memory is taken.
// GUARANTEES: granted as long as less than the limit is used, so that every frame gets through, also one that is larger
// than what is free, and beyond the limit there is one of them at most, and what was forced. What many may bring at once
// and what may wait for long gets no more than seven eighths: the last one is for heartbeats, fetches, offsets and
// administration.
#pragma once

#include <cstdint>

#include "base/check.hpp"

namespace tailwater::session {

enum class Need : std::uint8_t { little, bulk };

class MemoryBudget {
 public:
  explicit MemoryBudget(std::uint64_t limit) : limit_(limit) {}

  bool grants(Need need) const { return used_ < (need == Need::bulk ? limit_ - limit_ / 8 : limit_); }
  bool try_reserve(std::uint64_t bytes, Need need) {
    if (!grants(need)) return false;
    used_ += bytes;
    return true;
  }
  // For bytes that have already arrived and cannot be refused any more.
  void force_reserve(std::uint64_t bytes) { used_ += bytes; }

  void release(std::uint64_t bytes) {
    CHECK(bytes <= used_);
    used_ -= bytes;
  }

  std::uint64_t used() const { return used_; }
  std::uint64_t limit() const { return limit_; }

 private:
  std::uint64_t limit_;
  std::uint64_t used_ = 0;
};

}  // namespace tailwater::session
