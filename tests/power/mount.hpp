// The file system under a mount point, through libfuse.
#pragma once

#include <chrono>
#include <string>

#include "power/file_system.hpp"

namespace tailwater::power {

struct MountOptions {
  std::string at;
  std::chrono::microseconds sync_takes{0};
};

// Serves until it is unmounted or the program ends. `mounted` is called once, when programs can use it.
// 0, or what went wrong, of which libfuse has said more on standard error.
int serve(FileSystem& file_system, const MountOptions& options, const std::function<void()>& mounted);

}  // namespace tailwater::power
