// The files that machines have open: descriptor, order of operations, and which descriptor to give up when
// too many are open. Descriptors locked for exclusive use stay; so do files in use and files with writes not
// yet synced. Of the shard's thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/disk.hpp"
#include "shell/disk/descriptor.hpp"
#include "shell/disk/flush_order.hpp"

namespace tailwater::shell {

// Life:  opening -> open <-> resting (descriptor given up) -> reopening -> open;   open | resting -> closing
// -> gone
struct FileSlot {
  enum class State : std::uint8_t { opening, open, resting, reopening, closing };

  FileId file;
  DirId dir;
  std::string path;
  bool exclusive = false;
  bool wants_direct = false;
  bool direct = false;
  State state = State::opening;
  Descriptor descriptor;

  std::deque<std::uint64_t> waiting;         // operations that wait for their turn, oldest first
  std::vector<std::uint64_t> writes;         // writes that have begun and not ended
  std::vector<std::uint64_t> waiting_syncs;  // syncs that wait for writes before them
  FlushOrder flushes;        // of a file that is not direct: only then others have what may fail
  std::uint32_t active = 0;  // operations that have begun and are not answered, waiting syncs included
  bool nameless = false;     // its path was removed or given to another file: it cannot be opened again
  bool cutting = false;      // a truncate runs: nothing else may
  std::uint64_t last_unsynced_write = 0;  // 0: everything written is synced
  std::string failure;                    // of a write or sync: the file never becomes durable again

  // The next operation's number when a write that was not durable ended last.
  std::uint64_t unsynced_ended = 0;

  // Position among the files that may be given up, least recently used first.
  std::list<FileSlot*>::iterator used;
  bool listed = false;

  bool has_write_before(std::uint64_t number) const;
};

class FileTable {
 public:
  FileSlot* find(FileId file);
  FileSlot& add(FileId file, DirId dir, std::string path);
  void erase(FileSlot& slot);

  // The descriptor is there: counts it, and lists the file as one that may be given up unless it is
  // exclusive.
  void opened(FileSlot& slot, Descriptor descriptor);
  // Takes the descriptor away, to be closed by a worker.
  Descriptor take(FileSlot& slot);
  void touch(FileSlot& slot);
  // A file whose descriptor may go, or null. Looks at a few of the least recently used ones.
  FileSlot* least_used();

  // A file or folder has a new name.
  void renamed(DirId dir, const std::string& from, const std::string& to);
  // Files at or below the path were removed or replaced: they keep their descriptors for good, or have none.
  void unnamed(DirId dir, const std::string& path);
  // True if a file at or below the path has a descriptor.
  bool has_open(DirId dir, const std::string& path) const;

  // Open files of the directory with writes that are not synced.
  std::vector<FileSlot*> unsynced(DirId dir) const;
  // Everything of the directory that had ended when operation `number` was submitted is synced.
  void synced(DirId dir, std::uint64_t number);

  std::size_t descriptors() const { return descriptors_; }
  std::size_t size() const { return slots_.size(); }

 private:
  std::unordered_map<FileId, std::unique_ptr<FileSlot>> slots_;
  std::unordered_map<std::string, std::vector<FileSlot*>> by_key_;  // key: see path_key
  std::list<FileSlot*> used_;
  std::size_t descriptors_ = 0;
};

// What operations on paths are ordered by: the log directory and the first component of the path.
std::string path_key(DirId dir, const std::string& path);

}  // namespace tailwater::shell
