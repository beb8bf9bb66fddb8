// How fast compaction may read and write: a bound on bytes per second that gives way to the foreground. Every
// write of the journal is told; when the slowest of them (p99 of a window) take twice as long as they are
// used to, the bound halves; while they do not, it comes back by a quarter a window.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/time.hpp"

namespace tailwater::log {

class CompactionPace {
 public:
  explicit CompactionPace(std::uint64_t bytes_per_second)
      : bytes_per_second_max_(std::max<std::uint64_t>(bytes_per_second, kBytesPerSecondMin)),
        bytes_per_second_(bytes_per_second_max_) {}

  // A frame of the journal took so long.
  void journal_written(Duration time);
  // Bytes were read or written: the next ones have to wait until ready_at().
  void spend(std::uint64_t bytes, Instant now);
  Instant ready_at() const { return ready_at_; }
  std::uint64_t bytes_per_second() const { return bytes_per_second_; }

  static constexpr std::size_t kWindow = 128;
  static constexpr std::uint64_t kBytesPerSecondMin = std::uint64_t{1} << 20;

 private:
  std::uint64_t bytes_per_second_max_;
  std::uint64_t bytes_per_second_;
  Instant ready_at_;
  std::array<std::int64_t, kWindow> window_{};
  std::size_t filled_ = 0;
  std::int64_t usual_p99_ = 0;  // 0: not known yet
};

}  // namespace tailwater::log
