#include "core/log/approach.hpp"

#include <algorithm>

#include "base/prefetch.hpp"
#include "core/log/log_state.hpp"

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
    if (!state.chunks.empty()) prefetch(state.chunks.last_place(), sizeof(cache::Chunk*));
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

}  // namespace tailwater::log
