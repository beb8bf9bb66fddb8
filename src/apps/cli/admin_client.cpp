#include "apps/cli/admin_client.hpp"

#include <chrono>
#include <thread>

#include "apps/version.hpp"
#include "wire/api/find_coordinator.hpp"

namespace tailwater::apps::cli {

namespace {

constexpr std::chrono::milliseconds kPause{50};

Address address_of(const std::string& host, std::int32_t port) {
  return {host, static_cast<std::uint16_t>(port)};
}

}  // namespace

Result<AdminClient> AdminClient::make(const Settings& settings) {
  auto addresses = parse_addresses(settings.brokers);
  if (!addresses) return std::unexpected(addresses.error());
  const auto timeout = settings.timeout_time();
  if (!timeout) return std::unexpected(timeout.error());
  return AdminClient(std::move(*addresses),
                     {.timeout = *timeout, .client_id = fmt::format("tailwater/{}", version_text())});
}

Result<BrokerConnection*> AdminClient::any() {
  if (any_) return &*any_;
  std::string complaints;
  Errc code = Errc::unavailable;
  for (const Address& address : bootstrap_) {
    auto connection = BrokerConnection::open(address, options_);
    if (connection) return &any_.emplace(std::move(*connection));
    if (!complaints.empty()) complaints += '\n';
    complaints += connection.error().message;
    code = connection.error().code;
  }
  return fail(code, std::move(complaints));
}

Result<BrokerConnection*> AdminClient::broker(std::int32_t id) {
  if (const auto found = brokers_.find(id); found != brokers_.end()) return &found->second;
  if (!metadata_known_) {
    if (auto answer = metadata({.kind = TopicChoice::Kind::none}); !answer)
      return std::unexpected(answer.error());
  }
  const auto address = addresses_.find(id);
  if (address == addresses_.end()) return fail(Errc::not_found, fmt::format("there is no broker {}", id));
  // Most clusters that are looked at have one broker: its connection is there already.
  if (any_ && any_->address() == address->second) return &*any_;
  auto connection = BrokerConnection::open(address->second, options_);
  if (!connection) {
    return fail(connection.error().code, fmt::format("broker {} says that it is reached at {}, but: {}", id,
                                                     to_string(address->second), connection.error().message));
  }
  return &brokers_.emplace(id, std::move(*connection)).first->second;
}

Result<BrokerConnection*> AdminClient::controller() {
  if (!metadata_known_) {
    if (auto answer = metadata({.kind = TopicChoice::Kind::none}); !answer)
      return std::unexpected(answer.error());
  }
  // Without a known controller any broker is asked: some forward, others say who it is.
  return addresses_.contains(controller_id_) ? broker(controller_id_) : any();
}

Result<wire::MetadataResponse> AdminClient::metadata(const TopicChoice& topics) {
  wire::MetadataRequest request;
  request.allow_auto_topic_creation = topics.create;
  if (topics.kind != TopicChoice::Kind::all) request.topics.emplace();
  for (const std::string& name : topics.names) request.topics->push_back({.name = name});
  auto answer = ask_any(request);
  if (answer) learn(*answer);
  return answer;
}

void AdminClient::learn(const wire::MetadataResponse& answer) {
  for (const auto& broker : answer.brokers) addresses_[broker.node_id] = address_of(broker.host, broker.port);
  controller_id_ = answer.controller_id;
  metadata_known_ = true;
}

bool AdminClient::is_passing(wire::ErrorCode code) {
  return code == wire::ErrorCode::coordinator_not_available ||
         code == wire::ErrorCode::coordinator_load_in_progress || code == wire::ErrorCode::not_coordinator ||
         code == wire::ErrorCode::concurrent_transactions;
}

bool AdminClient::pause_before(Deadline deadline) {
  if (std::chrono::steady_clock::now() + kPause > deadline) return false;
  std::this_thread::sleep_for(kPause);
  return true;
}

Result<std::int32_t> AdminClient::coordinator_of(const std::string& key, Coordinated kind) {
  const Deadline deadline = options_.deadline();
  wire::FindCoordinatorRequest request;
  request.key = key;
  request.key_type = static_cast<std::int8_t>(kind);
  request.coordinator_keys = {key};
  for (;;) {
    const auto answer = ask_any(request);
    if (!answer) return std::unexpected(answer.error());
    wire::FindCoordinatorResponseCoordinator found;
    if (!answer->coordinators.empty()) {
      found = answer->coordinators.front();
    } else {
      found.error_code = answer->error_code;
      found.error_message = answer->error_message;
      found.node_id = answer->node_id;
      found.host = answer->host;
      found.port = answer->port;
    }
    if (found.error_code == wire::ErrorCode::none) {
      addresses_[found.node_id] = address_of(found.host, found.port);
      return found.node_id;
    }
    if (!is_passing(found.error_code) || !pause_before(deadline)) {
      return fail(Errc::unavailable, fmt::format("{} {}: no coordinator: {}",
                                                 kind == Coordinated::group ? "group" : "transactional id",
                                                 key, wire::message(found.error_code)));
    }
  }
}

}  // namespace tailwater::apps::cli
