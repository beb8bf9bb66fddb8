#include "core/session/receive_buffer.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.hpp"

namespace tailwater::session {

namespace {
// Own blocks of small frames grow in these steps, so that half a small frame costs a connection little.
constexpr std::size_t kSmallStep = 4096;

// A block that is a little larger may be used again.
bool suits(const Block& block, std::size_t bytes) {
  return block.memory_bytes >= bytes && block.memory_bytes - bytes <= bytes / 16;
}
}  // namespace

BlockRef::~BlockRef() {
  if (block_ != nullptr && --block_->holders == 0) block_->pool->give_back(block_);
}

bool ReceivePool::is_scarce() const {
  return waiting_ > 0 || budget_.used() > budget_.limit() / 2;
}

ReceivePool::~ReceivePool() {
  scratch_ = BlockRef();
}

BlockRef ReceivePool::make(std::size_t bytes, std::size_t reserved) {
  std::unique_ptr<Block> block = take_spare(bytes);
  if (block == nullptr) {
    block = std::make_unique<Block>();
    block->memory = std::make_unique_for_overwrite<std::byte[]>(bytes);
    block->memory_bytes = bytes;
    block->pool = this;
  }
  block->capacity = bytes;
  block->reserved = reserved;
  return BlockRef(block.release());
}

std::unique_ptr<Block> ReceivePool::take_spare(std::size_t bytes) {
  if (bytes < kScratchBytes) return nullptr;
  auto& spares = bytes > kScratchBytes ? spare_large_ : spare_;
  const auto found =
      std::find_if(spares.rbegin(), spares.rend(), [&](const auto& each) { return suits(*each, bytes); });
  if (found == spares.rend()) return nullptr;
  std::unique_ptr<Block> block = std::move(*found);
  spares.erase(std::next(found).base());
  if (bytes > kScratchBytes) spare_large_bytes_ -= block->memory_bytes;
  return block;
}

void ReceivePool::keep_large(std::unique_ptr<Block> block) {
  const std::uint64_t most = std::min(budget_.limit() / kSpareLargeShare, kSpareLargeBytesMax);
  if (block->memory_bytes > most) return;
  spare_large_bytes_ += block->memory_bytes;
  spare_large_.push_back(std::move(block));
  auto end = spare_large_.begin();
  for (; spare_large_bytes_ > most || std::distance(end, spare_large_.end()) > std::ptrdiff_t{kSpareMax};
       ++end)
    spare_large_bytes_ -= (*end)->memory_bytes;
  spare_large_.erase(spare_large_.begin(), end);
}

MutableBytes ReceivePool::scratch() {
  // Only the pool's own reference: nobody holds anything of it.
  if (scratch_ && scratch_->holders == 1) scratch_used_ = 0;
  if (!scratch_ || kScratchBytes - scratch_used_ < kScratchLeast) {
    budget_.force_reserve(kScratchBytes);
    scratch_ = make(kScratchBytes, kScratchBytes);
    scratch_used_ = 0;
  }
  return MutableBytes(scratch_->memory.get(), kScratchBytes).subspan(scratch_used_);
}

std::size_t ReceivePool::take_scratch(std::size_t bytes) {
  CHECK(bytes <= kScratchBytes - scratch_used_);
  return std::exchange(scratch_used_, scratch_used_ + bytes);
}

BlockRef ReceivePool::reserve(std::size_t bytes) {
  if (!budget_.try_reserve(bytes, Need::bulk)) return {};
  return make(bytes, bytes);
}

BlockRef ReceivePool::reserve_by_force(std::size_t bytes) {
  budget_.force_reserve(bytes);
  return make(bytes, bytes);
}

void ReceivePool::give_back(Block* block) {
  budget_.release(block->reserved);
  std::unique_ptr<Block> owned(block);
  if (owned->memory_bytes > kScratchBytes) return keep_large(std::move(owned));
  if (owned->memory_bytes == kScratchBytes && spare_.size() < kSpareMax) spare_.push_back(std::move(owned));
}

ReceiveBuffer::~ReceiveBuffer() {
  want(0);
}

void ReceiveBuffer::want(std::size_t bytes) {
  if (wanted_ == 0 && bytes > 0) ++pool_.waiting_;
  if (wanted_ > 0 && bytes == 0) --pool_.waiting_;
  wanted_ = bytes;
}

MutableBytes ReceiveBuffer::space() {
  if (wanted_ > 0) {
    BlockRef own = pool_.reserve(wanted_);
    if (!own) return {};
    move_to(std::move(own));
    want(0);
  }
  if (!block_) {
    if (!pool_.budget().grants(is_bulk_ ? Need::bulk : Need::little)) return {};
    // Borrowed without a reference: the memory is this connection's until received(), which follows at once. The
    // beginnings of frames that have to wait must not take what those need that wait already.
    return was_large_ || pool_.is_scarce() ? pool_.scratch().first(kBeginning) : pool_.scratch();
  }
  return {block_->memory.get() + end_, block_->capacity - end_};
}

void ReceiveBuffer::received(std::size_t bytes) {
  if (!block_) {
    begin_ = end_ = pool_.take_scratch(bytes);
    block_ = pool_.scratch_block();
  }
  CHECK(bytes <= block_->capacity - end_);
  end_ += bytes;
}

Bytes ReceiveBuffer::unread() const {
  if (!block_) return {};
  return {block_->memory.get() + begin_, end_ - begin_};
}

void ReceiveBuffer::consume(std::size_t bytes, Need need) {
  CHECK(bytes <= end_ - begin_);
  begin_ += bytes;
  was_large_ = bytes > kScratchBytes;
  is_bulk_ = was_large_ || need == Need::bulk;
}

void ReceiveBuffer::move_to(BlockRef own) {
  const Bytes rest = unread();
  CHECK(rest.size() <= own->capacity);
  if (!rest.empty()) std::memcpy(own->memory.get(), rest.data(), rest.size());
  end_ = rest.size();
  begin_ = 0;
  block_ = std::move(own);
}

void ReceiveBuffer::settle(std::size_t frame_size, Need need) {
  if (!block_) return;
  const std::size_t left = end_ - begin_;
  if (left == 0) {
    block_ = BlockRef();
    begin_ = end_ = 0;
    return;
  }
  const bool own = !pool_.is_scratch(block_);
  // Room for the frame's end, or for what is left of the size field.
  const std::size_t needed = std::max<std::size_t>(frame_size, left < 4 ? 4 : left);
  if (own && block_->capacity - begin_ >= needed) return;
  // A frame that is there as a whole waits for its turn only.
  const bool may_wait = needed > kScratchBytes || (need == Need::bulk && needed > left);
  if (!may_wait || (needed <= kScratchBytes && pool_.budget().grants(need))) {
    want(0);
    return move_to(pool_.reserve_by_force((needed + kSmallStep - 1) / kSmallStep * kSmallStep));
  }
  if (wanted_ == needed) return;
  // Nobody goes before those who wait already.
  BlockRef whole = pool_.waiting_ == 0 ? pool_.reserve(needed) : BlockRef();
  if (whole) return move_to(std::move(whole));
  // Keep what has arrived and wait for the budget before the rest is read.
  want(needed);
  move_to(pool_.reserve_by_force(left));
}

}  // namespace tailwater::session
