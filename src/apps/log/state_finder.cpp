#include "apps/log/state_finder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "core/log/audit.hpp"
#include "core/log/config.hpp"
#include "core/log/producer_state.hpp"

namespace tailwater::apps::logtools {

namespace {

// What the batches of all segments say of a log, in their order.
class LogFinder {
 public:
  LogFinder(Folder& folder, log::ManifestLog& log) : folder_(folder), log_(log) {}

  Result<void> run() {
    const std::string name = fmt::format("{}-{}", log_.topic, log_.partition.value);
    const std::vector<Offset> bases = folder_.segments(name);
    const log::ManifestLog before = log_;
    log_.segments.clear();
    epochs_.restore(before.epochs);
    producers_.restore(before.producers, before.aborted, before.ended);
    known_to_ = before.end;
    for (const Offset base : bases) {
      if (base < before.segments.front().base && base < log_.start) continue;  // was on its way out
      if (auto done = segment(name, base); !done) return done;
    }
    if (log_.segments.empty()) {
      if (before.end > before.start) return fail(Errc::storage, name + " has no segments");
      log_.segments = before.segments;
      return {};
    }
    log_.segments.back().sealed = false;
    log_.end = log_.segments.back().next;
    log_.start = std::max(log_.start, log_.segments.front().base);
    // A clean stop waits for the step that compaction is at.
    log_.compaction_step = 0;
    log_.compaction_base = {};
    if (log_.end < before.end) {
      return fail(Errc::storage, fmt::format("{} ends at offset {}, and had come to {} before", name,
                                             log_.end.value, before.end.value));
    }
    log_.epochs = epochs_.entries();
    log_.producers = producers_.producers();
    log_.aborted = producers_.aborted();
    log_.ended = producers_.ended();
    return {};
  }

 private:
  Result<void> segment(const std::string& name, Offset base) {
    const std::string path = name + "/" + log::segment_name(base, log::FileKind::records);
    log::Segment found;
    found.base = base;
    found.next = Offset{INT64_MAX};
    found.size = folder_.files().size(path).value_or(0);
    found.exists = found.sealed = found.exact = true;
    if (!log_.segments.empty() && log_.segments.back().next > base)
      return fail(Errc::storage, path + " begins before the segment in front of it ends");
    log::ManifestLog bare;  // epochs are found here, not compared
    log::SegmentAudit audit(bare, found);
    log::IndexMaker maker(found, log::LogConfig{}.index_interval_bytes);
    std::string damage;
    Walk walk;
    walk.floor = [&] { return audit.floor(); };
    walk.batch = [&](std::uint64_t position, const records::BatchView& batch) {
      std::string wrong = audit.batch(position, batch);
      if (!wrong.empty()) return wrong;
      if (found.first_timestamp < 0) found.first_timestamp = batch.base_timestamp();
      maker.batch(position, batch);
      if (batch.base_offset() >= known_to_) {
        epochs_.begin(batch.leader_epoch(), batch.base_offset());
        if (batch.has_producer()) producers_.apply(batch);
      }
      return wrong;
    };
    walk.damage = [&](std::uint64_t from, std::uint64_t, const std::string& what) {
      if (damage.empty()) damage = fmt::format("{} at byte {}: {}", path, from, what);
    };
    if (auto walked = walk_segment(folder_.files(), path, found.size, walk); !walked) return walked;
    if (!damage.empty()) return fail(Errc::corrupt, damage);
    found.next = audit.floor();
    found.flushed = found.size;
    found.index = found.stored = maker.state();
    // The indexes are made anew with the next look: none counts until then.
    found.stored.entries = found.stored.time_entries = 0;
    log_.segments.push_back(found);
    return {};
  }

  Folder& folder_;
  log::ManifestLog& log_;
  log::Epochs epochs_;
  log::ProducerTable producers_;
  Offset known_to_;
};

// Folders of logs of the other journals, which share the directory.
Result<void> leave_out_others(Folder& folder, const std::string& journal, std::set<std::string>& folders) {
  for (const std::string& other : folder.journals()) {
    if (other == journal) continue;
    const auto head = folder.head(other);
    if (head && head->state == journal::RingHead::formatted && head->counts.manifest_generation == 0)
      continue;
    const auto state = head ? folder.load_manifest(other, head->counts.manifest_generation)
                            : Result<log::Manifest>(std::unexpected(head.error()));
    if (!state) {
      return fail(Errc::unsupported, "which logs are those of the journal " + other +
                                         " beside it is not known: " + state.error().message);
    }
    for (const log::ManifestLog& log : state->logs)
      folders.erase(fmt::format("{}-{}", log.topic, log.partition.value));
  }
  return {};
}

Result<FoundState> newest_readable(Folder& folder, const std::string& journal) {
  auto generations = folder.generations(journal);
  for (auto each = generations.rbegin(); each != generations.rend(); ++each) {
    auto decoded = folder.load_manifest(journal, *each);
    if (decoded) return FoundState{std::move(*decoded), Folder::manifest(journal, *each), {}};
  }
  return fail(Errc::corrupt,
              "no manifest can be read, so it is not known which topics the folders belong to");
}

}  // namespace

Result<FoundState> find_state(Folder& folder, const std::string& journal) {
  const auto head = folder.head(journal);
  if (!head) return std::unexpected(head.error());
  if (head->state != journal::RingHead::formatted)
    return fail(Errc::corrupt, Folder::ring(journal) + " has a superblock that cannot be read");
  if (folder.load_manifest(journal, head->counts.manifest_generation))
    return fail(Errc::storage, "the manifest is whole, and nothing else can be made anew");
  if (!head->counts.clean)
    return fail(Errc::storage,
                "the broker was not stopped cleanly, so that the journal has to be replayed, "
                "which needs the manifest; take the folder from a replica or a backup");
  auto found = newest_readable(folder, journal);
  if (!found) return found;
  std::set<std::string> folders;
  for (std::string& name : folder.log_folders()) folders.insert(std::move(name));
  if (auto done = leave_out_others(folder, journal, folders); !done) return std::unexpected(done.error());
  for (log::ManifestLog& log : found->state.logs) {
    folders.erase(fmt::format("{}-{}", log.topic, log.partition.value));
    if (auto done = LogFinder(folder, log).run(); !done) return std::unexpected(done.error());
  }
  if (!folders.empty())
    return fail(
        Errc::storage,
        *folders.begin() + " came after the last manifest that can be read, so its topic is not known");
  // What was still to be removed is not named any more; it goes with the topic's retention, or by hand.
  found->state.doomed.clear();
  found->summary = fmt::format("{} logs, {} bytes of records", found->state.logs.size(), [&] {
    std::uint64_t bytes = 0;
    for (const auto& log : found->state.logs)
      for (const auto& segment : log.segments) bytes += segment.size;
    return bytes;
  }());
  return found;
}

}  // namespace tailwater::apps::logtools
