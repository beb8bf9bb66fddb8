#include "core/cache/block_pool.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace tailwater::cache {

namespace {

constexpr std::size_t kSlabBytes = std::size_t{1} << 20;
static_assert(kSlabBytes == kBlockSizes.back());
static_assert(kSlabBytes == kPagesAlignment);

// So few free slabs nobody looks for.
constexpr std::size_t kSpareLeast = 16;
// Longer than the tides of flushing take.
constexpr Duration kLookInterval = Duration::from_ms(10'000);
// The kernel takes its time for each slab, in which the shard does nothing else.
constexpr std::size_t kGivenAtOnce = 16;
constexpr Duration kGivePause = Duration::from_ms(10);

// So many bytes of free blocks that are larger than a slab are kept at most: slabs do not serve in their place, nor they
// in that of slabs.
constexpr std::uint64_t kSpareLargeBytes = 32 * kSlabBytes;
constexpr std::size_t kLargeStep = kSlabBytes / 4;

std::uint32_t blocks_in_slab(std::size_t size_class) {
  return static_cast<std::uint32_t>(kSlabBytes / kBlockSizes[size_class]);
}

}  // namespace

std::size_t block_size_for(std::size_t size) {
  for (const std::size_t each : kBlockSizes) {
    if (size <= each) return each;
  }
  return (size + kLargeStep - 1) / kLargeStep * kLargeStep;
}

BlockPool::~BlockPool() {
  for (auto& entry : slabs_) pages_.give(entry.second->memory, kSlabBytes);
  for (std::byte* const slab : spare_) pages_.give(slab, kSlabBytes);
  give_back_large(spare_large_.size());
}

std::byte* BlockPool::take_slab() {
  if (!spare_.empty()) {
    std::byte* const slab = spare_.back();
    spare_.pop_back();
    spare_least_ = std::min(spare_least_, spare_.size());
    return slab;
  }
  held_bytes_ += kSlabBytes;
  return pages_.take(kSlabBytes);
}

void BlockPool::give_back(std::size_t slabs) {
  // Those first that nobody has used for longest.
  const auto end = spare_.begin() + static_cast<std::ptrdiff_t>(std::min(slabs, spare_.size()));
  for (auto slab = spare_.begin(); slab != end; ++slab) {
    held_bytes_ -= kSlabBytes;
    pages_.give(*slab, kSlabBytes);
  }
  spare_.erase(spare_.begin(), end);
  spare_least_ = std::min(spare_least_, spare_.size());
}

void BlockPool::give_back_large(std::size_t count) {
  const auto end = spare_large_.begin() + static_cast<std::ptrdiff_t>(std::min(count, spare_large_.size()));
  for (auto block = spare_large_.begin(); block != end; ++block) {
    held_bytes_ -= block->size();
    spare_large_bytes_ -= block->size();
    pages_.give(block->data(), block->size());
  }
  spare_large_.erase(spare_large_.begin(), end);
  large_least_ = std::min(large_least_, spare_large_.size());
}

void BlockPool::look(Instant now) {
  const bool looks = look_at_ != Instant::max();
  if (looks && now < look_at_) return;
  const std::size_t spared = spare_.size() - std::min(spare_.size(), kSpareLeast);
  if (looks && owed_ == 0) {
    owed_ = (spare_least_ + 1) / 2;
    give_back_large((large_least_ + 1) / 2);
  }
  owed_ = std::min(owed_, spared);
  const std::size_t given = std::min(owed_, kGivenAtOnce);
  give_back(given);
  owed_ -= given;
  const bool more = spared > given || !spare_large_.empty();
  look_at_ = more ? now + (owed_ > 0 ? kGivePause : kLookInterval) : Instant::max();
  if (owed_ > 0) return;
  spare_least_ = spare_.size();
  large_least_ = spare_large_.size();
}

BlockPool::Slab& BlockPool::slab_with_room(std::size_t size_class) {
  auto& candidates = with_room_[size_class];
  if (!candidates.empty()) return *candidates.back();
  auto slab = std::make_unique<Slab>();
  slab->memory = take_slab();
  slab->size_class = size_class;
  slab->free_count = blocks_in_slab(size_class);
  candidates.push_back(slab.get());
  auto& owned = slabs_[reinterpret_cast<std::uintptr_t>(slab->memory)];
  owned = std::move(slab);
  return *owned;
}

MutableBytes BlockPool::take_large(std::size_t size) {
  // That which was given last.
  const auto fits = std::find_if(spare_large_.rbegin(), spare_large_.rend(), [&](const MutableBytes& block) {
    return block.size() >= size && block.size() <= size + size / 4;
  });
  if (fits != spare_large_.rend()) {
    const MutableBytes block = *fits;
    spare_large_.erase(std::prev(fits.base()));
    spare_large_bytes_ -= block.size();
    large_least_ = std::min(large_least_, spare_large_.size());
    return block;
  }
  // So that all together are not more than was in use before.
  const std::uint64_t held = held_bytes_;
  while (held_bytes_ + size > held && !spare_large_.empty()) give_back_large(1);
  if (held_bytes_ + size > held) give_back((held_bytes_ + size - held + kSlabBytes - 1) / kSlabBytes);
  held_bytes_ += size;
  return {pages_.take(size), size};
}

MutableBytes BlockPool::take(std::size_t size) {
  const std::size_t rounded = block_size_for(size);
  if (rounded > kSlabBytes) {
    const MutableBytes block = take_large(rounded);
    taken_bytes_ += block.size();
    return block;
  }
  taken_bytes_ += rounded;
  if (rounded == kSlabBytes) return {take_slab(), rounded};
  const auto size_class = static_cast<std::size_t>(
      std::find(kBlockSizes.begin(), kBlockSizes.end(), rounded) - kBlockSizes.begin());
  Slab& slab = slab_with_room(size_class);
  std::uint32_t block = 0;
  if (slab.returned.empty()) {
    block = slab.next_fresh++;
  } else {
    block = slab.returned.back();
    slab.returned.pop_back();
  }
  if (--slab.free_count == 0) with_room_[size_class].pop_back();
  return {slab.memory + block * rounded, rounded};
}

void BlockPool::give(MutableBytes block) {
  taken_bytes_ -= block.size();
  if (block.size() == kSlabBytes) return spare_.push_back(block.data());
  if (block.size() > kSlabBytes) {
    spare_large_.push_back(block);
    spare_large_bytes_ += block.size();
    while (spare_large_bytes_ > kSpareLargeBytes) give_back_large(1);
    return;
  }
  const auto address = reinterpret_cast<std::uintptr_t>(block.data());
  const auto found = slabs_.find(address / kSlabBytes * kSlabBytes);
  CHECK(found != slabs_.end());
  Slab& slab = *found->second;
  CHECK(kBlockSizes[slab.size_class] == block.size());
  slab.returned.push_back(static_cast<std::uint16_t>((address % kSlabBytes) / block.size()));
  auto& candidates = with_room_[slab.size_class];
  if (slab.free_count++ == 0) candidates.push_back(&slab);
  if (slab.free_count == blocks_in_slab(slab.size_class)) retire(slab);
}

void BlockPool::retire(Slab& slab) {
  // One empty slab stays, so that a block taken and given in turns does not cost a slab each time.
  auto& candidates = with_room_[slab.size_class];
  if (candidates.size() == 1) return;
  const auto place = std::find(candidates.begin(), candidates.end(), &slab);
  CHECK(place != candidates.end());
  candidates.erase(place);
  std::byte* const memory = slab.memory;
  slabs_.erase(reinterpret_cast<std::uintptr_t>(memory));
  spare_.push_back(memory);
}

}  // namespace tailwater::cache
