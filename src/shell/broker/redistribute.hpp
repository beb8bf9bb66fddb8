// Runs core/log's Redistribution before the shards start: log directories that were written with another
// number of shards are made ready for this one.
#pragma once

#include "base/result.hpp"
#include "node/options.hpp"
#include "shell/disk/disk.hpp"
#include "shell/log/log.hpp"

namespace tailwater::shell {

// Blocks until it is over. `options` are those of any shard.
Result<void> redistribute(const node::ShardOptions& options, DiskOptions disk, Log& log);

}  // namespace tailwater::shell
