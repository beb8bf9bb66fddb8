// Gives ring space back: a manifest of the directory's state, then the superblock that names it and moves the
// trim position. Also the only writer of superblocks.
//   1 take the state, place the journal's fence: the manifest holds exactly the entries before it
//   2 when all of them are durable, replace the manifest
//   3 when that is durable, write the superblock: trim = the oldest frame that a log needed when the state
//   was taken
//   4 when that is durable, the space is free, and the manifest before the last may go
// On a full disk that one goes first: its place is what the next one needs, whoever else has the rest. But then the
// superblock is read back: should it not have come to its place, the one before it counts, and names that manifest.
// (Through the page cache, where a file system has no direct writes, that proves nothing.)
// GUARANTEES: never trims what is not flushed and synced, or not in a durable manifest; one superblock at a
// time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/disk.hpp"
#include "core/journal/superblock.hpp"
#include "core/log/shared.hpp"

namespace tailwater::log {

struct Manifest;

class Checkpointer {
 public:
  explicit Checkpointer(Directory& dir) : dir_(dir) {}
  ~Checkpointer();
  Checkpointer(const Checkpointer&) = delete;
  Checkpointer& operator=(const Checkpointer&) = delete;

  // The superblock as it is to be; change it, then call write_superblock().
  journal::Superblock& wanted() { return wanted_; }
  // After a start: the generation that the superblock names.
  void resume(std::uint64_t generation) {
    last_ = generation;
    before_last_ = generation > 1 ? generation - 1 : 0;
  }
  void write_superblock();
  // The space of this frame is to be free soon, however little there is to gain.
  void want_trim(Lsn frame) { trim_wanted_ = std::max(trim_wanted_.value_or(frame), frame); }
  bool trim_wanted() const;
  // The next state can be taken when no log holds entries back for its direct run.
  bool waits_for_runs() const { return waits_for_runs_; }
  // The last one that is on stable storage.
  const journal::Superblock& written() const { return written_; }
  bool writing_superblock() const { return busy_; }

  // What a manifest of this moment holds, but for its generation and address.
  Manifest state() const;
  void turn();
  void completed(const DiskDone& done);
  // At the clean stop: everything is in its files, and the superblock says so.
  bool finished() const { return finished_; }
  // The disk had no room for the last manifest; it is tried again at next_deadline().
  bool no_room() const { return no_room_; }
  Instant next_deadline() const { return no_room_ ? retry_at_ : Instant::max(); }
  // A turn would go on from here at once.
  bool ready() const;

 private:
  enum class Phase : std::uint8_t { idle, fence, settle, manifest, superblock };
  enum class Role : std::uint8_t { manifest, superblock, proof, removal };

  bool due() const;
  bool may_take_state() const;
  // Bytes of the ring that a checkpoint now would give back.
  std::uint64_t gain() const;
  void take_state();
  void superblock_written();
  DiskOp of_superblock(DiskOpKind kind, Role role, std::uint64_t sequence);
  void read_superblock();
  void superblock_read(const DiskDone& done);
  void remove_before_last();

  Directory& dir_;
  journal::Superblock wanted_;
  journal::Superblock written_;
  journal::Superblock in_flight_;
  MutableBytes memory_;
  bool busy_ = false;  // the superblock in memory_ is being written or read
  bool again_ = false;

  Phase phase_ = Phase::idle;
  Buffer content_;
  std::uint64_t generation_ = 0;
  bool no_room_ = false;
  std::uint64_t last_ = 0;  // generations that are on the disk
  std::uint64_t before_last_ = 0;
  std::optional<Lsn> trim_wanted_;
  bool waits_for_runs_ = false;
  std::uint64_t direct_at_last_ = 0;  // DirectRuns::bytes() when the last state was taken
  Lsn oldest_needed_;
  Lsn checkpoint_;
  bool final_ = false;
  bool finished_ = false;
  Instant retry_at_;
};

}  // namespace tailwater::log
