// `tailwater cluster`: who is there, and whether all is well.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <set>
#include <thread>

#include "apps/cli/admin_client.hpp"
#include "apps/cli/health.hpp"
#include "apps/cli/json_output.hpp"
#include "apps/cli/settings.hpp"
#include "apps/cli/table.hpp"
#include "apps/cli/text_encoding.hpp"
#include "apps/cli/time_text.hpp"
#include "apps/commands.hpp"

namespace tailwater::apps {

namespace cli {

namespace {

constexpr std::chrono::milliseconds kHealthPause{100};

struct ClusterOptions {
  Settings settings;
  std::string wait;  // of health
};

Result<wire::MetadataResponse> look(const Settings& settings) {
  auto client = AdminClient::make(settings);
  if (!client) return std::unexpected(client.error());
  auto metadata = client->metadata({});
  if (metadata) std::ranges::sort(metadata->brokers, {}, &wire::MetadataResponseBroker::node_id);
  return metadata;
}

Table broker_table(const wire::MetadataResponse& metadata) {
  Table table({"ID", "HOST", "PORT", "RACK", "LEADS", "REPLICAS", "CONTROLLER"});
  for (const auto& broker : metadata.brokers) {
    const BrokerLoad load = load_of(metadata, broker.node_id);
    table.row({std::to_string(broker.node_id), broker.host, std::to_string(broker.port),
               broker.rack.value_or(""), std::to_string(load.leads), std::to_string(load.replicas),
               broker.node_id == metadata.controller_id ? "yes" : "no"});
  }
  return table;
}

json::array broker_array(const wire::MetadataResponse& metadata) {
  json::array brokers;
  for (const auto& broker : metadata.brokers) {
    const BrokerLoad load = load_of(metadata, broker.node_id);
    brokers.push_back(json::object{{"id", broker.node_id},
                                   {"host", text(broker.host)},
                                   {"port", broker.port},
                                   {"rack", text_or_null(broker.rack)},
                                   {"leads", load.leads},
                                   {"replicas", load.replicas},
                                   {"controller", broker.node_id == metadata.controller_id}});
  }
  return brokers;
}

Result<int> info(const ClusterOptions& options) {
  const auto metadata = look(options.settings);
  if (!metadata) return std::unexpected(metadata.error());
  std::size_t topics = 0;
  std::size_t internal = 0;
  std::size_t partitions = 0;
  for (const auto& topic : metadata->topics) {
    (topic.is_internal ? internal : topics) += 1;
    partitions += topic.partitions.size();
  }
  if (options.settings.json()) {
    print_json(json::object{{"cluster", text_or_null(metadata->cluster_id)},
                            {"controller", metadata->controller_id},
                            {"topics", topics},
                            {"internal_topics", internal},
                            {"partitions", partitions},
                            {"brokers", broker_array(*metadata)}});
    return kExitDone;
  }
  fmt::print("cluster     {}\n", printable(metadata->cluster_id.value_or("-")));
  fmt::print("controller  {}\n", metadata->controller_id);
  fmt::print("topics      {}, and {} internal\n", topics, internal);
  fmt::print("partitions  {}\n\n{}", partitions, broker_table(*metadata).text());
  return kExitDone;
}

Result<int> brokers(const ClusterOptions& options) {
  const auto metadata = look(options.settings);
  if (!metadata) return std::unexpected(metadata.error());
  if (options.settings.json()) {
    print_json(json::object{{"brokers", broker_array(*metadata)}});
  } else {
    fmt::print("{}", broker_table(*metadata).text());
  }
  return kExitDone;
}

// Looks again and again while the time to wait lasts, also when nobody answers yet.
Result<Health> health_within(const Settings& settings, std::chrono::milliseconds patience) {
  const auto give_up = std::chrono::steady_clock::now() + patience;
  for (;;) {
    const auto metadata = look(settings);
    const bool late = std::chrono::steady_clock::now() + kHealthPause >= give_up;
    if (metadata) {
      Health health = health_of(*metadata);
      if (health.reasons.empty() || late) return health;
    } else if (late || metadata.error().code == Errc::invalid_argument) {
      return std::unexpected(metadata.error());
    }
    std::this_thread::sleep_for(kHealthPause);
  }
}

Result<int> health(const ClusterOptions& options) {
  std::chrono::milliseconds patience{0};
  if (!options.wait.empty()) {
    const auto time = parse_duration(options.wait);
    if (!time) return fail(Errc::invalid_argument, "--wait: " + time.error().message);
    patience = *time;
  }
  const auto found = health_within(options.settings, patience);
  if (!found) return std::unexpected(found.error());
  const bool healthy = found->reasons.empty();
  if (options.settings.json()) {
    json::array reasons;
    for (const std::string& reason : found->reasons) reasons.push_back(text(reason));
    print_json(json::object{{"healthy", healthy},
                            {"brokers", found->brokers},
                            {"partitions", found->partitions},
                            {"without_leader", found->without_leader},
                            {"under_replicated", found->under_replicated},
                            {"without_directory", found->without_directory},
                            {"reasons", std::move(reasons)}});
  } else {
    fmt::print("{}: {}, {}\n", healthy ? "healthy" : "unhealthy", counted(found->brokers, "broker"),
               counted(found->partitions, "partition"));
    for (const std::string& reason : found->reasons) fmt::print("  {}\n", printable(reason));
  }
  return healthy ? kExitDone : kExitFailed;
}

}  // namespace

}  // namespace cli

void add_cluster_command(Command& tailwater) {
  Command cluster = tailwater.command("cluster", "Show brokers and the health of the cluster.", "Cluster");
  const auto add = [&cluster](const char* name, const char* summary,
                              Result<int> (*action)(const cli::ClusterOptions&)) {
    Command command = cluster.command(name, summary);
    auto options = std::make_shared<cli::ClusterOptions>();
    if (std::string_view(name) == "health") {
      command.option("--wait", options->wait, "TIME",
                     "Wait so long for the cluster to be reached and to be healthy.");
      command.examples(
          "Exit code 0: healthy; 1: not, or not reached.\n\n"
          "  tailwater cluster health --wait 30s");
    }
    cli::add_settings(command, options->settings);
    command.action([options, action] { return cli::finish(action(*options)); });
  };
  add("info", "Show the cluster's id, controller, size and brokers.", cli::info);
  add("health", "Say whether every partition has a leader and all its replicas.", cli::health);
  add("brokers", "List brokers.", cli::brokers);
}

}  // namespace tailwater::apps
