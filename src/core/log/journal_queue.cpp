#include "core/log/journal_queue.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "base/plant.hpp"
#include "base/prefetch.hpp"
#include "core/log/directory.hpp"
#include "core/log/extent.hpp"
#include "core/log/tail.hpp"

namespace tailwater::log {

namespace {

using journal::EntryKind;
using journal::kBlock;

// Less than this is not worth an entry of its own at the end of a frame.
constexpr std::size_t kSplitMin = 512;
// Appends follow on each other in one entry up to this: an entry of which only a part fits keeps ring space
// occupied.
constexpr std::uint64_t kEntryBytes = std::uint64_t{256} << 10;
// What waits for a direct run will probably be one: the larger, the fewer flushes of the disk.
constexpr std::uint64_t kRunBytes = std::uint64_t{1} << 20;

std::uint64_t weight(const Pending& entry) {
  return journal::kEntryHeaderSize + (entry.begun ? 0 : entry.head) + (entry.to - entry.from) +
         entry.content.size();
}

// The head that an entry beginning at `from` brings along if it goes into a frame now.
std::uint32_t head_at(const LogState& log, Offset segment, std::uint64_t from) {
  const bool due = from == log.head_due && segment == log.head_segment;
  return due ? static_cast<std::uint32_t>(from % kBlock) : 0;
}

constexpr std::size_t kRunFrames = 4;

bool ends_log(EntryKind kind) {
  return kind == EntryKind::restart || kind == EntryKind::remove;
}

// The same for an entry of the queue. One that a truncation has overtaken brings what was due before: until
// the truncation's own entry is in a frame, a manifest may count on it.
std::uint32_t head_of(const Pending& entry) {
  const std::uint32_t due = head_at(*entry.log, entry.segment, entry.from);
  if (due > 0 || entry.generation == entry.log->generation) return due;
  return entry.chunk->valid <= entry.from - entry.head ? entry.head : 0;
}

}  // namespace

JournalQueue::~JournalQueue() {
  for (std::size_t each = begin_; each < pending_.size(); ++each) unpin(pending_[each]);
}

void JournalQueue::unpin(Pending& entry) {
  if (entry.chunk != nullptr) dir_.shared.tail.unpin(entry.chunk);
  entry.chunk = nullptr;
}

// Adds a batch to an entry that has not begun to go, if it follows on it there.
bool JournalQueue::join(Pending& last, const cache::Chunk& chunk, std::uint64_t from, std::uint64_t to) {
  const std::uint64_t most = last.came_busy && dir_.direct.takes(last) ? kRunBytes : kEntryBytes;
  if (last.kind != EntryKind::batches || last.chunk != &chunk || last.to != from || last.begun ||
      last.to - last.from >= most)
    return false;
  last.to = to;
  last.end = last.log->end;
  return true;
}

void JournalQueue::push_batch(LogState& log, cache::Chunk& chunk, std::uint64_t from, std::uint64_t to) {
  if (!log.held.empty()) {
    if (join(log.held.back(), chunk, from, to)) {
      held_bytes_ += to - from;
      return;
    }
  } else if (log.last_pending >= std::max({first_number_, fence_number_, log.joins_from})) {
    Pending& last = pending_[begin_ + (log.last_pending - first_number_)];
    if (join(last, chunk, from, to)) {
      waiting_bytes_ += to - from;
      note_large(last);
      return;
    }
  }
  Pending entry;
  entry.log = &log;
  entry.kind = EntryKind::batches;
  entry.generation = log.generation;
  entry.chunk = &chunk;
  entry.from = from;
  entry.to = to;
  entry.segment = chunk.segment_base;
  entry.end = log.end;
  entry.head = head_at(log, entry.segment, from);
  dir_.shared.tail.pin(&chunk);
  ++log.references;
  if (holds(log)) {
    hold(std::move(entry));
  } else {
    enqueue(std::move(entry));
  }
}

void JournalQueue::want_stable(LogState& log) {
  CHECK(!log.held.empty() || log.last_pending >= first_number_);
  Pending& last = log.held.empty() ? pending_[begin_ + (log.last_pending - first_number_)] : log.held.back();
  last.wants_stable = true;
}

void JournalQueue::push(LogState& log, Note note) {
  Pending entry;
  entry.log = &log;
  entry.kind = note.kind;
  entry.generation = log.generation;
  entry.argument = note.argument;
  entry.from = entry.to = note.position;
  entry.segment = note.segment;
  entry.base_offset = note.base_offset;
  entry.end = log.end;
  entry.content = std::move(note.content);
  ++log.references;
  // That the log is gone needs no head.
  if (holds(log) && !log.removed) {
    hold(std::move(entry));
  } else {
    enqueue(std::move(entry));
  }
}

// Nothing that comes behind a run can be acknowledged before it, and the next run of its file waits for it anyway.
// A checkpoint can be made only when nothing is held: what comes then waits in the queue.
bool JournalQueue::behind_run(const LogState& log) const {
  return (log.runs_direct || log.large_pending >= first_number_) && !dir_.checkpoint.waits_for_runs();
}

bool JournalQueue::holds(const LogState& log) const {
  return log.loading_head || log.newcomer || !log.held.empty() || behind_run(log);
}

void JournalQueue::hold(Pending entry) {
  held_bytes_ += weight(entry);
  LogState& log = *entry.log;
  if (log.held.empty() && behind_run(log)) holding_.push_back(&log);
  entry.came_busy = behind_run(log);
  log.held.push_back(std::move(entry));
}

void JournalQueue::enqueue(Pending entry) {
  waiting_bytes_ += weight(entry);
  LogState& log = *entry.log;
  pending_.push_back(std::move(entry));
  log.last_pending = last_number();
  note_large(pending_.back());
}

// REQUIRES: the last entry of its log in the queue.
void JournalQueue::note_large(Pending& entry) {
  entry.came_busy = entry.came_busy || !frames_.empty();
  if (entry.came_busy && dir_.direct.takes(entry)) entry.log->large_pending = entry.log->last_pending;
}

void JournalQueue::release_held(LogState& log) {
  if (log.removed || log.loading_head || log.newcomer) return;
  std::size_t released = 0;
  for (; released < log.held.size() && !behind_run(log); ++released) {
    held_bytes_ -= weight(log.held[released]);
    enqueue(std::move(log.held[released]));
  }
  log.held.erase(log.held.begin(), log.held.begin() + static_cast<std::ptrdiff_t>(released));
  std::erase(holding_, &log);
  if (!log.held.empty()) holding_.push_back(&log);
}

std::uint64_t JournalQueue::demand_of(std::uint64_t waiting) const {
  if (waiting == 0) return 0;
  // A frame ends where the next piece is not worth its header, or brings a head that does not fit.
  const std::uint64_t frames = waiting / (dir_.ring.frame_bytes_max() / 2) + 2;
  return waiting + frames * 2 * kBlock;
}

bool JournalQueue::expect_head(LogState& log, Offset segment, std::uint64_t position) {
  if (position % kBlock == 0 || log.last_pending < first_number_) return true;
  const auto head = static_cast<std::uint32_t>(position % kBlock);
  const auto found = std::find_if(pending_.begin() + static_cast<std::ptrdiff_t>(begin_), pending_.end(),
                                  [&](const Pending& entry) {
                                    return entry.log == &log && entry.kind == EntryKind::batches &&
                                           entry.segment == segment && entry.from == position;
                                  });
  if (found == pending_.end() || found->head == head) return true;
  if (dir_.ring.used() + demand(head) > dir_.ring.capacity()) return false;
  waiting_bytes_ += head - found->head;
  found->head = head;
  return true;
}

void JournalQueue::drop_held(LogState& log) {
  for (Pending& entry : log.held) {
    held_bytes_ -= weight(entry);
    unpin(entry);
    --log.references;
  }
  log.held.clear();
  std::erase(holding_, &log);
}

void JournalQueue::place_fence() {
  CHECK(fence_number_ == 0);
  fence_number_ = last_number() + 1;
  fence_lsn_.reset();
}

// Straight to its segment goes what is large and found the journal busy: then the disk's bandwidth counts.
DirectRuns::Way JournalQueue::way_of(const Pending& entry) {
  if (entry.kind != EntryKind::batches || !entry.came_busy) return DirectRuns::Way::journal;
  return dir_.direct.way_of(*entry.log, entry);
}

// Whether direct runs that are on their way have to be durable first.
bool JournalQueue::must_wait(const Pending& entry) {
  // From such an entry on the blocks of the log's runs may hold something else: a start that finds it in the
  // journal has to find there, too, that they were durable (Replay::prove).
  if (ends_log(entry.kind)) return last_runs_ && dir_.ring.durable() <= *last_runs_;
  return way_of(entry) == DirectRuns::Way::later;
}

bool JournalQueue::may_form() {
  if (begin_ == pending_.size() || dir_.ring.room() == 0 || dir_.frames_blocked) return false;
  if (!dir_.soft) {
    // How far what is not durable may reach is what a start counts on (journal::window_bytes).
    const std::uint64_t unsettled = dir_.ring.next() - dir_.ring.durable();
    if (unsettled > 2 * std::uint64_t{dir_.ring.frame_bytes_max()}) return false;
  }
  // A frame whose records go beside it is small, and it is the disk's bandwidth that counts then.
  const std::size_t in_flight = frames_.in_flight();
  if (in_flight < kRunFrames && way_of(pending_[begin_]) == DirectRuns::Way::direct) return true;
  if (in_flight > 1 || (in_flight == 1 && waiting_bytes_ < dir_.shared.options.second_frame_bytes))
    return false;
  return !must_wait(pending_[begin_]);
}

JournalQueue::Need JournalQueue::first_need() const {
  const Pending& entry = pending_[begin_];
  if (entry.kind != EntryKind::batches) return {0, entry.content.size(), entry.content.size()};
  const std::uint32_t head = entry.begun ? 0 : head_of(entry);
  const std::size_t whole = head + (entry.to - entry.from);
  // A piece that is cut off brings something new, not only the head.
  return {head, std::min(whole, head + kSplitMin), whole};
}

bool JournalQueue::fill_lap() {
  const std::uint64_t room = dir_.ring.room();
  if (journal::kFrameHeaderSize + journal::kEntryHeaderSize + first_need().least <= room) return true;
  // Room that trimming will give is waited for; the end of a lap gives none.
  if (dir_.ring.lap_room() > room) return false;
  Frame frame = frames_.make(room);
  dir_.ring.add({.kind = EntryKind::filler}, {});
  frame.last_number = first_number_ - 1;
  frames_.submit(std::move(frame));
  return false;
}

void JournalQueue::turn() {
  // While frames are blocked only notes of renamed folders wait: they may as well be read twice.
  if (fence_number_ != 0 && (first_number_ >= fence_number_ || dir_.frames_blocked)) {
    fence_lsn_ = dir_.ring.next();
    fence_number_ = 0;
  }
  frames_.turn();
  if (!may_form() || !fill_lap()) return;
  // Heads may come on top of what waits; a frame that turns out longer than its memory is continued by the
  // next.
  const std::uint64_t wished = journal::round_up(journal::kFrameHeaderSize + waiting_bytes_ + kBlock, kBlock);
  const std::size_t size = std::min(wished, dir_.ring.room());
  Frame frame = frames_.make(size);
  while (begin_ < pending_.size() && first_number_ != fence_number_ && take_first(frame)) approach_next();
  compact();
  frame.last_number = first_number_ - 1;
  frames_.submit(std::move(frame));
}

// What waited while other frames were written is not in the processor's caches any more. Hints, as in approach.hpp;
// further ahead for what says where the bytes are.
void JournalQueue::approach_next() const {
  constexpr std::size_t kFar = 8;
  constexpr std::size_t kNear = 4;
  const std::size_t waiting = pending_.size() - begin_;
  if (waiting > kFar) {
    const Pending& far = pending_[begin_ + kFar];
    prefetch(far.log, sizeof(LogState));
    if (far.chunk != nullptr) prefetch(far.chunk, sizeof(cache::Chunk));
  }
  if (waiting <= kNear) return;
  const Pending& near = pending_[begin_ + kNear];
  if (near.chunk != nullptr)
    prefetch(near.chunk->at(near.from), std::min<std::size_t>(near.to - near.from, kBlock));
}

bool JournalQueue::take_first(Frame& frame) {
  Pending& entry = pending_[begin_];
  LogState& log = *entry.log;
  const Need need = first_need();
  if (!dir_.ring.fits(need.least) || must_wait(entry)) return false;
  // A start cuts the journal before a frame with a run that is not whole, and then the log has not ended: its own
  // runs would count again, of which the start has taken no notice.
  if (frame.ends_log && way_of(entry) == DirectRuns::Way::direct) return false;
  if (entry.kind == EntryKind::batches && take_run(entry, frame, need.head)) return true;
  if (entry.kind == EntryKind::batches) {
    const std::size_t length = std::min(need.whole, dir_.ring.content_room());
    take_batches(entry, frame, need.head, length);
    if (length < need.whole) return false;
    pop_first();
    return true;
  }
  dir_.ring.add({.log = log.identity.id,
                 .kind = entry.kind,
                 .length = static_cast<std::uint32_t>(entry.content.size()),
                 .segment_base = entry.segment.value,
                 .position = static_cast<std::uint32_t>(entry.from),
                 .argument = entry.argument,
                 .base_offset = entry.base_offset.value},
                entry.content);
  frame.ends_log = frame.ends_log || ends_log(entry.kind);
  // A file that is to end exactly keeps its frame until it does.
  if (entry.kind == EntryKind::roll) dir_.set_dirty(log, frame.lsn);
  if (entry.generation == log.generation) {
    const bool moves = entry.kind == EntryKind::roll || entry.kind == EntryKind::truncate ||
                       entry.kind == EntryKind::restart;
    if (moves) log.framed = {entry.segment, entry.from, entry.end, {}, {}};
    // What is not flushed lies in frames from `dirty` on, the block that a truncation cuts included.
    if (entry.from % kBlock != 0) log.framed.block = log.dirty;
    log.framed.offset = entry.end;
  } else if (!log.framed.partial) {
    log.framed.partial = frame.lsn;
  }
  frame.items.push_back({&log, entry.generation, log.framed, entry.kind, entry.base_offset});
  ++log.references;
  waiting_bytes_ -= weight(entry);
  pop_first();
  return true;
}

void JournalQueue::take_batches(Pending& entry, Frame& frame, std::uint32_t head, std::size_t length) {
  LogState& log = *entry.log;
  const std::uint64_t begin = entry.from - head;
  const std::uint64_t end = begin + length;
  CHECK(entry.chunk->valid <= begin);
  const std::uint32_t image = planted(Plant::rewrite_without_image) ? 0 : head;
  const std::uint64_t first = entry.from - image;
  dir_.ring.add({.log = log.identity.id,
                 .kind = EntryKind::batches,
                 .head_length = static_cast<std::uint16_t>(image),
                 .length = static_cast<std::uint32_t>(end - first),
                 .segment_base = entry.segment.value,
                 .position = static_cast<std::uint32_t>(first),
                 .argument = entry.begun ? 1u : 0u,
                 .base_offset = entry.chunk->first_offset.value},
                entry.chunk->range(first, end));
  note_taken(entry, frame, head, end);
}

bool JournalQueue::take_run(Pending& entry, Frame& frame, std::uint32_t head) {
  LogState& log = *entry.log;
  if (way_of(entry) != DirectRuns::Way::direct) return false;
  CHECK(entry.chunk->valid <= entry.from - head);
  encode_extent(entry.chunk->at(entry.from), entry.from, entry.to, head, extent_);
  if (!dir_.ring.fits(extent_.size())) return false;
  dir_.ring.add({.log = log.identity.id,
                 .kind = EntryKind::extent,
                 .head_length = static_cast<std::uint16_t>(head),
                 .length = static_cast<std::uint32_t>(extent_.size()),
                 .segment_base = entry.segment.value,
                 .position = static_cast<std::uint32_t>(entry.from - head),
                 .base_offset = peek_batch(entry.chunk->at(entry.from)).base.value},
                extent_);
  dir_.direct.begin(entry, frame.lsn);
  ++frame.runs;
  last_runs_ = frame.lsn;
  note_taken(entry, frame, head, entry.to);
  pop_first();
  return true;
}

// What lies before `end` went into the frame, or beside it.
void JournalQueue::note_taken(Pending& entry, Frame& frame, std::uint32_t head, std::uint64_t end) {
  LogState& log = *entry.log;
  const std::uint64_t begin = entry.from - head;
  const std::uint64_t before = weight(entry);
  if (!entry.begun) {
    entry.begun = frame.lsn;
    entry.cut_begun = begin <= journal::round_down(entry.to, kBlock);
  }
  entry.from = end;
  waiting_bytes_ -= before - weight(entry);
  dir_.set_dirty(log, frame.lsn);
  if (head > 0) {
    if (log.head_segment == entry.segment && log.head_due == begin + head) log.head_due = kNoPosition;
    // Also when a truncation has cut this very entry away: its head stays good for the one that follows.
    if (log.framed.segment == entry.segment && log.framed.position == begin + head)
      log.framed.block = frame.lsn;
  }
  const bool whole = entry.from == entry.to;
  if (whole) waiting_bytes_ -= weight(entry);
  // A copy is taken first and then advanced like the original: the processor is slow to read, many bytes at once,
  // what was just written in parts.
  auto& item = frame.items.emplace_back(&log, entry.generation, log.framed);
  item.wants_stable = whole && entry.wants_stable;
  for (JournalPoint* const point : {&log.framed, &item.point}) {
    if (entry.generation == log.generation) {
      advance(*point, entry, whole);
    } else if (!point->partial) {
      point->partial = entry.begun;
    }
  }
  ++log.references;
}

// The log's entry, or a piece of it, went into a frame.
void JournalQueue::advance(JournalPoint& framed, const Pending& entry, bool whole) {
  if (!whole) {
    framed.partial = entry.begun;
    return;
  }
  if (entry.to % kBlock == 0) {
    framed.block.reset();
  } else if (entry.cut_begun || framed.segment != entry.segment) {
    framed.block = entry.begun;
  }
  CHECK(entry.to % kBlock == 0 || framed.block.has_value());
  framed.partial.reset();
  framed.segment = entry.segment;
  framed.position = entry.to;
  framed.offset = entry.end;
}

void JournalQueue::pop_first() {
  Pending& entry = pending_[begin_];
  LogState& log = *entry.log;
  unpin(entry);
  --log.references;
  entry.content = {};
  ++begin_;
  ++first_number_;
  if (!log.held.empty()) release_held(log);
}

void JournalQueue::compact() {
  if (begin_ == pending_.size()) {
    pending_.clear();
    begin_ = 0;
  } else if (begin_ * 2 > pending_.size()) {
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(begin_));
    begin_ = 0;
  }
}

void JournalQueue::abandon() {
  for (std::size_t each = begin_; each < pending_.size(); ++each) {
    unpin(pending_[each]);
    --pending_[each].log->references;
  }
  first_number_ += pending_.size() - begin_;
  pending_.clear();
  begin_ = 0;
  waiting_bytes_ = 0;
  frames_.abandon();
}

}  // namespace tailwater::log
