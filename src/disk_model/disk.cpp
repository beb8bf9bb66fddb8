#include "disk_model/disk.hpp"

#include <algorithm>
#include <cstring>
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

std::uint64_t size_of(const DiskOp& op) {
  std::uint64_t size = 0;
  for (const Bytes piece : op.pieces) size += piece.size();
  return size;
}

}  // namespace

std::string Disk::full_path(DirId dir, const std::string& path) {
  return std::to_string(dir.value) + "/" + path;
}

std::uint64_t Disk::bytes() const {
  std::uint64_t total = 0;
  for (const auto& [path, file] : names_) total += file->size();
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

UserId Disk::enter() {
  users_[next_user_] = false;
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
  if (const auto at = users_.find(user); syncs && at != users_.end() && at->second)
    return done_with(op, fail(Errc::storage, "an earlier sync failed"));
  switch (op.kind) {
    case DiskOpKind::read:
    case DiskOpKind::write:
    case DiskOpKind::sync:
    case DiskOpKind::preallocate:
    case DiskOpKind::truncate:
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

void Disk::perform_in_part(UserId user, DiskOp& op) {
  op.durable = false;
  if (op.kind == DiskOpKind::read || op.kind == DiskOpKind::close || op.kind == DiskOpKind::sync ||
      op.kind == DiskOpKind::sync_all)
    return;
  if (op.kind == DiskOpKind::open) {
    const std::string path = full_path(op.dir, op.path);
    if (op.create && !names_.contains(path))
      change({Change::Kind::create, path, {}, std::make_shared<File>()}, false);
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
    for (const auto& [path, file] : names_) file->doom(sequence_);
    for (auto& [other, owed] : users_) owed = other != user;
  }
  return done_with(op, std::unexpected(std::move(error)));
}

// --- content

void Disk::write(Open& open, const DiskOp& op, bool durable) {
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
  if (durable) file.harden_range(op.at, size);
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
      write(open, op, op.durable);
      return done_with(op, size_of(op));
    case DiskOpKind::sync:
      file.harden(submitted);
      return done_with(op, 0);
    case DiskOpKind::preallocate:
      if (no_room) return done_with(op, fail(Errc::out_of_space, "there is no room"));
      file.allocated = std::max(file.allocated, op.at + op.size);
      if (op.extend && file.size() < op.at + op.size) file.resize(op.at + op.size, sequence_);
      return done_with(op, op.size);
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

DiskDone Disk::open_file(UserId user, const DiskOp& op) {
  const std::string path = full_path(op.dir, op.path);
  auto at = names_.find(path);
  if (at == names_.end()) {
    if (!op.create) return absent(op);
    if (no_room) return done_with(op, fail(Errc::out_of_space, "there is no room"));
    if (!folders_.contains(parent_of(path))) complain("a file in a folder that was never made: " + path);
    change({Change::Kind::create, path, {}, std::make_shared<File>()}, op.durable);
    at = names_.find(path);
  }
  if (op.exclusive) {
    if (at->second->locked) return done_with(op, fail(Errc::busy, op.path + " is in use by another process"));
    at->second->locked = true;
  }
  if (open_.contains({user, op.file})) complain("a file number that is in use");
  open_[{user, op.file}] = {at->second, path, op.dir, op.direct, op.exclusive};
  return done_with(op, at->second->size());
}

// --- names

void Disk::apply(Names& names, const Change& change) {
  if (change.kind == Change::Kind::create) {
    names[change.path] = change.file;
    return;
  }
  Names moved;
  for (auto at = names.lower_bound(change.path); at != names.end() && at->first.starts_with(change.path);) {
    if (!is_in(at->first, change.path)) {
      ++at;
      continue;
    }
    if (change.kind == Change::Kind::rename)
      moved[change.path2 + at->first.substr(change.path.size())] = at->second;
    at = names.erase(at);
  }
  for (auto& [path, file] : moved) names[path] = file;
}

void Disk::change(Change change, bool durable) {
  apply(names_, change);
  const std::string folder = parent_of(change.path);
  const std::string folder2 = change.path2.empty() ? folder : parent_of(change.path2);
  changes_.push_back(std::move(change));
  if (!durable) return;
  std::erase_if(changes_, [&](const Change& each) {
    const std::string here = parent_of(each.path);
    // A change of a folder above happened before, too.
    const bool above = is_in(folder, each.path) || is_in(folder2, each.path);
    if (here != folder && here != folder2 && !above) return false;
    apply(stable_names_, each);
    return true;
  });
}

DiskDone Disk::with_name(UserId user, DiskOp& op, Sequence submitted) {
  const std::string path = full_path(op.dir, op.path);
  switch (op.kind) {
    case DiskOpKind::open:
      return open_file(user, op);
    case DiskOpKind::create_folder:
      if (no_room && !folders_.contains(path))
        return done_with(op, fail(Errc::out_of_space, "there is no room"));
      folders_.insert(path);
      if (op.durable) stable_folders_.insert(path);
      return done_with(op, 0);
    case DiskOpKind::rename: {
      const std::string to = full_path(op.dir, op.path2);
      const auto first = names_.lower_bound(path);
      const bool any = folders_.contains(path) || (first != names_.end() && is_in(first->first, path));
      if (!any) return absent(op);
      if (!op.durable) complain("a rename that is not durable: " + path);
      if (folders_.erase(path) > 0) folders_.insert(to);
      if (stable_folders_.erase(path) > 0) stable_folders_.insert(to);
      change({Change::Kind::rename, path, to, nullptr}, op.durable);
      return done_with(op, 0);
    }
    case DiskOpKind::remove:
      folders_.erase(path);
      stable_folders_.erase(path);
      change({Change::Kind::remove, path, {}, nullptr}, op.durable);
      return done_with(op, 0);
    case DiskOpKind::replace:
      return replace(op);
    case DiskOpKind::load: {
      const auto at = names_.find(path);
      if (at == names_.end()) return absent(op);
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
DiskDone Disk::replace(DiskOp& op) {
  if (no_room) return done_with(op, fail(Errc::out_of_space, "there is no room"));
  auto file = std::make_shared<File>();
  const std::uint64_t size = op.content.size();
  file->write(0, op.content, sequence_);
  file->allocated = size;
  file->harden(sequence_);
  change({Change::Kind::create, full_path(op.dir, op.path), {}, std::move(file)}, true);
  return done_with(op, size);
}

DiskDone Disk::list(const DiskOp& op) const {
  const std::string folder = op.path.empty() ? full_path(op.dir, "") : full_path(op.dir, op.path) + "/";
  std::set<std::string> names;
  const auto note = [&](const std::string& path) {
    const std::string rest = path.substr(folder.size());
    names.insert(rest.substr(0, rest.find('/')));
  };
  for (auto at = names_.lower_bound(folder); at != names_.end() && at->first.starts_with(folder); ++at)
    note(at->first);
  for (auto at = folders_.lower_bound(folder); at != folders_.end() && at->starts_with(folder); ++at)
    note(*at);
  if (names.empty() && !op.path.empty() && !folders_.contains(full_path(op.dir, op.path))) return absent(op);
  DiskDone done = done_with(op, 0);
  done.names.assign(names.begin(), names.end());
  return done;
}

DiskDone Disk::sync_all(const DiskOp& op, Sequence submitted) {
  const std::string root = full_path(op.dir, "");
  for (const auto& [path, file] : names_) {
    if (path.starts_with(root)) file->harden(submitted);
  }
  std::erase_if(changes_, [&](const Change& each) {
    if (!each.path.starts_with(root)) return false;
    apply(stable_names_, each);
    return true;
  });
  for (const std::string& folder : folders_) {
    if (folder.starts_with(root)) stable_folders_.insert(folder);
  }
  return done_with(op, 0);
}

Losses Disk::lose(Prng& random) {
  CHECK(open_.empty());
  Losses losses;
  for (const Change& each : changes_) {
    if (random.one_in(2)) {
      apply(stable_names_, each);
    } else {
      ++losses.names;
    }
  }
  changes_.clear();
  names_ = stable_names_;
  std::erase_if(folders_, [&](const std::string& folder) {
    return !stable_folders_.contains(folder) && random.one_in(2);
  });
  for (const auto& [path, file] : names_) {
    file->lose(random, losses);
    for (std::string folder = parent_of(path); folder.find('/') != std::string::npos;
         folder = parent_of(folder))
      folders_.insert(folder);
  }
  return losses;
}

}  // namespace tailwater::disk_model
