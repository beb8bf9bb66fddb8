#include "sim/topics.hpp"

#include <string>
#include <utility>
#include <vector>

namespace tailwater::sim {

namespace {

using Config = std::pair<std::string, std::string>;

}  // namespace

wire::CreateTopicsRequest topics_of(const Options& options) {
  wire::CreateTopicsRequest request;
  request.timeout_ms = 10'000;
  const auto add = [&](std::string_view name, std::int32_t partitions, const std::vector<Config>& configs) {
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    topic.num_partitions = partitions;
    topic.replication_factor = 1;
    for (const auto& [key, value] : configs) topic.configs.push_back({.name = key, .value = value});
  };
  const Config segment_ms{"segment.ms", std::to_string(options.segment_ms)};
  const Config segment_bytes{"segment.bytes", std::to_string(options.segment_bytes)};
  add(kMain, options.partitions,
      {segment_ms,
       segment_bytes,
       {"retention.ms", std::to_string(options.retention_ms)},
       {"retention.bytes", std::to_string(options.retention_bytes)}});
  if (options.transactors > 0) add(kTransactional, kTransactionalPartitions, {segment_ms, segment_bytes});
  if (options.compacts) {
    add(kCompacted, 1,
        {{"cleanup.policy", "compact"},
         {"segment.ms", "2000"},
         {"min.cleanable.dirty.ratio", "0.01"},
         {"delete.retention.ms", "5000"}});
  }
  if (options.hasty_messages >= 0) {
    add(kHasty, kHastyPartitions,
        {{"tailwater.durability", "os"},
         {"flush.messages", std::to_string(options.hasty_messages)},
         segment_ms});
  }
  return request;
}

}  // namespace tailwater::sim
