// Goal: compaction keeps to its bound of bytes per second, which halves when the journal's slowest writes
// take twice their usual time and comes back afterwards. Method: made-up write times, window by window.
#include "core/log/compaction_pace.hpp"

#include <gtest/gtest.h>

namespace tailwater::log {
namespace {

constexpr std::uint64_t kRate = std::uint64_t{64} << 20;

void window(CompactionPace& pace, std::int64_t us, std::int64_t slowest_us) {
  for (std::size_t write = 0; write < CompactionPace::kWindow; ++write) {
    pace.journal_written(Duration::from_us(write < 4 ? slowest_us : us));
  }
}

TEST(CompactionPace, bytes_take_their_time) {
  CompactionPace pace(kRate);
  const Instant now{5'000'000'000};
  EXPECT_LE(pace.ready_at(), now);
  pace.spend(kRate / 4, now);
  EXPECT_EQ(pace.ready_at(), now + Duration::from_ms(250));
  pace.spend(kRate / 4, now);
  EXPECT_EQ(pace.ready_at(), now + Duration::from_ms(500));
  const Instant later = now + Duration::from_ms(9'000);
  pace.spend(kRate, later);
  EXPECT_EQ(pace.ready_at(), later + Duration::from_ms(1'000)) << "time that passed unused is not saved";
}

TEST(CompactionPace, a_journal_twice_as_slow_halves_the_bound) {
  CompactionPace pace(kRate);
  window(pace, 100, 300);
  EXPECT_EQ(pace.bytes_per_second(), kRate);
  window(pace, 100, 590);
  EXPECT_EQ(pace.bytes_per_second(), kRate) << "less than twice the usual p99";
  window(pace, 100, 700);
  EXPECT_EQ(pace.bytes_per_second(), kRate / 2);
  window(pace, 100, 700);
  EXPECT_EQ(pace.bytes_per_second(), kRate / 4);
  window(pace, 100, 300);
  EXPECT_EQ(pace.bytes_per_second(), kRate / 4 + kRate / 16);
  for (int count = 0; count < 20; ++count) window(pace, 100, 300);
  EXPECT_EQ(pace.bytes_per_second(), kRate);
}

TEST(CompactionPace, never_stands_still_and_gets_used_to_a_slower_disk) {
  CompactionPace pace(kRate);
  window(pace, 100, 100);
  for (int count = 0; count < 12; ++count) window(pace, 5'000, 5'000);
  EXPECT_GE(pace.bytes_per_second(), CompactionPace::kBytesPerSecondMin);
  EXPECT_LT(pace.bytes_per_second(), kRate / 8);
  for (int count = 0; count < 200; ++count) window(pace, 5'000, 5'000);
  EXPECT_EQ(pace.bytes_per_second(), kRate);
}

}  // namespace
}  // namespace tailwater::log
