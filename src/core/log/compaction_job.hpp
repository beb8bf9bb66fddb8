// One round of compaction of one log: reads the dirty part for the keys' newest offsets, then reads the log
// from its beginning and writes what stays into new segments, which replace groups of old ones
// (compaction_ops.hpp).
//   bounded      at most 1 MiB is read or written at once, little is computed in a step, one step a turn;
//                memory is the map's, a few blocks, and one batch with its records
//   cancellable  between steps: a log that was removed, truncated, or lost segments to retention ends the
//                round; what was swapped until then stays, the files of the unfinished group go
//   patient      a step for which the disk has no room stays where it is. Its job can be set aside until then,
//                holding nothing but that; a clean stop leaves the step to the next start
// Also finishes what an earlier run left at a step of compaction.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/disk.hpp"
#include "core/log/compaction_filter.hpp"
#include "core/log/compaction_io.hpp"
#include "core/log/compaction_ops.hpp"
#include "core/log/compaction_pace.hpp"
#include "core/log/directory.hpp"

namespace tailwater::log {

// What a round may touch: a log's segments from its first on, all sealed and ended exactly in their files.
struct CompactionRange {
  std::size_t segments = 0;
  CompactionTerms terms;
};

struct CompactionResult {
  bool finished = false;  // else it was cancelled
  bool broken = false;    // met bytes that are no batches of this log: no use in trying again
  bool no_room = false;   // of disk or descriptors
  bool left = false;      // a clean stop came while a step waited for room: the next start finishes it
  std::uint64_t bytes_before = 0;  // of the groups that were swapped
  std::uint64_t bytes_after = 0;
  std::uint64_t bytes_moved = 0;  // read and written
  std::uint32_t map_used_percent = 0;
  CompactionCounts counts;
};

class CompactionJob {
 public:
  // Operations bear the number.
  CompactionJob(std::uint64_t number, Directory& dir, LogState& log, CompactionPace& pace,
                const CompactionRange& range);
  // Finishes the step that a start found the log at; reads of a swapped segment wait for that.
  CompactionJob(std::uint64_t number, Directory& dir, LogState& log, CompactionPace& pace);
  ~CompactionJob();
  CompactionJob(const CompactionJob&) = delete;
  CompactionJob& operator=(const CompactionJob&) = delete;

  // One step, if it is time for one.
  void turn();
  void completed(const DiskDone& done);
  bool over() const { return phase_ == Phase::over; }
  // A step of its log cannot be finished until the disk has room. Nothing is on its way.
  bool waits_for_room() const;
  // It ends with the step that it is at, and gives back the memory for what would have followed.
  void end_here();
  static std::uint64_t number_of(DiskToken token) { return detail_of(token) >> kRoleBits; }
  std::uint64_t number() const { return number_; }
  // When turn() gets further without anything else happening.
  Instant next_deadline() const;

  LogState& log() const { return log_; }
  Directory& dir() const { return dir_; }
  const CompactionResult& result() const { return result_; }

 private:
  enum class Phase : std::uint8_t {
    map,      // pass 1
    begin,    // a group is noted; waits for the journal
    copy,     // pass 2
    seal,     // the end of the group's files
    swap,     // waits for the journal
    place,    // the new files get their names
    discard,  // the new files go
    over,
  };
  enum class Role : std::uint8_t { read, output, name, aborted };
  static constexpr int kRoleBits = 2;
  struct Source {
    Offset base;
    Offset next;
    std::uint64_t number = 0;
    std::uint64_t size = 0;
    std::uint32_t index_entries = 0;
    std::uint32_t time_entries = 0;
    bool gapless = false;
  };

  bool may_go_on() const;
  bool has_room() const;
  bool is_stuck() const;
  bool may_compute() const;
  void cancel();
  void abandon();
  void end();

  void map();
  void begin_group();
  void copy();
  void emit(const records::BatchView& batch, CompactionFilter::Cleaned cleaned);
  void next_group();
  void swap();
  void note_taken();
  bool swap_settled() const;
  void place();
  void discard();
  void export_aborted(Offset base);
  void named();

  void walk_source();
  void read_on();
  bool write_on();
  std::uint64_t detail(Role role) const;
  void count_sent();
  void submit(FileHandle file, Role role, DiskOp op);
  void name(DiskOpKind kind, std::string path, std::string path2 = {});
  void close_outputs();

  const std::uint64_t number_;
  Directory& dir_;
  LogState& log_;
  CompactionPace& pace_;
  Phase phase_ = Phase::map;
  std::uint32_t generation_ = 0;
  std::uint32_t outstanding_ = 0;
  bool cancelled_ = false;
  bool place_again_ = false;  // a name found no room
  Instant place_at_{};        // a full disk is asked for names again
  // Of the swap's segment, should it have gone from the log: the journal's entry that says so, or a later one.
  std::optional<std::uint64_t> taken_;
  CompactionResult result_;

  std::unique_ptr<CompactionFilter> filter_;
  std::vector<Source> sources_;
  std::size_t source_ = 0;  // being walked
  SegmentWalk walk_;
  MutableBytes block_;
  FileHandle source_file_ = 0;
  std::size_t group_begin_ = 0;  // of sources_: the group that is being copied
  std::size_t group_end_ = 0;
  std::optional<SegmentOutput> output_;
  FileHandle output_files_[kFileKinds] = {};
  FileHandle output_file_ = 0;  // of the operation in flight
  Buffer rebuilt_;
};

}  // namespace tailwater::log
