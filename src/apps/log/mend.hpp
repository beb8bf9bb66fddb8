// Takes damaged pieces out of a segment, so that what lies behind them can be read without a detour. Records
// are lost by it, so it is done only where the user says so; the pieces are kept beside the segment.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apps/log/files.hpp"
#include "core/log/manifest.hpp"

namespace tailwater::apps::logtools {

// A damaged piece of a segment, and the offsets that can only have been in it.
struct Piece {
  std::uint64_t from = 0;
  std::uint64_t to = 0;
  Offset first;
  Offset last;
};

// The damaged pieces of the segment's file, ascending.
Result<std::vector<Piece>> find_damage(Files& files, const log::ManifestLog& log,
                                       const log::Segment& segment);

// Replaces the file by one without these pieces, which go to <segment>.<position>.damaged; `segment` knows of
// it, its indexes count no more. Its offsets stay: what was taken out is a gap. Durable before it returns,
// but the state of the log is not: a crash in between leaves a file that is shorter than its state says, and
// doing it again ends well.
Result<void> take_out(const RealFiles& files, const log::ManifestLog& log, log::Segment& segment,
                      const std::vector<Piece>& pieces);

}  // namespace tailwater::apps::logtools
