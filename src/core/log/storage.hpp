// All logs of one shard: per log directory a journal, a manifest and segment files; over all directories one
// cache. A pure machine: it wishes disk operations (DiskOp) and is told their outcomes in any order.
// Single-threaded, no locks.
//
// GUARANTEES
//   - what is below Log::durable_end() survives kill -9 and power loss; nothing is acknowledged by anything
//     else. Of logs with os_durable it survives kill -9 for sure; of what is lost with the machine nothing
//     stands before something that is kept.
//   - offsets are dense and never given twice; a producer's batch is appended once, also across a restart.
//   - a start reads manifest and ring, never one directory per partition.
//   - an error other than a full disk takes its directory offline, and is never retried into success.
//   - memory stays within the budget: held_back() says when to stop reading produce requests.
// MUST NOT validate record bytes: append() takes what records::validate_for_produce() accepted, or what else matches its
// checksum: that of a direct run rests on it.
//
//   use   start(effects); then turn by turn: completed() for each input; changed() and ready_reads() say
//         which waiting produces and fetches to look at again; clear_news(); appends and plans;
//         turn(effects) last
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/disk.hpp"
#include "base/duration_histogram.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "core/log/config.hpp"
#include "core/log/log.hpp"
#include "records/validate.hpp"

namespace tailwater::log {

struct Manifest;

using DiskEffects = std::vector<DiskOp>;

// --- append

enum class AppendRefusal : std::uint8_t {
  storage,                 // the directory is offline, or has no room for a larger ring: KAFKA_STORAGE_ERROR
  invalid_producer_epoch,  // 47
  out_of_order_sequence,   // 45
  invalid_txn_state,       // 48
  too_large,               // beyond segment.bytes, or what the ring takes: RECORD_LIST_TOO_LARGE
  held_back,  // the ring has no room, or grows for this batch: append again when held_back() is false
  out_of_order_offset,  // Origin::replica only: the batch does not begin at the log's end
};

enum class Origin : std::uint8_t {
  client,   // a produce: offsets and epoch are given here, the producer's sequence is checked
  broker,   // the same for records that a coordinator of this broker writes; transaction markers too
  replica,  // fetched from the leader: offsets, epoch and timestamps are in the batch already, nothing is
            // refused
};

struct AppendTerms {
  LeaderEpoch epoch{0};
  Origin origin = Origin::client;
};

struct Appended {
  Offset base;
  Offset last;
  WallTime append_time{-1};  // with LogAppendTime, else -1
  bool duplicate =
      false;  // was appended before; base and append_time are those of then. Durable when durable_end > last
};

// --- read

// Keeps the bytes of a plan where they are until unpin().
struct PinHandle {
  std::uint64_t value = 0;
  friend constexpr auto operator<=>(PinHandle, PinHandle) = default;
};

// Names a wait for blocks from the disk; ready_reads() lists it once, then the caller plans again in the same
// turn.
struct ReadTicket {
  std::uint64_t value = 0;
  friend constexpr auto operator<=>(ReadTicket, ReadTicket) = default;
};

struct ReadRequest {
  Offset from;
  std::size_t bytes_max = 0;
  Offset upper_bound;              // exclusive: high watermark, last stable offset or the log's end
  bool at_least_one_batch = true;  // KIP-74: the first batch comes whole even beyond bytes_max
};

struct ReadPlan {
  enum class Kind : std::uint8_t {
    hot,     // pieces were appended; unpin(pin) when they are sent
    need,    // plan again when `ticket` is ready
    at_end,  // nothing between `from` and the bound (or the first batch does not fit and need not be sent)
    out_of_range,  // `from` is below the log's start or beyond its end
    failed,        // the directory is offline
    corrupt,       // what the disk gave is not what was written; take_faults() says where
  };
  Kind kind = Kind::at_end;
  PinHandle pin;
  ReadTicket ticket;
  std::size_t bytes = 0;
  Offset next;  // of the record behind the last byte
  // Of plans that are hot or at_end: there is more below the bound, and whether in another segment.
  bool more = false;
  bool more_segments = false;
};

struct TimestampAnswer {
  enum class Kind : std::uint8_t { found, none, need, failed, corrupt };  // as in ReadPlan
  Kind kind = Kind::none;
  Offset offset{-1};
  WallTime timestamp{-1};
  LeaderEpoch epoch{-1};
  ReadTicket ticket;
};

struct TruncateAnswer {
  enum class Kind : std::uint8_t { done, need, failed };
  Kind kind = Kind::done;
  ReadTicket ticket;
};

// An aborted transaction as a fetch with read_committed names it.
struct AbortedTransaction {
  ProducerId producer_id;
  Offset first_offset;
  friend bool operator==(const AbortedTransaction&, const AbortedTransaction&) = default;
};

// --- the state of a directory

enum class DirState : std::uint8_t {
  starting,
  online,
  full,     // the disk has no room: held back, asked again every second
  offline,  // see failure()
  stopped,  // everything is in its files, ended exactly
};

struct DirReport {
  DirState state = DirState::starting;
  Error failure;                     // when offline: what to tell the user
  bool clean_start = false;          // the last stop was a clean one
  std::uint64_t replayed_bytes = 0;  // of the ring, at start
  std::uint64_t ring_bytes = 0;
  std::uint64_t ring_used_bytes = 0;
  std::uint64_t frames = 0;  // since start; with the two below: journal_padding_ratio
  std::uint64_t frame_bytes = 0;
  std::uint64_t frame_payload_bytes = 0;
  DurationHistogram frame_times;  // from a frame's forming until it is durable
  std::uint64_t flushed_bytes = 0;
  std::uint64_t direct_runs = 0;  // see DirectRuns
  std::uint64_t direct_bytes = 0;
  std::uint64_t dirty_bytes = 0;
  std::uint64_t recycled_segments = 0;  // made of a retired file; twins count together
  std::uint64_t recycle_bytes = 0;      // in retired files that this shard put aside, as far as it knows
};

// What compaction did since the start, for metrics.
struct CompactionStats {
  std::uint64_t rounds = 0;
  std::uint64_t bytes_moved = 0;   // read and written, unfinished rounds included
  std::uint64_t bytes_before = 0;  // of the segments that finished rounds have rewritten
  std::uint64_t bytes_after = 0;
  std::uint64_t unreadable_batches = 0;
  std::uint64_t uncleanable_logs = 0;
  std::int64_t max_dirty_millionths = 0;  // of the dirtiest log, when last looked at
  std::int64_t max_delay_ms = 0;          // beyond max.compaction.lag.ms
  Instant last_end;
  std::int64_t last_ms = 0;  // that the last round took; the longest one
  std::int64_t max_ms = 0;
  std::uint32_t last_map_percent = 0;  // of the map's memory
};

// What is held for the bytes of all logs.
struct CacheReport {
  std::uint64_t unflushed = 0;  // in memory with anything that is not in its file yet
  std::uint64_t recent = 0;     // in the files as well
  std::uint64_t cold = 0;       // read back
  std::uint64_t other = 0;      // frames on their way to the disk, and what is kept to be used again
  std::uint64_t bytes() const { return unflushed + recent + cold + other; }
};

class Storage {
 public:
  explicit Storage(StorageOptions options);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  // --- life
  // Begins recovery. A directory is usable when state() is no longer `starting`; the others go on without it.
  void start(Now now, DiskEffects& effects);
  void completed(DiskDone done, Now now);
  // Forms journal frames, plans flushes, retention and trimming, and lists the turn's wishes.
  void turn(Now now, DiskEffects& effects);
  // When turn() is wanted even if nothing else happens.
  Instant next_deadline() const;
  // Begins the clean stop: nothing may be appended any more; continue with turns until stopped().
  void stop();
  bool stopped() const;

  // The state of the directory's logs, those of its soft ring apart. REQUIRES: stopped(), so that it needs
  // nothing of the journal; for `soft`: options.os_ring.
  Manifest describe(DirId dir, bool soft = false) const;

  bool recovered() const;  // no directory is starting
  // Of its hard ring, or of the soft one: then options.os_ring.
  const DirReport& report(DirId dir, bool soft = false) const;
  // The ring or the budget for unflushed bytes is full: do not read produce requests for this directory.
  // While it is false one batch always finds room, unless the ring has to grow for it; ask before each.
  bool held_back(DirId dir) const;
  CacheReport cache() const;
  const CompactionStats& compaction() const;
  // Reads since the start that were refused because of damaged bytes.
  std::uint64_t corrupt_reads() const;
  // Plans whose bytes are kept where they are.
  std::uint64_t pinned_reads() const;

  // --- logs
  // REQUIRES: the directory is online, and there is no log with this topic id and partition. No file is made
  // yet. `config.os_durable` chooses the ring, for good; what a log promises follows its present settings.
  Result<Log*> create(const LogIdentity& identity, const LogConfig& config);
  Log* find(LogId id);
  // Forgets the log at once; its files are renamed away and removed later.
  void remove(LogId id);
  // All logs in the order of their ids: after recovery, for matching them with the metadata.
  std::span<Log* const> logs() const;
  // The settings are not stored: whoever owns the metadata sets them after recovery. Until then neither
  // retention nor compaction looks at the log.
  void set_config(Log& log, const LogConfig& config);
  // producer.id.expiration.ms from now on; until then it is that of the options.
  void set_producer_expiration_ms(std::int64_t expiration_ms);
  // log.cleaner.dedupe.buffer.size (this storage's part) and log.cleaner.backoff.ms, likewise.
  void set_compaction(std::uint64_t map_bytes, Duration interval);

  // --- writing
  std::expected<Appended, AppendRefusal> append(Log& log, Bytes batch, const records::BatchInfo& info,
                                                const AppendTerms& terms, Now now);
  // Whether nothing that is appended to `second` from now on can be kept without what was appended to `first`
  // until now: both share a ring, whose valid prefix is what a crash leaves, and nothing of `first` waits
  // outside its queue. Then it is made sure of: nothing joins an entry of `second` that waits in front.
  static bool goes_before(const Log& first, Log& second);
  // The last append is to be on stable storage soon, whatever is promised of this log; changed() lists the log when
  // stable_end() has passed it. It is acknowledged no later for that. REQUIRES: appended since the last turn().
  static void want_stable(Log& log);
  // A new leader writes from here on: notes (epoch, end_offset). Ignored unless the epoch is larger than the
  // latest.
  void begin_epoch(Log& log, LeaderEpoch epoch);
  // DeleteRecords: records below `start` are gone. REQUIRES: start <= end_offset. Never moves back.
  void set_log_start(Log& log, Offset start);
  // Removes all batches that hold an offset >= `end`.
  TruncateAnswer truncate(Log& log, Offset end);
  // Removes everything; the next record gets offset `start` (a follower that is too far behind).
  void restart_at(Log& log, Offset start);
  // Bounds retention, and decides which ended transactions count as open. Until first called it is
  // durable_end().
  void set_high_watermark(Log& log, Offset high_watermark);

  // --- reading. Pieces are appended to `pieces`; they begin with the batch that holds `from` and end with a
  // batch.
  ReadPlan plan_read(Log& log, const ReadRequest& request, std::vector<Bytes>& pieces);
  void unpin(PinHandle pin);
  // The first record with a timestamp >= `at_least`, below `upper_bound`; the record with the largest
  // timestamp.
  TimestampAnswer find_timestamp(Log& log, WallTime at_least, Offset upper_bound);
  TimestampAnswer max_timestamp(Log& log, Offset upper_bound);
  // Aborted transactions that overlap [from, upper), appended to `aborted`: for fetches with read_committed.
  void aborted_transactions(const Log& log, Offset from, Offset upper,
                            std::vector<AbortedTransaction>& aborted) const;

  // --- news since clear_news(): take them after the turn's inputs, act, clear, then call turn()
  // Logs whose durable_end or start moved, or whose stable_end did as wanted, each once.
  std::span<Log* const> changed() const;
  std::span<const ReadTicket> ready_reads() const;
  // Directories that went offline.
  std::span<const DirId> failed() const;
  // What was found in the files since the last call that somebody ought to look at: a sentence each. Reading
  // finds some, too, so these stay until they are taken.
  std::vector<std::string> take_faults();
  void clear_news();

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace tailwater::log
