// What was done to each log, in order, and how much of it was promised to last. A start after a crash may
// find any beginning of what was done that holds everything that was promised.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
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
  const log::LogConfig& config() const { return config_; }
  const std::vector<Change>& changes() const { return changes_; }
  // So many changes at least are there after a crash.
  std::size_t promised() const { return promised_; }
  Offset promised_start() const { return promised_start_; }
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
  void promise(Offset end, Offset start);
  // A start found so many of the changes: the rest never was, and these are promised.
  void settle(std::size_t count);

 private:
  log::LogIdentity identity_;
  log::LogConfig config_;
  std::vector<Change> changes_;
  std::vector<std::size_t> live_;  // changes whose batches are in the log
  std::size_t promised_ = 0;
  Offset promised_start_;
  Offset start_;
  Offset end_;
  bool removed_ = false;
};

using Ledger = std::map<LogId, Story>;

}  // namespace tailwater::crash_states
