// All short sequences of acts, as a tree: only the last act of a sequence is gone through, point by point, since what
// comes before it is a sequence of its own; that without acts is the beginning: an empty disk, or logs with something to
// lose.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "crash_states/workload.hpp"

namespace tailwater::crash_states {

struct SequenceSetting {
  Workload workload;
  std::span<const Act> before;  // done first, in each of its sequences
};
std::span<const SequenceSetting> sequence_settings();

inline constexpr std::size_t kSequenceActsMax = 4;  // there are more than 50,000 of four

// How many sequences have up to `length` acts. REQUIRES: length <= kSequenceActsMax.
std::uint64_t sequences_up_to(std::size_t length);

// The acts of one of them, the short ones first; number 0 has none.
std::vector<Act> sequence(std::uint64_t number);

// What is to be run for a sequence, and from which of its acts on points count. The longest ones come to rest at their
// end; for the others the act that does so is one of those that follow.
struct Script {
  std::vector<Act> acts;
  std::size_t from = 0;
};
Script script_of(const SequenceSetting& setting, const std::vector<Act>& acts, bool longest);

}  // namespace tailwater::crash_states
