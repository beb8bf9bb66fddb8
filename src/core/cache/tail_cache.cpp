#include "core/cache/tail_cache.hpp"

#include "base/check.hpp"

namespace tailwater::cache {

TailCache::~TailCache() {
  while (oldest_ != nullptr) drop(oldest_);
}

Chunk* TailCache::make(std::size_t size) {
  auto* chunk = new Chunk;
  chunk->memory = pool_.take(size);
  bytes_ += chunk->memory.size();
  return chunk;
}

void TailCache::drop(Chunk* chunk) {
  CHECK(!chunk->dropped_);
  set_dirty(chunk);
  chunk->dropped_ = true;
  dropped_bytes_ += chunk->memory.size();
  chunk->owner = nullptr;
  if (chunk->pins_ == 0) destroy(chunk);
}

void TailCache::unpin(Chunk* chunk) {
  CHECK(chunk->pins_ > 0);
  if (--chunk->pins_ > 0) return;
  if (chunk->clean_) pinned_clean_bytes_ -= chunk->memory.size();
  if (chunk->dropped_) destroy(chunk);
}

void TailCache::set_clean(Chunk* chunk) {
  if (chunk->clean_) return;
  chunk->clean_ = true;
  clean_bytes_ += chunk->memory.size();
  if (chunk->pins_ > 0) pinned_clean_bytes_ += chunk->memory.size();
  link(chunk);
}

void TailCache::set_dirty(Chunk* chunk) {
  if (!chunk->clean_) return;
  chunk->clean_ = false;
  clean_bytes_ -= chunk->memory.size();
  if (chunk->pins_ > 0) pinned_clean_bytes_ -= chunk->memory.size();
  unlink(chunk);
}

void TailCache::link(Chunk* chunk) {
  chunk->older_ = newest_;
  chunk->newer_ = nullptr;
  (newest_ == nullptr ? oldest_ : newest_->newer_) = chunk;
  newest_ = chunk;
}

void TailCache::unlink(Chunk* chunk) {
  (chunk->older_ == nullptr ? oldest_ : chunk->older_->newer_) = chunk->newer_;
  (chunk->newer_ == nullptr ? newest_ : chunk->newer_->older_) = chunk->older_;
  chunk->older_ = nullptr;
  chunk->newer_ = nullptr;
}

void TailCache::destroy(Chunk* chunk) {
  bytes_ -= chunk->memory.size();
  if (chunk->dropped_) dropped_bytes_ -= chunk->memory.size();
  pool_.give(chunk->memory);
  delete chunk;
}

}  // namespace tailwater::cache
