#include "apps/log/rehearsal.hpp"

#include <poll.h>

#include <algorithm>
#include <random>
#include <utility>

#include "shell/net/clock.hpp"
#include "shell/system/boot_id.hpp"

namespace tailwater::apps::logtools {

namespace {

constexpr std::int64_t kLookMs = 500;
constexpr std::int64_t kNeverMs = std::int64_t{1} << 40;

log::StorageOptions storage_options(const std::string& journal, bool soft_ring) {
  log::StorageOptions options;
  options.shard = ShardId{static_cast<std::uint32_t>(std::stoul(journal))};
  options.os_ring = soft_ring;
  options.dirs = {DirId{0}};
  options.seed = std::random_device{}();
  options.boot_id = shell::boot_id();
  // Nothing goes but what a start has to take away: the topics' settings are not known here.
  options.retention_interval = Duration::from_ms(kNeverMs);
  options.producer_expiration_ms = kNeverMs;
  return options;
}

int wait_ms(Instant until) {
  const std::int64_t left = (until.nanoseconds - shell::read_clocks().monotonic.nanoseconds) / 1'000'000;
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, kLookMs));
}

}  // namespace

Result<Drained> drain(const std::string& journal, bool soft_ring, const Carry& carry) {
  log::Storage storage(storage_options(journal, soft_ring));
  const bool soft = journal.ends_with("-os");
  log::DiskEffects effects;
  storage.start(shell::read_clocks(), effects);
  bool stopping = false;
  std::size_t in_flight = 0;
  while (true) {
    const log::DirReport& report = storage.report(DirId{0});
    if (report.state == log::DirState::offline && in_flight == 0) return std::unexpected(report.failure);
    if (!stopping && storage.recovered()) {
      storage.stop();
      stopping = true;
    }
    if (stopping && storage.stopped() && in_flight == 0 && report.state == log::DirState::stopped)
      return Drained{storage.describe(DirId{0}, soft), storage.report(DirId{0}, soft)};
    storage.clear_news();
    storage.take_faults();
    storage.turn(shell::read_clocks(), effects);
    in_flight += effects.size();
    const bool again = !stopping && storage.recovered();
    for (DiskDone& done : carry(std::exchange(effects, {}), again ? Instant{} : storage.next_deadline())) {
      --in_flight;
      storage.completed(std::move(done), shell::read_clocks());
    }
  }
}

// --- RealDisk

namespace {

shell::DiskOptions disk_options(const shell::LogDirectory& directory) {
  shell::DiskOptions options;
  options.engine = shell::choose_engine().kind;
  options.roots.push_back(directory.root());
  return options;
}

}  // namespace

RealDisk::RealDisk(const shell::LogDirectory& directory) : disk_(disk_options(directory)) {}

RealDisk::~RealDisk() {
  std::vector<DiskDone> rest;
  disk_.drain(rest);
}

std::vector<DiskDone> RealDisk::carry(log::DiskEffects&& effects, Instant until) {
  if (!effects.empty()) disk_.submit(std::move(effects));
  std::vector<DiskDone> done;
  disk_.wait(wait_ms(until));
  disk_.poll(done);
  return done;
}

// --- RehearsalDisk

bool RehearsalDisk::is_hidden(const std::string& path) const {
  for (std::size_t end = path.find('/'); end != std::string::npos; end = path.find('/', end + 1)) {
    if (hidden_.contains(path.substr(0, end))) return true;
  }
  return hidden_.contains(path);
}

RehearsalDisk::FilePtr RehearsalDisk::find(const std::string& path) {
  const auto known = files_.find(path);
  if (known != files_.end()) return known->second;
  if (is_hidden(path)) return nullptr;
  const auto bytes = real_.size(path);
  if (!bytes) return nullptr;
  auto file = std::make_shared<File>(File{path, *bytes, *bytes, {}});
  files_[path] = file;
  return file;
}

RehearsalDisk::FilePtr RehearsalDisk::make(const std::string& path) {
  return files_[path] = std::make_shared<File>();
}

Result<std::size_t> RehearsalDisk::read(File& file, std::uint64_t at, MutableBytes out) {
  if (at >= file.size) return std::size_t{0};
  out = out.first(std::min<std::uint64_t>(out.size(), file.size - at));
  std::fill(out.begin(), out.end(), std::byte{0});
  if (!file.origin.empty() && at < file.origin_size) {
    const auto got =
        real_.read(file.origin, at, out.first(std::min<std::uint64_t>(out.size(), file.origin_size - at)));
    if (!got) return got;
  }
  for (auto each = file.blocks.lower_bound(at / kDiskBlock); each != file.blocks.end(); ++each) {
    const std::uint64_t begin = each->first * kDiskBlock;
    if (begin >= at + out.size()) break;
    const std::uint64_t from = std::max(begin, at);
    const std::uint64_t to = std::min(begin + kDiskBlock, at + out.size());
    std::copy_n(each->second.begin() + static_cast<std::ptrdiff_t>(from - begin), to - from,
                out.begin() + static_cast<std::ptrdiff_t>(from - at));
  }
  return out.size();
}

Result<void> RehearsalDisk::write(File& file, std::uint64_t at, Bytes bytes) {
  if (at + bytes.size() > file.size) resize(file, at + bytes.size());
  while (!bytes.empty()) {
    const std::uint64_t number = at / kDiskBlock;
    const std::uint64_t offset = at % kDiskBlock;
    const std::size_t count = std::min<std::size_t>(bytes.size(), kDiskBlock - offset);
    auto block = file.blocks.find(number);
    if (block == file.blocks.end()) {
      Buffer content(kDiskBlock);
      if (count < kDiskBlock) {
        if (const auto got = read(file, number * kDiskBlock, content); !got)
          return std::unexpected(got.error());
      }
      block = file.blocks.emplace(number, std::move(content)).first;
    }
    std::copy_n(bytes.begin(), count, block->second.begin() + static_cast<std::ptrdiff_t>(offset));
    bytes = bytes.subspan(count);
    at += count;
  }
  return {};
}

void RehearsalDisk::resize(File& file, std::uint64_t size) {
  if (size < file.size) {
    file.origin_size = std::min(file.origin_size, size);
    file.blocks.erase(file.blocks.lower_bound((size + kDiskBlock - 1) / kDiskBlock), file.blocks.end());
    const auto last = file.blocks.find(size / kDiskBlock);
    if (last != file.blocks.end()) {
      std::fill(last->second.begin() + static_cast<std::ptrdiff_t>(size % kDiskBlock), last->second.end(),
                std::byte{0});
    }
  }
  file.size = size;
}

std::optional<std::uint64_t> RehearsalDisk::size(const std::string& path) {
  const FilePtr file = find(path);
  if (!file) return std::nullopt;
  return file->size;
}

Result<std::size_t> RehearsalDisk::read(const std::string& path, std::uint64_t at, MutableBytes out) {
  const FilePtr file = find(path);
  if (!file) return fail(Errc::not_found, path + " does not exist");
  return read(*file, at, out);
}

std::vector<std::string> RehearsalDisk::names(const std::string& folder) {
  std::set<std::string> found;
  if (!is_hidden(folder)) {
    for (std::string name : real_.list(folder)) {
      if (name.ends_with('/')) name.pop_back();
      if (!is_hidden(folder + "/" + name)) found.insert(std::move(name));
    }
  }
  for (const auto& [path, file] : files_) {
    if (path.starts_with(folder + "/")) found.insert(path.substr(folder.size() + 1));
  }
  return {found.begin(), found.end()};
}

bool RehearsalDisk::folder_exists(const std::string& path) {
  return folders_.contains(path) || !names(path).empty();
}

void RehearsalDisk::remove(const std::string& path) {
  hidden_.insert(path);
  folders_.erase(path);
  std::erase_if(files_,
                [&](const auto& each) { return each.first == path || each.first.starts_with(path + "/"); });
}

Result<void> RehearsalDisk::rename(const std::string& from, const std::string& to) {
  std::map<std::string, FilePtr> moved;
  if (const FilePtr file = find(from)) {
    moved[to] = file;
  } else if (folder_exists(from)) {
    for (const std::string& name : names(from)) {
      if (const FilePtr inner = find(from + "/" + name)) moved[to + "/" + name] = inner;
    }
    folders_.insert(to);
  } else {
    return fail(Errc::not_found, from + " does not exist");
  }
  remove(from);
  for (auto& [path, file] : moved) files_[path] = file;
  return {};
}

std::vector<DiskDone> RehearsalDisk::carry(log::DiskEffects&& effects, Instant until) {
  if (effects.empty()) ::poll(nullptr, 0, wait_ms(until));
  std::vector<DiskDone> all;
  for (DiskOp& op : effects) {
    DiskDone done;
    done.token = op.token;
    done.dir = op.dir;
    perform(op, done);
    all.push_back(std::move(done));
  }
  return all;
}

void RehearsalDisk::perform(DiskOp& op, DiskDone& done) {
  const auto opened = open_.find(op.file.value);
  const auto take = [&](Result<void> result) {
    if (!result) done.outcome = std::unexpected(result.error());
  };
  switch (op.kind) {
    case DiskOpKind::open: {
      FilePtr file = find(op.path);
      if (!file && !op.create) {
        done.outcome = fail(Errc::not_found, op.path + " does not exist");
        return;
      }
      if (!file) file = make(op.path);
      open_[op.file.value] = file;
      done.outcome = file->size;
      return;
    }
    case DiskOpKind::close:
      open_.erase(op.file.value);
      return;
    case DiskOpKind::read: {
      const auto got = read(*opened->second, op.at, op.memory);
      if (got) {
        done.outcome = *got;
      } else {
        done.outcome = std::unexpected(got.error());
      }
      return;
    }
    case DiskOpKind::write:
      for (const Bytes piece : op.pieces) {
        take(write(*opened->second, op.at, piece));
        op.at += piece.size();
      }
      return;
    case DiskOpKind::truncate:
      resize(*opened->second, op.size);
      return;
    case DiskOpKind::zero:
      done.outcome = fail(Errc::unsupported, "not in memory");
      return;
    case DiskOpKind::preallocate:
      if (op.extend && opened->second->size < op.at + op.size) resize(*opened->second, op.at + op.size);
      return;
    case DiskOpKind::sync:
    case DiskOpKind::sync_all:
      return;
    case DiskOpKind::create_folder:
      folders_.insert(op.path);
      return;
    case DiskOpKind::rename:
      take(rename(op.path, op.path2));
      return;
    case DiskOpKind::remove:
      remove(op.path);
      return;
    case DiskOpKind::replace:
      take(write(*make(op.path), 0, op.content));
      return;
    case DiskOpKind::load:
      if (find(op.path)) {
        auto content = load(op.path);
        if (content) {
          done.content = std::move(*content);
          done.outcome = done.content.size();
        } else {
          done.outcome = std::unexpected(content.error());
        }
      } else {
        done.outcome = fail(Errc::not_found, op.path + " does not exist");
      }
      return;
    case DiskOpKind::list:
      if (folder_exists(op.path)) {
        done.names = names(op.path);
      } else {
        done.outcome = fail(Errc::not_found, op.path + " does not exist");
      }
      return;
  }
}

}  // namespace tailwater::apps::logtools
