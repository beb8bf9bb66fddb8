// Makes the ring larger, in place and in the background: doubles the file while it is the bottleneck, or
// makes it as large as a batch needs that it cannot take; producers wait for that.
//   1 preallocate the second half, fill it once with a non-zero pattern (a block that was never written costs
//     more to write, and a disk may turn zeros into holes), sync
//   2 wait until no live frame would move (RingWriter::can_grow_to); where a batch waits, all logs are
//     flushed until no frame is live
//   3 form only frames that both sizes have at the same place while the superblock with the new size is
//     written; then it counts
// Without room on the disk the ring stays as it is, and growth is tried again much later.
#pragma once

#include <cstdint>

#include "base/disk.hpp"
#include "core/log/shared.hpp"

namespace tailwater::log {

// The bytes that fresh ring blocks are written with: no frame begins with them.
inline constexpr std::byte kRingPattern{0xa5};
inline constexpr std::uint64_t kPatternStep = std::uint64_t{1} << 20;

class Growth {
 public:
  explicit Growth(Directory& dir) : dir_(dir) {}
  ~Growth();
  Growth(const Growth&) = delete;
  Growth& operator=(const Growth&) = delete;

  void turn();
  void completed(const DiskDone& done);
  void superblock_written();

  // Of a batch that the ring is too small for.
  enum class Prospect : std::uint8_t { grows, never, no_room };
  Prospect want(std::uint64_t batch_bytes);
  // A batch waits for more ring.
  bool wanted() const { return wanted_ > 0; }
  // Nothing but an empty ring would do.
  bool needs_empty_ring() const;

 private:
  enum class Phase : std::uint8_t { idle, allocate, fill, sync, wait, superblock };
  bool due() const;
  void send(DiskOpKind kind);

  Directory& dir_;
  Phase phase_ = Phase::idle;
  std::uint64_t target_ = 0;
  std::uint64_t wanted_ = 0;  // capacity
  std::uint64_t filled_ = 0;
  MutableBytes pattern_;
  Instant not_before_;
};

}  // namespace tailwater::log
