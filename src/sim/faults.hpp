// The kinds of faults that a simulation brings about, and how often each was. A kind that never fires over a
// set of seeds is a hole in the simulator: the set fails.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tailwater::sim {

enum class Fault : std::uint8_t {
  clean_restart,
  kill,               // the process dies; the machine, its page cache and writes in flight live on
  power_loss,         // the machine dies; of what was not hardened any part is lost
  other_shards,       // a start with another number of shards
  crash_in_recovery,  // a second death while the broker starts
  pause,              // the process stands still for a while
  lost_sectors,       // a power loss took unsynced writes back, whole or in part
  lost_sizes,         // ... or changes of a file's size
  lost_names,         // ... or created, renamed and removed names
  torn_write,         // ... or a part of one write
  reordered_write,    // ... and left what was done after what it took
  late_write,         // a write of a dead process landed
  write_error,
  sync_error,
  structure_error,  // creating, renaming, replacing failed
  read_error,       // in the middle of a file
  open_error,
  load_error,  // reading a small file as a whole
  list_error,  // reading a folder
  no_room,
  slow_disk,
  connection_reset,  // both ends are told; what was on its way may be lost in the middle of a frame
  network_cut,       // nothing gets through for a while, in one direction or both
  half_open_client,  // a client vanishes without a word
  half_open_broker,  // the broker's machine is gone and nobody told its clients
  slow_network,
  clock_jump,   // of the wall clock
  rot_journal,  // a bit flipped in a frame that was acknowledged
  rot_superblock,
  rot_manifest,
  rot_records,        // of the main topic
  rot_transactional,  // of the transactional one
  rot_compacted,      // of the compacted one
  rot_index,
  rot_coordinator,         // in a log of group or transaction state
  misdirected_superblock,  // a write that is told to be done, and lies in no place
  misdirected_frame,       // a block of a journal lies where another should be, too
  misdirected_records,     // a block of records does; its own place has what it had
  damage_told,             // the broker said which file is damaged, and could not go on
  late_request,            // a copy of a transactional producer's request comes once more
  rival,                   // somebody comes with a transactional id that is in use
};
inline constexpr std::size_t kFaults = static_cast<std::size_t>(Fault::rival) + 1;

inline constexpr std::array<std::string_view, kFaults> kFaultNames = {"clean-restart",
                                                                      "kill",
                                                                      "power-loss",
                                                                      "other-shards",
                                                                      "crash-in-recovery",
                                                                      "pause",
                                                                      "lost-sectors",
                                                                      "lost-sizes",
                                                                      "lost-names",
                                                                      "torn-write",
                                                                      "reordered-write",
                                                                      "late-write",
                                                                      "write-error",
                                                                      "sync-error",
                                                                      "structure-error",
                                                                      "read-error",
                                                                      "open-error",
                                                                      "load-error",
                                                                      "list-error",
                                                                      "no-room",
                                                                      "slow-disk",
                                                                      "connection-reset",
                                                                      "network-cut",
                                                                      "half-open-client",
                                                                      "half-open-broker",
                                                                      "slow-network",
                                                                      "clock-jump",
                                                                      "rot-journal",
                                                                      "rot-superblock",
                                                                      "rot-manifest",
                                                                      "rot-records",
                                                                      "rot-transactional",
                                                                      "rot-compacted",
                                                                      "rot-index",
                                                                      "rot-coordinator",
                                                                      "misdirected-superblock",
                                                                      "misdirected-frame",
                                                                      "misdirected-records",
                                                                      "damage-told",
                                                                      "late-request",
                                                                      "rival"};

class FaultCounts {
 public:
  void add(Fault fault, std::uint64_t times = 1) { counts_[static_cast<std::size_t>(fault)] += times; }
  std::uint64_t of(Fault fault) const { return counts_[static_cast<std::size_t>(fault)]; }
  // Copies of requests are many, and no deed of the nemesis.
  std::uint64_t total() const {
    std::uint64_t sum = 0;
    for (const std::uint64_t count : counts_) sum += count;
    return sum - of(Fault::late_request);
  }
  const std::array<std::uint64_t, kFaults>& all() const { return counts_; }
  void add(const FaultCounts& other) {
    for (std::size_t fault = 0; fault < kFaults; ++fault) counts_[fault] += other.counts_[fault];
  }

 private:
  std::array<std::uint64_t, kFaults> counts_{};
};

}  // namespace tailwater::sim
