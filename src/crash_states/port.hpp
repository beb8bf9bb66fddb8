// The disk port of one process: its wishes wait here, are carried out one by one on the disk model, and at
// any moment the power may go. Knows what differs between the three disk modes, and may be told to lie, or
// that a disk breaks.
//
//   mode                   a durable write hardens        a write in flight is cut
//   direct, O_DSYNC        its own bytes                  between sectors
//   direct, fdatasync      all that was done to the file  between sectors
//   buffered, fdatasync    all that was done to the file  at any byte: the page cache may be caught half way
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string_view>
#include <vector>

#include "base/disk.hpp"
#include "base/prng.hpp"
#include "disk_model/disk.hpp"

namespace tailwater::crash_states {

enum class Mode : std::uint8_t { direct_dsync, direct_fdatasync, buffered_fdatasync };
inline constexpr std::size_t kModes = 3;
inline constexpr std::string_view kModeNames[kModes] = {"direct_dsync", "direct_fdatasync",
                                                        "buffered_fdatasync"};

// A lie of the port: what a machine that forgot a step would do. The states must show each of them.
enum class Lie : std::uint8_t {
  none,
  drop_syncs,         // a sync says that it is done, and nothing is hardened
  drop_durability,    // a durable write is an ordinary one
  drop_folder_syncs,  // names that were to be durable are volatile, whatever is synced
  trim_before_sync,   // syncs are carried out only after the next superblock
  keep_soft_frames,   // what is not durable of the soft ring stays in the process until a sync
};

// How the disk of a directory breaks.
enum class Break : std::uint8_t {
  once,      // one write or sync fails; everything that follows succeeds, as far as the disk is asked
  for_good,  // everything fails
};

class Port {
 public:
  Port(std::unique_ptr<disk_model::Disk> disk, Mode mode, Lie lie, std::uint64_t seed);

  // A disk as it is before the first start.
  static std::unique_ptr<disk_model::Disk> fresh_disk(Mode mode);

  void submit(std::vector<DiskOp>& ops);
  bool idle() const { return queue_.empty(); }
  // Carries out one of the operations that wait, and makes its completion. REQUIRES: !idle().
  DiskDone step();

  // The disk as a power loss in this moment leaves it, before it is settled what of it is kept: what waits
  // here was carried out in part. REQUIRES: the memory of the operations is still there.
  std::unique_ptr<disk_model::Disk> lose_power(Prng& random) const;
  // The process dies, the machine stays: what waits here happened or did not.
  std::unique_ptr<disk_model::Disk> kill(Prng& random) const;

  void break_dir(DirId dir, Break how);
  bool is_broken(DirId dir) const { return broken_.contains(dir); }

  const disk_model::Disk& disk() const { return *disk_; }
  const std::vector<std::string>& complaints() const { return disk_->complaints(); }

 private:
  struct Waiting {
    DiskOp op;
    disk_model::Sequence submitted = 0;
  };

  void bend(DiskOp& op);
  bool fails(const DiskOp& op);
  bool keeps(const Waiting& waiting);
  void let_go(FileId file, disk_model::Sequence submitted);
  DiskDone perform(Waiting& waiting);

  std::unique_ptr<disk_model::Disk> disk_;
  Mode mode_;
  Lie lie_;
  Prng random_;
  disk_model::UserId user_;
  std::vector<Waiting> queue_;
  std::set<FileId> open_;
  std::vector<Waiting> put_off_;  // syncs
  struct Kept {
    FileId file;
    std::uint64_t at = 0;
    Buffer bytes;
  };
  std::vector<Kept> kept_;  // writes
  std::map<DirId, Break> broken_;
  std::set<DirId> has_failed_;  // of those that fail once
};

}  // namespace tailwater::crash_states
