// Makes record batches: what coordinators write to their topics, what compaction keeps, and what tests and
// tools send. GUARANTEES: a batch from add() alone passes validate_for_produce() (unless it is a control
// batch). The builder keeps its memory from batch to batch. Must not be fed without bound: a batch holds at
// most kBatchBytesMax of records.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "records/batch.hpp"
#include "records/compression.hpp"
#include "records/record.hpp"

namespace tailwater::records {

// Bytes of records before compression; keeps every length inside an i32.
inline constexpr std::size_t kBatchBytesMax = std::size_t{1} << 30;

struct BatchOptions {
  Offset base_offset{0};
  LeaderEpoch leader_epoch{-1};
  Codec codec = Codec::none;
  std::optional<int> level;  // of the codec; its usual one if absent
  TimestampType timestamp_type = TimestampType::create_time;
  ProducerId producer_id{-1};
  ProducerEpoch producer_epoch{-1};
  std::int32_t base_sequence = kNoSequence;
  bool transactional = false;
  bool control = false;
  // For compaction: keeps the end of the batch where its last records went, allows a batch without records,
  // stamps the time after which tombstones may go, and gives an empty batch its time.
  std::optional<std::int32_t> last_offset_delta;
  std::optional<std::int64_t> delete_horizon;
  // Instead of the records' own maximum; LogAppendTime batches carry the broker's time here.
  std::optional<std::int64_t> max_timestamp;
};

class BatchBuilder {
 public:
  explicit BatchBuilder(BatchOptions options = {});

  // Begins a new batch, forgetting what was added.
  void reset(BatchOptions options);

  // Adds a record at the next offset. The bytes are copied. False, and nothing is added, if the batch would
  // outgrow kBatchBytesMax.
  [[nodiscard]] bool add(std::int64_t timestamp, std::optional<Bytes> key, std::optional<Bytes> value,
                         std::span<const HeaderView> headers = {});
  // Adds a record that already is encoded, keeping its offset delta. REQUIRES: deltas that grow.
  [[nodiscard]] bool copy(const RecordView& record, std::int64_t timestamp);

  std::int32_t count() const { return count_; }
  bool empty() const { return count_ == 0; }
  // The batch's size without compression.
  std::size_t size() const { return kBatchHeaderSize + records_.size(); }

  // Appends the batch to `out`, and begins a new one with the same options. invalid_argument: the batch is
  // empty and last_offset_delta is not set. With `codecs` no contexts are made for the call.
  Result<void> finish(Buffer& out, Codecs* codecs = nullptr);

 private:
  struct Parts;
  bool append(const Parts& parts);
  std::uint16_t attributes(Codec codec) const;

  BatchOptions options_;
  Buffer records_;
  Buffer compressed_;
  std::int32_t count_ = 0;
  std::int32_t next_delta_ = 0;
  std::int64_t base_timestamp_ = kNoTimestamp;
  std::int64_t max_timestamp_ = kNoTimestamp;
};

}  // namespace tailwater::records
