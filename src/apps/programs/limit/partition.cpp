#include "programs/limit/partition.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "records/batch.hpp"

namespace tailwater::limit {

namespace {

constexpr std::size_t kLargeBatch = std::size_t{128} << 10;
constexpr std::size_t kFiles = 8;  // full ones: more partitions share the room of these
constexpr std::size_t kAllOpenChunks = std::size_t{64} << 20;

}  // namespace

void Partitions::make_files(Topic& topic) {
  chunk_bytes_ = std::clamp(whole_blocks(kAllOpenChunks / topic.partitions.size()), std::size_t{64} << 10,
                            std::size_t{1} << 20);
  spare_.clear();
  const std::size_t size =
      std::min(file_bytes_, whole_blocks(kFiles * file_bytes_ / topic.partitions.size()));
  for (const auto& partition : topic.partitions) {
    partition->file_size = size;
    partition->file = files_.make_file(topic.name + "-" + std::to_string(partition->number), size);
  }
}

Chunk& Partitions::make_chunk(Partition& partition, std::size_t bytes) {
  if (bytes <= chunk_bytes_ && !spare_.empty()) {
    chunks_.push_back(std::move(spare_.back()));
    spare_.pop_back();
    Chunk& chunk = *chunks_.back();
    chunk.owner = &partition;
    chunk.size = 0;
    chunk.is_written = false;
  } else {
    chunks_.push_back(std::make_unique<Chunk>(partition, std::max(bytes, chunk_bytes_)));
  }
  memory_ += chunks_.back()->memory.bytes().size();
  shrink();
  return *chunks_.back();
}

void Partitions::shrink() {
  while (memory_ > memory_max_ && chunks_.front()->is_written && chunks_.front()->pins == 0) {
    std::unique_ptr<Chunk> chunk = std::move(chunks_.front());
    chunks_.pop_front();
    auto& entries = chunk->owner->entries;
    while (!entries.empty() && entries.front().chunk == chunk.get()) entries.pop_front();
    memory_ -= chunk->memory.bytes().size();
    if (chunk->memory.bytes().size() == chunk_bytes_) spare_.push_back(std::move(chunk));
  }
}

bool Partitions::append(Partition& partition, Bytes batch, std::int32_t records, Files::Done written) {
  const bool is_large = batch.size() >= kLargeBatch;
  Chunk* chunk = partition.open;
  if (chunk != nullptr && (is_large || chunk->memory.bytes().size() - chunk->size < batch.size())) {
    write(partition, *chunk, {});
    chunk = partition.open = nullptr;
  }
  if (chunk == nullptr) chunk = &make_chunk(partition, batch.size());
  std::byte* const to = chunk->memory.bytes().data() + chunk->size;
  std::memcpy(to, batch.data(), batch.size());
  const MutableBytes bytes{to, batch.size()};
  records::set_base_offset(bytes, Offset{partition.end});
  chunk->size += batch.size();
  partition.entries.push_back({partition.end, partition.end + records, chunk, bytes});
  partition.end += records;
  if (is_large) {
    write(partition, *chunk, std::move(written));
  } else {
    partition.open = chunk;
  }
  return is_large;
}

void Partitions::write(Partition& partition, Chunk& chunk, Files::Done done) {
  partition.to_write.emplace_back(&chunk, std::move(done));
  if (!partition.is_writing) write_next(partition);
}

void Partitions::write_next(Partition& partition) {
  partition.is_writing = !partition.to_write.empty();
  if (!partition.is_writing) return;
  auto [chunk, done] = std::move(partition.to_write.front());
  partition.to_write.pop_front();
  const std::size_t size = whole_blocks(chunk->size);
  if (partition.at + size > partition.file_size) partition.at = 0;
  const std::uint64_t at = std::exchange(partition.at, partition.at + size);
  files_.write(partition.file, at, chunk->memory.bytes().first(size),
               [this, &partition, written = chunk, then = std::move(done)] {
                 written->is_written = true;
                 if (then) then();
                 write_next(partition);
               });
}

std::size_t Partitions::read(Partition& partition, std::int64_t offset, std::size_t bytes_max, bool whole,
                             std::vector<Piece>& pieces) {
  auto entry = std::ranges::lower_bound(partition.entries, offset, {}, &Entry::offset);
  std::size_t total = 0;
  for (; entry != partition.entries.end() && entry->next <= partition.durable_end; ++entry) {
    const bool fits = total + entry->bytes.size() <= bytes_max || (whole && total == 0);
    if (!fits) break;
    Piece* const last = total > 0 ? &pieces.back() : nullptr;
    if (last != nullptr && last->bytes.data() + last->bytes.size() == entry->bytes.data()) {
      last->bytes = {last->bytes.data(), last->bytes.size() + entry->bytes.size()};
    } else {
      pieces.push_back({entry->bytes, entry->chunk});
      ++entry->chunk->pins;
    }
    total += entry->bytes.size();
  }
  return total;
}

}  // namespace tailwater::limit
