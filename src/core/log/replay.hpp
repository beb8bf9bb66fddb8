// Carries out the entries of the ring over the state of the manifest; see recovery.hpp for what and why.
// Single-threaded, no I/O: chunks are filled, nothing is flushed. Total on entries that make no sense:
// error() says why.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/journal/format.hpp"
#include "core/log/extent.hpp"
#include "core/log/extent_survey.hpp"
#include "core/log/log_state.hpp"
#include "core/log/manifest.hpp"
#include "core/log/tail.hpp"

namespace tailwater::log {

class Replay {
 public:
  Replay(Directory& dir, const ExtentSurvey& survey, Lsn trim) : dir_(dir), survey_(survey), trim_(trim) {}

  // Before the first frame; without one the directory was empty at address 0. False: the directory went
  // offline, see Directory::claim.
  [[nodiscard]] bool load(Manifest manifest);
  // What lies below `settled` was durable, direct runs too.
  void begin_second_look(Lsn settled) {
    settled_ = settled;
    number_ = 0;
  }
  // False: the entries contradict the state, see error(). True and a wish(): the frame goes on with
  // run_read(). Frames with direct runs come when the survey has seen all of the journal.
  bool frame(const journal::FrameHeader& frame, journal::EntryCursor entries);
  // Blocks of a direct run, which have to be read from the segment.
  struct Wish {
    LogState* log = nullptr;
    Segment* segment = nullptr;
    std::uint64_t from = 0;
    std::uint64_t to = 0;
    bool settled = false;  // else they are on the disk, but nobody knows whether on stable storage
  };
  std::optional<Wish> wish() const;
  bool run_read(Bytes blocks);
  // A run of this frame was never finished: neither the frame nor what follows it was acknowledged. Nothing
  // of it was carried out.
  std::optional<Lsn> torn() const { return torn_; }
  // After the last frame.
  bool finish();
  const std::string& error() const { return error_; }

 private:
  // A batch that has not come whole yet, and the head that came with its first piece.
  struct Stash {
    Lsn lsn;
    std::uint64_t position = 0;  // of bytes[0]
    Offset segment;
    Buffer head;
    Buffer bytes;
    bool open = false;  // the next piece of the entry counts, also if the last ended where a batch ends
  };

  // A truncation before the checkpoint that left a part of a block.
  struct Cut {
    LogId log;
    TailPlace place;
  };

  // A direct run that waits for its blocks.
  struct Run {
    LogState* log = nullptr;
    journal::EntryHeader header;
    Extent extent;

    bool whole(Bytes blocks) const;
  };

  bool prove(journal::EntryCursor entries);
  bool go_on();
  bool passes_over(const journal::EntryHeader& entry);
  LogState* log_of(const journal::EntryHeader& entry);
  bool extent(const journal::EntryCursor::Entry& entry);
  bool entry(const journal::EntryCursor::Entry& entry);
  bool batches(const journal::EntryCursor::Entry& entry);
  bool take_batches(LogState& log, Stash& stash, Bytes& all);
  bool redo(LogState& log, const Stash& stash, std::uint64_t position, Bytes batch);
  bool append(LogState& log, const Stash& stash, std::uint64_t position, Bytes batch);
  bool take_head(LogState& log, const Stash& stash);
  void place_head(cache::Chunk& chunk, const Stash& stash, std::uint64_t position);
  void undo(LogState& log, const journal::EntryHeader& entry);
  static bool holds_beyond(const LogState& log, const TailPlace& place);
  void cut_stash(const LogState& log, Offset segment, std::uint64_t position);
  bool create(const journal::EntryCursor::Entry& entry);
  bool change(LogState& log, const journal::EntryCursor::Entry& entry);
  void reach_checkpoint();
  void settle_cut(LogState& log, const TailPlace& place);
  bool settle(LogState& log);
  void rebuild_marks(LogState& log);
  bool wrong(const LogState& log, const std::string& what);

  Directory& dir_;
  const ExtentSurvey& survey_;
  Lsn trim_;
  Lsn checkpoint_;
  Lsn lsn_;  // of the present frame
  bool past_checkpoint_ = false;
  std::map<LogId, Stash> stashes_;
  std::vector<Cut> cuts_;
  Lsn settled_;
  journal::EntryCursor entries_{{}, 0};  // what is left of the present frame
  std::uint64_t number_ = 0;             // of the present entry, as the survey counts
  std::vector<Run> unproven_;            // of the present frame
  std::optional<Run> run_;
  Buffer run_bytes_;
  std::optional<Lsn> torn_;
  // Logs that are emptied or removed by this entry, so that nothing before it counts.
  std::map<LogId, std::uint64_t> dead_until_;
  std::string error_;
};

}  // namespace tailwater::log
