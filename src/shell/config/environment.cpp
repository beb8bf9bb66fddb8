#include "shell/config/environment.hpp"

#include <unistd.h>

#include <algorithm>

extern char** environ;

namespace tailwater::shell {
namespace {

using Rule = EnvironmentKey::Rule;

// What others read, in names that look like keys: Kafka's scripts and images.
constexpr std::string_view kNoKeys[] = {
    "KAFKA_CLUSTER_ID",
    "KAFKA_CONF_DIR",
    "KAFKA_CONF_FILE",
    "KAFKA_CONFIG",
    "KAFKA_DATA_DIR",
    "KAFKA_DEBUG",
    "KAFKA_GC_LOG_OPTS",
    "KAFKA_HEAP_OPTS",
    "KAFKA_HOME",
    "KAFKA_JMX_HOSTNAME",
    "KAFKA_JMX_OPTS",
    "KAFKA_JMX_PORT",
    "KAFKA_JVM_PERFORMANCE_OPTS",
    "KAFKA_KRAFT_CLUSTER_ID",
    "KAFKA_OPTS",
    "KAFKA_USER",
    "KAFKA_VERSION",
    "KAFKA_MODE",
    "KAFKA_BASE_DIR",
    "KAFKA_VOLUME_DIR",
    "KAFKA_MOUNTED_CONF_DIR",
    "KAFKA_INITSCRIPTS_DIR",
    "KAFKA_DAEMON_USER",
    "KAFKA_DAEMON_GROUP",
    "KAFKA_BIN_DIR",
    "KAFKA_CERTS_DIR",
    "KAFKA_SKIP_KRAFT_STORAGE_INIT",
    "KAFKA_CERTIFICATE_PASSWORD",
    "KAFKA_BOOTSTRAP_SERVERS",
    "KAFKA_DEFAULT_CONF_DIR",
    "KAFKA_EXTRA_FLAGS",
    "KAFKA_CLIENT_USERS",
    "KAFKA_CLIENT_PASSWORDS",
    "KAFKA_CLIENT_LISTENER_NAME",
    "KAFKA_INTER_BROKER_USER",
    "KAFKA_INTER_BROKER_PASSWORD",
    "KAFKA_CONTROLLER_USER",
    "KAFKA_CONTROLLER_PASSWORD",
    // And what our own command line does.
    "TAILWATER_BROKERS",
    "TAILWATER_FORMAT",
};
constexpr std::string_view kNoKeyPrefixes[] = {
    "KAFKA_LOG4J_", "KAFKA_TOOLS_LOG4J_", "KAFKA_DEBUG_", "KAFKA_SERVICE_", "KAFKA_JMX_",
};

// Kubernetes sets these for every service called "kafka": KAFKA_PORT=tcp://10.0.0.7:9092 and its parts.
bool is_service_link(std::string_view name, std::string_view value) {
  if (name == "KAFKA_PORT" || name.starts_with("KAFKA_PORT_")) {
    return value.starts_with("tcp://") || name.starts_with("KAFKA_PORT_");
  }
  return false;
}

bool is_no_key(std::string_view name, std::string_view value) {
  return std::ranges::find(kNoKeys, name) != std::end(kNoKeys) || is_service_link(name, value) ||
         std::ranges::any_of(kNoKeyPrefixes,
                             [&](std::string_view prefix) { return name.starts_with(prefix); });
}

char lower(char letter) {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

enum class Underscores : std::uint8_t { counted, are_dots };

std::string key_of(std::string_view name, Underscores underscores) {
  std::string key;
  for (std::size_t i = 0; i < name.size();) {
    if (name[i] != '_') {
      key.push_back(lower(name[i++]));
      continue;
    }
    std::size_t run = 1;
    const std::size_t run_max = underscores == Underscores::counted ? 3 : 1;
    while (run < run_max && i + run < name.size() && name[i + run] == '_') ++run;
    key.push_back(run == 1 ? '.' : run == 2 ? '_' : '-');
    i += run;
  }
  return key;
}

}  // namespace

Environment current_environment() {
  Environment environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    environment.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

std::optional<EnvironmentKey> environment_key(std::string_view name, std::string_view value) {
  constexpr std::string_view bitnami = "KAFKA_CFG_";
  constexpr std::string_view kafka = "KAFKA_";
  constexpr std::string_view own = "TAILWATER_";
  if (is_no_key(name, value)) return std::nullopt;
  if (name.size() > bitnami.size() && name.starts_with(bitnami)) {
    return EnvironmentKey{key_of(name.substr(bitnami.size()), Underscores::are_dots), Rule::bitnami};
  }
  if (name.size() > own.size() && name.starts_with(own)) {
    return EnvironmentKey{"tailwater." + key_of(name.substr(own.size()), Underscores::counted),
                          Rule::tailwater};
  }
  if (name.size() <= kafka.size() || !name.starts_with(kafka)) return std::nullopt;
  return EnvironmentKey{key_of(name.substr(kafka.size()), Underscores::counted), Rule::kafka};
}

}  // namespace tailwater::shell
