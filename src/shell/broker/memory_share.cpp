#include "shell/broker/memory_share.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace tailwater::shell {

namespace {

constexpr std::uint64_t kOfShard = std::uint64_t{64} << 20;
// Half of it is for requests, and what is left holds a few large batches.
constexpr std::uint64_t kOfShardLeast = std::uint64_t{32} << 20;

std::uint32_t choose_shards(const MemoryWish& wish) {
  if (wish.shards > 0) return wish.shards;
  const std::uint64_t bytes = wish.bytes > 0 ? wish.bytes : wish.limit / 2;
  const std::uint64_t for_cores = std::max(2U, wish.cores) - 1;
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(bytes / kOfShard, 1, for_cores));
}

}  // namespace

Result<MemoryShare> share_memory(const MemoryWish& wish) {
  MemoryShare share{.shards = choose_shards(wish), .bytes = wish.bytes};
  if (share.bytes == 0) share.bytes = std::max(wish.available / 2, share.shards * kOfShard);
  if (share.bytes / share.shards < kOfShardLeast) {
    return fail(Errc::invalid_argument,
                fmt::format("tailwater.memory.bytes={} is too little for {} shard{}: each needs {} (32 MiB); "
                            "give it more, or fewer shards (tailwater.shards)",
                            share.bytes, share.shards, share.shards == 1 ? "" : "s", kOfShardLeast));
  }
  return share;
}

}  // namespace tailwater::shell
