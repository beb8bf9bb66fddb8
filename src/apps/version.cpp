#include "apps/version.hpp"

#include <fmt/format.h>

#include <cstdio>

#include <memory>

#include "apps/cli/json_output.hpp"
#include "apps/cli/settings.hpp"
#include "apps/commands.hpp"

namespace tailwater::apps {

std::string version_text() {
  return TAILWATER_VERSION;
}

void add_version_command(Command& tailwater) {
  Command version = tailwater.command("version", "Print the version.", "Other");
  auto settings = std::make_shared<cli::Settings>();
  cli::add_format(version, *settings);
  version.action([settings] {
    if (settings->json()) {
      cli::print_json(cli::json::object{{"name", "tailwater"}, {"version", version_text()}});
    } else {
      fmt::print("tailwater {}\n", version_text());
    }
    return kExitDone;
  });
}

}  // namespace tailwater::apps
