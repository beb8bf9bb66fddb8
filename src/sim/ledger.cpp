#include "sim/ledger.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>

#include "base/crc32c.hpp"

namespace tailwater::sim {

namespace {

// "<writer>:<number>:<padding>"; nullopt for anything else.
std::optional<std::pair<std::uint32_t, std::uint64_t>> parse(std::string_view value) {
  std::uint32_t writer = 0;
  std::uint64_t number = 0;
  const char* const end = value.data() + value.size();
  const auto first = std::from_chars(value.data(), end, writer);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != ':') return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, number);
  if (second.ec != std::errc() || second.ptr == end || *second.ptr != ':') return std::nullopt;
  return std::pair{writer, number};
}

}  // namespace

TrackNumber Ledger::add_track(std::string name, Retention retention, Hold hold) {
  Track& track = tracks_.emplace_back();
  track.name = std::move(name);
  track.retention = retention;
  track.hold = hold;
  return TrackNumber{static_cast<std::uint32_t>(tracks_.size() - 1)};
}

WriterNumber Ledger::add_writer(std::string name, Promise promise) {
  writers_.push_back({std::move(name), promise, {}});
  return WriterNumber{static_cast<std::uint32_t>(writers_.size() - 1)};
}

std::string Ledger::value_of(WriterNumber writer, std::uint64_t number, std::size_t padding) {
  return std::to_string(writer.value) + ":" + std::to_string(number) + ":" +
         std::string(padding, static_cast<char>('a' + number % 26));
}

std::string Ledger::text(WriterNumber writer, std::uint64_t number) const {
  return at(writer).name + "'s record " + std::to_string(number);
}

std::string Ledger::text(const Slot& slot) const {
  if (slot.record == kMarker) return "a marker";
  return text(WriterNumber{static_cast<std::uint32_t>(slot.record >> 32)}, slot.record & 0xffff'ffffU);
}

// --- writers

void Ledger::sent(WriterNumber writer, TrackNumber track, Bytes value) {
  writers_[writer.value].records.push_back({.track = track, .crc = crc32c(value), .era = at(track).era()});
}

void Ledger::sent_again(WriterNumber writer, std::uint64_t number) {
  Record& record = writers_[writer.value].records[number];
  Track& track = tracks_[record.track.value];
  if (record.offset >= 0 && may_be_lost(track, record.offset, record.era)) {
    // Where it was seen in the era before says nothing about this one.
    track.slots[static_cast<std::size_t>(record.offset)] = {};
    record.offset = -1;
  }
  record.era = track.era();
}

void Ledger::forget_from(Track& track, std::size_t offset) {
  for (; offset < track.slots.size(); ++offset) {
    Slot& slot = track.slots[offset];
    if (!is_record(slot) || !may_be_lost(track, static_cast<std::int64_t>(offset), record_of(slot).era))
      continue;
    Record& lost = record_of(slot);
    if (lost.offset == static_cast<std::int64_t>(offset)) {
      lost.acknowledged = false;
      lost.offset = -1;
    }
    slot = {};
  }
}

void Ledger::place(TrackNumber track, std::int64_t offset, WriterNumber writer, std::uint64_t number) {
  Track& here = tracks_[track.value];
  const auto index = static_cast<std::size_t>(offset);
  if (here.slots.size() <= index) here.slots.resize(index + 1);
  Slot& slot = here.slots[index];
  const std::uint64_t record = std::uint64_t{writer.value} << 32 | number;
  if (is_record(slot) && slot.record != record) {
    // One of two eras; the older is gone, and with it all that came behind it.
    if (may_be_lost(here, offset, writers_[writer.value].records[number].era)) return;
    if (may_be_lost(here, offset, record_of(slot).era)) forget_from(here, index);
  }
  if (slot.record == kNobody) {
    slot.record = record;
  } else if (slot.record != record) {
    fail("I2: " + here.name + " offset " + std::to_string(offset) + " was " + text(slot) + " and is " +
         text(writer, number));
  }
  Record& known = writers_[writer.value].records[number];
  if (known.offset < 0) known.offset = offset;
  if (known.offset != offset && at(writer).promise == Promise::exactly_once) {
    fail("I3: " + text(writer, number) + " stands at offsets " + std::to_string(known.offset) + " and " +
         std::to_string(offset) + " of " + here.name);
  }
}

void Ledger::acknowledged(WriterNumber writer, std::uint64_t number, std::int64_t offset) {
  Record& record = writers_[writer.value].records[number];
  Track& track = tracks_[record.track.value];
  if (offset < 0) return fail("I1: " + text(writer, number) + " is acknowledged without an offset");
  if (record.refused) fail("I18: " + text(writer, number) + " was refused and is acknowledged");
  if (!record.acknowledged) ++acknowledged_;
  record.acknowledged = true;
  // Of several places that a repeated record may have, the last that was promised counts.
  if (at(writer).promise == Promise::at_least_once) record.offset = offset;
  // The answer may have been on its way while the power was lost.
  if (record.era == track.era()) track.end_floor = std::max(track.end_floor, offset + 1);
  place(record.track, offset, writer, number);
}

void Ledger::refused(WriterNumber writer, std::uint64_t number) {
  Record& record = writers_[writer.value].records[number];
  record.refused = true;
  if (record.offset >= 0) fail("I18: " + text(writer, number) + " is refused and was seen");
}

// --- deletion

void Ledger::deletion_asked(TrackNumber track, std::int64_t before) {
  Track& here = tracks_[track.value];
  here.deletion_asked = std::max(here.deletion_asked, before);
}

void Ledger::deletion_done(TrackNumber track, std::int64_t low_watermark) {
  Track& here = tracks_[track.value];
  here.start_promised = std::max(here.start_promised, low_watermark);
  here.start_floor = std::max(here.start_floor, low_watermark);
}

// --- the machine

void Ledger::died() {
  ++lives_;
  for (Track& track : tracks_) track.start_floor = track.start_promised;
}

void Ledger::power_lost() {
  for (Track& track : tracks_) {
    if (track.hold != Hold::beginning) continue;
    track.lost_from.push_back(track.synced_end);
    track.end_floor = track.synced_end;
    track.stable_floor = std::min(track.stable_floor, track.synced_end);
  }
}

void Ledger::all_synced() {
  for (Track& track : tracks_) track.synced_end = track.end_floor;
}

// --- damage

void Ledger::damaged(TrackNumber track, std::int64_t from, std::int64_t to) {
  tracks_[track.value].damaged[from] = to;
}

std::int64_t Ledger::told_damaged(TrackNumber track, std::int64_t position) {
  Track& here = tracks_[track.value];
  const auto behind = here.damaged.upper_bound(position);
  const auto batch = behind == here.damaged.begin() ? behind : std::prev(behind);
  if (batch == here.damaged.end() || position < batch->first || position >= batch->second) {
    fail("S6: " + here.name + " offset " + std::to_string(position) + " is told to be damaged, and is not");
    return position;
  }
  if (last_look_) {
    const auto end = std::min(static_cast<std::size_t>(batch->second), here.slots.size());
    for (auto offset = static_cast<std::size_t>(position); offset < end; ++offset)
      here.slots[offset].told_at_last = true;
  }
  return batch->second;
}

std::int64_t Ledger::told_damaged_in_compacted(TrackNumber track, std::int64_t position) {
  const Track& here = at(track);
  if (here.damaged.empty())
    fail("S6: " + here.name + " offset " + std::to_string(position) +
         " is told to be damaged, and nothing is");
  std::int64_t next = INT64_MAX;
  for (const auto& [from, to] : here.damaged) {
    if (to > position) next = std::min(next, to);
  }
  return next == INT64_MAX ? position + 1 : next;
}

// --- readers

void Ledger::watermarks(TrackNumber track, Floor floor, std::int64_t start, std::int64_t stable,
                        std::int64_t end) {
  Track& here = tracks_[track.value];
  if (floor.era != here.era()) return;
  if (start < 0) start = floor.start;
  starts_at(track, floor, start);
  const auto say = [&](const std::string& what) {
    fail("I12: " + here.name + ": " + what + " (start " + std::to_string(start) + ", stable " +
         std::to_string(stable) + ", end " + std::to_string(end) + ", expected at least " +
         std::to_string(floor.start) + ", " + std::to_string(floor.stable) + " and " +
         std::to_string(floor.end) + ")");
  };
  if (end < floor.end) say("the high watermark went back");
  if (stable < floor.stable) say("the last stable offset went back");
  if (stable > end || start > end) say("out of order");
  here.end_floor = std::max(here.end_floor, end);
  here.stable_floor = std::max(here.stable_floor, stable);
}

void Ledger::starts_at(TrackNumber track, Floor floor, std::int64_t start) {
  Track& here = tracks_[track.value];
  if (floor.era != here.era()) return;
  if (here.retention == Retention::keeps && start > here.deletion_asked)
    fail("I17: records of " + here.name + " vanished that nobody deleted: it starts at " +
         std::to_string(start));
  // An answer of the life before may still have been on its way.
  if (!same_life(floor)) return;
  if (start < floor.start)
    fail("I12: the log's start went back: " + here.name + " starts at " + std::to_string(start) +
         ", expected at least " + std::to_string(floor.start));
  here.start_floor = std::max(here.start_floor, start);
}

void Ledger::seen(TrackNumber track, std::int64_t offset, Bytes value) {
  ++seen_;
  const auto id = parse(as_text(value));
  if (!id || id->first >= writers_.size() || id->second >= writers_[id->first].records.size()) {
    return fail("S6: " + at(track).name + " offset " + std::to_string(offset) +
                " holds something that was never sent");
  }
  const WriterNumber writer{id->first};
  Record& record = writers_[id->first].records[id->second];
  if (record.track != track) return fail("I2: " + text(writer, id->second) + " is in " + at(track).name);
  if (record.crc != crc32c(value))
    return fail("S6: " + text(writer, id->second) + " has other bytes than sent");
  if (record.refused) return fail("I18: " + text(writer, id->second) + " was refused and is there");
  place(track, offset, writer, id->second);
  if (last_look_) tracks_[track.value].slots[static_cast<std::size_t>(offset)].seen_at_last = true;
}

void Ledger::marker_seen(TrackNumber track, std::int64_t offset) {
  Track& here = tracks_[track.value];
  const auto index = static_cast<std::size_t>(offset);
  if (here.slots.size() <= index) here.slots.resize(index + 1);
  Slot& slot = here.slots[index];
  if (is_record(slot))
    return fail("I2: " + here.name + " offset " + std::to_string(offset) + " was " + text(slot) +
                " and is a marker");
  slot.record = kMarker;
}

std::optional<std::pair<WriterNumber, std::uint64_t>> Ledger::known_at(TrackNumber track,
                                                                       std::int64_t offset) const {
  const Track& here = at(track);
  const auto index = static_cast<std::size_t>(offset);
  if (index >= here.slots.size() || !is_record(here.slots[index])) return std::nullopt;
  const std::uint64_t record = here.slots[index].record;
  return std::pair{WriterNumber{static_cast<std::uint32_t>(record >> 32)}, record & 0xffff'ffffU};
}

void Ledger::latest(TrackNumber track, Floor floor, Latest what, std::int64_t offset) {
  Track& here = tracks_[track.value];
  if (floor.era != here.era()) return;
  const std::int64_t least = what == Latest::end ? floor.end : floor.stable;
  if (offset < least)
    fail("I15: the latest offset of " + here.name + " is " + std::to_string(offset) + ", and " +
         std::to_string(least) + " was known before");
  // What is stable is not beyond the end: no later answer may say a smaller one.
  here.end_floor = std::max(here.end_floor, offset);
  if (what == Latest::stable) here.stable_floor = std::max(here.stable_floor, offset);
}

void Ledger::out_of_range(TrackNumber track, std::int64_t position) {
  const Track& here = at(track);
  const bool may = here.retention == Retention::expires || position < here.deletion_asked;
  if (!may) fail("I17: " + here.name + " offset " + std::to_string(position) + " is out of range");
}

// --- the end

void Ledger::begin_last_look() {
  last_look_ = true;
}

void Ledger::judge() {
  for (std::uint32_t writer = 0; writer < writers_.size(); ++writer) judge_writer(WriterNumber{writer});
  for (std::uint32_t track = 0; track < tracks_.size(); ++track) judge_order(TrackNumber{track});
}

void Ledger::judge_writer(WriterNumber writer) {
  for (std::uint64_t number = 0; number < at(writer).records.size(); ++number) {
    const Record& record = at(writer).records[number];
    if (!record.acknowledged) continue;
    const Track& track = at(record.track);
    if (record.offset < track.start_floor) continue;
    const Slot& slot = track.slots[static_cast<std::size_t>(record.offset)];
    if (slot.seen_at_last || slot.told_at_last) continue;
    if (may_be_lost(track, record.offset, record.era) && record.offset >= kept_end(track, record.era))
      continue;
    return fail("I1: " + text(writer, number) + ", acknowledged at offset " + std::to_string(record.offset) +
                " of " + track.name + ", is lost");
  }
}

// Behind the last that is there of this era or an older one anything may be gone. Nothing before it may.
std::int64_t Ledger::kept_end(const Track& track, std::uint32_t era) const {
  for (std::size_t offset = track.slots.size(); offset > 0; --offset) {
    const Slot& slot = track.slots[offset - 1];
    if (!slot.seen_at_last || !is_record(slot)) continue;
    const Record& record = writers_[slot.record >> 32].records[slot.record & 0xffff'ffffU];
    if (record.era <= era) return static_cast<std::int64_t>(offset);
  }
  return 0;
}

// I6: each idempotent writer's records stand in their order, and none that came later is there without the
// one before.
void Ledger::judge_order(TrackNumber track) {
  std::vector<std::uint64_t> next(writers_.size(), 0);
  const Track& here = at(track);
  for (std::size_t offset = static_cast<std::size_t>(here.start_floor); offset < here.slots.size();
       ++offset) {
    const Slot& slot = here.slots[offset];
    if (!slot.seen_at_last) continue;
    const WriterNumber writer{static_cast<std::uint32_t>(slot.record >> 32)};
    const std::uint64_t number = slot.record & 0xffff'ffffU;
    if (at(writer).promise != Promise::exactly_once) continue;
    if (number < next[writer.value]) {
      return fail("I6: " + here.name + " offset " + std::to_string(offset) + ": " + text(writer, number) +
                  " is out of order");
    }
    next[writer.value] = number + 1;
  }
}

}  // namespace tailwater::sim
