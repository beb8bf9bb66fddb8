#include "node/storage_options.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "node/context.hpp"

namespace tailwater::node {

namespace {
constexpr std::uint64_t kRequestShare = 4;
constexpr std::uint64_t kRequestBudgetMin = std::uint64_t{16} << 20;
constexpr std::uint64_t kRingBytesLeast = std::uint64_t{64} << 20;
constexpr std::uint64_t kRingBytesMost = std::uint64_t{1} << 30;
}  // namespace

std::uint64_t request_budget(const ShardOptions& options) {
  return std::max(options.memory_budget / kRequestShare, kRequestBudgetMin);
}

std::uint64_t compaction_map_bytes(const cluster::BrokerConfig& config, std::uint32_t shards) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(config.log_cleaner_dedupe_buffer_bytes, 0)) /
         std::max<std::uint32_t>(shards, 1);
}

Duration compaction_interval(const cluster::BrokerConfig& config) {
  return Duration::from_ms(std::max<std::int64_t>(config.log_cleaner_backoff_ms, 1));
}

log::StorageOptions storage_options(const ShardOptions& options) {
  log::StorageOptions storage;
  storage.shard = options.shard;
  for (std::size_t dir = 0; dir < options.log_dirs.size(); ++dir) {
    storage.dirs.push_back(DirId{static_cast<std::uint32_t>(dir)});
  }
  storage.dir_names = options.log_dirs;
  storage.unusable_dirs = options.unusable_dirs;
  storage.seed = options.seed;
  storage.boot_id = options.boot_id;
  storage.os_ring = true;  // any topic may come to be kept with tailwater.durability=os
  storage.memory_bytes = options.memory_budget - std::min(options.memory_budget, request_budget(options));
  storage.pages = options.pages;
  // Without a wish a ring grows to an eighth of the memory, so that what it holds is written to the segments
  // in large runs, and the next start finds room for all of it.
  storage.ring_bytes_max =
      options.config.journal_bytes_max > 0
          ? static_cast<std::uint64_t>(options.config.journal_bytes_max)
          : std::clamp(std::bit_floor(storage.memory_bytes / 8), kRingBytesLeast, kRingBytesMost);
  storage.ring_bytes_start = std::min(storage.ring_bytes_start, storage.ring_bytes_max);
  // Whatever message.max.bytes of a topic permits is taken, as far as the memory goes.
  storage.ring_bytes_limit = kRingBytesMost;
  storage.direct_run_bytes =
      static_cast<std::uint32_t>(std::min<std::int64_t>(options.config.direct_bytes, UINT32_MAX));
  storage.recycle_bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(options.config.recycle_bytes, 0));
  // A quarter is for journals, and for folders and files that are looked at only once.
  if (options.files_max > 0)
    storage.open_files_max = std::min(storage.open_files_max, options.files_max - options.files_max / 4);
  storage.retention_interval = Duration::from_ms(options.config.log_retention_check_interval_ms);
  storage.producer_expiration_ms = options.config.producer_id_expiration_ms;
  storage.compaction = options.config.log_cleaner_enable;
  storage.compaction_map_bytes = compaction_map_bytes(options.config, options.shards);
  storage.compaction_interval = compaction_interval(options.config);
  return storage;
}

std::unique_ptr<log::Redistribution> make_redistribution(ShardOptions options) {
  const std::uint32_t shards = options.shards;
  options.memory_budget *= shards;  // no shard is there to use its part
  return std::make_unique<log::Redistribution>(
      storage_options(options), shards,
      [shards](std::string_view topic, PartitionId partition) { return shard_of(topic, partition, shards); });
}

}  // namespace tailwater::node
