#include "apps/run_broker.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <memory>
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

constexpr std::string_view kAdminListener = "tailwater.admin.listener";
constexpr std::string_view kDefaultAdminListener = "127.0.0.1:9644";
// Long enough to write what memory holds to a slow disk.
constexpr Duration kStopLimit = Duration::from_ms(300'000);

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

// Every connection and every segment takes a descriptor: as many as the system lets us have.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// Keys that are the process's and not the broker's.
std::string take(cluster::ConfigValues& properties, std::string_view key, std::string fallback) {
  const auto found = properties.find(key);
  if (found == properties.end()) return fallback;
  std::string value = std::move(found->second);
  properties.erase(found);
  return value;
}

struct Prepared {
  cluster::BrokerConfig config;
  std::vector<cluster::ConfigNotice> notices;
  LogSeverity severity = LogSeverity::info;
  shell::LogFormat format = shell::LogFormat::text;
};

Result<Prepared> prepare(cluster::ConfigValues properties, const RunOptions& options) {
  Prepared prepared;
  std::string level = take(properties, "tailwater.log.level", "info");
  if (!options.log_level.empty()) level = options.log_level;
  const auto severity = shell::parse_log_severity(level);
  if (!severity) return std::unexpected(severity.error());
  prepared.severity = *severity;
  const std::string format = take(properties, "tailwater.log.format", "text");
  if (format != "text" && format != "json") {
    return fail(Errc::invalid_argument,
                fmt::format("tailwater.log.format must be text or json; got '{}'", format));
  }
  prepared.format = format == "json" ? shell::LogFormat::json : shell::LogFormat::text;
  properties.try_emplace(std::string(kAdminListener), kDefaultAdminListener);
  cluster::ParsedBrokerConfig parsed = cluster::parse_broker_config(properties);
  prepared.config = std::move(parsed.config);
  prepared.notices = std::move(parsed.notices);
  return prepared;
}

// Says everything that is wrong at once. False: the broker must not start.
bool report_errors(const std::vector<cluster::ConfigNotice>& notices, bool strict) {
  bool good = true;
  for (const cluster::ConfigNotice& notice : notices) {
    const bool is_error = notice.kind == cluster::ConfigNotice::Kind::invalid ||
                          (strict && notice.kind == cluster::ConfigNotice::Kind::unknown);
    if (!is_error) continue;
    good = false;
    fmt::print(stderr, "tailwater: configuration: {}\n", notice.message);
  }
  return good;
}

void log_notices(Log& log, const std::vector<cluster::ConfigNotice>& notices) {
  for (const cluster::ConfigNotice& notice : notices) {
    const bool unknown = notice.kind == cluster::ConfigNotice::Kind::unknown;
    log.write(unknown ? LogSeverity::warning : LogSeverity::info, "config", notice.message);
  }
}

// The life of an open broker.
class Running {
 public:
  Running(Broker& broker, Log& log, const RunOptions& options, const shell::Descriptor& signals)
      : broker_(broker), log_(log), options_(options), signals_(signals) {
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
      log_.warning("broker", "a second signal: ending at once; the next start recovers the logs");
      log_.flush();
      ::_exit(kExitFailed);
    }
    log_.info("broker", "stopping", {{"signal", signal == SIGINT ? "SIGINT" : "SIGTERM"}});
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
    if (!options_.read_again) return;
    auto properties = options_.read_again();
    if (!properties) return log_.error("config", "not reloaded", {{"reason", properties.error().message}});
    auto prepared = prepare(std::move(*properties), options_);
    if (!prepared) return log_.error("config", "not reloaded", {{"reason", prepared.error().message}});
    for (const cluster::ConfigNotice& notice : prepared->notices) {
      if (notice.kind != cluster::ConfigNotice::Kind::invalid) continue;
      return log_.error("config", "not reloaded", {{"reason", notice.message}});
    }
    log_.set_severity(prepared->severity);
    broker_.reload(prepared->config);
    log_.info("config", "reloaded");
  }

  Broker& broker_;
  Log& log_;
  const RunOptions& options_;
  const shell::Descriptor& signals_;
  ServiceManager manager_;
  shell::Wake wake_;
  std::thread stopper_;
  BrokerState seen_ = BrokerState::recovering;
  std::atomic<int> exit_code_{kExitDone};
  bool stopping_ = false;
  bool finished_ = false;
};

}  // namespace

int run_broker(const RunOptions& options) {
  const shell::Descriptor signals = open_signals();
  raise_descriptor_limit();
  auto prepared = prepare(options.properties, options);
  if (!prepared) {
    fmt::print(stderr, "tailwater: configuration: {}\n", prepared.error().message);
    return kExitFailed;
  }
  if (!report_errors(prepared->notices, options.strict)) return kExitFailed;

  Log log({.severity = prepared->severity, .format = prepared->format});
  log_notices(log, prepared->notices);
  shell::BrokerSettings settings;
  settings.config = std::move(prepared->config);
  settings.cluster_id = options.cluster_id;
  settings.version = version_text();
  auto broker = Broker::open(std::move(settings), log);
  if (!broker) {
    log.flush();
    fmt::print(stderr, "tailwater: {}\n", broker.error().message);
    return kExitFailed;
  }
  for (const std::string& line : (*broker)->directory_descriptions()) log.info("disk", line);
  Running running(**broker, log, options, signals);
  return running.run();
}

}  // namespace tailwater::apps
