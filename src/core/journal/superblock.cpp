#include "core/journal/superblock.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "base/crc32c.hpp"

namespace tailwater::journal {

namespace {

constexpr std::uint64_t kMagic = 0x4c4e4a4c49415754;  // "TWAILJNL"
constexpr std::uint32_t kVersion = 2;
constexpr std::size_t kJumpsAt = 88;
constexpr std::size_t kHalf = kBlock / 2;
constexpr std::size_t kCrcAt = kHalf - sizeof(std::uint32_t);
static_assert(kJumpsAt + kJumpsMax * 16 <= kCrcAt);

// What cannot be a superblock of ours even though its checksum is right.
bool plausible(const Superblock& superblock) {
  if (superblock.capacity == 0 || superblock.capacity % kBlock != 0) return false;
  if (superblock.trim.value % kBlock != 0) return false;
  if (superblock.frame_bytes_max < kBlock || superblock.frame_bytes_max % kBlock != 0) return false;
  if (superblock.frame_bytes_max > kFrameLimitMax) return false;
  return superblock.frame_bytes_max <= superblock.capacity;
}

bool all_zero(Bytes bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte byte) { return byte == std::byte{0}; });
}

}  // namespace

void encode(const Superblock& superblock, MutableBytes to) {
  CHECK(to.size() == kBlock);
  CHECK(superblock.jumps.size() <= kJumpsMax);
  std::fill(to.begin(), to.end(), std::byte{0});
  std::byte* at = to.data();
  store_little(at, kMagic);
  store_little(at + 8, kVersion);
  store_little(at + 12, superblock.frame_bytes_max);
  store_little(at + 16, superblock.sequence);
  store_little(at + 24, superblock.journal_id);
  store_little(at + 32, superblock.capacity);
  store_little(at + 40, superblock.trim.value);
  store_little(at + 48, superblock.manifest_generation);
  store_little(at + 56, superblock.boot_id.high);
  store_little(at + 64, superblock.boot_id.low);
  store_little(at + 72, superblock.incarnation);
  store_little(at + 76, superblock.trim_prev_crc);
  store_little(at + 80, std::uint32_t{superblock.clean ? 1u : 0u});
  store_little(at + 84, static_cast<std::uint32_t>(superblock.jumps.size()));
  std::byte* jump_at = at + kJumpsAt;
  for (const Jump& jump : superblock.jumps) {
    store_little(jump_at, jump.from.value);
    store_little(jump_at + 8, jump.to.value);
    jump_at += 16;
  }
  store_little(at + kCrcAt, crc32c(Bytes(at, kCrcAt)));
  std::copy_n(to.begin(), kHalf, to.begin() + kHalf);
}

namespace {

std::optional<Superblock> decode_half(Bytes from) {
  const std::byte* at = from.data();
  if (load_little<std::uint64_t>(at) != kMagic || load_little<std::uint32_t>(at + 8) != kVersion)
    return std::nullopt;
  if (load_little<std::uint32_t>(at + kCrcAt) != crc32c(from.first(kCrcAt))) return std::nullopt;
  const auto jumps = load_little<std::uint32_t>(at + 84);
  if (jumps > kJumpsMax) return std::nullopt;
  Superblock superblock{.sequence = load_little<std::uint64_t>(at + 16),
                        .journal_id = load_little<std::uint64_t>(at + 24),
                        .capacity = load_little<std::uint64_t>(at + 32),
                        .frame_bytes_max = load_little<std::uint32_t>(at + 12),
                        .incarnation = load_little<std::uint32_t>(at + 72),
                        .trim = Lsn{load_little<std::uint64_t>(at + 40)},
                        .trim_prev_crc = load_little<std::uint32_t>(at + 76),
                        .manifest_generation = load_little<std::uint64_t>(at + 48),
                        .boot_id = {load_little<std::uint64_t>(at + 56), load_little<std::uint64_t>(at + 64)},
                        .clean = load_little<std::uint32_t>(at + 80) != 0,
                        .jumps = {}};
  for (std::uint32_t jump = 0; jump < jumps; ++jump) {
    const std::byte* jump_at = at + kJumpsAt + jump * 16;
    superblock.jumps.push_back(
        {Lsn{load_little<std::uint64_t>(jump_at)}, Lsn{load_little<std::uint64_t>(jump_at + 8)}});
  }
  if (!plausible(superblock)) return std::nullopt;
  return superblock;
}

}  // namespace

std::optional<Superblock> decode_superblock(Bytes from) {
  if (from.size() < kBlock) return std::nullopt;
  std::optional<Superblock> first = decode_half(from.first(kHalf));
  std::optional<Superblock> second = decode_half(from.subspan(kHalf, kHalf));
  if (!first || (second && second->sequence > first->sequence)) return second;
  return first;
}

RingHead read_ring_head(Bytes head, Superblock& superblock) {
  const Bytes a = head.first(std::min<std::size_t>(kBlock, head.size()));
  const Bytes b = head.subspan(a.size(), std::min<std::size_t>(kBlock, head.size() - a.size()));
  std::optional<Superblock> first = decode_superblock(a);
  std::optional<Superblock> second = decode_superblock(b);
  if (!first && !second) return all_zero(a) ? RingHead::unformatted : RingHead::damaged;
  const bool take_second = !first || (second && second->sequence > first->sequence);
  // Zeros in A mean that formatting ended before A was written, if B is the one that formatting writes.
  const bool formatted = second && (first || (second->sequence == 1 && all_zero(a)));
  superblock = std::move(take_second ? *second : *first);
  return formatted ? RingHead::formatted : RingHead::one_left;
}

}  // namespace tailwater::journal
