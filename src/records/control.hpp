// Control records: what the broker itself writes between the clients' records to end a transaction. They take
// offsets like records, but are told apart by the batch's control bit alone and never shown to applications.
//
//   key   = version i16 = 0, type i16
//   value = version i16 = 0, coordinator_epoch i32 (end of a transaction; the whole batch takes 78 bytes)
//
// Readers skip types that they do not know and accept later versions, whose values only grow.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "records/batch.hpp"
#include "records/record.hpp"

namespace tailwater::records {

// Values of the log's format. 2 to 6 occur only in KRaft's metadata log.
enum class ControlType : std::int16_t { abort = 0, commit = 1 };

inline constexpr std::size_t kEndMarkerSize = 78;

struct EndMarker {
  ControlType type = ControlType::abort;
  ProducerId producer_id;
  ProducerEpoch producer_epoch;
  std::int32_t coordinator_epoch = 0;
  friend bool operator==(const EndMarker&, const EndMarker&) = default;
};

// Appends the batch of one marker.
void append_end_marker(const EndMarker& marker, WallTime now, Buffer& out);

// The type that a control record's key names; nothing if the key is too short to name one.
std::optional<std::int16_t> control_type(const RecordView& record);

// The marker that a whole batch is; nothing for every other batch, control batches of other types included.
std::optional<EndMarker> read_end_marker(const BatchView& batch);

}  // namespace tailwater::records
