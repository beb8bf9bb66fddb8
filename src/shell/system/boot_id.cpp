#include "shell/system/boot_id.hpp"

#include "shell/system/kernel_file.hpp"

namespace tailwater::shell {

Uuid parse_boot_id(const std::string& text) {
  constexpr std::size_t digits_wanted = 32;
  std::uint64_t halves[2] = {0, 0};
  std::size_t digits = 0;
  for (const char letter : text) {
    if (letter == '-' || letter == '\n') continue;
    std::uint64_t digit = 0;
    if (letter >= '0' && letter <= '9') {
      digit = static_cast<std::uint64_t>(letter - '0');
    } else if (letter >= 'a' && letter <= 'f') {
      digit = static_cast<std::uint64_t>(letter - 'a' + 10);
    } else {
      return {};
    }
    if (digits == digits_wanted) return {};
    std::uint64_t& half = halves[digits++ / 16];
    half = half * 16 + digit;
  }
  return digits == digits_wanted ? Uuid{halves[0], halves[1]} : Uuid{};
}

Uuid boot_id() {
  return parse_boot_id(read_kernel_file("/proc/sys/kernel/random/boot_id"));
}

}  // namespace tailwater::shell
