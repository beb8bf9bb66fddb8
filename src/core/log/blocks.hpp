// Bytes of segment files through the cache of cold blocks: what is there is given, what is not is noted, read
// in one go, and announced by a ticket. Whoever asked then begins anew; nothing is continued. GUARANTEES:
// blocks of a ticket, and those that its look used, stay until the turn after it was announced, so a plan
// made anew gets further however little memory there is.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "base/disk.hpp"
#include "core/cache/cold_cache.hpp"
#include "core/log/log_state.hpp"
#include "core/log/shared.hpp"

namespace tailwater::log {

class BlockReader {
 public:
  explicit BlockReader(Shared& shared) : shared_(shared) {}
  ~BlockReader();
  BlockReader(const BlockReader&) = delete;
  BlockReader& operator=(const BlockReader&) = delete;

  // A file's part that may be read: all of it below `limit` is on the disk.
  struct Source {
    LogState* log = nullptr;
    Segment* segment = nullptr;
    FileKind kind = FileKind::records;
    std::uint64_t limit = 0;
  };

  // Begins a look: forgets what the last one used and missed.
  void begin() {
    used_.clear();
    missing_.clear();
  }
  bool missed() const { return !missing_.empty(); }
  // Copies bytes to `out`; false, and the blocks are noted, if some are not here. REQUIRES: from + out.size()
  // <= limit.
  bool copy(const Source& source, std::uint64_t from, MutableBytes out);
  // The loaded block that holds `position`, as far as it is below the limit; null, and noted, if it is not
  // here.
  cache::ColdBlock* block(const Source& source, std::uint64_t position);
  // Whether it is here; what is not is not noted.
  bool present(const Source& source, std::uint64_t position);
  std::uint32_t block_bytes() const { return shared_.cold.block_bytes(); }

  // Reads everything that was missed, and keeps what was used; the ticket is ready when all of it has come.
  ReadTicket need();
  // A ticket for something else than blocks; it is ready when that is said.
  ReadTicket promise();
  void keep_promise(ReadTicket ticket);
  // Begins to read the block at `position` for later, if memory allows.
  void read_ahead(const Source& source, std::uint64_t position);

  void completed(const DiskDone& done, Directory& dir);
  void turn();

 private:
  struct Missing {
    Source source;
    std::uint64_t index = 0;
  };
  struct Load {
    cache::ColdBlock* block = nullptr;
    LogState* log = nullptr;
    Offset segment_base;
    std::uint64_t segment_number = 0;
    FileKind kind = FileKind::records;
    FileHandle file = 0;
    std::size_t expected = 0;
    std::vector<std::size_t> waiting;  // tickets
  };
  struct Ticket {
    std::uint32_t outstanding = 0;
    std::uint32_t generation = 0;
    std::vector<cache::ColdBlock*> pinned;
  };

  std::optional<std::size_t> load(const Source& source, std::uint64_t index, cache::ColdCache::Budget budget);
  std::size_t free_load();
  void overlay(const Load& load);
  std::size_t free_ticket();
  void announce(std::size_t ticket);
  void pin(Ticket& ticket, cache::ColdBlock* block);
  cache::BlockKey key(const Source& source, std::uint64_t index) const;

  Shared& shared_;
  std::vector<cache::BlockKey> used_;
  std::vector<Missing> missing_;
  std::vector<Load> loads_;
  std::vector<std::size_t> free_loads_;
  std::vector<Ticket> tickets_;
  std::vector<std::size_t> free_tickets_;
  std::vector<std::size_t> announced_;   // since the last turn
  std::vector<std::size_t> releasable_;  // announced before that
};

}  // namespace tailwater::log
