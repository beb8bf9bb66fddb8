#include "core/log/newcomers.hpp"

#include "core/log/directory.hpp"

namespace tailwater::log {

void Newcomers::admit(LogState& log) {
  if (dir_.twin == nullptr) return;
  JournalQueue& other = dir_.twin->journal;
  if (dir_.awake() && other.durable_number() == other.last_number()) return;
  other.want_sync();
  log.newcomer = true;
  ++log.references;
  waiting_.push_back({&log, other.last_number()});
}

void Newcomers::turn() {
  std::erase_if(waiting_, [&](const Waiting& waiting) {
    if (dir_.twin->journal.durable_number() < waiting.number) return false;
    LogState& log = *waiting.log;
    log.newcomer = false;
    --log.references;
    dir_.journal.release_held(log);
    return true;
  });
}

}  // namespace tailwater::log
