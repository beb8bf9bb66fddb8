// `tailwater log`: looks into, checks and mends a log directory that no broker uses.
#include <fmt/format.h>

#include <memory>

#include "apps/cli/json_output.hpp"
#include "apps/cli/progress.hpp"
#include "apps/cli/settings.hpp"
#include "apps/commands.hpp"
#include "apps/log/dump.hpp"
#include "apps/log/folder.hpp"
#include "apps/log/rebuild.hpp"
#include "apps/log/seal.hpp"
#include "apps/log/verify.hpp"

namespace tailwater::apps {

namespace logtools {

namespace {

struct Options {
  cli::Settings settings;
  std::string folder;
};

// --- verify

std::string line_of(const Damage& damage) {
  const std::string place = damage.position ? fmt::format(" at byte {}", *damage.position) : "";
  return fmt::format("{}{}: {}. To do: {}.\n", damage.file, place, damage.what, damage.remedy);
}

std::string count_of(std::uint64_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", cli::grouped(static_cast<std::int64_t>(count)), count == 1 ? one : many);
}

std::string summary(const Seen& seen) {
  return fmt::format("{}, {}, {}, {}, {}; a start replays {} from the journal",
                     count_of(seen.logs, "log", "logs"), count_of(seen.segments, "segment", "segments"),
                     count_of(seen.batches, "batch", "batches"), count_of(seen.records, "record", "records"),
                     cli::size_text(static_cast<std::int64_t>(seen.bytes)),
                     cli::size_text(static_cast<std::int64_t>(seen.journal_bytes)));
}

Result<int> verify(const Options& options) {
  auto folder = Folder::open(options.folder);
  if (!folder) return std::unexpected(folder.error());
  cli::Progress progress;
  cli::json::array damages;
  std::size_t count = 0;
  const auto tell = [&](const Damage& damage) {
    ++count;
    progress.clear();
    if (!options.settings.json()) {
      fmt::print("{}", line_of(damage));
      return;
    }
    cli::json::object item{{"file", cli::text(damage.file)},
                           {"position", nullptr},
                           {"what", cli::text(damage.what)},
                           {"remedy", cli::text(damage.remedy)}};
    if (damage.position) item["position"] = *damage.position;
    damages.push_back(std::move(item));
  };
  Verifier verifier(*folder, tell, [&](std::uint64_t records, std::uint64_t bytes) {
    progress.show(static_cast<std::int64_t>(records), static_cast<std::int64_t>(bytes));
  });
  const bool whole = verifier.run();
  progress.clear();
  const Seen& seen = verifier.seen();
  if (options.settings.json()) {
    cli::print_json(cli::json::object{{"whole", whole},
                                      {"logs", seen.logs},
                                      {"segments", seen.segments},
                                      {"batches", seen.batches},
                                      {"records", seen.records},
                                      {"bytes", seen.bytes},
                                      {"journal_bytes", seen.journal_bytes},
                                      {"damages", std::move(damages)}});
  } else {
    fmt::print("{}: {}\n", whole ? std::string("whole") : "damaged in " + count_of(count, "place", "places"),
               summary(seen));
  }
  return whole ? kExitDone : kExitFailed;
}

void add_verify(Command& log) {
  auto options = std::make_shared<Options>();
  Command command = log.command("verify", "Look for damage in all files; exit code 1 if there is any.");
  command.argument("FOLDER", options->folder, "A folder of log.dirs; no broker may use it.").required();
  cli::add_format(command, options->settings);
  command.examples("  tailwater log verify /var/lib/tailwater\n");
  command.action([options] { return cli::finish(verify(*options)); });
}

}  // namespace

}  // namespace logtools

void add_log_command(Command& tailwater) {
  Command log =
      tailwater.command("log", "Look into, check and mend the files of a stopped broker.", "Broker");
  logtools::add_dump_command(log);
  logtools::add_verify(log);
  logtools::add_rebuild_command(log);
  logtools::add_seal_command(log);
}

}  // namespace tailwater::apps
