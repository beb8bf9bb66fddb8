// Fuzzes the record room: whatever bytes come in, parsing, walking, validating, opening and re-encoding end
// with an answer inside their bounds. The first byte chooses what is done with the rest:
//   0     batches one behind the other, as a log reads them
//   1     one batch under the produce rules; its CRC is made right, as a hostile client would
//   2     a block of records without a header
//   3-7   a block of codec 0-4 under a small cap
//   8-12  a batch made here around the bytes as compressed records of codec 0-4, opened and re-encoded
// Oracles: what is accepted reads back; what was re-encoded is accepted and holds the same records.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "records/batch.hpp"
#include "records/builder.hpp"
#include "records/compression.hpp"
#include "records/control.hpp"
#include "records/recompress.hpp"
#include "records/record.hpp"
#include "records/validate.hpp"

namespace {

using namespace tailwater;
using namespace tailwater::records;

constexpr std::size_t kCap = std::size_t{1} << 20;
constexpr WallTime kNow{1'700'000'000'000};

void require(bool condition, int line = __builtin_LINE()) {
  if (condition) return;
  std::fprintf(stderr, "records_fuzz: the oracle in line %d does not hold\n", line);
  std::abort();
}

// Touches every byte that a record points to, so that a sanitizer sees a pointer beyond the block.
std::uint64_t sum(Bytes bytes) {
  std::uint64_t total = 0;
  for (const std::byte byte : bytes) total += static_cast<std::uint64_t>(byte);
  return total;
}

std::int32_t walk(Bytes records, std::int32_t count) {
  RecordCursor cursor(records, count);
  std::uint64_t total = 0;
  std::int32_t seen = 0;
  while (const auto record = cursor.next()) {
    ++seen;
    total += sum(record->key.value_or(Bytes())) + sum(record->value.value_or(Bytes()));
    HeaderCursor headers = record->headers();
    while (const auto header = headers.next())
      total += sum(header->key) + sum(header->value.value_or(Bytes()));
    require(headers.failed() != record->has_sound_headers());
    (void)control_type(*record);
  }
  require(cursor.fault() || seen == (count < 0 ? 0 : count));
  volatile std::uint64_t sink = total;
  (void)sink;
  return seen;
}

void read_log(Bytes bytes) {
  BatchCursor cursor(bytes);
  std::size_t position = 0;
  while (const auto batch = cursor.next()) {
    require(cursor.position() - position == batch->size());
    position = cursor.position();
    (void)batch->last_offset();
    (void)batch->last_sequence();
    (void)batch->delete_horizon();
    (void)batch->crc_matches();
    (void)read_end_marker(*batch);
    if (batch->codec() == Codec::none) walk(batch->records(), batch->records_count());
  }
  require(cursor.fault() || position == bytes.size());
}

// Re-encodes an accepted batch for another codec and expects the same records there.
void reencode(const BatchView& batch, Codec codec, Codecs& codecs) {
  Buffer out;
  if (!recompress(batch, {.codec = codec, .cap = kCap}, codecs, out)) {
    require(out.empty());
    return;
  }
  const auto after = parse_batch(out);
  require(after && after->size() == out.size() && after->crc_matches());
  require(after->records_count() == batch.records_count());
  Buffer records;
  require(codecs.decompress(after->codec(), after->records(), kDecompressedMax, records).has_value());
  require(walk(records, after->records_count()) == batch.records_count());
}

void produce(Bytes bytes, Codecs& codecs) {
  Buffer batch(bytes.begin(), bytes.end());
  if (parse_batch(batch) && parse_batch(batch)->size() == batch.size()) {
    set_base_offset(batch, Offset{0});  // or nothing that a broker stored gets any further
    update_crc(batch);
  }
  for (const bool open : {false, true}) {
    const ProduceRules rules{.compacted = open, .decompress = open};
    const auto info = validate_for_produce(batch, rules, kNow, &codecs);
    if (!info) {
      require(info.error().records.size() <= kRejectedRecordsMax);
      continue;
    }
    require(info->size == batch.size());
    const BatchView view = *parse_batch(batch);
    if (info->codec == Codec::none) require(walk(view.records(), info->records_count) == info->records_count);
    if (open) {
      reencode(view, Codec::lz4, codecs);
      reencode(view, Codec::none, codecs);
    }
  }
}

void open_block(Codec codec, Bytes bytes, Codecs& codecs) {
  Buffer out;
  const bool opened = codecs.decompress(codec, bytes, kCap, out).has_value();
  require(out.capacity() <= kCap);
  const auto view = codecs.open(codec, bytes, kCap);
  require(view.has_value() == opened);
  if (!opened) return;
  require(view->size() == out.size() && sum(*view) == sum(out));
  // With exactly this cap it still opens; with one byte less it does not.
  Buffer again;
  require(codecs.decompress(codec, bytes, out.size(), again).has_value() && again == out);
  if (!out.empty()) require(!codecs.decompress(codec, bytes, out.size() - 1, again));
}

void wrap(Codec codec, Bytes bytes, Codecs& codecs) {
  if (bytes.empty()) return;
  const auto count = static_cast<std::int32_t>(bytes.front()) % 8 + 1;
  bytes = bytes.subspan(1);
  BatchBuilder builder({.codec = Codec::none, .last_offset_delta = count - 1});
  Buffer batch;
  require(builder.finish(batch).has_value());
  batch.insert(batch.end(), bytes.begin(), bytes.end());
  store_big(batch.data() + at::kBatchLength, static_cast<std::int32_t>(batch.size() - kLogOverhead));
  store_big(batch.data() + at::kRecordsCount, count);
  store_big(batch.data() + at::kAttributes, static_cast<std::uint16_t>(codec));
  update_crc(batch);
  produce(batch, codecs);
  for (int to = 0; to <= 4; ++to) reencode(*parse_batch(batch), static_cast<Codec>(to), codecs);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // One object for all runs: a context that a bad block leaves spoilt would show in the next.
  static Codecs codecs;
  if (size == 0) return 0;
  const Bytes bytes(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
  const int kind = data[0] % 13;
  if (kind == 0) {
    read_log(bytes);
  } else if (kind == 1) {
    produce(bytes, codecs);
  } else if (kind == 2) {
    walk(bytes, 16);
  } else if (kind <= 7) {
    open_block(static_cast<Codec>(kind - 3), bytes, codecs);
  } else {
    wrap(static_cast<Codec>(kind - 8), bytes, codecs);
  }
  return 0;
}
