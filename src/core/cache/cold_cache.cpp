#include "core/cache/cold_cache.hpp"

#include "base/check.hpp"

namespace tailwater::cache {

ColdCache::~ColdCache() {
  for (ColdBlock* block : clock_) {
    pool_.give(block->memory);
    delete block;
  }
}

ColdBlock* ColdCache::find(const BlockKey& key) {
  const auto found = blocks_.find(key);
  if (found == blocks_.end()) return nullptr;
  found->second->used_ = true;
  return found->second;
}

ColdBlock* ColdCache::begin_load(const BlockKey& key, std::size_t bytes, Budget budget) {
  if (!make_room(block_size_for(bytes)) && budget == Budget::keep) return nullptr;
  auto* block = new ColdBlock;
  block->key = key;
  block->memory = pool_.take(bytes);
  block->pins_ = 1;
  block->place_ = clock_.size();
  bytes_ += block->memory.size();
  clock_.push_back(block);
  const bool inserted = blocks_.emplace(key, block).second;
  CHECK(inserted);
  return block;
}

void ColdCache::loaded(ColdBlock* block, std::size_t bytes) {
  CHECK(block->loading_);
  CHECK(bytes <= block->memory.size());
  block->loading_ = false;
  block->size = bytes;
  unpin(block);
}

void ColdCache::failed(ColdBlock* block) {
  block->loading_ = false;
  if (!block->dropped_) detach(block);
  unpin(block);
}

void ColdCache::unpin(ColdBlock* block) {
  CHECK(block->pins_ > 0);
  if (--block->pins_ == 0 && block->dropped_) destroy(block);
}

void ColdCache::drop(const BlockKey& key) {
  const auto found = blocks_.find(key);
  if (found == blocks_.end()) return;
  ColdBlock* const block = found->second;
  detach(block);
  if (block->pins_ == 0) destroy(block);
}

bool ColdCache::make_room(std::size_t bytes) {
  // Twice round: the first time may only take marks of use away.
  std::size_t looks = 2 * clock_.size();
  while (bytes_ + bytes > bytes_max_ && looks-- > 0) {
    if (hand_ >= clock_.size()) hand_ = 0;
    ColdBlock* const block = clock_[hand_];
    if (block->pins_ > 0) {
      ++hand_;
    } else if (block->used_) {
      block->used_ = false;
      ++hand_;
    } else {
      detach(block);
      destroy(block);
    }
  }
  return bytes_ + bytes <= bytes_max_;
}

void ColdCache::detach(ColdBlock* block) {
  block->dropped_ = true;
  blocks_.erase(block->key);
}

void ColdCache::destroy(ColdBlock* block) {
  // The last one takes its place on the clock.
  ColdBlock* const last = clock_.back();
  clock_[block->place_] = last;
  last->place_ = block->place_;
  clock_.pop_back();
  bytes_ -= block->memory.size();
  pool_.give(block->memory);
  delete block;
}

}  // namespace tailwater::cache
