#include "apps/cli/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <string_view>

namespace tailwater::apps::cli {

namespace {

constexpr std::chrono::milliseconds kDelay{1000};
constexpr std::chrono::milliseconds kInterval{200};
constexpr std::uint32_t kCallsPerLook = 256;  // the clock is not asked at every call

}  // namespace

Progress::Progress()
    : begun_(std::chrono::steady_clock::now()), shown_(begun_), terminal_(::isatty(STDERR_FILENO) != 0) {}

void Progress::show(std::int64_t records, std::int64_t bytes) {
  if (!terminal_ || ++calls_ % kCallsPerLook != 0) return;
  const auto now = std::chrono::steady_clock::now();
  if (now - begun_ < kDelay || now - shown_ < kInterval) return;
  shown_ = now;
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now - begun_).count();
  fmt::print(stderr, "\r{} records, {}, {} a second\x1b[K", grouped(records), size_text(bytes),
             grouped(records * 1000 / ms));
  std::fflush(stderr);
  visible_ = true;
}

void Progress::clear() {
  if (!visible_) return;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
  visible_ = false;
}

std::string grouped(std::int64_t number) {
  std::string digits = std::to_string(number);
  const std::size_t first = number < 0 ? 1 : 0;
  for (std::size_t at = digits.size(); at > first + 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

std::string size_text(std::int64_t bytes) {
  static constexpr std::array<std::string_view, 4> kUnits = {"KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return fmt::format("{} {}", bytes, bytes == 1 ? "byte" : "bytes");
  std::int64_t tenths = bytes * 10 / 1024;
  std::size_t unit = 0;
  while (tenths >= 10'240 && unit + 1 < kUnits.size()) {
    tenths /= 1024;
    ++unit;
  }
  return fmt::format("{}.{} {}", tenths / 10, tenths % 10, kUnits[unit]);
}

}  // namespace tailwater::apps::cli
