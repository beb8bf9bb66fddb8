// The state of all logs of one directory at one address of its journal: what a start needs besides the ring.
// Written whole, replaced atomically; the superblock names the generation that counts. All numbers are little
// endian.
//
//   file      manifest, manifest: a flipped bit in one is healed by the other
//   manifest  magic u64, version u32, 0 u32, generation u64, journal_id u64, checkpoint u64, next_log_id u64,
//             log_count u32, doomed_count u32, logs, doomed, crc u32 (CRC-32C of all before it)
//   log       id u64, topic_id u64 high, u64 low, partition i32, topic, start i64, end i64, compacted i64,
//             compaction_base i64, compaction_step u8, segment_count u32, epoch_count u32, producer_count
//             u32, aborted_count u32, ended_count u32, then as many of
//   segment   base i64, next i64, size u64, flushed u64, first_timestamp i64, index, stored index, flags u8
//             (1 exists, 2 sealed, 4 exact, 8 gapless)
//   index     entries u32, time_entries u32, until u64, last_position u64, last_time i64, max_timestamp i64,
//             offset i64
//   epoch     epoch i32, start i64
//   producer  id i64, epoch i16, batch_count u8, coordinator_epoch i32, last_timestamp i64, transaction_first
//             i64, then batch_count times (last_sequence i32, offset_delta i32, last_offset i64, timestamp
//             i64)
//   aborted   producer i64, first i64, last i64, last_stable i64
//   ended     producer i64, first i64, marker i64
//   doomed    log_id u64, flags u8 (1 a folder, 2 renamed), path, new path: what is still to be removed
//   topic, path: length u16, bytes
//
// checkpoint: journal entries in frames below this address are contained, the others are not. What of the
// contained is not flushed is in the ring all the same, because the trim position never passes it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "core/log/epochs.hpp"
#include "core/log/producer_state.hpp"
#include "core/log/segment.hpp"

namespace tailwater::log {

struct DoomedPath {
  LogId log;
  bool folder = false;
  bool renamed = false;
  std::string path;
  std::string new_path;  // of a folder
  friend bool operator==(const DoomedPath&, const DoomedPath&) = default;
};

struct ManifestLog {
  LogId id;
  Uuid topic_id;
  PartitionId partition;
  std::string topic;
  Offset start;
  Offset end;
  std::vector<Segment> segments;
  std::vector<EpochEntry> epochs;
  std::vector<Producer> producers;
  std::vector<Aborted> aborted;
  std::vector<Ended> ended;
  Offset compacted;  // this and the next two: CompactionState
  std::uint8_t compaction_step = 0;
  Offset compaction_base;
};

// What the names of a ring and of its manifests begin with: "<shard>" or, of the soft one, "<shard>-os".
inline std::string journal_name(std::uint32_t shard, bool soft) {
  return std::to_string(shard) + (soft ? "-os" : "");
}

struct Manifest {
  std::uint64_t generation = 0;
  std::uint64_t journal_id = 0;
  Lsn checkpoint;
  std::uint64_t next_log_id = 0;
  std::vector<ManifestLog> logs;
  std::vector<DoomedPath> doomed;
  bool healed = false;  // decoded from a file whose other copy is damaged
};

// The manifest is encoded when its state is taken; its checkpoint is known a little later, and sealed in
// then.
Buffer encode(const Manifest& manifest);
void seal(Buffer& encoded, Lsn checkpoint);
Result<Manifest> decode_manifest(Bytes bytes);

}  // namespace tailwater::log
