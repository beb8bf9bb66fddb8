// Writes the bytes of logs from memory into their segment files, off the acknowledged path, in rounds: many
// logs at once, one sync at the end. What a round wrote counts only when that sync is done.
//   when     the journal took an eighth of its ring since the last round, and a log has a run of
//            flush_run_bytes or somebody wants it in its files; somebody waits for that and has nothing else
//            to do; a quarter of the ring or half of the budget of unflushed bytes is full (oldest first); the
//            clean stop (everything, and every file ends exactly)
//   what     only bytes that the journal has made durable. While more bytes of the log are in flight only
//            whole blocks; else up to the end, the cut block filled with zeros. The block that a flush leaves
//            cut is written again later: the next journal entry brings its first bytes along
//            (LogState::head_due)
//   how      a few writes at once, more the nearer the next round is, and the fuller the ring
//   full     a step that finds no room, or no descriptor for its file, is tried again until there is
// A segment that takes no more batches is ended exactly: last block, truncate, then sync. With it go the index of
// its aborted transactions and the snapshot of the place where it ends. That of a clean stop lies within a
// segment when the log goes on: the next clean stop removes it, so that there is one at most.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/disk.hpp"
#include "core/log/log_state.hpp"
#include "core/log/recycler.hpp"
#include "core/log/shared.hpp"

namespace tailwater::log {

class Flusher {
 public:
  explicit Flusher(Directory& dir) : dir_(dir) {}
  ~Flusher();
  Flusher(const Flusher&) = delete;
  Flusher& operator=(const Flusher&) = delete;

  // The log's durable point moved.
  void consider(LogState& log);
  // Somebody wants all of the log in its files, however little that is: it comes along with the next round.
  void request(LogState& log);
  // Whoever asked has nothing else to do until then: the next round does not wait for the journal.
  void hurry() { hurries_ = hurries_ || requests_; }
  // The log's last segment is to have a file soon: large batches that come for it go through the journal before.
  void hasten(LogState& log);
  // Half of what the ring or the memory takes is not flushed.
  bool under_pressure() const;
  void turn();
  void completed(const DiskDone& done);
  bool active() const { return phase_ != Phase::idle; }
  Instant next_deadline() const { return retry_at_; }
  // At the clean stop: nothing is left to write.
  bool finished() const { return finished_; }
  // There was no room for a step; it is tried again at next_deadline().
  bool no_room() const { return no_room_; }
  void abandon();

 private:
  enum class Phase : std::uint8_t { idle, write, sync };
  enum class Step : std::uint8_t { folder, reuse, allocate, write, end, look, done };
  enum class Role : std::uint8_t { folder, reuse, allocate, write, end, look, remove, sync };

  static constexpr std::size_t kPartFiles = kFileKinds + 2;  // the snapshot and the aborted transactions, too

  // What is done to one segment.
  struct Part {
    std::uint64_t number = 0;
    Offset base;
    std::uint64_t from = 0;  // whole blocks
    std::uint64_t to = 0;
    bool last = false;   // the files end exactly afterwards
    bool fresh = false;  // there is no file yet
    std::optional<Recycler::Spare> spare;
    IndexState stored;
    Buffer content[kPartFiles];  // of all but the records
    std::uint64_t at[kPartFiles] = {};
    std::uint64_t size[kPartFiles] = {};  // of the files afterwards
    FileHandle files[kPartFiles] = {};
    std::uint64_t room[kPartFiles] = {};  // asked for
    bool extends = false;                 // with as much size, of the records
    std::vector<Bytes> pieces;
    std::vector<std::uint64_t> places;  // of the pieces, in the file
    MutableBytes cut_block;
    std::vector<cache::Chunk*> pinned;
  };
  struct Job {
    LogState* log = nullptr;  // null: given up
    std::uint32_t generation = 0;
    std::vector<Part> parts;
    std::size_t part = 0;
    Step step = Step::folder;
    std::uint32_t outstanding = 0;
    bool no_room = false;
    bool stops_short = false;  // leaves durable bytes of a block that is not full yet
  };

  void select();
  bool has_room() const;
  void select_oldest();
  void select_ripe();
  void select_everything();
  std::uint64_t writes_for_room() const;
  std::uint64_t round_distance() const;
  // Bytes that went into the journal, or beside it.
  std::uint64_t journaled() const;
  bool take(LogState& log);
  bool ready(const LogState& log) const;
  void plan_parts(LogState& log, Job& job);
  static void set_head_due(LogState& log, Offset segment, std::uint64_t position);
  void plan_part(LogState& log, Segment& segment, std::uint64_t to, bool last, Job& job);
  void plan_exports(LogState& log, const Segment& segment, Part& part);
  void gather(LogState& log, const Segment& segment, Part& part);
  static void take_pieces(const Segment& segment, const cache::Chunk& chunk, std::uint64_t from,
                          std::uint64_t to, Part& part);
  void begin_round();

  void proceed(std::size_t index);
  void run_step(std::size_t index);
  void reuse(std::size_t index, Part& part);
  void reused(Job& job, const DiskDone& done);
  void allocate(std::size_t index, Part& part);
  void write(std::size_t index, Part& part);
  void end_files(std::size_t index, Part& part);
  void look_for_outdated(std::size_t index, const Part& part);
  void remove_outdated(std::size_t index, const std::vector<std::string>& names);
  void remove(std::size_t index, const std::string& name);
  void submit(std::size_t index, FileHandle file, DiskOp op);
  DiskOp op(DiskOpKind kind, Role role, std::size_t index, FileKind file) const;
  std::uint64_t writes_at_once() const;
  void pump();
  void begin_sync();
  void end_round();
  void give_up_outdated();
  void finish(Job& job);
  void release_memory(Job& job);
  void release_files(Job& job);
  void clean_chunks(LogState& log);

  Directory& dir_;
  Phase phase_ = Phase::idle;
  std::uint64_t round_began_ = 0;
  bool requests_ = false;  // since ripe logs were last selected
  bool hurries_ = false;
  std::vector<Job> jobs_;
  std::size_t unwritten_ = 0;  // jobs that are not in step done
  std::uint64_t bytes_ = 0;    // that the round writes: what direct runs have written costs it nothing
  std::size_t files_ = 0;
  bool names_ = false;  // files or folders were made
  std::uint32_t syncs_ = 0;
  bool sync_again_ = false;  // for want of a descriptor
  struct Write {
    FileHandle file = 0;
    DiskOp op;
  };
  std::deque<Write> writes_;
  std::uint32_t writes_in_flight_ = 0;
  Instant retry_at_ = Instant::max();
  bool no_room_ = false;
  bool finished_ = false;
};

}  // namespace tailwater::log
