#include "shell/system/descriptor_limit.hpp"

#include <sys/resource.h>

#include <algorithm>

namespace tailwater::shell {
namespace {

constexpr std::uint64_t kAssumed = 1024;  // POSIX systems give at least this in practice
constexpr std::uint64_t kCountedMax =
    1ULL << 20;                         // more than a broker can use; "unlimited" is a large number, too
constexpr std::uint64_t kOthers = 128;  // listeners, rings, eventfds, logs, the metadata store
constexpr std::uint64_t kFilesPerShardMax = 32'768;
constexpr std::uint64_t kFilesPerShardMin = 64;

}  // namespace

std::uint64_t raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return kAssumed;
  if (limit.rlim_cur < limit.rlim_max) {
    const rlimit raised{limit.rlim_max, limit.rlim_max};
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  return limit.rlim_cur;
}

DescriptorShares share_descriptors(std::uint64_t limit, std::size_t shards) {
  const std::uint64_t counted = std::min(limit, kCountedMax);
  const std::uint64_t free = counted - std::min(kOthers, counted / 4);
  const std::uint64_t each = std::clamp(free / 2 / shards, kFilesPerShardMin, kFilesPerShardMax);
  const std::uint64_t files = each * shards;
  return {each, files < free ? free - files : 1};
}

}  // namespace tailwater::shell
