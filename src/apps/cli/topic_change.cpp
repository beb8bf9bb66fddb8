// Changes of topics that are there: settings, more partitions, fewer records.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "apps/cli/admin_client.hpp"
#include "apps/cli/config_words.hpp"
#include "apps/cli/offset_range.hpp"
#include "apps/cli/queries.hpp"
#include "apps/cli/results.hpp"
#include "apps/cli/settings.hpp"
#include "apps/cli/time_text.hpp"
#include "apps/cli/topic.hpp"
#include "wire/api/create_partitions.hpp"
#include "wire/api/delete_records.hpp"
#include "wire/api/incremental_alter_configs.hpp"

namespace tailwater::apps::cli {

namespace {

struct AlterOptions {
  Settings settings;
  std::vector<std::string> names;
  std::vector<std::string> configs;
  std::vector<std::string> unset;
  bool dry_run = false;
};

Result<int> alter_topics(const AlterOptions& options) {
  auto changes = parse_config_changes(options.configs);
  if (!changes) return std::unexpected(changes.error());
  for (const std::string& key : options.unset) changes->push_back({key, "", ConfigOperation::remove});
  if (changes->empty())
    return fail(Errc::invalid_argument, "nothing to change; give -c KEY=VALUE or --unset KEY");
  warn_of_keys(ConfigResource::topic, *changes);
  auto client = AdminClient::make(options.settings);
  if (!client) return std::unexpected(client.error());
  const auto chosen = find_topics(*client, options.names);
  if (!chosen) return std::unexpected(chosen.error());
  wire::IncrementalAlterConfigsRequest request;
  request.validate_only = options.dry_run;
  for (const auto& topic : chosen->topics) {
    request.resources.push_back(resource_of(ConfigResource::topic, topic.name.value_or(""), *changes));
  }
  if (request.resources.empty()) return fail(Errc::not_found, "no topic has such a name");
  const auto answer = client->ask_controller(request);
  if (!answer) return std::unexpected(answer.error());
  Results results(options.settings.json());
  for (const auto& result : answer->responses) {
    json::object item{{"topic", text(result.resource_name)}};
    if (result.error_code == wire::ErrorCode::none) {
      results.done(std::move(item),
                   fmt::format("{} {}", options.dry_run ? "would alter" : "altered", result.resource_name));
    } else {
      results.failed(std::move(item), result.resource_name, result.error_code, result.error_message);
    }
  }
  return results.finish();
}

struct PartitionsOptions {
  Settings settings;
  std::vector<std::string> names;
  std::int64_t by = 0;
  std::int64_t to = 0;
  bool dry_run = false;
};

Result<int> add_partitions(const PartitionsOptions& options) {
  if (const std::int64_t larger = std::max(options.by, options.to); larger > INT32_MAX) {
    return fail(Errc::invalid_argument,
                fmt::format("{} partitions are too many; there can be {} at most", larger, INT32_MAX));
  }
  if ((options.by > 0) == (options.to > 0) || options.by < 0 || options.to < 0) {
    return fail(Errc::invalid_argument,
                "say how many partitions to add (--by N), or how many there shall be (--to N)");
  }
  auto client = AdminClient::make(options.settings);
  if (!client) return std::unexpected(client.error());
  const auto chosen = find_topics(*client, options.names);
  if (!chosen) return std::unexpected(chosen.error());
  if (chosen->topics.empty()) return fail(Errc::not_found, "no topic has such a name");
  Results results(options.settings.json());
  wire::CreatePartitionsRequest request;
  request.validate_only = options.dry_run;
  request.timeout_ms = static_cast<std::int32_t>(client->options().timeout.count());
  std::map<std::string, std::int64_t> counts;
  for (const auto& topic : chosen->topics) {
    const std::string name = topic.name.value_or("");
    if (topic.error_code != wire::ErrorCode::none) {
      results.failed({{"topic", text(name)}}, name, topic.error_code);
      continue;
    }
    const auto before = static_cast<std::int64_t>(topic.partitions.size());
    counts[name] = options.to > 0 ? options.to : before + options.by;
    request.topics.push_back(
        {.name = name, .count = static_cast<std::int32_t>(std::min<std::int64_t>(counts[name], INT32_MAX))});
  }
  if (request.topics.empty()) return results.finish();
  const auto answer = client->ask_controller(request);
  if (!answer) return std::unexpected(answer.error());
  for (const auto& result : answer->results) {
    json::object item{{"topic", text(result.name)}, {"partitions", counts[result.name]}};
    if (result.error_code == wire::ErrorCode::none) {
      results.done(std::move(item),
                   fmt::format("{} {} partitions", result.name + (options.dry_run ? " would have" : " has"),
                               counts[result.name]));
    } else {
      results.failed(std::move(item), result.name, result.error_code, result.error_message);
    }
  }
  return results.finish();
}

struct TrimOptions {
  Settings settings;
  Confirmation confirmation;
  std::string topic;
  std::string to;
  std::vector<std::string> partitions;
  bool dry_run = false;
};

// The partitions that -p names, or all of the topic.
Result<std::vector<TopicPartition>> trimmed_partitions(const TrimOptions& options, AdminClient& client,
                                                       const wire::MetadataResponse& metadata) {
  const auto* topic = find_topic(metadata, options.topic);
  if (topic == nullptr || topic->error_code != wire::ErrorCode::none) {
    return fail(Errc::not_found, no_such_topic(client, options.topic));
  }
  std::vector<TopicPartition> all = partitions_of(metadata, options.topic);
  if (options.partitions.empty()) return all;
  const auto numbers = parse_partitions(options.partitions);
  if (!numbers) return std::unexpected(numbers.error());
  std::vector<TopicPartition> chosen;
  for (const std::int32_t number : *numbers) {
    chosen.push_back({options.topic, number});
    if (std::ranges::find(all, chosen.back()) == all.end()) {
      return fail(Errc::invalid_argument, fmt::format("{} has no partition {}", options.topic, number));
    }
  }
  return chosen;
}

Result<void> delete_records(AdminClient& client, const wire::MetadataResponse& metadata,
                            const ListedOffsets& places, Results& results) {
  std::map<std::int32_t, wire::DeleteRecordsRequest> requests;
  for (const auto& [partition, place] : places) {
    for (const auto& each : find_topic(metadata, partition.topic)->partitions) {
      if (each.partition_index != partition.partition) continue;
      auto& request = requests[each.leader_id];
      request.timeout_ms = static_cast<std::int32_t>(client.options().timeout.count());
      if (request.topics.empty()) request.topics.push_back({.name = partition.topic});
      request.topics.back().partitions.push_back(
          {.partition_index = partition.partition, .offset = place.offset});
    }
  }
  for (const auto& [leader, request] : requests) {
    const auto answer = client.ask_broker(leader, request);
    if (!answer) return std::unexpected(answer.error());
    for (const auto& topic : answer->topics) {
      for (const auto& partition : topic.partitions) {
        const std::string name = to_string(TopicPartition{topic.name, partition.partition_index});
        json::object item{{"topic", text(topic.name)}, {"partition", partition.partition_index}};
        if (partition.error_code != wire::ErrorCode::none) {
          results.failed(std::move(item), name, partition.error_code);
          continue;
        }
        item["start"] = partition.low_watermark;
        results.done(std::move(item), fmt::format("{} now starts at {}", name, partition.low_watermark));
      }
    }
  }
  return {};
}

Result<int> trim_topic(const TrimOptions& options) {
  const auto point = parse_offset_point(options.to, unix_now_ms());
  if (!point) return std::unexpected(point.error());
  auto client = AdminClient::make(options.settings);
  if (!client) return std::unexpected(client.error());
  const auto metadata =
      client->metadata({.kind = AdminClient::TopicChoice::Kind::named, .names = {options.topic}});
  if (!metadata) return std::unexpected(metadata.error());
  const auto partitions = trimmed_partitions(options, *client, *metadata);
  if (!partitions) return std::unexpected(partitions.error());
  const auto places = resolve_point(*client, *metadata, *partitions, *point);
  if (!places) return std::unexpected(places.error());
  Results results(options.settings.json());
  ListedOffsets wanted;
  for (const auto& [partition, place] : *places) {
    json::object item{{"topic", text(partition.topic)}, {"partition", partition.partition}};
    if (place.error != wire::ErrorCode::none) {
      results.failed(std::move(item), to_string(partition), place.error);
    } else if (options.dry_run) {
      item["start"] = place.offset;
      results.done(std::move(item), fmt::format("{} would start at {}", to_string(partition), place.offset));
    } else {
      wanted[partition] = place;
    }
  }
  if (wanted.empty()) return results.finish();
  const auto sure =
      confirmed(options.confirmation, fmt::format("Delete the older records of {}", options.topic));
  if (!sure) return std::unexpected(sure.error());
  if (!*sure) return kExitFailed;
  if (auto deleted = delete_records(*client, *metadata, wanted, results); !deleted) {
    return std::unexpected(deleted.error());
  }
  return results.finish();
}

}  // namespace

void add_topic_alter(Command& topic) {
  Command alter = topic.command("alter", "Change settings of topics.");
  auto options = std::make_shared<AlterOptions>();
  alter.arguments("TOPIC", options->names, "Names; * and ? stand for any letters, any letter.").required();
  alter.repeated("-c,--config", options->configs, "KEY=VALUE",
                 "Set a key; KEY+=VALUE and KEY-=VALUE add to a list and take from it.");
  alter.repeated("--unset", options->unset, "KEY", "Back to the default.");
  alter.flag("--dry-run", options->dry_run, "Let the broker check everything and change nothing.");
  add_settings(alter, options->settings);
  alter.examples("  tailwater topic alter orders -c retention.ms=3600000 --unset segment.bytes");
  alter.action([options] { return finish(alter_topics(*options)); });
}

void add_topic_add_partitions(Command& topic) {
  Command add = topic.command("add-partitions", "Give topics more partitions.");
  auto options = std::make_shared<PartitionsOptions>();
  add.arguments("TOPIC", options->names, "Names; * and ? stand for any letters, any letter.").required();
  add.option("--by", options->by, "N", "How many to add.").without_default();
  add.option("--to", options->to, "N", "How many there shall be.").without_default();
  for (const char* looked_for : {"-p", "--partitions"}) add.instead_of(looked_for, "--by N or --to N");
  add.flag("--dry-run", options->dry_run, "Let the broker check everything and change nothing.");
  add_settings(add, options->settings);
  add.examples(
      "Records with a key may go to another partition than before.\n\n"
      "  tailwater topic add-partitions orders --by 3");
  add.action([options] { return finish(add_partitions(*options)); });
}

void add_topic_trim(Command& topic) {
  Command trim = topic.command("trim", "Delete the oldest records of a topic.");
  auto options = std::make_shared<TrimOptions>();
  trim.argument("TOPIC", options->topic, "The topic.").required();
  trim.option("--to", options->to, "PLACE", "The first to keep: an offset, end, +N, -N, @TIME.").required();
  trim.repeated("-p,--partition", options->partitions, "N", "Only these: 3, 0-3 or 0,2,5.");
  add_confirmation(trim, options->confirmation);
  trim.flag("--dry-run", options->dry_run, "Say where the partitions would start.");
  add_settings(trim, options->settings);
  trim.examples(
      "  tailwater topic trim orders --to end -y       all records\n"
      "  tailwater topic trim orders --to @-7d         what is older than a week\n"
      "  tailwater topic trim orders --to -1000 -p 0   all but the newest 1000");
  trim.action([options] { return finish(trim_topic(*options)); });
}

}  // namespace tailwater::apps::cli
