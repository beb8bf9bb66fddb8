// A broker as a process: configuration in, signals, readiness for systemd, exit code out. `serve` and `dev`
// differ only in where their configuration comes from and in what they print.
#pragma once

#include <functional>
#include <string>

#include "shell/broker/broker.hpp"
#include "shell/config/config_loader.hpp"

namespace tailwater::apps {

struct RunOptions {
  shell::ConfigInput config;                             // read again on SIGHUP
  std::string log_level{};                               // empty: as configured
  std::function<void(const shell::Broker&)> announce{};  // once, when the broker serves
};

// Returns when the broker has ended: by SIGTERM or SIGINT, or because it cannot serve.
int run_broker(const RunOptions& options);

}  // namespace tailwater::apps
