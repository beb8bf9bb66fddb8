#include "core/log/epochs.hpp"

#include <algorithm>

namespace tailwater::log {

bool Epochs::begin(LeaderEpoch epoch, Offset start) {
  if (epoch.value < 0 || epoch <= latest()) return false;
  while (!entries_.empty() && entries_.back().start >= start) entries_.pop_back();
  entries_.push_back({epoch, start});
  return true;
}

LeaderEpoch Epochs::at(Offset offset) const {
  LeaderEpoch found{-1};
  for (const EpochEntry& entry : entries_) {
    if (entry.start > offset) break;
    found = entry.epoch;
  }
  return found;
}

EpochEnd Epochs::end_of(LeaderEpoch epoch, Offset log_end) const {
  if (epoch.value < 0 || entries_.empty() || epoch > latest()) return {};
  if (epoch == latest()) return {epoch, log_end};
  const auto above = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const EpochEntry& entry) { return entry.epoch > epoch; });
  if (above == entries_.begin()) return {epoch, above->start};
  return {std::prev(above)->epoch, above->start};
}

void Epochs::truncate(Offset end) {
  std::erase_if(entries_, [&](const EpochEntry& entry) { return entry.start >= end; });
}

void Epochs::advance_start(Offset start) {
  const auto above = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const EpochEntry& entry) { return entry.start > start; });
  if (above == entries_.begin()) return;
  const auto covering = std::prev(above);
  covering->start = std::max(covering->start, start);
  entries_.erase(entries_.begin(), covering);
}

}  // namespace tailwater::log
