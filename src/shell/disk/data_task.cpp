#include "shell/disk/data_task.hpp"

#include <algorithm>
#include <cassert>
#include <cerrno>

#include "base/check.hpp"

namespace tailwater::shell {
namespace {

bool aligned(std::uint64_t number) {
  return number % kDiskBlock == 0;
}

// Direct reads and writes are aligned by the machines; anything else is a bug of ours that the kernel would
// answer with EINVAL, that is, with a directory going offline.
[[maybe_unused]] bool all_aligned(const DiskOp& op) {
  if (!aligned(op.at)) return false;
  if (op.kind == DiskOpKind::read) {
    return aligned(op.memory.size()) && aligned(reinterpret_cast<std::uintptr_t>(op.memory.data()));
  }
  return std::ranges::all_of(op.pieces, [](Bytes piece) {
    return aligned(piece.size()) && aligned(reinterpret_cast<std::uintptr_t>(piece.data()));
  });
}

}  // namespace

void DataTask::begin(DiskOp&& op, int descriptor, bool direct, DurableBy durable_by) {
  op_ = std::move(op);
  descriptor_ = descriptor;
  direct_ = direct;
  durable_by_ = durable_by;
  total_ = 0;
  if (op_.kind == DiskOpKind::read) total_ = op_.memory.size();
  if (op_.kind == DiskOpKind::write) {
    for (const Bytes piece : op_.pieces) total_ += piece.size();
  }
  assert(!direct || op_.kind == DiskOpKind::sync || all_aligned(op_));
  transferred_ = 0;
  piece_ = 0;
  piece_offset_ = 0;
  part_size_ = 0;
  error_ = 0;
  tries_ = 0;
  short_parts_ = 0;
  ring = {};
}

bool DataTask::nothing_to_do() const {
  return op_.kind != DiskOpKind::sync && total_ == 0;
}

DataTask::Part DataTask::next_part() {
  CHECK(op_.kind != DiskOpKind::sync);
  CHECK(transferred_ < total_);
  iovecs_.clear();
  part_size_ = 0;
  const std::uint64_t at = op_.at + transferred_;
  if (op_.kind == DiskOpKind::read) {
    part_size_ = std::min<std::size_t>(total_ - transferred_, kPartBytes);
    iovecs_.push_back({op_.memory.data() + transferred_, part_size_});
    return {at, part_size_, transferred_ + part_size_ == total_};
  }
  std::size_t offset = piece_offset_;
  for (std::size_t i = piece_; i < op_.pieces.size(); ++i, offset = 0) {
    if (part_size_ == kPartBytes || iovecs_.size() == kPartPieces) break;
    const Bytes rest = op_.pieces[i].subspan(offset);
    const std::size_t size = std::min(rest.size(), kPartBytes - part_size_);
    if (size == 0) continue;
    // The kernel only reads this memory; iovec has no constness.
    iovecs_.push_back({const_cast<std::byte*>(rest.data()), size});
    part_size_ += size;
  }
  return {at, part_size_, transferred_ + part_size_ == total_};
}

DataTask::Step DataTask::give_up(int error) {
  error_ = error;
  return Step::done;
}

DataTask::Step DataTask::advance(std::int64_t result) {
  if (result == -EINTR || result == -EAGAIN) {
    return ++tries_ > kTriesMax ? give_up(static_cast<int>(-result)) : Step::again;
  }
  if (result < 0) return give_up(static_cast<int>(-result));
  auto progress = static_cast<std::size_t>(result);
  CHECK(progress <= part_size_);
  const bool is_short = progress < part_size_;
  if (is_short) ++short_parts_;

  if (op_.kind == DiskOpKind::read) {
    transferred_ += progress;
    if (progress == 0 || transferred_ == total_) return Step::done;
    // A direct read stops off a block boundary only at the end of the file, and could not go on from there.
    if (is_short && direct_ && !aligned(progress)) return Step::done;
    return Step::again;
  }

  // What is left of a block that a direct write stopped in is written again, with the same bytes.
  if (is_short && direct_) progress -= progress % kDiskBlock;
  if (progress == 0 && ++tries_ > (result == 0 ? 0 : kTriesMax)) return give_up(EIO);
  transferred_ += progress;
  while (progress > 0) {
    const std::size_t rest = op_.pieces[piece_].size() - piece_offset_;
    const std::size_t step = std::min(rest, progress);
    piece_offset_ += step;
    progress -= step;
    if (piece_offset_ < op_.pieces[piece_].size()) break;
    ++piece_;
    piece_offset_ = 0;
  }
  if (transferred_ < total_) return Step::again;
  return durable_by_ == DurableBy::fdatasync ? Step::flush : Step::done;
}

DataTask::Step DataTask::flushed(std::int64_t result) {
  if (result == -EINTR && ++tries_ <= kTriesMax) return Step::flush;
  return result < 0 ? give_up(static_cast<int>(-result)) : Step::done;
}

DataTask::Step DataTask::ended_in_ring(Order order) {
  if (!ring.has_io) return flushed(ring.flush_result);
  const Step step = advance(ring.io_result);
  if (step == Step::done || !ring.has_flush || ring.flush_result == -ECANCELED) return step;
  // The kernel says once that bytes were lost: to be asked anew would hear that all is well.
  const bool failed = ring.flush_result < 0 && ring.flush_result != -EINTR;
  if (failed || (step == Step::flush && order == Order::linked)) return flushed(ring.flush_result);
  return step;
}

}  // namespace tailwater::shell
