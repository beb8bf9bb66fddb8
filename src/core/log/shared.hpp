// What all directories of a shard's storage share: options, caches, open files, the wishes of the turn, the
// news.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/cache/block_pool.hpp"
#include "core/cache/cold_cache.hpp"
#include "core/cache/tail_cache.hpp"
#include "core/cache/tail_room.hpp"
#include "core/log/compaction_pace.hpp"
#include "core/log/files.hpp"
#include "core/log/log_state.hpp"
#include "core/log/storage.hpp"

namespace tailwater::log {

struct News {
  std::vector<Log*> changed;
  std::vector<ReadTicket> ready;
  std::vector<DirId> failed;
  std::vector<std::string> faults;
  bool empty() const { return changed.empty() && ready.empty() && failed.empty() && faults.empty(); }
};

// Owns the logs of all directories. What was removed stays until nothing refers to it.
struct LogRegistry {
  std::map<LogId, std::unique_ptr<Log>> logs;
  std::vector<std::unique_ptr<Log>> removed;
  std::vector<Log*> listed;  // all of `logs`, in order
  bool listed_valid = true;

  void sweep() {
    std::erase_if(removed, [](const std::unique_ptr<Log>& log) { return state_of(*log).references == 0; });
  }
};

// The disk had no room, no descriptor or no memory for one: nothing of the operation counts, nothing is lost, and
// it may be asked for again.
inline bool found_no_room(const DiskDone& done) {
  return !done.outcome && done.outcome.error().code == Errc::out_of_space;
}

struct Shared {
  explicit Shared(StorageOptions given)
      : options(std::move(given)),
        pool(options.pages),
        cold(pool, options.cold_block_bytes, options.memory_bytes / 100 * options.cold_percent_max),
        room(options.tail_bytes_start, options.memory_bytes),
        files(options, outbox),
        pace(options.compaction_bytes_per_second) {}
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;

  const StorageOptions options;
  DiskEffects outbox;
  cache::BlockPool pool;
  cache::TailCache tail{pool};
  cache::ColdCache cold;
  cache::TailRoom room;
  Files files;
  CompactionPace pace;
  News news;
  LogRegistry registry;
  std::uint64_t next_segment_number = 1;

  static std::uint64_t block_file(const Segment& segment, FileKind kind) {
    return segment.number * 4 + static_cast<std::uint64_t>(kind);
  }
  // The segment's files have changed between these positions: what was read of them before is outdated.
  void forget_blocks(const Segment& segment, std::uint64_t from, std::uint64_t to) {
    const std::uint64_t size = cold.block_bytes();
    for (std::uint64_t index = from / size; index <= to / size; ++index) {
      cold.drop({block_file(segment, FileKind::records), index});
    }
    // The index files are small, and grow at their ends.
    for (const FileKind kind : {FileKind::index, FileKind::time_index}) {
      const std::uint64_t last = std::uint64_t{segment.stored.entries} * kTimeEntrySize / size;
      for (std::uint64_t index = 0; index <= last + 1; ++index) cold.drop({block_file(segment, kind), index});
    }
  }

  // An index that is damaged or gone is done without.
  void note_damaged_index(const std::string& path) {
    news.faults.push_back(path +
                          " is damaged: reads go without it and are slower. 'tailwater log rebuild' makes it "
                          "anew while no broker runs");
  }

  std::string dir_name(DirId dir) const {
    if (dir.value < options.dir_names.size()) return options.dir_names[dir.value];
    return "log directory " + std::to_string(dir.value);
  }

  std::uint64_t dirty_bytes_max() const { return options.memory_bytes / 100 * options.dirty_percent_max; }
};

}  // namespace tailwater::log
