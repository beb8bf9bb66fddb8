// Carries out the entries of the ring over the state of the manifest; see recovery.hpp for what and why.
// Single-threaded, no I/O: chunks are filled, nothing is flushed. Total on entries that make no sense:
// error() says why.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/journal/format.hpp"
#include "core/log/log_state.hpp"
#include "core/log/manifest.hpp"
#include "core/log/tail.hpp"

namespace tailwater::log {

class Replay {
 public:
  Replay(Directory& dir, Lsn trim) : dir_(dir), trim_(trim) {}

  // Before the first frame; without one the directory was empty at address 0.
  void load(Manifest manifest);
  // False: the entries contradict the state, see error().
  bool frame(const journal::FrameHeader& frame, journal::EntryCursor entries);
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

  bool entry(const journal::EntryCursor::Entry& entry);
  bool batches(const journal::EntryCursor::Entry& entry);
  bool take_batches(LogState& log, Stash& stash);
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
  Lsn trim_;
  Lsn checkpoint_;
  Lsn lsn_;  // of the present frame
  bool past_checkpoint_ = false;
  std::map<LogId, Stash> stashes_;
  std::vector<Cut> cuts_;
  std::string error_;
};

}  // namespace tailwater::log
