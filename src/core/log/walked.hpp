// What looks that had to go through a segment from batch to batch have learnt of it: rows of batches without
// a gap from the segment's beginning, with what a later look would want to know of each. Of use where the
// indexes are none: blocks that a look went over need not stay in memory, and a look that had to wait for the
// disk begins anew. A row is made of the batches that begin in one block of the file, so that to go through
// one again never takes more than the block and the header that reaches beyond it.
#pragma once

#include <cstdint>
#include <vector>

#include "base/ids.hpp"

namespace tailwater::log {

struct BatchPlace;

class Walked {
 public:
  struct Row {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;            // where the next batch begins
    Offset floor;                     // no batch from there on begins below
    std::int64_t max_timestamp = -1;  // of the row's batches
    Offset max_timestamp_offset{-1};  // the last offset of the first batch that has it
  };

  // A look went over this batch. Counts if it is the next that is not known.
  void pass(const BatchPlace& batch, std::uint64_t block_bytes);
  // The row that begins there; null if none does.
  const Row* at(std::uint64_t position) const;
  void clear() { rows_.clear(); }

 private:
  std::vector<Row> rows_;
};

}  // namespace tailwater::log
