// One read, write or sync on an open descriptor, cut into parts that the kernel takes in one call: at most
// kPartBytes and kPartPieces, one part at a time. Both engines drive it: next_part() says what to do,
// advance() what came of it. GUARANTEES: a short write is continued, EINTR is tried again, a write that makes
// no progress ends as an error; a task ends exactly once. Must not touch files itself.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <vector>

#include "base/disk.hpp"

namespace tailwater::shell {

// How a durable write becomes durable.
enum class DurableBy : std::uint8_t {
  nothing,    // the write is not durable by itself
  dsync,      // the write carries RWF_DSYNC
  fdatasync,  // an fdatasync follows the last part
};

class DataTask {
 public:
  static constexpr std::size_t kPartBytes = 1 << 20;
  static constexpr std::size_t kPartPieces = 1024;  // IOV_MAX
  static constexpr int kTriesMax = 1000;

  struct Part {
    std::uint64_t at = 0;
    std::size_t size = 0;
    bool last = false;  // of a write: nothing remains after this part
  };

  enum class Step : std::uint8_t { again, flush, done };

  // REQUIRES: kind is read, write or sync. The op's memory stays valid until the task is done.
  void begin(DiskOp&& op, int descriptor, bool direct, DurableBy durable_by);

  // Forms the next part; iovecs() describes its memory. REQUIRES: a read or write that is not done.
  Part next_part();
  std::vector<iovec>& iovecs() { return iovecs_; }

  // The kernel's answer to the part formed last: bytes, or a negative errno.
  Step advance(std::int64_t result);
  // The kernel's answer to a flush (the op `sync`, or the fdatasync after a write): `flush` means ask again.
  Step flushed(std::int64_t result);
  // For the ring engine: all completions are there, see `ring`. REQUIRES of `linked`: the flush was begun after
  // the write had ended whole, or not at all.
  enum class Order : std::uint8_t { linked, any };
  Step ended_in_ring(Order order);

  // True when there is nothing to ask the kernel for: an empty read or write.
  bool nothing_to_do() const;

  const DiskOp& op() const { return op_; }
  int descriptor() const { return descriptor_; }
  DurableBy durable_by() const { return durable_by_; }
  std::uint64_t transferred() const { return transferred_; }
  int error() const { return error_; }  // errno, 0 if all went well
  std::uint32_t short_parts() const { return short_parts_; }

  // For the owner: which operation of the disk this is.
  std::uint64_t number = 0;
  std::int64_t begun_ns = 0;

  // For the ring engine: completions still to come for the parts handed in, and what they said.
  struct RingState {
    int pending = 0;
    std::int64_t io_result = 0;
    std::int64_t flush_result = 0;
    bool has_io = false;
    bool has_flush = false;
  } ring;

 private:
  Step give_up(int error);

  DiskOp op_;
  int descriptor_ = -1;
  bool direct_ = false;
  DurableBy durable_by_ = DurableBy::nothing;
  std::uint64_t total_ = 0;
  std::uint64_t transferred_ = 0;
  std::size_t piece_ = 0;         // the first piece that is not wholly written
  std::size_t piece_offset_ = 0;  // bytes of it that are
  std::size_t part_size_ = 0;
  int error_ = 0;
  int tries_ = 0;
  std::uint32_t short_parts_ = 0;
  std::vector<iovec> iovecs_;
};

}  // namespace tailwater::shell
