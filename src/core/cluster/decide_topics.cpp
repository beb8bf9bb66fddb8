// Creating topics, as asked for and by need.
#include <algorithm>
#include <map>
#include <set>

#include "core/cluster/decide.hpp"
#include "core/cluster/placement.hpp"
#include "core/cluster/topic_name.hpp"

namespace tailwater::cluster {

namespace {

using wire::ErrorCode;
using WantedTopic = wire::CreateTopicsRequestCreatableTopic;
using TopicResult = wire::CreateTopicsResponseCreatableTopicResult;

// Of Kafka's own metadata log; its tools would take a topic of this name for that.
constexpr std::string_view kReservedTopic = "__cluster_metadata";

struct NewTopic {
  std::string name;
  std::vector<std::vector<BrokerId>> placement;
  ConfigValues configs;

  std::size_t replication_factor() const { return placement.empty() ? 0 : placement.front().size(); }
};

Refusal check_name(const MetadataImage& image, const std::string& name) {
  if (auto error = topic_name_error(name)) return {ErrorCode::invalid_topic_exception, *std::move(error)};
  if (name == kReservedTopic) return {ErrorCode::invalid_request, "The name " + name + " is reserved"};
  if (image.topic(name) != nullptr)
    return {ErrorCode::topic_already_exists, "Topic '" + name + "' already exists."};
  if (const TopicHandle other = colliding_topic(image, name)) {
    return {ErrorCode::invalid_topic_exception,
            "Topic '" + name + "' differs from the existing topic '" + other->name + "' only in '.' and '_'"};
  }
  return {};
}

Refusal take_configs(const WantedTopic& wanted, const BrokerConfig& broker, ConfigValues& configs) {
  for (const auto& config : wanted.configs) {
    if (!config.value)
      return {ErrorCode::invalid_config, "The configuration " + config.name + " needs a value"};
    configs[config.name] = *config.value;
  }
  return check_topic_configs(configs, broker);
}

Refusal take_assignments(const MetadataImage& image, const WantedTopic& wanted,
                         std::vector<std::vector<BrokerId>>& placement) {
  if (wanted.replication_factor != -1) {
    return {ErrorCode::invalid_request, "With replica assignments the replication factor must be -1"};
  }
  if (wanted.num_partitions != -1) {
    return {ErrorCode::invalid_request, "With replica assignments the number of partitions must be -1"};
  }
  std::map<std::int32_t, const std::vector<std::int32_t>*> by_partition;
  for (const auto& assignment : wanted.assignments) {
    if (!by_partition.emplace(assignment.partition_index, &assignment.broker_ids).second) {
      return {ErrorCode::invalid_replica_assignment, "Partition " +
                                                         std::to_string(assignment.partition_index) +
                                                         " has more than one replica assignment"};
    }
  }
  std::int32_t expected = 0;
  for (const auto& [partition, brokers] : by_partition) {
    if (partition != expected++) {
      return {ErrorCode::invalid_replica_assignment,
              "Replica assignments must be for partitions 0, 1, 2 and so on without a gap"};
    }
    const std::size_t replicas = placement.empty() ? 0 : placement.front().size();
    if (Refusal refusal = check_assignment(image, *brokers, replicas)) return refusal;
    auto& chosen = placement.emplace_back();
    for (const std::int32_t broker : *brokers) chosen.emplace_back(broker);
  }
  return {};
}

Refusal place(Draft& draft, const WantedTopic& wanted, std::vector<std::vector<BrokerId>>& placement) {
  if (!wanted.assignments.empty()) return take_assignments(draft.image(), wanted, placement);
  if (wanted.num_partitions < 1 && wanted.num_partitions != -1) {
    return {ErrorCode::invalid_partitions,
            "The number of partitions must be 1 or more, or -1 for the broker's default"};
  }
  if (wanted.replication_factor < 1 && wanted.replication_factor != -1) {
    return {ErrorCode::invalid_replication_factor,
            "The replication factor must be 1 or more, or -1 for the broker's default"};
  }
  const std::int32_t partitions =
      wanted.num_partitions == -1 ? draft.config().num_partitions : wanted.num_partitions;
  const std::int32_t replicas =
      wanted.replication_factor == -1 ? draft.config().default_replication_factor : wanted.replication_factor;
  auto placed = place_replicas(draft.image(), static_cast<std::size_t>(partitions),
                               static_cast<std::size_t>(replicas), 0, draft.random());
  if (!placed) return {ErrorCode::invalid_replication_factor, placed.error().message};
  placement = *std::move(placed);
  return {};
}

void propose_topic(Draft& draft, const NewTopic& topic, const Uuid& id) {
  std::vector<Record> records{wire::TopicRecord{topic.name, id}};
  for (const auto& [name, value] : topic.configs) {
    records.emplace_back(
        wire::ConfigRecord{static_cast<std::int8_t>(ResourceType::topic), topic.name, name, value});
  }
  std::ranges::move(new_partition_records(draft, id, 0, topic.placement), std::back_inserter(records));
  draft.propose(records);
}

Uuid new_topic_id(Draft& draft) {
  while (true) {
    const Uuid id = draft.random().uuid();
    if (draft.image().topic(id) == nullptr) return id;
  }
}

TopicResult granted(const Draft& draft, const NewTopic& topic, const Uuid& id) {
  TopicResult result;
  result.name = topic.name;
  result.topic_id = id;
  result.num_partitions = static_cast<std::int32_t>(topic.placement.size());
  result.replication_factor = static_cast<std::int16_t>(topic.replication_factor());
  auto& configs = result.configs.emplace();
  for (DescribedValue& value :
       describe_topic_values(topic.configs, draft.from_file(), draft.image(), draft.self())) {
    configs.push_back({std::move(value.name), std::move(value.value), value.read_only,
                       static_cast<std::int8_t>(value.source), value.sensitive});
  }
  return result;
}

// A topic's configuration takes a few hundred times the memory of the request for it. Beyond as many as Kafka
// creates at once the answer says that it is not told.
constexpr std::size_t kDescribedTopicsMax = 10'000;

void leave_out_configs(TopicResult& result) {
  if (result.error_code != ErrorCode::none) return;
  result.configs.reset();
  result.topic_config_error_code = ErrorCode::policy_violation;
}

TopicResult refused(const std::string& name, Refusal refusal) {
  TopicResult result;
  result.name = name;
  result.error_code = refusal.code;
  result.error_message = std::move(refusal.message);
  result.configs.emplace();
  return result;
}

TopicResult create(Draft& draft, const WantedTopic& wanted, bool validate_only) {
  NewTopic topic{wanted.name, {}, {}};
  if (Refusal refusal = check_name(draft.image(), wanted.name))
    return refused(wanted.name, std::move(refusal));
  if (Refusal refusal = take_configs(wanted, draft.config(), topic.configs)) {
    return refused(wanted.name, std::move(refusal));
  }
  if (Refusal refusal = place(draft, wanted, topic.placement))
    return refused(wanted.name, std::move(refusal));
  if (validate_only) return granted(draft, topic, Uuid{});
  const Uuid id = new_topic_id(draft);
  propose_topic(draft, topic, id);
  return granted(draft, topic, id);
}

// What a topic asks for, in partitions, as far as the request itself says.
std::int64_t partitions_asked(const Draft& draft, const WantedTopic& wanted) {
  if (!wanted.assignments.empty()) return static_cast<std::int64_t>(wanted.assignments.size());
  return wanted.num_partitions == -1 ? draft.config().num_partitions : std::max(wanted.num_partitions, 0);
}

// --- by need

std::int16_t clamped_replicas(const Draft& draft, std::int32_t wished) {
  const auto alive =
      static_cast<std::int32_t>(std::max<std::size_t>(draft.image().alive_brokers().size(), 1));
  return static_cast<std::int16_t>(std::min(wished, alive));
}

WantedTopic wanted_by_need(const Draft& draft, const std::string& name) {
  const BrokerConfig& config = draft.config();
  WantedTopic wanted;
  wanted.name = name;
  wanted.num_partitions = -1;
  wanted.replication_factor = -1;
  if (name == kOffsetsTopic) {
    wanted.num_partitions = config.offsets_topic_partitions;
    wanted.replication_factor = clamped_replicas(draft, config.offsets_topic_replication_factor);
    wanted.configs = {{"cleanup.policy", "compact"},
                      {"compression.type", "producer"},
                      {"segment.bytes", std::to_string(config.offsets_topic_segment_bytes)}};
  } else if (name == kTransactionTopic) {
    wanted.num_partitions = config.transaction_topic_partitions;
    wanted.replication_factor = clamped_replicas(draft, config.transaction_topic_replication_factor);
    const std::int32_t min_isr =
        std::min<std::int32_t>(config.transaction_topic_min_isr, wanted.replication_factor);
    wanted.configs = {{"cleanup.policy", "compact"},
                      {"compression.type", "uncompressed"},
                      {"min.insync.replicas", std::to_string(min_isr)},
                      {"segment.bytes", std::to_string(config.transaction_topic_segment_bytes)},
                      {"unclean.leader.election.enable", "false"}};
  }
  return wanted;
}

}  // namespace

wire::CreateTopicsResponse decide(Draft& draft, const wire::CreateTopicsRequest& request) {
  std::map<std::string_view, std::size_t> times;
  std::int64_t partitions = 0;
  for (const WantedTopic& wanted : request.topics) {
    ++times[wanted.name];
    partitions += partitions_asked(draft, wanted);
  }
  wire::CreateTopicsResponse response;
  std::set<std::string_view> answered;
  for (const WantedTopic& wanted : request.topics) {
    if (!answered.insert(wanted.name).second) continue;
    if (times[wanted.name] > 1) {
      response.topics.push_back(refused(
          wanted.name,
          {ErrorCode::invalid_request, "The request names the topic '" + wanted.name + "' more than once"}));
    } else if (partitions > kPartitionsPerRequestMax) {
      response.topics.push_back(refused(
          wanted.name,
          {ErrorCode::policy_violation,
           "One request may create at most " + std::to_string(kPartitionsPerRequestMax) + " partitions"}));
    } else {
      response.topics.push_back(create(draft, wanted, request.validate_only));
      if (response.topics.size() > kDescribedTopicsMax) leave_out_configs(response.topics.back());
    }
  }
  return response;
}

EnsuredTopics decide_ensure_topics(Draft& draft, const std::vector<std::string>& names) {
  EnsuredTopics ensured;
  for (const std::string& name : names) {
    EnsuredTopics::Item item{name, 0, {}};
    if (draft.image().topic(name) == nullptr) {
      TopicResult result = create(draft, wanted_by_need(draft, name), false);
      item.error_code = static_cast<std::int16_t>(result.error_code);
      item.message = result.error_message.value_or("");
    }
    ensured.topics.push_back(std::move(item));
  }
  return ensured;
}

std::vector<Record> new_partition_records(const Draft& draft, const Uuid& topic, std::int32_t first,
                                          const std::vector<std::vector<BrokerId>>& placement) {
  constexpr std::size_t kLogsPerRecord = 4096;
  const MetadataImage& image = draft.image();
  DirectoryChooser directories(image, draft.self(), draft.config());
  std::uint64_t next_log = image.next_log_id;
  std::vector<Record> records;
  ReplicaLogsRecord logs{topic, first, {}};
  for (std::size_t at = 0; at < placement.size(); ++at) {
    wire::PartitionRecord record;
    record.partition_id = first + static_cast<std::int32_t>(at);
    record.topic_id = topic;
    for (const BrokerId broker : placement[at]) {
      record.replicas.push_back(broker.value);
      record.directories.push_back(directories.choose(broker));
      if (image.is_alive(broker)) record.isr.push_back(broker.value);
      logs.logs.push_back(next_log++);
    }
    record.leader = record.isr.empty() ? kNoBroker.value : record.isr.front();
    record.leader_epoch = 0;
    record.partition_epoch = 0;
    records.emplace_back(std::move(record));
    if (logs.logs.size() >= kLogsPerRecord || at + 1 == placement.size()) {
      const std::int32_t following = first + static_cast<std::int32_t>(at) + 1;
      records.emplace_back(std::exchange(logs, ReplicaLogsRecord{topic, following, {}}));
    }
  }
  return records;
}

Refusal check_assignment(const MetadataImage& image, const std::vector<std::int32_t>& brokers,
                         std::size_t expected) {
  if (brokers.empty()) {
    return {ErrorCode::invalid_replica_assignment, "A replica assignment must name at least one broker"};
  }
  std::set<std::int32_t> seen;
  bool any_alive = false;
  for (const std::int32_t broker : brokers) {
    if (!seen.insert(broker).second) {
      return {ErrorCode::invalid_replica_assignment,
              "A replica assignment names broker " + std::to_string(broker) + " more than once"};
    }
    if (image.broker(BrokerId{broker}) == nullptr) {
      return {ErrorCode::invalid_replica_assignment,
              "A replica assignment names broker " + std::to_string(broker) + ", which is not registered"};
    }
    any_alive |= image.is_alive(BrokerId{broker});
  }
  if (expected != 0 && brokers.size() != expected) {
    return {ErrorCode::invalid_replica_assignment,
            "All partitions of a topic have the same number of replicas; got " +
                std::to_string(brokers.size()) + " instead of " + std::to_string(expected)};
  }
  if (!any_alive) {
    return {ErrorCode::invalid_replica_assignment, "A replica assignment names no broker that is available"};
  }
  return {};
}

}  // namespace tailwater::cluster
