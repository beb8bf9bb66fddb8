// What happens when a CHECK fails: the condition and its place go to standard error, unbuffered, before the
// process aborts. It must not allocate or take a lock: the process is in an unknown state.
#pragma once

namespace tailwater::shell {

void install_check_hook();

}  // namespace tailwater::shell
