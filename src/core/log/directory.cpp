#include "core/log/directory.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "core/log/log_ops.hpp"
#include "core/log/manifest.hpp"

namespace tailwater::log {

void Directory::take_offline(Error error) {
  if (report.state == DirState::offline) return;
  report.state = DirState::offline;
  report.failure = std::move(error);
  journal.abandon();
  flusher.abandon();
  // Nobody writes these bytes any more: no other directory is to wait until they are written.
  for (const auto& [number, log] : logs) {
    for (std::size_t each = 0; each < log->chunks.size(); ++each) shared.tail.set_clean(log->chunks[each]);
  }
  if (!soft) shared.news.failed.push_back(id);
  if (twin != nullptr) twin->take_offline(report.failure);
}

bool Directory::check(const DiskDone& done) {
  if (done.outcome) return false;
  take_offline(done.outcome.error());
  return true;
}

Instant Directory::room_retry_at(Duration pause) {
  constexpr Duration kSoon = Duration::from_ms(20);
  return now.monotonic + (pool().give_way() ? std::min(kSoon, pause) : pause);
}

bool Directory::claim(const LogIdentity& log) {
  const auto found = shared.registry.logs.find(log.id);
  if (found == shared.registry.logs.end()) return true;
  const LogState& known = state_of(*found->second);
  Directory& owner = *known.dir;
  if (owner.id == id) {
    take_offline(
        {Errc::corrupt, "two manifests or journals of the directory name the log " + known.folder()});
    return false;
  }
  const auto place = shared.options.place_of ? shared.options.place_of(log) : std::nullopt;
  const bool named = place == owner.id || place == id;
  const bool mine = named ? place == id : index < owner.index;
  Directory& kept = mine ? *this : owner;
  Directory& given_up = mine ? owner : *this;
  const std::string name = shared.dir_name(kept.id);
  const std::string other = shared.dir_name(given_up.id);
  given_up.take_offline(
      {Errc::corrupt, name + " and " + other + " both hold the log " + known.folder() +
                          ": one is a copy of the other. " + name + " is used, as it " +
                          (named ? "is the one in the metadata" : "stands first in log.dirs") + "; take " +
                          other + " out of log.dirs"});
  for (Directory* each : {&given_up, given_up.twin}) {
    while (each != nullptr && !each->logs.empty()) forget_log(*each, *each->logs.begin()->second);
  }
  return mine;
}

void Directory::own(std::unique_ptr<LogState> log) {
  LogState& state = *log;
  const LogId log_id = state.identity.id;
  auto outside = std::make_unique<Log>(std::move(log));
  state.log = outside.get();
  logs.emplace(log_id, &state);
  const bool inserted = shared.registry.logs.emplace(log_id, std::move(outside)).second;
  CHECK(inserted);
  shared.registry.listed_valid = false;
}

void Directory::disown(LogState& log) {
  logs.erase(log.identity.id);
  const auto found = shared.registry.logs.find(log.identity.id);
  CHECK(found != shared.registry.logs.end());
  std::erase(shared.news.changed, found->second.get());
  shared.registry.removed.push_back(std::move(found->second));
  shared.registry.logs.erase(found);
  shared.registry.listed_valid = false;
}

LogState& Directory::stand_in(LogId log_id) {
  auto owned = std::make_unique<LogState>();
  LogState& log = *owned;
  log.dir = this;
  log.identity.id = log_id;
  log.identity.dir = id;
  log.removed = true;
  log.segments.emplace_back();
  shared.registry.removed.push_back(std::make_unique<Log>(std::move(owned)));
  log.log = shared.registry.removed.back().get();
  return log;
}

void Directory::set_dirty(LogState& log, Lsn lsn) {
  if (log.removed) return;
  if (!log.dirty) {
    log.dirty = lsn;
    dirty.emplace(lsn, log.identity.id);
  } else if (log.flushing && !log.dirty_after) {
    log.dirty_after = lsn;
  }
}

void Directory::clear_dirty(LogState& log) {
  if (!log.dirty) return;
  dirty.erase({*log.dirty, log.identity.id});
  log.dirty.reset();
}

FileHandle Directory::file_of(const LogState& log, Segment& segment, FileKind kind) {
  FileHandle& file = segment.files[static_cast<std::size_t>(kind)];
  if (file == 0) {
    file = shared.files.add(
        {.dir = id,
         .dir_index = index,
         .path = log.path(segment.base, kind),
         .use = segment.unfinished() || !segment.sealed ? Files::Use::write : Files::Use::read,
         .direct = kind == FileKind::records,
         .moving = log.compaction.step == CompactionStep::swapped && log.compaction.base == segment.base});
  }
  return file;
}

void Directory::forget_files(Segment& segment) {
  for (FileHandle& file : segment.files) {
    if (file != 0) shared.files.forget(file);
    file = 0;
  }
}

std::string Directory::name() const {
  return journal_name(shared.options.shard.value, soft);
}

DiskOp Directory::op(DiskOpKind kind, Part part, std::uint64_t detail) const {
  DiskOp op;
  op.kind = kind;
  op.token = make_token(part, index, detail);
  op.dir = id;
  return op;
}

}  // namespace tailwater::log
