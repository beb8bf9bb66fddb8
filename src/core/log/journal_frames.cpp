#include "core/log/journal_frames.hpp"

#include <utility>

#include "base/check.hpp"
#include "base/plant.hpp"
#include "core/log/directory.hpp"

namespace tailwater::log {

namespace {

using journal::EntryKind;
using journal::kBlock;

constexpr std::size_t kSpareItems = 4;
// flush.ms from here on is no bound: a time so far away cannot be told.
constexpr std::int64_t kFlushMsMax = std::int64_t{1} << 40;

}  // namespace

JournalFrames::~JournalFrames() {
  for (Frame& frame : frames_) {
    if (!frame.memory.empty()) dir_.shared.pool.give(frame.memory);
  }
}

JournalFrames::Frame JournalFrames::make(std::size_t bytes) {
  Frame frame;
  frame.memory = dir_.shared.pool.take(bytes);
  if (!spare_items_.empty()) {
    frame.items = std::move(spare_items_.back());
    spare_items_.pop_back();
  }
  frame.lsn = dir_.ring.next();
  dir_.ring.begin(frame.memory.first(bytes));
  return frame;
}

void JournalFrames::submit(Frame frame) {
  frame.sent = dir_.now.monotonic;
  const journal::RingWriter::Frame formed = dir_.ring.finish();
  ++dir_.report.frames;
  dir_.report.frame_bytes += formed.bytes.size();
  dir_.report.frame_payload_bytes += formed.payload;
  DiskOp op = dir_.op(DiskOpKind::write, Part::journal, formed.lsn.value / kBlock);
  op.file = dir_.ring_file;
  op.at = formed.position;
  op.pieces.push_back(formed.bytes);
  op.durable = !dir_.soft && !planted(Plant::acknowledgement_before_sync);
  op.urgent = true;
  dir_.shared.outbox.push_back(std::move(op));
  frames_.push_back(std::move(frame));
}

std::size_t JournalFrames::in_flight() const {
  return static_cast<std::size_t>(std::count_if(frames_.begin() + static_cast<std::ptrdiff_t>(written_),
                                                frames_.end(),
                                                [](const Frame& frame) { return !frame.landed; }));
}

void JournalFrames::completed(const DiskDone& done) {
  const Lsn lsn{detail_of(done.token) * kBlock};
  const auto found = std::find_if(frames_.begin() + static_cast<std::ptrdiff_t>(written_), frames_.end(),
                                  [&](const Frame& frame) { return frame.lsn == lsn; });
  CHECK(found != frames_.end());
  const Duration took = dir_.now.monotonic - found->sent;
  if (!dir_.soft) dir_.shared.pace.journal_written(took);
  dir_.report.frame_times.add_us(static_cast<std::uint64_t>(took.nanoseconds / 1'000));
  dir_.shared.pool.give(found->memory);
  found->memory = {};
  if (!dir_.online() || dir_.check(done)) return;
  found->landed = true;
  if (found != frames_.begin() && found->written() && planted(Plant::acknowledgement_out_of_order))
    settle(*found);
  advance_written();
}

void JournalFrames::run_durable(Lsn lsn) {
  const auto found =
      std::find_if(frames_.begin(), frames_.end(), [&](const Frame& frame) { return frame.lsn == lsn; });
  CHECK(found != frames_.end());
  --found->runs;
  advance_written();
}

void JournalFrames::advance_written() {
  for (; written_ < frames_.size() && frames_[written_].written(); ++written_) {
    if (dir_.soft) acknowledge(frames_[written_]);
  }
  if (!dir_.soft) retire(written_);
}

// The operating system has the frame, and all before it.
void JournalFrames::acknowledge(const Frame& frame) {
  for (const Item& item : frame.items) {
    LogState& log = *item.log;
    const bool batches = item.kind == EntryKind::batches;
    if (batches && (log.removed || item.generation != log.generation)) continue;
    if (item.wants_stable) want(frame.last_number);
    const std::int64_t unsynced = item.point.offset - log.durable.offset;
    if (!batches || !log.config.os_durable || unsynced >= log.config.flush_messages) {
      want(frame.last_number);
      continue;
    }
    if (log.config.flush_ms < kFlushMsMax)
      sync_at_ = std::min(sync_at_, dir_.now.monotonic + Duration::from_ms(log.config.flush_ms));
    move_end(log, item.point.offset);
  }
}

bool JournalFrames::sync_due() const {
  if (!dir_.soft || syncing_ > 0 || written_ == 0) return false;
  if (dir_.stopping || durable_number_ < wanted_number_ || sync_at_ <= dir_.now.monotonic) return true;
  const Lsn durable = dir_.ring.durable();
  if (const auto fence = dir_.journal.fence(); fence && durable < *fence) return true;
  return dir_.ring.next() - durable >= dir_.ring.capacity() / 8 || dir_.flusher.under_pressure();
}

void JournalFrames::turn() {
  if (!sync_due()) return;
  syncing_ = written_;
  sync_at_ = Instant::max();
  DiskOp op = dir_.op(DiskOpKind::sync, Part::ring_sync, 0);
  op.file = dir_.ring_file;
  op.urgent = true;
  dir_.shared.outbox.push_back(std::move(op));
}

void JournalFrames::synced(const DiskDone& done) {
  const std::size_t count = std::exchange(syncing_, 0);
  if (!dir_.online() || dir_.check(done)) return;
  retire(count);
}

void JournalFrames::abandon() {
  for (Frame& frame : frames_) {
    for (const Item& item : frame.items) --item.log->references;
    frame.items.clear();
  }
}

void JournalFrames::note_changed(LogState& log) {
  if (std::exchange(log.changed, true)) return;
  dir_.shared.news.changed.push_back(log.log);
}

// What is acknowledged.
void JournalFrames::move_end(LogState& log, Offset end) {
  if (end <= log.durable_end) return;
  log.durable_end = end;
  // Without a high watermark of its own a log's durable end is it.
  if (log.producers && !log.high_watermark) log.producers->release_below(end);
  note_changed(log);
}

// Everything in the frame is durable.
void JournalFrames::settle(Frame& frame) {
  for (const Item& item : frame.items) {
    LogState& log = *item.log;
    --log.references;
    if (log.removed) continue;
    if (item.kind == EntryKind::log_start && item.base_offset > log.durable_start) {
      log.durable_start = std::min(item.base_offset, log.start);
      note_changed(log);
    }
    if (item.kind == EntryKind::compaction) ++log.compaction.durable;
    if (item.generation != log.generation) continue;
    log.durable = item.point;
    if (item.wants_stable) note_changed(log);
    dir_.flusher.consider(log);
    move_end(log, item.point.offset);
  }
  frame.items.clear();
}

// The first `count` frames are durable.
void JournalFrames::retire(std::size_t count) {
  for (; count > 0; --count, --written_) {
    Frame& frame = frames_.front();
    dir_.ring.completed(frame.lsn);
    durable_number_ = frame.last_number;
    settle(frame);
    if (spare_items_.size() < kSpareItems) spare_items_.push_back(std::move(frame.items));
    frames_.pop_front();
  }
}

}  // namespace tailwater::log
