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

bool is_offline(const Context& context, const cluster::Topic& topic, PartitionId partition,
                const cluster::Replica& replica) {
  const std::optional<DirId> dir = context.image->dir_of(replica);
  if (!dir || !context.image->is_alive(replica.broker)) return true;
  if (context.offline_dirs.empty() || replica.broker != context.options.broker) return false;
  return context.offline_dirs.contains({context.home_of(topic, partition), *dir});
}

// Of brokers that are gone, or whose log directory is not there or has failed.
std::vector<std::int32_t> offline(const Context& context, const cluster::Topic& topic, std::size_t index) {
  std::vector<std::int32_t> all;
  const PartitionId partition{static_cast<std::int32_t>(index)};
  for (const cluster::Replica& replica : topic.partitions[index].replicas) {
    if (is_offline(context, topic, partition, replica)) all.push_back(replica.broker.value);
  }
  return all;
}

wire::MetadataResponseTopic describe(const Context& context, const cluster::Topic& topic,
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
    item.offline_replicas = offline(context, topic, index);
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

// Topics that are asked for by name, do not exist and could.
std::vector<std::string> topics_to_create(const cluster::MetadataImage& image,
                                          const wire::MetadataRequest& asked) {
  std::set<std::string> names;
  if (!asked.topics) return {};
  for (const auto& topic : *asked.topics) {
    if (is_by_id(topic) || !topic.name || image.topic(*topic.name)) continue;
    if (!cluster::topic_name_error(*topic.name)) names.insert(*topic.name);
  }
  return {names.begin(), names.end()};
}

bool asks_for_all(const Request& request, const wire::MetadataRequest& asked) {
  return !asked.topics || (request.version == 0 && asked.topics->empty());
}

// Names that no topic can have are told apart from those that none has.
wire::ErrorCode error_of_missing(const std::string& name) {
  return cluster::topic_name_error(name) ? wire::ErrorCode::invalid_topic_exception
                                         : wire::ErrorCode::unknown_topic_or_partition;
}

constexpr std::int16_t kFirstVersionWithoutNames = 12;

wire::MetadataResponseTopic missing(const wire::MetadataRequestTopic& wanted) {
  wire::MetadataResponseTopic unknown;
  unknown.topic_id = wanted.topic_id;
  if (is_by_id(wanted) || !wanted.name) {
    unknown.error_code = wire::ErrorCode::unknown_topic_id;
    return unknown;
  }
  unknown.name = wanted.name;
  unknown.error_code = error_of_missing(*wanted.name);
  unknown.is_internal = cluster::is_internal_topic(*wanted.name);
  return unknown;
}

// Each topic once, however often it is asked for, in the order of the request.
void describe_wanted(const Context& context, const wire::MetadataRequest& asked,
                     std::vector<wire::MetadataResponseTopic>& topics) {
  const cluster::MetadataImage& image = *context.image;
  std::set<Uuid> known;
  std::set<Uuid> unknown_ids;
  std::set<std::string_view> unknown_names;
  for (const auto& wanted : *asked.topics) {
    const bool by_name = wanted.name && !is_by_id(wanted);
    const cluster::TopicHandle topic = by_name ? image.topic(*wanted.name) : image.topic(wanted.topic_id);
    if (topic) {
      if (known.insert(topic->id).second) topics.push_back(describe(context, *topic, asked));
    } else if (by_name ? unknown_names.insert(*wanted.name).second
                       : unknown_ids.insert(wanted.topic_id).second) {
      topics.push_back(missing(wanted));
    }
  }
}

// Versions that have ids in the answer, but do not take them in the question.
bool asks_in_vain(const Request& request, const wire::MetadataRequest& asked) {
  if (request.version >= kFirstVersionWithoutNames || !asked.topics) return false;
  return std::ranges::any_of(*asked.topics,
                             [](const auto& wanted) { return is_by_id(wanted) || !wanted.name; });
}

void refuse_metadata(ShardState& shard, const Request& request, const wire::MetadataRequest& asked) {
  wire::MetadataResponse response;
  response.controller_id = -1;
  for (const auto& wanted : *asked.topics) {
    auto& topic = response.topics.emplace_back();
    topic.error_code = wire::ErrorCode::invalid_request;
    topic.name = wanted.name.value_or("");
    topic.topic_id = wanted.topic_id;
  }
  shard.connections.answer(request, response);
}

void answer_metadata(ShardState& shard, const Request& request, const wire::MetadataRequest& asked) {
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
    for (const auto& topic : image.topics) response.topics.push_back(describe(context, *topic, asked));
  } else {
    describe_wanted(context, asked, response.topics);
  }
  if (asked.include_cluster_authorized_operations) {
    response.cluster_authorized_operations = authorized_operations(wire::Resource::cluster);
  }
  shard.connections.answer(request, response);
}

}  // namespace

void serve(ShardState& shard, const Request& request, wire::MetadataRequest&& asked) {
  constexpr std::int16_t kFirstVersionThatChooses = 4;
  if (asks_in_vain(request, asked)) return refuse_metadata(shard, request, asked);
  const bool may_create = request.version < kFirstVersionThatChooses || asked.allow_auto_topic_creation;
  std::vector<std::string> to_create;
  if (may_create && shard.context.options.config.auto_create_topics) {
    to_create = topics_to_create(*shard.context.image, asked);
  }
  // As in Kafka nobody waits for the topics: the answer is what there is, and clients ask again. (Whoever
  // deletes a topic and looks whether it is gone sees that it is.)
  if (!to_create.empty()) {
    ensure_topics(shard.calls, std::move(to_create), [](const cluster::EnsuredTopics&) {});
  }
  answer_metadata(shard, request, asked);
}

namespace {

wire::DescribeTopicPartitionsResponsePartition describe_partition(const Context& context,
                                                                  const cluster::Topic& topic,
                                                                  std::size_t index) {
  const cluster::Partition& partition = topic.partitions[index];
  wire::DescribeTopicPartitionsResponsePartition described;
  described.error_code = partition_error(partition);
  described.partition_index = static_cast<std::int32_t>(index);
  described.leader_id = partition.leader.value;
  described.leader_epoch = partition.leader_epoch.value;
  described.replica_nodes = numbers(partition.replica_ids());
  described.isr_nodes = numbers(partition.isr);
  described.eligible_leader_replicas.emplace();
  described.last_known_elr.emplace();
  described.offline_replicas = offline(context, topic, index);
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

// A cursor is at a partition of a topic that is asked for.
bool is_cursor_valid(const wire::DescribeTopicPartitionsRequest& asked) {
  if (!asked.cursor) return true;
  if (asked.cursor->partition_index < 0) return false;
  return asked.topics.empty() || std::ranges::any_of(asked.topics, [&](const auto& topic) {
           return topic.name == asked.cursor->topic_name;
         });
}

void refuse_partitions(ShardState& shard, const Request& request,
                       const wire::DescribeTopicPartitionsRequest& asked) {
  wire::DescribeTopicPartitionsResponse response;
  for (const auto& wanted : asked.topics) {
    auto& topic = response.topics.emplace_back();
    topic.error_code = wire::ErrorCode::invalid_request;
    topic.name = wanted.name;
  }
  shard.connections.answer(request, response);
}

}  // namespace

void serve(ShardState& shard, const Request& request, wire::DescribeTopicPartitionsRequest&& asked) {
  if (!is_cursor_valid(asked)) return refuse_partitions(shard, request, asked);
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
      item.error_code = error_of_missing(name);
      item.is_internal = cluster::is_internal_topic(name);
      continue;
    }
    item.topic_id = topic->id;
    item.is_internal = topic->is_internal();
    item.topic_authorized_operations = authorized_operations(wire::Resource::topic);
    const bool continued = asked.cursor && asked.cursor->topic_name == name;
    const std::size_t first = continued ? static_cast<std::size_t>(asked.cursor->partition_index) : 0;
    for (std::size_t index = first; index < topic->partitions.size(); ++index) {
      const auto number = static_cast<std::int32_t>(index);
      if (described == limit) {
        response.next_cursor = {.topic_name = name, .partition_index = number};
        return shard.connections.answer(request, response);
      }
      item.partitions.push_back(describe_partition(shard.context, *topic, index));
      ++described;
    }
  }
  shard.connections.answer(request, response);
}

}  // namespace tailwater::node
