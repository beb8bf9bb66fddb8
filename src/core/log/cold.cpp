// The part of Reader that gives away what comes from the disk: which batches, whether they are whole, and
// what is said when they are not.
#include <algorithm>
#include <string>
#include <utility>

#include "base/check.hpp"
#include "base/crc32c.hpp"
#include "core/log/directory.hpp"
#include "core/log/reader.hpp"

namespace tailwater::log {

namespace {

// More damaged places than that are counted, but not spelled out.
constexpr std::size_t kSaidMax = 1'024;

}  // namespace

void Reader::want_range(const BlockReader::Source& source, std::uint64_t from, std::uint64_t to) {
  const std::uint64_t size = blocks_.block_bytes();
  for (std::uint64_t at = from / size * size; at < to; at += size) blocks_.block(source, std::max(at, from));
}

bool Reader::here(const BlockReader::Source& source, std::uint64_t from, std::uint64_t to) {
  const std::uint64_t size = blocks_.block_bytes();
  for (std::uint64_t at = from / size * size; at < to; at += size) {
    if (!blocks_.present(source, std::max(at, from))) return false;
  }
  return true;
}

Reader::Look Reader::cold_header(const BlockReader::Source& source, const Spot& spot, StoredBatch& batch,
                                 std::string_view& wrong) {
  wrong = "the bytes are no batch";
  std::byte header[kStoredBatchPeek];
  const std::uint64_t left = source.limit - spot.position;
  if (left < sizeof header) return Look::bad;
  if (!blocks_.copy(source, spot.position, header)) return Look::missing;
  batch = peek_batch(header);
  if (!plausible(batch, header) || batch.size > left) return Look::bad;
  wrong = "a batch has offsets that cannot be there";
  if (batch.base < spot.floor || batch.last >= source.segment->next) return Look::bad;
  if (batch.base == spot.floor) return Look::found;
  wrong = "batches are missing";
  if (source.segment->gapless) return Look::bad;
  wrong = "a batch has offsets that cannot be there";
  // A gap, which compaction leaves, and damage may pretend: then the batch reaches into the next one.
  const std::uint64_t behind = spot.position + batch.size;
  if (behind == source.limit) {
    const ChunkList& chunks = source.log->chunks;
    const bool goes_on = !chunks.empty() && chunks.front()->segment_base == source.segment->base;
    return goes_on && chunks.front()->first_offset <= batch.last ? Look::bad : Look::found;
  }
  if (source.limit - behind < sizeof header) return Look::bad;
  if (!blocks_.copy(source, behind, header)) return Look::missing;
  return peek_batch(header).base > batch.last ? Look::found : Look::bad;
}

// What lies in memory does not change: a batch is looked at once for as long as its blocks stay there, however
// often a fetch that waits for others is tried.
bool Reader::cold_crc_matches(const BlockReader::Source& source, std::uint64_t position, std::uint64_t size) {
  const std::uint64_t end = position + size;
  const auto each_block = [&](std::uint64_t at, auto&& visit) {
    while (at < end) {
      cache::ColdBlock* block = blocks_.block(source, at);
      CHECK(block != nullptr);
      const std::uint64_t from = at % blocks_.block_bytes();
      const std::uint64_t count = std::min<std::uint64_t>(end - at, blocks_.block_bytes() - from);
      visit(*block, from, from + count);
      at += count;
    }
  };
  bool is_checked = true;
  each_block(position, [&](const cache::ColdBlock& block, std::uint64_t from, std::uint64_t to) {
    is_checked = is_checked && block.is_checked(from, to);
  });
  if (is_checked) return true;
  std::byte stored[sizeof(std::uint32_t)];
  CHECK(blocks_.copy(source, position + records::at::kCrc, stored));
  std::uint32_t crc = 0;
  each_block(position + records::at::kAttributes,
             [&](const cache::ColdBlock& block, std::uint64_t from, std::uint64_t to) {
               crc = crc32c(block.content().subspan(from, to - from), crc);
             });
  if (crc != load_big<std::uint32_t>(stored)) return false;
  each_block(position,
             [](cache::ColdBlock& block, std::uint64_t from, std::uint64_t to) { block.checked(from, to); });
  return true;
}

// From run.begin as many whole batches as are wanted, allowed and here; the first in any case, if it is
// allowed. A damaged one behind the first is left to the read that begins with it.
Reader::Look Reader::cold_run(const BlockReader::Source& source, const ReadRequest& request, ColdRun& run) {
  run.end = run.begin;
  while (run.end < source.limit) {
    const bool first = run.end == run.begin;
    const Spot spot{run.end, run.floor};
    if (!first && !here(source, run.end, std::min(source.limit, run.end + kStoredBatchPeek))) break;
    StoredBatch batch;
    std::string_view wrong;
    Look look = cold_header(source, spot, batch, wrong);
    if (look == Look::found) {
      if (batch.last >= request.upper_bound) break;
      const bool fits = run.end + batch.size - run.begin <= request.bytes_max;
      if (!fits && !(first && request.at_least_one_batch)) break;
      if (first) want_range(source, run.end, run.end + batch.size);
      if (first && blocks_.missed()) {
        // While the disk is at it, all that the request asks for.
        const std::uint64_t wanted = std::max<std::uint64_t>(batch.size, request.bytes_max);
        want_range(source, run.end, std::min(source.limit, run.end + wanted));
        return Look::missing;
      }
      if (!first && !here(source, run.end, run.end + batch.size)) break;
      if (!cold_crc_matches(source, run.end, batch.size)) {
        look = Look::bad;
        wrong = "the checksum of a batch does not match";
      }
    }
    if (look != Look::found && !first) break;
    if (look == Look::bad) return damaged(*source.log, *source.segment, spot, batch.size, wrong);
    if (look != Look::found) return look;
    run.end += batch.size;
    run.next = run.floor = batch.last + 1;
  }
  return run.end > run.begin ? Look::found : Look::absent;
}

ReadPlan Reader::plan_cold(LogState& log, const ReadRequest& request, std::vector<Bytes>& pieces) {
  blocks_.begin();
  Segment& segment = segment_of(log, request.from);
  ColdRun run;
  run.next = request.from;
  const bool hinted = log.hint.offset == request.from && log.hint.segment_number == segment.number;
  Look look = Look::found;
  Spot spot{log.hint.position, log.hint.floor};
  if (!hinted) look = find_offset(log, segment, request.from, spot);
  run.begin = spot.position;
  run.floor = spot.floor;
  const BlockReader::Source records = source(log, segment, FileKind::records);
  if (look == Look::found && run.begin >= records.limit) {
    // The offset is in a gap behind the cold bytes of this segment: what follows is in memory or in the next
    // one.
    ReadRequest further = request;
    further.from = is_hot(log, segment, run.begin) ? log.chunks.front()->first_offset : segment.next;
    if (further.from <= request.from) return {.kind = ReadPlan::Kind::failed};
    return plan(log, further, pieces);
  }
  if (look == Look::found) {
    // Should the bytes have to come first, the place is known the next time.
    log.hint = {request.from, segment.number, spot.position, spot.floor};
    look = cold_run(records, request, run);
  }
  if (look == Look::missing) return {.kind = ReadPlan::Kind::need, .ticket = blocks_.need()};
  if (look == Look::bad) return {.kind = ReadPlan::Kind::corrupt};
  if (look == Look::absent) return {.kind = ReadPlan::Kind::at_end, .next = request.from};

  ReadPlan plan;
  plan.kind = ReadPlan::Kind::hot;
  plan.next = run.next;
  plan.bytes = run.end - run.begin;
  Pin& pin = new_pin(plan.pin);
  const std::uint64_t size = blocks_.block_bytes();
  for (std::uint64_t at = run.begin; at < run.end;) {
    cache::ColdBlock* block = blocks_.block(records, at);
    CHECK(block != nullptr);
    const std::uint64_t end = std::min(run.end, at / size * size + size);
    shared_.cold.pin(block);
    pin.blocks.push_back(block);
    pieces.push_back(block->content().subspan(at % size, end - at));
    at = end;
  }
  log.hint = {run.next, segment.number, run.end, run.floor};
  for (std::uint32_t ahead = 0; ahead <= shared_.options.read_ahead_blocks; ++ahead) {
    blocks_.read_ahead(records, run.end + ahead * size);
  }
  return plan;
}

// --- what is said

bool Reader::first_time(const Segment& segment, FileKind kind, std::uint64_t position) {
  if (said_.size() >= kSaidMax) return false;
  return said_.emplace(Shared::block_file(segment, kind), position).second;
}

Reader::Look Reader::damaged(const LogState& log, const Segment& segment, const Spot& spot,
                             std::uint64_t bytes, std::string_view wrong) {
  ++corrupt_reads_;
  // Should the disk have been wrong only once, the next read finds out.
  const std::uint64_t size = blocks_.block_bytes();
  const std::uint64_t file = Shared::block_file(segment, FileKind::records);
  const std::uint64_t end = std::min(segment.size, spot.position + std::max<std::uint64_t>(bytes, 1));
  for (std::uint64_t at = spot.position / size * size; at < end; at += size) {
    shared_.cold.drop({file, at / size});
  }
  if (!first_time(segment, FileKind::records, spot.position)) return Look::bad;
  std::string text = log.path(segment.base, FileKind::records) + " is damaged at byte " +
                     std::to_string(spot.position) + ", offset " + std::to_string(spot.floor.value) + ": ";
  text += wrong;
  text += "; it is not served. 'tailwater log verify' lists all damage while no broker runs";
  shared_.news.faults.push_back(std::move(text));
  return Look::bad;
}

void Reader::index_damaged(const LogState& log, const Segment& segment, FileKind kind) {
  if (first_time(segment, kind, 0)) shared_.note_damaged_index(log.path(segment.base, kind));
}

}  // namespace tailwater::log
