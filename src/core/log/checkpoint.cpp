#include "core/log/checkpoint.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "core/log/directory.hpp"
#include "core/log/manifest.hpp"

namespace tailwater::log {

namespace {

// What went straight to files since the last manifest is read again by a start: not more than this.
constexpr std::uint64_t kDirectBytesMax = std::uint64_t{512} << 20;

ManifestLog describe(const LogState& log) {
  ManifestLog entry;
  entry.id = log.identity.id;
  entry.topic_id = log.identity.topic_id;
  entry.partition = log.identity.partition;
  entry.topic = log.identity.topic;
  entry.start = log.start;
  entry.end = log.end;
  entry.compacted = log.compaction.passed;
  entry.compaction_step = static_cast<std::uint8_t>(log.compaction.step);
  entry.compaction_base = log.compaction.base;
  entry.segments = log.segments;
  entry.epochs = log.epochs.entries();
  if (log.producers) {
    entry.producers = log.producers->producers();
    entry.aborted = log.producers->aborted();
    entry.ended = log.producers->ended();
  }
  return entry;
}

}  // namespace

Checkpointer::~Checkpointer() {
  if (!memory_.empty()) dir_.shared.pool.give(memory_);
}

DiskOp Checkpointer::of_superblock(DiskOpKind kind, Role role, std::uint64_t sequence) {
  if (memory_.empty()) memory_ = dir_.shared.pool.take(journal::kBlock);
  busy_ = true;
  DiskOp op = dir_.op(kind, Part::checkpoint, static_cast<std::uint64_t>(role));
  op.file = dir_.ring_file;
  op.at = journal::superblock_position(sequence);
  return op;
}

void Checkpointer::write_superblock() {
  if (busy_) {
    again_ = true;
    return;
  }
  ++wanted_.sequence;
  std::erase_if(wanted_.jumps, [&](const journal::Jump& jump) { return jump.from < wanted_.trim; });
  in_flight_ = wanted_;
  DiskOp op = of_superblock(DiskOpKind::write, Role::superblock, wanted_.sequence);
  journal::encode(wanted_, memory_.first(journal::kBlock));
  op.pieces.push_back(memory_.first(journal::kBlock));
  op.durable = true;
  dir_.shared.outbox.push_back(std::move(op));
}

void Checkpointer::read_superblock() {
  if (busy_ || before_last_ == 0) return;
  DiskOp op = of_superblock(DiskOpKind::read, Role::proof, written_.sequence);
  op.memory = memory_.first(journal::kBlock);
  dir_.shared.outbox.push_back(std::move(op));
}

void Checkpointer::superblock_read(const DiskDone& done) {
  if (dir_.check(done)) return;
  const bool whole = *done.outcome == journal::kBlock;
  if (whole && journal::decode_superblock(memory_.first(journal::kBlock)) == written_) {
    remove_before_last();
  } else {
    dir_.shared.news.faults.push_back("a superblock of " + dir_.ring_path() +
                                      " did not come to its place; it is written again");
    // To the same place: the other one is the only good one now.
    ++wanted_.sequence;
    again_ = true;
  }
  if (std::exchange(again_, false)) write_superblock();
}

bool Checkpointer::due() const {
  if (dir_.now.monotonic < retry_at_) return false;
  if (dir_.frames_blocked && !dir_.stopping && gain() > 0) return true;
  if (dir_.stopping) {
    // The twin's logs may wait for folders' names that this one's janitor gives up.
    const bool twin_flushed =
        dir_.twin == nullptr || dir_.twin->rest == Directory::Rest::asleep || dir_.twin->flusher.finished();
    const bool flushed = dir_.flusher.finished() && twin_flushed;
    return flushed && dir_.janitor.quiet() && dir_.pool().quiet() && dir_.compacting == 0 && !finished_;
  }
  // Whether there is room again is only known from trying, however little there is to gain.
  if (no_room_) return true;
  const std::uint64_t most = std::min(dir_.shared.dirty_bytes_max() / 2, kDirectBytesMax);
  const bool many_runs = dir_.direct.bytes() - direct_at_last_ > most;
  if (dir_.growth.needs_empty_ring() || trim_wanted() || many_runs) return gain() > 0;
  return dir_.ring_demand() > dir_.ring.capacity() / 2 && gain() >= dir_.ring.capacity() / 8;
}

bool Checkpointer::trim_wanted() const {
  return trim_wanted_ && *trim_wanted_ >= dir_.ring.trim();
}

std::uint64_t Checkpointer::gain() const {
  const Lsn needed = dir_.dirty.empty() ? dir_.ring.durable() : dir_.dirty.begin()->first;
  return needed > dir_.ring.trim() ? needed - dir_.ring.trim() : 0;
}

Manifest Checkpointer::state() const {
  Manifest manifest;
  manifest.journal_id = dir_.ring.journal_id();
  manifest.next_log_id = dir_.next_log_id;
  manifest.logs.reserve(dir_.logs.size());
  for (const auto& [id, log] : dir_.logs) {
    // What makes a newcomer comes behind the fence.
    if (!log->newcomer) manifest.logs.push_back(describe(*log));
  }
  manifest.doomed = dir_.janitor.describe();
  return manifest;
}

void Checkpointer::take_state() {
  Manifest manifest = state();
  // One that found no room counts for nothing: the next has its name.
  generation_ = wanted_.manifest_generation + 1;
  manifest.generation = generation_;
  content_ = encode(manifest);
  // What waits in front of the fence will be in frames from here on, and is not flushed either.
  oldest_needed_ = dir_.ring.next();
  if (!dir_.dirty.empty()) oldest_needed_ = std::min(oldest_needed_, dir_.dirty.begin()->first);
  direct_at_last_ = dir_.direct.bytes();
  final_ = dir_.stopping;
  dir_.journal.place_fence();
  phase_ = Phase::fence;
}

// A log that holds entries back has state which no frame holds yet.
bool Checkpointer::may_take_state() const {
  return dir_.heads.active() == 0 && !dir_.journal.holds_entries();
}

bool Checkpointer::ready() const {
  if (phase_ == Phase::idle) return may_take_state() && due();
  return phase_ == Phase::fence && dir_.journal.fence().has_value();
}

void Checkpointer::turn() {
  const bool wanted = phase_ == Phase::idle && due();
  waits_for_runs_ = wanted && !may_take_state();
  if (wanted && !waits_for_runs_) take_state();
  if (phase_ == Phase::fence && dir_.journal.fence()) {
    checkpoint_ = *dir_.journal.fence();
    seal(content_, checkpoint_);
    phase_ = Phase::settle;
  }
  if (phase_ != Phase::settle || dir_.ring.durable() < checkpoint_) return;
  phase_ = Phase::manifest;
  DiskOp op = dir_.op(DiskOpKind::replace, Part::checkpoint, static_cast<std::uint64_t>(Role::manifest));
  op.path = dir_.manifest_path(generation_);
  op.content = std::move(content_);
  dir_.shared.outbox.push_back(std::move(op));
}

void Checkpointer::completed(const DiskDone& done) {
  const auto role = static_cast<Role>(detail_of(done.token));
  if (role == Role::superblock || role == Role::proof) busy_ = false;
  if (dir_.report.state == DirState::offline) return;
  if (role == Role::proof) return superblock_read(done);
  if (role == Role::manifest && found_no_room(done)) {
    phase_ = Phase::idle;
    no_room_ = true;
    retry_at_ = dir_.room_retry_at();
    read_superblock();
    return;
  }
  if (role == Role::removal) {
    // It may have made the room that was missing.
    if (no_room_) retry_at_ = std::min(retry_at_, dir_.now.monotonic);
    return;
  }
  if (dir_.check(done)) return;
  if (role == Role::superblock) {
    superblock_written();
    return;
  }
  no_room_ = false;
  wanted_.manifest_generation = generation_;
  wanted_.trim = oldest_needed_;
  wanted_.trim_prev_crc = dir_.ring.prev_crc_at(wanted_.trim);
  wanted_.clean = final_;
  phase_ = Phase::superblock;
  write_superblock();
}

void Checkpointer::superblock_written() {
  written_ = in_flight_;
  dir_.starter.superblock_written();
  if (written_.trim > dir_.ring.trim()) dir_.ring.trimmed(written_.trim);
  if (written_.capacity > dir_.ring.capacity()) dir_.growth.superblock_written();
  if (phase_ == Phase::superblock && written_.manifest_generation == generation_) {
    phase_ = Phase::idle;
    finished_ = final_;
    // The one before stays, so that a person has something to look at should this one rot.
    remove_before_last();
    before_last_ = last_;
    last_ = generation_;
  }
  if (std::exchange(again_, false)) write_superblock();
}

void Checkpointer::remove_before_last() {
  if (before_last_ == 0) return;
  DiskOp op = dir_.op(DiskOpKind::remove, Part::checkpoint, static_cast<std::uint64_t>(Role::removal));
  op.path = dir_.manifest_path(std::exchange(before_last_, 0));
  dir_.shared.outbox.push_back(std::move(op));
}

}  // namespace tailwater::log
