// Metadata and DescribeTopicPartitions: the image as clients of a listener see it.
#include <algorithm>
#include <set>

#include "core/cluster/topic_name.hpp"
#include "node/api/handlers.hpp"
#include "node/controller_calls.hpp"
#include "node/shard_state.hpp"

namespace tailwater::node {

namespace {

wire::ErrorCode partition_error(const cluster::Partition& partition) {
  return partition.leader == cluster::kNoBroker ? wire::ErrorCode::leader_not_available
                                                : wire::ErrorCode::none;
}

std::vector<std::int32_t> numbers(const cluster::BrokerIds& ids) {
  std::vector<std::int32_t> all;
  for (const BrokerId id : ids) all.push_back(id.value);
  return all;
}

std::vector<std::int32_t> offline(const cluster::MetadataImage& image, const cluster::Partition& partition) {
  std::vector<std::int32_t> all;
  for (const BrokerId id : partition.replica_ids()) {
    if (!image.is_alive(id)) all.push_back(id.value);
  }
  return all;
}

wire::MetadataResponseTopic describe(const cluster::MetadataImage& image, const cluster::Topic& topic,
                                     const wire::MetadataRequest& asked) {
  wire::MetadataResponseTopic described;
  described.name = topic.name;
  described.topic_id = topic.id;
  described.is_internal = topic.is_internal();
  described.partitions.reserve(topic.partitions.size());
  for (std::size_t index = 0; index < topic.partitions.size(); ++index) {
    const cluster::Partition& partition = topic.partitions[index];
    auto& item = described.partitions.emplace_back();
    item.error_code = partition_error(partition);
    item.partition_index = static_cast<std::int32_t>(index);
    item.leader_id = partition.leader.value;
    item.leader_epoch = partition.leader_epoch.value;
    item.replica_nodes = numbers(partition.replica_ids());
    item.isr_nodes = numbers(partition.isr);
    item.offline_replicas = offline(image, partition);
  }
  if (asked.include_topic_authorized_operations) {
    described.topic_authorized_operations = authorized_operations(wire::Resource::topic);
  }
  return described;
}

// Clients that name a topic by its id leave the name out, or empty, as Java's admin client does.
bool is_by_id(const wire::MetadataRequestTopic& wanted) {
  return !wanted.topic_id.is_zero();
}

// Topics that are asked for by name and do not exist.
std::vector<std::string> missing_topics(const cluster::MetadataImage& image,
                                        const wire::MetadataRequest& asked) {
  std::set<std::string> missing;
  if (!asked.topics) return {};
  for (const auto& topic : *asked.topics) {
    if (!is_by_id(topic) && topic.name && !image.topic(*topic.name)) missing.insert(*topic.name);
  }
  return {missing.begin(), missing.end()};
}

bool asks_for_all(const Request& request, const wire::MetadataRequest& asked) {
  return !asked.topics || (request.version == 0 && asked.topics->empty());
}

using Failures = std::map<std::string, wire::ErrorCode>;

wire::MetadataResponseTopic answer_of(const cluster::MetadataImage& image, const wire::MetadataRequest& asked,
                                      const wire::MetadataRequestTopic& wanted, const Failures& failures,
                                      std::int16_t version) {
  constexpr std::int16_t kFirstVersionWithoutNames = 12;
  const bool by_name = wanted.name && !is_by_id(wanted);
  const cluster::TopicHandle topic = by_name ? image.topic(*wanted.name) : image.topic(wanted.topic_id);
  if (topic) return describe(image, *topic, asked);
  wire::MetadataResponseTopic unknown;
  if (by_name || version < kFirstVersionWithoutNames) unknown.name = wanted.name.value_or("");
  unknown.topic_id = wanted.topic_id;
  unknown.error_code =
      by_name ? wire::ErrorCode::unknown_topic_or_partition : wire::ErrorCode::unknown_topic_id;
  if (by_name) {
    const auto failure = failures.find(*wanted.name);
    if (failure != failures.end()) unknown.error_code = failure->second;
  }
  return unknown;
}

void answer_metadata(ShardState& shard, const Request& request, const wire::MetadataRequest& asked,
                     const Failures& failures) {
  const Context& context = shard.context;
  const cluster::MetadataImage& image = *context.image;
  wire::MetadataResponse response;
  response.cluster_id = context.options.cluster_id;
  response.controller_id = context.options.broker.value;
  const auto listener =
      std::ranges::find(context.options.listeners, request.listener, &AdvertisedListener::id);
  if (listener != context.options.listeners.end()) {
    auto& broker = response.brokers.emplace_back();
    broker.node_id = context.options.broker.value;
    broker.host = listener->host;
    broker.port = listener->port;
    if (!context.options.rack.empty()) broker.rack = context.options.rack;
  }
  if (asks_for_all(request, asked)) {
    for (const auto& topic : image.topics) response.topics.push_back(describe(image, *topic, asked));
  } else {
    for (const auto& wanted : *asked.topics) {
      response.topics.push_back(answer_of(image, asked, wanted, failures, request.version));
    }
  }
  if (asked.include_cluster_authorized_operations) {
    response.cluster_authorized_operations = authorized_operations(wire::Resource::cluster);
  }
  shard.connections.answer(request, response);
}

}  // namespace

void serve(ShardState& shard, const Request& request, wire::MetadataRequest&& asked) {
  constexpr std::int16_t kFirstVersionThatChooses = 4;
  const bool may_create = request.version < kFirstVersionThatChooses || asked.allow_auto_topic_creation;
  std::vector<std::string> missing;
  if (may_create && shard.context.options.config.auto_create_topics) {
    missing = missing_topics(*shard.context.image, asked);
  }
  // As in Kafka nobody waits for the topics: the answer is what there is, and clients ask again. (Whoever
  // deletes a topic and looks whether it is gone sees that it is.)
  Failures failures;
  for (const std::string& name : missing) {
    if (cluster::topic_name_error(name)) failures[name] = wire::ErrorCode::invalid_topic_exception;
  }
  if (!missing.empty()) ensure_topics(shard.calls, std::move(missing), [](const cluster::EnsuredTopics&) {});
  answer_metadata(shard, request, asked, failures);
}

namespace {

wire::DescribeTopicPartitionsResponsePartition describe_partition(const cluster::MetadataImage& image,
                                                                  const cluster::Partition& partition,
                                                                  std::int32_t index) {
  wire::DescribeTopicPartitionsResponsePartition described;
  described.error_code = partition_error(partition);
  described.partition_index = index;
  described.leader_id = partition.leader.value;
  described.leader_epoch = partition.leader_epoch.value;
  described.replica_nodes = numbers(partition.replica_ids());
  described.isr_nodes = numbers(partition.isr);
  described.eligible_leader_replicas.emplace();
  described.last_known_elr.emplace();
  described.offline_replicas = offline(image, partition);
  return described;
}

// The names to describe, sorted as Kafka sorts them: those asked for, or all.
std::vector<std::string> wanted_names(const cluster::MetadataImage& image,
                                      const wire::DescribeTopicPartitionsRequest& asked) {
  std::set<std::string> names;
  for (const auto& topic : asked.topics) names.insert(topic.name);
  if (asked.topics.empty()) {
    for (const auto& topic : image.topics) names.insert(topic->name);
  }
  std::vector<std::string> wanted;
  for (const std::string& name : names) {
    if (!asked.cursor || name >= asked.cursor->topic_name) wanted.push_back(name);
  }
  return wanted;
}

}  // namespace

void serve(ShardState& shard, const Request& request, wire::DescribeTopicPartitionsRequest&& asked) {
  const cluster::MetadataImage& image = *shard.context.image;
  wire::DescribeTopicPartitionsResponse response;
  const std::int32_t limit = std::clamp<std::int32_t>(
      asked.response_partition_limit, 1, shard.context.options.config.max_request_partition_size_limit);
  std::int32_t described = 0;
  for (const std::string& name : wanted_names(image, asked)) {
    if (described >= limit) {
      response.next_cursor = {.topic_name = name, .partition_index = 0};
      break;
    }
    auto& item = response.topics.emplace_back();
    item.name = name;
    const cluster::TopicHandle topic = image.topic(name);
    if (!topic) {
      item.error_code = wire::ErrorCode::unknown_topic_or_partition;
      continue;
    }
    item.topic_id = topic->id;
    item.is_internal = topic->is_internal();
    item.topic_authorized_operations = authorized_operations(wire::Resource::topic);
    const bool continued = asked.cursor && asked.cursor->topic_name == name;
    const std::size_t first =
        continued ? static_cast<std::size_t>(std::max(asked.cursor->partition_index, 0)) : 0;
    for (std::size_t index = first; index < topic->partitions.size(); ++index) {
      const auto number = static_cast<std::int32_t>(index);
      if (described == limit) {
        response.next_cursor = {.topic_name = name, .partition_index = number};
        return shard.connections.answer(request, response);
      }
      item.partitions.push_back(describe_partition(image, topic->partitions[index], number));
      ++described;
    }
  }
  shard.connections.answer(request, response);
}

}  // namespace tailwater::node
