#include "core/log/compaction_pace.hpp"

namespace tailwater::log {

namespace {

// A disk that has become slower for good is got used to within this many windows.
constexpr std::int64_t kForgetting = 32;

}  // namespace

void CompactionPace::journal_written(Duration time) {
  window_[filled_++] = time.nanoseconds;
  if (filled_ < kWindow) return;
  filled_ = 0;
  const auto p99 = window_.end() - 2;
  std::nth_element(window_.begin(), p99, window_.end());
  if (usual_p99_ == 0 || *p99 < usual_p99_) usual_p99_ = std::max<std::int64_t>(*p99, 1);
  if (*p99 / 2 >= usual_p99_) {
    bytes_per_second_ = std::max(bytes_per_second_ / 2, kBytesPerSecondMin);
  } else {
    bytes_per_second_ = std::min(bytes_per_second_ + bytes_per_second_ / 4, bytes_per_second_max_);
  }
  usual_p99_ += (*p99 - usual_p99_) / kForgetting;
}

void CompactionPace::spend(std::uint64_t bytes, Instant now) {
  constexpr std::uint64_t kNanosecondsPerSecond = 1'000'000'000;
  const std::uint64_t time = bytes * kNanosecondsPerSecond / bytes_per_second_;
  ready_at_ = std::max(ready_at_, now) + Duration::from_ns(static_cast<std::int64_t>(time));
}

}  // namespace tailwater::log
