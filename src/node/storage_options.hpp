// How a shard's options become those of its storage, and the step before the shards' start that makes folders
// of another number of shards ready.
#pragma once

#include <cstdint>
#include <memory>

#include "core/log/redistribution.hpp"
#include "core/log/storage.hpp"
#include "node/options.hpp"

namespace tailwater::node {

// Of a shard's memory, what requests and responses may take; the rest is the logs'.
std::uint64_t request_budget(const ShardOptions& options);
// A shard's part of log.cleaner.dedupe.buffer.size, which is that of all cleaners together.
std::uint64_t compaction_map_bytes(const cluster::BrokerConfig& config, std::uint32_t shards);
// log.cleaner.backoff.ms; without any pause there would be no turn without a look at all logs.
Duration compaction_interval(const cluster::BrokerConfig& config);
log::StorageOptions storage_options(const ShardOptions& options);

// REQUIRES: no shard of this broker is started yet. `options` are those of any shard.
std::unique_ptr<log::Redistribution> make_redistribution(ShardOptions options);

}  // namespace tailwater::node
