// What holds between the values of a configuration, and of values beyond what their keys say: for
// server.properties and for what is changed while the broker runs alike.
#include <algorithm>

#include "core/cluster/config.hpp"

namespace tailwater::cluster {

namespace {

class Relations {
 public:
  explicit Relations(const BrokerConfig& config) : config_(config) {}

  std::vector<ConfigNotice> run() {
    topics();
    connections();
    groups();
    at_most("replica.fetch.wait.max.ms", "replica.lag.time.max.ms", config_.replica_fetch_wait_max_ms,
            config_.replica_lag_time_max_ms);
    at_least("zookeeper.session.timeout.ms", config_.zookeeper_session_timeout_ms, 1);
    return std::move(broken_);
  }

 private:
  void invalid(std::string_view key, std::string message) {
    broken_.push_back({ConfigNotice::Kind::invalid, std::string(key), std::move(message)});
  }
  void at_most(std::string_view lower, std::string_view upper, std::int64_t low, std::int64_t high) {
    if (low <= high) return;
    invalid(lower, std::string(lower) + " must not be greater than " + std::string(upper) + "; got " +
                       std::to_string(low) + " and " + std::to_string(high));
  }
  void at_least(std::string_view key, std::int64_t value, std::int64_t low) {
    if (value >= low) return;
    invalid(key,
            std::string(key) + " must be " + std::to_string(low) + " or more; got " + std::to_string(value));
  }
  const std::string* set_to(std::string_view key) const {
    const auto at = config_.properties.find(key);
    return at != config_.properties.end() ? &at->second : nullptr;
  }
  void at_least_if_set(std::string_view key, std::int64_t low) {
    if (const std::string* text = set_to(key)) at_least(key, parse_int64(*text, low), low);
  }
  void retention(std::string_view key) {
    const std::string* text = set_to(key);
    if (text == nullptr) return;
    const std::int64_t value = parse_int64(*text, -1);
    if (value != -1 && value < 1) {
      invalid(key, std::string(key) + " must be 1 or more, or -1 for no limit; got '" + *text + "'");
    }
  }

  void topics() {
    for (const std::string_view key : {"log.retention.ms", "log.retention.minutes", "log.retention.hours"})
      retention(key);
    at_least_if_set("log.roll.ms", 1);
    at_least_if_set("log.roll.jitter.ms", 0);
    at_least("default.replication.factor", config_.default_replication_factor, 1);
  }

  void connections() {
    at_least("socket.send.buffer.bytes", config_.socket_send_buffer_bytes, -1);
    at_least("socket.receive.buffer.bytes", config_.socket_receive_buffer_bytes, -1);
    constexpr std::string_view kOverrides = "max.connections.per.ip.overrides";
    if (const std::string* text = set_to(kOverrides)) {
      for (const std::string& pair : parse_list(*text)) {
        if (parse_address_limit(pair)) continue;
        invalid(kOverrides,
                std::string(kOverrides) + " must be a list of address:count pairs; got '" + pair + "'");
        return;
      }
    }
    if (config_.max_connections_per_ip == 0 && config_.max_connections_per_ip_overrides.empty()) {
      invalid("max.connections.per.ip",
              "max.connections.per.ip can be 0 only if " + std::string(kOverrides) + " says who may connect");
    }
  }

  void groups() {
    at_most("group.min.session.timeout.ms", "group.max.session.timeout.ms",
            config_.group_min_session_timeout_ms, config_.group_max_session_timeout_ms);
    at_most("group.consumer.min.session.timeout.ms", "group.consumer.session.timeout.ms",
            config_.consumer_group_min_session_timeout_ms, config_.consumer_group_session_timeout_ms);
    at_most("group.consumer.session.timeout.ms", "group.consumer.max.session.timeout.ms",
            config_.consumer_group_session_timeout_ms, config_.consumer_group_max_session_timeout_ms);
    at_most("group.consumer.min.heartbeat.interval.ms", "group.consumer.heartbeat.interval.ms",
            config_.consumer_group_min_heartbeat_interval_ms, config_.consumer_group_heartbeat_interval_ms);
    at_most("group.consumer.heartbeat.interval.ms", "group.consumer.max.heartbeat.interval.ms",
            config_.consumer_group_heartbeat_interval_ms, config_.consumer_group_max_heartbeat_interval_ms);
    at_least("group.initial.rebalance.delay.ms", config_.group_initial_rebalance_delay_ms, 0);
  }

  const BrokerConfig& config_;
  std::vector<ConfigNotice> broken_;
};

// What a host's name or address may be written with.
bool is_host(std::string_view text) {
  const auto may_be = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("-%._:").contains(c);
  };
  return !text.empty() && std::ranges::all_of(text, may_be);
}

}  // namespace

std::optional<std::pair<std::string, std::int64_t>> parse_address_limit(std::string_view pair) {
  const std::size_t colon = pair.rfind(':');
  if (colon == std::string_view::npos || !is_host(pair.substr(0, colon))) return std::nullopt;
  const std::int64_t limit = parse_int64(pair.substr(colon + 1), -1);
  if (limit < 0 || limit > INT32_MAX) return std::nullopt;
  return std::pair{std::string(pair.substr(0, colon)), limit};
}

std::vector<ConfigNotice> broken_relations(const BrokerConfig& config) {
  return Relations(config).run();
}

}  // namespace tailwater::cluster
