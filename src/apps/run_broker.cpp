#include "apps/run_broker.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "apps/command_line.hpp"
#include "apps/service_manager.hpp"
#include "apps/version.hpp"
#include "shell/disk/descriptor.hpp"
#include "shell/disk/wake.hpp"

namespace tailwater::apps {

namespace {

using shell::Broker;
using shell::BrokerState;
using shell::Log;
using shell::LogSeverity;

constexpr std::string_view kDefaultAdminListener = "127.0.0.1:9644";
// Long enough to write what memory holds to a slow disk.
constexpr Duration kStopLimit = Duration::from_ms(300'000);
// Nobody who means it asks a second time so soon.
constexpr std::chrono::milliseconds kSameSignal{1'000};

// Signals come as readiness of a descriptor. Blocked before any thread is made, so that all threads inherit
// it.
shell::Descriptor open_signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&signals, signal);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  return shell::Descriptor(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
}

int next_signal(const shell::Descriptor& signals) {
  signalfd_siginfo info{};
  return ::read(signals.get(), &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
}

std::optional<std::string_view> value_of(const shell::ConfigSettings& settings, std::string_view key) {
  const auto found = settings.find(key);
  if (found == settings.end()) return std::nullopt;
  return found->second.value;
}

struct Prepared {
  shell::LoadedConfig config;
  LogSeverity severity = LogSeverity::info;
  shell::LogFormat format = shell::LogFormat::text;
};

std::expected<Prepared, shell::ConfigErrors> prepare(const RunOptions& options) {
  shell::ConfigInput input = options.config;
  input.defaults.try_emplace("tailwater.admin.listener", kDefaultAdminListener);
  auto loaded = shell::load_config(input);
  if (!loaded) return std::unexpected(loaded.error());
  Prepared prepared{std::move(*loaded)};
  const auto text = [&](std::string_view key, std::string_view fallback) {
    return std::string(value_of(prepared.config.settings, key).value_or(fallback));
  };
  const std::string level =
      options.log_level.empty() ? text("tailwater.log.level", "info") : options.log_level;
  const auto severity = shell::parse_log_severity(level);
  if (!severity) {
    const std::string_view origin = options.log_level.empty() ? "tailwater.log.level" : "--log-level";
    return std::unexpected(shell::ConfigErrors{fmt::format("{}: {}", origin, severity.error().message)});
  }
  prepared.severity = *severity;
  if (text("tailwater.log.format", "text") == "json") prepared.format = shell::LogFormat::json;
  return prepared;
}

void log_notes(Log& log, const shell::LoadedConfig& config) {
  for (const std::string& warning : config.warnings) log.warning("config", warning);
  for (const std::string& note : config.notes) log.info("config", note);
}

// What is looked at when the broker starts and never again.
constexpr std::array<std::string_view, 15> kOfTheStart = {
    "advertised.listeners",
    "broker.id",
    "listener.security.protocol.map",
    "listeners",
    "log.dir",
    "log.dirs",
    "node.id",
    "socket.listen.backlog.size",
    "tailwater.admin.listener",
    "tailwater.direct.bytes",
    "tailwater.journal.bytes",
    "tailwater.log.format",
    "tailwater.memory.bytes",
    "tailwater.recycle.bytes",
    "tailwater.shards",
};

// The life of an open broker.
class Running {
 public:
  Running(Broker& broker, Log& log, const RunOptions& options, shell::ConfigSettings started_with,
          const shell::Descriptor& signals)
      : broker_(broker),
        log_(log),
        options_(options),
        started_with_(std::move(started_with)),
        signals_(signals) {
    broker_.on_state_change([this](BrokerState) { wake_.signal(); });
  }
  ~Running() {
    broker_.on_state_change(nullptr);
    if (stopper_.joinable()) stopper_.join();
  }

  int run() {
    for (;;) {
      look_at_state();
      if (finished_) return exit_code_;
      std::array<pollfd, 2> sources = {pollfd{signals_.get(), POLLIN, 0}, pollfd{wake_.get(), POLLIN, 0}};
      ::poll(sources.data(), sources.size(), manager_.watchdog_interval_ms());
      wake_.clear();
      if (broker_.is_turning()) manager_.keep_alive();
      while (const int signal = next_signal(signals_)) on_signal(signal);
    }
  }

 private:
  void look_at_state() {
    const BrokerState state = broker_.state();
    if (state == std::exchange(seen_, state)) return;
    if (state == BrokerState::serving) {
      manager_.ready();
      log_serving();
      if (options_.announce) options_.announce(broker_);
    } else if (state == BrokerState::failed) {
      log_.flush();
      fmt::print(stderr, "tailwater: {}\n", broker_.failure());
      exit_code_ = kExitFailed;
      begin_stop();
    } else if (state == BrokerState::stopped) {
      finished_ = true;
    }
  }

  void log_serving() {
    for (const shell::ServedListener& listener : broker_.listeners()) {
      log_.info(
          "broker", "listening",
          {{"listener", listener.name}, {"address", listener.bound}, {"advertised", listener.advertised}});
    }
    log_.info("broker", "ready",
              {{"version", version_text()},
               {"cluster", broker_.cluster_id()},
               {"shards", fmt::format("{}", broker_.shards())},
               {"memory_mib", fmt::format("{}", broker_.memory_budget() >> 20)},
               {"admin", broker_.admin_address().empty() ? "none" : broker_.admin_address()}});
  }

  void on_signal(int signal) {
    if (signal == SIGHUP) return reload();
    if (stopping_) {
      // A supervisor that signals the process and its group sends the same one twice.
      if (std::chrono::steady_clock::now() - stop_asked_ < kSameSignal) return;
      log_.warning("broker", "a second signal: ending at once; the next start recovers the logs");
      log_.flush();
      ::_exit(kExitFailed);
    }
    log_.info("broker", "stopping", {{"signal", signal == SIGINT ? "SIGINT" : "SIGTERM"}});
    stop_asked_ = std::chrono::steady_clock::now();
    begin_stop();
  }

  void begin_stop() {
    if (std::exchange(stopping_, true)) return;
    manager_.stopping();
    stopper_ = std::thread([this] {
      if (!broker_.stop(kStopLimit)) exit_code_ = kExitFailed;
      wake_.signal();
    });
  }

  void reload() {
    auto prepared = prepare(options_);
    if (!prepared) {
      for (const std::string& error : prepared.error())
        log_.error("config", "not reloaded", {{"reason", error}});
      return;
    }
    log_notes(log_, prepared->config);
    for (const std::string_view key : kOfTheStart) {
      if (value_of(prepared->config.settings, key) == value_of(started_with_, key)) continue;
      log_.warning("config", fmt::format("{} has changed; it counts from the next start on", key));
    }
    log_.set_severity(prepared->severity);
    broker_.reload(prepared->config.broker);
    log_.info("config", "reloaded");
  }

  Broker& broker_;
  Log& log_;
  const RunOptions& options_;
  const shell::ConfigSettings started_with_;
  const shell::Descriptor& signals_;
  ServiceManager manager_;
  shell::Wake wake_;
  std::thread stopper_;
  BrokerState seen_ = BrokerState::recovering;
  std::atomic<int> exit_code_{kExitDone};
  bool stopping_ = false;
  std::chrono::steady_clock::time_point stop_asked_;
  bool finished_ = false;
};

}  // namespace

int run_broker(const RunOptions& options) {
  const shell::Descriptor signals = open_signals();
  auto prepared = prepare(options);
  if (!prepared) {
    for (const std::string& error : prepared.error()) fmt::print(stderr, "tailwater: {}\n", error);
    return shell::are_wrong_words(prepared.error()) ? kExitUsage : kExitFailed;
  }
  Log log({.severity = prepared->severity, .format = prepared->format});
  log_notes(log, prepared->config);
  shell::BrokerSettings settings;
  settings.config = std::move(prepared->config.broker);
  settings.cluster_id = prepared->config.cluster_id.value_or("");
  settings.version = version_text();
  auto broker = Broker::open(std::move(settings), log);
  if (!broker) {
    log.flush();
    fmt::print(stderr, "tailwater: {}\n", broker.error().message);
    return kExitFailed;
  }
  for (const std::string& line : (*broker)->directory_descriptions()) log.info("disk", line);
  Running running(**broker, log, options, std::move(prepared->config.settings), signals);
  return running.run();
}

}  // namespace tailwater::apps
