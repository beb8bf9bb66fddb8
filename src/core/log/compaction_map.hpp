// The newest offset of each key in a range of a log: what pass 1 of compaction builds and pass 2 asks.
// Bounded memory: keys are kept as keyed 128-bit hashes, 24 bytes each, in pages that come as they are
// needed. When a page is full the map is; the range ends there, and the next round goes on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/ids.hpp"
#include "base/siphash.hpp"

namespace tailwater::log {

class CompactionMap {
 public:
  // For about `keys` keys, in at most `bytes_max` bytes (but one page at least).
  CompactionMap(SipKey secret, std::uint64_t keys, std::uint64_t bytes_max);

  // False, and nothing changes, if a new key finds no room.
  [[nodiscard]] bool put(Bytes key, Offset offset);
  std::optional<Offset> find(Bytes key) const;

  std::size_t size() const { return size_; }
  // Of what it may take at most.
  std::uint32_t used_percent() const;
  std::uint64_t memory_bytes() const { return pages_in_use_ * sizeof(Page); }

 private:
  struct Slot {
    Digest128 key;
    std::int64_t offset;  // -1: free
  };
  static constexpr std::size_t kPageSlots = 1'024;
  struct Page {
    std::size_t used = 0;
    Slot slots[kPageSlots];
  };

  std::size_t page_of(const Digest128& key) const;
  static Slot* probe(Page& page, const Digest128& key);

  SipKey secret_;
  std::vector<std::unique_ptr<Page>> pages_;
  std::size_t pages_in_use_ = 0;
  std::size_t size_ = 0;
};

}  // namespace tailwater::log
