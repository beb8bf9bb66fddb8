#include "shell/http/metrics_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace tailwater::shell {

namespace {

using node::GroupMetrics;
using node::MetricsSnapshot;
using node::PartitionMetrics;

using TopicPartition = std::pair<std::string, std::int32_t>;
using Partitions = std::map<TopicPartition, const PartitionMetrics*>;
using Groups = std::map<std::string, const GroupMetrics*>;

struct TopicSums {
  std::uint64_t partitions = 0;
  std::uint64_t bytes = 0;
};

void add_to(node::ApiMetrics& sum, const node::ApiMetrics& more) {
  sum.requests += more.requests;
  sum.errors += more.errors;
  sum.request_bytes += more.request_bytes;
  sum.response_bytes += more.response_bytes;
  sum.latency.add(more.latency);
}

// What of all shards belongs together, in an order that does not depend on shards.
struct View {
  const MetricsInput& input;
  MetricsWriter& out;
  Partitions partitions;
  Groups groups;
  std::map<std::string, TopicSums> topics;

  std::uint64_t sum(std::uint64_t MetricsSnapshot::* counter) const {
    std::uint64_t total = 0;
    for (const MetricsSnapshot& shard : input.shards) total += shard.*counter;
    return total;
  }
  void total(std::string_view name, std::string_view type, std::string_view help,
             std::uint64_t MetricsSnapshot::* counter) const {
    out.family(name, type, help);
    out.sample({}, sum(counter));
  }
};

// Lag of one commit; nullopt: the partition is not known (any more).
std::optional<std::int64_t> lag_of(const View& view, const GroupMetrics::Commit& commit) {
  const auto found = view.partitions.find({commit.topic, commit.partition});
  if (found == view.partitions.end()) return std::nullopt;
  const PartitionMetrics& partition = *found->second;
  return std::max<std::int64_t>(partition.log_end - std::max(commit.offset, partition.log_start), 0);
}

void write_build(const View& view) {
  view.out.family("tailwater_build_info", "gauge", "The version of the broker.");
  view.out.sample({{"version", view.input.version}, {"cluster_id", view.input.cluster_id}}, std::uint64_t{1});
  view.out.family("tailwater_uptime_seconds", "gauge", "Time since the broker was started.");
  view.out.sample({}, view.input.uptime_seconds);
}

void write_brokers(const View& view) {
  const std::string id = fmt::format("{}", view.input.broker_id);
  view.out.family("kafka_brokers", "gauge", "Number of brokers in the cluster.");
  view.out.sample({}, std::uint64_t{1});
  view.out.family("kafka_broker_info", "gauge", "Brokers with their advertised addresses.");
  view.out.sample({{"id", id}, {"address", view.input.address}}, std::uint64_t{1});
  view.out.family("kafka_controller_kafkacontroller_activecontrollercount", "gauge", "1 on the controller.");
  view.out.sample({}, std::uint64_t{1});
}

void write_topics(const View& view) {
  view.out.family("kafka_topic_partitions", "gauge", "Number of partitions of a topic.");
  for (const auto& [topic, sums] : view.topics) view.out.sample({{"topic", topic}}, sums.partitions);
  view.out.family("tailwater_topic_log_bytes", "gauge", "Bytes in the logs of a topic.");
  for (const auto& [topic, sums] : view.topics) view.out.sample({{"topic", topic}}, sums.bytes);
  const auto count = static_cast<std::uint64_t>(view.partitions.size());
  view.out.family("kafka_server_replicamanager_partitioncount", "gauge", "Partitions on this broker.");
  view.out.sample({}, count);
  view.out.family("kafka_server_replicamanager_leadercount", "gauge", "Partitions that this broker leads.");
  view.out.sample({}, count);
}

template <class Value>
void write_partition_family(const View& view, std::string_view name, std::string_view help, Value value) {
  view.out.family(name, "gauge", help);
  for (const auto& [key, partition] : view.partitions) {
    const std::string number = fmt::format("{}", key.second);
    view.out.sample({{"topic", key.first}, {"partition", number}}, std::int64_t{value(*partition)});
  }
}

void write_partitions(const View& view) {
  const auto one = [](const PartitionMetrics&) { return 1; };
  write_partition_family(view, "kafka_topic_partition_current_offset", "End of the partition's log.",
                         [](const PartitionMetrics& partition) { return partition.log_end; });
  write_partition_family(view, "kafka_topic_partition_oldest_offset", "Start of the partition's log.",
                         [](const PartitionMetrics& partition) { return partition.log_start; });
  write_partition_family(view, "kafka_topic_partition_leader", "Id of the partition's leader.",
                         [&](const PartitionMetrics&) { return view.input.broker_id; });
  write_partition_family(view, "kafka_topic_partition_leader_is_preferred",
                         "1 if the leader is the preferred one.", one);
  write_partition_family(view, "kafka_topic_partition_replicas", "Number of replicas.", one);
  write_partition_family(view, "kafka_topic_partition_in_sync_replica", "Number of replicas in sync.", one);
  write_partition_family(view, "kafka_topic_partition_under_replicated_partition",
                         "1 if a replica is not in sync.", [](const PartitionMetrics&) { return 0; });
  write_partition_family(
      view, "kafka_log_log_size", "Bytes in the partition's log.",
      [](const PartitionMetrics& partition) { return static_cast<std::int64_t>(partition.bytes); });
}

void write_commits(const View& view) {
  const auto each_commit = [&](std::string_view name, std::string_view help, auto value) {
    view.out.family(name, "gauge", help);
    for (const auto& [group, metrics] : view.groups) {
      for (const GroupMetrics::Commit& commit : metrics->commits) {
        const std::optional<std::int64_t> number = value(commit);
        if (!number) continue;
        const std::string partition = fmt::format("{}", commit.partition);
        view.out.sample({{"consumergroup", group}, {"topic", commit.topic}, {"partition", partition}},
                        *number);
      }
    }
  };
  each_commit("kafka_consumergroup_current_offset", "Committed offset of a group.",
              [](const GroupMetrics::Commit& commit) { return std::optional(commit.offset); });
  each_commit("kafka_consumergroup_lag", "Records that a group has not committed.",
              [&](const GroupMetrics::Commit& commit) { return lag_of(view, commit); });
}

void write_groups(const View& view) {
  const auto each_topic = [&](std::string_view name, std::string_view help, auto value) {
    view.out.family(name, "gauge", help);
    for (const auto& [group, metrics] : view.groups) {
      std::map<std::string_view, std::int64_t> sums;
      for (const GroupMetrics::Commit& commit : metrics->commits) {
        if (const std::optional<std::int64_t> number = value(commit)) sums[commit.topic] += *number;
      }
      for (const auto& [topic, sum] : sums)
        view.out.sample({{"consumergroup", group}, {"topic", topic}}, sum);
    }
  };
  each_topic("kafka_consumergroup_current_offset_sum", "Committed offsets of a group in a topic, summed.",
             [](const GroupMetrics::Commit& commit) { return std::optional(commit.offset); });
  each_topic("kafka_consumergroup_lag_sum", "Lag of a group in a topic, summed.",
             [&](const GroupMetrics::Commit& commit) { return lag_of(view, commit); });
  view.out.family("kafka_consumergroup_members", "gauge", "Members of a group.");
  std::map<std::string_view, std::uint64_t> states;
  for (const auto& [group, metrics] : view.groups) {
    view.out.sample({{"consumergroup", group}}, std::uint64_t{metrics->members});
    ++states[metrics->state];
  }
  view.out.family("tailwater_groups", "gauge", "Groups by state.");
  for (const auto& [state, count] : states) view.out.sample({{"state", state}}, count);
}

void write_traffic(const View& view) {
  using Snapshot = MetricsSnapshot;
  view.total("kafka_server_brokertopicmetrics_messagesin_total", "counter", "Records appended.",
             &Snapshot::messages_in);
  view.total("kafka_server_brokertopicmetrics_bytesin_total", "counter", "Bytes of records appended.",
             &Snapshot::bytes_in);
  view.total("kafka_server_brokertopicmetrics_bytesout_total", "counter",
             "Bytes of records sent to consumers.", &Snapshot::bytes_out);
  view.total("kafka_server_brokertopicmetrics_totalproducerequests_total", "counter", "Produce requests.",
             &Snapshot::produce_requests);
  view.total("kafka_server_brokertopicmetrics_totalfetchrequests_total", "counter", "Fetch requests.",
             &Snapshot::fetch_requests);
  view.total("kafka_server_brokertopicmetrics_failedproducerequests_total", "counter",
             "Produce requests that failed.", &Snapshot::failed_produce_requests);
  view.total("kafka_server_brokertopicmetrics_failedfetchrequests_total", "counter",
             "Fetch requests that failed.", &Snapshot::failed_fetch_requests);
  view.total("kafka_server_socket_server_metrics_connection_count", "gauge", "Open connections.",
             &Snapshot::connections);
  view.total("tailwater_fetch_partitions_total", "counter",
             "Partitions that fetch requests looked at: few, where consumers keep fetch sessions.",
             &Snapshot::fetch_partitions);
  view.total("tailwater_connections", "gauge", "Open connections.", &Snapshot::connections);
  view.total("tailwater_connections_created_total", "counter", "Connections accepted.",
             &Snapshot::connections_created);
  view.total("tailwater_connections_closed_by_broker_total", "counter", "Connections that the broker closed.",
             &Snapshot::connections_closed_by_broker);
  view.out.family("tailwater_connections_rejected_total", "counter",
                  "Connections refused because of a limit.");
  view.out.sample({}, view.input.connections_rejected);
}

constexpr std::pair<std::string_view, std::uint64_t MetricsSnapshot::*> kCaches[] = {
    {"unflushed", &MetricsSnapshot::cache_unflushed},
    {"recent", &MetricsSnapshot::cache_recent},
    {"cold", &MetricsSnapshot::cache_cold},
    {"other", &MetricsSnapshot::cache_other}};

void write_storage(const View& view) {
  using Snapshot = MetricsSnapshot;
  std::set<DirId> offline;  // one fails for a shard, or for several
  for (const MetricsSnapshot& shard : view.input.shards)
    offline.insert(shard.offline_dirs.begin(), shard.offline_dirs.end());
  view.out.family("kafka_log_logmanager_offlinelogdirectorycount", "gauge", "Log directories that failed.");
  view.out.sample({}, static_cast<std::uint64_t>(offline.size()));
  view.total("tailwater_log_corrupt_reads_total", "counter",
             "Reads that were refused because the disk did not give what was written.",
             &Snapshot::corrupt_reads);
  view.total("tailwater_memory_budget_bytes", "gauge", "The budget of all shards for requests and answers.",
             &Snapshot::memory_budget);
  view.total("tailwater_memory_used_bytes", "gauge", "Memory taken from the budget.", &Snapshot::memory_used);
  view.out.family("tailwater_cache_bytes", "gauge",
                  "Memory with bytes of logs: not in their files yet, recent, read back, and all other.");
  for (const auto& [kind, bytes] : kCaches) view.out.sample({{"kind", kind}}, view.sum(bytes));
  view.total("tailwater_journal_frames_total", "counter", "Frames written to the journals.",
             &Snapshot::journal_frames);
  view.total("tailwater_journal_bytes_total", "counter", "Bytes written to the journals.",
             &Snapshot::journal_bytes);
  view.total("tailwater_journal_padding_bytes_total", "counter", "Of these, padding.",
             &Snapshot::journal_padding_bytes);
  view.total("tailwater_journal_size_bytes", "gauge", "Size of the journals.", &Snapshot::journal_size);
  view.total("tailwater_journal_used_bytes", "gauge",
             "Of it, what is not in the segments' files yet, or not known to be: at nine sixteenths no more "
             "is taken.",
             &Snapshot::journal_used);
  view.total("tailwater_direct_runs_total", "counter",
             "Writes of records that went straight to their segment (tailwater.direct.bytes).",
             &Snapshot::direct_runs);
  view.total("tailwater_direct_bytes_total", "counter", "Bytes of these.", &Snapshot::direct_bytes);
  view.total("tailwater_recycled_segments_total", "counter", "Segments that got the file of a removed one.",
             &Snapshot::recycled_segments);
  view.total("tailwater_recycle_bytes", "gauge", "Files of removed segments that wait for new ones.",
             &Snapshot::recycle_bytes);
  DurationHistogram writes;
  for (const Snapshot& shard : view.input.shards) writes.add(shard.journal_write);
  view.out.family("tailwater_journal_write_seconds", "histogram",
                  "From the forming of a frame until it is durable.");
  view.out.histogram({}, writes);
}

// Under the names that Kafka's cleaner has; each of its threads is a shard here, and the worst one counts.
void write_compaction(const View& view) {
  using node::CompactionMetrics;
  const auto largest = [&](std::string_view name, std::string_view help, auto counter) {
    std::int64_t value = 0;
    for (const MetricsSnapshot& shard : view.input.shards)
      value = std::max(value, static_cast<std::int64_t>(shard.compaction.*counter));
    view.out.family(name, "gauge", help);
    view.out.sample({}, value);
  };
  const auto total = [&](std::string_view name, std::string_view type, std::string_view help, auto counter) {
    std::uint64_t sum = 0;
    for (const MetricsSnapshot& shard : view.input.shards) sum += shard.compaction.*counter;
    view.out.family(name, type, help);
    view.out.sample({}, sum);
  };
  largest("kafka_log_logcleanermanager_max_dirty_percent",
          "Part of the dirtiest compacted log that is not compacted.", &CompactionMetrics::max_dirty_percent);
  largest("kafka_log_logcleaner_max_compaction_delay_secs",
          "Time that records wait beyond max.compaction.lag.ms.", &CompactionMetrics::max_delay_seconds);
  largest("kafka_log_logcleaner_max_clean_time_secs", "The longest round of compaction.",
          &CompactionMetrics::max_round_seconds);
  largest("kafka_log_logcleaner_max_buffer_utilization_percent",
          "Part of its memory that the last round used for keys.", &CompactionMetrics::map_percent);
  largest("kafka_log_logcleanermanager_time_since_last_run_ms", "Since the last round of compaction.",
          &CompactionMetrics::since_last_ms);
  total("kafka_log_logcleanermanager_uncleanable_partitions_count", "gauge",
        "Partitions that cannot be compacted.", &CompactionMetrics::uncleanable_partitions);
  total("tailwater_compaction_rounds_total", "counter", "Rounds of compaction.", &CompactionMetrics::rounds);
  total("tailwater_compaction_bytes_before_total", "counter", "Bytes of segments before they were compacted.",
        &CompactionMetrics::bytes_before);
  total("tailwater_compaction_bytes_after_total", "counter", "What compaction left of them.",
        &CompactionMetrics::bytes_after);
  total("tailwater_compaction_unreadable_batches_total", "counter",
        "Batches that compaction could not read, and kept.", &CompactionMetrics::unreadable_batches);
}

void write_apis(const View& view) {
  std::map<std::string, node::ApiMetrics> apis;
  for (const MetricsSnapshot& shard : view.input.shards) {
    for (const auto& [name, metrics] : shard.apis) add_to(apis[name], metrics);
  }
  const auto each = [&](std::string_view name, std::string_view help,
                        std::uint64_t node::ApiMetrics::* counter) {
    view.out.family(name, "counter", help);
    for (const auto& [api, metrics] : apis) view.out.sample({{"api", api}}, metrics.*counter);
  };
  each("tailwater_requests_total", "Requests answered.", &node::ApiMetrics::requests);
  each("tailwater_request_errors_total", "Answers with an error code.", &node::ApiMetrics::errors);
  each("tailwater_request_bytes_total", "Bytes of requests.", &node::ApiMetrics::request_bytes);
  each("tailwater_response_bytes_total", "Bytes of responses.", &node::ApiMetrics::response_bytes);
  view.out.family("tailwater_request_seconds", "histogram",
                  "From the receipt of a request until its answer is sent.");
  for (const auto& [api, metrics] : apis) view.out.histogram({{"api", api}}, metrics.latency);
}

constexpr std::pair<std::string_view, std::uint64_t SystemCalls::*> kSystemCalls[] = {
    {"epoll_wait", &SystemCalls::epoll_wait},
    {"epoll_ctl", &SystemCalls::epoll_ctl},
    {"recv", &SystemCalls::recv},
    {"sendmsg", &SystemCalls::sendmsg},
    {"eventfd", &SystemCalls::eventfd},
    {"io_uring_enter", &SystemCalls::io_uring_enter},
    {"disk_threads", &SystemCalls::disk_threads}};

void write_system_calls(const View& view) {
  view.out.family("tailwater_system_calls_total", "counter",
                  "System calls of a shard's loop, and of the threads that read and write files for it.");
  for (std::size_t shard = 0; shard < view.input.loops.size(); ++shard) {
    const std::string number = fmt::format("{}", shard);
    for (const auto& [name, counter] : kSystemCalls) {
      view.out.sample({{"shard", number}, {"call", name}}, view.input.loops[shard].system_calls.*counter);
    }
  }
}

void write_process(const View& view) {
  const auto each_shard = [&](std::string_view name, std::string_view type, std::string_view help,
                              auto value) {
    view.out.family(name, type, help);
    for (std::size_t shard = 0; shard < view.input.loops.size(); ++shard) {
      const std::string number = fmt::format("{}", shard);
      view.out.sample({{"shard", number}}, value(view.input.loops[shard]));
    }
  };
  each_shard("tailwater_shard_turns_total", "counter", "Turns of a shard's loop.",
             [](const LoopFacts& loop) { return loop.turns; });
  each_shard("tailwater_shard_busy_seconds_total", "counter", "Time in which a shard's loop did not wait.",
             [](const LoopFacts& loop) { return static_cast<double>(loop.busy_ns) / 1e9; });
  each_shard("tailwater_shard_lag_seconds", "gauge", "Time since a shard's last turn.",
             [](const LoopFacts& loop) { return static_cast<double>(loop.since_turn_ns) / 1e9; });
  view.out.family("tailwater_log_lines_dropped_total", "counter",
                  "Lines of the broker's log that did not fit.");
  view.out.sample({}, view.input.log_lines_dropped);

  const ProcessFacts& process = view.input.process;
  view.out.family("process_cpu_seconds_total", "counter", "CPU time of the process.");
  view.out.sample({}, process.cpu_seconds);
  view.out.family("process_resident_memory_bytes", "gauge", "Resident memory.");
  view.out.sample({}, process.resident_bytes);
  view.out.family("process_virtual_memory_bytes", "gauge", "Virtual memory.");
  view.out.sample({}, process.virtual_bytes);
  view.out.family("process_open_fds", "gauge", "Open file descriptors.");
  view.out.sample({}, process.open_descriptors);
  view.out.family("process_max_fds", "gauge", "Limit of open file descriptors.");
  view.out.sample({}, process.max_descriptors);
  view.out.family("process_start_time_seconds", "gauge", "Start of the process since 1970.");
  view.out.sample({}, process.start_time_seconds);
}

}  // namespace

std::string write_metrics(const MetricsInput& input) {
  MetricsWriter writer;
  View view{input, writer, {}, {}, {}};
  for (const MetricsSnapshot& shard : input.shards) {
    for (const PartitionMetrics& partition : shard.partitions) {
      view.partitions[{partition.topic, partition.partition}] = &partition;
      TopicSums& sums = view.topics[partition.topic];
      ++sums.partitions;
      sums.bytes += partition.bytes;
    }
    for (const GroupMetrics& group : shard.groups) view.groups[group.group] = &group;
  }
  write_build(view);
  write_brokers(view);
  write_traffic(view);
  write_topics(view);
  if (input.partitions) write_partitions(view);
  write_groups(view);
  if (input.partitions) write_commits(view);
  write_storage(view);
  write_compaction(view);
  write_apis(view);
  write_system_calls(view);
  write_process(view);
  return writer.take();
}

}  // namespace tailwater::shell
