#include "sim/disk.hpp"

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include "base/check.hpp"

namespace tailwater::sim {

namespace {

constexpr Duration kWriteTimeMax = Duration::from_us(400);
constexpr Duration kReadTimeMax = Duration::from_us(300);
constexpr Duration kStructureTimeMax = Duration::from_us(2'000);

DiskDone done_with(const DiskOp& op, Result<std::uint64_t> outcome) {
  DiskDone done;
  done.token = op.token;
  done.dir = op.dir;
  done.outcome = std::move(outcome);
  return done;
}

}  // namespace

std::string Disk::path_of(DirId dir, const std::string& path) {
  return std::to_string(dir.value) + "/" + path;
}

std::uint64_t Disk::enter(Done done) {
  const std::uint64_t id = next_user_++;
  users_.emplace(id, User{std::move(done), {}});
  return id;
}

void Disk::leave(std::uint64_t user) {
  const auto at = users_.find(user);
  CHECK(at != users_.end());
  for (const auto& [id, file] : at->second.open) {
    if (file->locked_by == user) file->locked_by = 0;
  }
  users_.erase(at);
}

void Disk::submit(std::uint64_t user, DiskOp op) {
  CHECK(users_.contains(user));
  ++operations_;
  digest_.add(static_cast<std::uint64_t>(op.kind));
  digest_.add(op.path);
  digest_.add(op.at);
  digest_.add(op.size);
  for (const Bytes piece : op.pieces) digest_.add(piece);
  digest_.add(Bytes(op.content));
  const Duration bound = op.kind == DiskOpKind::write  ? kWriteTimeMax
                         : op.kind == DiskOpKind::read ? kReadTimeMax
                                                       : kStructureTimeMax;
  auto done = std::make_shared<DiskDone>(carry_out(user, op));
  const auto finish = [this, user, done] {
    const auto at = users_.find(user);
    if (at != users_.end()) at->second.done(std::move(*done));
  };
  if (op.kind == DiskOpKind::write && write_time_ > Duration{}) {
    agenda_.after(write_time_, finish);
  } else {
    agenda_.soon(bound, finish);
  }
}

DiskDone Disk::carry_out(std::uint64_t user_id, DiskOp& op) {
  User& user = users_.at(user_id);
  switch (op.kind) {
    case DiskOpKind::read: {
      const File& file = *user.open.at(op.file);
      const std::size_t from = std::min<std::size_t>(op.at, file.content.size());
      const std::size_t size = std::min(op.memory.size(), file.content.size() - from);
      if (size > 0) std::memcpy(op.memory.data(), file.content.data() + from, size);
      return done_with(op, size);
    }
    case DiskOpKind::write: {
      Buffer& content = user.open.at(op.file)->content;
      std::size_t at = op.at;
      for (const Bytes piece : op.pieces) {
        if (content.size() < at + piece.size()) content.resize(at + piece.size());
        std::memcpy(content.data() + at, piece.data(), piece.size());
        at += piece.size();
      }
      return done_with(op, at - op.at);
    }
    case DiskOpKind::preallocate: {
      Buffer& content = user.open.at(op.file)->content;
      if (op.extend && content.size() < op.at + op.size) content.resize(op.at + op.size);
      return done_with(op, op.size);
    }
    case DiskOpKind::truncate:
      user.open.at(op.file)->content.resize(op.size);
      return done_with(op, op.size);
    case DiskOpKind::sync:
    case DiskOpKind::sync_all:
      return done_with(op, 0);
    default:
      return structural(user_id, user, op);
  }
}

DiskDone Disk::structural(std::uint64_t user_id, User& user, DiskOp& op) {
  const std::string path = path_of(op.dir, op.path);
  switch (op.kind) {
    case DiskOpKind::open:
      return open_file(user_id, user, op);
    case DiskOpKind::close: {
      const auto at = user.open.find(op.file);
      CHECK(at != user.open.end());
      if (at->second->locked_by == user_id) at->second->locked_by = 0;
      user.open.erase(at);
      return done_with(op, 0);
    }
    case DiskOpKind::rename: {
      const bool any =
          files_.contains(path) || files_.lower_bound(path + "/") != files_.lower_bound(path + "0");
      if (!any) return done_with(op, fail(Errc::not_found, "there is no " + op.path));
      rename(path, path_of(op.dir, op.path2));
      return done_with(op, 0);
    }
    case DiskOpKind::remove:
      remove(path);
      return done_with(op, 0);
    case DiskOpKind::replace: {
      auto file = std::make_shared<File>();
      file->content = std::move(op.content);
      const std::size_t size = file->content.size();
      files_[path] = std::move(file);
      return done_with(op, size);
    }
    case DiskOpKind::load: {
      const auto at = files_.find(path);
      if (at == files_.end()) return done_with(op, fail(Errc::not_found, "there is no " + op.path));
      DiskDone done = done_with(op, at->second->content.size());
      done.content = at->second->content;
      return done;
    }
    case DiskOpKind::list: {
      DiskDone done = done_with(op, 0);
      const std::string folder = op.path.empty() ? path : path + "/";
      std::set<std::string> names;
      for (auto at = files_.lower_bound(folder); at != files_.end() && at->first.starts_with(folder); ++at) {
        const std::string rest = at->first.substr(folder.size());
        names.insert(rest.substr(0, rest.find('/')));
      }
      done.names.assign(names.begin(), names.end());
      return done;
    }
    default:
      return done_with(op, 0);  // create_folder: folders exist as far as files are in them
  }
}

DiskDone Disk::open_file(std::uint64_t user_id, User& user, const DiskOp& op) {
  const std::string path = path_of(op.dir, op.path);
  auto at = files_.find(path);
  if (at == files_.end()) {
    if (!op.create) return done_with(op, fail(Errc::not_found, "there is no " + op.path));
    at = files_.emplace(path, std::make_shared<File>()).first;
  }
  const std::shared_ptr<File>& file = at->second;
  if (op.exclusive && file->locked_by != 0 && file->locked_by != user_id) {
    return done_with(op, fail(Errc::busy, op.path + " is in use by another broker"));
  }
  if (op.exclusive) file->locked_by = user_id;
  user.open[op.file] = file;
  return done_with(op, file->content.size());
}

void Disk::rename(const std::string& from, const std::string& to) {
  std::map<std::string, std::shared_ptr<File>> moved;
  for (auto at = files_.lower_bound(from); at != files_.end() && at->first.starts_with(from);) {
    const bool inside = at->first.size() == from.size() || at->first[from.size()] == '/';
    if (!inside) {
      ++at;
      continue;
    }
    moved[to + at->first.substr(from.size())] = at->second;
    at = files_.erase(at);
  }
  for (auto& [path, file] : moved) files_[path] = file;
}

void Disk::remove(const std::string& path) {
  for (auto at = files_.lower_bound(path); at != files_.end() && at->first.starts_with(path);) {
    const bool inside = at->first.size() == path.size() || at->first[path.size()] == '/';
    at = inside ? files_.erase(at) : std::next(at);
  }
}

std::uint64_t Disk::bytes() const {
  std::uint64_t total = 0;
  for (const auto& [path, file] : files_) total += file->content.size();
  return total;
}

}  // namespace tailwater::sim
