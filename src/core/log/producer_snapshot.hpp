// What a log knows of its producers and of aborted transactions, in the form of Apache Kafka's
// <offset>.snapshot and <base>.txnindex files. An export for Kafka's tools, never read back: the manifest has
// the truth, and where that is damaged the one before it, with the batches since, says more (five batches of
// each producer, and which transactions were aborted). So one that is missing or damaged is done without. All
// numbers are big endian.
//
//   snapshot  version i16 = 1, crc u32 (CRC-32C of all behind it), count i32, count times
//   producer  id i64, epoch i16, last_sequence i32, last_offset i64, offset_delta i32, timestamp i64,
//             coordinator_epoch i32, transaction_first i64 (-1: none is open) (46 bytes)
// Kafka keeps the last batch of each producer there, and no more. A log that goes on from a snapshot has to
// know what was so before the offset in its name: there is one of where each segment but the first begins,
// which goes with the segment, and one of where the log ended at the last clean stop. They are written with
// the files of the segment that ends there (Flusher), so that none is made on an acknowledged path.
//
//   txnindex  of the transactions whose abort markers are in this segment, in the order of the markers:
//             version i16 = 0, producer i64, first i64, last (the marker) i64, last_stable i64 (34 bytes)
// There is one of each segment that has such markers, from when its files are ended: when it is full, or at a
// clean stop. Compaction makes that of a new segment anew.
#pragma once

#include <span>

#include "base/bytes.hpp"
#include "core/log/producer_state.hpp"

namespace tailwater::log {

Buffer encode_snapshot(std::span<const Producer> producers);
// Of those whose markers are in [base, end). REQUIRES: they are in the order of their markers.
Buffer encode_aborted(std::span<const Aborted> transactions, Offset base, Offset end);

}  // namespace tailwater::log
