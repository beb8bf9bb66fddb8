// Asks for the memory of logs that batches are about to be appended to, or read from. Of a log that was not
// used for a while nothing is in the processor's caches, and an append or a read waits for memory half a
// dozen times, one place after the other since each says where the next is: with a thousand partitions that
// is longer than all of its work. A request names many partitions, and their waits can overlap. Only hints:
// nothing changes.
#pragma once

#include <span>

#include "core/log/log.hpp"

namespace tailwater::log {

// For appends.
void approach(std::span<Log* const> logs);

struct ReadPlace {
  Log* log = nullptr;
  Offset from;
};
void approach(std::span<const ReadPlace> places);

}  // namespace tailwater::log
