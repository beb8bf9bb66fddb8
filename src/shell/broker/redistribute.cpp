#include "shell/broker/redistribute.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "node/storage_options.hpp"
#include "shell/net/clock.hpp"

namespace tailwater::shell {

namespace {

constexpr std::int64_t kLookMs = 500;  // at least so often

void wait_for(const Disk& disk, Instant until) {
  const std::int64_t left = (until.nanoseconds - read_clocks().monotonic.nanoseconds) / 1'000'000 + 1;
  disk.wait(static_cast<int>(std::clamp<std::int64_t>(left, 0, kLookMs)));
}

}  // namespace

Result<void> redistribute(const node::ShardOptions& options, DiskOptions disk_options, Log& log) {
  const auto machine = node::make_redistribution(options);
  Disk disk(std::move(disk_options));
  log::DiskEffects effects;
  std::vector<DiskDone> done;
  machine->start(read_clocks(), effects);
  while (!machine->over()) {
    const bool busy = !effects.empty() || machine->next_deadline() <= read_clocks().monotonic;
    if (!effects.empty()) disk.submit(std::exchange(effects, {}));
    if (!busy || !disk.idle()) wait_for(disk, machine->next_deadline());
    disk.poll(done);
    for (DiskDone& each : done) machine->completed(std::move(each), read_clocks());
    done.clear();
    machine->turn(read_clocks(), effects);
  }
  disk.drain(done);
  for (const std::string& fault : machine->faults()) log.warning("broker", fault, {});
  if (!machine->failure().empty()) {
    return fail(Errc::storage, fmt::format("the log directories were written with another number of shards "
                                           "than tailwater.shards={}, and cannot be taken over: {}",
                                           options.shards, machine->failure()));
  }
  for (const auto& change : machine->changes()) {
    log.info("broker", "a log directory was made ready for another number of shards",
             {{"directory", options.log_dirs.at(change.dir.value)},
              {"before", fmt::format("{}", change.shards_before)},
              {"now", fmt::format("{}", options.shards)},
              {"logs", fmt::format("{}", change.logs)}});
  }
  return {};
}

}  // namespace tailwater::shell
