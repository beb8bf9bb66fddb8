#include "records/builder.hpp"

#include <algorithm>
#include <cstring>

#include "base/check.hpp"
#include "base/crc32c.hpp"
#include "base/varint.hpp"

namespace tailwater::records {

// A record's fields, with its headers either as views or already encoded.
struct BatchBuilder::Parts {
  std::int8_t attributes = 0;
  std::int64_t timestamp = 0;
  std::int32_t offset_delta = 0;
  std::optional<Bytes> key;
  std::optional<Bytes> value;
  std::span<const HeaderView> headers;
  std::int32_t header_count = 0;
  Bytes header_bytes;
};

namespace {

std::size_t varint_size(std::int64_t number) {
  return uvarint_size(zigzag(number));
}

std::size_t nullable_size(const std::optional<Bytes>& bytes) {
  if (!bytes) return 1;
  return varint_size(static_cast<std::int64_t>(bytes->size())) + bytes->size();
}

std::size_t headers_size(std::span<const HeaderView> headers) {
  std::size_t size = 0;
  for (const HeaderView& header : headers) size += nullable_size(header.key) + nullable_size(header.value);
  return size;
}

// Writes forward into memory that was sized before.
class Writer {
 public:
  explicit Writer(std::byte* to) : at_(to) {}

  void byte(std::int8_t number) { *at_++ = static_cast<std::byte>(number); }
  void varint(std::int64_t number) {
    std::uint64_t rest = zigzag(number);
    for (; rest >= 0x80; rest >>= 7) *at_++ = static_cast<std::byte>(rest | 0x80);
    *at_++ = static_cast<std::byte>(rest);
  }
  void raw(Bytes bytes) {
    if (!bytes.empty()) std::memcpy(at_, bytes.data(), bytes.size());
    at_ += bytes.size();
  }
  void nullable(const std::optional<Bytes>& bytes) {
    if (!bytes) return varint(-1);
    varint(static_cast<std::int64_t>(bytes->size()));
    raw(*bytes);
  }
  const std::byte* position() const { return at_; }

 private:
  std::byte* at_;
};

bool fits(const std::optional<Bytes>& bytes) {
  return !bytes || bytes->size() <= kBatchBytesMax;
}

}  // namespace

BatchBuilder::BatchBuilder(BatchOptions options) {
  reset(options);
}

void BatchBuilder::reset(BatchOptions options) {
  options_ = options;
  records_.clear();
  count_ = 0;
  next_delta_ = 0;
  base_timestamp_ = options.delete_horizon.value_or(kNoTimestamp);
  max_timestamp_ = kNoTimestamp;
}

bool BatchBuilder::add(std::int64_t timestamp, std::optional<Bytes> key, std::optional<Bytes> value,
                       std::span<const HeaderView> headers) {
  return append({.timestamp = timestamp,
                 .offset_delta = next_delta_,
                 .key = key,
                 .value = value,
                 .headers = headers,
                 .header_count = static_cast<std::int32_t>(headers.size())});
}

bool BatchBuilder::copy(const RecordView& record, std::int64_t timestamp) {
  CHECK(record.offset_delta >= next_delta_);
  return append({.attributes = record.attributes,
                 .timestamp = timestamp,
                 .offset_delta = record.offset_delta,
                 .key = record.key,
                 .value = record.value,
                 .header_count = record.header_count,
                 .header_bytes = record.header_bytes});
}

bool BatchBuilder::append(const Parts& parts) {
  if (!fits(parts.key) || !fits(parts.value) || next_delta_ == INT32_MAX) return false;
  const bool first = count_ == 0 && !options_.delete_horizon;
  const std::int64_t base = first ? parts.timestamp : base_timestamp_;
  const auto timestamp_delta = static_cast<std::int64_t>(static_cast<std::uint64_t>(parts.timestamp) -
                                                         static_cast<std::uint64_t>(base));
  const std::size_t body = 1 + varint_size(timestamp_delta) + varint_size(parts.offset_delta) +
                           nullable_size(parts.key) + nullable_size(parts.value) +
                           varint_size(parts.header_count) + headers_size(parts.headers) +
                           parts.header_bytes.size();
  const std::size_t size = varint_size(static_cast<std::int64_t>(body)) + body;
  if (size > kBatchBytesMax - records_.size()) return false;

  const std::size_t begin = records_.size();
  records_.resize(begin + size);
  Writer writer(records_.data() + begin);
  writer.varint(static_cast<std::int64_t>(body));
  writer.byte(parts.attributes);
  writer.varint(timestamp_delta);
  writer.varint(parts.offset_delta);
  writer.nullable(parts.key);
  writer.nullable(parts.value);
  writer.varint(parts.header_count);
  for (const HeaderView& header : parts.headers) {
    writer.nullable(header.key);
    writer.nullable(header.value);
  }
  writer.raw(parts.header_bytes);
  CHECK(writer.position() == records_.data() + records_.size());

  max_timestamp_ = count_ == 0 ? parts.timestamp : std::max(max_timestamp_, parts.timestamp);
  base_timestamp_ = base;
  next_delta_ = parts.offset_delta + 1;
  ++count_;
  return true;
}

std::uint16_t BatchBuilder::attributes(Codec codec) const {
  unsigned bits = static_cast<unsigned>(codec);
  if (options_.timestamp_type == TimestampType::log_append_time) bits |= kLogAppendTimeBit;
  if (options_.transactional) bits |= kTransactionalBit;
  if (options_.control) bits |= kControlBit;
  if (options_.delete_horizon) bits |= kDeleteHorizonBit;
  return static_cast<std::uint16_t>(bits);
}

Result<void> BatchBuilder::finish(Buffer& out, Codecs* codecs) {
  if (count_ == 0 && !options_.last_offset_delta) {
    return fail(Errc::invalid_argument, "a record batch needs at least one record");
  }
  // Nothing does not compress: an empty batch is plain, whatever the options say.
  const Codec codec = count_ == 0 ? Codec::none : options_.codec;
  Bytes block = records_;
  if (codec != Codec::none) {
    const auto done = codecs != nullptr ? codecs->compress(codec, options_.level, records_, compressed_)
                                        : compress(codec, options_.level, records_, compressed_);
    if (!done) return done;
    block = compressed_;
  }
  CHECK(block.size() <= static_cast<std::size_t>(INT32_MAX) - kBatchHeaderSize);

  const std::size_t begin = out.size();
  out.resize(begin + kBatchHeaderSize + block.size());
  std::byte* const batch = out.data() + begin;
  store_big(batch + at::kBaseOffset, options_.base_offset.value);
  store_big(batch + at::kBatchLength,
            static_cast<std::int32_t>(kBatchHeaderSize - kLogOverhead + block.size()));
  store_big(batch + at::kLeaderEpoch, options_.leader_epoch.value);
  store_big(batch + at::kMagic, kMagic);
  store_big(batch + at::kAttributes, attributes(codec));
  store_big(batch + at::kLastOffsetDelta, options_.last_offset_delta.value_or(next_delta_ - 1));
  store_big(batch + at::kBaseTimestamp, base_timestamp_);
  store_big(batch + at::kMaxTimestamp, options_.max_timestamp.value_or(max_timestamp_));
  store_big(batch + at::kProducerId, options_.producer_id.value);
  store_big(batch + at::kProducerEpoch, options_.producer_epoch.value);
  store_big(batch + at::kBaseSequence, options_.base_sequence);
  store_big(batch + at::kRecordsCount, count_);
  if (!block.empty()) std::memcpy(batch + kBatchHeaderSize, block.data(), block.size());
  update_crc(MutableBytes(batch, kBatchHeaderSize + block.size()));
  reset(options_);
  return {};
}

}  // namespace tailwater::records
