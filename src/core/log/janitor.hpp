// Removes what is no longer wanted: folders of removed logs, files of segments that retention or truncation
// took away. Each step waits until the journal entry that allows it is durable, so a crash never finds files
// gone that the log still has; what a crash leaves behind is removed after the next start (manifest: doomed,
// and the replayed entries).
//   folder    remove entry durable, and nothing on its way to a file in it -> renamed to
//             <name>.<log id>-delete (of a long name its beginning), or, where there is no such folder, an empty one of that name is made ->
//             that is noted in the journal -> after file.delete.delay.ms removed. From the rename on, the name
//             is free for the folder of another log, as of a new topic: a start that finds no note looks for
//             the folder with the new name before it renames anything
//   files     removed after the delay, unless the log has come to have such a segment again
// The delay is for those who still read: folders, and files that a manifest names, are removed by a start without one, or
// a broker that starts once a minute would keep them for ever. So are those of logs that a start finds no topic for.
// A file of records is not removed but renamed into the pool, if that takes it (recycler.hpp), that of a
// removed folder too.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/disk.hpp"
#include "core/log/log_state.hpp"
#include "core/log/manifest.hpp"
#include "core/log/shared.hpp"

namespace tailwater::log {

// What the entry of a removal tells beside it.
inline constexpr std::uint32_t kFolderRenamed = 1;
inline constexpr std::uint32_t kNeverHadFolder = 2;

class Janitor {
 public:
  explicit Janitor(Directory& dir) : dir_(dir) {}
  Janitor(const Janitor&) = delete;
  Janitor& operator=(const Janitor&) = delete;

  // The log was removed; its entry was pushed just now, or was replayed. REQUIRES: it may have a folder.
  void doom_folder(LogState& log);
  // The segment was taken out of the log; the entry that says so was pushed just now (or replayed).
  void doom_files(LogState& log, Segment& segment, Duration delay);
  // From the manifest or the replay.
  void restore(DoomedPath path);
  // The journal says that the folder of this log was renamed away.
  void restore_renamed(LogId log);

  // Whether the log's folder name still belongs to a folder that has to go.
  bool occupies(const LogState& log) const;
  // At the clean stop: a log has to be written under this name, so the folder that has it is renamed even
  // now.
  void want(const LogState& log);
  std::vector<DoomedPath> describe() const;
  bool quiet() const { return in_flight_ == 0; }
  void turn();
  void completed(const DiskDone& done);
  Instant next_deadline() const;

 private:
  enum class Phase : std::uint8_t { entry, look, rename, mark, note, wait, emptying, removing, over };
  // A file of records that may be of use to other segments.
  struct Spare {
    std::string path;
    std::string new_path;  // in the pool, while it is on its way there
    std::uint64_t bytes = 0;
  };
  struct Doomed {
    DoomedPath path;
    LogState* log = nullptr;   // referenced until the rename, and while files of it are removed
    Offset base;               // of the segment, for files
    std::uint64_t number = 0;  // of the journal entry that must be durable
    Duration delay;
    Instant due;
    Phase phase = Phase::entry;
    bool busy = false;
    bool again = false;     // a file could not be removed for want of a descriptor
    bool restored = false;  // of an earlier run, which may have renamed it
    std::uint32_t outstanding = 0;
    std::vector<Spare> spares;  // of a folder: by their names in it
  };

  static bool uses(const Doomed& doomed);
  void step(std::size_t index);
  // An operation of a folder on its way to `note`; `phase` is that of its completion.
  void send(std::size_t index, DiskOpKind kind, Phase phase);
  void renamed(Doomed& doomed);
  void dispose(std::size_t index);
  // Whether files go to the pool first.
  bool empty(std::size_t index);
  void remove(std::size_t index);
  void release_name(const Doomed& doomed);
  void release_log(Doomed& doomed);

  Directory& dir_;
  std::vector<Doomed> doomed_;  // places are stable while operations are in flight
  std::map<std::string, std::uint32_t> names_;
  std::set<std::string> wanted_;
  std::uint32_t in_flight_ = 0;
  Instant next_due_ = Instant::max();
};

}  // namespace tailwater::log
