#include "crash_states/port.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "core/journal/format.hpp"

namespace tailwater::crash_states {

using disk_model::Disk;

namespace {

bool is_sync(const DiskOp& op) {
  return op.kind == DiskOpKind::sync || op.kind == DiskOpKind::sync_all;
}

std::uint64_t size_of(const DiskOp& op) {
  std::uint64_t size = 0;
  for (const Bytes piece : op.pieces) size += piece.size();
  return size;
}

}  // namespace

Port::Port(std::unique_ptr<Disk> disk, Mode mode, Lie lie, std::uint64_t seed)
    : disk_(std::move(disk)), mode_(mode), lie_(lie), random_(seed), user_(disk_->enter()) {}

std::unique_ptr<Disk> Port::fresh_disk(Mode mode) {
  return std::make_unique<Disk>(mode == Mode::direct_dsync ? disk_model::DurableWrite::own_bytes
                                                           : disk_model::DurableWrite::whole_file);
}

void Port::submit(std::vector<DiskOp>& ops) {
  for (DiskOp& op : ops) queue_.push_back({std::move(op), disk_->now()});
  ops.clear();
}

DiskDone Port::step() {
  const auto at = queue_.begin() + static_cast<std::ptrdiff_t>(random_.below(queue_.size()));
  Waiting waiting = std::move(*at);
  queue_.erase(at);
  if (waiting.op.kind == DiskOpKind::open) open_.insert(waiting.op.file);
  if (waiting.op.kind == DiskOpKind::close) open_.erase(waiting.op.file);
  if (fails(waiting.op))
    return disk_->refuse(user_, waiting.op, {Errc::storage, "the disk is broken"}, random_);
  return perform(waiting);
}

void Port::break_dir(DirId dir, Break how) {
  broken_[dir] = how;
  has_failed_.erase(dir);
}

bool Port::fails(const DiskOp& op) {
  const auto broken = broken_.find(op.dir);
  if (broken == broken_.end() || op.kind == DiskOpKind::close) return false;
  if (broken->second == Break::for_good) return true;
  return (op.kind == DiskOpKind::write || is_sync(op)) && has_failed_.insert(op.dir).second;
}

// Whether the lie is told of this write.
bool Port::keeps(const Waiting& waiting) {
  const DiskOp& op = waiting.op;
  const bool soft_frame =
      op.kind == DiskOpKind::write && !op.durable && disk_->path_of(user_, op.file).ends_with("-os.jnl");
  if (lie_ != Lie::keep_soft_frames || !soft_frame) return false;
  Kept kept{op.file, op.at, {}};
  for (const Bytes piece : op.pieces) kept.bytes.insert(kept.bytes.end(), piece.begin(), piece.end());
  kept_.push_back(std::move(kept));
  return true;
}

void Port::let_go(FileId file, disk_model::Sequence submitted) {
  for (Kept& each : kept_) {
    if (each.file == file) disk_->find(user_, file)->write(each.at, each.bytes, submitted);
  }
  std::erase_if(kept_, [&](const Kept& each) { return each.file == file; });
}

void Port::bend(DiskOp& op) {
  if (lie_ == Lie::drop_durability && op.kind == DiskOpKind::write) op.durable = false;
  if (lie_ == Lie::drop_folder_syncs && op.kind != DiskOpKind::write && op.kind != DiskOpKind::truncate)
    op.durable = false;
}

DiskDone Port::perform(Waiting& waiting) {
  DiskOp& op = waiting.op;
  bend(op);
  DiskDone done;
  done.token = op.token;
  done.dir = op.dir;
  if (keeps(waiting)) return done;
  if (op.kind == DiskOpKind::sync) let_go(op.file, waiting.submitted);
  if (is_sync(op)) {
    if (lie_ == Lie::drop_syncs) return done;
    if (lie_ == Lie::trim_before_sync) {
      put_off_.push_back(std::move(waiting));
      return done;
    }
    if (lie_ == Lie::drop_folder_syncs && op.kind == DiskOpKind::sync_all) {
      for (const FileId file : open_) {
        DiskOp sync;
        sync.kind = DiskOpKind::sync;
        sync.file = file;
        disk_->perform(user_, sync, waiting.submitted);
      }
      return done;
    }
  }
  const bool superblock = op.kind == DiskOpKind::write && op.at < journal::kRingStart &&
                          disk_->path_of(user_, op.file).find("/journal/") != std::string::npos;
  done = disk_->perform(user_, op, waiting.submitted);
  if (superblock) {
    for (Waiting& sync : std::exchange(put_off_, {})) {
      if (sync.op.kind == DiskOpKind::sync_all || open_.contains(sync.op.file))
        disk_->perform(user_, sync.op, sync.submitted);
    }
  }
  return done;
}

std::unique_ptr<Disk> Port::lose_power(Prng& random) const {
  auto disk = std::make_unique<Disk>(*disk_);
  for (const Waiting& waiting : queue_) {
    DiskOp op = waiting.op;
    const bool cut = mode_ == Mode::buffered_fdatasync && op.kind == DiskOpKind::write;
    const std::uint64_t at = cut ? random.below(size_of(op) + 1) : 0;
    disk->perform_in_part(user_, op, at);
  }
  disk->leave(user_);
  return disk;
}

std::unique_ptr<Disk> Port::kill(Prng& random) const {
  auto disk = std::make_unique<Disk>(*disk_);
  for (const Waiting& waiting : queue_) {
    DiskOp op = waiting.op;
    if (random.one_in(2)) disk->perform_in_part(user_, op);
  }
  disk->leave(user_);
  return disk;
}

}  // namespace tailwater::crash_states
