#include "disk_model/disk.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <iterator>
#include <utility>

#include "base/check.hpp"

namespace tailwater::disk_model {

namespace {

DiskDone done_with(const DiskOp& op, Result<std::uint64_t> outcome) {
  DiskDone done;
  done.token = op.token;
  done.dir = op.dir;
  done.outcome = std::move(outcome);
  return done;
}

DiskDone absent(const DiskOp& op) {
  return done_with(op, fail(Errc::not_found, op.path + " does not exist"));
}

bool is_in(const std::string& path, const std::string& folder) {
  return path == folder ||
         (path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/');
}

std::string parent_of(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

// The other way round than Disk::full_path.
DirId dir_of(const std::string& path) {
  std::uint32_t dir = 0;
  std::from_chars(path.data(), path.data() + path.size(), dir);
  return DirId{dir};
}

std::shared_ptr<File> stable_file(Bytes content, Sequence now) {
  auto file = std::make_shared<File>();
  file->write(0, content, now);
  file->allocated = content.size();
  file->harden(now);
  return file;
}

// A name in it is longer than file systems take.
bool too_long(const std::string& path) {
  constexpr std::size_t kNameMax = 255;
  std::size_t length = 0;
  return std::ranges::any_of(path,
                             [&](char each) { return (length = each == '/' ? 0 : length + 1) > kNameMax; });
}

std::uint64_t size_of(const DiskOp& op) {
  std::uint64_t size = 0;
  for (const Bytes piece : op.pieces) size += piece.size();
  return size;
}

}  // namespace

Disk::Disk(const Disk& other)
    : no_room(other.no_room),
      durable_write_(other.durable_write_),
      open_(other.open_),
      tree_(other.tree_),
      stable_(other.stable_),
      changes_(other.changes_),
      next_user_(other.next_user_),
      users_(other.users_),
      sequence_(other.sequence_),
      complaints_(other.complaints_) {
  std::map<FilePtr, FilePtr> copies;
  const auto copy = [&](FilePtr& file) {
    if (file == nullptr) return;
    FilePtr& mine = copies[file];
    if (mine == nullptr) mine = std::make_shared<File>(*file);
    file = mine;
  };
  for (auto& [key, open] : open_) copy(open.file);
  for (Tree* tree : {&tree_, &stable_}) {
    for (auto& [path, file] : tree->files) copy(file);
  }
  for (Change& each : changes_) copy(each.file);
}

std::string Disk::full_path(DirId dir, const std::string& path) {
  return std::to_string(dir.value) + "/" + path;
}

std::uint64_t Disk::bytes() const {
  std::uint64_t total = 0;
  for (const auto& [path, file] : tree_.files) total += file->size();
  return total;
}

std::string Disk::path_of(UserId user, FileId file) const {
  const auto found = open_.find({user, file});
  return found == open_.end() ? std::string() : found->second.path;
}

File* Disk::find(UserId user, FileId file) {
  const auto found = open_.find({user, file});
  return found == open_.end() ? nullptr : found->second.file.get();
}

std::vector<std::string> Disk::open_without_name() const {
  std::set<File*> named;  // only asked for, never gone through
  for (const auto& [path, file] : tree_.files) named.insert(file.get());
  std::vector<std::string> paths;
  for (const auto& [key, open] : open_) {
    if (!named.contains(open.file.get())) paths.push_back(open.path);
  }
  return paths;
}

UserId Disk::enter() {
  users_[next_user_] = {};
  return next_user_++;
}

void Disk::leave(UserId user) {
  users_.erase(user);
  std::erase_if(open_, [&](const auto& entry) {
    if (entry.first.first != user) return false;
    unlock(entry.second);
    return true;
  });
}

void Disk::unlock(const Open& open) {
  if (open.exclusive) open.file->locked = false;
}

DiskDone Disk::perform(UserId user, DiskOp& op, Sequence submitted) {
  ++sequence_;
  const bool syncs = op.kind == DiskOpKind::sync || op.kind == DiskOpKind::sync_all;
  if (const auto at = users_.find(user); syncs && at != users_.end() && at->second.contains(op.dir))
    return done_with(op, fail(Errc::storage, "an earlier sync failed"));
  switch (op.kind) {
    case DiskOpKind::read:
    case DiskOpKind::write:
    case DiskOpKind::sync:
    case DiskOpKind::preallocate:
    case DiskOpKind::truncate:
    case DiskOpKind::zero:
    case DiskOpKind::close: {
      const auto found = open_.find({user, op.file});
      if (found != open_.end()) return with_file(user, found->second, op, submitted);
      complain("an operation on a file that is not open");
      return done_with(op, fail(Errc::storage, "not open"));
    }
    default:
      return with_name(user, op, submitted);
  }
}

void Disk::perform_in_part(UserId user, DiskOp& op, std::uint64_t cut) {
  op.durable = false;
  if (op.kind == DiskOpKind::read || op.kind == DiskOpKind::close || op.kind == DiskOpKind::sync ||
      op.kind == DiskOpKind::sync_all)
    return;
  ++sequence_;
  if (op.kind == DiskOpKind::open) {
    const std::string path = full_path(op.dir, op.path);
    if (op.create && !tree_.files.contains(path))
      change(Change::Kind::create, path, {}, std::make_shared<File>());
    return;
  }
  if (op.kind == DiskOpKind::replace) {
    change(Change::Kind::create, full_path(op.dir, op.path), {}, stable_file(op.content, sequence_));
    return;
  }
  const auto open = open_.find({user, op.file});
  if (op.kind == DiskOpKind::write && open != open_.end()) {
    std::uint64_t at = op.at;
    for (const Bytes piece : op.pieces) {
      const std::size_t first = std::min<std::uint64_t>(piece.size(), cut);
      open->second.file->write(at, piece.first(first), sequence_);
      open->second.file->write(at + first, piece.subspan(first), sequence_);
      cut -= first;
      at += piece.size();
    }
    return;
  }
  const std::size_t complaints = complaints_.size();
  perform(user, op, 0);
  complaints_.resize(complaints);
}

DiskDone Disk::refuse(UserId user, const DiskOp& op, Error error, Prng& random) {
  ++sequence_;
  const auto found = open_.find({user, op.file});
  if (found != open_.end() && op.kind == DiskOpKind::write) {
    std::uint64_t at = op.at;
    for (const Bytes piece : op.pieces) {
      for (std::size_t from = 0; from < piece.size(); from += kSector) {
        const Bytes sector = piece.subspan(from, std::min(kSector, piece.size() - from));
        if (random.one_in(2)) found->second.file->write(at + from, sector, sequence_);
      }
      at += piece.size();
    }
    // The page cache may take them for written.
    if (op.durable) found->second.file->doom(sequence_);
  }
  if (found != open_.end() && op.kind == DiskOpKind::sync) found->second.file->doom(sequence_);
  if (op.kind == DiskOpKind::sync_all) {
    const std::string folder = full_path(op.dir, "");
    for (const auto& [path, file] : tree_.files) {
      if (path.starts_with(folder)) file->doom(sequence_);
    }
    for (auto& [other, owed] : users_) {
      if (other != user) owed.insert(op.dir);
    }
  }
  return done_with(op, std::unexpected(std::move(error)));
}

// --- content

void Disk::write(Open& open, const DiskOp& op, Sequence submitted) {
  const std::uint64_t size = size_of(op);
  bool aligned = op.at % kDiskBlock == 0;
  for (const Bytes piece : op.pieces) {
    aligned = aligned && piece.size() % kDiskBlock == 0 &&
              reinterpret_cast<std::uintptr_t>(piece.data()) % kDiskBlock == 0;
  }
  if (open.direct && !aligned) complain("an unaligned write to " + open.path);
  if (!open.exclusive) complain("a write without a lock on " + open.path);
  File& file = *open.file;
  if (op.at + size > std::max(file.allocated, file.size()))
    complain("blocks that were not preallocated in " + open.path);
  std::uint64_t at = op.at;
  for (const Bytes piece : op.pieces) {
    file.write(at, piece, sequence_);
    at += piece.size();
  }
  if (!op.durable) return;
  if (durable_write_ == DurableWrite::whole_file) file.harden(submitted);
  file.harden_range(op.at, size);
}

// Of each sector on its own a power loss takes it back: more than a file system would.
DiskDone Disk::zero(Open& open, const DiskOp& op) {
  File& file = *open.file;
  if (!open.exclusive) complain("bytes zeroed without a lock on " + open.path);
  if (no_room && op.at + op.size > file.allocated)
    return done_with(op, fail(Errc::out_of_space, "there is no room"));
  file.write(op.at, Buffer(op.size), sequence_);
  file.allocated = std::max(file.allocated, op.at + op.size);
  return done_with(op, op.size);
}

DiskDone Disk::with_file(UserId user, Open& open, DiskOp& op, Sequence submitted) {
  File& file = *open.file;
  switch (op.kind) {
    case DiskOpKind::read: {
      const std::uint64_t from = std::min<std::uint64_t>(op.at, file.size());
      const std::size_t size = std::min<std::uint64_t>(op.memory.size(), file.size() - from);
      if (size > 0) std::memcpy(op.memory.data(), file.content().data() + from, size);
      return done_with(op, size);
    }
    case DiskOpKind::write:
      write(open, op, submitted);
      return done_with(op, size_of(op));
    case DiskOpKind::sync:
      file.harden(submitted);
      return done_with(op, 0);
    case DiskOpKind::preallocate:
      if (no_room) return done_with(op, fail(Errc::out_of_space, "there is no room"));
      file.allocated = std::max(file.allocated, op.at + op.size);
      if (op.extend && file.size() < op.at + op.size) file.resize(op.at + op.size, sequence_);
      return done_with(op, op.size);
    case DiskOpKind::zero:
      return zero(open, op);
    case DiskOpKind::truncate:
      if (!open.exclusive) complain("a truncation without a lock on " + open.path);
      file.resize(op.size, sequence_);
      file.allocated = std::min(file.allocated, (op.size + kDiskBlock - 1) / kDiskBlock * kDiskBlock);
      if (op.durable) file.harden(sequence_);
      return done_with(op, op.size);
    default: {
      unlock(open);
      open_.erase({user, op.file});
      return done_with(op, 0);
    }
  }
}

DiskDone Disk::open_file(UserId user, const DiskOp& op, Sequence submitted) {
  const std::string path = full_path(op.dir, op.path);
  auto at = tree_.files.find(path);
  if (at == tree_.files.end()) {
    if (!op.create) return absent(op);
    if (no_room) return done_with(op, fail(Errc::out_of_space, "there is no room"));
    if (!tree_.folders.contains(parent_of(path))) complain("a file in a folder that was never made: " + path);
    change(Change::Kind::create, path, {}, std::make_shared<File>());
    at = tree_.files.find(path);
  }
  if (op.durable) harden_names(path, path, submitted);
  if (op.exclusive) {
    if (at->second->locked) return done_with(op, fail(Errc::busy, op.path + " is in use by another process"));
    at->second->locked = true;
  }
  if (open_.contains({user, op.file})) complain("a file number that is in use");
  open_[{user, op.file}] = {at->second, path, op.dir, op.direct, op.exclusive};
  return done_with(op, at->second->size());
}

// --- names

void Disk::apply(Tree& tree, const Change& change) {
  switch (change.kind) {
    case Change::Kind::create:
      tree.files[change.path] = change.file;
      return;
    case Change::Kind::create_folder:
      tree.folders.insert(change.path);
      return;
    case Change::Kind::remove:
      tree.files.erase(change.path);
      tree.folders.erase(change.path);
      return;
    case Change::Kind::rename:
      break;
  }
  const auto renamed = [&](const std::string& path) {
    return change.path2 + path.substr(change.path.size());
  };
  std::map<std::string, FilePtr> files;
  for (auto& [path, file] : tree.files) {
    if (is_in(path, change.path)) files[renamed(path)] = file;
  }
  std::set<std::string> folders;
  for (const std::string& path : tree.folders) {
    if (is_in(path, change.path)) folders.insert(renamed(path));
  }
  std::erase_if(tree.files, [&](const auto& entry) { return is_in(entry.first, change.path); });
  std::erase_if(tree.folders, [&](const std::string& path) { return is_in(path, change.path); });
  for (auto& [path, file] : files) tree.files[path] = file;
  tree.folders.merge(folders);
}

void Disk::change(Change::Kind kind, const std::string& path, const std::string& path2, FilePtr file) {
  apply(tree_, changes_.emplace_back(Change{sequence_, kind, path, path2, std::move(file)}));
}

void Disk::harden_names(const std::string& path, const std::string& path2, Sequence submitted) {
  const std::string folder = parent_of(path);
  const std::string folder2 = parent_of(path2);
  std::erase_if(changes_, [&](const Change& each) {
    if (each.when != sequence_) {
      if (each.when > submitted) return false;
      // What was moved between two folders is stable when one of them is synced: else it would have no name at all.
      const bool moved = each.kind == Change::Kind::rename;
      const std::string here = parent_of(each.path);
      const std::string there = moved ? parent_of(each.path2) : here;
      // The names of the folders above, and of the folder that the operation is about, are synced as well.
      const bool above = is_in(path, each.path) || is_in(path2, each.path) ||
                         (!each.path2.empty() && is_in(path2, each.path2));
      const auto synced = [&](const std::string& one) { return one == folder || one == folder2; };
      if (!synced(here) && !synced(there) && !above) return false;
    }
    apply(stable_, each);
    return true;
  });
}

// With the folders above it; the log directory itself is always there.
void Disk::create_folders(const std::string& path) {
  for (std::size_t end = path.find('/'); end != std::string::npos;) {
    end = path.find('/', end + 1);
    const std::string folder = path.substr(0, end);
    if (!tree_.folders.contains(folder)) change(Change::Kind::create_folder, folder);
  }
}

void Disk::remove(const std::string& path) {
  std::vector<std::string> names;
  for (auto at = tree_.folders.lower_bound(path); at != tree_.folders.end() && at->starts_with(path); ++at) {
    if (is_in(*at, path)) names.push_back(*at);
  }
  for (auto at = tree_.files.lower_bound(path); at != tree_.files.end() && at->first.starts_with(path);
       ++at) {
    if (is_in(at->first, path)) names.push_back(at->first);
  }
  // Files before the folders that they are in.
  for (auto name = names.rbegin(); name != names.rend(); ++name) change(Change::Kind::remove, *name);
}

DiskDone Disk::with_name(UserId user, DiskOp& op, Sequence submitted) {
  if (too_long(op.path) || too_long(op.path2))
    return done_with(op, fail(Errc::storage, "file name too long: " + op.path));
  const std::string path = full_path(op.dir, op.path);
  switch (op.kind) {
    case DiskOpKind::open:
      return open_file(user, op, submitted);
    case DiskOpKind::create_folder:
      if (no_room && !tree_.folders.contains(path))
        return done_with(op, fail(Errc::out_of_space, "there is no room"));
      create_folders(path);
      if (op.durable) harden_names(path, path, submitted);
      return done_with(op, 0);
    case DiskOpKind::rename: {
      const std::string to = full_path(op.dir, op.path2);
      if (!tree_.folders.contains(path) && !tree_.files.contains(path)) return absent(op);
      if (!op.durable) complain("a rename that is not durable: " + path);
      if (const auto file = tree_.files.find(path); file != tree_.files.end()) {
        const std::string aside = full_path(op.dir, std::string(kSetAside));
        if (is_in(path, aside) && !is_in(to, aside) && !file->second->blank())
          complain("old bytes may be there under a new name: " + to);
      }
      change(Change::Kind::rename, path, to);
      if (op.durable) harden_names(path, to, submitted);
      return done_with(op, 0);
    }
    case DiskOpKind::remove:
      remove(path);
      if (op.durable) harden_names(path, path, submitted);
      return done_with(op, 0);
    case DiskOpKind::replace:
      return replace(op, submitted);
    case DiskOpKind::load: {
      const auto at = tree_.files.find(path);
      if (at == tree_.files.end()) return absent(op);
      DiskDone done = done_with(op, at->second->size());
      done.content = at->second->content();
      return done;
    }
    case DiskOpKind::sync_all:
      return sync_all(op, submitted);
    default:
      return list(op);
  }
}

// Without an answer to wait for, the new content may be there under the old name or not at all, but whole.
DiskDone Disk::replace(DiskOp& op, Sequence submitted) {
  if (no_room) return done_with(op, fail(Errc::out_of_space, "there is no room"));
  const std::string path = full_path(op.dir, op.path);
  change(Change::Kind::create, path, {}, stable_file(op.content, sequence_));
  harden_names(path, path, submitted);
  return done_with(op, op.content.size());
}

DiskDone Disk::list(const DiskOp& op) const {
  const std::string folder = op.path.empty() ? full_path(op.dir, "") : full_path(op.dir, op.path) + "/";
  std::set<std::string> names;
  const auto note = [&](const std::string& path) {
    const std::string rest = path.substr(folder.size());
    names.insert(rest.substr(0, rest.find('/')));
  };
  for (auto at = tree_.files.lower_bound(folder); at != tree_.files.end() && at->first.starts_with(folder);
       ++at)
    note(at->first);
  for (auto at = tree_.folders.lower_bound(folder); at != tree_.folders.end() && at->starts_with(folder);
       ++at)
    note(*at);
  if (names.empty() && !op.path.empty() && !tree_.folders.contains(full_path(op.dir, op.path)))
    return absent(op);
  DiskDone done = done_with(op, 0);
  done.names.assign(names.begin(), names.end());
  return done;
}

DiskDone Disk::sync_all(const DiskOp& op, Sequence submitted) {
  const std::string root = full_path(op.dir, "");
  for (const auto& [path, file] : tree_.files) {
    if (path.starts_with(root)) file->harden(submitted);
  }
  std::erase_if(changes_, [&](const Change& each) {
    if (!each.path.starts_with(root) || each.when > submitted) return false;
    apply(stable_, each);
    return true;
  });
  return done_with(op, 0);
}

// --- power loss

std::vector<Disk::Found> Disk::all_files() const {
  std::vector<Found> files;
  std::set<File*> seen;  // only asked for, never gone through
  const auto add = [&](const std::string& path, const FilePtr& file) {
    if (file != nullptr && seen.insert(file.get()).second) files.push_back({file, dir_of(path)});
  };
  for (const auto& [path, file] : stable_.files) add(path, file);
  for (const Change& each : changes_) add(each.path, each.file);
  return files;
}

std::vector<Unsettled> Disk::unsettled() const {
  std::vector<Unsettled> all;
  for (const Change& each : changes_) all.push_back({each.when, Unsettled::Kind::name, dir_of(each.path)});
  for (const Found& each : all_files()) {
    const std::size_t before = all.size();
    each.file->list(all);
    for (std::size_t index = before; index < all.size(); ++index) all[index].dir = each.dir;
  }
  return all;
}

void Disk::settle(const std::vector<bool>& kept) {
  CHECK(open_.empty());
  const std::vector<Found> files = all_files();
  auto at = kept.begin();
  for (const Change& each : std::exchange(changes_, {})) {
    if (*at++) apply(stable_, each);
  }
  for (const Found& each : files) each.file->settle(at);
  CHECK(at == kept.end());
  // Nothing is found without the folder that it is in. Folders come before what is in them.
  const auto lost = [&](const std::string& path) {
    const std::string folder = parent_of(path);
    return folder.find('/') != std::string::npos && !stable_.folders.contains(folder);
  };
  std::erase_if(stable_.folders, lost);
  std::erase_if(stable_.files, [&](const auto& entry) { return lost(entry.first); });
  tree_ = stable_;
}

Losses Disk::lose(Prng& random) {
  Losses losses;
  settle(keep_by_chance(unsettled(), random, losses));
  return losses;
}

}  // namespace tailwater::disk_model
