// How many lines somebody may write: a burst, then so many a second. What is refused is counted, and reported
// at most once a second. Pure: time is handed in.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.hpp"

namespace tailwater::shell {

class LogAllowance {
 public:
  static constexpr std::int64_t kBurst = 500;
  static constexpr std::int64_t kPerSecond = 10;

  void refill(Instant now) {
    constexpr std::int64_t kSecond = 1'000'000'000;
    if (now.nanoseconds - last_.nanoseconds < kSecond) return;
    const std::int64_t seconds = std::min((now.nanoseconds - last_.nanoseconds) / kSecond, kBurst);
    left_ = std::min(left_ + seconds * kPerSecond, kBurst);
    last_ = now;
    report_due_ = true;
  }

  bool take() {
    if (left_ > 0) {
      --left_;
      return true;
    }
    ++refused_;
    return false;
  }

  // Refused lines to report now; 0: none, or reported less than a second ago.
  std::uint64_t take_refused() {
    if (!report_due_ || refused_ == 0) return 0;
    report_due_ = false;
    const std::uint64_t refused = refused_;
    refused_ = 0;
    return refused;
  }

 private:
  Instant last_;
  std::int64_t left_ = kBurst;
  std::uint64_t refused_ = 0;
  bool report_due_ = true;
};

}  // namespace tailwater::shell
