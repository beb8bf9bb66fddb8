#include "core/log/growth.hpp"

#include <algorithm>
#include <utility>

#include "core/log/directory.hpp"

namespace tailwater::log {

namespace {

constexpr Duration kPauseWithoutRoom = Duration::from_ms(60'000);

}  // namespace

Growth::~Growth() {
  if (!pattern_.empty()) dir_.shared.pool.give(pattern_);
}

Growth::Prospect Growth::want(std::uint64_t batch_bytes) {
  const StorageOptions& options = dir_.shared.options;
  // All that the ring can hold must fit into memory at the next start.
  const std::uint64_t most =
      std::min(std::max(options.ring_bytes_max, options.ring_bytes_limit), dir_.shared.dirty_bytes_max());
  std::uint64_t capacity = dir_.ring.capacity();
  while (!dir_.takes(batch_bytes, capacity)) {
    if (capacity > most / 2) return Prospect::never;
    capacity *= 2;
  }
  if (dir_.now.monotonic < not_before_) return Prospect::no_room;
  wanted_ = std::max(wanted_, capacity);
  return Prospect::grows;
}

bool Growth::needs_empty_ring() const {
  return phase_ == Phase::wait && wanted() && !dir_.ring.can_grow_to(target_);
}

bool Growth::due() const {
  if (dir_.stopping || dir_.now.monotonic < not_before_) return false;
  if (wanted()) return true;
  const std::uint64_t wished = dir_.ring.capacity() * 2;
  // All that the ring can hold must fit into memory at the next start.
  if (wished > dir_.shared.options.ring_bytes_max || wished > dir_.shared.dirty_bytes_max()) return false;
  return dir_.ring_demand() > dir_.ring.capacity() / 2;
}

void Growth::send(DiskOpKind kind) {
  DiskOp op = dir_.op(kind, Part::growth, 0);
  op.file = dir_.ring_file;
  if (kind == DiskOpKind::preallocate) {
    op.at = journal::kRingStart + dir_.ring.capacity();
    op.size = target_ - dir_.ring.capacity();
    op.extend = true;
  } else if (kind == DiskOpKind::write) {
    op.at = journal::kRingStart + filled_;
    op.pieces.push_back(pattern_.first(std::min<std::size_t>(pattern_.size(), target_ - filled_)));
    filled_ += op.pieces.back().size();
  }
  dir_.shared.outbox.push_back(std::move(op));
}

void Growth::turn() {
  if (phase_ == Phase::idle && due()) {
    target_ = std::max(dir_.ring.capacity() * 2, wanted_);
    phase_ = Phase::allocate;
    send(DiskOpKind::preallocate);
  }
  if (phase_ != Phase::wait || dir_.checkpoint.writing_superblock() || !dir_.ring.can_grow_to(target_))
    return;
  phase_ = Phase::superblock;
  dir_.ring.prepare_growth(target_);
  dir_.checkpoint.wanted().capacity = target_;
  dir_.checkpoint.write_superblock();
}

void Growth::completed(const DiskDone& done) {
  if (!dir_.online()) return;
  if (found_no_room(done)) {
    phase_ = Phase::idle;
    wanted_ = 0;
    not_before_ = dir_.room_retry_at(kPauseWithoutRoom);
    return;
  }
  if (dir_.check(done)) return;
  if (phase_ == Phase::allocate) {
    phase_ = Phase::fill;
    filled_ = dir_.ring.capacity();
    if (pattern_.empty()) pattern_ = dir_.shared.pool.take(kPatternStep);
    std::fill(pattern_.begin(), pattern_.end(), kRingPattern);
    send(DiskOpKind::write);
  } else if (phase_ == Phase::fill) {
    if (filled_ == target_) {
      phase_ = Phase::sync;
      send(DiskOpKind::sync);
    } else {
      send(DiskOpKind::write);
    }
  } else if (phase_ == Phase::sync) {
    dir_.shared.pool.give(std::exchange(pattern_, {}));
    phase_ = Phase::wait;
  }
}

void Growth::superblock_written() {
  dir_.ring.grown(target_);
  dir_.report.ring_bytes = target_;
  if (target_ >= wanted_) wanted_ = 0;
  phase_ = Phase::idle;
}

}  // namespace tailwater::log
