// Reads back the first bytes of the block that a log's end cuts, when they are no longer in memory and the
// log is appended to: the block will be written again, and the journal has to hold all of it. Until they are
// here the log's entries wait outside the journal's queue (LogState::held), so that nobody else does.
#pragma once

#include <cstdint>
#include <vector>

#include "base/disk.hpp"
#include "base/time.hpp"
#include "core/log/log_state.hpp"

namespace tailwater::log {

class HeadLoader {
 public:
  explicit HeadLoader(Directory& dir) : dir_(dir) {}
  ~HeadLoader();
  HeadLoader(const HeadLoader&) = delete;
  HeadLoader& operator=(const HeadLoader&) = delete;

  // Begins if the block that the active segment's file ends in is not whole in memory. Call after the chunk
  // was made, before its entry is pushed.
  void load_if_missing(LogState& log);
  void completed(const DiskDone& done);
  // Reads again what found no descriptor.
  void turn();
  Instant next_deadline() const { return retry_at_; }
  std::size_t active() const { return active_; }

 private:
  struct Load {
    LogState* log = nullptr;
    cache::Chunk* chunk = nullptr;
    FileHandle file = 0;
    std::uint64_t segment_number = 0;
    std::uint64_t block = 0;
    MutableBytes memory;
    bool again = false;  // it found no descriptor; the file is kept
  };
  void begin(LogState& log, cache::Chunk& chunk);
  void send(std::size_t slot);
  static void place(LogState& log, const cache::Chunk& chunk, const Load& load);

  Directory& dir_;
  std::vector<Load> loads_;
  std::vector<std::size_t> free_;
  std::size_t active_ = 0;
  Instant retry_at_ = Instant::max();
};

}  // namespace tailwater::log
