// Counters of one shard, as plain numbers; the shell adds the shards up and writes Prometheus text.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/duration_histogram.hpp"
#include "base/ids.hpp"

namespace tailwater::node {

struct ApiMetrics {
  std::uint64_t requests = 0;
  std::uint64_t errors = 0;  // answers with an error code at top level or in any part
  std::uint64_t request_bytes = 0;
  std::uint64_t response_bytes = 0;
  DurationHistogram latency;
};

struct PartitionMetrics {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t log_start = 0;
  std::int64_t log_end = 0;
  std::uint64_t bytes = 0;
};

struct GroupMetrics {
  std::string group;
  std::string state;
  std::uint32_t members = 0;
  struct Commit {
    std::string topic;
    std::int32_t partition = 0;
    std::int64_t offset = 0;
  };
  std::vector<Commit> commits;
};

struct CompactionMetrics {
  std::uint64_t rounds = 0;
  std::uint64_t bytes_before = 0;  // of the segments that were rewritten
  std::uint64_t bytes_after = 0;
  std::uint64_t unreadable_batches = 0;
  std::uint64_t uncleanable_partitions = 0;
  std::uint64_t max_dirty_percent = 0;
  std::uint64_t max_delay_seconds = 0;
  std::uint64_t max_round_seconds = 0;
  std::uint64_t map_percent = 0;
  std::int64_t since_last_ms = -1;  // -1: there was none
};

struct MetricsSnapshot {
  std::uint32_t shard = 0;
  std::uint64_t connections = 0;
  std::uint64_t connections_created = 0;
  std::uint64_t connections_closed_by_broker = 0;
  std::uint64_t messages_in = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t produce_requests = 0;
  std::uint64_t fetch_requests = 0;
  std::uint64_t fetch_partitions = 0;  // looked at by fetches
  std::uint64_t failed_produce_requests = 0;
  std::uint64_t failed_fetch_requests = 0;
  std::uint64_t memory_budget = 0;
  std::uint64_t memory_used = 0;
  std::uint64_t cache_unflushed = 0;
  std::uint64_t cache_recent = 0;
  std::uint64_t cache_cold = 0;
  std::uint64_t cache_other = 0;
  std::uint64_t journal_frames = 0;
  std::uint64_t journal_bytes = 0;
  std::uint64_t journal_padding_bytes = 0;
  std::uint64_t journal_size = 0;  // of their rings
  std::uint64_t journal_used = 0;
  std::uint64_t direct_runs = 0;
  std::uint64_t direct_bytes = 0;
  std::uint64_t recycled_segments = 0;
  std::uint64_t recycle_bytes = 0;
  std::set<DirId> offline_dirs;
  std::uint64_t corrupt_reads = 0;
  std::uint64_t pinned_reads = 0;     // whose bytes are kept for answers that are not sent yet
  std::uint64_t waiting_fetches = 0;  // requests that are being served, parked ones among them
  DurationHistogram journal_write;    // of the journals whose frames are durable when they count
  CompactionMetrics compaction;
  std::map<std::string, ApiMetrics> apis;  // by Kafka's API name
  std::vector<PartitionMetrics> partitions;
  std::vector<GroupMetrics> groups;
};

}  // namespace tailwater::node
