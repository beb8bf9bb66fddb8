#include "base/check.hpp"

#include <cstdlib>

namespace tailwater {

namespace {
CheckHook hook = nullptr;
}

void set_check_hook(CheckHook replacement) {
  hook = replacement;
}

void check_failed(const char* condition, const char* file, int line) {
  if (hook != nullptr) hook(condition, file, line);
  std::abort();
}

}  // namespace tailwater
