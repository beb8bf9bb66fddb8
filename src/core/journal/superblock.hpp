// The two superblocks at the head of a ring: where the live part of the ring begins, and which manifest goes
// with it. They are written alternately, each durable before the other is touched, so one is always whole. A
// new ring gets B first and A last: zeros in A and no valid B mean that formatting never ended, anything else
// invalid is damage.
// Each lies in its block twice, so that a flipped bit in one half is healed by the other; a reader takes the
// half that is right, or of two different ones (a torn write) the newer.
//
//   block       superblock, superblock (2048 bytes each)
//   superblock  magic u64, version u32, frame_bytes_max u32, sequence u64, journal_id u64, capacity u64,
//               trim_lsn u64, manifest_generation u64, boot_id u64 high, u64 low, incarnation u32,
//               trim_prev_crc u32, clean u32, jump_count u32, jump_count times (from u64, to u64), zeros, crc
//               u32 over all before it (2048 bytes)
//   trim_lsn    the first frame that is still needed; trim_prev_crc is the header_crc of the frame before it
//   jumps       after an unclean stop the journal goes on one window behind its end, where no late write of
//               the dead process can land in what is read: a reader that comes to `from` goes on at `to`
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/uuid.hpp"
#include "core/journal/format.hpp"

namespace tailwater::journal {

struct Jump {
  Lsn from;
  Lsn to;
  friend bool operator==(const Jump&, const Jump&) = default;
};

inline constexpr std::size_t kJumpsMax = 120;

struct Superblock {
  std::uint64_t sequence = 0;
  std::uint64_t journal_id = 0;
  std::uint64_t capacity = 0;
  std::uint32_t frame_bytes_max = 0;
  std::uint32_t incarnation = 0;
  Lsn trim;
  std::uint32_t trim_prev_crc = 0;
  std::uint64_t manifest_generation = 0;
  Uuid boot_id;
  bool clean = false;
  std::vector<Jump> jumps;
  friend bool operator==(const Superblock&, const Superblock&) = default;
};

// REQUIRES: kBlock bytes; at most kJumpsMax jumps.
void encode(const Superblock& superblock, MutableBytes to);
std::optional<Superblock> decode_superblock(Bytes from);

// Where the superblock of this sequence number goes: A has the even ones.
constexpr std::uint64_t superblock_position(std::uint64_t sequence) {
  return sequence % 2 == 0 ? 0 : kBlock;
}

enum class RingHead : std::uint8_t {
  unformatted,
  formatted,
  one_left,  // the other cannot be read; it may have been the newer one
  damaged,
};

// Judges the first 2 * kBlock bytes of a ring (fewer if the file is shorter) and gives the newer valid
// superblock.
RingHead read_ring_head(Bytes head, Superblock& superblock);

}  // namespace tailwater::journal
