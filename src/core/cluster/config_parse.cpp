// server.properties as a whole: every value against its key, addresses of listeners, and the relations
// between keys (config_relations.cpp). Everything wrong is found at once, each with a sentence that says what
// is allowed.
#include <algorithm>
#include <tuple>

#include "core/cluster/config.hpp"

namespace tailwater::cluster {

namespace {

// Settings that Kafka hands to loaded classes; there are none here.
constexpr std::string_view kPluginPrefixes[] = {
    "rsm.config.", "rlmm.config.", "config.providers.", "producer.", "consumer.", "admin.", "connect."};

std::string upper(std::string_view text) {
  std::string result(text);
  for (char& letter : result) {
    if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 'a' + 'A');
  }
  return result;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n\f\v");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n\f\v") - first + 1);
}

class Parser {
 public:
  explicit Parser(const ConfigValues& properties) : properties_(properties) {}

  ParsedBrokerConfig run() {
    check_each();
    result_.config.properties = properties_;
    apply_values(result_.config, properties_);
    identity();
    protocols();
    result_.config.listeners = addresses("listeners");
    drop_controller_listeners(result_.config.listeners);
    advertised();
    inter_broker();
    directories();
    relations();
    std::ranges::sort(result_.notices, [](const ConfigNotice& a, const ConfigNotice& b) {
      return std::tie(a.key, a.message) < std::tie(b.key, b.message);
    });
    return std::move(result_);
  }

 private:
  // What is found first about a key is the cause of the rest.
  void invalid(std::string_view key, std::string message) {
    const auto said = [&](const ConfigNotice& notice) {
      return notice.kind == ConfigNotice::Kind::invalid && notice.key == key;
    };
    if (std::ranges::any_of(result_.notices, said)) return;
    result_.notices.push_back({ConfigNotice::Kind::invalid, std::string(key), std::move(message)});
  }
  bool is_set(std::string_view key) const { return properties_.contains(key); }
  std::string text(std::string_view key) const {
    if (const auto at = properties_.find(key); at != properties_.end())
      return std::string(trimmed(at->second));
    const ConfigKey* known = find_broker_key(key);
    return known != nullptr ? std::string(known->fallback) : std::string();
  }

  void check_each() {
    for (const auto& [name, value] : properties_) {
      const ConfigKey* key = find_broker_key(name);
      if (key == nullptr) {
        unknown(name);
        continue;
      }
      if (const auto checked = check_value(*key, value); !checked) {
        invalid(name, checked.error().message);
      } else if (key->effect == KeyEffect::none) {
        result_.notices.push_back(
            {ConfigNotice::Kind::no_effect, name, name + " has no effect: " + std::string(key->reason)});
      }
    }
  }

  void unknown(const std::string& name) {
    for (const std::string_view prefix : kPluginPrefixes) {
      if (!name.starts_with(prefix)) continue;
      result_.notices.push_back(
          {ConfigNotice::Kind::no_effect, name,
           name + " has no effect: it is a setting of a loaded class, and none is loaded here"});
      return;
    }
    std::string message = name + " is not a known key";
    if (const std::string_view near = nearest_key(broker_keys(), name); !near.empty()) {
      message += "; did you mean " + std::string(near) + "?";
    }
    result_.notices.push_back({ConfigNotice::Kind::unknown, name, std::move(message)});
  }

  void identity() {
    const std::int64_t node = parse_int64(text("node.id"), -1);
    const std::int64_t broker = parse_int64(text("broker.id"), -1);
    if (is_set("node.id") && is_set("broker.id") && broker != -1 && node != broker) {
      invalid("node.id", "node.id and broker.id name the same number; got " + text("node.id") + " and " +
                             text("broker.id"));
    }
    if (broker < -1)
      invalid("broker.id", "broker.id must be 0 or more, or -1 to take node.id; got " + text("broker.id"));
    result_.config.broker_id = static_cast<std::int32_t>(node >= 0 ? node : broker >= 0 ? broker : 1);
  }

  void protocols() {
    for (const std::string& pair : parse_list(text("listener.security.protocol.map"))) {
      const std::size_t colon = pair.find(':');
      const std::string name = upper(trimmed(std::string_view(pair).substr(0, colon)));
      const std::string protocol =
          colon == std::string::npos ? "" : upper(trimmed(std::string_view(pair).substr(colon + 1)));
      bool known = false;
      for (const auto candidate : {SecurityProtocol::plaintext, SecurityProtocol::ssl,
                                   SecurityProtocol::sasl_plaintext, SecurityProtocol::sasl_ssl}) {
        if (to_string(candidate) != protocol) continue;
        known = true;
        protocols_[name] = candidate;
      }
      if (!known || name.empty()) {
        invalid("listener.security.protocol.map",
                "listener.security.protocol.map must be a list of NAME:PROTOCOL with one of PLAINTEXT, SSL, "
                "SASL_PLAINTEXT, SASL_SSL; got '" +
                    pair + "'");
      }
    }
  }

  std::vector<ListenerConfig> addresses(std::string_view key) {
    std::vector<ListenerConfig> parsed;
    for (const std::string& address : parse_list(text(key))) {
      if (auto listener = parse_address(key, address)) {
        if (std::ranges::find(parsed, listener->name, &ListenerConfig::name) != parsed.end()) {
          invalid(key, std::string(key) + " names the listener " + listener->name + " twice");
          continue;
        }
        parsed.push_back(*std::move(listener));
      }
    }
    return parsed;
  }

  std::optional<ListenerConfig> parse_address(std::string_view key, const std::string& address) {
    const auto refuse = [&](const std::string& why) {
      invalid(key,
              std::string(key) + " must be a list of NAME://host:port; got '" + address + "' (" + why + ")");
      return std::nullopt;
    };
    const std::size_t scheme = address.find("://");
    if (scheme == std::string::npos || scheme == 0) return refuse("no NAME:// in front");
    ListenerConfig listener;
    listener.name = upper(std::string_view(address).substr(0, scheme));
    std::string_view rest = std::string_view(address).substr(scheme + 3);
    const std::size_t colon = rest.rfind(':');
    if (colon == std::string_view::npos) return refuse("no port");
    const std::string_view port_text = rest.substr(colon + 1);
    const bool digits =
        !port_text.empty() && std::ranges::all_of(port_text, [](char c) { return c >= '0' && c <= '9'; });
    const std::int64_t port = digits ? parse_int64(port_text, -1) : -1;
    if (port < 0 || port > 65535) return refuse("the port must be a number from 0 to 65535");
    std::string_view host = rest.substr(0, colon);
    if (host.starts_with('[') != host.ends_with(']'))
      return refuse("brackets of the IPv6 address do not match");
    if (host.starts_with('[')) {
      host = host.substr(1, host.size() - 2);
    } else if (host.find(':') != std::string_view::npos) {
      return refuse("an IPv6 address needs brackets");
    }
    listener.host = host;
    listener.port = static_cast<std::uint16_t>(port);
    if (is_controller_listener(listener.name)) return listener;
    const auto protocol = protocols_.find(listener.name);
    if (protocol == protocols_.end()) {
      return refuse("listener.security.protocol.map does not say which protocol " + listener.name +
                    " speaks");
    }
    listener.protocol = protocol->second;
    return listener;
  }

  bool is_controller_listener(std::string_view name) const {
    const std::vector<std::string> names = parse_list(text("controller.listener.names"));
    return std::ranges::any_of(names, [&](const std::string& candidate) { return upper(candidate) == name; });
  }
  // Files written for KRaft name a listener for controllers; nobody would connect to it here.
  void drop_controller_listeners(std::vector<ListenerConfig>& listeners) {
    std::erase_if(listeners,
                  [&](const ListenerConfig& listener) { return is_controller_listener(listener.name); });
  }

  static bool is_wildcard(std::string_view host) { return host == "0.0.0.0" || host == "::"; }

  void advertised() {
    BrokerConfig& config = result_.config;
    if (config.listeners.empty())
      invalid("listeners", "listeners must name at least one listener for clients");
    for (std::size_t at = 0; at < config.listeners.size(); ++at) {
      for (std::size_t other = 0; other < at; ++other) {
        const ListenerConfig &a = config.listeners[at], &b = config.listeners[other];
        if (a.port != 0 && a.port == b.port && (a.host == b.host || a.host.empty() || b.host.empty())) {
          invalid("listeners",
                  "listeners " + b.name + " and " + a.name + " have the same port " + std::to_string(a.port));
        }
      }
    }
    if (!is_set("advertised.listeners")) {
      config.advertised_listeners = config.listeners;
      // An address that only binds: the shell puts the machine's name in its place.
      for (ListenerConfig& listener : config.advertised_listeners) {
        if (is_wildcard(listener.host)) listener.host.clear();
      }
      return;
    }
    config.advertised_listeners = addresses("advertised.listeners");
    drop_controller_listeners(config.advertised_listeners);
    for (const ListenerConfig& listener : config.advertised_listeners) {
      if (config.listener(listener.name) == nullptr) {
        invalid("advertised.listeners",
                "advertised.listeners names " + listener.name + ", which is not in listeners");
      }
      if (is_wildcard(listener.host)) {
        invalid("advertised.listeners",
                "advertised.listeners cannot use " + listener.host +
                    ": clients cannot connect to it; give the name or address they should use");
      }
    }
  }

  void inter_broker() {
    BrokerConfig& config = result_.config;
    if (is_set("inter.broker.listener.name")) {
      if (is_set("security.inter.broker.protocol")) {
        invalid("inter.broker.listener.name",
                "set either inter.broker.listener.name or security.inter.broker.protocol, not both");
      }
      config.inter_broker_listener = upper(text("inter.broker.listener.name"));
    } else {
      config.inter_broker_listener = upper(text("security.inter.broker.protocol"));
      // Without a word about it, a single listener of another name is the one.
      if (!is_set("security.inter.broker.protocol") &&
          config.listener(config.inter_broker_listener) == nullptr && !config.listeners.empty()) {
        config.inter_broker_listener = config.listeners.front().name;
      }
    }
    if (!config.listeners.empty() && config.listener(config.inter_broker_listener) == nullptr) {
      invalid("inter.broker.listener.name", "the listener " + config.inter_broker_listener +
                                                " that brokers use among themselves is not in listeners");
    }
  }

  void directories() {
    result_.config.log_dirs = parse_list(text(is_set("log.dirs") ? "log.dirs" : "log.dir"));
  }

  void relations() {
    for (ConfigNotice& broken : broken_relations(result_.config))
      invalid(broken.key, std::move(broken.message));
  }

  const ConfigValues& properties_;
  std::map<std::string, SecurityProtocol, std::less<>> protocols_;
  ParsedBrokerConfig result_;
};

}  // namespace

ParsedBrokerConfig parse_broker_config(const ConfigValues& properties) {
  return Parser(properties).run();
}

}  // namespace tailwater::cluster
