#include "apps/cli/topic.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "apps/cli/admin_client.hpp"
#include "apps/cli/config_words.hpp"
#include "apps/cli/json_output.hpp"
#include "apps/cli/queries.hpp"
#include "apps/cli/results.hpp"
#include "apps/cli/settings.hpp"
#include "apps/cli/table.hpp"
#include "apps/cli/text_encoding.hpp"
#include "apps/commands.hpp"
#include "wire/api/create_topics.hpp"
#include "wire/api/delete_topics.hpp"

namespace tailwater::apps {

namespace cli {

namespace {

struct ListOptions {
  Settings settings;
  std::vector<std::string> patterns;
  bool internal = false;
};

Result<int> list_topics(const ListOptions& options) {
  auto client = AdminClient::make(options.settings);
  if (!client) return std::unexpected(client.error());
  auto answer = client->metadata({});
  if (!answer) return std::unexpected(answer.error());
  std::erase_if(answer->topics, [&](const wire::MetadataResponseTopic& topic) {
    return (topic.is_internal && !options.internal) ||
           (!options.patterns.empty() && !matches(topic.name.value_or(""), options.patterns));
  });
  std::ranges::sort(answer->topics, {}, [](const auto& topic) { return topic.name.value_or(""); });
  std::vector<std::string> columns = {"TOPIC", "PARTITIONS", "REPLICAS"};
  if (options.internal) columns.push_back("INTERNAL");
  Table table(columns);
  json::array items;
  for (const auto& topic : answer->topics) {
    std::size_t replicas = 0;
    for (const auto& partition : topic.partitions)
      replicas = std::max(replicas, partition.replica_nodes.size());
    std::vector<std::string> row = {topic.name.value_or(""), std::to_string(topic.partitions.size()),
                                    std::to_string(replicas)};
    if (options.internal) row.push_back(topic.is_internal ? "yes" : "no");
    table.row(std::move(row));
    items.push_back(json::object{{"topic", text_or_null(topic.name)},
                                 {"id", to_string(topic.topic_id)},
                                 {"partitions", topic.partitions.size()},
                                 {"replicas", replicas},
                                 {"internal", topic.is_internal}});
  }
  if (options.settings.json()) {
    print_json(json::object{{"topics", std::move(items)}});
  } else if (table.empty()) {
    complain(options.patterns.empty()
                 ? "there are no topics yet; create one with: tailwater topic create NAME"
                 : "no topic has such a name");
  } else {
    fmt::print("{}", table.text());
  }
  return kExitDone;
}

struct CreateOptions {
  Settings settings;
  std::vector<std::string> names;
  std::int64_t partitions = -1;
  std::int64_t replicas = -1;
  std::vector<std::string> configs;
  bool if_not_exists = false;
  bool dry_run = false;
};

// "--partitions", of which a topic or its request can have so many.
Result<void> check_count(std::string_view option, std::int64_t count, std::int64_t most) {
  if (count > most) {
    return fail(Errc::invalid_argument,
                fmt::format("{}: {} is too large; it is {} at most", option, count, most));
  }
  if (count >= 1 || count == -1) return {};
  return fail(Errc::invalid_argument, fmt::format("{} is 1 or more, or -1 for the broker's default", option));
}

Result<wire::CreateTopicsRequest> create_request(const CreateOptions& options) {
  const auto changes = parse_config_changes(options.configs);
  if (!changes) return std::unexpected(changes.error());
  if (auto checked = check_count("--partitions", options.partitions, INT32_MAX); !checked)
    return std::unexpected(checked.error());
  if (auto checked = check_count("--replicas", options.replicas, INT16_MAX); !checked)
    return std::unexpected(checked.error());
  wire::CreateTopicsRequest request;
  request.validate_only = options.dry_run;
  for (const std::string& name : options.names) {
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    topic.num_partitions = static_cast<std::int32_t>(options.partitions);
    topic.replication_factor = static_cast<std::int16_t>(options.replicas);
    for (const ConfigChange& change : *changes) {
      if (change.operation != ConfigOperation::set) {
        return fail(Errc::invalid_argument,
                    "a new topic has nothing to add to or take from; write KEY=VALUE");
      }
      topic.configs.push_back({.name = change.key, .value = change.value});
    }
  }
  warn_of_keys(ConfigResource::topic, *changes);
  return request;
}

Result<int> create_topics(const CreateOptions& options) {
  auto request = create_request(options);
  if (!request) return std::unexpected(request.error());
  auto client = AdminClient::make(options.settings);
  if (!client) return std::unexpected(client.error());
  request->timeout_ms = static_cast<std::int32_t>(client->options().timeout.count());
  const auto answer = client->ask_controller(*request);
  if (!answer) return std::unexpected(answer.error());
  Results results(options.settings.json());
  for (const auto& topic : answer->topics) {
    json::object item{{"topic", text(topic.name)}, {"created", false}};
    if (topic.error_code == wire::ErrorCode::topic_already_exists && options.if_not_exists) {
      results.done(std::move(item), fmt::format("{} is there already", topic.name));
      continue;
    }
    if (topic.error_code != wire::ErrorCode::none) {
      results.failed(std::move(item), topic.name, topic.error_code, topic.error_message);
      continue;
    }
    item["created"] = !options.dry_run;
    std::string size;
    if (topic.num_partitions > 0) {
      item["partitions"] = topic.num_partitions;
      item["replicas"] = topic.replication_factor;
      size = fmt::format(": {}, {}", counted(static_cast<std::size_t>(topic.num_partitions), "partition"),
                         counted(static_cast<std::size_t>(topic.replication_factor), "replica"));
    }
    results.done(std::move(item),
                 fmt::format("{} {}{}", options.dry_run ? "would create" : "created", topic.name, size));
  }
  return results.finish();
}

struct DeleteOptions {
  Settings settings;
  Confirmation confirmation;
  std::vector<std::string> names;
  bool if_exists = false;
  bool dry_run = false;
};

Result<int> delete_topics(const DeleteOptions& options) {
  auto client = AdminClient::make(options.settings);
  if (!client) return std::unexpected(client.error());
  const auto chosen = find_topics(*client, options.names);
  if (!chosen) return std::unexpected(chosen.error());
  if (chosen->topics.empty() && !options.if_exists) return fail(Errc::not_found, "no topic has such a name");
  Results results(options.settings.json());
  wire::DeleteTopicsRequest request;
  request.timeout_ms = static_cast<std::int32_t>(client->options().timeout.count());
  for (const auto& topic : chosen->topics) {
    const std::string name = topic.name.value_or("");
    const bool missing = topic.error_code == wire::ErrorCode::unknown_topic_or_partition;
    if (missing && options.if_exists) {
      results.done({{"topic", text(name)}, {"deleted", false}}, fmt::format("{} is not there", name));
    } else if (missing) {
      results.failed({{"topic", text(name)}, {"deleted", false}}, name, topic.error_code,
                     no_such_topic(*client, name, CreationHint::leave_out));
    } else if (options.dry_run) {
      results.done({{"topic", text(name)}, {"deleted", false}},
                   fmt::format("would delete {}: {}", name, counted(topic.partitions.size(), "partition")));
    } else {
      request.topic_names.push_back(name);
      request.topics.push_back({.name = name});
    }
  }
  if (request.topic_names.empty()) return results.finish();
  const auto sure =
      confirmed(options.confirmation,
                request.topic_names.size() == 1
                    ? fmt::format("Delete topic {} and its records", request.topic_names[0])
                    : fmt::format("Delete {} topics and their records", request.topic_names.size()));
  if (!sure) return std::unexpected(sure.error());
  if (!*sure) return kExitFailed;
  const auto answer = client->ask_controller(request);
  if (!answer) return std::unexpected(answer.error());
  for (const auto& topic : answer->responses) {
    const std::string name = topic.name.value_or("");
    const bool deleted = topic.error_code == wire::ErrorCode::none;
    json::object item{{"topic", text(name)}, {"deleted", deleted}};
    if (deleted) {
      results.done(std::move(item), fmt::format("deleted {}", name));
    } else {
      results.failed(std::move(item), name, topic.error_code, topic.error_message);
    }
  }
  return results.finish();
}

void add_list(Command& topic) {
  Command list = topic.command("list", "List topics.");
  auto options = std::make_shared<ListOptions>();
  list.arguments("TOPIC", options->patterns, "Only these; * and ? stand for any letters, any letter.");
  list.flag("-i,--internal", options->internal, "Internal topics too.");
  add_settings(list, options->settings);
  list.action([options] { return finish(list_topics(*options)); });
}

void add_create(Command& topic) {
  Command create = topic.command("create", "Create topics.");
  auto options = std::make_shared<CreateOptions>();
  create.arguments("NAME", options->names, "Names of the new topics.").required();
  create.option("-p,--partitions", options->partitions, "N", "Partitions of each; -1: the broker's default.");
  create.option("-r,--replicas", options->replicas, "N", "Replicas of each; -1: the broker's default.");
  create.repeated("-c,--config", options->configs, "KEY=VALUE",
                  "A setting; `tailwater config list topic` explains the keys.");
  create.flag("--if-not-exists", options->if_not_exists, "A topic that is there already is no error.");
  create.flag("--dry-run", options->dry_run, "Let the broker check everything and create nothing.");
  add_settings(create, options->settings);
  create.examples(
      "  tailwater topic create hello\n"
      "  tailwater topic create orders payments -p 12 -r 3 -c retention.ms=604800000");
  create.action([options] { return finish(create_topics(*options)); });
}

void add_delete(Command& topic) {
  Command remove = topic.command("delete", "Delete topics with their records.");
  auto options = std::make_shared<DeleteOptions>();
  remove.arguments("TOPIC", options->names, "Names; * and ? stand for any letters, any letter.").required();
  add_confirmation(remove, options->confirmation);
  remove.flag("--if-exists", options->if_exists, "A topic that is not there is no error.");
  remove.flag("--dry-run", options->dry_run, "Say what would be deleted.");
  add_settings(remove, options->settings);
  remove.action([options] { return finish(delete_topics(*options)); });
}

}  // namespace

}  // namespace cli

void add_topic_command(Command& tailwater) {
  Command topic =
      tailwater.command("topic", "Create, list, describe and change topics.", "Topics and records");
  cli::add_list(topic);
  cli::add_create(topic);
  cli::add_topic_describe(topic);
  cli::add_topic_alter(topic);
  cli::add_delete(topic);
  cli::add_topic_add_partitions(topic);
  cli::add_topic_trim(topic);
}

}  // namespace tailwater::apps
