// What was done to each log, in order, and how much of it was promised to last. A start after a crash may
// find any beginning of what was done that holds everything that was promised:
//   acknowledged   it is there after the process has died
//   promised       it is there after the power went, too. The same, but for logs with
//                  tailwater.durability=os: there it is what flush.messages and flush.ms leave no doubt about,
//                  what is not a batch, and what a clean stop or a start has seen
//   at rest        what was found when nothing was under way any more is not taken back: that a log is there,
//                  that it was removed, and that compaction has taken records away
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "core/log/producer_state.hpp"
#include "core/log/storage.hpp"

namespace tailwater::crash_states {

struct Change {
  enum class Kind : std::uint8_t { append, truncate, start };
  Kind kind{};
  Offset base;  // of an append; of the others the offset that they name
  Offset last;
  std::shared_ptr<const Buffer> bytes;  // as stored
};

// What a log is after a beginning of its changes.
struct LogContent {
  Offset start;
  Offset end;
  std::vector<const Change*> batches;
  log::ProducerTable producers;

  explicit LogContent(const std::vector<Change>& changes, std::size_t count);
  // What a reader from `start` on gets.
  Buffer bytes() const;
};

class Story {
 public:
  Story() = default;
  Story(log::LogIdentity identity, log::LogConfig config) : identity_(std::move(identity)), config_(config) {}

  const log::LogIdentity& identity() const { return identity_; }
  std::string name() const { return identity_.topic + "-" + std::to_string(identity_.partition.value); }
  const log::LogConfig& config() const { return config_; }
  const std::vector<Change>& changes() const { return changes_; }
  // So many changes at least are there after a crash.
  std::size_t promised() const { return promised_; }
  std::size_t acknowledged() const { return acknowledged_; }
  Offset promised_start() const { return promised_start_; }
  bool presence_promised() const { return presence_promised_; }
  bool removal_promised() const { return removal_promised_; }
  // Offsets of records that compaction has taken away for good.
  const std::set<Offset>& gone() const { return gone_; }
  Offset start() const { return start_; }
  Offset end() const { return end_; }
  bool removed() const { return removed_; }
  // For a person: appends, truncations and starts, and how many of them are promised.
  std::string text() const;
  // The batches that are in the log now.
  std::vector<const Change*> batches() const;

  void append(Offset base, Offset last, Buffer bytes);
  void truncate(Offset end);
  void start_at(Offset start);
  void remove() { removed_ = true; }
  // The log said that it is durable up to `end`, and begins at `start` for ever.
  void acknowledge(Offset end, Offset start, Instant now = {});
  // Nothing is under way any more.
  void rest(Instant now);
  // The same; of the records below `end` these are left.
  void note_left(const std::set<Offset>& left, Offset end);
  // A clean stop is over.
  void stopped() { promised_ = acknowledged_; }
  // A start found so many of the changes: the rest never was, and these are promised.
  void settle(std::size_t count);

 private:
  log::LogIdentity identity_;
  log::LogConfig config_;
  std::vector<Change> changes_;
  std::vector<std::size_t> live_;  // changes whose batches are in the log
  std::size_t changes_up_to(Offset end) const;

  struct Unsynced {
    Offset end;
    Instant since;
  };
  std::size_t promised_ = 0;
  std::size_t acknowledged_ = 0;
  std::vector<Unsynced> unsynced_;  // of logs whose flush.ms is a bound
  Offset promised_start_;
  Offset start_;
  Offset end_;
  bool removed_ = false;
  bool presence_promised_ = false;
  bool removal_promised_ = false;
  std::set<Offset> gone_;
};

using Ledger = std::map<LogId, Story>;

}  // namespace tailwater::crash_states
