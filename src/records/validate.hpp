// What a client may produce: the checks of a partition's record bytes, in the order in which Kafka makes
// them, first failure wins. An accepted uncompressed batch has sound records with offset deltas 0..n-1; a
// compressed one is opened only where the rules say so. GUARANTEES: total on hostile bytes; no allocation on
// the way to acceptance, unless a compressed batch is opened. Knows no wire codes: the caller maps
// RejectReason. What depends on state (sequence order, producer epochs, open transactions) and on permissions
// is checked elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "records/batch.hpp"
#include "records/compression.hpp"

namespace tailwater::records {

// Beside each: Kafka's error for it.
enum class RejectReason : std::uint8_t {
  not_one_batch,       // INVALID_RECORD: none, cut short, or bytes behind the first
  unsupported_format,  // INVALID_RECORD: not format 2
  unsupported_codec,   // UNSUPPORTED_COMPRESSION_TYPE
  too_large,           // MESSAGE_TOO_LARGE: beyond max.message.bytes
  beyond_segment,      // RECORD_LIST_TOO_LARGE: beyond segment.bytes
  corrupt,             // CORRUPT_MESSAGE: impossible length or wrong CRC; the client may send again
  invalid_record,      // INVALID_RECORD: header or records contradict themselves or the rules
  invalid_timestamp,  // INVALID_TIMESTAMP: at least one is outside the window, or their type is not the client's
};

// A record that is to blame, by its index in the batch.
struct RejectedRecord {
  std::int32_t index = 0;
  RejectReason reason{};
  std::string message;
  friend bool operator==(const RejectedRecord&, const RejectedRecord&) = default;
};

// A hostile batch may have a million wrong records; the answer names the first of them.
inline constexpr std::size_t kRejectedRecordsMax = 100;

struct Rejection {
  RejectReason reason{};
  std::string message;  // one sentence for the client
  std::vector<RejectedRecord> records;
};

struct ProduceRules {
  bool zstd_allowed = true;                   // Produce version 7 and later
  std::size_t batch_bytes_max = 1'048'588;    // max.message.bytes
  std::size_t segment_bytes = 1'073'741'824;  // segment.bytes
  bool compacted = false;                     // cleanup.policy contains compact: every record needs a key
  TimestampType timestamp_type = TimestampType::create_time;
  std::int64_t timestamp_before_ms_max = INT64_MAX;  // message.timestamp.before.max.ms
  std::int64_t timestamp_after_ms_max = 3'600'000;   // message.timestamp.after.max.ms
  bool decompress = false;  // open compressed batches too; compacted topics always do
  // Of one record of a compressed batch, without its length: max.decompressed.message.bytes. What is closed
  // is not looked at.
  std::int64_t record_bytes_max = kRecordBytesUnbounded;
};

// What the log needs to know of an accepted batch.
struct BatchInfo {
  std::size_t size = 0;
  std::int32_t records_count = 0;
  std::int32_t last_offset_delta = 0;
  std::int64_t first_timestamp = kNoTimestamp;
  // The true maximum where the records were walked, else the header's.
  std::int64_t max_timestamp = kNoTimestamp;
  ProducerId producer_id{-1};
  ProducerEpoch producer_epoch{-1};
  std::int32_t base_sequence = kNoSequence;
  Codec codec = Codec::none;
  bool transactional = false;
  bool records_walked = false;
  // The header's max_timestamp is not that of the records: set_max_timestamp() before storing.
  bool wrong_max_timestamp = false;
  // A compressed batch was opened and its offset deltas are not 0..n-1: recompress() before storing.
  bool wrong_offset_deltas = false;
};

// Checks the bytes that a client wants appended to one partition. `codecs` is used to open compressed
// batches; without one, a passing one is made when it is needed.
std::expected<BatchInfo, Rejection> validate_for_produce(Bytes records, const ProduceRules& rules,
                                                         WallTime now, Codecs* codecs = nullptr);

}  // namespace tailwater::records
