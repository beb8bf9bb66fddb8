#include "apps/log/mend.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/log/audit.hpp"
#include "core/log/segment.hpp"

namespace tailwater::apps::logtools {

namespace {

std::string path_of(const log::ManifestLog& log, const log::Segment& segment) {
  return fmt::format("{}-{}/{}", log.topic, log.partition.value,
                     log::segment_name(segment.base, log::FileKind::records));
}

}  // namespace

Result<std::vector<Piece>> find_damage(Files& files, const log::ManifestLog& log,
                                       const log::Segment& segment) {
  std::vector<Piece> pieces;
  log::SegmentAudit audit(log, segment);
  // The piece that no whole batch has followed yet.
  bool open = false;
  Walk walk;
  walk.floor = [&] { return audit.floor(); };
  walk.batch = [&](std::uint64_t position, const records::BatchView& batch) {
    std::string wrong = audit.batch(position, batch);
    if (wrong.empty() && open) {
      pieces.back().last = Offset{batch.base_offset().value - 1};
      open = false;
    }
    return wrong;
  };
  walk.damage = [&](std::uint64_t from, std::uint64_t to, const std::string&) {
    pieces.push_back({from, to, audit.floor(), Offset{segment.next.value - 1}});
    open = true;
  };
  if (auto walked = walk_segment(files, path_of(log, segment), segment.size, walk); !walked)
    return std::unexpected(walked.error());
  return pieces;
}

Result<void> take_out(const RealFiles& files, const log::ManifestLog& log, log::Segment& segment,
                      const std::vector<Piece>& pieces) {
  const std::string path = path_of(log, segment);
  std::vector<FileRange> kept;
  std::uint64_t at = 0;
  for (const Piece& piece : pieces) {
    const std::string aside = fmt::format("{}.{}.damaged", path, piece.from);
    if (auto done = files.gather(path, {{piece.from, piece.to}}, aside); !done) return done;
    if (piece.from > at) kept.push_back({at, piece.from});
    at = piece.to;
  }
  if (at < segment.size) kept.push_back({at, segment.size});
  const std::string passing = path + ".mended";
  if (auto done = files.gather(path, kept, passing); !done) return done;
  if (auto done = files.rename(passing, path); !done) return done;
  segment.size = 0;
  for (const FileRange& range : kept) segment.size += range.to - range.from;
  segment.flushed = segment.size;
  segment.gapless = false;
  segment.stored.entries = segment.stored.time_entries = 0;
  if (segment.size == 0) segment.index = segment.stored = {};
  return {};
}

}  // namespace tailwater::apps::logtools
