#include "apps/log/seal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "apps/cli/json_output.hpp"
#include "apps/cli/progress.hpp"
#include "apps/cli/settings.hpp"
#include "apps/log/folder.hpp"
#include "apps/log/rehearsal.hpp"
#include "core/log/producer_snapshot.hpp"

namespace tailwater::apps::logtools {

namespace {

struct Options {
  cli::Settings settings;
  std::string folder;
};

// For each segment with abort markers <base>.txnindex, as Apache Kafka names it, and <end>.snapshot, in place
// of those of earlier ends; a clean stop of this version has left them, one of an earlier has not.
Result<void> export_producers(const RealFiles& files, const log::ManifestLog& log) {
  const std::string folder = fmt::format("{}-{}", log.topic, log.partition.value);
  for (const std::string& name : files.list(folder)) {
    const std::optional<Offset> snapshot = log::offset_in_name(name, log::FileKind::snapshot);
    const bool outdated =
        snapshot && std::ranges::find(log.segments, *snapshot, &log::Segment::base) == log.segments.end();
    if (!outdated && !log::offset_in_name(name, log::FileKind::aborted)) continue;
    if (auto done = files.remove(folder + "/" + name); !done) return done;
  }
  for (std::size_t each = 0; each < log.segments.size(); ++each) {
    const bool is_last = each + 1 == log.segments.size();
    const Offset base = log.segments[each].base;
    const Offset end = is_last ? log.end : log.segments[each + 1].base;
    const Buffer here = log::encode_aborted(log.aborted, base, end);
    if (here.empty()) continue;
    if (auto done = files.replace(folder + "/" + log::segment_name(base, log::FileKind::aborted), here);
        !done)
      return done;
  }
  if (log.producers.empty()) return {};
  return files.replace(folder + "/" + log::segment_name(log.end, log::FileKind::snapshot),
                       log::encode_snapshot(log.producers));
}

Result<int> seal(const Options& options) {
  if (auto own = work_as_owner(options.folder); !own) return std::unexpected(own.error());
  auto folder = Folder::open(options.folder);
  if (!folder) return std::unexpected(folder.error());
  if (folder->is_half_dealt())
    return fail(Errc::storage, options.folder +
                                   ": a change of the number of shards was interrupted; start "
                                   "the broker, which goes on with it");
  std::uint64_t logs = 0;
  std::uint64_t replayed = 0;
  for (const std::string& journal : folder->journals()) {
    RealDisk disk(folder->directory());
    const auto drained = drain(
        journal, folder->has_soft_ring(journal),
        [&](log::DiskEffects&& effects, Instant until) { return disk.carry(std::move(effects), until); });
    if (!drained) return fail(Errc::storage, options.folder + ": " + drained.error().message);
    logs += drained->state.logs.size();
    replayed += drained->report.replayed_bytes;
    for (const log::ManifestLog& log : drained->state.logs) {
      if (auto done = export_producers(folder->files(), log); !done) return std::unexpected(done.error());
    }
  }
  if (options.settings.json()) {
    cli::print_json(cli::json::object{{"logs", logs}, {"replayed_bytes", replayed}});
  } else {
    fmt::print("sealed {} {}: {} came out of the journal, and every segment ends with its last batch\n",
               cli::grouped(static_cast<std::int64_t>(logs)), logs == 1 ? "log" : "logs",
               cli::size_text(static_cast<std::int64_t>(replayed)));
  }
  return kExitDone;
}

}  // namespace

void add_seal_command(Command& log) {
  auto options = std::make_shared<Options>();
  Command command =
      log.command("seal",
                  "Write what is only in the journal into the segments, as a clean stop does: then "
                  "Apache Kafka's own tools can read them.");
  command.argument("FOLDER", options->folder, "A folder of log.dirs; no broker may use it.").required();
  cli::add_format(command, options->settings);
  command.examples(
      "  tailwater log seal /var/lib/tailwater\n"
      "  kafka-dump-log.sh --files /var/lib/tailwater/orders-0/00000000000000000000.log\n");
  command.action([options] { return cli::finish(seal(*options)); });
}

}  // namespace tailwater::apps::logtools
