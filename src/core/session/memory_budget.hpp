// One shard's memory for requests and responses, as a number that is reserved before memory is taken.
// GUARANTEES: reservations beyond the limit are refused, except forced ones for bytes that have already
// arrived; whoever was refused is told through `waiting` that it should ask again when something was
// released.
#pragma once

#include <cstdint>

#include "base/check.hpp"

namespace tailwater::session {

class MemoryBudget {
 public:
  explicit MemoryBudget(std::uint64_t limit) : limit_(limit) {}

  bool try_reserve(std::uint64_t bytes) {
    if (used_ + bytes > limit_) {
      refused_ = true;
      return false;
    }
    used_ += bytes;
    return true;
  }
  // For bytes that cannot be refused any more; may overdraw, after which try_reserve refuses.
  void force_reserve(std::uint64_t bytes) { used_ += bytes; }

  void release(std::uint64_t bytes) {
    CHECK(bytes <= used_);
    used_ -= bytes;
    released_ = true;
  }

  // True once after a release that follows a refusal: those who wait should ask again.
  bool take_retry() {
    if (!refused_ || !released_) return false;
    refused_ = released_ = false;
    return true;
  }

  bool exhausted() const { return used_ >= limit_; }
  std::uint64_t used() const { return used_; }
  std::uint64_t limit() const { return limit_; }

 private:
  std::uint64_t limit_;
  std::uint64_t used_ = 0;
  bool refused_ = false;
  bool released_ = false;
};

}  // namespace tailwater::session
