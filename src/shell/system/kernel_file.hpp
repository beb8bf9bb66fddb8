// Small files in which the kernel says something: /proc, /sys.
#pragma once

#include <string>

namespace tailwater::shell {

// Up to 64 KiB of it; empty if it is not there or cannot be read.
std::string read_kernel_file(const std::string& path);

}  // namespace tailwater::shell
