// Where bytes of connections are received.
//
// Sockets are read one at a time, so all connections of a shard share one scratch block of 64 KiB: a
// connection owns memory only while a request of it is incomplete or still being served. What is received
// goes behind what is held in the block by requests that are being served, so that many small ones share one;
// when little room is left, or nothing is held any more, it begins anew. A frame that does not fit gets a
// block of exactly its size, reserved from the budget before the rest of it is read. Behind such a frame only the
// beginning of the next one is received first, so that large frames that follow each other are never moved; and so it is with
// all frames while memory is scarce.
//
//   scratch --received--> frames handed out --settle--> nothing left: the connection holds nothing
//                                                  --> a part of a frame, or frames that must wait: an own
//                                                  block
//
// Blocks are counted by hand (one thread): a request that is served later holds its block with a BlockRef.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "core/session/memory_budget.hpp"

namespace tailwater::session {

inline constexpr std::size_t kScratchBytes = 64 * 1024;
inline constexpr std::size_t kScratchLeast = 32 * 1024;
inline constexpr std::size_t kSizeField = 4;  // in front of every frame
inline constexpr std::size_t kBeginning = 6;  // of a frame: its size and what it asks for

class ReceivePool;

struct Block {
  std::unique_ptr<std::byte[]> memory;
  std::size_t capacity = 0;  // to be used; the memory may be larger
  std::size_t memory_bytes = 0;
  std::size_t reserved = 0;  // of the budget, returned with the block
  std::uint32_t holders = 0;
  ReceivePool* pool = nullptr;
};

// Shares ownership of a block, on one thread.
class BlockRef {
 public:
  BlockRef() = default;
  explicit BlockRef(Block* block) : block_(block) {
    if (block_ != nullptr) ++block_->holders;
  }
  BlockRef(const BlockRef& other) : BlockRef(other.block_) {}
  BlockRef(BlockRef&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  BlockRef& operator=(BlockRef other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~BlockRef();

  Block* get() const { return block_; }
  Block* operator->() const { return block_; }
  explicit operator bool() const { return block_ != nullptr; }

 private:
  Block* block_ = nullptr;
};

class ReceivePool {
 public:
  explicit ReceivePool(MemoryBudget& budget) : budget_(budget) {}
  ~ReceivePool();
  ReceivePool(const ReceivePool&) = delete;
  ReceivePool& operator=(const ReceivePool&) = delete;

  // Where to receive: what is left of the shared block, at least kScratchLeast bytes of it.
  MutableBytes scratch();
  // So many bytes were received there. Their place in the shared block, which the caller is to hold.
  std::size_t take_scratch(std::size_t bytes);
  BlockRef scratch_block() const { return scratch_; }
  bool is_scratch(const BlockRef& block) const { return block.get() == scratch_.get(); }
  // A block of at least `bytes`, or none if the budget refuses.
  BlockRef reserve(std::size_t bytes);
  // The same, even if the budget is overdrawn: for bytes that have already been received.
  BlockRef reserve_by_force(std::size_t bytes);

  // Somebody waits for memory, or many will soon.
  bool is_scarce() const;

  MemoryBudget& budget() { return budget_; }
  std::uint64_t spare_large_bytes() const { return spare_large_bytes_; }

 private:
  friend class BlockRef;
  friend class ReceiveBuffer;
  void give_back(Block* block);
  BlockRef make(std::size_t bytes, std::size_t reserved);
  // One whose memory suits; null if there is none.
  std::unique_ptr<Block> take_spare(std::size_t bytes);
  void keep_large(std::unique_ptr<Block> block);

  MemoryBudget& budget_;
  std::size_t waiting_ = 0;  // connections that were refused the block of a frame
  BlockRef scratch_;
  std::size_t scratch_used_ = 0;
  // Shared blocks that came back late: the next ones. Small requests touch little of theirs.
  static constexpr std::size_t kSpareMax = 64;
  std::vector<std::unique_ptr<Block>> spare_;
  // Those of large frames, the oldest first: fresh memory from the kernel costs as much as what is received there.
  // They are beside the budget, and a small part of it.
  static constexpr std::uint64_t kSpareLargeShare = 32;
  static constexpr std::uint64_t kSpareLargeBytesMax = std::uint64_t{16} << 20;
  std::vector<std::unique_ptr<Block>> spare_large_;
  std::uint64_t spare_large_bytes_ = 0;
};

// One connection's receiving side.
class ReceiveBuffer {
 public:
  explicit ReceiveBuffer(ReceivePool& pool) : pool_(pool) {}
  ~ReceiveBuffer();
  ReceiveBuffer(const ReceiveBuffer&) = delete;
  ReceiveBuffer& operator=(const ReceiveBuffer&) = delete;

  // Where to read to; empty when the announced frame's memory is not granted yet.
  MutableBytes space();
  void received(std::size_t bytes);

  // What has been received and not been consumed. Valid until settle() or space().
  Bytes unread() const;
  // `need` is what is to be expected of the next one.
  void consume(std::size_t bytes, Need need = Need::little);
  // The block that unread() lies in, for requests that outlive this turn.
  BlockRef block() const { return block_; }

  // Call when no more frames are taken for now: leaves the scratch block free for the next connection.
  // `frame_size` is the whole size of the frame that unread() begins with, 0 if not known yet (then its size
  // field is incomplete).
  void settle(std::size_t frame_size, Need need = Need::little);
  // An own block was wanted and refused; space() asks again.
  bool starved() const { return wanted_ > 0; }

 private:
  void move_to(BlockRef block);
  void want(std::size_t bytes);

  ReceivePool& pool_;
  BlockRef block_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t wanted_ = 0;  // size of the block to ask for before reading on
  bool was_large_ = false;  // the last frame did not fit the shared block
  bool is_bulk_ = false;    // nor will the next ones, or they may wait for long
};

}  // namespace tailwater::session
