#include "shell/log/check_hook.hpp"

#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <charconv>

#include "base/check.hpp"

namespace tailwater::shell {

namespace {

void report(const char* condition, const char* file, int line) {
  std::array<char, 16> number{};
  const auto end = std::to_chars(number.data(), number.data() + number.size(), line).ptr;
  const auto piece = [](const char* text) { return iovec{const_cast<char*>(text), ::strlen(text)}; };
  const std::array<iovec, 7> pieces = {
      piece("tailwater: CHECK failed: "),
      piece(condition),
      piece(" at "),
      piece(file),
      piece(":"),
      iovec{number.data(), static_cast<std::size_t>(end - number.data())},
      piece("\nThis is a bug in Tailwater; please report it with this line.\n")};
  [[maybe_unused]] const auto written =
      ::writev(STDERR_FILENO, pieces.data(), static_cast<int>(pieces.size()));
}

}  // namespace

void install_check_hook() {
  set_check_hook(&report);
}

}  // namespace tailwater::shell
