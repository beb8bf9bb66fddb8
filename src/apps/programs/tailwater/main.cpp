// The program `tailwater`: the broker and its command line.
#include <fmt/format.h>

#include <cstdio>
#include <exception>

#include "apps/commands.hpp"
#include "apps/standard_streams.hpp"
#include "shell/log/check_hook.hpp"

int main(int argc, char** argv) {
  if (!tailwater::apps::complete_standard_streams()) return tailwater::apps::kExitFailed;
  tailwater::shell::install_check_hook();
  try {
    return tailwater::apps::run_command_line(
        argc, argv,
        "Tailwater, an event-streaming platform that speaks the Apache Kafka protocol.\n"
        "Start a broker with `tailwater dev` and talk to it with any Kafka client.",
        tailwater::apps::add_commands);
  } catch (const std::exception& error) {
    std::fputs(fmt::format("tailwater: {}\n", error.what()).c_str(),
               stderr);  // unlike fmt::print it does not throw
    return tailwater::apps::kExitFailed;
  }
}
