// What a group's members were given and have committed, for the invariants of groups: one owner of a
// partition in each generation (I14), committed offsets that do not go back (I13), and no commit of a
// generation that is over (I10).
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "sim/ledger.hpp"

namespace tailwater::sim {

class GroupWatch {
 public:
  explicit GroupWatch(Ledger& ledger) : ledger_(ledger) {}

  void given(std::int32_t generation, std::int32_t partition, const std::string& member) {
    const auto [at, fresh] = owners_.emplace(std::pair{generation, partition}, member);
    if (!fresh && at->second != member) {
      ledger_.fail("I14: partition " + std::to_string(partition) + " has two owners in generation " +
                   std::to_string(generation));
    }
  }
  // The coordinator answered a member's SyncGroup: the generation is on record, and none before it can be
  // again.
  void synced(std::int32_t generation) { synced_ = std::max(synced_, generation); }
  std::int32_t generation_floor() const { return synced_; }
  void joined(std::int32_t floor, std::int32_t generation) {
    if (generation < floor) {
      ledger_.fail("I14: generation " + std::to_string(generation) + " came after " + std::to_string(floor));
    }
  }
  // A commit of this generation was accepted, and was sent when `floor` was on record.
  void commit_accepted(std::int32_t floor, std::int32_t generation) {
    if (generation < floor)
      ledger_.fail("I10: generation " + std::to_string(generation) + " commits, and " +
                   std::to_string(floor) + " was there before");
  }
  void committed(std::int32_t partition, std::int64_t offset) {
    std::int64_t& floor = committed_[partition];
    floor = std::max(floor, offset);
  }
  // What an answer about the partition must say at least, from now on.
  std::int64_t floor(std::int32_t partition) const {
    const auto at = committed_.find(partition);
    return at == committed_.end() ? -1 : at->second;
  }
  void fetched(std::int32_t partition, std::int64_t floor, std::int64_t offset) {
    if (offset < floor) {
      ledger_.fail("I13: offset " + std::to_string(floor) + " of partition " + std::to_string(partition) +
                   " was committed, and is " + std::to_string(offset));
    }
  }

 private:
  Ledger& ledger_;
  std::int32_t synced_ = -1;
  std::map<std::pair<std::int32_t, std::int32_t>, std::string> owners_;
  std::map<std::int32_t, std::int64_t> committed_;
};

}  // namespace tailwater::sim
