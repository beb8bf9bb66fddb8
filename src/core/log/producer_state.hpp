// What one log knows of its producers: epochs, the last five batches of each (so that a repeated one is
// recognised), and open transactions. Follows from the batches alone, so a restart rebuilds it from what it
// had and the batches since. GUARANTEES: check() changes nothing; apply() is total. Five batches, because
// clients keep at most five in flight.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "core/log/storage.hpp"
#include "records/batch.hpp"

namespace tailwater::log {

struct ProducerBatch {
  std::int32_t last_sequence = -1;
  std::int32_t offset_delta = 0;
  Offset last_offset;
  std::int64_t timestamp = -1;

  std::int32_t first_sequence() const {
    return static_cast<std::int32_t>(
        (static_cast<std::uint32_t>(last_sequence) - static_cast<std::uint32_t>(offset_delta)) & 0x7fffffffu);
  }
  friend bool operator==(const ProducerBatch&, const ProducerBatch&) = default;
};

inline constexpr std::size_t kBatchesKept = 5;

struct Producer {
  ProducerId id;
  ProducerEpoch epoch;
  std::uint8_t batch_count = 0;
  std::int32_t coordinator_epoch = -1;
  std::int64_t last_timestamp = -1;
  Offset transaction_first{-1};                     // -1: none is open
  std::array<ProducerBatch, kBatchesKept> batches;  // oldest first

  const ProducerBatch* newest() const { return batch_count == 0 ? nullptr : &batches[batch_count - 1u]; }
  friend bool operator==(const Producer&, const Producer&) = default;
};

// A transaction that was aborted, as .txnindex keeps it.
struct Aborted {
  ProducerId producer;
  Offset first;
  Offset last;         // the marker's
  Offset last_stable;  // the log's last stable offset after it
  friend bool operator==(const Aborted&, const Aborted&) = default;
};

// A marker that a truncation may still take away.
struct Ended {
  ProducerId producer;
  Offset first;  // of its transaction; -1: there was none here
  Offset marker;
  friend bool operator==(const Ended&, const Ended&) = default;
};

class ProducerTable {
 public:
  struct Verdict {
    std::optional<AppendRefusal> refusal;
    const ProducerBatch* duplicate = nullptr;  // of this one; valid until the next change
  };
  // The rules for a batch that a client sends. REQUIRES: a batch with a producer id.
  Verdict check(const records::BatchInfo& info) const;

  // Notes an appended batch. REQUIRES: batches come in the order of their offsets.
  void apply(const records::BatchView& batch);
  // Forgets what a truncation took away. A producer whose kept batches all go is forgotten: any sequence will
  // do then. A transaction whose marker goes is open again, whatever the marker said; that of a commit below
  // the high watermark is not known any more, but no truncation goes there.
  void truncate(Offset end);
  // Forgets aborted transactions that no reader can ask for any more.
  void advance_start(Offset start);
  void expire(WallTime now, std::int64_t expiration_ms);
  // Compaction has dropped these markers of aborted transactions, and their data before.
  void forget_aborted(const std::vector<Offset>& markers);
  void clear();

  // The first offset that is not decided, as seen by a reader up to the high watermark; nothing if all are
  // decided. A transaction that ended counts as open until its marker is below the high watermark.
  std::optional<Offset> first_unstable(Offset high_watermark) const;
  bool has_open() const { return !open_.empty(); }
  // Forgets markers that lie below.
  void release_below(Offset high_watermark);
  // Aborted transactions that overlap [from, upper).
  void aborted_in(Offset from, Offset upper, std::vector<AbortedTransaction>& out) const;

  bool empty() const { return producers_.empty() && aborted_.empty() && ended_.empty(); }
  const std::vector<Producer>& producers() const { return producers_; }
  const Producer* find(ProducerId id) const;
  const std::vector<Aborted>& aborted() const { return aborted_; }
  const std::vector<Ended>& ended() const { return ended_; }
  void restore(std::vector<Producer> producers, std::vector<Aborted> aborted, std::vector<Ended> ended);

 private:
  Producer& entry(ProducerId id);
  void find_open();
  void end_transaction(Producer& producer, const records::BatchView& batch);

  std::vector<Producer> producers_;  // by id; new ids are mostly the largest
  std::vector<Offset> open_;         // first offsets of open transactions, ascending
  std::vector<Aborted> aborted_;     // by marker
  std::vector<Ended> ended_;         // by marker; empty unless the high watermark lags
};

}  // namespace tailwater::log
