// Starts a directory: opens (or formats) the ring, loads the manifest that the superblock names, replays the
// ring's entries over it, and raises the incarnation. A new ring takes over a manifest of generation 1 at
// address 0 that lies there: it was dealt to this shard (redistribution.hpp). Any other manifest of this ring
// says that there was one: if it is gone, or blank, so may be records that only it had, and what it is
// replaced by would overwrite the others. Then the directory stays offline.
//   The last frames of the ring may be there without being on stable storage (they were in flight when the
//   process died, or their write failed and the page cache still has them): they are written once more before
//   anything follows them.
//   before the manifest's checkpoint an entry only brings back bytes that were not flushed; from there on it
//   is carried out as it was when it was written. Either way entries are taken in order, so what a later
//   truncation, roll or removal did to earlier ones happens again, in memory; files are not touched.
// Direct runs need a second look at the ring: from the first frame with one on, frames are only surveyed, and
// carried out when the journal was read to its end (extent_survey.hpp). The blocks of a run that still counts
// are read from its segment. The lock on that file is waited for: a predecessor's write may be in flight.
// Where they are not what the journal says: if the frame was settled, that is damage; else the run was never
// finished, and the journal ends before the frame, as if that were torn itself. So what a crash leaves is
// always a beginning of the journal, runs included. Runs of frames that nobody knows to be settled are
// written once more, as those frames are. A soft ring that is not there stays so until wake(): whether it is,
// is looked at when the twin's lock keeps everybody else away. GUARANTEES: a torn end is cut, and what it
// held was acknowledged to nobody (of a soft ring: or only under tailwater.durability=os, and the machine
// went down, which is said); anything else that does not fit takes the directory offline and is left as it
// is.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/disk.hpp"
#include "core/journal/ring_scan.hpp"
#include "core/journal/superblock.hpp"
#include "core/log/extent_survey.hpp"
#include "core/log/log_state.hpp"
#include "core/log/manifest.hpp"
#include "core/log/replay.hpp"
#include "core/log/shared.hpp"

namespace tailwater::log {

class Starter {
 public:
  explicit Starter(Directory& dir) : dir_(dir) {}
  ~Starter();
  Starter(const Starter&) = delete;
  Starter& operator=(const Starter&) = delete;

  void start();
  void completed(DiskDone done);
  // Makes the ring that was not there. REQUIRES: the directory is asleep.
  void wake();
  void turn();
  void superblock_written();
  bool no_room() const { return step_ == Step::no_room; }
  Instant next_deadline() const { return retry_at_; }

 private:
  enum class Step : std::uint8_t {
    none,
    behind,       // a soft ring: until the twin has its lock
    folders,      // journal and manifest
    open,         // the ring, locked
    busy,         // a predecessor's last writes are still in flight
    no_room,      // for a ring that is made while others serve: asked again
    harden,       // what a killed predecessor wrote may be readable, but not on stable storage yet
    head,         // read both superblocks
    look,         // no ring, or a blank one: are there manifests of it?
    seed,         // that which was dealt to a new one
    allocate,     // its blocks,
    fill,         // the pattern,
    sync,         // all of it,
    second_head,  // and superblock B; A is that of this start
    manifest,
    scan,
    rescan,   // from the first frame with a direct run on
    run,      // its blocks are read,
    put_run,  // written once more,
    sync_runs,
    twin,          // its ring is sound, too: nothing is written beside a damaged one
    settle_read,   // each of the last frames,
    settle_write,  // and put it back, durably
    superblock,    // of this start
    over,
  };

  void send(DiskOpKind kind);
  void ring_opened(const DiskDone& done);
  void fall_asleep();
  void read_head();
  void head_read(const DiskDone& done);
  void look_for_manifests();
  void manifests_listed(const DiskDone& done);
  void seed_loaded(const DiskDone& done);
  void make_ring();
  void ring_lost(std::uint64_t generation);
  void choose_ring();
  std::uint64_t first_log_id() const;
  void format();
  void format_continue();
  void write_head(std::uint64_t sequence);
  void manifest_loaded(const DiskDone& done);
  void begin_replay();
  void read_ring();
  void read_range(const journal::RingScan::Range& range);
  void ring_read(const DiskDone& done);
  void scanned();
  void begin_rescan();
  void read_again();
  void replay_next();
  void read_run(const Replay::Wish& wish);
  void run_read(const DiskDone& done);
  void run_put();
  void replayed();
  void sound();
  void settle_next();
  void settle_write();
  void begin_incarnation();
  void note_lost_end();
  bool may_jump() const;
  void fail(std::string reason, Errc code = Errc::corrupt);

  Directory& dir_;
  Step step_ = Step::none;
  std::uint32_t outstanding_ = 0;
  Instant retry_at_ = Instant::max();
  Instant give_up_at_;
  std::uint64_t ring_size_ = 0;
  std::uint64_t filled_ = 0;
  MutableBytes memory_;
  journal::Superblock superblock_;
  journal::RingScan::Trust trust_ = journal::RingScan::Trust::newest;
  std::unique_ptr<journal::RingScan> scan_;
  ExtentSurvey survey_;
  std::unique_ptr<journal::RingScan> rescan_;
  // Of the bytes read last, what was not replayed yet.
  std::deque<std::pair<journal::FrameHeader, journal::EntryCursor>> frames_;
  MutableBytes run_memory_;
  FileHandle run_file_ = 0;
  std::vector<FileHandle> unsynced_;
  std::unique_ptr<Replay> replay_;
  std::unique_ptr<Manifest> seed_;
  std::size_t settled_ = 0;  // of the scan's unsettled frames
  bool locked_ = false;      // the ring is open
  bool anew_ = false;        // it is to be made
  bool sound_ = false;       // scanned and replayed
  bool jump_due_ = false;
};

}  // namespace tailwater::log
