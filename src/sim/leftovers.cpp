#include "sim/leftovers.hpp"

#include <cstdint>

namespace tailwater::sim {

namespace {

// The memory that all connections of a shard read into.
constexpr std::uint64_t kMemoryAtRest = 64 * 1024;

}  // namespace

std::string leftovers(const Broker& broker, const Disk& disk, std::string_view gone) {
  std::string text;
  const auto say = [&](std::uint64_t count, const std::string& what) {
    if (count > 0) text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + what;
  };
  say(broker.network().open(), "connections in the network");
  say(broker.connections_held(), "connections at the broker");
  const std::uint64_t memory = broker.memory_held();
  const std::uint64_t at_rest = broker.shards() * kMemoryAtRest;
  say(memory > at_rest ? memory - at_rest : 0, "bytes too many");
  say(broker.reads_held(), "pinned reads");
  say(broker.fetches_held(), "waiting fetches");
  for (const std::string& path : disk.open_without_name()) say(1, "open file without a name, " + path);
  if (gone.empty()) return text;
  // "<directory>/<topic>-<partition>", and the same with a suffix while it is on its way out.
  const std::string name = "/" + std::string(gone) + "-";
  for (const std::string& folder : disk.folders()) {
    if (folder.find(name) != std::string::npos) say(1, "folder of a deleted topic, " + folder);
  }
  for (const auto& [path, file] : disk.files()) {
    if (path.find(name) != std::string::npos) say(1, "file of a deleted topic, " + path);
  }
  return text;
}

}  // namespace tailwater::sim
