// A file as a disk has it: its content, and what of that would survive a power loss. Writes and changes of
// the size are volatile until they are hardened; a power loss takes any of the volatile sectors back, each to
// any of its earlier states, and any end of the changes of the size.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.hpp"
#include "base/prng.hpp"

namespace tailwater::disk_model {

// The order in which things were done to the disk.
using Sequence = std::uint64_t;

inline constexpr std::size_t kSector = 512;

// What a power loss took.
struct Losses {
  std::uint64_t sectors = 0;
  std::uint64_t sizes = 0;
  std::uint64_t names = 0;
};

class File {
 public:
  const Buffer& content() const { return content_; }
  std::uint64_t size() const { return content_.size(); }
  bool stable() const { return overwritten_.empty() && resized_.empty(); }

  void write(std::uint64_t at, Bytes bytes, Sequence now);
  void resize(std::uint64_t size, Sequence now);

  // A durable write, O_DSYNC: these bytes are stable, and the size as far as they need it.
  void harden_range(std::uint64_t at, std::uint64_t size);
  // A sync: everything done up to then is stable, the size included.
  void harden(Sequence until);
  // A sync that failed: what was volatile may be lost for ever, however often a sync succeeds afterwards.
  void doom(Sequence until);
  // A power loss.
  void lose(Prng& random, Losses& losses);

  // Up to where blocks are allocated, whatever the size says.
  std::uint64_t allocated = 0;
  bool locked = false;  // by a process that has it open
  // Damage: changes stable content behind everybody's back. REQUIRES: within the size.
  void damage(std::uint64_t at, Bytes bytes);

 private:
  // What stood in a sector before a volatile write.
  struct Overwritten {
    std::uint64_t sector = 0;
    Sequence when = 0;
    bool doomed = false;
    std::uint32_t length = 0;
    std::array<std::byte, kSector> before;
  };
  struct Resized {
    Sequence when = 0;
    std::uint64_t before = 0;
    Buffer cut;  // what a truncation took away
  };

  void take_back_sectors(Prng& random, Losses& losses);
  void take_back_sizes(Prng& random, Losses& losses);

  Buffer content_;
  std::vector<Overwritten> overwritten_;
  std::vector<Resized> resized_;
};

}  // namespace tailwater::disk_model
