// What waits for the journal of one directory, and how it gets into frames: group commit.
//   rule      nothing in flight: write now; one in flight: a second when second_frame_bytes wait; two: gather,
//             but for a direct run, which may have a third and a fourth
//   runs      large batches go straight to their segment when the journal is busy; the frame names them and is
//             durable when they are, too (direct_runs.hpp)
//   order     entries reach the ring in the order in which they were pushed; a log whose tail block is being
//             read back, or that has a direct run before it, holds its own entries until then, the others pass
//   fence     splits the queue: what was pushed before goes into frames below one address, the rest into
//             frames at or above it. A manifest made when the fence was placed describes exactly what lies
//             below that address
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/disk.hpp"
#include "core/journal/ring_writer.hpp"
#include "core/log/direct_runs.hpp"
#include "core/log/journal_frames.hpp"
#include "core/log/log_state.hpp"
#include "core/log/shared.hpp"

namespace tailwater::log {

class JournalQueue {
 public:
  explicit JournalQueue(Directory& dir) : dir_(dir) {}
  ~JournalQueue();
  JournalQueue(const JournalQueue&) = delete;
  JournalQueue& operator=(const JournalQueue&) = delete;

  // A batch was appended to the chunk at [from, to). Follows on the log's last entry where it can.
  void push_batch(LogState& log, cache::Chunk& chunk, std::uint64_t from, std::uint64_t to);
  // The log's last entry is to be synced as soon as it is written, and this is news then.
  void want_stable(LogState& log);
  // Any other entry, as of now.
  struct Note {
    journal::EntryKind kind{};
    Offset segment;
    std::uint64_t position = 0;
    Offset base_offset;
    std::uint32_t argument = 0;
    Buffer content;
  };
  void push(LogState& log, Note note);
  // What its entries waited for has come: they go if there is nothing else to wait for.
  void release_held(LogState& log);
  // The log is removed: entries that only it would need are dropped.
  void drop_held(LogState& log);
  // Entries wait outside the queue for a run of their log.
  bool holds_entries() const { return !holding_.empty(); }

  // What is in the queue now has to become durable soon, even if nothing follows that would need it.
  void want_sync() { frames_.want(last_number()); }

  // Number of the newest entry, and of the newest of those that are durable (with all before them).
  std::uint64_t last_number() const { return first_number_ + (pending_.size() - begin_) - 1; }
  std::uint64_t durable_number() const { return frames_.durable_number(); }

  void place_fence();
  // The address that the fence became; nothing while entries before it wait.
  std::optional<Lsn> fence() const { return fence_lsn_; }

  // Forms at most one frame.
  void turn();
  JournalFrames& frames() { return frames_; }
  const JournalFrames& frames() const { return frames_; }

  std::uint64_t waiting_bytes() const { return waiting_bytes_; }
  // Bytes of the ring that what waits, and `more`, will take at most; what logs hold back waits, too.
  std::uint64_t demand(std::uint64_t more = 0) const {
    return demand_of(waiting_bytes_ + held_bytes_ + more);
  }
  // Bytes of the ring that so many waiting bytes take at most. Never more for a sum than for its parts.
  std::uint64_t demand_of(std::uint64_t waiting) const;
  // A flush is to end at this position, which cuts a block: an entry that waits there will have to bring the
  // head along. False if the ring has no room for that now.
  bool expect_head(LogState& log, Offset segment, std::uint64_t position);
  bool idle() const { return begin_ == pending_.size() && frames_.empty(); }
  // The directory is offline: forgets what waits and what is in flight, but for memory that the disk still
  // reads.
  void abandon();

 private:
  using Frame = JournalFrames::Frame;

  void enqueue(Pending entry);
  bool join(Pending& last, const cache::Chunk& chunk, std::uint64_t from, std::uint64_t to);
  void note_large(Pending& entry);
  bool behind_run(const LogState& log) const;
  bool holds(const LogState& log) const;
  void hold(Pending entry);
  void unpin(Pending& entry);
  DirectRuns::Way way_of(const Pending& entry);
  bool must_wait(const Pending& entry);
  bool may_form();
  // Bytes of content that the first entry brings into a frame at least, and at most.
  struct Need {
    std::uint32_t head = 0;
    std::size_t least = 0;
    std::size_t whole = 0;
  };
  Need first_need() const;
  bool fill_lap();
  // Moves entries into the open frame; false when the first does not fit, or not whole.
  bool take_first(Frame& frame);
  void take_batches(Pending& entry, Frame& frame, std::uint32_t head, std::size_t length);
  bool take_run(Pending& entry, Frame& frame, std::uint32_t head);
  void note_taken(Pending& entry, Frame& frame, std::uint32_t head, std::uint64_t end);
  static void advance(JournalPoint& framed, const Pending& entry, bool whole);
  void approach_next() const;
  void pop_first();
  void compact();

  Directory& dir_;
  std::vector<Pending> pending_;
  std::size_t begin_ = 0;           // of pending_: what lies before is framed
  std::uint64_t first_number_ = 1;  // of the entry at begin_
  std::uint64_t waiting_bytes_ = 0;
  std::uint64_t held_bytes_ = 0;    // of LogState::held
  std::vector<LogState*> holding_;  // that hold entries behind a run
  std::uint64_t fence_number_ = 0;  // first entry behind the fence; 0: no fence
  std::optional<Lsn> fence_lsn_;
  JournalFrames frames_{dir_};
  Buffer extent_;                 // that is made now
  std::optional<Lsn> last_runs_;  // the newest frame with direct runs
};

}  // namespace tailwater::log
