// Whether the last stable offsets of partitions advance while nothing is in their way: no transaction stays
// open for longer than its time-out and what the broker needs to end it (I12).
#pragma once

#include <map>
#include <string>

#include "base/time.hpp"
#include "sim/ledger.hpp"

namespace tailwater::sim {

class StableWatch {
 public:
  // `most`: how long one transaction may keep it where it is.
  StableWatch(Ledger& ledger, Duration most) : ledger_(ledger), most_(most) {}

  // A reader was answered at `now` what it asked at `asked`. Since `calm` nothing has kept the broker from its
  // work; Instant::max(): something does.
  void answered(TrackNumber track, Instant asked, Instant now, Instant calm, std::int64_t stable,
                std::int64_t end) {
    const auto at = stuck_.find(track);
    if (stable == end) {
      if (at != stuck_.end()) stuck_.erase(at);
      return;
    }
    if (at == stuck_.end() || at->second.stable != stable) {
      stuck_[track] = {stable, now};
      return;
    }
    const Instant since = at->second.since < calm ? calm : at->second.since;
    if (asked <= since || asked - since <= most_) return;
    ledger_.fail("I12: the last stable offset of " + ledger_.name(track) + " has been " +
                 std::to_string(stable) + " for " + std::to_string((asked - since).to_ms()) +
                 " ms, and nothing was in its way");
  }

 private:
  struct Stuck {
    std::int64_t stable = 0;
    Instant since;  // an answer said so first
  };

  Ledger& ledger_;
  Duration most_;
  std::map<TrackNumber, Stuck> stuck_;
};

}  // namespace tailwater::sim
