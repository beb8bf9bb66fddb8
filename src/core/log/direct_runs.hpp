// Large runs of one log's records on their way straight to the segment file, beside the frames that name them.
//   may go   a log that is not compacted; whole blocks that hold nothing else; the file has its name on stable
//            storage (something of it was flushed), and size and blocks ahead (before these run out more are
//            asked for)
//   waits    one run of a file at a time, and a bound for all: what could go but for these waits, rather than
//            be written twice; what is appended to the log meanwhile joins it, and nobody else waits for it
//   counts   a frame is durable when it and all of its runs are (JournalQueue)
// What is on stable storage so the Flusher need not write again (Segment::direct).
// GUARANTEES: never two writes of one block at a time. MUST NOT be used for a soft ring: its frames are
// acknowledged before a sync.
#pragma once

#include <cstdint>
#include <vector>

#include "base/disk.hpp"
#include "base/time.hpp"
#include "core/log/log_state.hpp"
#include "core/log/shared.hpp"

namespace tailwater::log {

class DirectRuns {
 public:
  explicit DirectRuns(Directory& dir) : dir_(dir) {}
  ~DirectRuns();
  DirectRuns(const DirectRuns&) = delete;
  DirectRuns& operator=(const DirectRuns&) = delete;

  // Whether what is appended to the log now may go straight to its segment, once enough of it is there.
  bool may_take(const LogState& log) const;
  // Large enough, and of a log that may have runs.
  bool takes(const Pending& entry) const;
  enum class Way : std::uint8_t { journal, direct, later };
  Way way_of(LogState& log, const Pending& run);
  // REQUIRES: way_of() says direct; `frame` names it.
  void begin(const Pending& run, Lsn frame);
  void completed(const DiskDone& done);
  // Writes again what found no descriptor for its file, and so was not written.
  void turn();
  Instant next_deadline() const { return retry_at_; }
  // Since the start.
  std::uint64_t bytes() const { return bytes_; }

 private:
  enum class Role : std::uint8_t { free, write, extend };
  struct Run {
    Role role = Role::free;
    LogState* log = nullptr;
    std::uint32_t generation = 0;
    Offset segment;
    std::uint64_t number = 0;  // of the segment
    cache::Chunk* chunk = nullptr;
    FileHandle file = 0;
    std::uint64_t from = 0;  // of the blocks; when extending, of the new room
    std::uint64_t to = 0;
    Lsn frame;
    bool again = false;  // it found no descriptor
  };

  bool possible(const LogState& log) const;
  bool has_room(LogState& log, Segment& segment, std::uint64_t to);
  std::uint64_t room_ahead(std::uint64_t size) const;
  static bool may_extend(const LogState& log, const Segment& segment);
  void extend(LogState& log, Segment& segment, std::uint64_t to);
  std::size_t add(Run run);
  void release(Run& run);
  DiskOp op(DiskOpKind kind, std::size_t index) const;
  void write(std::size_t index);
  void written(Run& run, const DiskDone& done);
  void extended(Run& run, const DiskDone& done);

  Directory& dir_;
  std::vector<Run> runs_;
  std::uint64_t in_flight_ = 0;  // bytes
  std::uint64_t bytes_ = 0;
  Instant extend_not_before_;
  Instant retry_at_ = Instant::max();
};

}  // namespace tailwater::log
