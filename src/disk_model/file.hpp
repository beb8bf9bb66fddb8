// A file as a disk has it: its content, and what of that would survive a power loss. Writes and changes of
// the size are volatile until they are hardened. A power loss takes or leaves each sector of each volatile
// write; of the changes of the size it leaves those up to one of them, since they are one number.
// Bytes that were stable may be damaged, too: nobody wrote them, and until somebody does they can be mended.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/prng.hpp"

namespace tailwater::disk_model {

// The order in which things were done to the disk.
using Sequence = std::uint64_t;

inline constexpr std::size_t kSector = 512;

// One thing that a power loss takes or leaves: a sector of a write, a change of a size or of a name. Those
// with the same number were done by one operation.
struct Unsettled {
  enum class Kind : std::uint8_t { sector, size, name };
  Sequence operation = 0;
  Kind kind{};
  DirId dir{};
};

// What a power loss took.
struct Losses {
  std::uint64_t sectors = 0;
  std::uint64_t sizes = 0;
  std::uint64_t names = 0;
  std::uint64_t torn = 0;       // writes of which some sectors are there and others are not
  std::uint64_t reordered = 0;  // whether anything is there that was done after what is not
};

// What a power loss leaves by chance: everything or nothing, or of each operation all, a part or nothing.
std::vector<bool> keep_by_chance(const std::vector<Unsettled>& unsettled, Prng& random, Losses& losses);

// Bytes, and what those that were damaged had been.
class Layer {
 public:
  const Buffer& bytes() const { return bytes_; }
  std::uint64_t size() const { return bytes_.size(); }
  // REQUIRES: within the size.
  void write(std::uint64_t at, Bytes bytes);
  void resize(std::uint64_t size);
  void damage(std::uint64_t at, Bytes bytes);
  void mend();
  bool damaged() const { return !was_.empty(); }

 private:
  Buffer bytes_;
  std::map<std::uint64_t, std::byte> was_;  // by position
};

class File {
 public:
  const Buffer& content() const { return content_.bytes(); }
  // What is there after a power loss that takes all that it may.
  const Buffer& stable_content() const { return stable_.bytes(); }
  std::uint64_t size() const { return content_.size(); }
  bool stable() const { return parts_.empty(); }
  // Nothing but zeros, and whatever a power loss takes it stays so.
  bool blank() const;

  void write(std::uint64_t at, Bytes bytes, Sequence now);
  void resize(std::uint64_t size, Sequence now);

  // A durable write, O_DSYNC: these bytes are stable, and the size as far as they need it.
  void harden_range(std::uint64_t at, std::uint64_t size);
  // A sync: everything done up to then is stable, the size included.
  void harden(Sequence until);
  // A sync that failed: what was volatile may be lost for ever, however often a sync succeeds afterwards.
  void doom(Sequence until);

  // What is volatile, in the order in which it was done.
  void list(std::vector<Unsettled>& unsettled) const;
  // A power loss that leaves of list() what `kept` says; `kept` moves behind the last of it.
  void settle(std::vector<bool>::const_iterator& kept);
  // A power loss by chance.
  void lose(Prng& random, Losses& losses);

  // Up to where blocks are allocated, whatever the size says.
  std::uint64_t allocated = 0;
  bool locked = false;  // by a process that has it open

  // Whether these bytes are stable, and nothing newer is on its way to their place.
  bool settled(std::uint64_t at, std::uint64_t size) const;
  // Changes them behind everybody's back. REQUIRES: settled.
  void damage(std::uint64_t at, Bytes bytes);
  // Everything that is still damaged becomes what it was.
  void mend();
  bool damaged() const { return content_.damaged() || stable_.damaged(); }

 private:
  // Bytes within one sector, or (without a length) a change of the size to `at`.
  struct Part {
    Sequence when = 0;
    std::uint64_t at = 0;
    std::uint32_t length = 0;
    bool doomed = false;
    std::array<std::byte, kSector> bytes;

    bool is_size() const { return length == 0; }
    std::uint64_t sector() const { return at / kSector; }
  };

  static void apply(Layer& to, const Part& part);
  static bool overrules(const Part& newer, const Part& older);
  template <class Chosen>
  void make_stable(Chosen chosen);

  Layer content_;
  Layer stable_;
  std::vector<Part> parts_;  // what content_ has beyond stable_
};

}  // namespace tailwater::disk_model
