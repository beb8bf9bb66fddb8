// ApiVersions, DescribeCluster, DescribeQuorum, FindCoordinator, the dialogues of SASL and the ACLs that
// nobody can have yet, InitProducerId.
#include <algorithm>
#include <set>
#include <string_view>

#include "core/group/partition.hpp"
#include "node/api/handlers.hpp"
#include "node/controller_calls.hpp"
#include "node/dispatch.hpp"
#include "node/shard_state.hpp"

namespace tailwater::node {

namespace {

constexpr std::int16_t kOldestApiVersions = 0;
// As Kafka's controller says it; its brokers say it in other words, see DescribeAcls.
constexpr std::string_view kNoAuthorizer = "No Authorizer is configured.";

std::vector<wire::ApiVersionsResponseApiVersion> served_ranges() {
  std::vector<wire::ApiVersionsResponseApiVersion> ranges;
  for (const ServedApi& served : served_apis()) {
    const wire::ApiInfo& info = *wire::find_api(served.key);
    ranges.push_back({.api_key = static_cast<std::int16_t>(served.key),
                      .min_version = info.advertised_min,
                      .max_version = std::min(served.max_version, info.advertised_max)});
  }
  return ranges;
}

// Features whose levels change how clients work with this broker; only what it does is here.
struct ServedFeature {
  std::string_view name;
  std::int16_t max = 0;
};
constexpr ServedFeature kServedFeatures[] = {{"transaction.version", 2}};

// Before version 4 clients take a feature that may be absent (0) for an error.
constexpr std::int16_t kFirstVersionWithLevelZero = 4;

void put_features(const Context& context, std::int16_t version, wire::ApiVersionsResponse& response) {
  const std::int16_t min_level = version >= kFirstVersionWithLevelZero ? 0 : 1;
  response.finalized_features_epoch = static_cast<std::int64_t>(context.image->version.value);
  for (const ServedFeature& feature : kServedFeatures) {
    response.supported_features.push_back(
        {.name = std::string(feature.name), .min_version = min_level, .max_version = feature.max});
    const std::int16_t level = std::min(context.image->feature(feature.name), feature.max);
    if (level <= 0) continue;
    response.finalized_features.push_back(
        {.name = std::string(feature.name), .max_version_level = level, .min_version_level = level});
  }
}

// [a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?
bool is_software_name(std::string_view text) {
  const auto alphanumeric = [](char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
           (letter >= '0' && letter <= '9');
  };
  if (text.empty() || !alphanumeric(text.front()) || !alphanumeric(text.back())) return false;
  return std::ranges::all_of(
      text, [&](char letter) { return alphanumeric(letter) || letter == '-' || letter == '.'; });
}

wire::ErrorCode check(const ShardState& shard, const Request& request,
                      const wire::ApiVersionsRequest& asked) {
  if (request.version >= 3 &&
      (!is_software_name(asked.client_software_name) || !is_software_name(asked.client_software_version))) {
    return wire::ErrorCode::invalid_request;
  }
  if (request.version < 5) return wire::ErrorCode::none;
  const bool names_cluster = asked.cluster_id.has_value();
  if (names_cluster != (asked.node_id >= 0)) return wire::ErrorCode::invalid_request;
  if (names_cluster && (*asked.cluster_id != shard.context.options.cluster_id ||
                        asked.node_id != shard.context.options.broker.value)) {
    return wire::ErrorCode::rebootstrap_required;
  }
  return wire::ErrorCode::none;
}

const AdvertisedListener* advertised(const Context& context, ListenerId listener) {
  const auto at = std::ranges::find(context.options.listeners, listener, &AdvertisedListener::id);
  return at == context.options.listeners.end() ? nullptr : &*at;
}

}  // namespace

std::int32_t authorized_operations(wire::Resource resource) {
  using wire::Operation;
  std::int32_t bits = 0;
  const auto add = [&bits](Operation operation) { bits |= 1 << static_cast<int>(operation); };
  switch (resource) {
    case wire::Resource::topic:
      for (const auto operation :
           {Operation::read, Operation::write, Operation::create, Operation::remove, Operation::alter,
            Operation::describe, Operation::describe_configs, Operation::alter_configs}) {
        add(operation);
      }
      break;
    case wire::Resource::group:
      for (const auto operation : {Operation::read, Operation::remove, Operation::describe,
                                   Operation::describe_configs, Operation::alter_configs}) {
        add(operation);
      }
      break;
    case wire::Resource::cluster:
      for (const auto operation :
           {Operation::create, Operation::alter, Operation::describe, Operation::cluster_action,
            Operation::describe_configs, Operation::alter_configs, Operation::idempotent_write}) {
        add(operation);
      }
      break;
    default:
      break;
  }
  return bits;
}

void serve(ShardState& shard, const Request& request, wire::ApiVersionsRequest&& asked) {
  wire::ApiVersionsResponse response;
  response.error_code = check(shard, request, asked);
  if (response.error_code == wire::ErrorCode::none) {
    response.api_keys = served_ranges();
    put_features(shard.context, request.version, response);
  }
  shard.connections.answer(request, response);
}

void serve_unknown_api_versions(ShardState& shard, const Request& request) {
  const wire::ApiInfo& info = *wire::find_api(wire::ApiKey::api_versions);
  wire::ApiVersionsResponse response;
  response.error_code = wire::ErrorCode::unsupported_version;
  response.api_keys.push_back({.api_key = static_cast<std::int16_t>(wire::ApiKey::api_versions),
                               .min_version = info.min_version,
                               .max_version = info.max_version});
  Request oldest = request;
  oldest.version = kOldestApiVersions;
  shard.connections.answer(oldest, response);
}

void serve(ShardState& shard, const Request& request, wire::DescribeClusterRequest&& asked) {
  const Context& context = shard.context;
  wire::DescribeClusterResponse response;
  constexpr std::int8_t kBrokers = 1;
  constexpr std::int8_t kControllers = 2;
  response.endpoint_type = asked.endpoint_type;
  if (asked.endpoint_type != kBrokers) {
    response.error_code = asked.endpoint_type == kControllers ? wire::ErrorCode::mismatched_endpoint_type
                                                              : wire::ErrorCode::unsupported_endpoint_type;
    response.error_message =
        asked.endpoint_type == kControllers
            ? "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of "
              "type CONTROLLER"
            : "Unsupported endpoint type " + std::to_string(asked.endpoint_type);
    return shard.connections.answer(request, response);
  }
  response.cluster_id = context.options.cluster_id;
  response.controller_id = context.options.broker.value;
  if (const AdvertisedListener* listener = advertised(context, request.listener)) {
    auto& broker = response.brokers.emplace_back();
    broker.broker_id = context.options.broker.value;
    broker.host = listener->host;
    broker.port = listener->port;
    if (!context.options.rack.empty()) broker.rack = context.options.rack;
  }
  if (asked.include_cluster_authorized_operations) {
    response.cluster_authorized_operations = authorized_operations(wire::Resource::cluster);
  }
  shard.connections.answer(request, response);
}

namespace {

// What Kafka calls the log of its controllers, and clients ask for by name.
constexpr std::string_view kMetadataTopic = "__cluster_metadata";
constexpr std::int32_t kOnlyEpoch = 1;  // nobody else was ever elected

bool asks_for_metadata_log(const wire::DescribeQuorumRequest& asked) {
  return asked.topics.size() == 1 && asked.topics[0].topic_name == kMetadataTopic &&
         asked.topics[0].partitions.size() == 1 && asked.topics[0].partitions[0].partition_index == 0;
}

}  // namespace

// This broker is its own controller: a quorum of one, whose log ends with the last change of the metadata.
void serve(ShardState& shard, const Request& request, wire::DescribeQuorumRequest&& asked) {
  const Context& context = shard.context;
  wire::DescribeQuorumResponse response;
  const bool known = asks_for_metadata_log(asked);
  for (const auto& wanted : asked.topics) {
    auto& topic = response.topics.emplace_back();
    topic.topic_name = wanted.topic_name;
    for (const auto& each : wanted.partitions) {
      auto& partition = topic.partitions.emplace_back();
      partition.partition_index = each.partition_index;
      if (!known) {
        partition.error_code = wire::ErrorCode::unknown_topic_or_partition;
        continue;
      }
      partition.leader_id = context.options.broker.value;
      partition.leader_epoch = kOnlyEpoch;
      partition.high_watermark = static_cast<std::int64_t>(context.image->version.value);
      partition.current_voters.push_back({.replica_id = context.options.broker.value,
                                          .log_end_offset = partition.high_watermark,
                                          .last_fetch_timestamp = context.now.wall.ms,
                                          .last_caught_up_timestamp = context.now.wall.ms});
    }
  }
  if (const AdvertisedListener* listener = advertised(context, request.listener);
      known && listener != nullptr) {
    auto& node = response.nodes.emplace_back();
    node.node_id = context.options.broker.value;
    node.listeners.push_back({.name = listener->name, .host = listener->host, .port = listener->port});
  }
  shard.connections.answer(request, response);
}

// Nobody has to say who they are on these listeners: in Kafka's words, who begins to is in the wrong state.
void serve(ShardState& shard, const Request& request, wire::SaslHandshakeRequest&&) {
  wire::SaslHandshakeResponse response;
  response.error_code = wire::ErrorCode::illegal_sasl_state;
  shard.connections.answer(request, response);
}

void serve(ShardState& shard, const Request& request, wire::SaslAuthenticateRequest&&) {
  wire::SaslAuthenticateResponse response;
  response.error_code = wire::ErrorCode::illegal_sasl_state;
  response.error_message = "SaslAuthenticate request received after successful authentication";
  shard.connections.answer(request, response);
}

namespace {

struct FoundCoordinator {
  wire::ErrorCode error{};
  std::string message;
};

void answer_coordinators(ShardState& shard, const Request& request, const wire::FindCoordinatorRequest& asked,
                         const FoundCoordinator& found) {
  const AdvertisedListener* listener = advertised(shard.context, request.listener);
  wire::FindCoordinatorResponse response;
  const auto describe = [&](const std::string& key) {
    wire::FindCoordinatorResponseCoordinator coordinator;
    coordinator.key = key;
    coordinator.node_id = -1;
    coordinator.port = -1;
    coordinator.error_code = found.error;
    if (!found.message.empty()) coordinator.error_message = found.message;
    if (found.error == wire::ErrorCode::none && listener != nullptr) {
      coordinator.node_id = shard.context.options.broker.value;
      coordinator.host = listener->host;
      coordinator.port = listener->port;
    }
    return coordinator;
  };
  constexpr std::int16_t kFirstBatchedVersion = 4;
  if (request.version >= kFirstBatchedVersion) {
    std::set<std::string_view> answered;
    for (const std::string& key : asked.coordinator_keys) {
      if (answered.insert(key).second) response.coordinators.push_back(describe(key));
    }
  } else {
    wire::FindCoordinatorResponseCoordinator one = describe(asked.key);
    response.error_code = one.error_code;
    response.error_message = std::move(one.error_message);
    response.node_id = one.node_id;
    response.host = std::move(one.host);
    response.port = one.port;
  }
  shard.connections.answer(request, response);
}

}  // namespace

void serve(ShardState& shard, const Request& request, wire::FindCoordinatorRequest&& asked) {
  constexpr std::int8_t kGroup = 0;
  constexpr std::int8_t kTransaction = 1;
  if (asked.key_type != kGroup && asked.key_type != kTransaction) {
    return answer_coordinators(shard, request, asked,
                               {wire::ErrorCode::invalid_request,
                                "This broker has no coordinator of type " + std::to_string(asked.key_type)});
  }
  const std::string topic(asked.key_type == kGroup ? cluster::kOffsetsTopic : cluster::kTransactionTopic);
  if (shard.context.image->topic(topic)) return answer_coordinators(shard, request, asked, {});
  // The first of its kind in this cluster: its topic is made now, and the answer waits for it.
  ensure_topics(shard.calls, {topic},
                [&shard, request, topic, asked = std::move(asked)](const cluster::EnsuredTopics& ensured) {
                  const bool made = !ensured.topics.empty() && ensured.topics.front().error_code == 0;
                  answer_coordinators(shard, request, asked,
                                      made ? FoundCoordinator{}
                                           : FoundCoordinator{wire::ErrorCode::coordinator_not_available,
                                                              "The topic " + topic + " cannot be created."});
                });
}

void serve(ShardState& shard, const Request& request, wire::DescribeAclsRequest&&) {
  wire::DescribeAclsResponse response;
  response.error_code = wire::ErrorCode::security_disabled;
  response.error_message = "No Authorizer is configured on the broker";
  shard.connections.answer(request, response);
}

void serve(ShardState& shard, const Request& request, wire::CreateAclsRequest&& asked) {
  wire::CreateAclsResponse response;
  response.results.assign(asked.creations.size(), {.error_code = wire::ErrorCode::security_disabled,
                                                   .error_message = std::string(kNoAuthorizer)});
  shard.connections.answer(request, response);
}

void serve(ShardState& shard, const Request& request, wire::DeleteAclsRequest&& asked) {
  wire::DeleteAclsResponse response;
  response.filter_results.assign(asked.filters.size(), {.error_code = wire::ErrorCode::security_disabled,
                                                        .error_message = std::string(kNoAuthorizer),
                                                        .matching_acls = {}});
  shard.connections.answer(request, response);
}

namespace {

void answer_producer_id(ShardState& shard, const Request& request, std::int64_t producer_id) {
  wire::InitProducerIdResponse response;
  response.producer_id = producer_id;
  response.producer_epoch = 0;
  shard.connections.answer(request, response);
}

}  // namespace

void serve(ShardState& shard, const Request& request, wire::InitProducerIdRequest&& asked) {
  wire::InitProducerIdResponse refused;
  refused.producer_epoch = -1;
  if (asked.transactional_id) return serve_transactional_init(shard, request, asked);
  // A producer that lost track of its sequence asks with its old id: it gets a new one, which is always
  // right.
  if (const auto id = shard.admin.take_producer_id()) return answer_producer_id(shard, request, *id);
  allocate_producer_ids(shard.calls,
                        [&shard, request, refused](const cluster::ProducerIdBlock& block) mutable {
                          if (block.error_code == 0) shard.admin.give_producer_ids(block);
                          if (const auto id = shard.admin.take_producer_id())
                            return answer_producer_id(shard, request, *id);
                          refused.error_code = wire::ErrorCode::coordinator_load_in_progress;
                          shard.connections.answer(request, refused);
                        });
}

}  // namespace tailwater::node
