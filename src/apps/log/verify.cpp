#include "apps/log/verify.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/log/audit.hpp"

namespace tailwater::apps::logtools {

namespace {

constexpr const char* kLostRecords =
    "these records are not served (CORRUPT_MESSAGE): put the file back from a backup or a replica, or give "
    "them "
    "up with 'tailwater log rebuild --drop-damaged'";
constexpr const char* kRebuildIndex = "'tailwater log rebuild' makes it anew from the segment";
constexpr const char* kKeep =
    "keep the folder as it is and restore a backup or a replica; 'tailwater log dump' shows what its "
    "segments "
    "hold";

std::string path_of(const log::ManifestLog& log, Offset base, log::FileKind kind) {
  return fmt::format("{}-{}/{}", log.topic, log.partition.value, log::segment_name(base, kind));
}

}  // namespace

void Verifier::damage(std::string file, std::optional<std::uint64_t> position, std::string what,
                      std::string remedy) {
  whole_ = false;
  tell_({std::move(file), position, std::move(what), std::move(remedy)});
}

bool Verifier::run() {
  if (folder_.is_half_dealt()) {
    damage("manifest/dealt", std::nullopt, "a change of the number of shards was interrupted",
           "start the broker: it goes on with it");
    return whole_;
  }
  for (const std::string& journal : folder_.journals()) shard(journal);
  return whole_;
}

void Verifier::shard(const std::string& journal) {
  const std::string ring = Folder::ring(journal);
  const auto head = folder_.head(journal);
  if (!head) return damage(ring, std::nullopt, head.error().message, kKeep);
  // A ring whose making was interrupted holds nothing yet.
  if (head->state == journal::RingHead::unformatted) return;
  for (std::size_t each = 0; each < head->blocks.size(); ++each) {
    const char name = each == 0 ? 'A' : 'B';
    if (head->healed[each]) {
      damage(ring, each * journal::kBlock,
             fmt::format("one of the two copies of superblock {} is wrong", name),
             "nothing: the other copy counts, and the broker writes both anew when it runs");
    }
    if (head->blocks[each] || head->state == journal::RingHead::damaged) continue;
    if (head->state == journal::RingHead::formatted) continue;
    damage(ring, each * journal::kBlock, fmt::format("superblock {} cannot be read", name),
           "nothing: the other one counts, and the broker writes this one anew when it runs");
  }
  if (head->state != journal::RingHead::damaged) manifests(journal, *head);

  RehearsalDisk disk(folder_.files());
  const auto drained =
      drain(journal, folder_.has_soft_ring(journal),
            [&](log::DiskEffects&& effects, Instant until) { return disk.carry(std::move(effects), until); });
  if (drained) {
    seen_.journal_bytes += drained->report.replayed_bytes;
    for (const log::ManifestLog& each : drained->state.logs) log(disk, each);
    return;
  }
  damage(ring, std::nullopt, "a start fails: " + drained.error().message,
         "'tailwater log rebuild' tries to mend it, and says what it cannot");
  // What there is can be looked at all the same.
  if (head->state != journal::RingHead::damaged) {
    if (const auto state = folder_.load_manifest(journal, head->counts.manifest_generation)) {
      for (log::ManifestLog each : state->logs) {
        for (log::Segment& segment : each.segments) segment.size = segment.flushed;
        log(folder_.files(), each);
      }
      return;
    }
  }
  for (const std::string& name : folder_.log_folders()) {
    if (!known_.contains(name)) bare_log(name);
  }
}

// Whether the one that counts can be read at all is for the rehearsed start to say.
void Verifier::manifests(const std::string& journal, const Folder::Head& head) {
  for (const std::uint64_t generation : folder_.generations(journal)) {
    const auto decoded = folder_.load_manifest(journal, generation);
    if (decoded && decoded->healed) {
      damage(Folder::manifest(journal, generation), std::nullopt, "one of its two copies is damaged",
             "nothing: the other copy counts, and the next manifest replaces both");
    }
    if (decoded || generation >= head.counts.manifest_generation) continue;
    damage(Folder::manifest(journal, generation), std::nullopt, decoded.error().message,
           "nothing: it is the one before the manifest that counts, and goes soon");
  }
}

void Verifier::log(Files& files, const log::ManifestLog& log) {
  ++seen_.logs;
  known_.insert(fmt::format("{}-{}", log.topic, log.partition.value));
  for (const log::Segment& each : log.segments) {
    if (each.size > 0) segment(files, log, each);
  }
}

Buffer Verifier::index(Files& files, const std::string& path, std::uint64_t size) {
  if (size == 0) return {};
  auto content = files.load(path);
  if (content) return std::move(*content);
  damage(path, std::nullopt,
         content.error().code == Errc::not_found ? "it is missing" : content.error().message, kRebuildIndex);
  return {};
}

void Verifier::segment(Files& files, const log::ManifestLog& log, const log::Segment& segment) {
  ++seen_.segments;
  const std::string path = path_of(log, segment.base, log::FileKind::records);
  log::SegmentAudit audit(log, segment);
  struct Beside {
    std::string path;
    log::IndexAudit audit;
    bool judged;
  };
  std::vector<Beside> indexes;
  for (const log::FileKind kind : {log::FileKind::index, log::FileKind::time_index}) {
    const bool by_offset = kind == log::FileKind::index;
    const std::uint64_t entries = by_offset ? segment.stored.entries : segment.stored.time_entries;
    std::string name = path_of(log, segment.base, kind);
    const Buffer content =
        index(files, name, entries * (by_offset ? log::kIndexEntrySize : log::kTimeEntrySize));
    indexes.push_back(
        {std::move(name), log::IndexAudit(segment, kind, content), entries > 0 && !content.empty()});
  }
  bool segment_whole = true;
  Walk walk;
  walk.floor = [&] { return audit.floor(); };
  walk.batch = [&](std::uint64_t position, const records::BatchView& batch) {
    std::string wrong = audit.batch(position, batch);
    if (!wrong.empty()) return wrong;
    for (Beside& each : indexes) each.audit.batch(position, batch);
    seen_.records += static_cast<std::uint64_t>(std::max(batch.records_count(), 0));
    progress_(seen_.records, seen_.bytes);
    return wrong;
  };
  walk.damage = [&](std::uint64_t from, std::uint64_t to, const std::string& what) {
    segment_whole = false;
    damage(path, from, fmt::format("{} ({} bytes)", what, to - from), kLostRecords);
  };
  walk.progress = [&](std::uint64_t bytes) { seen_.bytes += bytes; };
  if (auto walked = walk_segment(files, path, segment.size, walk); !walked) {
    segment_whole = false;
    damage(path, std::nullopt,
           walked.error().code == Errc::not_found ? "it is missing" : walked.error().message, kLostRecords);
  }
  seen_.batches += audit.batches();
  for (Beside& each : indexes) {
    // Entries of damaged batches cannot be judged.
    if (!each.judged || !segment_whole) continue;
    if (std::string verdict = each.audit.verdict(); !verdict.empty())
      damage(each.path, std::nullopt, verdict, kRebuildIndex);
  }
}

// Without a state to judge by: batches alone.
void Verifier::bare_log(const std::string& name) {
  ++seen_.logs;
  log::ManifestLog log;
  const std::size_t dash = name.rfind('-');
  log.topic = name.substr(0, dash);
  log.partition = PartitionId{static_cast<std::int32_t>(std::stol(name.substr(dash + 1)))};
  for (const Offset base : folder_.segments(name)) {
    log::Segment bare;
    bare.base = base;
    bare.next = Offset{INT64_MAX};
    bare.size =
        folder_.files().size(name + "/" + log::segment_name(base, log::FileKind::records)).value_or(0);
    if (bare.size > 0) segment(folder_.files(), log, bare);
  }
}

}  // namespace tailwater::apps::logtools
