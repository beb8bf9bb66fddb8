// Start of the disk's threads: named, and with all signals blocked, so that the shell's signal descriptor
// gets them.
#pragma once

#include <functional>
#include <string>
#include <thread>

namespace tailwater::shell {

// Throws std::system_error if the system has no thread left.
std::thread start_thread(const std::string& name, std::function<void()> body);

}  // namespace tailwater::shell
