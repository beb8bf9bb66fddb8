#include "shell/broker/admin_port.hpp"

#include <fmt/format.h>

#include <atomic>
#include <charconv>
#include <mutex>

#include "shell/broker/broker.hpp"
#include "shell/http/metrics_text.hpp"
#include "shell/net/acceptor.hpp"
#include "shell/net/clock.hpp"
#include "shell/net/connection_limits.hpp"
#include "shell/net/shard_loop.hpp"

namespace tailwater::shell {

namespace {

// Without a wish, series per partition are given up to so many partitions.
constexpr std::size_t kPartitionSeriesMax = 1000;

struct HostPort {
  std::string host;
  std::uint16_t port = 0;
};

Result<HostPort> parse_host_port(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  HostPort parsed;
  const std::string_view port = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), parsed.port);
  if (port.empty() || error != std::errc() || end != port.data() + port.size()) {
    return fail(Errc::invalid_argument,
                fmt::format("tailwater.admin.listener must be host:port or empty; got '{}'", text));
  }
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  parsed.host = host;
  return parsed;
}

// Waits for the snapshots of all shards, then writes the answer, on the thread of the last one.
struct Gathering {
  std::mutex mutex;
  std::size_t missing = 0;
  MetricsInput input;
  bool partitions_wished = false;
  bool partitions_refused = false;
};

void finish(Gathering& gathering, const HttpReply& reply) {
  MetricsInput& input = gathering.input;
  std::size_t partitions = 0;
  for (const node::MetricsSnapshot& shard : input.shards) partitions += shard.partitions.size();
  input.partitions =
      gathering.partitions_wished || (!gathering.partitions_refused && partitions <= kPartitionSeriesMax);
  reply.send({.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = write_metrics(input)});
}

}  // namespace

AdminPort::AdminPort(Broker& broker, Log& log) : broker_(broker), server_(log) {
  server_.route("GET", "/", [this](const HttpRequest& request, HttpReply reply) { index(request, reply); });
  server_.route("GET", "/livez",
                [this](const HttpRequest& request, HttpReply reply) { live(request, reply); });
  server_.route("GET", "/readyz",
                [this](const HttpRequest& request, HttpReply reply) { ready(request, reply); });
  server_.route("GET", "/metrics",
                [this](const HttpRequest& request, HttpReply reply) { metrics(request, reply); });
}

Result<void> AdminPort::start(std::string_view address) {
  const auto place = parse_host_port(address);
  if (!place) return std::unexpected(place.error());
  auto sockets = bind_to(place->host, place->port);
  if (!sockets) {
    Error error = sockets.error();
    const std::size_t hint = error.message.find("; another broker?");
    if (hint != std::string::npos) error.message.erase(hint);
    error.message +=
        "; choose another admin address with --override tailwater.admin.listener=127.0.0.1:0, or none with "
        "--override tailwater.admin.listener=";
    return std::unexpected(error);
  }
  address_ = join_host_port(place->host.empty() ? sockets->addresses[0].host() : place->host, sockets->port);
  return server_.start(std::move(*sockets));
}

void AdminPort::stop() {
  server_.stop();
}

// For a person with a browser.
void AdminPort::index(const HttpRequest&, const HttpReply& reply) const {
  reply.send({.body = fmt::format("Tailwater {}, broker {} of cluster {}\n\n"
                                  "/livez    200 while the shards turn\n"
                                  "/readyz   200 while clients are let in; /readyz?verbose says why not\n"
                                  "/metrics  Prometheus text; ?detail=topic or ?detail=partition\n",
                                  broker_.settings_.version, broker_.settings_.config.broker_id,
                                  broker_.cluster_id_)});
}

// Alive: every loop turns. Nothing else: a broker that is busy recovering must not be killed for it.
void AdminPort::live(const HttpRequest&, const HttpReply& reply) const {
  if (broker_.is_turning()) return reply.send({.body = "ok\n"});
  reply.send(http_error(503, "a shard has not turned for ten seconds"));
}

// Ready: this broker serves. It says nothing of other brokers, so that a restart of one does not spread.
void AdminPort::ready(const HttpRequest& request, const HttpReply& reply) const {
  const BrokerState state = broker_.state();
  std::size_t recovered = 0;
  for (const auto& shard : broker_.shards_) recovered += shard->phase() == ShardPhase::ready ? 1 : 0;
  const bool serving = state == BrokerState::serving;
  if (request.parameter("verbose")) {
    std::string text;
    const auto check = [&](bool good, std::string_view name, std::string_view detail) {
      text += fmt::format("[{}] {}: {}\n", good ? '+' : '-', name, detail);
    };
    check(recovered == broker_.shards_.size(), "recovery",
          fmt::format("{} of {} shards have recovered their logs", recovered, broker_.shards_.size()));
    check(serving, "listeners", serving ? "open" : "closed");
    check(serving, "state", to_string(state));
    return reply.send({.status = serving ? 200 : 503, .body = text});
  }
  if (serving) return reply.send({.body = "ok\n"});
  reply.send(http_error(503, fmt::format("the broker is {}", to_string(state))));
}

void AdminPort::metrics(const HttpRequest& request, const HttpReply& reply) const {
  auto gathering = std::make_shared<Gathering>();
  const std::string detail = request.parameter("detail").value_or("");
  gathering->partitions_wished = detail == "partition";
  gathering->partitions_refused = detail == "topic";
  gathering->missing = broker_.shards_.size();
  MetricsInput& input = gathering->input;
  input.version = broker_.settings_.version;
  input.cluster_id = broker_.cluster_id_;
  input.broker_id = broker_.settings_.config.broker_id;
  input.address = broker_.served_.empty() ? "" : broker_.served_[0].advertised;
  input.uptime_seconds =
      static_cast<double>(read_clocks().monotonic.nanoseconds - broker_.started_ns_) / 1'000'000'000.0;
  input.connections_rejected = broker_.limits_->refused();
  input.log_lines_dropped = broker_.log_.dropped();
  input.process = read_process_facts();
  input.shards.resize(broker_.shards_.size());
  for (const auto& shard : broker_.shards_) {
    const ShardLoopStats stats = shard->stats();
    input.loops.push_back({stats.turns, stats.busy_ns, shard->since_turn().nanoseconds, {}});
  }
  for (std::size_t index = 0; index < broker_.shards_.size(); ++index) {
    ShardLoop& loop = *broker_.shards_[index];
    loop.post([gathering, index, reply, &loop](node::Shard& shard, Now) {
      node::MetricsSnapshot snapshot = shard.metrics();
      const std::lock_guard lock(gathering->mutex);
      gathering->input.shards[index] = std::move(snapshot);
      gathering->input.loops[index].system_calls = loop.system_calls();
      if (--gathering->missing == 0) finish(*gathering, reply);
    });
  }
}

}  // namespace tailwater::shell
