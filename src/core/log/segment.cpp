#include "core/log/segment.hpp"

#include <charconv>

namespace tailwater::log {

std::string segment_name(Offset base, FileKind kind) {
  std::string digits = std::to_string(base.value);
  std::string name(digits.size() < 20 ? 20 - digits.size() : 0, '0');
  name += digits;
  switch (kind) {
    case FileKind::records:
      return name + ".log";
    case FileKind::index:
      return name + ".index";
    case FileKind::time_index:
      return name + ".timeindex";
    case FileKind::snapshot:
      return name + ".snapshot";
    case FileKind::aborted:
      return name + ".txnindex";
  }
  return name;
}

std::optional<Offset> offset_in_name(std::string_view name, FileKind kind) {
  std::int64_t value = 0;
  std::from_chars(name.data(), name.data() + name.size(), value);
  if (value < 0 || segment_name(Offset{value}, kind) != name) return std::nullopt;
  return Offset{value};
}

bool has_file(const Segment& segment, FileKind kind) {
  switch (kind) {
    case FileKind::records:
      return segment.size > 0;
    case FileKind::index:
      return segment.stored.entries > 0;
    case FileKind::time_index:
      return segment.stored.time_entries > 0;
    case FileKind::snapshot:
    case FileKind::aborted:
      break;
  }
  return false;
}

std::optional<cache::Mark> index_batch(IndexState& state, const BatchPlace& batch, std::uint32_t interval) {
  if (batch.max_timestamp > state.max_timestamp) {
    state.max_timestamp = batch.max_timestamp;
    state.max_timestamp_offset = batch.last_offset;
  }
  state.until = batch.position + batch.size;
  if (batch.position - state.last_position <= interval) return std::nullopt;
  state.last_position = batch.position;
  ++state.entries;
  const cache::Mark mark{.last_offset = batch.last_offset,
                         .position = static_cast<std::uint32_t>(batch.position),
                         .max_timestamp = state.max_timestamp,
                         .max_timestamp_offset = state.max_timestamp_offset};
  count_time_entry(state, mark);
  return mark;
}

bool count_time_entry(IndexState& state, const cache::Mark& mark) {
  if (mark.max_timestamp <= state.last_time) return false;
  state.last_time = mark.max_timestamp;
  ++state.time_entries;
  return true;
}

}  // namespace tailwater::log
