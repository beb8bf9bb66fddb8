#include "power/file_system.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

#include "base/prng.hpp"

namespace tailwater::power {
namespace {

timespec now() {
  timespec time{};
  ::clock_gettime(CLOCK_REALTIME, &time);
  return time;
}

bool is_or_is_above(const NodePtr& node, NodePtr folder) {
  for (; folder != nullptr; folder = folder->parent.lock()) {
    if (folder == node) return true;
  }
  return false;
}

// The names of the folder and of all below it are what is stable of them.
void forget_unstable(const NodePtr& folder) {
  folder->names = folder->stable;
  for (const auto& [name, node] : folder->names) {
    node->parent = folder;
    if (node->is_folder()) forget_unstable(node);
  }
}

void lose_content(const NodePtr& folder, Prng& random, disk_model::Losses& losses) {
  for (const auto& [name, node] : folder->names) {
    if (node->is_folder()) {
      lose_content(node, random, losses);
    } else {
      node->file.lose(random, losses);
    }
  }
}

}  // namespace

FileSystem::FileSystem() : root_(std::make_shared<Node>()) {
  root_->number = next_number_++;
  root_->mode = S_IFDIR | 0755;
  root_->changed = now();
}

// --- names

NodePtr FileSystem::find(std::string_view path) const {
  NodePtr node = root_;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view name = path.substr(0, end);
    path.remove_prefix(std::min(end + 1, path.size()));
    if (name.empty()) continue;
    const auto found = node->names.find(name);
    if (found == node->names.end()) return nullptr;
    node = found->second;
  }
  return node;
}

FileSystem::Place FileSystem::place_of(std::string_view path) const {
  const std::size_t slash = path.rfind('/');
  Place place{find(path.substr(0, slash)), std::string(path.substr(slash + 1))};
  if (place.folder != nullptr && !place.folder->is_folder()) place.folder = nullptr;
  return place;
}

int FileSystem::look(std::string_view path, const Handle* handle, struct stat& status) {
  const std::scoped_lock lock(mutex_);
  if (handle != nullptr ? !works(*handle) : !powered_) return -EIO;
  const NodePtr node = handle != nullptr ? handle->node : find(path);
  if (node == nullptr) return -ENOENT;
  status = {};
  status.st_ino = node->number;
  status.st_mode = node->mode;
  status.st_nlink = node->is_folder() ? 2 : 1;
  status.st_size = static_cast<off_t>(node->file.size());
  status.st_blocks = static_cast<blkcnt_t>(std::max(node->file.allocated, node->file.size()) / 512);
  status.st_blksize = 4096;
  status.st_atim = status.st_mtim = status.st_ctim = node->changed;
  return 0;
}

int FileSystem::list(const Handle& handle, const std::function<void(const std::string&)>& each) {
  const std::scoped_lock lock(mutex_);
  if (!works(handle)) return -EIO;
  for (const auto& [name, child] : handle.node->names) each(name);
  return 0;
}

NodePtr FileSystem::add(const Place& place, mode_t mode) {
  auto node = std::make_shared<Node>();
  node->number = next_number_++;
  node->mode = mode;
  node->changed = now();
  change({.node = node, .from = nullptr, .from_name = {}, .to = place.folder, .to_name = place.name});
  return node;
}

int FileSystem::make_folder(std::string_view path, mode_t mode) {
  const std::scoped_lock lock(mutex_);
  if (!powered_) return -EIO;
  const Place place = place_of(path);
  if (place.folder == nullptr) return -ENOENT;
  if (place.folder->names.contains(place.name)) return -EEXIST;
  add(place, S_IFDIR | (mode & 07777));
  return 0;
}

int FileSystem::create(std::string_view path, mode_t mode, bool must_be_new, Handle& handle) {
  const std::scoped_lock lock(mutex_);
  if (!powered_) return -EIO;
  const Place place = place_of(path);
  if (place.folder == nullptr) return -ENOENT;
  NodePtr node = find(path);
  if (node != nullptr && must_be_new) return -EEXIST;
  if (node != nullptr && node->is_folder()) return -EISDIR;
  if (node == nullptr) node = add(place, S_IFREG | (mode & 07777));
  handle = {std::move(node), life_};
  return 0;
}

int FileSystem::open(std::string_view path, bool folder, Handle& handle) {
  const std::scoped_lock lock(mutex_);
  if (!powered_) return -EIO;
  NodePtr node = find(path);
  if (node == nullptr) return -ENOENT;
  if (folder && !node->is_folder()) return -ENOTDIR;
  handle = {std::move(node), life_};
  return 0;
}

int FileSystem::remove(std::string_view path, bool folder) {
  const std::scoped_lock lock(mutex_);
  if (!powered_) return -EIO;
  const Place place = place_of(path);
  const NodePtr node = find(path);
  if (node == nullptr || place.folder == nullptr) return -ENOENT;
  if (node->is_folder() != folder) return folder ? -ENOTDIR : -EISDIR;
  if (!node->names.empty()) return -ENOTEMPTY;
  change({.node = node, .from = place.folder, .from_name = place.name, .to = nullptr, .to_name = {}});
  return 0;
}

int FileSystem::rename(std::string_view from, std::string_view to, bool may_replace) {
  const std::scoped_lock lock(mutex_);
  if (!powered_) return -EIO;
  const NodePtr node = find(from);
  const NodePtr replaced = find(to);
  const Place source = place_of(from);
  const Place target = place_of(to);
  if (node == nullptr || target.folder == nullptr) return -ENOENT;
  if (is_or_is_above(node, target.folder)) return -EINVAL;
  if (replaced != nullptr) {
    if (!may_replace) return -EEXIST;
    if (replaced == node) return 0;
    if (replaced->is_folder() != node->is_folder()) return node->is_folder() ? -ENOTDIR : -EISDIR;
    if (!replaced->names.empty()) return -ENOTEMPTY;
  }
  change({.node = node,
          .from = source.folder,
          .from_name = source.name,
          .to = target.folder,
          .to_name = target.name});
  return 0;
}

int FileSystem::set_mode(std::string_view path, mode_t mode) {
  const std::scoped_lock lock(mutex_);
  if (!powered_) return -EIO;
  const NodePtr node = find(path);
  if (node == nullptr) return -ENOENT;
  node->mode = (node->mode & S_IFMT) | (mode & 07777);
  return 0;
}

void FileSystem::change(Change change) {
  const timespec time = now();
  if (change.from != nullptr) {
    change.from->names.erase(change.from_name);
    change.from->changed = time;
  }
  if (change.to != nullptr) {
    change.to->names[change.to_name] = change.node;
    change.to->changed = time;
    change.node->parent = change.to;
  }
  changes_.push_back(std::move(change));
}

// What is renamed or removed must be there: if its creation was taken back, so is this.
void FileSystem::make_stable(const Change& change) {
  if (change.from != nullptr) {
    const auto found = change.from->stable.find(change.from_name);
    if (found == change.from->stable.end() || found->second != change.node) return;
    change.from->stable.erase(found);
  }
  if (change.to != nullptr) change.to->stable[change.to_name] = change.node;
}

void FileSystem::harden_names(const NodePtr& folder) {
  std::erase_if(changes_, [&](const Change& change) {
    if (change.from != folder && change.to != folder && !is_or_is_above(change.node, folder)) return false;
    make_stable(change);
    return true;
  });
}

// --- content

int FileSystem::read(const Handle& handle, std::uint64_t at, MutableBytes memory) {
  const std::scoped_lock lock(mutex_);
  if (!works(handle)) return -EIO;
  const Buffer& content = handle.node->file.content();
  if (at >= content.size()) return 0;
  const std::size_t size = std::min<std::size_t>(memory.size(), content.size() - at);
  std::memcpy(memory.data(), content.data() + at, size);
  return static_cast<int>(size);
}

int FileSystem::write(const Handle& handle, std::uint64_t at, Bytes bytes, bool durable) {
  const std::scoped_lock lock(mutex_);
  if (!works(handle)) return -EIO;
  disk_model::File& file = handle.node->file;
  file.write(at, bytes, ++sequence_);
  file.allocated = std::max(file.allocated, file.size());
  if (durable) {
    file.harden_range(at, bytes.size());
    ++durable_writes_;
  }
  handle.node->changed = now();
  return static_cast<int>(bytes.size());
}

int FileSystem::truncate(std::string_view path, const Handle* handle, std::uint64_t size) {
  const std::scoped_lock lock(mutex_);
  if (handle != nullptr ? !works(*handle) : !powered_) return -EIO;
  const NodePtr node = handle != nullptr ? handle->node : find(path);
  if (node == nullptr) return -ENOENT;
  if (node->is_folder()) return -EISDIR;
  if (size != node->file.size()) node->file.resize(size, ++sequence_);
  node->file.allocated = size;
  node->changed = now();
  return 0;
}

int FileSystem::allocate(const Handle& handle, std::uint64_t end, bool extend) {
  const std::scoped_lock lock(mutex_);
  if (!works(handle)) return -EIO;
  disk_model::File& file = handle.node->file;
  file.allocated = std::max(file.allocated, end);
  if (extend && file.size() < end) file.resize(end, ++sequence_);
  return 0;
}

disk_model::Sequence FileSystem::moment() {
  const std::scoped_lock lock(mutex_);
  return sequence_;
}

int FileSystem::sync(const Handle& handle, disk_model::Sequence until) {
  const std::scoped_lock lock(mutex_);
  if (!works(handle)) return -EIO;
  ++syncs_;
  if (handle.node->is_folder()) {
    harden_names(handle.node);
  } else {
    handle.node->file.harden(until);
  }
  return 0;
}

// --- power

disk_model::Losses FileSystem::cut(std::uint64_t seed, const std::function<void()>& at_that_moment) {
  const std::scoped_lock lock(mutex_);
  powered_ = false;
  ++life_;
  at_that_moment();
  Prng random(seed);
  disk_model::Losses losses;
  for (const Change& change : changes_) {
    if (random.one_in(2)) {
      make_stable(change);
    } else {
      ++losses.names;
    }
  }
  changes_.clear();
  forget_unstable(root_);
  lose_content(root_, random, losses);
  return losses;
}

void FileSystem::power_on() {
  const std::scoped_lock lock(mutex_);
  powered_ = true;
}

}  // namespace tailwater::power
