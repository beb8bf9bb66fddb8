#include "core/log/blocks.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "core/log/directory.hpp"

namespace tailwater::log {

namespace {

using cache::ColdBlock;
using cache::ColdCache;

// From this place to the end of the log.
std::uint64_t bytes_behind(const LogState& log, const Segment& segment, std::uint64_t position) {
  std::uint64_t bytes = 0;
  for (const Segment& each : log.segments) {
    if (each.base >= segment.base) bytes += each.size;
  }
  return bytes - std::min(bytes, position);  // a truncation may have passed it
}

}  // namespace

BlockReader::~BlockReader() {
  for (Ticket& ticket : tickets_) {
    for (ColdBlock* block : ticket.pinned) shared_.cold.unpin(block);
  }
}

cache::BlockKey BlockReader::key(const Source& source, std::uint64_t index) const {
  return {Shared::block_file(*source.segment, source.kind), index};
}

ColdBlock* BlockReader::block(const Source& source, std::uint64_t position) {
  const std::uint64_t size = block_bytes();
  const std::uint64_t index = position / size;
  ColdBlock* found = shared_.cold.find(key(source, index));
  if (found != nullptr && !found->loading()) {
    const std::uint64_t wanted = std::min(size, source.limit - index * size);
    if (found->size >= wanted) {
      if (used_.empty() || used_.back() != found->key) used_.push_back(found->key);
      return found;
    }
    // It was read when less of the file counted.
    shared_.cold.drop(found->key);
  }
  const bool noted = std::any_of(missing_.begin(), missing_.end(), [&](const Missing& missing) {
    return missing.index == index && missing.source.segment == source.segment &&
           missing.source.kind == source.kind;
  });
  if (!noted) missing_.push_back({source, index});
  return nullptr;
}

bool BlockReader::present(const Source& source, std::uint64_t position) {
  const std::uint64_t size = block_bytes();
  const std::uint64_t index = position / size;
  const ColdBlock* found = shared_.cold.find(key(source, index));
  return found != nullptr && !found->loading() && found->size >= std::min(size, source.limit - index * size);
}

bool BlockReader::copy(const Source& source, std::uint64_t from, MutableBytes out) {
  CHECK(from + out.size() <= source.limit);
  bool whole = true;
  while (!out.empty()) {
    const std::uint64_t offset = from % block_bytes();
    const std::size_t length = std::min<std::size_t>(out.size(), block_bytes() - offset);
    if (const ColdBlock* found = block(source, from); found != nullptr) {
      const Bytes bytes = found->content().subspan(offset, length);
      std::copy(bytes.begin(), bytes.end(), out.begin());
    } else {
      whole = false;
    }
    out = out.subspan(length);
    from += length;
  }
  return whole;
}

std::size_t BlockReader::free_load() {
  if (free_loads_.empty()) {
    loads_.emplace_back();
    return loads_.size() - 1;
  }
  const std::size_t slot = free_loads_.back();
  free_loads_.pop_back();
  return slot;
}

std::optional<std::size_t> BlockReader::load(const Source& source, std::uint64_t index,
                                             ColdCache::Budget budget) {
  const std::uint64_t at = index * block_bytes();
  const std::uint64_t wanted = std::min<std::uint64_t>(block_bytes(), source.limit - at);
  const std::size_t size = journal::round_up(wanted, kDiskBlock);
  ColdBlock* block = shared_.cold.begin_load(key(source, index), size, budget);
  if (block == nullptr) return std::nullopt;
  const std::size_t slot = free_load();
  block->user = slot;
  Load& load = loads_[slot];
  load = {block, source.log, source.segment->base, source.segment->number, source.kind, 0, wanted, {}};
  load.file = source.log->dir->file_of(*source.log, *source.segment, source.kind);
  ++source.log->references;
  ++source.log->file_uses;
  DiskOp op = source.log->dir->op(DiskOpKind::read, Part::reader, slot);
  op.at = at;
  op.memory = block->memory.first(size);
  shared_.files.submit(load.file, std::move(op));
  return slot;
}

std::size_t BlockReader::free_ticket() {
  if (free_tickets_.empty()) {
    tickets_.emplace_back();
    return tickets_.size() - 1;
  }
  const std::size_t slot = free_tickets_.back();
  free_tickets_.pop_back();
  return slot;
}

ReadTicket BlockReader::promise() {
  const std::size_t slot = free_ticket();
  return {std::uint64_t{tickets_[slot].generation} << 32 | slot};
}

void BlockReader::keep_promise(ReadTicket ticket) {
  announce(ticket.value & 0xffff'ffff);
}

void BlockReader::pin(Ticket& ticket, ColdBlock* block) {
  shared_.cold.pin(block);
  ticket.pinned.push_back(block);
}

ReadTicket BlockReader::need() {
  CHECK(missed());
  const std::size_t slot = free_ticket();
  // First what is here, or the blocks that are to come might take its place, and the other way round for ever.
  for (const cache::BlockKey& used : used_) {
    ColdBlock* const found = shared_.cold.find(used);
    if (found != nullptr && !found->loading()) pin(tickets_[slot], found);
  }
  for (const Missing& missing : missing_) {
    ColdBlock* found = shared_.cold.find(key(missing.source, missing.index));
    std::optional<std::size_t> loading;
    if (found != nullptr) {
      if (!found->loading()) continue;
      loading = found->user;
    } else {
      // The first block always gets memory, so that whoever plans anew gets further each time.
      const auto budget =
          tickets_[slot].outstanding == 0 ? ColdCache::Budget::exceed : ColdCache::Budget::keep;
      loading = load(missing.source, missing.index, budget);
    }
    if (!loading) break;
    loads_[*loading].waiting.push_back(slot);
    ++tickets_[slot].outstanding;
    pin(tickets_[slot], loads_[*loading].block);
  }
  missing_.clear();
  CHECK(tickets_[slot].outstanding > 0);
  return {std::uint64_t{tickets_[slot].generation} << 32 | slot};
}

void BlockReader::read_ahead(const Source& source, std::uint64_t position) {
  const std::uint64_t index = position / block_bytes();
  if (position >= source.limit || shared_.cold.find(key(source, index)) != nullptr) return;
  load(source, index, ColdCache::Budget::keep);
}

void BlockReader::completed(const DiskDone& done, Directory& dir) {
  const std::size_t slot = detail_of(done.token);
  Load load = std::exchange(loads_[slot], {});
  free_loads_.push_back(slot);
  shared_.files.release(load.file);
  LogState& log = *load.log;
  --log.references;
  --log.file_uses;
  Segment* const segment = log.removed ? nullptr : log.segment_at(load.segment_base);
  const bool live = segment != nullptr && segment->number == load.segment_number;
  const bool gone = !done.outcome && done.outcome.error().code == Errc::not_found;
  const std::size_t got = std::min<std::size_t>(done.outcome.value_or(0), load.expected);
  const bool whole = done.outcome && got == load.expected;
  if (whole || (live && (done.outcome || gone) && load.kind == FileKind::records)) {
    // What is missing of a segment reads as zeros, which are no batch: the reader finds the damage and its
    // place.
    std::fill(load.block->memory.begin() + static_cast<std::ptrdiff_t>(got),
              load.block->memory.begin() + static_cast<std::ptrdiff_t>(load.expected), std::byte{0});
    if (live && load.kind == FileKind::records) {
      overlay(load);
      // It would have been here, had the log kept more of its recent bytes.
      const std::uint64_t begin = load.block->key.index * block_bytes();
      shared_.room.missed(load.expected, bytes_behind(log, *segment, begin), log.newest);
    }
    shared_.cold.loaded(load.block, load.expected);
  } else {
    shared_.cold.failed(load.block);
    // The files of what was removed meanwhile may be gone.
    if (live && (done.outcome || gone)) {
      segment->stored.entries = segment->stored.time_entries = 0;
      shared_.note_damaged_index(log.path(load.segment_base, load.kind));
    } else if (live && done.outcome.error().code != Errc::out_of_space) {
      dir.check(done);
    }
    // No descriptor for the file, which says nothing of the disk: whoever asked begins anew.
  }
  for (const std::size_t ticket : load.waiting) {
    if (--tickets_[ticket].outstanding == 0) announce(ticket);
  }
}

// After a crash the block that the log's end cut may be torn on the disk; memory has it whole until it is
// written anew.
void BlockReader::overlay(const Load& load) {
  const LogState& log = *load.log;
  if (log.chunks.empty()) return;
  const cache::Chunk& chunk = *log.chunks.front();
  if (chunk.segment_base != load.segment_base || chunk.valid >= chunk.first) return;
  const std::uint64_t begin = load.block->key.index * block_bytes();
  const std::uint64_t from = std::max(chunk.valid, begin);
  const std::uint64_t to = std::min(chunk.first, begin + load.expected);
  if (from >= to) return;
  const Bytes bytes = chunk.range(from, to);
  std::copy(bytes.begin(), bytes.end(),
            load.block->memory.begin() + static_cast<std::ptrdiff_t>(from - begin));
}

void BlockReader::announce(std::size_t ticket) {
  shared_.news.ready.push_back({std::uint64_t{tickets_[ticket].generation} << 32 | ticket});
  announced_.push_back(ticket);
}

void BlockReader::turn() {
  for (const std::size_t slot : releasable_) {
    Ticket& ticket = tickets_[slot];
    for (ColdBlock* block : ticket.pinned) shared_.cold.unpin(block);
    ticket.pinned.clear();
    ++ticket.generation;
    free_tickets_.push_back(slot);
  }
  releasable_ = std::exchange(announced_, {});
}

}  // namespace tailwater::log
