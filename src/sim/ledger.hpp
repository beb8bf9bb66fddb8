// What was promised to clients and what they were shown, kept by the simulation itself: it judges every
// answer as it arrives, and everything once more at the end. The numbers I1 ... I18 are those of the
// invariants in docs/simulator.md.
//
//   record     identified by its writer and a number; a writer numbers its records through
//   partition  what stands at each offset, as first promised or seen: for ever
//
// The first contradiction is kept as failure(); later ones are consequences.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"

namespace tailwater::sim {

using WriterNumber = StrongId<struct WriterNumberTag, std::uint32_t>;
// A partition of a topic that is looked after.
using TrackNumber = StrongId<struct TrackNumberTag, std::uint32_t>;

// What may happen to a writer's records.
enum class Promise : std::uint8_t {
  exactly_once,   // idempotent: at one offset at most, in the writer's order
  at_least_once,  // sent again when the outcome was unknown: perhaps at several offsets
};

// Whether records leave the beginning of a partition by themselves.
enum class Retention : std::uint8_t { keeps, expires };

// What a power loss may take of a partition.
enum class Hold : std::uint8_t {
  all,        // nothing
  beginning,  // its end: what was not synced yet (tailwater.durability=os)
};

class Ledger {
 public:
  TrackNumber add_track(std::string name, Retention retention, Hold hold = Hold::all);
  WriterNumber add_writer(std::string name, Promise promise);

  // --- writers
  std::uint64_t next_number(WriterNumber writer) const { return at(writer).records.size(); }
  // The value of the writer's next record is its number and some padding.
  static std::string value_of(WriterNumber writer, std::uint64_t number, std::size_t padding);
  void sent(WriterNumber writer, TrackNumber track, Bytes value);
  void sent_again(WriterNumber writer, std::uint64_t number);
  void acknowledged(WriterNumber writer, std::uint64_t number, std::int64_t offset);
  // A definite error: the record is nowhere, and never will be.
  void refused(WriterNumber writer, std::uint64_t number);

  // --- deletion of records, as asked for and as confirmed
  void deletion_asked(TrackNumber track, std::int64_t before);
  void deletion_done(TrackNumber track, std::int64_t low_watermark);

  // --- the machine
  // A start of a log that was shown, and that nobody was promised, may not have become stable: retention, or
  // a deletion that was not answered, comes again.
  void died();
  // Partitions that hold only their beginning may have lost their end.
  void power_lost();
  // The broker has stopped in peace, and its disk told no error: all that was acknowledged is stable.
  void all_synced();

  // --- damage of the disk: these records, of whole batches, need not be readable from now on
  void damaged(TrackNumber track, std::int64_t from, std::int64_t to);
  // A reader was told that what lies here is damaged. Returns where it may go on.
  std::int64_t told_damaged(TrackNumber track, std::int64_t position);
  // The same of a compacted partition: where its batches lie changes, so it may be anywhere, if there is any.
  std::int64_t told_damaged_in_compacted(TrackNumber track, std::int64_t position);

  // --- readers
  // What any later answer must show at least: taken when a request is made, compared when it is answered.
  struct Floor {
    std::int64_t end = 0;     // the high watermark
    std::int64_t start = 0;   // the log's start
    std::int64_t stable = 0;  // the last stable offset
    std::uint32_t era = 0;    // power losses before; an answer from another era says nothing
    std::uint32_t life = 0;   // deaths of the broker before
  };
  Floor floor(TrackNumber track) const {
    const Track& here = at(track);
    // What a power loss took of the end may have been deleted before, and that was promised.
    const std::int64_t end = std::max(here.end_floor, here.start_floor);
    return {end, here.start_floor, here.stable_floor, here.era(), lives_};
  }
  // Whether the broker that was asked then has not died since.
  bool same_life(Floor floor) const { return floor.life == lives_; }
  // A negative start: the version that was spoken does not tell it.
  void watermarks(TrackNumber track, Floor floor, std::int64_t start, std::int64_t stable, std::int64_t end);
  void starts_at(TrackNumber track, Floor floor, std::int64_t start);
  void seen(TrackNumber track, std::int64_t offset, Bytes value);
  // A marker, with which a transaction ended here.
  void marker_seen(TrackNumber track, std::int64_t offset);
  // The record that stands here, as far as it is known: its writer and its number.
  std::optional<std::pair<WriterNumber, std::uint64_t>> known_at(TrackNumber track,
                                                                 std::int64_t offset) const;
  // ListOffsets was answered with the latest offset: all that was promised or shown before it was asked is
  // before it (I15). A reader of committed records is told the last stable offset.
  enum class Latest : std::uint8_t { end, stable };
  void latest(TrackNumber track, Floor floor, Latest what, std::int64_t offset);
  // OFFSET_OUT_OF_RANGE: true only below the log's start, which can have moved since.
  void out_of_range(TrackNumber track, std::int64_t position);

  // --- the end: from here on readings count for the last look
  void begin_last_look();
  void judge();

  void fail(std::string what) {
    if (failure_.empty()) failure_ = std::move(what);
  }
  const std::string& failure() const { return failure_; }
  std::uint64_t acknowledged_count() const { return acknowledged_; }
  std::uint64_t seen_count() const { return seen_; }
  const std::string& name(TrackNumber track) const { return at(track).name; }
  std::size_t tracks() const { return tracks_.size(); }

 private:
  struct Record {
    TrackNumber track;
    std::uint32_t crc = 0;
    std::int64_t offset = -1;  // where it was promised or first seen
    std::uint32_t era = 0;     // in which it was sent last
    bool acknowledged = false;
    bool refused = false;
  };
  struct Writer {
    std::string name;
    Promise promise{};
    std::vector<Record> records;
  };
  static constexpr std::uint64_t kNobody = UINT64_MAX;
  static constexpr std::uint64_t kMarker = UINT64_MAX - 1;
  struct Slot {
    std::uint64_t record = kNobody;  // writer << 32 | number
    bool seen_at_last = false;
    bool told_at_last = false;  // that it is damaged
  };
  struct Track {
    std::string name;
    Retention retention{};
    Hold hold{};
    std::int64_t synced_end = 0;  // what is below is stable
    // By era, each of which a power loss ended: from where on it may have taken what was sent until then.
    std::vector<std::int64_t> lost_from;
    std::vector<Slot> slots;  // by offset
    std::int64_t end_floor = 0;
    std::int64_t start_floor = 0;
    std::int64_t stable_floor = 0;
    std::int64_t start_promised = 0;               // by an answer to DeleteRecords
    std::int64_t start_seen = 0;                   // the largest
    std::int64_t deletion_asked = 0;               // nothing else may move the start
    std::map<std::int64_t, std::int64_t> damaged;  // batches: from, to

    std::uint32_t era() const { return static_cast<std::uint32_t>(lost_from.size()); }
  };

  const Writer& at(WriterNumber writer) const { return writers_[writer.value]; }
  const Track& at(TrackNumber track) const { return tracks_[track.value]; }
  static bool is_record(const Slot& slot) { return slot.record != kNobody && slot.record != kMarker; }
  std::string text(WriterNumber writer, std::uint64_t number) const;
  std::string text(const Slot& slot) const;
  Record& record_of(const Slot& slot) {
    return writers_[slot.record >> 32].records[slot.record & 0xffff'ffffU];
  }
  static bool may_be_lost(const Track& track, std::int64_t offset, std::uint32_t era) {
    return era < track.lost_from.size() && offset >= track.lost_from[era];
  }
  void forget_from(Track& track, std::size_t offset);
  std::int64_t kept_end(const Track& track, std::uint32_t era) const;
  void place(TrackNumber track, std::int64_t offset, WriterNumber writer, std::uint64_t number);
  void judge_writer(WriterNumber writer);
  void judge_order(TrackNumber track);

  std::vector<Writer> writers_;
  std::vector<Track> tracks_;
  std::uint32_t lives_ = 0;  // of brokers that died
  bool last_look_ = false;
  std::uint64_t acknowledged_ = 0;
  std::uint64_t seen_ = 0;
  std::string failure_;
};

}  // namespace tailwater::sim
