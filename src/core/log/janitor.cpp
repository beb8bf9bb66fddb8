#include "core/log/janitor.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/check.hpp"
#include "core/log/directory.hpp"

namespace tailwater::log {

namespace {

std::string hex(std::uint64_t number) {
  char digits[16];
  const auto end = std::to_chars(digits, digits + sizeof digits, number, 16).ptr;
  std::string text(16 - static_cast<std::size_t>(end - digits), '0');
  return text.append(digits, end);
}

// Of a token's detail: which one it is about; above, which of its spares.
constexpr int kIndexBits = 24;

// The most that a file system takes.
constexpr std::size_t kNameMax = 255;

// The name that Kafka gives a folder that is to be deleted, with our own unique number for its random one. Of a
// topic's name it has no more than fits, as Kafka does.
std::string doomed_name(const std::string& folder, LogId log) {
  const std::size_t dash = std::min(folder.rfind('-'), folder.size());
  const std::string behind = folder.substr(dash) + "." + hex(log.value) + hex(~log.value) + "-delete";
  return folder.substr(0, std::min(dash, kNameMax - behind.size())) + behind;
}

// The last two are there for Kafka's tools only, and not always: see producer_snapshot.hpp.
constexpr std::string_view kSuffixes[] = {".log", ".index", ".timeindex", ".snapshot", ".txnindex"};

// A segment's files share all but their suffix.
std::string stem(const LogState& log, Offset base) {
  std::string path = log.path(base, FileKind::records);
  path.resize(path.size() - kSuffixes[0].size());
  return path;
}

std::optional<Offset> base_of(const std::string& stem) {
  const std::size_t slash = stem.rfind('/');
  const std::size_t begin = slash == std::string::npos ? 0 : slash + 1;
  std::int64_t base = 0;
  const auto parsed = std::from_chars(stem.data() + begin, stem.data() + stem.size(), base);
  if (parsed.ec != std::errc{} || parsed.ptr != stem.data() + stem.size()) return std::nullopt;
  return Offset{base};
}

}  // namespace

void Janitor::doom_folder(LogState& log) {
  Doomed doomed;
  doomed.path = {log.identity.id, true, false, log.folder(), doomed_name(log.folder(), log.identity.id)};
  doomed.log = &log;
  ++log.references;
  doomed.number = dir_.journal.last_number();
  doomed.restored = !dir_.online();
  // Nobody reads what nobody was served since the start.
  if (!doomed.restored && log.configured) doomed.delay = Duration::from_ms(log.config.file_delete_delay_ms);
  for (const Segment& segment : log.segments) {
    if (segment.exists && dir_.pool().takes(file_bytes(segment)))
      doomed.spares.push_back({segment_name(segment.base, FileKind::records), {}, file_bytes(segment)});
  }
  ++names_[doomed.path.path];
  doomed_.push_back(std::move(doomed));
}

void Janitor::doom_files(LogState& log, Segment& segment, Duration delay) {
  Doomed doomed;
  doomed.path = {log.identity.id, false, false, stem(log, segment.base), {}};
  doomed.log = &log;
  ++log.references;
  doomed.base = segment.base;
  // A replayed entry is durable; the running broker pushes the entry right after this.
  if (dir_.online()) doomed.number = dir_.journal.last_number() + 1;
  doomed.spares.push_back({log.path(segment.base, FileKind::records), {}, file_bytes(segment)});
  doomed.delay = delay;
  doomed_.push_back(std::move(doomed));
}

void Janitor::restore(DoomedPath path) {
  Doomed doomed;
  doomed.path = std::move(path);
  // Earlier versions noted down names that no folder can get.
  if (doomed.path.folder && doomed.path.new_path.size() > kNameMax)
    doomed.path.new_path = doomed_name(doomed.path.path, doomed.path.log);
  if (!doomed.path.folder) {
    const std::optional<Offset> base = base_of(doomed.path.path);
    const auto log = dir_.logs.find(doomed.path.log);
    if (!base || log == dir_.logs.end()) return;
    doomed.base = *base;
    doomed.log = log->second;
  } else if (doomed.path.renamed) {
    doomed.phase = Phase::note;
  } else {
    doomed.restored = true;
    doomed.log = &dir_.stand_in(doomed.path.log);
    ++names_[doomed.path.path];
  }
  if (doomed.log != nullptr) ++doomed.log->references;
  doomed_.push_back(std::move(doomed));
}

void Janitor::restore_renamed(LogId log) {
  for (Doomed& doomed : doomed_) {
    if (!doomed.path.folder || doomed.path.renamed || doomed.path.log != log) continue;
    doomed.path.renamed = true;
    doomed.phase = Phase::note;
    release_name(doomed);
    release_log(doomed);
  }
}

// The twin's removed logs have their folders in the same place.
bool Janitor::occupies(const LogState& log) const {
  if (!names_.empty() && names_.contains(log.folder())) return true;
  if (dir_.twin == nullptr) return false;
  const auto& names = dir_.twin->janitor.names_;
  return !names.empty() && names.contains(log.folder());
}

void Janitor::want(const LogState& log) {
  if (dir_.twin != nullptr && !names_.contains(log.folder()) &&
      dir_.twin->janitor.names_.contains(log.folder()))
    return dir_.twin->janitor.want(log);
  if (wanted_.insert(log.folder()).second) next_due_ = dir_.now.monotonic;
}

std::vector<DoomedPath> Janitor::describe() const {
  std::vector<DoomedPath> paths;
  for (const Doomed& doomed : doomed_) {
    if (doomed.phase != Phase::over) paths.push_back(doomed.path);
  }
  return paths;
}

void Janitor::release_name(const Doomed& doomed) {
  const auto name = names_.find(doomed.path.path);
  CHECK(name != names_.end());
  if (--name->second == 0) names_.erase(name);
}

void Janitor::release_log(Doomed& doomed) {
  if (doomed.log != nullptr) --doomed.log->references;
  doomed.log = nullptr;
}

void Janitor::turn() {
  next_due_ = Instant::max();
  if (doomed_.empty()) return;
  for (std::size_t index = 0; index < doomed_.size(); ++index) step(index);
  if (in_flight_ == 0)
    std::erase_if(doomed_, [](const Doomed& doomed) { return doomed.phase == Phase::over; });
}

// Whether its log is about to do something with what has to go. A flush that finds no room may take for ever: it must
// not keep other segments, whose room it may want.
bool Janitor::uses(const Doomed& doomed) {
  const LogState& log = *doomed.log;
  return log.loading_head || (doomed.path.folder ? log.uses_files() : log.uses_files_of(doomed.base));
}

void Janitor::step(std::size_t index) {
  Doomed& doomed = doomed_[index];
  if (doomed.phase == Phase::entry) {
    const bool busy = doomed.log != nullptr && (uses(doomed) || !doomed.log->held.empty());
    // Entries that a log held back while its head was read have come into the queue by now, if it is no
    // longer busy.
    if (!busy && doomed.busy) doomed.number = std::max(doomed.number, dir_.journal.last_number());
    doomed.busy = busy;
    if (busy || dir_.journal.durable_number() < doomed.number) return;
    if (doomed.due > dir_.now.monotonic) {
      next_due_ = std::min(next_due_, doomed.due);
      return;
    }
    if (doomed.path.folder) {
      // What is still on its way to a file in it would make that anew, or come upon one of the next log of this
      // name.
      if (doomed.log->removals > 0 || doomed.log->file_uses > 0) return;
      if (dir_.stopping && !wanted_.contains(doomed.path.path)) return;
      send(index, doomed.restored ? DiskOpKind::list : DiskOpKind::rename,
           doomed.restored ? Phase::look : Phase::rename);
      return;
    }
    doomed.phase = Phase::wait;
    doomed.due = dir_.now.monotonic + doomed.delay;
  }
  if (doomed.phase == Phase::note && dir_.journal.durable_number() >= doomed.number) {
    doomed.phase = Phase::wait;
    doomed.due = dir_.now.monotonic + doomed.delay;
  }
  // The next run removes what a clean stop leaves.
  if (doomed.phase != Phase::wait || dir_.stopping) return;
  if (doomed.due <= dir_.now.monotonic) {
    dispose(index);
  } else {
    next_due_ = std::min(next_due_, doomed.due);
  }
}

void Janitor::send(std::size_t index, DiskOpKind kind, Phase phase) {
  Doomed& doomed = doomed_[index];
  doomed.phase = phase;
  doomed.outstanding = 1;
  ++in_flight_;
  DiskOp op = dir_.op(kind, Part::janitor, index);
  op.path = kind == DiskOpKind::rename ? doomed.path.path : doomed.path.new_path;
  op.path2 = doomed.path.new_path;
  op.durable = true;
  dir_.shared.outbox.push_back(std::move(op));
}

// The folder has its new name for good, the old one is free.
void Janitor::renamed(Doomed& doomed) {
  doomed.path.renamed = true;
  doomed.phase = Phase::note;
  dir_.journal.push(*doomed.log, {.kind = journal::EntryKind::remove, .argument = kFolderRenamed});
  doomed.number = dir_.journal.last_number();
  release_name(doomed);
  release_log(doomed);
}

void Janitor::dispose(std::size_t index) {
  Doomed& doomed = doomed_[index];
  if (!doomed.path.folder) {
    // The log may have gone, or may have come to the same base offset again.
    if (doomed.log->removed || doomed.log->segment_at(doomed.base) != nullptr) {
      release_log(doomed);
      doomed.phase = Phase::over;
      return;
    }
    if (uses(doomed)) return;
    ++doomed.log->removals;
  }
  if (!empty(index)) remove(index);
}

// One file after the other has to fit.
bool Janitor::empty(std::size_t index) {
  Doomed& doomed = doomed_[index];
  for (std::size_t each = 0; each < doomed.spares.size(); ++each) {
    Spare& spare = doomed.spares[each];
    if (!dir_.pool().takes(spare.bytes)) continue;
    spare.new_path = dir_.pool().admit(spare.bytes);
    DiskOp op = dir_.op(DiskOpKind::rename, Part::janitor, (each + 1) << kIndexBits | index);
    op.path = doomed.path.folder ? doomed.path.new_path + "/" + spare.path : spare.path;
    op.path2 = spare.new_path;
    op.durable = true;
    ++doomed.outstanding;
    dir_.shared.outbox.push_back(std::move(op));
  }
  if (doomed.outstanding == 0) return false;
  doomed.phase = Phase::emptying;
  ++in_flight_;
  return true;
}

void Janitor::remove(std::size_t index) {
  Doomed& doomed = doomed_[index];
  doomed.phase = Phase::removing;
  const std::string& path = doomed.path.folder ? doomed.path.new_path : doomed.path.path;
  const std::size_t files = doomed.path.folder ? 1 : std::size(kSuffixes);
  doomed.outstanding = static_cast<std::uint32_t>(files);
  ++in_flight_;
  for (std::size_t file = 0; file < files; ++file) {
    DiskOp op = dir_.op(DiskOpKind::remove, Part::janitor, index);
    op.path = path;
    // Nobody remembers the folder afterwards: it must not come back.
    op.durable = doomed.path.folder;
    if (!doomed.path.folder) op.path += kSuffixes[file];
    dir_.shared.outbox.push_back(std::move(op));
  }
}

void Janitor::completed(const DiskDone& done) {
  const std::size_t index = detail_of(done.token) & ((std::size_t{1} << kIndexBits) - 1);
  Doomed& doomed = doomed_[index];
  const bool last = --doomed.outstanding == 0;
  if (last) --in_flight_;
  if (!dir_.online()) return;
  const bool absent = !done.outcome && done.outcome.error().code == Errc::not_found;
  if (doomed.phase == Phase::emptying) {
    const std::size_t spare = (detail_of(done.token) >> kIndexBits) - 1;
    dir_.pool().admitted(doomed.spares[spare].new_path, done.outcome.has_value());
    // What did not get there is removed with the rest.
    if (!absent && !found_no_room(done) && dir_.check(done)) return;
    if (last) remove(index);
    return;
  }
  // A longer name may need a block of the directory, as a new folder does, and a look a descriptor.
  if (doomed.phase != Phase::removing && found_no_room(done)) {
    doomed.phase = Phase::entry;
    doomed.due = dir_.room_retry_at();
    return;
  }
  if (found_no_room(done)) {
    doomed.again = true;
  } else if (!absent && dir_.check(done)) {
    return;
  }
  if (!last) return;
  switch (doomed.phase) {
    case Phase::look:
      // A rename that its process did not live to see the end of is there, but a power loss might still undo it.
      if (absent) {
        send(index, DiskOpKind::rename, Phase::rename);
      } else {
        send(index, DiskOpKind::create_folder, Phase::mark);
      }
      return;
    case Phase::rename:
      // The log was never flushed. An empty folder says so to a start that does not find the note.
      if (absent) {
        send(index, DiskOpKind::create_folder, Phase::mark);
      } else {
        renamed(doomed);
      }
      return;
    case Phase::mark:
      renamed(doomed);
      return;
    case Phase::removing:
      if (!doomed.path.folder) --doomed.log->removals;
      if (std::exchange(doomed.again, false)) {
        doomed.phase = Phase::wait;
        doomed.due = dir_.now.monotonic + dir_.shared.options.full_retry_interval;
        return;
      }
      release_log(doomed);
      doomed.phase = Phase::over;
      return;
    case Phase::entry:
    case Phase::note:
    case Phase::wait:
    case Phase::emptying:
    case Phase::over:
      return;
  }
}

Instant Janitor::next_deadline() const {
  return next_due_;
}

}  // namespace tailwater::log
