// Record batches of format 2 ("magic 2"): the one form in which records are sent, stored and served.
// A BatchView borrows the bytes of one whole batch; its owner is whoever handed the bytes in. Reading is
// total on hostile bytes: every accessor gives what the field says, and sums wrap instead of overflowing.
// Nothing here looks at records (record.hpp), decides what a client may send (validate.hpp) or decompresses.
//
//   batch = base_offset i64, batch_length i32 (bytes after it), partition_leader_epoch i32, magic i8 = 2,
//           crc u32 (CRC-32C over everything after it), attributes i16, last_offset_delta i32, base_timestamp
//           i64, max_timestamp i64, producer_id i64, producer_epoch i16, base_sequence i32, records_count
//           i32, records
//   attributes = bits 0-2 codec, 3 LogAppendTime, 4 transactional, 5 control, 6 base_timestamp is a delete
//           horizon
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace tailwater::records {

// Values as in the attributes. A view of hostile bytes may give 5 to 7: is_known() tells.
enum class Codec : std::uint8_t { none = 0, gzip = 1, snappy = 2, lz4 = 3, zstd = 4 };

constexpr bool is_known(Codec codec) {
  return codec <= Codec::zstd;
}
// "none", "gzip", "snappy", "lz4", "zstd", or "unknown".
std::string_view to_string(Codec codec);

enum class TimestampType : std::uint8_t { create_time = 0, log_append_time = 1 };

// base_offset and batch_length, which batch_length does not count.
inline constexpr std::size_t kLogOverhead = 12;
inline constexpr std::size_t kBatchHeaderSize = 61;
inline constexpr std::int8_t kMagic = 2;
// "No timestamp", "no producer", "no sequence" and "no epoch" as the fields say it.
inline constexpr std::int64_t kNoTimestamp = -1;
inline constexpr std::int32_t kNoSequence = -1;

// Where the fields lie.
namespace at {
inline constexpr std::size_t kBaseOffset = 0;
inline constexpr std::size_t kBatchLength = 8;
inline constexpr std::size_t kLeaderEpoch = 12;
inline constexpr std::size_t kMagic = 16;
inline constexpr std::size_t kCrc = 17;
inline constexpr std::size_t kAttributes = 21;
inline constexpr std::size_t kLastOffsetDelta = 23;
inline constexpr std::size_t kBaseTimestamp = 27;
inline constexpr std::size_t kMaxTimestamp = 35;
inline constexpr std::size_t kProducerId = 43;
inline constexpr std::size_t kProducerEpoch = 51;
inline constexpr std::size_t kBaseSequence = 53;
inline constexpr std::size_t kRecordsCount = 57;
}  // namespace at

inline constexpr std::uint16_t kCodecMask = 0x07;
inline constexpr std::uint16_t kLogAppendTimeBit = 1u << 3;
inline constexpr std::uint16_t kTransactionalBit = 1u << 4;
inline constexpr std::uint16_t kControlBit = 1u << 5;
inline constexpr std::uint16_t kDeleteHorizonBit = 1u << 6;

// The sequence number `count` after `sequence`: 2147483647 is followed by 0. "No sequence" stays so.
constexpr std::int32_t sequence_after(std::int32_t sequence, std::int32_t count) {
  if (sequence < 0) return sequence;
  return static_cast<std::int32_t>(
      (static_cast<std::uint32_t>(sequence) + static_cast<std::uint32_t>(count)) & 0x7fffffffu);
}

// Every field of a header by value, for whoever keeps it longer than the bytes.
struct BatchHeader {
  Offset base_offset;
  std::int32_t batch_length = 0;
  LeaderEpoch leader_epoch{-1};
  std::uint32_t crc = 0;
  std::uint16_t attributes = 0;
  std::int32_t last_offset_delta = 0;
  std::int64_t base_timestamp = kNoTimestamp;
  std::int64_t max_timestamp = kNoTimestamp;
  ProducerId producer_id{-1};
  ProducerEpoch producer_epoch{-1};
  std::int32_t base_sequence = kNoSequence;
  std::int32_t records_count = 0;
  friend bool operator==(const BatchHeader&, const BatchHeader&) = default;
};

class BatchView {
 public:
  // REQUIRES: at least kBatchHeaderSize bytes, exactly those of one batch. parse_batch() is the way for
  // foreign bytes.
  explicit BatchView(Bytes batch);

  Bytes bytes() const { return bytes_; }
  // Header and records; the bytes that the batch takes in a log.
  std::size_t size() const { return bytes_.size(); }
  // The records, compressed as one block unless codec() is none.
  Bytes records() const { return bytes_.subspan(kBatchHeaderSize); }

  Offset base_offset() const { return Offset{load<std::int64_t>(at::kBaseOffset)}; }
  std::int32_t batch_length() const { return load<std::int32_t>(at::kBatchLength); }
  LeaderEpoch leader_epoch() const { return LeaderEpoch{load<std::int32_t>(at::kLeaderEpoch)}; }
  std::int8_t magic() const { return load<std::int8_t>(at::kMagic); }
  std::uint32_t crc() const { return load<std::uint32_t>(at::kCrc); }
  std::uint16_t attributes() const { return load<std::uint16_t>(at::kAttributes); }
  std::int32_t last_offset_delta() const { return load<std::int32_t>(at::kLastOffsetDelta); }
  // The timestamp that records count from, also where it is the delete horizon.
  std::int64_t base_timestamp() const { return load<std::int64_t>(at::kBaseTimestamp); }
  std::int64_t max_timestamp() const { return load<std::int64_t>(at::kMaxTimestamp); }
  ProducerId producer_id() const { return ProducerId{load<std::int64_t>(at::kProducerId)}; }
  ProducerEpoch producer_epoch() const { return ProducerEpoch{load<std::int16_t>(at::kProducerEpoch)}; }
  std::int32_t base_sequence() const { return load<std::int32_t>(at::kBaseSequence); }
  std::int32_t records_count() const { return load<std::int32_t>(at::kRecordsCount); }
  BatchHeader header() const;

  Codec codec() const { return static_cast<Codec>(attributes() & kCodecMask); }
  TimestampType timestamp_type() const {
    return (attributes() & kLogAppendTimeBit) != 0 ? TimestampType::log_append_time
                                                   : TimestampType::create_time;
  }
  bool is_transactional() const { return (attributes() & kTransactionalBit) != 0; }
  bool is_control() const { return (attributes() & kControlBit) != 0; }
  bool has_producer() const { return producer_id().value >= 0; }
  // When tombstones and markers of this batch may go, as the compactor wrote it.
  std::optional<std::int64_t> delete_horizon() const {
    if ((attributes() & kDeleteHorizonBit) == 0) return std::nullopt;
    return base_timestamp();
  }

  // The offset of the last record that the batch ever had, also where compaction has removed that record.
  Offset last_offset() const { return offset_at(last_offset_delta()); }
  Offset offset_at(std::int32_t delta) const {
    return Offset{static_cast<std::int64_t>(static_cast<std::uint64_t>(load<std::int64_t>(at::kBaseOffset)) +
                                            static_cast<std::uint64_t>(static_cast<std::int64_t>(delta)))};
  }
  std::int32_t last_sequence() const { return sequence_after(base_sequence(), last_offset_delta()); }

  bool crc_matches() const;

 private:
  template <class Number>
  Number load(std::size_t position) const {
    return load_big<Number>(bytes_.data() + position);
  }

  Bytes bytes_;
};

// The batch at the beginning of `bytes`; more may follow it. Structure only: no CRC, no look at the records.
//   truncated    the bytes end before the batch does
//   malformed    the length field is impossible
//   unsupported  a format other than 2 (the old message sets 0 and 1, or a newer one)
Result<BatchView> parse_batch(Bytes bytes);

// Walks batches that lie one behind the other. Allocates nothing.
class BatchCursor {
 public:
  explicit BatchCursor(Bytes bytes) : bytes_(bytes) {}

  // The next whole batch; nothing at the end and where the bytes cease to be batches.
  std::optional<BatchView> next();
  // Why next() gave nothing before the bytes ended; nothing if they ended with a whole batch.
  std::optional<Errc> fault() const { return fault_; }
  // Where the batch that next() looks at begins: the number of bytes in whole batches so far.
  std::size_t position() const { return position_; }

 private:
  Bytes bytes_;
  std::size_t position_ = 0;
  std::optional<Errc> fault_;
};

// Patches of one whole batch in place. REQUIRES: exactly the bytes of a parsed batch.
// The first two fields lie before the CRC's range, so the CRC stays as it is.
void set_base_offset(MutableBytes batch, Offset base_offset);
void set_leader_epoch(MutableBytes batch, LeaderEpoch epoch);
// These change bytes under the CRC, and compute it anew. REQUIRES beyond that: the old CRC was checked
// before, or damage of the bytes would be sealed in.
void set_log_append_time(MutableBytes batch, WallTime now);
void set_max_timestamp(MutableBytes batch, std::int64_t max_timestamp);
void update_crc(MutableBytes batch);

}  // namespace tailwater::records
