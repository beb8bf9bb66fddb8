#include "shell/disk/file_table.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace tailwater::shell {
namespace {

constexpr int kLookedAtMax = 16;

// "b/x" for "a/x" below "a" that is now "b"; false if the path is not below.
bool move_below(std::string& path, const std::string& from, const std::string& to) {
  if (!path.starts_with(from)) return false;
  if (path.size() != from.size() && path[from.size()] != '/') return false;
  path = to + path.substr(from.size());
  return true;
}

bool is_below(const std::string& path, const std::string& folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

}  // namespace

std::string path_key(DirId dir, const std::string& path) {
  return std::to_string(dir.value) + "/" + path.substr(0, path.find('/'));
}

bool FileSlot::has_write_before(std::uint64_t number) const {
  return std::ranges::any_of(writes, [number](std::uint64_t write) { return write < number; });
}

FileSlot* FileTable::find(FileId file) {
  const auto found = slots_.find(file);
  return found == slots_.end() ? nullptr : found->second.get();
}

FileSlot& FileTable::add(FileId file, DirId dir, std::string path) {
  auto slot = std::make_unique<FileSlot>();
  slot->file = file;
  slot->dir = dir;
  slot->path = std::move(path);
  by_key_[path_key(dir, slot->path)].push_back(slot.get());
  const auto [added, is_new] = slots_.emplace(file, std::move(slot));
  CHECK(is_new);
  return *added->second;
}

void FileTable::erase(FileSlot& slot) {
  CHECK(!slot.descriptor);
  const auto same_key = by_key_.find(path_key(slot.dir, slot.path));
  CHECK(same_key != by_key_.end());
  std::erase(same_key->second, &slot);
  if (same_key->second.empty()) by_key_.erase(same_key);
  slots_.erase(slot.file);
}

void FileTable::opened(FileSlot& slot, Descriptor descriptor) {
  CHECK(!slot.descriptor);
  slot.descriptor = std::move(descriptor);
  ++descriptors_;
  if (slot.exclusive || slot.nameless) return;
  slot.used = used_.insert(used_.end(), &slot);
  slot.listed = true;
}

Descriptor FileTable::take(FileSlot& slot) {
  if (!slot.descriptor) return {};
  --descriptors_;
  if (slot.listed) used_.erase(slot.used);
  slot.listed = false;
  return std::move(slot.descriptor);
}

void FileTable::touch(FileSlot& slot) {
  if (slot.listed) used_.splice(used_.end(), used_, slot.used);
}

FileSlot* FileTable::least_used() {
  for (int i = 0; i < kLookedAtMax && !used_.empty(); ++i) {
    FileSlot& slot = *used_.front();
    const bool idle = slot.state == FileSlot::State::open && slot.active == 0 && slot.waiting.empty();
    // A descriptor with unsynced writes is where the kernel reports their failure: it must not be closed
    // before.
    if (idle && slot.last_unsynced_write == 0 && slot.failure.empty()) return &slot;
    touch(slot);
  }
  return nullptr;
}

void FileTable::renamed(DirId dir, const std::string& from, const std::string& to) {
  const std::string key = path_key(dir, from);
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return;
  std::vector<FileSlot*> moved;
  std::erase_if(found->second, [&](FileSlot* slot) {
    if (slot->nameless || !move_below(slot->path, from, to)) return false;
    moved.push_back(slot);
    return true;
  });
  if (found->second.empty()) by_key_.erase(found);
  if (moved.empty()) return;
  auto& target = by_key_[path_key(dir, to)];
  target.insert(target.end(), moved.begin(), moved.end());
}

void FileTable::unnamed(DirId dir, const std::string& path) {
  const auto found = by_key_.find(path_key(dir, path));
  if (found == by_key_.end()) return;
  for (FileSlot* slot : found->second) {
    if (!is_below(slot->path, path)) continue;
    slot->nameless = true;
    if (slot->listed) used_.erase(slot->used);
    slot->listed = false;
  }
}

std::vector<FileSlot*> FileTable::unsynced(DirId dir) const {
  std::vector<FileSlot*> found;
  for (const auto& [file, slot] : slots_) {
    const bool open = slot->state == FileSlot::State::open && slot->dir == dir;
    if (open && slot->last_unsynced_write != 0) found.push_back(slot.get());
  }
  return found;
}

void FileTable::synced(DirId dir, std::uint64_t number) {
  for (auto& [file, slot] : slots_) {
    if (slot->dir == dir && slot->writes.empty() && slot->unsynced_ended <= number)
      slot->last_unsynced_write = 0;
  }
}

bool FileTable::has_open(DirId dir, const std::string& path) const {
  const auto found = by_key_.find(path_key(dir, path));
  if (found == by_key_.end()) return false;
  return std::ranges::any_of(found->second, [&](const FileSlot* slot) {
    return static_cast<bool>(slot->descriptor) && is_below(slot->path, path);
  });
}

}  // namespace tailwater::shell
