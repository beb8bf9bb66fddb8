#include "core/log/extent_survey.hpp"

#include <algorithm>

#include "base/plant.hpp"

namespace tailwater::log {

using journal::EntryKind;

namespace {

bool has_run(journal::EntryCursor entries) {
  while (const auto entry = entries.next()) {
    if (entry->header.kind == EntryKind::extent) return true;
  }
  return false;
}

}  // namespace

bool ExtentSurvey::note(const journal::FrameHeader& frame, journal::EntryCursor entries) {
  settled_ = std::max(settled_, frame.settled);
  if (!begun_) {
    if (!has_run(entries)) return false;
    begun_ = true;
    begin_ = frame.lsn;
    begin_prev_crc_ = frame.prev_header_crc;
  }
  while (const auto entry = entries.next()) {
    ++entries_;
    if (entry->header.kind == EntryKind::restart || entry->header.kind == EntryKind::remove)
      ends_[entry->header.log].push_back(entries_);
  }
  return true;
}

std::optional<std::uint64_t> ExtentSurvey::end_of(LogId log, std::uint64_t entry) const {
  const auto ends = ends_.find(log);
  if (ends == ends_.end() || planted(Plant::run_judged_at_once)) return std::nullopt;
  const auto next = std::ranges::upper_bound(ends->second, entry);
  if (next == ends->second.end()) return std::nullopt;
  return *next;
}

}  // namespace tailwater::log
