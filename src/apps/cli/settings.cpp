#include "apps/cli/settings.hpp"
#include "apps/cli/standard_output.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "apps/cli/time_text.hpp"

namespace tailwater::apps::cli {

namespace {

constexpr std::chrono::hours kTimeoutMax{24};
constexpr const char* kConnection = "Connection and output";

}  // namespace

Result<std::chrono::milliseconds> Settings::timeout_time() const {
  const auto duration = parse_duration(timeout);
  if (!duration || duration->count() <= 0 || *duration > kTimeoutMax) {
    return fail(
        Errc::invalid_argument,
        fmt::format("--timeout: '{}' is no time to wait; write for example 500ms, 10s or 2m", timeout));
  }
  return *duration;
}

void add_settings(Command& command, Settings& settings) {
  command
      .option("-B,--brokers", settings.brokers, "HOST:PORT,...",
              "Brokers to begin with; any one of the cluster is enough.")
      .environment("TAILWATER_BROKERS")
      .heading(kConnection);
  command.option("--bootstrap-server", settings.brokers, "HOST:PORT,...", "As Kafka's tools call it.")
      .hidden();
  add_format(command, settings);
  command
      .option("--timeout", settings.timeout, "TIME",
              "How long to wait for an answer, with a unit: 500ms, 10s, 2m.")
      .heading(kConnection);
}

void add_format(Command& command, Settings& settings) {
  command.option("--format", settings.format, "text|json", "Form of what is printed.")
      .one_of({"text", "json"})
      .environment("TAILWATER_FORMAT")
      .heading(kConnection);
}

void add_confirmation(Command& command, Confirmation& confirmation) {
  command.flag("-y,--yes", confirmation.yes, "Do it without asking.");
}

Result<bool> confirmed(const Confirmation& confirmation, std::string_view question) {
  if (confirmation.yes) return true;
  if (::isatty(STDIN_FILENO) == 0 || ::isatty(STDERR_FILENO) == 0) {
    return fail(
        Errc::invalid_argument,
        fmt::format("{}? There is nobody to ask; add -y to do it, or --dry-run to see what it would do",
                    question));
  }
  fmt::print(stderr, "{}? [y/N] ", question);
  std::fflush(stderr);
  const int answer = std::getchar();
  if (answer == 'y' || answer == 'Y') return true;
  complain("nothing was changed");
  return false;
}

int finish(const Result<int>& outcome) {
  flush_output();
  if (outcome) return *outcome;
  complain(outcome.error().message);
  return outcome.error().code == Errc::invalid_argument ? kExitUsage : kExitFailed;
}

void complain(std::string_view message) {
  std::fputs(fmt::format("tailwater: {}\n", message).c_str(), stderr);  // unlike fmt::print it does not throw
}

}  // namespace tailwater::apps::cli
