// The clocks of this machine as plain values. Only the shell reads them.
#pragma once

#include <time.h>

#include "base/time.hpp"

namespace tailwater::shell {

inline Now read_clocks() {
  timespec monotonic{};
  timespec wall{};
  ::clock_gettime(CLOCK_MONOTONIC, &monotonic);
  ::clock_gettime(CLOCK_REALTIME, &wall);
  return {Instant{std::int64_t{monotonic.tv_sec} * 1'000'000'000 + monotonic.tv_nsec},
          WallTime{std::int64_t{wall.tv_sec} * 1000 + wall.tv_nsec / 1'000'000}};
}

}  // namespace tailwater::shell
