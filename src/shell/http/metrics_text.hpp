// All counters of a broker as Prometheus text: the names of the common Kafka exporters and dashboards, so
// that they go on working, and Tailwater's own. Pure: numbers in, text out.
//
// Lag is computed here, from one set of snapshots: end of log minus the greater of commit and log start,
// never negative; a partition without a commit has no lag. Series grow with partitions only if asked
// (`partitions`).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "node/metrics.hpp"
#include "shell/system/system_calls.hpp"

namespace tailwater::shell {

struct ProcessFacts {
  double cpu_seconds = 0;
  std::uint64_t resident_bytes = 0;
  std::uint64_t virtual_bytes = 0;
  std::uint64_t open_descriptors = 0;
  std::uint64_t max_descriptors = 0;
  double start_time_seconds = 0;  // since 1970
};
// Of this process, from /proc; what cannot be read is 0.
ProcessFacts read_process_facts();

struct LoopFacts {
  std::uint64_t turns = 0;
  std::uint64_t busy_ns = 0;
  std::int64_t since_turn_ns = 0;
  SystemCalls system_calls;
};

struct MetricsInput {
  std::string version;
  std::string cluster_id;
  std::int32_t broker_id = 0;
  std::string address;  // host:port as advertised
  double uptime_seconds = 0;
  bool partitions = true;  // series per partition
  std::vector<node::MetricsSnapshot> shards;
  std::vector<LoopFacts> loops;
  std::uint64_t connections_rejected = 0;
  std::uint64_t log_lines_dropped = 0;
  ProcessFacts process;
};

std::string write_metrics(const MetricsInput& input);

// The writer of the format: families in order, each with its help and type once.
class MetricsWriter {
 public:
  using Labels = std::vector<std::pair<std::string_view, std::string_view>>;

  void family(std::string_view name, std::string_view type, std::string_view help);
  void sample(const Labels& labels, std::uint64_t value) { sample_as("", labels, value); }
  void sample(const Labels& labels, std::int64_t value);
  void sample(const Labels& labels, double value);
  // Buckets from 64 us to 16 s.
  void histogram(const Labels& labels, const DurationHistogram& histogram);

  std::string take() { return std::move(text_); }

 private:
  void sample_as(std::string_view suffix, const Labels& labels, std::uint64_t value);
  void name_and_labels(std::string_view suffix, const Labels& labels);

  std::string name_;
  std::string text_;
};

}  // namespace tailwater::shell
