// CHECK: an invariant of ours. Always on; a failed check is a bug in Tailwater and ends the process.
// Never CHECK what a peer, a user or a disk handed in: that is a Result.
#pragma once

namespace tailwater {

// Called with the failed condition before the process aborts; the shell installs one that writes it to
// stderr.
using CheckHook = void (*)(const char* condition, const char* file, int line);
void set_check_hook(CheckHook replacement);

[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace tailwater

#define CHECK(condition) \
  (static_cast<bool>(condition) ? void(0) : ::tailwater::check_failed(#condition, __FILE__, __LINE__))
