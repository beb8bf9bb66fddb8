// `tailwater topic describe`: settings that differ from the defaults, and each partition with its leader,
// replicas and offsets.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "apps/cli/admin_client.hpp"
#include "apps/cli/config_words.hpp"
#include "apps/cli/json_output.hpp"
#include "apps/cli/queries.hpp"
#include "apps/cli/settings.hpp"
#include "apps/cli/table.hpp"
#include "apps/cli/text_encoding.hpp"
#include "apps/cli/topic.hpp"
#include "wire/api/describe_configs.hpp"

namespace tailwater::apps::cli {

namespace {

constexpr std::int8_t kTopicOverride = 1;  // Kafka's number of the source "dynamic topic config"

struct DescribeOptions {
  Settings settings;
  std::vector<std::string> patterns;
};

struct Description {
  wire::MetadataResponse metadata;
  ListedOffsets starts;
  ListedOffsets ends;
  std::map<std::string, std::map<std::string, std::string>> overrides;  // by topic
};

Result<void> describe_configs(AdminClient& client, Description& description) {
  wire::DescribeConfigsRequest request;
  for (const auto& topic : description.metadata.topics) {
    if (topic.error_code != wire::ErrorCode::none) continue;
    request.resources.push_back({.resource_type = static_cast<std::int8_t>(ConfigResource::topic),
                                 .resource_name = topic.name.value_or("")});
  }
  if (request.resources.empty()) return {};
  const auto answer = client.ask_any(request);
  if (!answer) return std::unexpected(answer.error());
  for (const auto& result : answer->results) {
    for (const auto& config : result.configs) {
      if (config.config_source != kTopicOverride) continue;
      description.overrides[result.resource_name][config.name] =
          config.is_sensitive ? "(hidden)" : config.value.value_or("");
    }
  }
  return {};
}

Result<Description> collect(AdminClient& client, const std::vector<std::string>& patterns) {
  auto metadata = find_topics(client, patterns);
  if (!metadata) return std::unexpected(metadata.error());
  Description description{.metadata = std::move(*metadata)};
  std::vector<std::pair<TopicPartition, std::int64_t>> first;
  std::vector<std::pair<TopicPartition, std::int64_t>> last;
  for (const auto& topic : description.metadata.topics) {
    for (TopicPartition& partition : partitions_of(description.metadata, topic.name.value_or(""))) {
      first.emplace_back(partition, kEarliest);
      last.emplace_back(std::move(partition), kLatest);
    }
  }
  auto starts = list_offsets(client, description.metadata, first);
  if (!starts) return std::unexpected(starts.error());
  auto ends = list_offsets(client, description.metadata, last);
  if (!ends) return std::unexpected(ends.error());
  description.starts = std::move(*starts);
  description.ends = std::move(*ends);
  if (auto configs = describe_configs(client, description); !configs) return std::unexpected(configs.error());
  return description;
}

json::value offset_value(const ListedOffset& listed) {
  return listed.error == wire::ErrorCode::none ? json::value(listed.offset) : json::value(nullptr);
}

std::string offset_text(const ListedOffset& listed) {
  return listed.error == wire::ErrorCode::none ? std::to_string(listed.offset) : "?";
}

json::array numbers(const std::vector<std::int32_t>& from) {
  return json::array(from.begin(), from.end());
}

json::object as_json(const Description& description, const wire::MetadataResponseTopic& topic) {
  const std::string name = topic.name.value_or("");
  json::object object{{"topic", text(name)},
                      {"id", to_string(topic.topic_id)},
                      {"internal", topic.is_internal},
                      {"error", error_value(topic.error_code)}};
  json::object configs;
  if (const auto found = description.overrides.find(name); found != description.overrides.end()) {
    for (const auto& [key, value] : found->second) configs[key] = text(value);
  }
  object["configs"] = std::move(configs);
  json::array partitions;
  for (const auto& partition : topic.partitions) {
    const TopicPartition key{name, partition.partition_index};
    partitions.push_back(json::object{
        {"partition", partition.partition_index},
        {"leader", partition.leader_id},
        {"epoch", partition.leader_epoch},
        {"replicas", numbers(partition.replica_nodes)},
        {"in_sync", numbers(partition.isr_nodes)},
        {"offline", numbers(partition.offline_replicas)},
        {"start", offset_value(description.starts.at(key))},
        {"end", offset_value(description.ends.at(key))},
        {"error", error_value(partition.error_code)},
    });
  }
  object["partitions"] = std::move(partitions);
  return object;
}

void print_text(const Description& description, const wire::MetadataResponseTopic& topic) {
  const std::string name = topic.name.value_or("");
  std::int64_t records = 0;
  Table table({"PARTITION", "LEADER", "REPLICAS", "IN-SYNC", "START", "END"});
  for (const auto& partition : topic.partitions) {
    const TopicPartition key{name, partition.partition_index};
    const ListedOffset& start = description.starts.at(key);
    const ListedOffset& end = description.ends.at(key);
    if (start.error == wire::ErrorCode::none && end.error == wire::ErrorCode::none) {
      records += end.offset - start.offset;
    }
    table.row({std::to_string(partition.partition_index),
               partition.leader_id < 0 ? "none" : std::to_string(partition.leader_id),
               fmt::format("{}", fmt::join(partition.replica_nodes, ",")),
               fmt::format("{}", fmt::join(partition.isr_nodes, ",")), offset_text(start), offset_text(end)});
  }
  fmt::print("topic       {}{}\n", printable(name), topic.is_internal ? " (internal)" : "");
  fmt::print("id          {}\n", to_string(topic.topic_id));
  fmt::print("partitions  {}\n", topic.partitions.size());
  fmt::print("records     {} at most\n", records);
  if (const auto found = description.overrides.find(name); found != description.overrides.end()) {
    for (const auto& [key, value] : found->second)
      fmt::print("config      {}={}\n", printable(key), printable(value));
  }
  fmt::print("\n{}", table.text());
}

Result<int> describe_topics(const DescribeOptions& options) {
  auto client = AdminClient::make(options.settings);
  if (!client) return std::unexpected(client.error());
  auto description = collect(*client, options.patterns);
  if (!description) return std::unexpected(description.error());
  if (description->metadata.topics.empty()) {
    complain("no topic has such a name");
    if (options.settings.json()) print_json(json::object{{"topics", json::array()}});
    return kExitFailed;
  }
  int code = kExitDone;
  json::array items;
  bool first = true;
  for (auto& topic : description->metadata.topics) {
    std::ranges::sort(topic.partitions, {}, [](const auto& partition) { return partition.partition_index; });
    if (topic.error_code != wire::ErrorCode::none) {
      code = kExitFailed;
      const bool missing = topic.error_code == wire::ErrorCode::unknown_topic_or_partition;
      complain(missing ? no_such_topic(*client, topic.name.value_or(""))
                       : fmt::format("{}: {}", topic.name.value_or(""), error_text(topic.error_code)));
    } else if (!options.settings.json()) {
      fmt::print("{}", first ? "" : "\n");
      first = false;
      print_text(*description, topic);
    }
    items.push_back(as_json(*description, topic));
  }
  if (options.settings.json()) print_json(json::object{{"topics", std::move(items)}});
  return code;
}

}  // namespace

void add_topic_describe(Command& topic) {
  Command describe = topic.command("describe", "Show settings, partitions and offsets of topics.");
  auto options = std::make_shared<DescribeOptions>();
  describe.arguments("TOPIC", options->patterns, "Names; * and ? stand for any letters, any letter.")
      .required();
  add_settings(describe, options->settings);
  describe.examples(
      "START is the offset of the oldest record that is kept, END the offset of the next one to come.\n\n"
      "  tailwater topic describe orders\n"
      "  tailwater topic describe 'orders-*' --format json");
  describe.action([options] { return finish(describe_topics(*options)); });
}

}  // namespace tailwater::apps::cli
