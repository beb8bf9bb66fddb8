// The first look at the journal at a start: from which frame on it has direct runs, how far it was durable,
// and which runs still count. Nothing but the entry says what a run has written, and its blocks may hold
// something else by now if the log was emptied or removed. That comes later in the journal, so that it has to
// be read to its end before the first run can be judged.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "core/journal/format.hpp"

namespace tailwater::log {

class ExtentSurvey {
 public:
  // Takes the frames in order. True from the first one with a run on: these are for the second look.
  bool note(const journal::FrameHeader& frame, journal::EntryCursor entries);

  bool begun() const { return begun_; }
  Lsn begin() const { return begin_; }
  std::uint32_t begin_prev_crc() const { return begin_prev_crc_; }
  // Below, everything was durable, runs too.
  Lsn settled() const { return settled_; }
  // Entries count from 1, in frames of the second look. The one that emptied or removed the log next after
  // `entry`; nothing: what the entry brought counts.
  std::optional<std::uint64_t> end_of(LogId log, std::uint64_t entry) const;

 private:
  bool begun_ = false;
  Lsn begin_;
  std::uint32_t begin_prev_crc_ = 0;
  Lsn settled_;
  std::uint64_t entries_ = 0;
  std::map<LogId, std::vector<std::uint64_t>> ends_;
};

}  // namespace tailwater::log
