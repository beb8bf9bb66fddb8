#include "shell/system/memory.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "shell/system/kernel_file.hpp"

namespace tailwater::shell {
namespace {

constexpr std::uint64_t kUnknown = 512ULL << 20;  // where nothing is to be learnt
constexpr std::uint64_t kLeast = 1ULL << 20;

std::optional<std::uint64_t> number_in(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return std::nullopt;
  text.remove_prefix(first);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;  // "max" is no number
  return number;
}

// The value of "name: 123 kB" or "name 123" in a file of such lines.
std::optional<std::uint64_t> value_of(std::string_view text, std::string_view name) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    at = end + 1;
    if (!line.starts_with(name)) continue;
    std::string_view rest = line.substr(name.size());
    if (rest.starts_with(':')) rest.remove_prefix(1);
    if (rest.starts_with(' ') || rest.starts_with('\t')) return number_in(rest);
  }
  return std::nullopt;
}

// What a group may still take: its limit less what it uses, where its file cache, which the kernel gives
// back, counts as free. Nothing if it has no limit.
struct GroupFiles {
  const char* limit;
  const char* usage;
  const char* inactive_cache;  // in memory.stat
};
constexpr GroupFiles kUnified{"memory.max", "memory.current", "inactive_file"};
constexpr GroupFiles kLegacy{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"};

std::optional<std::uint64_t> room_in(const std::string& folder, const GroupFiles& files) {
  const auto limit = number_in(read_kernel_file(folder + "/" + files.limit));
  if (!limit) return std::nullopt;
  const std::uint64_t used = number_in(read_kernel_file(folder + "/" + files.usage)).value_or(0);
  const std::uint64_t cache =
      value_of(read_kernel_file(folder + "/memory.stat"), files.inactive_cache).value_or(0);
  const std::uint64_t held = used - std::min(used, cache);
  return *limit - std::min(*limit, held);
}

std::optional<std::uint64_t> limit_in(const std::string& folder, const GroupFiles& files) {
  return number_in(read_kernel_file(folder + "/" + files.limit));
}

using Look = std::optional<std::uint64_t> (*)(const std::string& folder, const GroupFiles& files);

// The least of the group and of all groups above it.
std::optional<std::uint64_t> least_up(Look look, const std::string& root, std::string group,
                                      const GroupFiles& files) {
  std::optional<std::uint64_t> least;
  for (;;) {
    if (const auto found = look(root + group, files)) least = std::min(*found, least.value_or(*found));
    if (group.empty() || group == "/") return least;
    group.resize(group.rfind('/'));
  }
}

// "/docker/abc" for this process: of the line "0::/docker/abc", or of "4:memory:/docker/abc".
struct Groups {
  std::string unified;
  std::optional<std::string> legacy;
};
Groups groups_of(std::string_view text) {
  Groups groups;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    at = end + 1;
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string controllers = "," + std::string(line.substr(first + 1, second - first - 1)) + ",";
    std::string group(line.substr(second + 1));
    if (group == "/") group.clear();
    // Paths of another namespace begin with "/..": what is visible is the root.
    if (group.starts_with("/..")) group.clear();
    if (controllers == ",,") groups.unified = group;
    if (controllers.find(",memory,") != std::string::npos) groups.legacy = group;
  }
  return groups;
}

// Not more than the process's groups allow.
std::uint64_t within_groups(std::uint64_t bytes, Look look, const MemorySources& sources) {
  const Groups groups = groups_of(read_kernel_file(sources.proc + "/self/cgroup"));
  if (const auto least = least_up(look, sources.cgroups, groups.unified, kUnified))
    bytes = std::min(bytes, *least);
  if (groups.legacy) {
    // In a container the process's path may not be there: the limit is then at the top.
    const std::string root = sources.cgroups + "/memory";
    if (const auto least = least_up(look, root, *groups.legacy, kLegacy)) bytes = std::min(bytes, *least);
  }
  return std::max(bytes, kLeast);
}

}  // namespace

std::uint64_t available_memory(const MemorySources& sources) {
  const std::string machine = read_kernel_file(sources.proc + "/meminfo");
  auto kilobytes = value_of(machine, "MemAvailable");
  if (!kilobytes) kilobytes = value_of(machine, "MemFree");
  return within_groups(kilobytes ? *kilobytes * 1024 : kUnknown, room_in, sources);
}

std::uint64_t memory_limit(const MemorySources& sources) {
  const auto kilobytes = value_of(read_kernel_file(sources.proc + "/meminfo"), "MemTotal");
  return within_groups(kilobytes ? *kilobytes * 1024 : kUnknown, limit_in, sources);
}

std::uint64_t memory_limit() {
  return memory_limit(MemorySources{});
}

std::uint64_t available_memory() {
  return available_memory(MemorySources{});
}

}  // namespace tailwater::shell
