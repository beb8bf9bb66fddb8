// One partition's log on this broker, as its users see it: where it begins and ends, what is durable, its
// epochs. Reads only; every change goes through Storage (storage.hpp), which owns all logs of the shard. A
// Log* stays valid until Storage::remove() of it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "core/log/config.hpp"

namespace tailwater::records {
struct BatchInfo;
}

namespace tailwater::log {

struct EpochEnd {
  LeaderEpoch epoch{-1};
  Offset end{-1};
  friend bool operator==(const EpochEnd&, const EpochEnd&) = default;
};

// What this log knows of a producer.
struct ProducerFacts {
  ProducerId id;
  ProducerEpoch epoch;
  std::int32_t last_sequence = -1;
  std::int64_t last_timestamp = -1;
  std::int32_t coordinator_epoch = -1;
  Offset transaction_first{-1};  // of its open transaction; -1: none is open

  bool in_transaction() const { return transaction_first.value >= 0; }
};

struct LogState;

class Log {
 public:
  const LogIdentity& identity() const;
  LogId id() const;
  const LogConfig& config() const;

  // The first offset that may be read, the offset that the next record gets, and the end of what may be
  // acknowledged: of what is on stable storage, or, with os_durable, of what the operating system has.
  Offset start_offset() const;
  Offset end_offset() const;
  Offset durable_end() const;
  // The end of what is on stable storage, which only with os_durable may be another; see Storage::want_stable().
  Offset stable_end() const;
  // Never before a restart will the log begin earlier than here: the start that is on stable storage, too.
  Offset durable_start() const;
  std::uint64_t size_bytes() const;

  // The latest epoch that this log has an entry for; -1 if none.
  LeaderEpoch epoch() const;
  // That of the first record, or of the next where there is none; -1 if unknown.
  LeaderEpoch start_epoch() const;
  // KIP-101/279: the largest epoch <= `epoch` that this log knows, and where that one ended. {-1, -1}: not
  // known.
  EpochEnd end_offset_for(LeaderEpoch epoch) const;

  // The first offset that is left and that a transaction leaves undecided below the high watermark;
  // end_offset() if there is none.
  Offset first_unstable_offset() const;

  // The producers that have written here and are not forgotten yet.
  std::optional<ProducerFacts> producer(ProducerId id) const;
  std::vector<ProducerFacts> producers() const;
  bool has_open_transactions() const;
  // Whether append() would take this batch of a client as a new one: neither refused nor appended before.
  bool is_new(const records::BatchInfo& info) const;

  // For the log's user: found again from any Log* without a look-up. Storage never touches it.
  void* attachment = nullptr;

  explicit Log(std::unique_ptr<LogState> state);
  ~Log();

 private:
  friend LogState& state_of(Log& log);
  std::unique_ptr<LogState> state_;
};

}  // namespace tailwater::log
