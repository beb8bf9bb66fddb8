// The inside of one log: what the parts of this room (appending, flushing, reading, recovery) share about it.
// Invariants
//   - segments is never empty; only the last one takes batches; positions count from the beginning of their
//     segment.
//   - chunks are the newest bytes without a gap: from chunks.front().first to the end. What is older is in
//     the files.
//   - durable <= framed <= end: what is on stable storage, what went into a journal frame, what was appended.
//     durable_end is the offset of `durable`; in a soft ring it may be ahead, up to what was written.
//   - a log with unflushed bytes or an unfinished file is in the directory's set of dirty logs, under the
//     address of the first frame that is still needed for it.
//   - head_due: the block that this position cuts was (or is being) written by a flush that ended there, so
//     the next journal entry, if it begins there, brings the block's first bytes along.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "core/cache/tail_cache.hpp"
#include "core/journal/format.hpp"
#include "core/log/epochs.hpp"
#include "core/log/log.hpp"
#include "core/log/producer_state.hpp"
#include "core/log/segment.hpp"

namespace tailwater::log {

struct Directory;

// Chunks in the order of their bytes; taking from the front is cheap. Where each begins is kept beside it, so
// that looking for an offset touches no chunk. REQUIRES: a chunk's first offset stays while it is in the
// list.
class ChunkList {
 public:
  bool empty() const { return begin_ == places_.size(); }
  std::size_t size() const { return places_.size() - begin_; }
  cache::Chunk* operator[](std::size_t index) const { return places_[begin_ + index].chunk; }
  cache::Chunk* front() const { return places_[begin_].chunk; }
  cache::Chunk* back() const { return places_.back().chunk; }
  const void* last_place() const { return &places_.back(); }
  // The last one that does not begin behind the offset; the first one if all do. REQUIRES: not empty.
  std::size_t find(Offset offset) const {
    std::size_t low = begin_;
    std::size_t high = places_.size();
    while (high - low > 1) {
      const std::size_t middle = (low + high) / 2;
      (places_[middle].first <= offset ? low : high) = middle;
    }
    return low - begin_;
  }
  void push_back(cache::Chunk* chunk) { places_.push_back({chunk->first_offset, chunk}); }
  void pop_back() { places_.pop_back(); }
  void pop_front() {
    if (++begin_ * 2 >= places_.size()) {
      places_.erase(places_.begin(), places_.begin() + static_cast<std::ptrdiff_t>(begin_));
      begin_ = 0;
    }
  }

 private:
  struct Place {
    Offset first;
    cache::Chunk* chunk = nullptr;
  };
  std::vector<Place> places_;
  std::size_t begin_ = 0;
};

// A place in a log's bytes that the journal has reached.
struct JournalPoint {
  Offset segment;              // base of the segment
  std::uint64_t position = 0;  // behind the last entry that went in whole
  Offset offset;
  // If the position cuts a block: the first frame of those that together hold the block's bytes up to here.
  std::optional<Lsn> block;
  // If more than the position went in: the frame in which the entry began that is not whole yet; after a
  // truncation, until its own entry went in: the first frame with entries from before it, of which the log
  // may have kept a part.
  std::optional<Lsn> partial;
};

// An entry that waits for its frame.
struct Pending {
  LogState* log = nullptr;
  journal::EntryKind kind{};
  std::uint32_t generation = 0;
  std::uint32_t argument = 0;
  cache::Chunk* chunk = nullptr;  // pinned; of kind batches
  std::uint64_t from = 0;
  std::uint64_t to = 0;
  std::optional<Lsn> begun;   // the frame with its first piece
  std::uint32_t head = 0;     // bytes of its block that it will bring along, as far as is known
  bool came_busy = false;     // while a frame was on its way
  bool wants_stable = false;  // somebody waits until it is on stable storage
  bool cut_begun = false;     // the block that `to` cuts begins within this entry (its head included)
  Offset segment;
  Offset base_offset;
  Offset end;      // of the log behind this entry
  Buffer content;  // of the other kinds
};

inline constexpr std::uint64_t kNoPosition = UINT64_MAX;

// Steps of compaction that the journal knows; the first three are also what a log may be at. Values are those
// of the journal and the manifest.
enum class CompactionStep : std::uint8_t {
  none = 0,     // as an entry: the new files are in place, or gone
  begun = 1,    // new files may exist under their passing names
  swapped = 2,  // they count, and may have their passing names still
  passed = 3,   // only as an entry: a round is over
};

struct CompactionState {
  Offset passed;  // everything below has been compacted against itself
  CompactionStep step = CompactionStep::none;
  Offset base;  // of the segment that the new files are for
  // Not stored: entries of this run in the journal's queue, and on stable storage.
  std::uint64_t pushed = 0;
  std::uint64_t durable = 0;
};

struct LogState {
  Log* log = nullptr;
  Directory* dir = nullptr;
  LogIdentity identity;
  LogConfig config;
  // The settings are the topic's. Until recovery has met the metadata they are mere defaults, by which nothing
  // may be thrown away.
  bool configured = false;

  Offset start;
  Offset end;
  Offset durable_end;
  Offset durable_start;
  std::optional<Offset> high_watermark;
  std::vector<Segment> segments;
  ChunkList chunks;
  Epochs epochs;
  std::unique_ptr<ProducerTable> producers;
  CompactionState compaction;

  JournalPoint framed;
  JournalPoint durable;
  std::uint32_t generation = 0;     // counts truncations
  std::uint64_t last_pending = 0;   // sequence number of its last entry in the directory's queue, 0 if none
  std::uint64_t large_pending = 0;  // the same, of the last that is large enough for a direct run
  std::uint64_t joins_from = 0;     // nothing is added to entries of the queue before this one
  std::uint32_t references = 0;     // pending entries, frames and operations that name this log

  std::optional<Lsn> dirty;        // key in Directory::dirty
  std::optional<Lsn> dirty_after;  // the same, should the flush that runs succeed
  Offset head_segment;
  std::uint64_t head_due = kNoPosition;
  std::uint64_t rolled_bytes = 0;  // of the segment before the last, when that began in this run
  std::uint32_t removals = 0;      // of its files, in flight
  std::uint32_t file_uses = 0;     // by readers and by compaction, in flight
  bool flushing = false;
  std::uint32_t flushing_generation = 0;  // as of the flush's begin
  Offset flushing_first;                  // the segments that the flush writes, both included
  Offset flushing_segment;
  std::uint64_t flushing_to = 0;  // so far, in whole blocks
  bool runs_direct = false;       // a direct run is in flight
  bool extending = false;         // its file gets room for more
  bool ripe = false;              // in Directory::ripe
  bool changed = false;           // in News::changed
  bool removed = false;
  bool folder_made = false;
  bool folder_possible = false;  // the folder may exist since an earlier run
  bool loading_head = false;     // see HeadLoader
  bool lacks_head = false;       // some chunk may not have the first bytes of its first block
  bool newcomer = false;         // see Newcomers
  std::vector<Pending> held;     // entries that wait for the one or the other, or for its direct run

  // Where the last read ended, so that the next one needs no index.
  struct ReadHint {
    Offset offset{-1};
    std::uint64_t segment_number = 0;
    std::uint64_t position = 0;
    Offset floor;  // no batch there begins below
  } hint;
  // The same of reads from memory, which may go on elsewhere.
  struct HotHint {
    Offset offset{-1};
    Offset segment;
    std::uint64_t position = 0;
  } hot_hint;
  std::uint64_t newest = 0;  // of cache::TailRoom::came()

  Segment& active() { return segments.back(); }
  const Segment& active() const { return segments.back(); }
  // Everything that went into frames is durable, and no entry went in half.
  bool quiet() const {
    return framed.segment == durable.segment && framed.position == durable.position && !framed.partial;
  }
  // A flush writes what a truncation has taken away since.
  bool flush_outdated() const { return flushing && flushing_generation != generation; }
  bool uses_files() const { return flushing || extending || runs_direct; }
  bool uses_files_of(Offset base) const {
    return extending || runs_direct || (flushing && flushing_first <= base && base <= flushing_segment);
  }
  bool may_have_folder() const { return folder_made || folder_possible || flushing; }
  // Nothing but what is on stable storage in the files.
  bool at_rest() const { return !dirty && !flushing && held.empty() && references == 0; }
  std::string folder() const { return identity.topic + "-" + std::to_string(identity.partition.value); }
  std::string path(Offset base, FileKind kind) const { return folder() + "/" + segment_name(base, kind); }
  ProducerTable& producer_table() {
    if (!producers) producers = std::make_unique<ProducerTable>();
    return *producers;
  }
  Segment* segment_at(Offset base);
  // The last frame that names a direct run of it.
  std::optional<Lsn> last_extent() const {
    std::optional<Lsn> last;
    for (const Segment& segment : segments) last = std::max(last, segment.last_extent);
    return last;
  }
};

inline LogState& state_of(Log& log) {
  return *log.state_;
}

}  // namespace tailwater::log
