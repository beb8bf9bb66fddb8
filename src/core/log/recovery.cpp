#include "core/log/recovery.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include "base/check.hpp"
#include "base/prng.hpp"
#include "core/log/directory.hpp"
#include "core/log/log_ops.hpp"

namespace tailwater::log {

namespace {

using journal::kBlock;
using journal::kRingStart;

constexpr std::uint64_t kScanBytes = 2 * journal::kFrameLimitMax;
// The pattern of a new ring is written from one small piece again and again: fresh memory costs a start more
// than the writes do.
constexpr std::uint64_t kPatternPiece = std::uint64_t{64} << 10;
constexpr std::uint32_t kPatternWrites = 4;  // in flight
// So many of the largest frames have to fit, that the windows behind unclean stops do not fill the ring.
constexpr std::uint64_t kFramesInRing = 16;

std::uint32_t frame_limit(const StorageOptions& options, std::uint64_t capacity) {
  const std::uint64_t fitting =
      journal::round_down(std::min<std::uint64_t>(capacity / kFramesInRing, options.frame_bytes_max), kBlock);
  return static_cast<std::uint32_t>(std::clamp(fitting, journal::kFrameLimitMin, journal::kFrameLimitMax));
}

// Of a manifest of the ring of this name; 0: it is none.
std::uint64_t generation_in(std::string_view file, std::string_view ring) {
  if (!file.starts_with(ring) || file.substr(ring.size()).empty() || file[ring.size()] != '-') return 0;
  const std::string_view digits = file.substr(ring.size() + 1);
  std::uint64_t generation = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), generation);
  return error == std::errc{} && end == digits.data() + digits.size() ? generation : 0;
}

}  // namespace

Starter::~Starter() {
  if (!memory_.empty()) dir_.shared.pool.give(memory_);
  if (!run_memory_.empty()) dir_.shared.pool.give(run_memory_);
}

void Starter::fail(std::string reason, Errc code) {
  step_ = Step::over;
  dir_.take_offline({code, std::move(reason)});
}

void Starter::start() {
  const auto unusable = dir_.shared.options.unusable_dirs.find(dir_.id);
  if (unusable != dir_.shared.options.unusable_dirs.end()) return fail(unusable->second, Errc::storage);
  dir_.ring_file = FileId{(std::uint64_t{1} << 63) | dir_.index};
  if (dir_.soft) {
    step_ = Step::behind;
    return;
  }
  step_ = Step::folders;
  // Durable with the files that come to lie in them.
  outstanding_ = 2;
  for (const char* folder : {"journal", "manifest"}) {
    DiskOp op = dir_.op(DiskOpKind::create_folder, Part::start, 0);
    op.path = folder;
    dir_.shared.outbox.push_back(std::move(op));
  }
}

void Starter::send(DiskOpKind kind) {
  DiskOp op = dir_.op(kind, Part::start, 0);
  op.file = dir_.ring_file;
  if (kind == DiskOpKind::open) {
    op.path = dir_.ring_path();
    op.create = anew_;
    op.exclusive = op.durable = true;
    op.direct = !dir_.soft;
  } else if (kind == DiskOpKind::preallocate) {
    op.size = kRingStart + superblock_.capacity;
    op.extend = true;
  } else if (kind == DiskOpKind::load) {
    op.path = dir_.manifest_path(superblock_.manifest_generation);
  }
  outstanding_ = 1;
  dir_.shared.outbox.push_back(std::move(op));
}

void Starter::fall_asleep() {
  step_ = Step::over;
  dir_.rest = Directory::Rest::asleep;
  dir_.recovered = sound_ = true;
  dir_.report.clean_start = true;
  dir_.report.state = DirState::online;
}

void Starter::wake() {
  dir_.rest = Directory::Rest::waking;
  make_ring();
  dir_.next_log_id = first_log_id();
}

void Starter::turn() {
  if (step_ == Step::behind && dir_.twin->starter.locked_) {
    step_ = Step::open;
    send(DiskOpKind::open);
  }
  if ((step_ == Step::busy || step_ == Step::no_room) && retry_at_ <= dir_.now.monotonic) {
    retry_at_ = Instant::max();
    step_ = locked_ ? Step::allocate : Step::open;
    send(locked_ ? DiskOpKind::preallocate : DiskOpKind::open);
  }
  if (step_ == Step::twin && dir_.twin->starter.sound_) settle_next();
  if (!jump_due_ || !may_jump() || dir_.checkpoint.writing_superblock()) return;
  // What was flushed meanwhile has made room for the gap.
  jump_due_ = false;
  const Lsn from = dir_.ring.next();
  const Lsn to = from + journal::window_bytes(dir_.ring.frame_bytes_max());
  dir_.checkpoint.wanted().jumps.push_back({from, to});
  dir_.checkpoint.write_superblock();
  step_ = Step::superblock;
}

void Starter::completed(DiskDone done) {
  if (--outstanding_ > 0 && done.outcome) return;
  if (dir_.report.state == DirState::offline) return;
  const bool asks_for_room = step_ == Step::open || step_ == Step::allocate;
  if (found_no_room(done) && asks_for_room && dir_.rest == Directory::Rest::waking) {
    step_ = Step::no_room;
    retry_at_ = dir_.room_retry_at();
    return;
  }
  if (!done.outcome && step_ != Step::open && step_ != Step::seed && step_ != Step::manifest) {
    fail(done.outcome.error().message, done.outcome.error().code);
    return;
  }
  switch (step_) {
    case Step::folders:
      step_ = Step::open;
      send(DiskOpKind::open);
      return;
    case Step::open:
      ring_opened(done);
      return;
    case Step::harden:
      read_head();
      return;
    case Step::head:
      head_read(done);
      return;
    case Step::look:
      manifests_listed(done);
      return;
    case Step::seed:
      seed_loaded(done);
      return;
    case Step::allocate:
    case Step::fill:
    case Step::sync:
    case Step::second_head:
      format_continue();
      return;
    case Step::manifest:
      manifest_loaded(done);
      return;
    case Step::scan:
      ring_read(done);
      return;
    case Step::rescan:
      rescan_->feed(memory_.first(std::min<std::size_t>(*done.outcome, memory_.size())),
                    [&](const journal::FrameHeader& frame, journal::EntryCursor entries) {
                      frames_.emplace_back(frame, entries);
                      return true;
                    });
      replay_next();
      return;
    case Step::run:
      run_read(done);
      return;
    case Step::put_run:
      run_put();
      return;
    case Step::sync_runs:
      for (const FileHandle file : std::exchange(unsynced_, {})) {
        dir_.shared.files.release(file);  // of the sync
        dir_.shared.files.release(file);
      }
      sound();
      return;
    case Step::settle_read:
      settle_write();
      return;
    case Step::settle_write:
      ++settled_;
      settle_next();
      return;
    case Step::none:
    case Step::behind:
    case Step::busy:
    case Step::no_room:
    case Step::twin:
    case Step::superblock:
    case Step::over:
      return;
  }
}

void Starter::ring_opened(const DiskDone& done) {
  if (!done.outcome && !anew_ && done.outcome.error().code == Errc::not_found) {
    look_for_manifests();
    return;
  }
  if (!done.outcome) {
    if (give_up_at_ == Instant{}) give_up_at_ = dir_.now.monotonic + dir_.shared.options.lock_wait_max;
    if (done.outcome.error().code != Errc::busy || dir_.now.monotonic >= give_up_at_) {
      fail(done.outcome.error().message, done.outcome.error().code);
      return;
    }
    step_ = Step::busy;
    retry_at_ = dir_.now.monotonic + dir_.shared.options.lock_retry_interval;
    return;
  }
  locked_ = true;
  ring_size_ = *done.outcome;
  memory_ = dir_.shared.pool.take(kScanBytes);
  if (anew_) {
    format();
    return;
  }
  if (ring_size_ < kRingStart) {
    look_for_manifests();
    return;
  }
  step_ = Step::harden;
  send(DiskOpKind::sync);
}

void Starter::read_head() {
  step_ = Step::head;
  DiskOp op = dir_.op(DiskOpKind::read, Part::start, 0);
  op.file = dir_.ring_file;
  op.memory = memory_.first(kRingStart);
  outstanding_ = 1;
  dir_.shared.outbox.push_back(std::move(op));
}

void Starter::head_read(const DiskDone& done) {
  const Bytes head = memory_.first(std::min<std::size_t>(*done.outcome, kRingStart));
  switch (journal::read_ring_head(head, superblock_)) {
    case journal::RingHead::unformatted:
      look_for_manifests();
      return;
    case journal::RingHead::damaged:
      fail("both superblocks of " + dir_.ring_path() + " are damaged");
      return;
    case journal::RingHead::one_left:
      trust_ = journal::RingScan::Trust::maybe_older;
      dir_.shared.news.faults.push_back("a superblock of " + dir_.ring_path() +
                                        " cannot be read; the other one counts, and it is written anew");
      break;
    case journal::RingHead::formatted:
      break;
  }
  if (superblock_.capacity + kRingStart > ring_size_) {
    fail(dir_.ring_path() + " is shorter than its superblock says");
    return;
  }
  if (superblock_.frame_bytes_max < journal::kFrameLimitMin) {
    fail(dir_.ring_path() + " has frames that are too small");
    return;
  }
  if (superblock_.manifest_generation == 0) {
    begin_replay();
    read_ring();
    return;
  }
  step_ = Step::manifest;
  send(DiskOpKind::load);
}

void Starter::look_for_manifests() {
  step_ = Step::look;
  DiskOp op = dir_.op(DiskOpKind::list, Part::start, 0);
  op.path = "manifest";
  outstanding_ = 1;
  dir_.shared.outbox.push_back(std::move(op));
}

void Starter::manifests_listed(const DiskDone& done) {
  std::uint64_t newest = 0;
  for (const std::string& name : done.names) newest = std::max(newest, generation_in(name, dir_.name()));
  if (newest > 1) return ring_lost(newest);
  if (newest == 1) {
    step_ = Step::seed;
    superblock_.manifest_generation = 1;
    return send(DiskOpKind::load);
  }
  if (dir_.soft && !locked_) return fall_asleep();
  make_ring();
}

void Starter::ring_lost(std::uint64_t generation) {
  fail(
      dir_.ring_path() + (locked_ ? " is blank" : " is missing") + ", but " + dir_.manifest_path(generation) +
      " belongs to it: put the file back, or restore the whole directory from one backup; until then nothing "
      "in it is touched");
}

void Starter::seed_loaded(const DiskDone& done) {
  const std::string path = dir_.manifest_path(1);
  if (!done.outcome) {
    fail("manifest " + path + ": " + done.outcome.error().message, done.outcome.error().code);
    return;
  }
  Result<Manifest> manifest = decode_manifest(done.content);
  if (!manifest) {
    fail("manifest " + path + ": " + manifest.error().message, manifest.error().code);
    return;
  }
  if (manifest->generation != 1 || manifest->checkpoint != Lsn{0}) return ring_lost(1);
  seed_ = std::make_unique<Manifest>(std::move(*manifest));
  make_ring();
}

void Starter::make_ring() {
  choose_ring();
  anew_ = true;
  if (locked_) return format();
  step_ = Step::open;
  send(DiskOpKind::open);
}

// What a new ring is like.
void Starter::choose_ring() {
  const StorageOptions& options = dir_.shared.options;
  // The id must differ from that of a ring that lay in the same blocks before.
  Prng random(options.seed ^ (std::uint64_t{dir_.id.value} << 32) ^ (std::uint64_t{dir_.soft} << 31) ^
              options.shard.value);
  superblock_ = {};
  superblock_.journal_id = seed_ ? seed_->journal_id : random.next();
  superblock_.manifest_generation = seed_ ? seed_->generation : 0;
  superblock_.capacity = std::max(journal::round_down(options.ring_bytes_start, kBlock),
                                  kFramesInRing * journal::kFrameLimitMin);
  superblock_.frame_bytes_max = frame_limit(options, superblock_.capacity);
  superblock_.boot_id = options.boot_id;
}

// Log ids of this directory begin with a part of the journal's id: other directories have others.
std::uint64_t Starter::first_log_id() const {
  return (superblock_.journal_id & 0xffff'ffff'0000'0000ULL) + 1;
}

void Starter::format() {
  step_ = Step::allocate;
  send(DiskOpKind::preallocate);
}

void Starter::format_continue() {
  const std::uint64_t size = superblock_.capacity;
  if (step_ == Step::allocate) {
    std::ranges::fill(memory_.first(kPatternPiece), kRingPattern);
    step_ = Step::fill;
    // Blocks that were written before make durable writes cheap, and a soft ring writes none.
    if (dir_.soft) filled_ = size;
  }
  if (step_ == Step::fill) {
    // Several at a time: a start waits for them.
    while (filled_ < size && outstanding_ < kPatternWrites) {
      DiskOp op = dir_.op(DiskOpKind::write, Part::start, 0);
      op.file = dir_.ring_file;
      op.at = kRingStart + filled_;
      const std::uint64_t end = std::min(filled_ + kPatternStep, size);
      while (filled_ < end) {
        op.pieces.push_back(memory_.first(std::min(kPatternPiece, end - filled_)));
        filled_ += op.pieces.back().size();
      }
      ++outstanding_;
      dir_.shared.outbox.push_back(std::move(op));
    }
    if (outstanding_ > 0) return;
    step_ = Step::sync;
    send(DiskOpKind::sync);
  } else if (step_ == Step::sync) {
    step_ = Step::second_head;
    write_head(1);
  } else {
    begin_replay();
    if (seed_ && !replay_->load(std::move(*std::exchange(seed_, nullptr)))) return;
    scanned();
  }
}

void Starter::write_head(std::uint64_t sequence) {
  superblock_.sequence = sequence;
  journal::encode(superblock_, memory_.first(kBlock));
  DiskOp op = dir_.op(DiskOpKind::write, Part::start, 0);
  op.file = dir_.ring_file;
  op.at = journal::superblock_position(sequence);
  op.pieces.push_back(memory_.first(kBlock));
  op.durable = true;
  outstanding_ = 1;
  dir_.shared.outbox.push_back(std::move(op));
}

void Starter::manifest_loaded(const DiskDone& done) {
  const std::string path = dir_.manifest_path(superblock_.manifest_generation);
  if (!done.outcome) {
    fail("manifest " + path + ": " + done.outcome.error().message, done.outcome.error().code);
    return;
  }
  Result<Manifest> manifest = decode_manifest(done.content);
  if (!manifest) {
    fail("manifest " + path + ": " + manifest.error().message, manifest.error().code);
    return;
  }
  const bool ours = manifest->generation == superblock_.manifest_generation &&
                    manifest->journal_id == superblock_.journal_id;
  if (!ours) {
    fail("manifest " + path + " belongs to another journal");
    return;
  }
  if (manifest->healed)
    dir_.shared.news.faults.push_back("manifest " + path +
                                      " is damaged; its second copy is whole and counts");
  begin_replay();
  if (replay_->load(std::move(*manifest))) read_ring();
}

void Starter::begin_replay() {
  step_ = Step::scan;
  if (dir_.next_log_id == 0) dir_.next_log_id = first_log_id();
  scan_ = std::make_unique<journal::RingScan>(superblock_, trust_, ring_size_);
  replay_ = std::make_unique<Replay>(dir_, survey_, superblock_.trim);
}

void Starter::read_ring() {
  const auto range = scan_->wanted();
  if (!range) {
    scanned();
    return;
  }
  read_range(*range);
}

void Starter::read_range(const journal::RingScan::Range& range) {
  CHECK(range.size <= memory_.size());
  DiskOp op = dir_.op(DiskOpKind::read, Part::start, 0);
  op.file = dir_.ring_file;
  op.at = range.position;
  op.memory = memory_.first(range.size);
  outstanding_ = 1;
  dir_.shared.outbox.push_back(std::move(op));
}

void Starter::ring_read(const DiskDone& done) {
  const Bytes bytes = memory_.first(std::min<std::size_t>(*done.outcome, memory_.size()));
  scan_->feed(bytes, [&](const journal::FrameHeader& frame, journal::EntryCursor entries) {
    return survey_.note(frame, entries) || replay_->frame(frame, entries);
  });
  if (!replay_->error().empty()) {
    fail(replay_->error());
    return;
  }
  read_ring();
}

void Starter::scanned() {
  if (scan_->damaged() && trust_ == journal::RingScan::Trust::maybe_older) {
    fail("a superblock of " + dir_.ring_path() +
         " is damaged, and the journal goes on beyond what the other one knows");
    return;
  }
  if (scan_->damaged()) {
    fail("the journal " + dir_.ring_path() + " is damaged at " + std::to_string(scan_->end().value) +
         ": records that were acknowledged are lost there");
    return;
  }
  if (survey_.begun()) {
    begin_rescan();
  } else {
    sound();
  }
}

void Starter::begin_rescan() {
  journal::Superblock from = superblock_;
  from.trim = survey_.begin();
  from.trim_prev_crc = survey_.begin_prev_crc();
  rescan_ = std::make_unique<journal::RingScan>(from, trust_);
  // An earlier start has come as far as each jump.
  Lsn settled = survey_.settled();
  for (const journal::Jump& jump : superblock_.jumps) settled = std::max(settled, jump.from);
  replay_->begin_second_look(settled);
  read_again();
}

void Starter::read_again() {
  if (rescan_->end() >= scan_->end()) return replayed();
  if (rescan_->over()) return fail(dir_.ring_path() + " does not read twice the same");
  step_ = Step::rescan;
  read_range(*rescan_->wanted());
}

void Starter::replay_next() {
  while (true) {
    if (!replay_->error().empty()) return fail(replay_->error());
    if (replay_->torn()) return replayed();
    if (const auto wish = replay_->wish()) return read_run(*wish);
    if (frames_.empty()) return read_again();
    const auto [frame, entries] = frames_.front();
    frames_.pop_front();
    replay_->frame(frame, entries);
  }
}

void Starter::read_run(const Replay::Wish& wish) {
  step_ = Step::run;
  run_memory_ = dir_.shared.pool.take(wish.to - wish.from);
  run_file_ = dir_.file_of(*wish.log, *wish.segment, FileKind::records);
  DiskOp op = dir_.op(DiskOpKind::read, Part::start, 0);
  op.at = wish.from;
  op.memory = run_memory_.first(wish.to - wish.from);
  outstanding_ = 1;
  dir_.shared.files.submit(run_file_, std::move(op));
}

void Starter::run_read(const DiskDone& done) {
  dir_.shared.files.release(run_file_);
  const Replay::Wish wish = *replay_->wish();
  const Bytes blocks = run_memory_.first(std::min<std::size_t>(*done.outcome, wish.to - wish.from));
  replay_->run_read(blocks);
  if (wish.settled || replay_->torn()) {
    dir_.shared.pool.give(std::exchange(run_memory_, {}));
    return replay_next();
  }
  step_ = Step::put_run;
  DiskOp op = dir_.op(DiskOpKind::write, Part::start, 0);
  op.at = wish.from;
  op.pieces.push_back(blocks);
  outstanding_ = 1;
  if (std::ranges::find(unsynced_, run_file_) == unsynced_.end()) {
    unsynced_.push_back(run_file_);
    // Open until it is synced: through another descriptor that would not be told what became of the write.
    dir_.shared.files.retain(run_file_);
  }
  dir_.shared.files.submit(run_file_, std::move(op));
}

void Starter::run_put() {
  dir_.shared.files.release(run_file_);
  dir_.shared.pool.give(std::exchange(run_memory_, {}));
  replay_next();
}

// All of the journal was carried out, or what counts of it.
void Starter::replayed() {
  if (const auto torn = replay_->torn()) scan_->cut(*torn);
  if (unsynced_.empty()) return sound();
  step_ = Step::sync_runs;
  outstanding_ = static_cast<std::uint32_t>(unsynced_.size());
  for (const FileHandle file : unsynced_)
    dir_.shared.files.submit(file, dir_.op(DiskOpKind::sync, Part::start, 0));
}

// Everything is in memory as it was.
void Starter::sound() {
  if (!replay_->finish()) {
    fail(replay_->error());
    return;
  }
  if (dir_.next_log_id == 0) dir_.next_log_id = 1;
  step_ = Step::twin;
  sound_ = true;
  if (dir_.twin == nullptr) settle_next();
}

void Starter::settle_next() {
  if (settled_ == scan_->unsettled().size()) return begin_incarnation();
  const journal::RingScan::Unsettled& frame = scan_->unsettled()[settled_];
  step_ = Step::settle_read;
  DiskOp op = dir_.op(DiskOpKind::read, Part::start, 0);
  op.file = dir_.ring_file;
  op.at = journal::ring_position(frame.lsn, superblock_.capacity);
  op.memory = memory_.first(frame.bytes);
  outstanding_ = 1;
  dir_.shared.outbox.push_back(std::move(op));
}

void Starter::settle_write() {
  const journal::RingScan::Unsettled& frame = scan_->unsettled()[settled_];
  step_ = Step::settle_write;
  DiskOp op = dir_.op(DiskOpKind::write, Part::start, 0);
  op.file = dir_.ring_file;
  op.at = journal::ring_position(frame.lsn, superblock_.capacity);
  op.pieces.push_back(memory_.first(frame.bytes));
  op.durable = true;
  outstanding_ = 1;
  dir_.shared.outbox.push_back(std::move(op));
}

// The machine went down, and with it what its page cache alone had.
void Starter::note_lost_end() {
  if (dir_.logs.empty()) return;
  dir_.shared.news.faults.push_back(
      "the machine went down while the broker ran: of " + std::to_string(dir_.logs.size()) +
      " partitions with tailwater.durability=os the last records before that may be lost, although they were "
      "acknowledged; " +
      dir_.ring_path() + " is whole up to its byte " + std::to_string(scan_->end().value));
}

bool Starter::may_jump() const {
  const journal::RingWriter& ring = dir_.ring;
  const std::uint64_t window = journal::window_bytes(ring.frame_bytes_max());
  return ring.used() + window <= ring.capacity() - ring.capacity() / 8 &&
         dir_.checkpoint.wanted().jumps.size() < journal::kJumpsMax;
}

void Starter::begin_incarnation() {
  const journal::RingWriter::Start begin{.journal_id = superblock_.journal_id,
                                         .capacity = superblock_.capacity,
                                         .frame_bytes_max = superblock_.frame_bytes_max,
                                         .incarnation = superblock_.incarnation + 1,
                                         .trim = superblock_.trim,
                                         .trim_prev_crc = superblock_.trim_prev_crc,
                                         .next = scan_->end(),
                                         .prev_header_crc = scan_->prev_header_crc()};
  dir_.ring = journal::RingWriter(begin, scan_->take_marks());
  dir_.report.ring_bytes = superblock_.capacity;
  // A ring of which nothing was ever written, and one that was stopped cleanly, have no late writes.
  const bool fresh = superblock_.incarnation == 0;
  const bool clean = superblock_.clean && dir_.ring.used() == 0;
  dir_.report.clean_start = fresh || clean;
  const bool same_boot = superblock_.boot_id == dir_.shared.options.boot_id;
  if (dir_.soft && !fresh && !clean && !same_boot) note_lost_end();
  journal::Superblock& wanted = dir_.checkpoint.wanted();
  wanted = superblock_;
  wanted.incarnation = begin.incarnation;
  wanted.clean = false;
  wanted.boot_id = dir_.shared.options.boot_id;
  dir_.checkpoint.resume(superblock_.manifest_generation);
  if (!fresh && !clean) {
    if (may_jump()) {
      const Lsn to = dir_.ring.next() + journal::window_bytes(dir_.ring.frame_bytes_max());
      wanted.jumps.push_back({dir_.ring.next(), to});
    } else {
      jump_due_ = true;
    }
  }
  step_ = Step::superblock;
  dir_.frames_blocked = true;
  dir_.checkpoint.write_superblock();
}

// A superblock was written: does the journal go on from here?
void Starter::superblock_written() {
  if (step_ != Step::superblock) return;
  const auto& jumps = dir_.checkpoint.written().jumps;
  if (!jumps.empty() && jumps.back().from == dir_.ring.next()) dir_.ring.jump(jumps.back().to);
  dir_.frames_blocked = jump_due_;
  dir_.recovered = true;
  dir_.rest = Directory::Rest::awake;
  step_ = Step::over;
  scan_.reset();
  rescan_.reset();
  replay_.reset();
  if (!memory_.empty()) dir_.shared.pool.give(std::exchange(memory_, {}));
}

}  // namespace tailwater::log
