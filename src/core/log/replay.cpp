#include "core/log/replay.hpp"

#include <algorithm>
#include <utility>

#include "base/crc32c.hpp"
#include "base/plant.hpp"
#include "core/log/compaction_ops.hpp"
#include "core/log/directory.hpp"
#include "core/log/log_ops.hpp"
#include "core/log/tail.hpp"

namespace tailwater::log {

namespace {

using journal::EntryKind;
using journal::kBlock;
using journal::round_down;

}  // namespace

bool Replay::load(Manifest manifest) {
  checkpoint_ = manifest.checkpoint;
  dir_.next_log_id = manifest.next_log_id;
  for (ManifestLog& entry : manifest.logs) {
    const LogIdentity identity{entry.id, entry.topic_id, std::move(entry.topic), entry.partition, dir_.id};
    if (!dir_.claim(identity)) return false;
    LogState& log = add_log(dir_, identity, entry.start);
    log.end = log.durable_end = entry.end;
    log.compaction = {.passed = entry.compacted,
                      .step = static_cast<CompactionStep>(entry.compaction_step),
                      .base = entry.compaction_base};
    log.segments = std::move(entry.segments);
    for (Segment& segment : log.segments) segment.number = dir_.shared.next_segment_number++;
    log.epochs.restore(std::move(entry.epochs));
    if (!entry.producers.empty() || !entry.aborted.empty() || !entry.ended.empty()) {
      if (planted(Plant::aborted_visible)) entry.aborted.clear();
      log.producer_table().restore(std::move(entry.producers), std::move(entry.aborted),
                                   std::move(entry.ended));
    }
    log.folder_possible = true;
  }
  // Nobody reads them any more: who did was of the run before.
  for (DoomedPath& path : manifest.doomed) dir_.janitor.restore(std::move(path));
  return true;
}

bool Replay::wrong(const LogState& log, const std::string& what) {
  error_ = "the journal's entries for " + log.folder() + " at " + std::to_string(lsn_.value) + ": " + what;
  return false;
}

bool Replay::frame(const journal::FrameHeader& frame, journal::EntryCursor entries) {
  lsn_ = frame.lsn;
  if (!past_checkpoint_ && lsn_ >= checkpoint_) reach_checkpoint();
  if (!error_.empty()) return false;
  entries_ = entries;
  if (past_checkpoint_ && lsn_ >= settled_ && !prove(entries)) return false;
  return !unproven_.empty() || go_on();
}

// A frame that may never have been acknowledged counts only if all of its runs are whole.
//   1 such runs are never of a log that is emptied or removed behind them: before that is noted, all runs in
//     front of it are durable, and the frame with the note says so (JournalQueue::must_wait) and has no runs of
//     its own
//   2 so nothing else was written to their blocks: what is not whole was never finished
bool Replay::prove(journal::EntryCursor entries) {
  while (const auto next = entries.next()) {
    if (next->header.kind != EntryKind::extent) continue;
    const auto found = dir_.logs.find(next->header.log);
    const auto extent = decode_extent(next->header, next->content);
    if (found == dir_.logs.end() || !extent || found->second->segment_at(extent->segment) == nullptr) {
      error_ = "the journal at " + std::to_string(lsn_.value) + " names a direct run that makes no sense";
      return false;
    }
    unproven_.push_back({found->second, next->header, *extent});
  }
  return true;
}

bool Replay::go_on() {
  while (const auto next = entries_.next()) {
    ++number_;
    if (planted(Plant::one_pass_redo) && !past_checkpoint_) continue;
    if (passes_over(next->header)) continue;
    if (!entry(*next)) return false;
    if (run_) return true;
  }
  if (entries_.failed())
    error_ = "a frame of the journal at " + std::to_string(lsn_.value) + " contradicts itself";
  return error_.empty();
}

// Whether the entry says nothing any more of what its log is now.
bool Replay::passes_over(const journal::EntryHeader& entry) {
  const auto dead = dead_until_.find(entry.log);
  if (dead == dead_until_.end()) return false;
  if (number_ < dead->second) return true;
  dead_until_.erase(dead);
  return false;
}

// Null, and no error, of a log that was removed before the checkpoint; behind it that is noted in the journal before
// anything else.
LogState* Replay::log_of(const journal::EntryHeader& entry) {
  const auto found = dir_.logs.find(entry.log);
  if (found != dir_.logs.end()) return found->second;
  if (past_checkpoint_)
    error_ = "the journal at " + std::to_string(lsn_.value) + " names a log that does not exist";
  return nullptr;
}

bool Replay::extent(const journal::EntryCursor::Entry& entry) {
  LogState* const known = log_of(entry.header);
  if (known == nullptr) return error_.empty();
  LogState& log = *known;
  const auto extent = decode_extent(entry.header, entry.content);
  if (!extent) return wrong(log, "a direct run that makes no sense");
  if (const auto end = survey_.end_of(entry.header.log, number_)) {
    dead_until_[entry.header.log] = *end;
    return true;
  }
  Segment* const segment = log.segment_at(extent->segment);
  if (!past_checkpoint_) {
    if (segment == nullptr) return true;
    segment->last_extent = lsn_;
    const bool all_in_files = segment->sealed && segment->exact && segment->flushed == segment->size;
    if (all_in_files || extent->to <= segment->flushed) {
      stashes_.erase(entry.header.log);
      cut_chunks(log, dir_.shared.tail, extent->segment, extent->from, Offset{entry.header.base_offset});
      return true;
    }
  } else if (extent->segment != log.active().base || extent->from != log.active().size) {
    return wrong(log, "a direct run that does not follow on the last batch");
  }
  segment->last_extent = lsn_;
  run_ = Run{&log, entry.header, *extent};
  return true;
}

std::optional<Replay::Wish> Replay::wish() const {
  if (unproven_.empty() && !run_) return std::nullopt;
  const Run& run = unproven_.empty() ? *run_ : unproven_.back();
  const Extent& extent = run.extent;
  return Wish{run.log, run.log->segment_at(extent.segment), extent.blocks_from, extent.blocks_to,
              unproven_.empty()};
}

bool Replay::Run::whole(Bytes blocks) const {
  return blocks.size() == extent.blocks_to - extent.blocks_from && crc32c(blocks) == extent.blocks_crc;
}

bool Replay::run_read(Bytes blocks) {
  if (!unproven_.empty()) {
    if (!unproven_.back().whole(blocks)) {
      torn_ = lsn_;
      unproven_.clear();
      return true;
    }
    unproven_.pop_back();
    return !unproven_.empty() || go_on();
  }
  const Run run = *std::exchange(run_, std::nullopt);
  const Extent& extent = run.extent;
  LogState& log = *run.log;
  if (!run.whole(blocks)) {
    error_ = log.path(extent.segment, FileKind::records) + " is damaged between " +
             std::to_string(extent.blocks_from) + " and " + std::to_string(extent.blocks_to) +
             ": records that were acknowledged are lost there";
    return false;
  }
  run_bytes_.assign(extent.head.begin(), extent.head.end());
  for (const Bytes part : {extent.before, blocks, extent.behind})
    run_bytes_.insert(run_bytes_.end(), part.begin(), part.end());
  journal::EntryCursor::Entry as_batches{run.header, run_bytes_};
  as_batches.header.kind = EntryKind::batches;
  as_batches.header.length = static_cast<std::uint32_t>(run_bytes_.size());
  if (!batches(as_batches)) return false;
  log.segment_at(extent.segment)->direct.push_back({extent.blocks_from, extent.blocks_to});
  return go_on();
}

bool Replay::entry(const journal::EntryCursor::Entry& entry) {
  const EntryKind kind = entry.header.kind;
  if (kind == EntryKind::filler) return true;
  if (kind == EntryKind::extent) return extent(entry);
  if (kind == EntryKind::batches) return batches(entry);
  const auto found = dir_.logs.find(entry.header.log);
  if (!past_checkpoint_) {
    if (found != dir_.logs.end()) undo(*found->second, entry.header);
    return true;
  }
  if (kind == EntryKind::create) return create(entry);
  if (kind == EntryKind::remove && entry.header.argument == kFolderRenamed) {
    dir_.janitor.restore_renamed(entry.header.log);
    return true;
  }
  if (found == dir_.logs.end()) {
    error_ = "the journal at " + std::to_string(lsn_.value) + " names a log that does not exist";
    return false;
  }
  return change(*found->second, entry);
}

bool Replay::create(const journal::EntryCursor::Entry& entry) {
  constexpr std::size_t kFixed = 20;
  const std::byte* at = entry.content.data();
  if (entry.content.size() <= kFixed || dir_.logs.contains(entry.header.log)) {
    error_ = "the journal at " + std::to_string(lsn_.value) + " creates a log that makes no sense";
    return false;
  }
  LogIdentity identity{entry.header.log,
                       {load_little<std::uint64_t>(at), load_little<std::uint64_t>(at + 8)},
                       std::string(as_text(entry.content.subspan(kFixed))),
                       PartitionId{load_little<std::int32_t>(at + 16)},
                       dir_.id};
  if (!dir_.claim(identity)) {
    error_ = dir_.report.failure.message;
    return false;
  }
  LogState& log = add_log(dir_, identity, Offset{entry.header.base_offset});
  log.folder_possible = true;
  dir_.next_log_id = std::max(dir_.next_log_id, entry.header.log.value + 1);
  return true;
}

bool Replay::change(LogState& log, const journal::EntryCursor::Entry& entry) {
  const Offset offset{entry.header.base_offset};
  switch (entry.header.kind) {
    case EntryKind::roll:
      if (offset < log.end) return wrong(log, "a segment begins before the log's end");
      apply_roll(dir_, log, offset);
      dir_.set_dirty(log, lsn_);
      return true;
    case EntryKind::truncate: {
      CutPlace place{Offset{entry.header.segment_base}, entry.header.position, offset, {}};
      const Segment* segment = log.segment_at(place.segment);
      if (segment == nullptr || place.position > segment->size || offset > log.end ||
          !decode_cut(entry.content, place)) {
        return wrong(log, "a truncation names a place that does not exist");
      }
      cut_stash(log, place.segment, place.position);
      const TailPlace end{place.segment, place.position, place.end};
      const bool cuts = holds_beyond(log, end);
      apply_truncate(dir_, log, place);
      if (cuts) settle_cut(log, end);
      return true;
    }
    case EntryKind::log_start:
      if (offset > log.end) return wrong(log, "the log starts behind its end");
      apply_log_start(dir_, log, offset, Duration::from_ms(60'000));
      return true;
    case EntryKind::epoch_start:
      log.epochs.begin(LeaderEpoch{static_cast<std::int32_t>(entry.header.argument)}, offset);
      return true;
    case EntryKind::compaction:
      return replay_compaction(dir_, log, entry) || wrong(log, "a step of compaction that makes no sense");
    case EntryKind::restart:
      stashes_.erase(log.identity.id);
      apply_restart(dir_, log, offset);
      return true;
    case EntryKind::remove:
      stashes_.erase(log.identity.id);
      // If it had none, the folder of this name is another log's, perhaps one of the twin.
      if (entry.header.argument != kNeverHadFolder) dir_.janitor.doom_folder(log);
      forget_log(dir_, log);
      return true;
    default:
      return wrong(log, "an entry of an unknown kind");
  }
}

bool Replay::batches(const journal::EntryCursor::Entry& entry) {
  LogState* const known = log_of(entry.header);
  if (known == nullptr) return error_.empty();
  LogState& log = *known;
  Stash& stash = stashes_[entry.header.log];
  const std::uint64_t position = std::uint64_t{entry.header.position} + entry.header.head_length;
  const Bytes data = entry.content.subspan(entry.header.head_length);
  const Offset segment{entry.header.segment_base};
  if (entry.header.argument == 0) {
    // The rest of an entry that a truncation made worthless need not have been written.
    const Bytes head = entry.content.first(entry.header.head_length);
    // An entry that an earlier crash cut off may have brought the head for the one that came after the
    // restart.
    const bool inherits =
        head.empty() && !stash.head.empty() && stash.segment == segment && stash.position == position;
    stash.bytes.clear();
    if (!inherits) stash = {lsn_, position, segment, Buffer(head.begin(), head.end()), {}};
    stash.open = true;
  } else if (!stash.open || stash.segment != segment || stash.position + stash.bytes.size() != position) {
    if (past_checkpoint_) return wrong(log, "a piece of an entry without the piece before it");
    return true;
  }
  // Most entries are whole: nothing of them has to be kept.
  Bytes rest = data;
  if (stash.bytes.empty()) {
    if (!take_batches(log, stash, rest)) return false;
    stash.bytes.assign(rest.begin(), rest.end());
    return true;
  }
  stash.bytes.insert(stash.bytes.end(), data.begin(), data.end());
  rest = stash.bytes;
  if (!take_batches(log, stash, rest)) return false;
  stash.bytes = Buffer(rest.begin(), rest.end());
  return true;
}

// Takes the whole ones off the front of `all`.
bool Replay::take_batches(LogState& log, Stash& stash, Bytes& all) {
  std::size_t taken = 0;
  while (all.size() - taken >= records::kBatchHeaderSize) {
    const Result<records::BatchView> batch = records::parse_batch(all.subspan(taken));
    if (!batch && batch.error().code == Errc::truncated) break;
    if (!batch) return wrong(log, "bytes that are no batch");
    const std::uint64_t position = stash.position + taken;
    const bool done = past_checkpoint_ ? append(log, stash, position, batch->bytes())
                                       : redo(log, stash, position, batch->bytes());
    if (!done) return false;
    taken += batch->size();
  }
  stash.position += taken;
  all = all.subspan(taken);
  if (taken > 0) stash.head = {};
  return true;
}

// The first bytes of the block that the batch at `position` begins in, if they came along and are not here
// yet.
void Replay::place_head(cache::Chunk& chunk, const Stash& stash, std::uint64_t position) {
  if (stash.head.empty() || stash.position != position) return;
  const std::uint64_t block = position - stash.head.size();
  if (chunk.valid <= block || block < chunk.start || chunk.valid > position) return;
  std::copy(stash.head.begin(), stash.head.end(), chunk.at(block));
  chunk.valid = block;
}

// Before the checkpoint: what a truncation or a restart took away was brought back in vain. The rest of what
// they did is in the manifest.
void Replay::undo(LogState& log, const journal::EntryHeader& entry) {
  if (entry.kind == EntryKind::restart) {
    stashes_.erase(log.identity.id);
    while (!log.chunks.empty()) {
      dir_.shared.tail.drop(log.chunks.back());
      log.chunks.pop_back();
    }
    return;
  }
  if (entry.kind != EntryKind::truncate) return;
  const TailPlace place{Offset{entry.segment_base}, entry.position, Offset{entry.base_offset}};
  cut_stash(log, place.segment, place.position);
  if (!holds_beyond(log, place)) return;
  cut_chunks(log, dir_.shared.tail, place.segment, place.position, place.offset);
  cuts_.push_back({log.identity.id, place});
}

// Whether the journal has brought more than `place` leaves.
bool Replay::holds_beyond(const LogState& log, const TailPlace& place) {
  if (log.chunks.empty()) return false;
  const cache::Chunk& last = *log.chunks.back();
  return last.segment_base > place.segment ||
         (last.segment_base == place.segment && last.end > place.position);
}

// A batch that a truncation cuts off will not come whole; the head that it brought counts if it still ends
// there.
void Replay::cut_stash(const LogState& log, Offset segment, std::uint64_t position) {
  const auto stash = stashes_.find(log.identity.id);
  if (stash == stashes_.end()) return;
  stash->second.bytes.clear();
  stash->second.open = false;
  if (stash->second.segment != segment || stash->second.position != position) stashes_.erase(stash);
}

// Before the checkpoint: only the bytes, and only those that are not in the files.
bool Replay::redo(LogState& log, const Stash& stash, std::uint64_t position, Bytes bytes) {
  const records::BatchView batch(bytes);
  Segment* const segment = log.segment_at(stash.segment);
  if (segment == nullptr) return true;
  // A batch at a place that was taken before: the log was truncated there in between.
  cut_chunks(log, dir_.shared.tail, stash.segment, position, batch.base_offset());
  // All of such a segment is in its files; compaction may have made it shorter than it was then.
  if (segment->sealed && segment->exact && segment->flushed == segment->size) return true;
  if (position + bytes.size() <= segment->flushed) return true;
  segment->exists = true;  // an earlier run may have flushed it
  const bool follows = !log.chunks.empty() && log.chunks.back()->segment_base == stash.segment;
  if (follows && log.chunks.back()->end != position) {
    // What is in between is in the files; then so has to be what is here already.
    if (position > segment->flushed) return wrong(log, "bytes are missing between two entries");
    while (!log.chunks.empty()) {
      dir_.shared.tail.drop(log.chunks.back());
      log.chunks.pop_back();
    }
  }
  cache::Chunk& chunk =
      *chunk_for(log, dir_.shared.tail, {stash.segment, position, batch.base_offset()}, bytes.size());
  place_head(chunk, stash, position);
  std::copy(bytes.begin(), bytes.end(), chunk.at(position));
  chunk.end = position + bytes.size();
  chunk.next_offset = batch.last_offset() + 1;
  chunk.max_timestamp = std::max(chunk.max_timestamp, batch.max_timestamp());
  dir_.set_dirty(log, stash.lsn);
  dir_.report.replayed_bytes += bytes.size();
  return true;
}

bool Replay::append(LogState& log, const Stash& stash, std::uint64_t position, Bytes bytes) {
  const records::BatchView batch(bytes);
  Segment& segment = log.active();
  if (stash.segment != segment.base || position != segment.size)
    return wrong(log, "a batch that does not follow on the last");
  if (batch.base_offset() < log.end) return wrong(log, "an offset that was given before");
  segment.exists = true;  // an earlier run may have flushed it
  cache::Chunk& chunk = *chunk_for(log, dir_.shared.tail, end_place(log), bytes.size());
  place_head(chunk, stash, position);
  std::copy(bytes.begin(), bytes.end(), chunk.at(position));
  account_batch(log, chunk, peek_batch(bytes.data()));
  note_batch(log, batch);
  dir_.set_dirty(log, stash.lsn);
  dir_.report.replayed_bytes += bytes.size();
  return true;
}

// An entry whose batch never came whole may have brought the head of the block that the log's end cuts. Where
// that block counts as not flushed (or may be torn by what came behind) it is written anew from there.
bool Replay::take_head(LogState& log, const Stash& stash) {
  const Segment& segment = log.active();
  if (stash.head.empty() || segment.base != stash.segment || segment.size != stash.position) return false;
  cache::Chunk& chunk = *chunk_for(log, dir_.shared.tail, end_place(log), 0);
  place_head(chunk, stash, stash.position);
  dir_.set_dirty(log, stash.lsn);
  return true;
}

void Replay::reach_checkpoint() {
  past_checkpoint_ = true;
  for (const auto& [id, stash] : stashes_) {
    const auto found = dir_.logs.find(id);
    if (found == dir_.logs.end() || dead_until_.contains(id)) continue;
    const Segment& segment = found->second->active();
    if (segment.flushed < segment.size) take_head(*found->second, stash);
  }
  for (const Cut& cut : cuts_) settle_cut(*dir_.logs.at(cut.log), cut.place);
  for (const auto& [id, log] : dir_.logs) {
    if (!dead_until_.contains(id) && !settle(*log)) return;
  }
}

// The segment ends where the log was cut: its last block may have been written with what is gone, and be
// torn. As the journal still has it, it is written anew.
void Replay::settle_cut(LogState& log, const TailPlace& place) {
  Segment* const segment = log.segment_at(place.segment);
  // A flush that ended its files came after the one in question.
  if (segment == nullptr || segment->size != place.position || segment->exact) return;
  const std::uint64_t block = round_down(segment->size, kBlock);
  for (std::size_t each = 0; each < log.chunks.size(); ++each) {
    const cache::Chunk& chunk = *log.chunks[each];
    if (chunk.segment_base != place.segment || chunk.end != place.position || chunk.valid > block) continue;
    segment->flushed = std::min(segment->flushed, block);
  }
}

// What was brought back before the checkpoint has to be exactly what the manifest says was not flushed.
bool Replay::settle(LogState& log) {
  const auto first_dirty = std::find_if(log.segments.begin(), log.segments.end(), [](const Segment& segment) {
    return segment.flushed < segment.size;
  });
  const auto needed = [&](const cache::Chunk& chunk) {
    return first_dirty != log.segments.end() &&
           (chunk.segment_base > first_dirty->base ||
            (chunk.segment_base == first_dirty->base && chunk.end > first_dirty->flushed));
  };
  while (!log.chunks.empty() && !needed(*log.chunks.front())) {
    dir_.shared.tail.drop(log.chunks.front());
    log.chunks.pop_front();
  }
  std::size_t next = 0;
  for (auto segment = first_dirty; segment != log.segments.end(); ++segment) {
    std::uint64_t reached = segment->flushed;
    for (; next < log.chunks.size() && log.chunks[next]->segment_base == segment->base; ++next) {
      const cache::Chunk& chunk = *log.chunks[next];
      if (chunk.valid > round_down(reached, kBlock)) break;
      reached = std::max(reached, chunk.end);
    }
    if (reached != segment->size) {
      return wrong(log, "segment " + std::to_string(segment->base.value) + " of " +
                            std::to_string(segment->size) + " bytes was flushed up to " +
                            std::to_string(segment->flushed) + ", but the journal has only up to " +
                            std::to_string(reached));
    }
  }
  if (next != log.chunks.size()) return wrong(log, "bytes that the manifest does not know");
  const bool unfinished = std::any_of(log.segments.begin(), log.segments.end(),
                                      [](const Segment& segment) { return segment.unfinished(); });
  if (unfinished) dir_.set_dirty(log, trim_);
  if (!unfinished) dir_.clear_dirty(log);
  rebuild_marks(log);
  return true;
}

void Replay::rebuild_marks(LogState& log) {
  for (Segment& segment : log.segments) {
    if (segment.flushed == segment.size) continue;
    IndexState state = segment.stored;
    for (std::size_t each = 0; each < log.chunks.size(); ++each) {
      cache::Chunk& chunk = *log.chunks[each];
      if (chunk.segment_base != segment.base) continue;
      for (std::uint64_t at = chunk.first; at < chunk.end;) {
        const StoredBatch batch = peek_batch(chunk.at(at));
        if (at >= state.until) {
          const auto mark = index_batch(state, {batch.last, at, batch.size, batch.max_timestamp},
                                        log.config.index_interval_bytes);
          if (mark) chunk.marks.push_back(*mark);
        }
        at += batch.size;
      }
    }
    segment.index = state;
  }
}

bool Replay::finish() {
  if (!past_checkpoint_ && error_.empty()) reach_checkpoint();
  if (!dead_until_.empty()) error_ = "the journal ends before what the second look has to find in it";
  if (!error_.empty()) return false;
  for (auto& [id, stash] : stashes_) {
    const auto found = dir_.logs.find(id);
    if (found == dir_.logs.end()) continue;
    LogState& log = *found->second;
    if (take_head(log, stash)) settle_cut(log, end_place(log));
  }
  for (const auto& [id, log] : dir_.logs) {
    const Segment& active = log->active();
    log->durable_end = log->end;
    log->durable_start = log->start;
    if (planted(Plant::duplicate_after_restart) && log->producers)
      log->producers->expire(WallTime{INT64_MAX / 2}, 0);
    log->framed = {active.base, active.size, log->end, {}, {}};
    if (active.size % kBlock != 0) {
      if (active.flushed < active.size) {
        log->framed.block = log->dirty;
      } else {
        log->head_segment = active.base;
        log->head_due = active.size;
      }
    }
    log->durable = log->framed;
  }
  return true;
}

}  // namespace tailwater::log
