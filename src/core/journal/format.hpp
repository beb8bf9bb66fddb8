// The journal's ring on disk. All numbers are little endian; a reader can be written from this comment alone.
//
//   ring        superblock A, superblock B (superblock.hpp), then `capacity` bytes of blocks of 4 KiB
//   address     an LSN is a byte address that always grows; it lies at kRingStart + lsn mod capacity
//   frame       starts at a block, never crosses the end of a lap (it is made shorter instead), at most
//               frame_bytes_max; the next frame starts at the next block behind it:
//     header    magic u32, version u16, flags u16 = 0, journal_id u64, lsn u64, settled_lsn u64,
//               incarnation u32, payload_bytes u32, entry_count u32, prev_header_crc u32, payload_crc u32,
//               0 u32, 0 u32, header_crc u32 (64 bytes; header_crc covers the 60 before it, payload_crc the
//               payload_bytes behind it)
//     payload   entry_count entries, one behind the other; zeros up to the next block
//   entry       log_id u64, kind u8, flags u8 = 0, head_length u16, length u32, segment_base i64,
//               position u32, argument u32, base_offset i64 (40 bytes), then `length` bytes, then zeros up to
//               a multiple of 8
//   kinds       batches      bytes of the segment at `position`. The first head_length of them repeat what an
//                            earlier flush has written into the same block; the others are new. An entry may
//                            begin and end in the middle of a batch: what belongs together follows in the
//                            same or the next frames.
//               create       base_offset = log start; content: topic_id u64 high, u64 low, partition i32,
//                            topic name
//               roll         a new segment begins at base_offset
//               truncate     the log ends at base_offset, which lies at `position` of segment_base
//               log_start    the log begins at base_offset
//               epoch_start  leader epoch `argument` begins at base_offset
//               remove       the log is gone; argument 1: its folder was renamed away, 2: it had none
//               restart      the log is empty and goes on at base_offset
//               compaction   a step of compaction, named by `argument` (core/log/compaction_ops.hpp)
//               extent       of `batches` that lie in the segment already, but for what shares a block with
//               others
//                            (core/log/extent.hpp)
//               image, producer_snapshot are reserved
//
// A frame is valid iff magic, version, journal_id, lsn (the expected one), prev_header_crc (that of the frame
// before) and both checksums are right. Frames of an earlier lap carry another lsn, so nothing is ever
// zeroed. settled_lsn says that everything below it was durable when the frame was formed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "base/disk.hpp"
#include "base/ids.hpp"

namespace tailwater::journal {

inline constexpr std::uint64_t kBlock = kDiskBlock;
inline constexpr std::uint64_t kRingStart = 2 * kBlock;
inline constexpr std::uint32_t kFrameMagic = 0x4a465754;  // "TWFJ"
inline constexpr std::uint16_t kFrameVersion = 1;
inline constexpr std::size_t kFrameHeaderSize = 64;
// A frame has to take the head of a block and some bytes more, and two frames are read at once.
inline constexpr std::uint64_t kFrameLimitMin = 2 * kBlock;
inline constexpr std::uint64_t kFrameLimitMax = std::uint64_t{2} << 20;
inline constexpr std::size_t kEntryHeaderSize = 40;

constexpr std::uint64_t round_up(std::uint64_t size, std::uint64_t step) {
  return (size + step - 1) / step * step;
}
constexpr std::uint64_t round_down(std::uint64_t size, std::uint64_t step) {
  return size / step * step;
}

// Where an address lies in the ring's file.
constexpr std::uint64_t ring_position(Lsn lsn, std::uint64_t capacity) {
  return kRingStart + lsn.value % capacity;
}

enum class EntryKind : std::uint8_t {
  batches = 1,
  extent = 2,
  image = 3,
  create = 4,
  roll = 5,
  truncate = 6,
  log_start = 7,
  epoch_start = 8,
  remove = 9,
  producer_snapshot = 10,
  restart = 11,
  filler = 12,
  compaction = 13,
};

struct EntryHeader {
  LogId log;
  EntryKind kind{};
  std::uint16_t head_length = 0;
  std::uint32_t length = 0;
  std::int64_t segment_base = 0;
  std::uint32_t position = 0;
  std::uint32_t argument = 0;
  std::int64_t base_offset = 0;
  friend bool operator==(const EntryHeader&, const EntryHeader&) = default;
};

// REQUIRES: room for kEntryHeaderSize.
void encode(const EntryHeader& entry, std::byte* to);
EntryHeader decode_entry(const std::byte* from);

struct FrameHeader {
  std::uint64_t journal_id = 0;
  Lsn lsn;
  Lsn settled;
  std::uint32_t incarnation = 0;
  std::uint32_t payload_bytes = 0;
  std::uint32_t entry_count = 0;
  std::uint32_t prev_header_crc = 0;
  std::uint32_t payload_crc = 0;
  std::uint32_t header_crc = 0;  // computed by encode()

  // Bytes in the ring, whole blocks.
  std::uint64_t frame_bytes() const { return round_up(kFrameHeaderSize + payload_bytes, kBlock); }
  friend bool operator==(const FrameHeader&, const FrameHeader&) = default;
};

// REQUIRES: room for kFrameHeaderSize. Returns header_crc.
std::uint32_t encode(const FrameHeader& header, std::byte* to);
// Nothing unless magic, version and header_crc are right.
std::optional<FrameHeader> decode_frame(Bytes from);

// Walks the entries of a payload whose checksum was right. Total: stops at an entry that claims more than
// there is.
class EntryCursor {
 public:
  EntryCursor(Bytes payload, std::uint32_t count) : payload_(payload), left_(count) {}

  struct Entry {
    EntryHeader header;
    Bytes content;
  };
  std::optional<Entry> next();
  bool failed() const { return failed_; }

 private:
  Bytes payload_;
  std::uint32_t left_;
  bool failed_ = false;
};

}  // namespace tailwater::journal
