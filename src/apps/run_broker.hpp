// A broker as a process: configuration in, signals, readiness for systemd, exit code out. `serve` and `dev`
// differ only in where their configuration comes from and in what they print.
#pragma once

#include <functional>
#include <string>

#include "base/result.hpp"
#include "core/cluster/config.hpp"
#include "shell/broker/broker.hpp"
#include "shell/log/log.hpp"

namespace tailwater::apps {

struct RunOptions {
  cluster::ConfigValues properties;  // files, environment and overrides, merged
  // Reads them again, for SIGHUP.
  std::function<Result<cluster::ConfigValues>()> read_again{};
  bool strict = false;      // unknown keys are errors
  std::string log_level{};  // empty: tailwater.log.level, or info
  std::string cluster_id{};
  std::function<void(const shell::Broker&)> announce{};  // once, when the broker serves
};

// Returns when the broker has ended: by SIGTERM or SIGINT, or because it cannot serve.
int run_broker(const RunOptions& options);

}  // namespace tailwater::apps
