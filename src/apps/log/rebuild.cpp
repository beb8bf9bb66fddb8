// Indexes follow from the batches of their segments; the state of a shard's logs (manifest) from the one
// before it and the segments, if the journal was empty when it was written. Nothing of a segment is changed,
// unless the user gives up what is damaged (mend.hpp).
//   1 manifests that cannot be read are made anew; then the journals are emptied into the segments, as by
//     `log seal`
//   2 damaged pieces are taken out of segments, if that is wished
//   3 indexes that do not fit their segments are made anew: a state that does without them is written, then
//     the files, then the state that counts on them again; a crash in between costs longer walks, no more
#include "apps/log/rebuild.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "apps/cli/json_output.hpp"
#include "apps/cli/settings.hpp"
#include "apps/log/folder.hpp"
#include "apps/log/mend.hpp"
#include "apps/log/rehearsal.hpp"
#include "apps/log/state_finder.hpp"
#include "core/log/audit.hpp"
#include "core/log/config.hpp"

namespace tailwater::apps::logtools {

namespace {

struct Options {
  cli::Settings settings;
  std::string folder;
  bool drop_damaged = false;
};

struct Change {
  std::string file;
  std::string what;
};

class Rebuilder {
 public:
  enum class Damaged : std::uint8_t { keep, drop };
  Rebuilder(Folder& folder, Damaged damaged) : folder_(folder), damaged_(damaged) {}

  // Those that cannot be read, as far as they can be made anew.
  Result<void> manifests();
  Result<void> shard(const std::string& journal);
  const std::vector<Change>& changes() const { return changes_; }
  bool left_damage() const { return left_damage_; }

 private:
  struct Fresh {
    std::string path;
    Buffer content;
  };

  Result<log::Manifest> empty_journal(const std::string& journal);
  Result<bool> segment(const log::ManifestLog& log, log::Segment& segment);
  Result<bool> drop_damaged(const log::ManifestLog& log, log::Segment& segment);

  Folder& folder_;
  Damaged damaged_;
  std::vector<Change> changes_;
  std::map<std::string, std::string> causes_;  // why a journal's manifest was not made anew
  std::vector<Fresh> fresh_;
  bool left_damage_ = false;
};

Result<log::Manifest> Rebuilder::empty_journal(const std::string& journal) {
  RealDisk disk(folder_.directory());
  auto drained =
      drain(journal, folder_.has_soft_ring(journal),
            [&](log::DiskEffects&& effects, Instant until) { return disk.carry(std::move(effects), until); });
  if (drained) return std::move(drained->state);
  return fail(Errc::storage, fmt::format("the broker's start fails: {}; and its cause cannot be mended: {}",
                                         drained.error().message, causes_[journal]));
}

// Before any start: both rings of a shard start together, so one that cannot would leave the other in use.
Result<void> Rebuilder::manifests() {
  for (const std::string& journal : folder_.journals()) {
    auto found = find_state(folder_, journal);
    if (!found) {
      causes_[journal] = found.error().message;
      continue;
    }
    if (auto done = folder_.commit(journal, found->state); !done) return done;
    changes_.push_back({Folder::manifest(journal, found->state.generation),
                        fmt::format("made from {} and the segments: {}", found->source, found->summary)});
  }
  return {};
}

// Whether pieces of it were taken out.
Result<bool> Rebuilder::drop_damaged(const log::ManifestLog& log, log::Segment& segment) {
  const auto pieces = find_damage(folder_.files(), log, segment);
  if (!pieces) return std::unexpected(pieces.error());
  if (pieces->empty()) return false;
  if (auto done = take_out(folder_.files(), log, segment, *pieces); !done)
    return std::unexpected(done.error());
  const std::string path = fmt::format("{}-{}/{}", log.topic, log.partition.value,
                                       log::segment_name(segment.base, log::FileKind::records));
  for (const Piece& piece : *pieces) {
    changes_.push_back({path, fmt::format("{} bytes at {} were taken out, and with them all that was left of "
                                          "offsets {} to {}; they are kept in {}.{}.damaged",
                                          piece.to - piece.from, piece.from, piece.first.value,
                                          piece.last.value, path, piece.from)});
  }
  return true;
}

// Whether an index of the segment has to be made anew; then `segment` knows it, and fresh_ has the files.
Result<bool> Rebuilder::segment(const log::ManifestLog& log, log::Segment& segment) {
  const auto path = [&](log::FileKind kind) {
    return fmt::format("{}-{}/{}", log.topic, log.partition.value, log::segment_name(segment.base, kind));
  };
  const auto content = [&](log::FileKind kind) {
    return folder_.files().load(path(kind)).value_or(Buffer{});
  };
  log::IndexAudit index(segment, log::FileKind::index, content(log::FileKind::index));
  log::IndexAudit times(segment, log::FileKind::time_index, content(log::FileKind::time_index));
  log::IndexMaker maker(segment, log::LogConfig{}.index_interval_bytes);
  log::SegmentAudit audit(log, segment);
  bool whole = true;
  Walk walk;
  walk.floor = [&] { return audit.floor(); };
  walk.batch = [&](std::uint64_t position, const records::BatchView& batch) {
    std::string wrong = audit.batch(position, batch);
    if (!wrong.empty()) return wrong;
    index.batch(position, batch);
    times.batch(position, batch);
    maker.batch(position, batch);
    return wrong;
  };
  walk.damage = [&](std::uint64_t, std::uint64_t, const std::string&) { whole = false; };
  const std::string records = path(log::FileKind::records);
  if (auto walked = walk_segment(folder_.files(), records, segment.size, walk); !walked)
    return std::unexpected(walked.error());
  if (!whole) left_damage_ = true;
  std::string wrong_index = index.verdict();
  std::string wrong_times = times.verdict();
  // A broker goes without an index that it found damaged.
  if (segment.stored.entries == 0 && maker.state().entries > 0) wrong_index = "it was given up";
  if (segment.stored.time_entries == 0 && maker.state().time_entries > 0) wrong_times = "it was given up";
  if (wrong_index.empty() && wrong_times.empty()) return false;
  if (!whole) {
    // What an index says of damaged bytes cannot be judged; reads go without it.
    return false;
  }
  if (!wrong_index.empty()) changes_.push_back({path(log::FileKind::index), "made anew: " + wrong_index});
  if (!wrong_times.empty())
    changes_.push_back({path(log::FileKind::time_index), "made anew: " + wrong_times});
  segment.index = segment.stored = maker.state();
  fresh_.push_back({path(log::FileKind::index), maker.index()});
  fresh_.push_back({path(log::FileKind::time_index), maker.time_index()});
  return true;
}

Result<void> Rebuilder::shard(const std::string& journal) {
  auto state = empty_journal(journal);
  if (!state) return std::unexpected(state.error());
  log::Manifest without = *state;
  for (std::size_t each = 0; each < state->logs.size(); ++each) {
    log::ManifestLog& log = state->logs[each];
    for (std::size_t at = 0; at < log.segments.size(); ++at) {
      if (log.segments[at].size == 0) continue;
      if (damaged_ == Damaged::drop) {
        const auto dropped = drop_damaged(log, log.segments[at]);
        if (!dropped) return std::unexpected(dropped.error());
        if (*dropped) {
          // The state follows the file at once.
          without.logs[each].segments[at] = log.segments[at];
          if (auto done = folder_.commit(journal, without); !done) return done;
        }
        if (log.segments[at].size == 0) continue;
      }
      const auto changed = segment(log, log.segments[at]);
      if (!changed) return std::unexpected(changed.error());
      log::IndexState& stored = without.logs[each].segments[at].stored;
      if (*changed) stored.entries = stored.time_entries = 0;
    }
  }
  if (fresh_.empty()) return {};
  if (auto done = folder_.commit(journal, without); !done) return done;
  for (const Fresh& file : std::exchange(fresh_, {})) {
    if (auto done = folder_.files().replace(file.path, file.content); !done) return done;
  }
  return folder_.commit(journal, *state);
}

Result<int> rebuild(const Options& options) {
  if (auto own = work_as_owner(options.folder); !own) return std::unexpected(own.error());
  auto folder = Folder::open(options.folder);
  if (!folder) return std::unexpected(folder.error());
  if (folder->is_half_dealt())
    return fail(Errc::storage, options.folder +
                                   ": a change of the number of shards was interrupted; start "
                                   "the broker, which goes on with it");
  Rebuilder rebuilder(*folder, options.drop_damaged ? Rebuilder::Damaged::drop : Rebuilder::Damaged::keep);
  Result<void> done = rebuilder.manifests();
  for (const std::string& journal : folder->journals()) {
    if (!done) break;
    done = rebuilder.shard(journal);
  }
  cli::json::array items;
  for (const Change& change : rebuilder.changes()) {
    if (!options.settings.json()) fmt::print("{}: {}\n", change.file, change.what);
    items.push_back(cli::json::object{{"file", cli::text(change.file)}, {"what", cli::text(change.what)}});
  }
  if (options.settings.json()) {
    cli::print_json(cli::json::object{{"changes", std::move(items)}, {"damaged", rebuilder.left_damage()}});
  } else if (rebuilder.changes().empty() && done) {
    fmt::print("nothing had to be made anew\n");
  }
  if (!done) return fail(Errc::storage, options.folder + ": " + done.error().message);
  if (rebuilder.left_damage()) {
    return fail(
        Errc::corrupt,
        "some segments are damaged; 'tailwater log verify' names the places. Put the files back from a "
        "backup or a replica, or give up the damaged records with --drop-damaged");
  }
  return kExitDone;
}

}  // namespace

void add_rebuild_command(Command& log) {
  auto options = std::make_shared<Options>();
  Command command =
      log.command("rebuild", "Make indexes and manifests anew after damage; records are left alone.");
  command.argument("FOLDER", options->folder, "A folder of log.dirs; no broker may use it.").required();
  command.flag("--drop-damaged", options->drop_damaged,
               "Also take damaged batches out of the segments: their records are lost, the bytes are kept.");
  cli::add_format(command, options->settings);
  command.examples("  tailwater log verify /var/lib/tailwater || tailwater log rebuild /var/lib/tailwater\n");
  command.action([options] { return cli::finish(rebuild(*options)); });
}

}  // namespace tailwater::apps::logtools
