// What compaction may make of a log: which records have to be left of what was written, and which must not be
// there. Judges the bytes that a reader gets, as a client sees them. Knows nothing about how compaction works.
#pragma once

#include <set>
#include <span>
#include <string>

#include "core/log/storage.hpp"
#include "crash_states/ledger.hpp"

namespace tailwater::crash_states {

struct Compacted {
  const Buffer& found;        // all that a reader gets from the log's start on
  const LogContent& content;  // what was written
  const std::set<Offset>& gone;
  std::span<const log::AbortedTransaction> aborted;  // as the log names them
};

// What is wrong; empty if nothing:
//   - every batch and record is one that was written at its place, in the order of the offsets
//   - of each key the newest committed record is there, unless it is a tombstone; without that no older one is
//   - a record of an open transaction is there, one of an aborted transaction is not shown to whoever filters
//     as clients do
//   - nothing that was gone has come back
std::string compaction_fault(const Compacted& log);

// Of all records.
std::set<Offset> offsets_in(const Buffer& bytes);

}  // namespace tailwater::crash_states
