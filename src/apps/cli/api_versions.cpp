// `tailwater api-versions`: which requests a broker understands, and in which versions.
#include <fmt/format.h>

#include <memory>

#include "apps/cli/admin_client.hpp"
#include "apps/cli/json_output.hpp"
#include "apps/cli/settings.hpp"
#include "apps/cli/table.hpp"
#include "apps/commands.hpp"

namespace tailwater::apps {

namespace cli {

namespace {

Result<int> api_versions(const Settings& settings) {
  auto client = AdminClient::make(settings);
  if (!client) return std::unexpected(client.error());
  const auto connection = client->any();
  if (!connection) return std::unexpected(connection.error());
  const wire::ApiVersionsResponse& versions = (*connection)->versions();
  Table table({"KEY", "API", "MIN", "MAX"});
  json::array apis;
  for (const auto& api : versions.api_keys) {
    const wire::ApiInfo* known = wire::find_api(api.api_key);
    const std::string name(known == nullptr ? "?" : known->name);
    table.row({std::to_string(api.api_key), name, std::to_string(api.min_version),
               std::to_string(api.max_version)});
    apis.push_back(json::object{
        {"key", api.api_key}, {"api", name}, {"min", api.min_version}, {"max", api.max_version}});
  }
  json::array features;
  for (const auto& feature : versions.supported_features) {
    features.push_back(json::object{
        {"feature", text(feature.name)}, {"min", feature.min_version}, {"max", feature.max_version}});
  }
  if (settings.json()) {
    print_json(json::object{{"broker", text(to_string((*connection)->address()))},
                            {"apis", std::move(apis)},
                            {"features", std::move(features)}});
  } else {
    fmt::print("{}", table.text());
  }
  return kExitDone;
}

}  // namespace

}  // namespace cli

void add_api_versions_command(Command& tailwater) {
  Command command =
      tailwater.command("api-versions", "List the requests that a broker understands.", "Cluster");
  auto settings = std::make_shared<cli::Settings>();
  cli::add_settings(command, *settings);
  command.action([settings] { return cli::finish(cli::api_versions(*settings)); });
}

}  // namespace tailwater::apps
