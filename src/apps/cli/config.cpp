// `tailwater config`: settings of topics, brokers and groups that are in force, and changes of them. What the
// keys mean is in config_list.cpp.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>

#include "apps/cli/admin_client.hpp"
#include "apps/cli/config_list.hpp"
#include "apps/cli/config_words.hpp"
#include "apps/cli/json_output.hpp"
#include "apps/cli/results.hpp"
#include "apps/cli/settings.hpp"
#include "apps/cli/table.hpp"
#include "apps/commands.hpp"
#include "wire/api/describe_configs.hpp"
#include "wire/api/incremental_alter_configs.hpp"

namespace tailwater::apps {

namespace cli {

namespace {

constexpr std::int8_t kDefaultSource = 5;

// Kafka's numbers of where a value comes from.
std::string_view source_name(std::int8_t source) {
  switch (source) {
    case 1:
      return "topic";
    case 2:
      return "broker";
    case 3:
      return "all-brokers";
    case 4:
      return "file";
    case 5:
      return "default";
    case 6:
      return "logger";
    case 7:
      return "client-metrics";
    case 8:
      return "group";
    default:
      return "unknown";
  }
}

struct ConfigOptions {
  Settings settings;
  std::string kind;
  std::string name;
  std::vector<std::string> words;  // keys, or KEY=VALUE
  bool all = false;
  bool dry_run = false;
};

ConfigResource resource_kind(const std::string& kind) {
  return kind == "broker"  ? ConfigResource::broker
         : kind == "group" ? ConfigResource::group
                           : ConfigResource::topic;
}

// "default" is what holds for all brokers; Kafka's name of that is empty.
std::string resource_name(const ConfigOptions& options) {
  return options.kind == "broker" && options.name == "default" ? std::string() : options.name;
}

// Settings of a broker are known to that broker; all others to anybody.
Result<BrokerConnection*> target(AdminClient& client, const ConfigOptions& options) {
  if (options.kind != "broker") return client.controller();
  if (options.name == "default") return client.controller();
  std::int32_t id = -1;
  const char* end = options.name.data() + options.name.size();
  const auto parsed = std::from_chars(options.name.data(), end, id);
  if (parsed.ec != std::errc() || parsed.ptr != end || id < 0) {
    return fail(Errc::invalid_argument, "a broker is named by its number, or default for what holds for all");
  }
  return client.broker(id);
}

Result<int> get(const ConfigOptions& options) {
  auto client = AdminClient::make(options.settings);
  if (!client) return std::unexpected(client.error());
  const auto connection = target(*client, options);
  if (!connection) return std::unexpected(connection.error());
  wire::DescribeConfigsRequest request;
  auto& resource = request.resources.emplace_back();
  resource.resource_type = static_cast<std::int8_t>(resource_kind(options.kind));
  resource.resource_name = resource_name(options);
  if (!options.words.empty()) resource.configuration_keys = options.words;
  const auto answer = client->ask(**connection, request);
  if (!answer) return std::unexpected(answer.error());
  Table table({"KEY", "VALUE", "SOURCE"});
  json::array items;
  for (const auto& result : answer->results) {
    if (result.error_code != wire::ErrorCode::none) {
      // Brokers have only the general words here.
      const bool missing = result.error_code == wire::ErrorCode::unknown_topic_or_partition;
      const auto message =
          missing ? std::optional(fmt::format("There is no topic '{}'", options.name)) : result.error_message;
      return fail(
          missing ? Errc::not_found : Errc::unavailable,
          fmt::format("{} {}: {}", options.kind, options.name, error_text(result.error_code, message)));
    }
    auto configs = result.configs;
    std::ranges::sort(configs, {}, [](const auto& config) { return config.name; });
    for (const auto& config : configs) {
      const bool shown = options.all || !options.words.empty() || config.config_source != kDefaultSource;
      if (!shown) continue;
      const std::string value = config.is_sensitive ? "(hidden)" : config.value.value_or("");
      table.row({config.name, value, std::string(source_name(config.config_source))});
      items.push_back(
          json::object{{"key", text(config.name)},
                       {"value", config.is_sensitive ? json::value(nullptr) : text_or_null(config.value)},
                       {"source", source_name(config.config_source)},
                       {"sensitive", config.is_sensitive},
                       {"read_only", config.read_only}});
    }
  }
  int code = kExitDone;
  for (const std::string& key : options.words) {
    const bool found = std::ranges::any_of(
        items, [&](const json::value& item) { return item.at("key").as_string() == key; });
    if (found) continue;
    complain(fmt::format("there is no key '{}'; `tailwater config list {}` shows all", key, options.kind));
    code = kExitFailed;
  }
  if (options.settings.json()) {
    print_json(
        json::object{{"kind", options.kind}, {"name", text(options.name)}, {"configs", std::move(items)}});
  } else if (!table.empty()) {
    fmt::print("{}", table.text());
  } else if (code == kExitDone) {
    complain("nothing is set; --all shows the defaults too");
  }
  return code;
}

Result<int> alter(const ConfigOptions& options, const std::vector<ConfigChange>& changes) {
  warn_of_keys(resource_kind(options.kind), changes);
  auto client = AdminClient::make(options.settings);
  if (!client) return std::unexpected(client.error());
  const auto connection = target(*client, options);
  if (!connection) return std::unexpected(connection.error());
  wire::IncrementalAlterConfigsRequest request;
  request.validate_only = options.dry_run;
  request.resources.push_back(resource_of(resource_kind(options.kind), resource_name(options), changes));
  const auto answer = client->ask(**connection, request);
  if (!answer) return std::unexpected(answer.error());
  Results results(options.settings.json());
  for (const auto& result : answer->responses) {
    json::object item{{"kind", options.kind}, {"name", text(options.name)}};
    const std::string name = fmt::format("{} {}", options.kind, options.name);
    if (result.error_code == wire::ErrorCode::none) {
      results.done(std::move(item), fmt::format("{} {}", options.dry_run ? "would alter" : "altered", name));
    } else {
      results.failed(std::move(item), name, result.error_code, result.error_message);
    }
  }
  return results.finish();
}

Result<int> set(const ConfigOptions& options) {
  const auto changes = parse_config_changes(options.words);
  if (!changes) return std::unexpected(changes.error());
  return alter(options, *changes);
}

Result<int> unset(const ConfigOptions& options) {
  std::vector<ConfigChange> changes;
  for (const std::string& key : options.words) changes.push_back({key, "", ConfigOperation::remove});
  return alter(options, changes);
}

void add_resource(Command& command, ConfigOptions& options) {
  command.argument("KIND", options.kind, "topic, broker or group.")
      .required()
      .one_of({"topic", "broker", "group"});
  command.argument("NAME", options.name, "Its name; of a broker its number, or default for all brokers.")
      .required();
}

void add_get(Command& config) {
  Command command = config.command("get", "Show settings.");
  auto options = std::make_shared<ConfigOptions>();
  add_resource(command, *options);
  command.arguments("KEY", options->words, "Only these.");
  command.flag("-a,--all", options->all, "Defaults too.");
  add_settings(command, options->settings);
  command.examples("  tailwater config get topic orders\n  tailwater config get broker 1 --all");
  command.action([options] { return finish(get(*options)); });
}

void add_set(Command& config) {
  Command command = config.command("set", "Change settings.");
  auto options = std::make_shared<ConfigOptions>();
  add_resource(command, *options);
  command.arguments("KEY=VALUE", options->words, "Settings; += and -= add to lists and take from them.")
      .required();
  command.flag("--dry-run", options->dry_run, "Let the broker check everything and change nothing.");
  add_settings(command, options->settings);
  command.examples(
      "  tailwater config set topic orders retention.ms=3600000\n"
      "  tailwater config set broker default log.retention.ms=86400000");
  command.action([options] { return finish(set(*options)); });
}

void add_unset(Command& config) {
  Command command = config.command("unset", "Return settings to their defaults.");
  auto options = std::make_shared<ConfigOptions>();
  add_resource(command, *options);
  command.arguments("KEY", options->words, "Keys.").required();
  command.flag("--dry-run", options->dry_run, "Let the broker check everything and change nothing.");
  add_settings(command, options->settings);
  command.action([options] { return finish(unset(*options)); });
}

}  // namespace

}  // namespace cli

void add_config_command(Command& tailwater) {
  Command config = tailwater.command("config", "Show, change and explain settings.", "Cluster");
  cli::add_get(config);
  cli::add_set(config);
  cli::add_unset(config);
  cli::add_config_list(config);
}

}  // namespace tailwater::apps
