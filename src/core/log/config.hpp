// What a log is called, how it is kept, and the numbers of one shard's storage. Plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/pages.hpp"
#include "base/time.hpp"
#include "base/uuid.hpp"
#include "records/compression.hpp"

namespace tailwater::log {

struct LogIdentity {
  LogId id;  // 0: Storage::create() chooses one that was never used in this directory
  Uuid topic_id;
  std::string topic;
  PartitionId partition;
  DirId dir;
  friend bool operator==(const LogIdentity&, const LogIdentity&) = default;
};

inline constexpr std::int64_t kForever = -1;  // "no limit" of retention.ms and retention.bytes

// A topic's settings as far as its logs care. Kafka's names and defaults.
struct LogConfig {
  std::uint32_t segment_bytes = std::uint32_t{1} << 30;   // segment.bytes
  std::int64_t segment_ms = 604'800'000;                  // segment.ms
  std::int64_t segment_jitter_ms = 0;                     // segment.jitter.ms
  std::uint32_t segment_index_bytes = 10'485'760;         // segment.index.bytes
  std::uint32_t index_interval_bytes = 4'096;             // index.interval.bytes
  std::int64_t retention_ms = 604'800'000;                // retention.ms; kForever
  std::int64_t retention_bytes = kForever;                // retention.bytes
  std::int64_t file_delete_delay_ms = 60'000;             // file.delete.delay.ms
  bool compact = false;                                   // cleanup.policy contains compact
  bool remove = true;                                     // cleanup.policy contains delete
  std::int64_t min_cleanable_dirty_millionths = 500'000;  // min.cleanable.dirty.ratio
  std::int64_t min_compaction_lag_ms = 0;                 // min.compaction.lag.ms
  std::int64_t max_compaction_lag_ms = INT64_MAX;         // max.compaction.lag.ms
  std::int64_t delete_retention_ms = 86'400'000;          // delete.retention.ms
  // max.decompressed.message.bytes: batches that were taken because of it can be opened later too.
  std::int64_t record_bytes_max = records::kRecordBytesUnbounded;
  // Ours, of logs that are read whole at each start (decision 0016): the active segment, which compaction
  // leaves alone, ends when it is so large and has outgrown all others. 0: no such rule.
  std::uint32_t short_from_bytes = 0;
  bool log_append_time = false;             // message.timestamp.type=LogAppendTime
  bool os_durable = false;                  // tailwater.durability=os; only then count
  std::int64_t flush_messages = INT64_MAX;  // flush.messages
  std::int64_t flush_ms = INT64_MAX;        // flush.ms
  friend bool operator==(const LogConfig&, const LogConfig&) = default;
};

struct StorageOptions {
  ShardId shard;
  std::vector<DirId> dirs;
  std::vector<std::string> dir_names;          // what people call them, by the value of DirId; may lack some
  std::map<DirId, std::string> unusable_dirs;  // why; they are offline from the start, and left alone
  // In which directory the metadata say that a log lies, if they do.
  std::function<std::optional<DirId>(const LogIdentity&)> place_of;
  std::uint64_t seed = 0;  // of journal ids; any value that differs from start to start
  Uuid boot_id;            // of the running kernel; recorded, and named when the machine went down

  // The journal's ring of each directory. It starts small, so that the first start is quick, and doubles in
  // the background while it is the bottleneck. Equal values fix the size. A batch may be as large as a
  // quarter of it, of a ring below 2 MiB as an eighth; for one that is larger it grows even beyond the
  // maximum, up to the limit.
  std::uint64_t ring_bytes_start = std::uint64_t{16} << 20;
  std::uint64_t ring_bytes_max = std::uint64_t{64} << 20;
  std::uint64_t ring_bytes_limit = 0;  // less than the maximum: there is no other
  std::uint32_t frame_bytes_max = std::uint32_t{1} << 20;
  std::uint32_t second_frame_bytes = 16'384;  // a second frame starts beside one in flight when so much waits
  // A second ring beside each, for logs that are created with os_durable. Without it these are kept like all
  // others, which promises more.
  bool os_ring = false;

  // Memory of all logs together: recent bytes (dirty and clean) and cold blocks. Requests and responses are
  // not in it.
  std::uint64_t memory_bytes = std::uint64_t{1} << 30;
  // Where that memory comes from: the caller's, and outlives the storage. Null: the language's.
  Pages* pages = nullptr;
  // Of them, what recent bytes that are in their files take before any reader missed one (cache::TailRoom).
  std::uint64_t tail_bytes_start = std::uint64_t{256} << 20;
  std::uint32_t dirty_percent_max = 50;
  std::uint32_t cold_percent_max = 25;
  std::uint32_t cold_block_bytes = std::uint32_t{256} << 10;
  std::uint32_t read_ahead_blocks = 2;

  // So much of one log goes straight to its segment when the journal is busy; 0: never. See DirectRuns.
  std::uint32_t direct_run_bytes = std::uint32_t{192} << 10;
  std::uint64_t direct_bytes_in_flight = std::uint64_t{8} << 20;  // more than one run only within

  std::uint32_t flush_run_bytes = std::uint32_t{256}
                                  << 10;  // a log with so much unflushed is flushed without need
  std::uint32_t flush_round_bytes = std::uint32_t{32} << 20;
  std::uint32_t flush_round_logs = 2'048;  // less where their files would be too many
  std::uint32_t sync_each_max = 16;        // a round over more files ends with one sync_all
  std::uint32_t open_files_max = 4'096;    // of segments; those in use may be more
  // In retired files that wait for new segments, of a directory. 0: no such files, and those there go; absent:
  // they are left alone.
  std::optional<std::uint64_t> recycle_bytes;

  Duration retention_interval = Duration::from_ms(300'000);  // log.retention.check.interval.ms
  Duration full_retry_interval = Duration::from_ms(1'000);   // a full disk is asked again
  Duration lock_retry_interval = Duration::from_ms(50);  // a predecessor's last writes may still be in flight
  Duration lock_wait_max = Duration::from_ms(30'000);
  std::int64_t producer_expiration_ms = 86'400'000;  // producer.id.expiration.ms

  bool compaction = true;                                         // log.cleaner.enable
  std::uint64_t compaction_map_bytes = std::uint64_t{128} << 20;  // log.cleaner.dedupe.buffer.size
  Duration compaction_interval = Duration::from_ms(15'000);       // log.cleaner.backoff.ms
  // Bytes read and written in a second at most; less while the journal gets slower by it.
  std::uint64_t compaction_bytes_per_second = std::uint64_t{256}
                                              << 20;  // log.cleaner.io.max.bytes.per.second
};

}  // namespace tailwater::log
