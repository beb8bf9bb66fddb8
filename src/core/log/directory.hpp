// One ring of a shard in one log directory, its logs, and the parts that keep it going. The parts share this
// struct; each rule is written where the part is.
//   Where topics may be kept with tailwater.durability=os a log directory has two of these, twins: one for
//   logs whose records are on stable storage before they are acknowledged, and a soft one, whose frames are
//   acknowledged when the operating system has them (journal_queue.hpp). A log belongs to one of them as long
//   as it lives, so its entries need no order over two rings. What the soft one does not share is the ring
//   and the manifest; the file system is the same, so an error takes both offline.
//   A soft ring is made when the first log asks for one: until then the twin is asleep. What its first logs
//   do waits for it as newcomers do (newcomers.hpp).
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/journal/ring_writer.hpp"
#include "core/journal/superblock.hpp"
#include "core/log/checkpoint.hpp"
#include "core/log/direct_runs.hpp"
#include "core/log/flush.hpp"
#include "core/log/growth.hpp"
#include "core/log/head_loader.hpp"
#include "core/log/janitor.hpp"
#include "core/log/journal_queue.hpp"
#include "core/log/newcomers.hpp"
#include "core/log/recovery.hpp"
#include "core/log/recycler.hpp"
#include "core/log/shared.hpp"

namespace tailwater::log {

struct Directory {
  enum class Kind : std::uint8_t { hard, soft };
  Directory(Shared& shared_state, DirId dir_id, std::size_t place, Kind kind)
      : shared(shared_state), id(dir_id), index(place), soft(kind == Kind::soft) {}
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  Shared& shared;
  const DirId id;
  const std::size_t index;
  const bool soft;
  Directory* twin = nullptr;
  DirReport report;
  Now now{};  // of the present input

  journal::RingWriter ring;
  FileId ring_file;
  std::map<LogId, LogState*> logs;
  std::uint64_t next_log_id = 0;
  // Logs with something that is not in their files yet, by the first frame that is still needed for it.
  std::set<std::pair<Lsn, LogId>> dirty;
  // Logs that have a run worth flushing without need.
  std::deque<LogState*> ripe;
  bool stopping = false;
  std::uint32_t compacting = 0;  // jobs on its logs, whose steps a clean stop waits for
  bool recovered = false;
  enum class Rest : std::uint8_t { awake, waking, asleep };
  Rest rest = Rest::awake;  // else the ring is not there (yet), and nothing was ever written
  // Until the journal has jumped (superblock.hpp): logs are flushed to make room for that, nothing new is
  // taken.
  bool frames_blocked = false;
  bool eased = false;  // since the start no more than half of the ring was in use once

  DirectRuns direct{*this};
  JournalQueue journal{*this};
  Flusher flusher{*this};
  Checkpointer checkpoint{*this};
  Growth growth{*this};
  Recycler recycler{*this};
  Janitor janitor{*this};
  HeadLoader heads{*this};
  Newcomers newcomers{*this};
  Starter starter{*this};

  bool full() const {
    const bool no_room = flusher.no_room() || checkpoint.no_room() || starter.no_room();
    return no_room && !pool().giving_way();
  }
  // Of retired files; twins share one.
  Recycler& pool() { return soft ? twin->recycler : recycler; }
  const Recycler& pool() const { return soft ? twin->recycler : recycler; }
  // The disk had no room: when to ask again. What the pool has goes before anybody is held back.
  Instant room_retry_at(Duration pause);
  Instant room_retry_at() { return room_retry_at(shared.options.full_retry_interval); }
  // Twins are of use together: each may know of folders that the other's logs have to wait for.
  bool online() const {
    return recovered && (twin == nullptr || twin->recovered) && report.state != DirState::offline;
  }
  // What comes while a soft ring is being made waits, its last steps included (newcomers.hpp).
  bool accepts() const { return online() && (!frames_blocked || rest == Rest::waking); }
  bool awake() const { return rest == Rest::awake; }
  void take_offline(Error error);
  // A disk error that is not "full": takes the directory offline. Returns whether it did.
  bool check(const DiskDone& done);

  // Where a directory was copied, two name one log, and only one of them may go on with it. That of the
  // metadata does, or, if they name neither, that which stands first in the options: whichever is read first,
  // it is the same one at every start and on every shard. The other goes offline, and its logs are forgotten.
  // Returns whether this one may have the log.
  bool claim(const LogIdentity& log);
  void own(std::unique_ptr<LogState> log);
  void disown(LogState& log);
  // For a removed log of an earlier run: something that entries and operations may refer to.
  LogState& stand_in(LogId id);

  void set_dirty(LogState& log, Lsn lsn);
  void clear_dirty(LogState& log);
  // Bytes of the ring that are in use or asked for.
  std::uint64_t ring_demand() const { return ring.used() + journal.demand(); }
  // Beyond this demand no more batches are asked for: room is made first. What lies between it and room_end()
  // is for the one batch that was asked for. A killed process leaves the ring as full as it was: so a start takes a
  // sixteenth more, until it was half empty once, and those who come back need not wait for what their load had left.
  std::uint64_t taking_end() const {
    return taking_end(ring.capacity()) - (eased ? ring.capacity() / 16 : 0);
  }
  std::uint64_t room_end() const { return room_end(ring.capacity()); }
  static std::uint64_t taking_end(std::uint64_t capacity) { return capacity / 8 * 5; }
  static std::uint64_t room_end(std::uint64_t capacity) { return capacity - capacity / 16; }
  // Everything that waits always fits into the ring, whatever is trimmed: else no checkpoint could ever pass
  // it.
  bool has_room(std::uint64_t bytes) const {
    return ring.used() + journal.demand(bytes + 2 * journal::kBlock) <= room_end();
  }
  // Whether a batch so large is sure of room while the demand is not beyond taking_end(): if not, it could
  // wait for ever. A quarter of the ring, from 2 MiB on; an eighth from 512 KiB on.
  bool takes(std::uint64_t bytes) const { return takes(bytes, ring.capacity()); }
  bool takes(std::uint64_t bytes, std::uint64_t capacity) const {
    return bytes <= capacity / 4 &&
           journal.demand_of(bytes + 2 * journal::kBlock) <= room_end(capacity) - taking_end(capacity);
  }
  // The journal says of the segment's file what only the file can show.
  bool names_run_of(const Segment& segment) const {
    return segment.last_extent && *segment.last_extent >= ring.trim();
  }
  // The file of a segment, named for use: the last segment's are made if absent.
  FileHandle file_of(const LogState& log, Segment& segment, FileKind kind);
  void forget_files(Segment& segment);
  // What the names of ring and manifests begin with: "<shard>", of a soft one "<shard>-os".
  std::string name() const;
  std::string ring_path() const { return "journal/" + name() + ".jnl"; }
  std::string manifest_path(std::uint64_t generation) const {
    return "manifest/" + name() + "-" + std::to_string(generation);
  }
  DiskOp op(DiskOpKind kind, Part part, std::uint64_t detail) const;
};

}  // namespace tailwater::log
