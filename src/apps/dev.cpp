#include "apps/dev.hpp"

#include <errno.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <memory>

#include "apps/commands.hpp"
#include "apps/run_broker.hpp"
#include "apps/version.hpp"
#include "shell/net/socket.hpp"

namespace tailwater::apps {

namespace {

constexpr int kContainerPortDistance = 10'000;
constexpr std::string_view kAdminPort = "127.0.0.1:9644";
constexpr std::string_view kUsualBroker = "localhost:9092";

struct DevOptions {
  std::string data;
  std::int64_t port = 9092;
  bool container = false;
  std::vector<std::string> overrides;
  std::string log_level;
};

std::string machine_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : std::string();
}

// A second listener that other containers reach by this one's name, at 19092 for 9092. Left out if its port
// is taken.
void choose_container_listener(DevPlace& place) {
  place.container_host = machine_name();
  const int port = place.port + kContainerPortDistance;
  place.container_port = place.port == 0 || port > 65535 ? 0 : static_cast<std::uint16_t>(port);
  if (!shell::bind_to("0.0.0.0", place.container_port)) place.container_host.clear();
}

// The usual admin port, or any free one if it is taken: two dev brokers may run beside each other.
std::string free_admin_port(bool in_container) {
  const std::string usual = in_container ? "0.0.0.0:9644" : std::string(kAdminPort);
  const auto probe = shell::bind_to(in_container ? "0.0.0.0" : "127.0.0.1", 9644);
  return probe ? usual : "127.0.0.1:0";
}

// As a shell takes it for one word.
std::string shell_word(const std::string& text) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+,@%";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string::npos) return text;
  std::string quoted = "'";
  for (const char letter : text) quoted += letter == '\'' ? std::string("'\\''") : std::string(1, letter);
  return quoted + "'";
}

int run_dev(const DevOptions& options) {
  DevPlace place;
  place.data =
      options.data.empty() ? default_data_folder(::getenv("XDG_DATA_HOME"), ::getenv("HOME")) : options.data;
  if (place.data.empty()) {
    fmt::print(stderr, "tailwater: there is no home folder to keep data in; name a folder with --data\n");
    return kExitUsage;
  }
  if (options.port < 0 || options.port > 65535) {
    fmt::print(stderr, "tailwater: --port must be a number from 0 to 65535\n");
    return kExitUsage;
  }
  place.port = static_cast<std::uint16_t>(options.port);
  if (options.container) choose_container_listener(place);
  place.admin = free_admin_port(!place.container_host.empty());

  RunOptions run;
  run.config.defaults = dev_properties(place);
  run.config.environment = shell::current_environment();
  if (!options.data.empty()) run.config.overrides.push_back("log.dirs=" + options.data);
  run.config.overrides.insert(run.config.overrides.end(), options.overrides.begin(), options.overrides.end());
  run.log_level = options.log_level.empty() ? "warning" : options.log_level;
  run.announce = [](const shell::Broker& broker) {
    DevBanner banner{version_text(),
                     broker.listeners().at(0).advertised,
                     {},
                     broker.admin_address(),
                     fmt::format("{}", fmt::join(broker.directories(), ", ")),
                     program_invocation_name};
    for (std::size_t index = 1; index < broker.listeners().size(); ++index) {
      banner.further_brokers.push_back(broker.listeners()[index].advertised + "  (for other containers)");
    }
    fmt::print("{}", dev_banner(banner));
    std::fflush(stdout);
  };
  return run_broker(run);
}

}  // namespace

std::string default_data_folder(const char* xdg_data_home, const char* home) {
  if (xdg_data_home != nullptr && xdg_data_home[0] == '/')
    return fmt::format("{}/tailwater/dev", xdg_data_home);
  if (home != nullptr && home[0] == '/') return fmt::format("{}/.local/share/tailwater/dev", home);
  return {};
}

std::map<std::string, std::string> dev_properties(const DevPlace& place) {
  std::map<std::string, std::string> properties = {
      {"log.dirs", place.data},
      {"node.id", "1"},
      {"auto.create.topics.enable", "true"},
      {"group.initial.rebalance.delay.ms", "0"},
      {"offsets.topic.replication.factor", "1"},
      {"transaction.state.log.replication.factor", "1"},
      {"transaction.state.log.min.isr", "1"},
      {"tailwater.admin.listener", place.admin},
  };
  if (place.container_host.empty()) {
    properties["listeners"] = fmt::format("PLAINTEXT://localhost:{}", place.port);
    return properties;
  }
  // Published ports are reached as localhost, other containers come by this one's name: each is told its own
  // way.
  properties["listeners"] =
      fmt::format("PLAINTEXT://0.0.0.0:{},CONTAINER://0.0.0.0:{}", place.port, place.container_port);
  properties["advertised.listeners"] = fmt::format("PLAINTEXT://localhost:{},CONTAINER://{}:{}", place.port,
                                                   place.container_host, place.container_port);
  properties["listener.security.protocol.map"] = "PLAINTEXT:PLAINTEXT,CONTAINER:PLAINTEXT";
  return properties;
}

std::string dev_banner(const DevBanner& banner) {
  std::string text = fmt::format("Tailwater {} is ready.\n\n  Broker   {}\n", banner.version, banner.broker);
  for (const std::string& further : banner.further_brokers) text += fmt::format("           {}\n", further);
  if (!banner.admin.empty()) text += fmt::format("  HTTP     http://{}  (/metrics, /readyz)\n", banner.admin);
  text += fmt::format("  Data     {}\n\nNext, in another terminal:\n\n", banner.data);
  const std::string program = shell_word(banner.program);
  // Commands look at port 9092 of this machine by themselves.
  const std::string brokers =
      banner.broker == kUsualBroker ? std::string() : fmt::format(" -B {}", banner.broker);
  text += fmt::format("  echo \"first event\" | {} produce hello{}\n", program, brokers);
  text += fmt::format("  {} consume hello -o start -n 1{}\n", program, brokers);
  text += fmt::format("  {} topic describe hello{}\n", program, brokers);
  text += "\nCtrl-C stops the broker; the data stay.\n";
  return text;
}

void add_dev_command(Command& tailwater) {
  Command dev = tailwater.command("dev", "Start a broker for development: nothing to configure.", "Broker");
  auto options = std::make_shared<DevOptions>();
  dev.option("--data", options->data, "DIR", "Folder for data; default: ~/.local/share/tailwater/dev.");
  dev.option("--port", options->port, "N", "Port for clients; 0 takes a free one.");
  dev.flag(
      "--container", options->container,
      "Listen on all addresses, also at port + 10000 for other containers; nobody is asked who they are.");
  dev.repeated("--override", options->overrides, "KEY=VALUE", "Set a key of server.properties.");
  dev.option("--log-level", options->log_level, "LEVEL", "debug, info, warning (the default here) or error.");
  dev.examples(
      "The broker is the one of `tailwater serve`, as durable and as fast. Topics are created when they are "
      "first\n"
      "used, and groups start without a delay.\n\n"
      "  tailwater dev                    data in your home folder, clients at localhost:9092\n"
      "  tailwater dev --data /tmp/play --port 9192\n"
      "  tailwater dev --container        in a container whose port 9092 is published");
  dev.action([options] { return run_dev(*options); });
}

}  // namespace tailwater::apps
