// A histogram of durations with power-of-two buckets, as plain numbers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace tailwater {

// Bucket i counts values in [2^i, 2^(i+1)) microseconds.
struct DurationHistogram {
  std::array<std::uint64_t, 32> buckets{};
  std::uint64_t count = 0;
  std::uint64_t sum_us = 0;

  void add_us(std::uint64_t us) {
    std::size_t bucket = 0;
    while (bucket + 1 < buckets.size() && (us >> (bucket + 1)) != 0) ++bucket;
    ++buckets[bucket];
    ++count;
    sum_us += us;
  }
  void add(const DurationHistogram& more) {
    for (std::size_t bucket = 0; bucket < buckets.size(); ++bucket) buckets[bucket] += more.buckets[bucket];
    count += more.count;
    sum_us += more.sum_us;
  }
};

}  // namespace tailwater
