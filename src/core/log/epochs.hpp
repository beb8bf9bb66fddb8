// The leader epochs of one log: where each began. Grows with the leaders, shrinks with truncation and
// retention.
#pragma once

#include <vector>

#include "core/log/log.hpp"

namespace tailwater::log {

struct EpochEntry {
  LeaderEpoch epoch;
  Offset start;
  friend bool operator==(const EpochEntry&, const EpochEntry&) = default;
};

class Epochs {
 public:
  // Notes that `epoch` begins at `start`; ignored unless it is larger than the latest. Returns whether it was
  // noted. An earlier epoch that got no records loses its entry.
  bool begin(LeaderEpoch epoch, Offset start);
  LeaderEpoch latest() const { return entries_.empty() ? LeaderEpoch{-1} : entries_.back().epoch; }
  // The epoch of the record at `offset`; -1 if unknown.
  LeaderEpoch at(Offset offset) const;
  // KIP-101/279. `log_end` ends the latest epoch.
  EpochEnd end_of(LeaderEpoch epoch, Offset log_end) const;

  // Drops entries that begin at or behind `end`.
  void truncate(Offset end);
  // Drops entries that lie wholly below; the one that covers `start` begins there now.
  void advance_start(Offset start);
  void clear() { entries_.clear(); }

  const std::vector<EpochEntry>& entries() const { return entries_; }
  void restore(std::vector<EpochEntry> entries) { entries_ = std::move(entries); }

 private:
  std::vector<EpochEntry> entries_;
};

}  // namespace tailwater::log
