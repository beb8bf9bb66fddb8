// How much memory this process may count on: what the machine has free, or less where a control group (a
// container) allows less; and how much there is at all, whoever uses it.
#pragma once

#include <cstdint>
#include <string>

namespace tailwater::shell {

// Bytes; never 0. Looked at once, at start.
std::uint64_t available_memory();

// Where the kernel's files are; tests have their own.
struct MemorySources {
  std::string proc = "/proc";
  std::string cgroups = "/sys/fs/cgroup";
};
std::uint64_t available_memory(const MemorySources& sources);

// Bytes; never 0.
std::uint64_t memory_limit();
std::uint64_t memory_limit(const MemorySources& sources);

}  // namespace tailwater::shell
