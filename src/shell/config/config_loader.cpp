#include "shell/config/config_loader.hpp"

#include <algorithm>

#include "core/cluster/config_keys.hpp"
#include "shell/config/properties.hpp"

namespace tailwater::shell {
namespace {

constexpr std::string_view kOverride = "--override";

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n\f\v");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n\f\v") - first + 1);
}

bool is_secret(std::string_view key) {
  const cluster::ConfigKey* known = cluster::find_broker_key(key);
  return known == nullptr || known->is_sensitive();
}

// For messages about a value that may be a secret.
std::string shown(std::string_view key, const std::string& value) {
  return is_secret(key) ? "another value" : "'" + value + "'";
}

class Merge {
 public:
  Merge(const ConfigInput& input, std::vector<std::string>& warnings) : input_(input), warnings_(warnings) {}

  std::expected<ConfigSettings, ConfigErrors> run() {
    for (const auto& [key, value] : input_.defaults) settings_[key] = {value, "default"};
    file();
    environment();
    listeners_from_advertised();
    overrides();
    forget_default_listeners();
    if (!errors_.empty()) return std::unexpected(std::move(errors_));
    return std::move(settings_);
  }

 private:
  void file() {
    if (input_.file.empty()) return;
    auto properties = read_properties(input_.file);
    if (!properties) {
      errors_.push_back(properties.error().message);
      return;
    }
    std::map<std::string, int> lines;
    for (Property& property : *properties) {
      const auto [seen, is_new] = lines.emplace(property.key, property.line);
      if (!is_new) {
        warnings_.push_back(input_.file + ":" + std::to_string(property.line) + ": " + property.key +
                            " is set again; line " + std::to_string(seen->second) + " does not count");
        seen->second = property.line;
      }
      settings_[property.key] = {std::move(property.value),
                                 input_.file + ":" + std::to_string(property.line)};
    }
  }

  void environment() {
    struct Found {
      EnvironmentKey key;
      std::string variable;
      std::string value;
    };
    std::vector<Found> found;
    for (const auto& [name, value] : input_.environment) {
      if (auto key = environment_key(name, value)) found.push_back({std::move(*key), name, value});
    }
    // The order of a process's environment is an accident: sorted, the same variables always give the same
    // result. Of two spellings of one key Kafka's own counts, Bitnami's yields.
    std::ranges::sort(found, [](const Found& a, const Found& b) {
      if (a.key.key != b.key.key) return a.key.key < b.key.key;
      const bool a_yields = a.key.rule == EnvironmentKey::Rule::bitnami;
      const bool b_yields = b.key.rule == EnvironmentKey::Rule::bitnami;
      return a_yields != b_yields ? a_yields : a.variable < b.variable;
    });
    for (std::size_t i = 0; i < found.size(); ++i) {
      const Found& one = found[i];
      if (i > 0 && found[i - 1].key.key == one.key.key && found[i - 1].value != one.value) {
        warnings_.push_back("environment variable " + found[i - 1].variable + " does not count: " +
                            one.variable + " sets " + one.key.key + " to " + shown(one.key.key, one.value));
      }
      settings_[one.key.key] = {one.value, "environment variable " + one.variable};
    }
  }

  // The images' rule: who says in the environment how clients reach the broker, and not where it listens,
  // means all interfaces at the same ports.
  void listeners_from_advertised() {
    const auto advertised = settings_.find("advertised.listeners");
    if (advertised == settings_.end() || !advertised->second.origin.starts_with("environment")) return;
    const auto listeners = settings_.find("listeners");
    if (listeners != settings_.end() && listeners->second.origin != "default") return;
    std::string derived;
    for (const std::string& address : cluster::parse_list(advertised->second.value)) {
      const std::size_t scheme = address.find("://");
      const std::size_t colon = address.rfind(':');
      // What has not this form is complained of as advertised.listeners.
      if (scheme == std::string::npos || colon <= scheme) return;
      if (!derived.empty()) derived += ',';
      derived += address.substr(0, scheme) + "://" + address.substr(colon);
    }
    settings_["listeners"] = {derived, advertised->second.origin};
  }

  void overrides() {
    for (const std::string& pair : input_.overrides) {
      const std::size_t equals = pair.find('=');
      const std::string_view key = trimmed(std::string_view(pair).substr(0, equals));
      if (equals == std::string::npos || key.empty()) {
        errors_.push_back(std::string(kOverride) + " must be KEY=VALUE; got '" + pair + "'");
        continue;
      }
      settings_[std::string(key)] = {pair.substr(equals + 1), std::string(kOverride)};
    }
  }

  // What is said of the default listeners goes with them: those that stand in their place have other names.
  void forget_default_listeners() {
    const auto is_default = [&](const char* key) {
      const auto found = settings_.find(key);
      return found != settings_.end() && found->second.origin == "default";
    };
    if (is_default("listeners")) return;
    for (const char* key : {"advertised.listeners", "listener.security.protocol.map"}) {
      if (is_default(key)) settings_.erase(key);
    }
  }

  const ConfigInput& input_;
  std::vector<std::string>& warnings_;
  ConfigSettings settings_;
  ConfigErrors errors_;
};

// What the configuration asks for and this version cannot do yet.
std::vector<cluster::ConfigNotice> not_built_yet(const cluster::BrokerConfig& broker) {
  std::vector<cluster::ConfigNotice> notices;
  const auto add = [&](const char* key, std::string message) {
    notices.push_back({cluster::ConfigNotice::Kind::invalid, key, std::move(message)});
  };
  if (!broker.zookeeper_connect.empty()) {
    add("zookeeper.connect",
        "zookeeper.connect asks for a cluster, which is not built yet: without the key this is one broker by "
        "itself");
  }
  for (const cluster::ListenerConfig& listener : broker.listeners) {
    if (listener.protocol == cluster::SecurityProtocol::plaintext) continue;
    add("listeners", "listener " + listener.name + " speaks " + std::string(to_string(listener.protocol)) +
                         ", which is not built yet: only PLAINTEXT is");
  }
  return notices;
}

}  // namespace

std::expected<ConfigSettings, ConfigErrors> merge_settings(const ConfigInput& input,
                                                           std::vector<std::string>& warnings) {
  return Merge(input, warnings).run();
}

bool are_wrong_words(const ConfigErrors& errors) {
  return std::ranges::all_of(errors, [](const std::string& error) { return error.starts_with("--"); });
}

std::expected<LoadedConfig, ConfigErrors> load_config(const ConfigInput& input) {
  LoadedConfig loaded;
  auto merged = merge_settings(input, loaded.warnings);
  if (!merged) return std::unexpected(std::move(merged.error()));
  loaded.settings = std::move(*merged);

  cluster::ConfigValues values;
  for (const auto& [key, setting] : loaded.settings) values[key] = setting.value;
  cluster::ParsedBrokerConfig parsed = cluster::parse_broker_config(values);

  ConfigErrors errors;
  const auto placed = [&](const cluster::ConfigNotice& notice) {
    const auto setting = loaded.settings.find(notice.key);
    return setting == loaded.settings.end() ? notice.message : setting->second.origin + ": " + notice.message;
  };
  for (const cluster::ConfigNotice& notice : parsed.notices) {
    switch (notice.kind) {
      case cluster::ConfigNotice::Kind::invalid:
        errors.push_back(placed(notice));
        break;
      case cluster::ConfigNotice::Kind::unknown: {
        // An environment holds variables for others, too: it is no reason to refuse.
        const auto setting = loaded.settings.find(notice.key);
        const bool elsewhere =
            setting != loaded.settings.end() && setting->second.origin.starts_with("environment");
        const bool refuse = input.strictness == Strictness::strict && !elsewhere;
        (refuse ? errors : loaded.warnings).push_back(placed(notice));
        break;
      }
      case cluster::ConfigNotice::Kind::no_effect:
        loaded.notes.push_back(placed(notice));
        break;
    }
  }
  for (const cluster::ConfigNotice& notice : not_built_yet(parsed.config)) errors.push_back(placed(notice));
  if (!errors.empty()) return std::unexpected(std::move(errors));

  loaded.broker = std::move(parsed.config);
  for (const auto& [name, value] : input.environment) {
    const bool names_cluster =
        name == "CLUSTER_ID" || name == "KAFKA_CLUSTER_ID" || name == "KAFKA_KRAFT_CLUSTER_ID";
    if (names_cluster && !value.empty() && (!loaded.cluster_id || name == "CLUSTER_ID"))
      loaded.cluster_id = value;
  }
  return loaded;
}

}  // namespace tailwater::shell
