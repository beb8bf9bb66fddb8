// A disk for tests: files in memory that know what of them is on stable storage. Operations are carried out
// in random order; a crash keeps what is stable, and of everything else a random part of its sectors. It
// complains (complaints()) about misuse: unaligned direct writes, memory that changed under a write, blocks
// written without preallocation, old bytes under a new name.
//   names    created, renamed and removed names are stable after `durable` or sync_all; a crash keeps or
//            loses each other
//   content  writes are stable after `durable`, or when a sync that was submitted after them is done
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "base/crc32c.hpp"
#include "base/disk.hpp"
#include "base/prng.hpp"

namespace tailwater::log {

class TestDisk {
 public:
  explicit TestDisk(std::uint64_t seed) : random_(seed) {}

  static constexpr std::size_t kSector = 512;

  void submit(std::vector<DiskOp>& ops) {
    for (DiskOp& op : ops) {
      Queued queued{std::move(op), ++sequence_, 0};
      queued.crc = checksum(queued.op);
      queue_.push_back(std::move(queued));
      ++submitted_;
    }
    ops.clear();
  }
  bool idle() const { return queue_.empty(); }
  std::size_t queued() const { return queue_.size(); }
  std::uint64_t submitted() const { return submitted_; }

  // Carries out one operation: a random one, or the oldest.
  DiskDone step() {
    const std::size_t at = choose();
    Queued queued = std::move(queue_[at]);
    queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(at));
    if (queued.crc != checksum(queued.op)) complain("memory of a write changed while it was in flight");
    DiskDone done;
    done.token = queued.op.token;
    done.dir = queued.op.dir;
    ++performed_;
    if (fails(queued.op)) {
      done.outcome = fail(failing_code, "input/output error");
    } else if (too_long(queued.op.path) || too_long(queued.op.path2)) {
      done.outcome = fail(Errc::storage, "file name too long");
    } else {
      perform(queued, done);
    }
    return done;
  }

  // Power loss: what is queued may have landed in part; nothing is open any more.
  void crash() {
    for (Queued& queued : queue_) {
      if (queued.op.kind == DiskOpKind::write && random_.one_in(2)) {
        if (Inode* inode = open_inode(queued.op.file)) note_write(*inode, queued.op, UINT64_MAX);
      }
    }
    queue_.clear();
    open_.clear();
    locked_.clear();
    lose_names();
    for (auto& inode : inodes_) {
      settle_randomly(*inode);
      inode->pending.clear();
      inode->content = inode->stable;
    }
    names_ = stable_names_;
    folders_ = stable_folders_;
  }
  // The process dies, the machine stays: everything that was carried out is kept, queued writes land or do
  // not, and what was being removed may be gone without that being stable.
  void kill() {
    for (Queued& queued : queue_) {
      if (queued.op.kind == DiskOpKind::remove && random_.one_in(2))
        remove_all(names_, folders_, queued.op.path);
      if (queued.op.kind == DiskOpKind::write && random_.one_in(2)) {
        if (Inode* inode = open_inode(queued.op.file)) note_write(*inode, queued.op, ++sequence_);
      }
    }
    queue_.clear();
    open_.clear();
    locked_.clear();
  }

  // --- faults
  bool in_order = false;
  bool no_room = false;         // preallocating, creating and replacing find no room
  bool no_descriptors = false;  // nothing can be opened, neither a file nor a folder
  bool can_zero = true;         // else zeroing is unsupported
  bool can_reserve = true;      // else files grow by what is preallocated
  std::string failing;          // operations on paths with this in them fail
  DiskOpKind failing_kind = DiskOpKind::write;
  Errc failing_code = Errc::storage;
  std::string slow;           // what looks for paths with this in them comes behind everything else
  bool torn_by_byte = false;  // a write in flight may be cut anywhere, not only between sectors

  // --- looks
  const std::vector<std::string>& complaints() const { return complaints_; }
  bool exists(const std::string& path) const { return names_.contains(path); }
  Buffer& content(const std::string& path) { return names_.at(path)->content; }
  void set_content(const std::string& path, Buffer bytes) {
    Inode& inode = *names_.at(path);
    inode.content = inode.stable = std::move(bytes);
    inode.pending.clear();
  }
  // A file that somebody brought, for good.
  void put(const std::string& path, Buffer bytes) {
    harden_name(path, &create(path));
    folders_.insert(stable_folders_.begin(), stable_folders_.end());
    set_content(path, std::move(bytes));
  }
  void lose(const std::string& path) {
    names_.erase(path);
    stable_names_.erase(path);
  }
  std::vector<std::string> paths() const {
    std::vector<std::string> all;
    for (const auto& [path, inode] : names_) all.push_back(path);
    return all;
  }
  std::size_t files_open() const { return open_.size(); }
  // Files that were closed after a write and before a sync, so that nobody would be told of its failure.
  std::size_t closed_unsynced = 0;
  std::uint64_t bytes_written = 0;
  std::size_t slow_queued() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(queue_, [this](const Queued& queued) { return is_slow(queued.op); }));
  }
  // Writes of this file that are on their way.
  std::size_t writes_queued(const std::string& path) const {
    return static_cast<std::size_t>(std::ranges::count_if(queue_, [&](const Queued& queued) {
      const auto file = open_.find(queued.op.file.value);
      return queued.op.kind == DiskOpKind::write && file != open_.end() && file->second.path == path;
    }));
  }

 private:
  struct Write {
    std::uint64_t at = 0;
    Buffer bytes;
    std::uint64_t sequence = 0;
    bool truncate = false;  // to size `at`
  };
  struct Inode {
    Buffer content;
    Buffer stable;
    std::vector<Write> pending;
    std::uint64_t allocated = 0;
  };
  struct Open {
    Inode* inode = nullptr;
    std::string path;
    bool direct = false;
    bool exclusive = false;
    bool unsynced = false;
  };
  struct Queued {
    DiskOp op;
    std::uint64_t sequence = 0;
    std::uint32_t crc = 0;
  };

  static std::uint32_t checksum(const DiskOp& op) {
    std::uint32_t crc = 0;
    if (op.kind == DiskOpKind::write) {
      for (const Bytes piece : op.pieces) crc = crc32c(piece, crc);
    }
    return crc;
  }
  void complain(std::string text) { complaints_.push_back(std::move(text)); }
  Inode* open_inode(FileId file) {
    const auto found = open_.find(file.value);
    return found == open_.end() ? nullptr : found->second.inode;
  }
  bool fails(const DiskOp& op) {
    if (failing.empty() || op.kind != failing_kind) return false;
    const auto found = open_.find(op.file.value);
    const std::string& path = !op.path.empty() || found == open_.end() ? op.path : found->second.path;
    return path.find(failing) != std::string::npos;
  }

  // A name in it is longer than file systems take.
  static bool too_long(const std::string& path) {
    std::size_t length = 0;
    return std::ranges::any_of(path,
                               [&](char each) { return (length = each == '/' ? 0 : length + 1) > 255; });
  }

  // Of those in the queue: what is slow only if there is nothing else.
  std::size_t choose() {
    const std::size_t others = queue_.size() - slow_queued();
    const std::size_t all = others > 0 ? others : queue_.size();
    std::size_t chosen = in_order ? 0 : static_cast<std::size_t>(random_.below(all));
    for (std::size_t at = 0; others > 0 && at <= chosen; ++at) {
      if (is_slow(queue_[at].op)) ++chosen;
    }
    return chosen;
  }
  bool is_slow(const DiskOp& op) const { return !slow.empty() && op.path.find(slow) != std::string::npos; }

  Inode& create(const std::string& path) {
    inodes_.push_back(std::make_unique<Inode>());
    names_[path] = inodes_.back().get();
    return *inodes_.back();
  }
  static void apply(Buffer& to, const Write& write) {
    if (write.truncate) {
      to.resize(write.at);
      return;
    }
    if (to.size() < write.at + write.bytes.size()) to.resize(write.at + write.bytes.size());
    std::copy(write.bytes.begin(), write.bytes.end(), to.begin() + static_cast<std::ptrdiff_t>(write.at));
  }
  void note_write(Inode& inode, const DiskOp& op, std::uint64_t sequence) {
    Write write{op.at, {}, sequence, false};
    for (const Bytes piece : op.pieces) write.bytes.insert(write.bytes.end(), piece.begin(), piece.end());
    bytes_written += write.bytes.size();
    apply(inode.content, write);
    inode.pending.push_back(std::move(write));
  }
  // What was carried out before `sequence` is on stable storage.
  static void harden(Inode& inode, std::uint64_t sequence) {
    std::erase_if(inode.pending, [&](const Write& write) {
      if (write.sequence > sequence) return false;
      apply(inode.stable, write);
      return true;
    });
  }
  void settle_randomly(Inode& inode) {
    for (const Write& write : inode.pending) {
      if (write.truncate) {
        if (random_.one_in(2)) apply(inode.stable, write);
        continue;
      }
      const std::uint64_t mode = random_.below(4);
      if (mode == 0) continue;
      const std::size_t cut =
          torn_by_byte ? static_cast<std::size_t>(random_.below(write.bytes.size() + 1)) : write.bytes.size();
      for (std::size_t from = 0; from < write.bytes.size(); from += kSector) {
        if (mode > 1 && random_.one_in(mode)) continue;
        const std::size_t to =
            std::min({write.bytes.size(), from + kSector, mode == 3 ? std::max(cut, from) : SIZE_MAX});
        Write part{write.at + from,
                   Buffer(write.bytes.begin() + static_cast<std::ptrdiff_t>(from),
                          write.bytes.begin() + static_cast<std::ptrdiff_t>(to)),
                   0, false};
        if (!part.bytes.empty()) apply(inode.stable, part);
      }
    }
  }
  // With the folder that it lies in.
  void harden_name(const std::string& path, Inode* inode) {
    const std::size_t slash = path.rfind('/');
    if (slash != std::string::npos) stable_folders_.insert(path.substr(0, slash));
    stable_names_[path] = inode;
  }
  void lose_names() {
    std::set<std::string> differing;
    for (const auto& [path, inode] : names_) {
      if (!stable_names_.contains(path) || stable_names_.at(path) != inode) differing.insert(path);
    }
    for (const auto& [path, inode] : stable_names_) {
      if (!names_.contains(path)) differing.insert(path);
    }
    for (const std::string& path : differing) {
      if (random_.one_in(2)) continue;
      if (names_.contains(path)) {
        harden_name(path, names_.at(path));
      } else {
        stable_names_.erase(path);
      }
    }
  }

  // And would be so after a crash.
  bool blank(const std::string& path) const {
    const Inode& inode = *names_.at(path);
    const auto zero = [](std::byte byte) { return byte == std::byte{0}; };
    return inode.pending.empty() && std::all_of(inode.stable.begin(), inode.stable.end(), zero);
  }
  static bool inside(const std::string& path, const std::string& folder) {
    return path.starts_with(folder + "/");
  }
  void rename_all(std::map<std::string, Inode*>& names, std::set<std::string>& folders, const DiskOp& op) {
    std::map<std::string, Inode*> moved;
    for (auto at = names.begin(); at != names.end();) {
      if (at->first == op.path || inside(at->first, op.path)) {
        moved[op.path2 + at->first.substr(op.path.size())] = at->second;
        at = names.erase(at);
      } else {
        ++at;
      }
    }
    for (const auto& [path, inode] : moved) names[path] = inode;
    if (folders.erase(op.path) > 0) folders.insert(op.path2);
  }
  void remove_all(std::map<std::string, Inode*>& names, std::set<std::string>& folders,
                  const std::string& path) {
    std::erase_if(names, [&](const auto& entry) { return entry.first == path || inside(entry.first, path); });
    folders.erase(path);
  }

  // The folder is synced: whoever removed something of it, and when.
  void harden_removals(const std::string& path) {
    remove_all(stable_names_, stable_folders_, path);
    const std::string folder = path.substr(0, path.rfind('/') + 1);
    std::erase_if(stable_names_, [&](const auto& each) {
      return each.first.starts_with(folder) && each.first.find('/', folder.size()) == std::string::npos &&
             !names_.contains(each.first);
    });
  }

  void perform(Queued& queued, DiskDone& done);
  void perform_open(const DiskOp& op, DiskDone& done);
  void perform_write(const Queued& queued, Open& file, DiskDone& done);

  Prng random_;
  std::vector<Queued> queue_;
  std::uint64_t sequence_ = 0;
  std::uint64_t submitted_ = 0;
  std::uint64_t performed_ = 0;
  std::vector<std::unique_ptr<Inode>> inodes_;
  std::map<std::string, Inode*> names_;
  std::map<std::string, Inode*> stable_names_;
  std::set<std::string> folders_;
  std::set<std::string> stable_folders_;
  std::map<std::uint64_t, Open> open_;
  std::set<std::string> locked_;
  std::vector<std::string> complaints_;
};

inline void TestDisk::perform_open(const DiskOp& op, DiskDone& done) {
  if (!names_.contains(op.path)) {
    if (!op.create) {
      done.outcome = fail(Errc::not_found, op.path + " does not exist");
      return;
    }
    if (no_room) {
      done.outcome = fail(Errc::out_of_space, "no room");
      return;
    }
    const std::size_t slash = op.path.rfind('/');
    if (slash != std::string::npos && !folders_.contains(op.path.substr(0, slash))) {
      complain("a file in a folder that does not exist: " + op.path);
    }
    create(op.path);
  }
  if (op.durable) harden_name(op.path, names_.at(op.path));
  if (op.exclusive && !locked_.insert(op.path).second) {
    done.outcome = fail(Errc::busy, op.path + " is in use by another process");
    return;
  }
  if (open_.contains(op.file.value)) complain("a file number that is in use");
  Inode* inode = names_.at(op.path);
  open_[op.file.value] = {inode, op.path, op.direct, op.exclusive};
  done.outcome = inode->content.size();
}

inline void TestDisk::perform_write(const Queued& queued, Open& file, DiskDone& done) {
  const DiskOp& op = queued.op;
  std::uint64_t size = 0;
  for (const Bytes piece : op.pieces) {
    size += piece.size();
    const bool aligned =
        piece.size() % kDiskBlock == 0 && reinterpret_cast<std::uintptr_t>(piece.data()) % kDiskBlock == 0;
    if (file.direct && !aligned) complain("an unaligned piece for " + file.path);
  }
  if (file.direct && op.at % kDiskBlock != 0) complain("an unaligned position in " + file.path);
  if (op.at + size > std::max<std::uint64_t>(file.inode->allocated, file.inode->content.size())) {
    complain("blocks that were not preallocated in " + file.path);
  }
  if (!file.exclusive) complain("a write without a lock on " + file.path);
  note_write(*file.inode, op, ++sequence_);
  if (op.durable) harden(*file.inode, sequence_);
  file.unsynced = file.unsynced || !op.durable;
  done.outcome = size;
}

inline void TestDisk::perform(Queued& queued, DiskDone& done) {
  DiskOp& op = queued.op;
  const auto found = open_.find(op.file.value);
  const bool needs_file = op.kind == DiskOpKind::read || op.kind == DiskOpKind::write ||
                          op.kind == DiskOpKind::sync || op.kind == DiskOpKind::preallocate ||
                          op.kind == DiskOpKind::truncate || op.kind == DiskOpKind::zero ||
                          op.kind == DiskOpKind::close;
  if (needs_file && found == open_.end()) {
    complain("an operation on a file that is not open");
    done.outcome = fail(Errc::storage, "not open");
    return;
  }
  if (no_descriptors && !needs_file) {
    done.outcome = fail(Errc::out_of_space, "too many open files");
    return;
  }
  switch (op.kind) {
    case DiskOpKind::open:
      perform_open(op, done);
      return;
    case DiskOpKind::close:
      if (found->second.exclusive) locked_.erase(found->second.path);
      if (found->second.unsynced) ++closed_unsynced;
      open_.erase(found);
      return;
    case DiskOpKind::read: {
      const Buffer& content = found->second.inode->content;
      const std::size_t size =
          op.at >= content.size() ? 0 : std::min<std::size_t>(op.memory.size(), content.size() - op.at);
      std::copy_n(
          content.begin() + static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(op.at, content.size())), size,
          op.memory.begin());
      done.outcome = size;
      return;
    }
    case DiskOpKind::write:
      perform_write(queued, found->second, done);
      return;
    case DiskOpKind::sync:
      harden(*found->second.inode, queued.sequence);
      found->second.unsynced = false;
      return;
    case DiskOpKind::sync_all:
      for (auto& inode : inodes_) harden(*inode, queued.sequence);
      for (auto& [number, file] : open_) file.unsynced = false;
      stable_names_ = names_;
      stable_folders_ = folders_;
      return;
    case DiskOpKind::preallocate: {
      if (no_room) {
        done.outcome = fail(Errc::out_of_space, "no room");
        return;
      }
      Inode& inode = *found->second.inode;
      inode.allocated = std::max(inode.allocated, op.at + op.size);
      if ((op.extend || !can_reserve) && inode.content.size() < op.at + op.size) {
        inode.content.resize(op.at + op.size);
        inode.stable.resize(op.at + op.size);
      }
      return;
    }
    case DiskOpKind::truncate: {
      Inode& inode = *found->second.inode;
      inode.pending.push_back({op.size, {}, ++sequence_, true});
      inode.content.resize(op.size);
      inode.allocated = std::min(inode.allocated, (op.size + kDiskBlock - 1) / kDiskBlock * kDiskBlock);
      if (op.durable) harden(inode, sequence_);
      return;
    }
    case DiskOpKind::zero: {
      if (!can_zero) {
        done.outcome = fail(Errc::unsupported, "not on this file system");
        return;
      }
      Inode& inode = *found->second.inode;
      if (!found->second.exclusive) complain("bytes zeroed without a lock on " + found->second.path);
      const Write zeros{op.at, Buffer(op.size), ++sequence_, false};
      apply(inode.content, zeros);
      inode.pending.push_back(zeros);
      inode.allocated = std::max(inode.allocated, op.at + op.size);
      return;
    }
    case DiskOpKind::create_folder:
      if (no_room && !folders_.contains(op.path)) {
        done.outcome = fail(Errc::out_of_space, "no room");
        return;
      }
      folders_.insert(op.path);
      if (op.durable) stable_folders_.insert(op.path);
      return;
    case DiskOpKind::rename: {
      const bool there = names_.contains(op.path) || folders_.contains(op.path);
      if (!there) {
        done.outcome = fail(Errc::not_found, op.path + " does not exist");
        return;
      }
      if (!op.durable) complain("a rename that is not durable");
      if (op.path.starts_with("recycled/") && !op.path2.starts_with("recycled/") && !blank(op.path))
        complain("old bytes may be there under a new name: " + op.path2);
      rename_all(names_, folders_, op);
      rename_all(stable_names_, stable_folders_, op);
      return;
    }
    case DiskOpKind::remove:
      remove_all(names_, folders_, op.path);
      if (op.durable) harden_removals(op.path);
      return;
    case DiskOpKind::replace: {
      if (no_room) {
        done.outcome = fail(Errc::out_of_space, "no room");
        return;
      }
      Inode& inode = create(op.path);
      inode.content = inode.stable = std::move(op.content);
      harden_name(op.path, &inode);
      return;
    }
    case DiskOpKind::load:
      if (names_.contains(op.path)) {
        done.content = names_.at(op.path)->content;
        done.outcome = done.content.size();
      } else {
        done.outcome = fail(Errc::not_found, op.path + " does not exist");
      }
      return;
    case DiskOpKind::list: {
      if (!folders_.contains(op.path)) {
        done.outcome = fail(Errc::not_found, op.path + " does not exist");
        return;
      }
      for (auto at = names_.lower_bound(op.path + "/");
           at != names_.end() && at->first.starts_with(op.path + "/"); ++at) {
        done.names.push_back(at->first.substr(op.path.size() + 1));
      }
      return;
    }
  }
}

}  // namespace tailwater::log
