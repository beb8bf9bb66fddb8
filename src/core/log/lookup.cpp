// The part of Reader that finds places: through the sparse indexes, by timestamp, for truncation.
#include <algorithm>
#include <utility>

#include "core/log/directory.hpp"
#include "core/log/reader.hpp"
#include "records/record.hpp"

namespace tailwater::log {

namespace {

// Entries of an index that may be wrong before the whole of it is left alone.
constexpr std::uint32_t kEntriesTried = 8;

}  // namespace

Reader::Look Reader::index_entry(LogState& log, Segment& segment, std::uint32_t number, IndexEntry& entry) {
  std::byte bytes[kIndexEntrySize];
  const std::uint64_t at = std::uint64_t{number} * kIndexEntrySize;
  if (!blocks_.copy(source(log, segment, FileKind::index), at, bytes)) return Look::missing;
  entry.last_offset = segment.base + load_big<std::int32_t>(bytes);
  entry.position = static_cast<std::uint32_t>(load_big<std::int32_t>(bytes + 4));
  return Look::found;
}

Reader::Look Reader::time_entry(LogState& log, Segment& segment, std::uint32_t number, TimeEntry& entry) {
  std::byte bytes[kTimeEntrySize];
  const std::uint64_t at = std::uint64_t{number} * kTimeEntrySize;
  if (!blocks_.copy(source(log, segment, FileKind::time_index), at, bytes)) return Look::missing;
  entry.timestamp = load_big<std::int64_t>(bytes);
  entry.offset = segment.base + load_big<std::int32_t>(bytes + 8);
  return Look::found;
}

template <class Below>
Reader::Look Reader::count_entries(Segment& segment, FileKind kind, Below below, std::uint32_t& count) {
  std::uint32_t low = 0;
  std::uint32_t high = kind == FileKind::index ? segment.stored.entries : segment.stored.time_entries;
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    bool is_below = false;
    const Look look = below(middle, is_below);
    if (look != Look::found) return look;
    if (is_below) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  count = low;
  return Look::found;
}

Reader::Look Reader::batch_at(LogState& log, Segment& segment, const Spot& spot, StoredBatch& batch) {
  const Look look = peek(log, segment, spot.position, batch);
  if (look == Look::absent || look == Look::missing) return look;
  const bool follows = segment.gapless ? batch.base == spot.floor : batch.base >= spot.floor;
  if (look == Look::found && follows && batch.last < segment.next) return look;
  // What led here may have been the damage.
  segment.walked.clear();
  return damaged(log, segment, spot, kStoredBatchPeek, "a batch is not what it should be");
}

void Reader::pass(Segment& segment, Spot& spot, const StoredBatch& batch) const {
  const BatchPlace place{.last_offset = batch.last,
                         .position = spot.position,
                         .size = batch.size,
                         .max_timestamp = batch.max_timestamp};
  segment.walked.pass(place, blocks_.block_bytes());
  spot = {spot.position + batch.size, batch.last + 1};
}

template <class Over>
void Reader::pass_known(const Segment& segment, Spot& spot, Over over) {
  const Walked::Row* row = segment.walked.at(spot.position);
  for (; row != nullptr && over(*row); row = segment.walked.at(spot.position)) spot = {row->end, row->floor};
}

Reader::Look Reader::find_offset(LogState& log, Segment& segment, Offset offset, Spot& spot) {
  spot = {0, segment.base};
  std::uint32_t below = 0;
  Look look = count_entries(
      segment, FileKind::index,
      [&](std::uint32_t number, bool& is_below) {
        IndexEntry entry;
        const Look entry_look = index_entry(log, segment, number, entry);
        is_below = entry.last_offset < offset;
        return entry_look;
      },
      below);
  if (look != Look::found) return look;
  // The index is only a hint. An entry that is wrong, or whose batch is damaged, costs a longer walk.
  bool wrong_entries = false;
  for (std::uint32_t tried = 0; below > 0 && tried < kEntriesTried; ++tried) {
    IndexEntry entry;
    look = index_entry(log, segment, --below, entry);
    if (look != Look::found) return look;
    StoredBatch batch;
    const bool possible = entry.last_offset < offset && entry.position < segment.size;
    look = possible ? peek(log, segment, entry.position, batch) : Look::bad;
    if (look == Look::missing) return look;
    if (look == Look::found && batch.last == entry.last_offset) {
      spot = {entry.position, std::max(batch.base, segment.base)};
      break;
    }
    wrong_entries = true;
  }
  while (spot.position < segment.size) {
    pass_known(segment, spot, [&](const Walked::Row& row) { return row.floor <= offset; });
    if (spot.position >= segment.size) break;
    StoredBatch batch;
    look = batch_at(log, segment, spot, batch);
    if (look == Look::absent) break;
    if (look != Look::found) return look;
    if (batch.last >= offset) break;
    pass(segment, spot, batch);
  }
  if (wrong_entries) index_damaged(log, segment, FileKind::index);
  return Look::found;
}

Reader::Look Reader::search_batch(LogState& log, Segment& segment, std::uint64_t position,
                                  const StoredBatch& stored, std::optional<std::int64_t> timestamp,
                                  Offset upper_bound, TimestampAnswer& answer) {
  const Look look = copy_batch(log, segment, position, stored.size);
  if (look != Look::found) return look;
  const Result<records::BatchView> batch = records::parse_batch(scratch_);
  if (!batch || !batch->crc_matches())
    return damaged(log, segment, {position, stored.base}, stored.size,
                   "the checksum of a batch does not match");
  const auto found = [&](Offset offset, std::int64_t time) {
    if (offset < log.start || offset >= upper_bound) return Look::absent;
    answer = {TimestampAnswer::Kind::found, offset, WallTime{time}, batch->leader_epoch(), {}};
    return Look::found;
  };
  if (batch->timestamp_type() == records::TimestampType::log_append_time) {
    return found(std::max(batch->base_offset(), log.start), batch->max_timestamp());
  }
  const std::size_t cap = records::decompressed_cap(batch->records().size(), log.config.record_bytes_max);
  const Result<Bytes> opened = codecs_.open(batch->codec(), batch->records(), cap);
  // What cannot be opened is opaque: its last offset is the best that can be said.
  if (!opened) return found(batch->last_offset(), batch->max_timestamp());
  records::RecordCursor cursor(*opened, batch->records_count());
  Look largest = Look::absent;
  while (const auto record = cursor.next()) {
    const std::int64_t time = records::timestamp_of(*batch, *record);
    const Offset offset = records::offset_of(*batch, *record);
    if (offset < log.start) continue;
    if (timestamp) {
      if (time >= *timestamp) return found(offset, time);
    } else if (offset < upper_bound && (largest == Look::absent || time > answer.timestamp.ms)) {
      largest = found(offset, time);
    }
  }
  return largest;
}

Reader::Look Reader::time_floor(LogState& log, Segment& segment, std::int64_t timestamp, Offset& from) {
  std::uint32_t earlier = 0;
  Look look = count_entries(
      segment, FileKind::time_index,
      [&](std::uint32_t number, bool& is_below) {
        TimeEntry entry;
        const Look entry_look = time_entry(log, segment, number, entry);
        is_below = entry.timestamp < timestamp;
        return entry_look;
      },
      earlier);
  if (look != Look::found || earlier == 0) return look;
  TimeEntry entry;
  look = time_entry(log, segment, earlier - 1, entry);
  if (look != Look::found) return look;
  // Timestamps of the index grow: if this entry is true, so is what it says of all before it.
  StoredBatch batch;
  if (entry.offset >= segment.base && entry.offset < segment.next) {
    Spot spot;
    look = find_offset(log, segment, entry.offset, spot);
    if (look == Look::found && spot.position < segment.size) look = peek(log, segment, spot.position, batch);
    if (look != Look::found) return look;
  }
  if (batch.size == 0 || batch.last != entry.offset || batch.max_timestamp != entry.timestamp) {
    index_damaged(log, segment, FileKind::time_index);
    return Look::found;
  }
  from = std::max(from, entry.offset + 1);
  return Look::found;
}

Reader::Look Reader::first_at_least(LogState& log, Segment& segment, std::int64_t timestamp,
                                    Offset upper_bound, TimestampAnswer& answer) {
  Offset from = std::max(segment.base, log.start);
  Look look = time_floor(log, segment, timestamp, from);
  if (look != Look::found) return look;
  Spot spot;
  look = find_offset(log, segment, from, spot);
  while (look == Look::found && spot.position < segment.size) {
    pass_known(segment, spot, [&](const Walked::Row& row) { return row.max_timestamp < timestamp; });
    if (spot.position >= segment.size) break;
    StoredBatch batch;
    look = batch_at(log, segment, spot, batch);
    if (look != Look::found) break;
    if (batch.base >= upper_bound) return Look::absent;
    if (batch.max_timestamp >= timestamp) {
      look = search_batch(log, segment, spot.position, batch, timestamp, upper_bound, answer);
      if (look != Look::absent) return look;
      look = Look::found;
    }
    pass(segment, spot, batch);
  }
  return look == Look::found ? Look::absent : look;
}

TimestampAnswer Reader::find_timestamp(LogState& log, WallTime at_least, Offset upper_bound) {
  if (!log.dir->online() || log.removed) return {.kind = TimestampAnswer::Kind::failed};
  blocks_.begin();
  for (Segment& segment : log.segments) {
    if (segment.base >= upper_bound || segment.index.max_timestamp < at_least.ms) continue;
    TimestampAnswer answer;
    const Look look = first_at_least(log, segment, at_least.ms, upper_bound, answer);
    if (look == Look::found) return answer;
    if (look == Look::missing) return answer_need();
    if (look == Look::bad) return {.kind = TimestampAnswer::Kind::corrupt};
  }
  return {};
}

Reader::Look Reader::largest_below(LogState& log, Segment& segment, Offset from, Offset upper_bound,
                                   Largest& largest) {
  Spot spot;
  Look look = find_offset(log, segment, from, spot);
  while (look == Look::found && spot.position < segment.size) {
    pass_known(segment, spot, [&](const Walked::Row& row) {
      if (row.floor > upper_bound) return false;
      largest.count(row.max_timestamp, row.max_timestamp_offset);
      return true;
    });
    if (spot.position >= segment.size) break;
    StoredBatch batch;
    look = batch_at(log, segment, spot, batch);
    if (look != Look::found || batch.last >= upper_bound) break;
    largest.count(batch.max_timestamp, batch.last);
    pass(segment, spot, batch);
  }
  return look;
}

Reader::Look Reader::largest_visible(LogState& log, Segment& segment, Offset upper_bound, Largest& largest) {
  const Largest of_all{segment.index.max_timestamp, segment.index.max_timestamp_offset};
  Offset from = segment.base;
  Offset whole = segment.base;  // from here on all of every batch can be seen
  StoredBatch cut;
  Spot spot;
  if (segment.base < log.start) {
    from = log.start;
    Look look = find_offset(log, segment, from, spot);
    if (look == Look::found && spot.position < segment.size) look = peek(log, segment, spot.position, cut);
    if (look != Look::found) return look;
    whole = cut.size > 0 && cut.base < from ? cut.last + 1 : from;
  }
  if (of_all.holder >= whole && of_all.holder < upper_bound) {
    largest = of_all;
    return Look::found;
  }
  if (whole > from) {
    TimestampAnswer answer;
    const Look look = search_batch(log, segment, spot.position, cut, std::nullopt, upper_bound, answer);
    if (look == Look::missing || look == Look::bad) return look;
    if (look == Look::found) largest.count(answer.timestamp.ms, cut.last);
  }
  return largest_below(log, segment, whole, upper_bound, largest);
}

TimestampAnswer Reader::max_timestamp(LogState& log, Offset upper_bound) {
  if (!log.dir->online() || log.removed) return {.kind = TimestampAnswer::Kind::failed};
  blocks_.begin();
  Segment* holds = nullptr;
  Largest largest;
  for (Segment& segment : log.segments) {
    if (segment.next <= log.start || segment.base >= upper_bound || segment.size == 0) continue;
    if (segment.index.max_timestamp <= largest.timestamp) continue;
    Largest here;
    const Look look = largest_visible(log, segment, upper_bound, here);
    if (look == Look::missing) return answer_need();
    if (look == Look::bad) return {.kind = TimestampAnswer::Kind::corrupt};
    if (here.timestamp <= largest.timestamp) continue;
    largest = here;
    holds = &segment;
  }
  if (holds == nullptr) return {};
  TimestampAnswer answer;
  Spot spot;
  Look look = find_offset(log, *holds, largest.holder, spot);
  StoredBatch batch;
  if (look == Look::found) look = peek(log, *holds, spot.position, batch);
  if (look == Look::found)
    look = search_batch(log, *holds, spot.position, batch, std::nullopt, upper_bound, answer);
  if (look == Look::missing) return answer_need();
  if (look == Look::bad) return {.kind = TimestampAnswer::Kind::corrupt};
  return answer;
}

Reader::Look Reader::index_at(LogState& log, Segment& segment, std::uint64_t position, Offset end,
                              IndexState& index) {
  if (segment.stored.until <= position) {
    index = segment.stored;
    Buffer entries;
    Buffer times;
    collect_index(log, segment, position, index, entries, times);
    return Look::found;
  }
  index = {};
  Look look = count_entries(
      segment, FileKind::index,
      [&](std::uint32_t number, bool& is_below) {
        IndexEntry entry;
        const Look entry_look = index_entry(log, segment, number, entry);
        is_below = entry.position < position;
        return entry_look;
      },
      index.entries);
  if (look != Look::found) return look;
  look = count_entries(
      segment, FileKind::time_index,
      [&](std::uint32_t number, bool& is_below) {
        TimeEntry entry;
        const Look entry_look = time_entry(log, segment, number, entry);
        is_below = entry.offset < end;
        return entry_look;
      },
      index.time_entries);
  if (look != Look::found) return look;
  if (index.entries > 0) {
    IndexEntry entry;
    look = index_entry(log, segment, index.entries - 1, entry);
    if (look != Look::found) return look;
    index.last_position = entry.position;
  }
  if (index.time_entries > 0) {
    TimeEntry entry;
    look = time_entry(log, segment, index.time_entries - 1, entry);
    if (look != Look::found) return look;
    index.last_time = index.max_timestamp = entry.timestamp;
    index.max_timestamp_offset = entry.offset;
  }
  // Every entry of the index carries the maximum so far; what came after the last one is walked.
  for (index.until = index.last_position; index.until < position;) {
    StoredBatch batch;
    look = peek(log, segment, index.until, batch);
    if (look != Look::found) return look;
    if (batch.max_timestamp > index.max_timestamp) {
      index.max_timestamp = batch.max_timestamp;
      index.max_timestamp_offset = batch.last;
    }
    index.until += batch.size;
  }
  return Look::found;
}

TruncateAnswer Reader::find_cut(LogState& log, Offset end, CutPlace& place) {
  blocks_.begin();
  const auto holds = std::find_if(log.segments.begin(), log.segments.end(),
                                  [&](const Segment& each) { return each.next > end; });
  Segment& segment = holds == log.segments.end() ? log.active() : *holds;
  place.segment = segment.base;
  Spot spot;
  Look look = find_offset(log, segment, end, spot);
  place.position = spot.position;
  place.end = end;
  if (look == Look::found && place.position < segment.size) {
    StoredBatch batch;
    look = peek(log, segment, place.position, batch);
    place.end = std::min(end, batch.base);
  }
  if (look == Look::found) look = index_at(log, segment, place.position, place.end, place.index);
  if (look == Look::missing) return {TruncateAnswer::Kind::need, blocks_.need()};
  return {look == Look::found ? TruncateAnswer::Kind::done : TruncateAnswer::Kind::failed, {}};
}

}  // namespace tailwater::log
