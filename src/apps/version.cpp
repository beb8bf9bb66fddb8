#include "apps/version.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "apps/commands.hpp"

namespace tailwater::apps {

std::string version_text() {
  return TAILWATER_VERSION;
}

void add_version_command(Command& tailwater) {
  Command version = tailwater.command("version", "Print the version.");
  version.action([] {
    fmt::print("tailwater {}\n", version_text());
    return kExitDone;
  });
}

}  // namespace tailwater::apps
