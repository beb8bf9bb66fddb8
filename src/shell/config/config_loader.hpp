// The broker's configuration from everywhere it is written: command line over environment over file over
// defaults. Each value remembers where it came from, so that every complaint names the place
// ("server.properties:12", "environment variable KAFKA_PROCESS_ROLES", "--override"). What keys mean is
// core/cluster's business.
#pragma once

#include <expected>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/cluster/config.hpp"
#include "shell/config/environment.hpp"

namespace tailwater::shell {

struct ConfigSetting {
  std::string value;
  std::string origin;
};
using ConfigSettings = std::map<std::string, ConfigSetting, std::less<>>;

enum class Strictness : std::uint8_t { lenient, strict };

struct ConfigInput {
  std::string file;  // server.properties; empty: none
  Environment environment;
  std::vector<std::string> overrides;  // "key=value" of the command line; the last of a key counts
  // Weaker than all of the above: what the caller prefers to Kafka's own defaults.
  std::map<std::string, std::string> defaults;
  Strictness strictness = Strictness::lenient;
};

struct LoadedConfig {
  cluster::BrokerConfig broker;
  ConfigSettings settings;
  std::optional<std::string> cluster_id;  // CLUSTER_ID of the images
  std::vector<std::string> warnings;      // unknown keys, and values that are overruled in a surprising way
  std::vector<std::string> notes;         // accepted keys without effect here
};

// Everything that is wrong, one sentence each; at least one.
using ConfigErrors = std::vector<std::string>;
// Whether all of it was written on the command line ("--override: ..."): then the words were wrong, and no file
// needs mending.
bool are_wrong_words(const ConfigErrors& errors);

std::expected<LoadedConfig, ConfigErrors> load_config(const ConfigInput& input);

// The first half by itself: what is set, by the strongest of its sources.
std::expected<ConfigSettings, ConfigErrors> merge_settings(const ConfigInput& input,
                                                           std::vector<std::string>& warnings);

}  // namespace tailwater::shell
