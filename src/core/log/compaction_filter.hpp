// Which records of a log compaction keeps, batch for batch, as Kafka decides it. Fed twice with the batches
// of a round in the order of their offsets: note() in pass 1, from the first dirty offset on, builds the map;
// clean() in pass 2, from the log's first batch on, gives what is to be written.
//   record       stays if it lies behind the map's end, or is the newest of its key and has a value (or is a
//                tombstone whose horizon has not passed); keyless records go
//   tombstone    the first pass that keeps one stamps its batch with the time from which it may go
//   aborted      data of aborted transactions goes at once
//   marker       of a transaction without data in the log is stamped likewise, and goes after that time
//   empty batch  stays without records where a producer's last sequence or epoch would be lost, and at the
//                end of the round; an epoch of which only markers are known stays by the newest that was noted
//                and what lies behind it (if none was, by what earlier rounds left, which is the newest)
// A batch of which nothing goes is kept byte for byte; so is one that cannot be read, which is counted.
// Offsets never change. Nothing here does I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "core/log/compaction_map.hpp"
#include "core/log/producer_state.hpp"
#include "records/batch.hpp"
#include "records/builder.hpp"
#include "records/compression.hpp"

namespace tailwater::log {

struct CompactionTerms {
  Offset first_dirty;
  Offset end;  // of the range that may be compacted, exclusive
  WallTime now;
  std::int64_t delete_retention_ms = 0;
  std::int64_t record_bytes_max = records::kRecordBytesUnbounded;  // of the batches that are opened
  SipKey secret;
  std::uint64_t keys_expected = 0;
  std::uint64_t map_bytes_max = 0;
};

struct CompactionCounts {
  std::uint64_t batches = 0;
  std::uint64_t records_read = 0;
  std::uint64_t records_kept = 0;
  std::uint64_t unreadable = 0;  // batches that were kept because they cannot be read
};

class CompactionFilter {
 public:
  // Of each producer the table keeps the last batch with a sequence, or nothing but its epoch.
  CompactionFilter(const CompactionTerms& terms, const ProducerTable* producers);

  // False: the map has no room for a record of this batch, at which it ends.
  bool note(const records::BatchView& batch);
  // Every batch of the range was noted, also where it ends with a gap.
  void all_noted() { map_end_ = terms_.end; }
  // Every record below this offset is in the map, if it has a key.
  Offset map_end() const { return map_end_; }

  struct Cleaned {
    enum class Kind : std::uint8_t { whole, rebuilt, gone };
    Kind kind = Kind::whole;
    std::size_t work = 0;  // bytes that were looked at
  };
  // Of a rebuilt batch the new bytes replace the content of `out`.
  Cleaned clean(const records::BatchView& batch, Buffer& out);

  // Aborted transactions whose markers were dropped since the last call, by the offset of the marker: nobody
  // may be told of them any more. Never more than kDroppedMax: further markers wait for the next round.
  std::vector<Offset> take_dropped_aborts() { return std::exchange(dropped_aborts_, {}); }
  static constexpr std::size_t kDroppedMax = 500;

  const CompactionCounts& counts() const { return counts_; }
  std::uint32_t map_used_percent() const { return map_.used_percent(); }
  // Pass 1 is over: forgets what was counted in it.
  void begin_pass_2() { counts_ = {}; }

 private:
  struct LastOf {
    ProducerId id;
    ProducerEpoch epoch;
    Offset last_offset{-1};
    Offset last_marker{-1};  // of this epoch, among what was noted; wanted only without a last offset
  };

  bool is_aborted(const records::BatchView& batch) const;
  LastOf* last_of(const records::BatchView& batch);
  LastOf* known_by_markers(const records::BatchView& batch);
  bool keeps_producer(const records::BatchView& batch);
  bool drops_marker(const records::BatchView& batch, bool data_is_gone);
  bool keeps_record(const records::BatchView& batch, const records::RecordView& record) const;
  std::optional<Bytes> open(const records::BatchView& batch);
  Cleaned empty(const records::BatchView& batch, Buffer& out);
  Cleaned rebuild(const records::BatchView& batch, Bytes records, std::optional<std::int64_t> horizon,
                  Buffer& out);
  static records::BatchOptions options_of(const records::BatchView& batch);

  CompactionTerms terms_;
  CompactionMap map_;
  Offset map_end_;
  std::vector<Aborted> aborted_;      // by producer and first offset
  std::vector<LastOf> last_batches_;  // by producer
  std::set<ProducerId> with_data_;    // have data of the transaction that is open at this place
  std::vector<Offset> dropped_aborts_;
  std::vector<bool> kept_;  // of the present batch
  records::Codecs codecs_;
  records::BatchBuilder builder_;
  CompactionCounts counts_;
};

}  // namespace tailwater::log
