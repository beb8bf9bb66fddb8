// The frames of one ring that are not durable yet, and what becomes of logs when they are.
//   hard  a frame counts when it and all direct runs that it names are on stable storage, and all frames before it
//   soft  (tailwater.durability=os) frames go to the operating system, and are acknowledged when it has them. What a
//         log may have so is bounded by its flush.messages and flush.ms: what would go beyond waits for a sync of
//         the ring. Everything else than batches waits for one, too. Nothing but what is synced counts for flushes,
//         manifests and removals of files
// GUARANTEES: a log's durable point moves only when all frames up to its entry are durable; its durable end, which is
// what is acknowledged, moves before it only in a soft ring.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "base/disk.hpp"
#include "core/log/log_state.hpp"
#include "core/log/shared.hpp"

namespace tailwater::log {

class JournalFrames {
 public:
  explicit JournalFrames(Directory& dir) : dir_(dir) {}
  ~JournalFrames();
  JournalFrames(const JournalFrames&) = delete;
  JournalFrames& operator=(const JournalFrames&) = delete;

  // What an entry makes of its log when it is durable. Counts as a reference of the log.
  struct Item {
    LogState* log = nullptr;
    std::uint32_t generation = 0;
    JournalPoint point;
    journal::EntryKind kind = journal::EntryKind::batches;
    Offset base_offset;         // of the other kinds
    bool wants_stable = false;  // of batches: somebody waits until they are on stable storage
  };
  struct Frame {
    Lsn lsn;
    Instant sent;
    MutableBytes memory;
    std::vector<Item> items;
    std::uint64_t last_number = 0;  // of the queue's entries in it and before it
    bool landed = false;
    std::uint32_t runs = 0;  // direct ones that are not durable
    bool ends_log = false;   // says that one was emptied or removed
    bool written() const { return landed && runs == 0; }
  };
  // With the memory of one that is over.
  Frame make(std::size_t bytes);
  // The ring's open frame is finished and goes to the disk.
  void submit(Frame frame);
  void completed(const DiskDone& done);
  // A direct run that this frame names is on stable storage.
  void run_durable(Lsn frame);
  // The ring's sync.
  void synced(const DiskDone& done);
  void turn();
  // When frames that were acknowledged have to be synced.
  Instant next_deadline() const { return written_ > syncing_ ? sync_at_ : Instant::max(); }

  bool empty() const { return frames_.empty(); }
  // That are on their way to the disk.
  std::size_t in_flight() const;
  std::uint64_t durable_number() const { return durable_number_; }
  // Entries up to this number have to become durable soon, even if nothing follows that would need it.
  void want(std::uint64_t number) { wanted_number_ = std::max(wanted_number_, number); }
  // The directory is offline: forgets all but the memory that the disk still reads.
  void abandon();

 private:
  void advance_written();
  void acknowledge(const Frame& frame);
  bool sync_due() const;
  void settle(Frame& frame);
  void retire(std::size_t count);
  void move_end(LogState& log, Offset end);
  void note_changed(LogState& log);

  Directory& dir_;
  std::deque<Frame> frames_;
  std::size_t written_ = 0;  // of them, from the first one on: a sync will make them durable
  std::size_t syncing_ = 0;  // of these, in a sync on its way
  std::uint64_t durable_number_ = 0;
  std::uint64_t wanted_number_ = 0;
  Instant sync_at_ = Instant::max();
  std::vector<std::vector<Item>> spare_items_;
};

}  // namespace tailwater::log
