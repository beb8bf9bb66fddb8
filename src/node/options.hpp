// What a shard is told about itself and its broker when it is made.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/pages.hpp"
#include "base/uuid.hpp"
#include "core/cluster/config.hpp"

namespace tailwater::node {

// One bound listener as clients see it.
struct AdvertisedListener {
  ListenerId id;
  std::string name;  // "PLAINTEXT", "EXTERNAL", ...
  std::string host;  // what Metadata answers to clients of this listener
  std::uint16_t port = 0;
};

struct ShardOptions {
  ShardId shard;
  std::uint32_t shards = 1;
  BrokerId broker;
  std::string cluster_id;
  std::string rack;  // empty: none
  std::vector<AdvertisedListener> listeners;
  std::vector<std::string> log_dirs;  // as configured, for DescribeLogDirs and messages; index is DirId
  std::map<DirId, std::string> unusable_dirs;  // why; they are offline from the start, and left alone
  cluster::BrokerConfig config;
  std::uint64_t memory_budget = 0;  // bytes, of this shard
  Pages* pages = nullptr;           // as in log::StorageOptions
  std::uint32_t files_max = 0;      // that it may have open; 0: as log::StorageOptions has it
  std::uint64_t seed = 0;           // of every random choice of the shard
  Uuid boot_id;                     // of the running kernel
};

}  // namespace tailwater::node
