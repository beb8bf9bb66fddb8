#include "core/log/walked.hpp"

#include <algorithm>

#include "core/log/segment.hpp"

namespace tailwater::log {

void Walked::pass(const BatchPlace& batch, std::uint64_t block_bytes) {
  if (batch.position != (rows_.empty() ? 0 : rows_.back().end)) return;
  if (rows_.empty() || rows_.back().begin / block_bytes != batch.position / block_bytes)
    rows_.push_back({.begin = batch.position});
  Row& last = rows_.back();
  last.end = batch.position + batch.size;
  last.floor = batch.last_offset + 1;
  if (batch.max_timestamp <= last.max_timestamp) return;
  last.max_timestamp = batch.max_timestamp;
  last.max_timestamp_offset = batch.last_offset;
}

const Walked::Row* Walked::at(std::uint64_t position) const {
  const auto found = std::ranges::lower_bound(rows_, position, {}, &Row::begin);
  return found == rows_.end() || found->begin != position ? nullptr : &*found;
}

}  // namespace tailwater::log
