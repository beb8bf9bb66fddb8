#include "records/batch.hpp"

#include "base/check.hpp"
#include "base/crc32c.hpp"

namespace tailwater::records {

namespace {

// The smallest batch_length of any format: a message of format 0 without key and value.
constexpr std::int32_t kLegacyLengthMin = 14;
constexpr std::int32_t kLengthMin = kBatchHeaderSize - kLogOverhead;
constexpr std::size_t kUpToMagic = at::kMagic + 1;

struct Probe {
  std::optional<Errc> fault;
  std::size_t size = 0;
};

// The length and the format come first: they say how the rest is to be read.
Probe probe(Bytes bytes) {
  if (bytes.size() < kLogOverhead) return {Errc::truncated};
  const auto length = load_big<std::int32_t>(bytes.data() + at::kBatchLength);
  if (length < kLegacyLengthMin) return {Errc::malformed};
  if (bytes.size() < kUpToMagic) return {Errc::truncated};
  if (load_big<std::int8_t>(bytes.data() + at::kMagic) != kMagic) return {Errc::unsupported};
  if (length < kLengthMin) return {Errc::malformed};
  const std::size_t size = kLogOverhead + static_cast<std::size_t>(length);
  if (bytes.size() < size) return {Errc::truncated};
  return {std::nullopt, size};
}

void check_batch(Bytes batch) {
  CHECK(batch.size() >= kBatchHeaderSize);
  CHECK(static_cast<std::size_t>(load_big<std::int32_t>(batch.data() + at::kBatchLength)) + kLogOverhead ==
        batch.size());
}

}  // namespace

std::string_view to_string(Codec codec) {
  switch (codec) {
    case Codec::none:
      return "none";
    case Codec::gzip:
      return "gzip";
    case Codec::snappy:
      return "snappy";
    case Codec::lz4:
      return "lz4";
    case Codec::zstd:
      return "zstd";
  }
  return "unknown";
}

BatchView::BatchView(Bytes batch) : bytes_(batch) {
  CHECK(batch.size() >= kBatchHeaderSize);
}

BatchHeader BatchView::header() const {
  return {.base_offset = base_offset(),
          .batch_length = batch_length(),
          .leader_epoch = leader_epoch(),
          .crc = crc(),
          .attributes = attributes(),
          .last_offset_delta = last_offset_delta(),
          .base_timestamp = base_timestamp(),
          .max_timestamp = max_timestamp(),
          .producer_id = producer_id(),
          .producer_epoch = producer_epoch(),
          .base_sequence = base_sequence(),
          .records_count = records_count()};
}

bool BatchView::crc_matches() const {
  return crc32c(bytes_.subspan(at::kAttributes)) == crc();
}

Result<BatchView> parse_batch(Bytes bytes) {
  const Probe found = probe(bytes);
  if (!found.fault) return BatchView(bytes.first(found.size));
  switch (*found.fault) {
    case Errc::truncated:
      return fail(Errc::truncated, "the bytes end before the record batch does");
    case Errc::unsupported:
      return fail(Errc::unsupported, "the record batch is not of format 2");
    default:
      return fail(Errc::malformed, "the record batch's length is impossible");
  }
}

std::optional<BatchView> BatchCursor::next() {
  if (fault_ || position_ == bytes_.size()) return std::nullopt;
  const Bytes rest = bytes_.subspan(position_);
  const Probe found = probe(rest);
  fault_ = found.fault;
  if (fault_) return std::nullopt;
  position_ += found.size;
  return BatchView(rest.first(found.size));
}

void set_base_offset(MutableBytes batch, Offset base_offset) {
  check_batch(batch);
  store_big(batch.data() + at::kBaseOffset, base_offset.value);
}

void set_leader_epoch(MutableBytes batch, LeaderEpoch epoch) {
  check_batch(batch);
  store_big(batch.data() + at::kLeaderEpoch, epoch.value);
}

void set_log_append_time(MutableBytes batch, WallTime now) {
  check_batch(batch);
  const auto attributes = load_big<std::uint16_t>(batch.data() + at::kAttributes);
  store_big(batch.data() + at::kAttributes, static_cast<std::uint16_t>(attributes | kLogAppendTimeBit));
  store_big(batch.data() + at::kMaxTimestamp, now.ms);
  update_crc(batch);
}

void set_max_timestamp(MutableBytes batch, std::int64_t max_timestamp) {
  check_batch(batch);
  store_big(batch.data() + at::kMaxTimestamp, max_timestamp);
  update_crc(batch);
}

void update_crc(MutableBytes batch) {
  check_batch(batch);
  store_big(batch.data() + at::kCrc, crc32c(batch.subspan(at::kAttributes)));
}

}  // namespace tailwater::records
