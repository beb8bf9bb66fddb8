// KEY=VALUE words of the command line, and what is known about the keys: the tables are the broker's own, so
// a misspelt key is noticed before it is sent.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "core/cluster/config_keys.hpp"
#include "wire/api/incremental_alter_configs.hpp"

namespace tailwater::apps::cli {

// Kafka's numbers of resources and of operations in AlterConfigs.
enum class ConfigResource : std::int8_t { topic = 2, broker = 4, group = 32 };
enum class ConfigOperation : std::int8_t { set = 0, remove = 1, append = 2, subtract = 3 };

struct ConfigChange {
  std::string key;
  std::string value;
  ConfigOperation operation = ConfigOperation::set;
  friend bool operator==(const ConfigChange&, const ConfigChange&) = default;
};

// "key=value", and for lists "key+=value" and "key-=value".
Result<ConfigChange> parse_config_change(std::string_view word);
Result<std::vector<ConfigChange>> parse_config_changes(const std::vector<std::string>& words);

std::span<const cluster::ConfigKey> keys_of(ConfigResource resource);

// Warns on standard error of each key that is not known, with the nearest one, and of each that changes nothing, with
// the reason; the broker decides.
void warn_of_keys(ConfigResource resource, const std::vector<ConfigChange>& changes);

wire::IncrementalAlterConfigsRequest::AlterConfigsResource resource_of(
    ConfigResource resource, const std::string& name, const std::vector<ConfigChange>& changes);

}  // namespace tailwater::apps::cli
