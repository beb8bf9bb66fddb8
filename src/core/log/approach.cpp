#include "core/log/approach.hpp"

#include <algorithm>

#include "base/prefetch.hpp"
#include "core/log/log_state.hpp"
#include "core/log/tail.hpp"

namespace tailwater::log {

namespace {

// What a batch begins with in a chunk; the processor sees by itself that the rest follows.
constexpr std::uint64_t kFirstBytes = 256;

}  // namespace

// Each round uses what the round before has asked for, for all logs.
void approach(std::span<Log* const> logs) {
  for (const Log* log : logs) prefetch(log, sizeof *log);
  for (Log* log : logs) prefetch(&state_of(*log), sizeof(LogState));
  for (Log* log : logs) {
    const LogState& state = state_of(*log);
    prefetch(&state.active(), sizeof(Segment));
    if (!state.chunks.empty()) prefetch(state.chunks.last_place(), 1);
  }
  for (Log* log : logs) {
    const LogState& state = state_of(*log);
    if (!state.chunks.empty()) prefetch(state.chunks.back(), sizeof(cache::Chunk));
  }
  for (Log* log : logs) {
    const LogState& state = state_of(*log);
    if (state.chunks.empty()) continue;
    const cache::Chunk& chunk = *state.chunks.back();
    prefetch(chunk.at(chunk.end), std::min(kFirstBytes, chunk.capacity_end() - chunk.end));
  }
}

void approach(std::span<const ReadPlace> places) {
  for (const ReadPlace& place : places) prefetch(place.log, sizeof *place.log);
  for (const ReadPlace& place : places) prefetch(&state_of(*place.log), sizeof(LogState));
  for (const ReadPlace& place : places) {
    const LogState& state = state_of(*place.log);
    if (!state.chunks.empty()) prefetch(state.chunks.last_place(), 1);
  }
  for (const ReadPlace& place : places) {
    const LogState& state = state_of(*place.log);
    if (!state.chunks.empty()) prefetch(state.chunks[state.chunks.find(place.from)], sizeof(cache::Chunk));
  }
  for (const ReadPlace& place : places) {
    const LogState& state = state_of(*place.log);
    if (state.chunks.empty() || state.hot_hint.offset != place.from) continue;
    const cache::Chunk& chunk = *state.chunks[state.chunks.find(place.from)];
    const std::uint64_t at = state.hot_hint.position;
    if (at >= chunk.first && at < chunk.end) prefetch(chunk.at(at), kStoredBatchPeek);
  }
}

}  // namespace tailwater::log
