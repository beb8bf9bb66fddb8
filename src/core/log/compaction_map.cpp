#include "core/log/compaction_map.hpp"

#include <algorithm>

namespace tailwater::log {

namespace {

// Pages are filled unevenly: with this many keys for each on average hardly one of them overflows.
constexpr std::uint64_t kKeysPerPage = 850;

}  // namespace

CompactionMap::CompactionMap(SipKey secret, std::uint64_t keys, std::uint64_t bytes_max) : secret_(secret) {
  const std::uint64_t affordable = std::max<std::uint64_t>(bytes_max / sizeof(Page), 1);
  pages_.resize(std::clamp<std::uint64_t>(keys / kKeysPerPage + 1, 1, affordable));
}

std::size_t CompactionMap::page_of(const Digest128& key) const {
  return static_cast<std::size_t>((key.high >> 32) * pages_.size() >> 32);
}

// The slot of the key, or the free one that it would take; null if the page is full of others.
CompactionMap::Slot* CompactionMap::probe(Page& page, const Digest128& key) {
  std::size_t at = key.low % kPageSlots;
  for (std::size_t looks = 0; looks < kPageSlots; ++looks, at = (at + 1) % kPageSlots) {
    Slot& slot = page.slots[at];
    if (slot.offset < 0 || slot.key == key) return &slot;
  }
  return nullptr;
}

bool CompactionMap::put(Bytes key, Offset offset) {
  const Digest128 digest = siphash128(secret_, key);
  std::unique_ptr<Page>& page = pages_[page_of(digest)];
  if (!page) {
    page = std::make_unique<Page>();
    for (Slot& slot : page->slots) slot.offset = -1;
    ++pages_in_use_;
  }
  Slot* const slot = probe(*page, digest);
  if (slot == nullptr) return false;
  if (slot->offset < 0) {
    // Probing gets slow in the last free slots.
    if (page->used >= kPageSlots - kPageSlots / 32) return false;
    ++page->used;
    ++size_;
    slot->key = digest;
  }
  slot->offset = offset.value;
  return true;
}

std::optional<Offset> CompactionMap::find(Bytes key) const {
  const Digest128 digest = siphash128(secret_, key);
  const std::unique_ptr<Page>& page = pages_[page_of(digest)];
  if (!page) return std::nullopt;
  const Slot* const slot = probe(*page, digest);
  if (slot == nullptr || slot->offset < 0) return std::nullopt;
  return Offset{slot->offset};
}

std::uint32_t CompactionMap::used_percent() const {
  return static_cast<std::uint32_t>(size_ * 100 / (pages_.size() * kPageSlots));
}

}  // namespace tailwater::log
