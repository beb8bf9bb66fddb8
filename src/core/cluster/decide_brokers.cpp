// Brokers coming and going, and leaders of partitions.
#include <algorithm>
#include <set>

#include "core/cluster/decide.hpp"

namespace tailwater::cluster {

namespace {

using wire::ErrorCode;

constexpr std::int8_t kPreferred = 0;
constexpr std::int8_t kUnclean = 1;

std::vector<std::int32_t> numbers(const BrokerIds& ids) {
  std::vector<std::int32_t> all;
  for (const BrokerId id : ids) all.push_back(id.value);
  return all;
}

bool same_as_registered(const Registration& registration, const Broker& broker) {
  return broker.epoch == registration.epoch && broker.incarnation == registration.incarnation &&
         broker.rack == registration.rack && broker.endpoints == registration.endpoints &&
         broker.log_dirs == registration.log_dirs && !broker.fenced && !broker.in_controlled_shutdown;
}

wire::RegisterBrokerRecord register_record(const Registration& registration) {
  wire::RegisterBrokerRecord record;
  record.broker_id = registration.broker.value;
  record.incarnation_id = registration.incarnation;
  record.broker_epoch = registration.epoch;
  for (const Endpoint& endpoint : registration.endpoints) {
    record.end_points.push_back(
        {endpoint.listener, endpoint.host, endpoint.port, endpoint.security_protocol});
  }
  record.rack = registration.rack;
  record.fenced = false;
  record.log_dirs = registration.log_dirs;
  return record;
}

// The best leader: the first live replica in sync; without one, and if the topic allows it, the first live
// replica.
BrokerId choose_leader(const MetadataImage& image, const Partition& partition, bool unclean) {
  for (const Replica& replica : partition.replicas) {
    if (image.is_alive(replica.broker) && partition.isr.contains(replica.broker)) return replica.broker;
  }
  for (const Replica& replica : partition.replicas) {
    if (unclean && image.is_alive(replica.broker)) return replica.broker;
  }
  return kNoBroker;
}

wire::PartitionChangeRecord change_of(const Topic& topic, std::size_t index) {
  wire::PartitionChangeRecord change;
  change.partition_id = static_cast<std::int32_t>(index);
  change.topic_id = topic.id;
  return change;
}

// What has to change in a partition because brokers came or went; nullopt: nothing.
std::optional<wire::PartitionChangeRecord> follow_brokers(const Draft& draft, const Topic& topic,
                                                          std::size_t index) {
  const MetadataImage& image = draft.image();
  const Partition& partition = topic.partitions[index];
  wire::PartitionChangeRecord change = change_of(topic, index);
  const bool leader_alive = partition.leader != kNoBroker && image.is_alive(partition.leader);
  BrokerIds isr;
  for (const BrokerId id : partition.isr) {
    if (image.is_alive(id)) isr.push_back(id);
  }
  if (!leader_alive) {
    const bool unclean = effective_topic_config(topic.configs, draft.config()).unclean_leader_election;
    const BrokerId leader = choose_leader(image, partition, unclean);
    if (leader != partition.leader) change.leader = leader.value;
    if (leader != kNoBroker && !isr.contains(leader)) isr = BrokerIds{leader};
  }
  // The last ones in sync stay: they are who may lead again.
  if (!isr.empty() && isr != partition.isr) change.isr = numbers(isr);
  if (change == change_of(topic, index)) return std::nullopt;
  return change;
}

void follow_brokers(Draft& draft) {
  std::vector<Record> records;
  for (const TopicHandle& topic : draft.image().topics) {
    for (std::size_t index = 0; index < topic->partitions.size(); ++index) {
      if (auto change = follow_brokers(draft, *topic, index)) records.emplace_back(*std::move(change));
    }
  }
  draft.propose(records);
}

// --- elections

Refusal elect(Draft& draft, const Topic& topic, std::size_t index, std::int8_t type,
              std::vector<Record>& records) {
  const MetadataImage& image = draft.image();
  const Partition& partition = topic.partitions[index];
  const bool led = partition.leader != kNoBroker && image.is_alive(partition.leader);
  wire::PartitionChangeRecord change = change_of(topic, index);
  if (type == kPreferred) {
    const BrokerId preferred = partition.replicas.empty() ? kNoBroker : partition.replicas.front().broker;
    if (led && partition.leader == preferred) {
      return {ErrorCode::election_not_needed, "The preferred replica leads already"};
    }
    if (!image.is_alive(preferred) || !partition.isr.contains(preferred)) {
      return {ErrorCode::preferred_leader_not_available,
              "The preferred replica is not available or not in sync"};
    }
    change.leader = preferred.value;
  } else {
    if (led) return {ErrorCode::election_not_needed, "The partition has a leader"};
    const BrokerId leader = choose_leader(image, partition, true);
    if (leader == kNoBroker) return {ErrorCode::eligible_leaders_not_available, "No replica is available"};
    change.leader = leader.value;
    if (!partition.isr.contains(leader)) change.isr = std::vector<std::int32_t>{leader.value};
  }
  records.emplace_back(std::move(change));
  return {};
}

wire::ElectLeadersResponsePartitionResult result_of(std::int32_t partition, Refusal refusal) {
  wire::ElectLeadersResponsePartitionResult result;
  result.partition_id = partition;
  result.error_code = refusal.code;
  if (refusal) result.error_message = std::move(refusal.message);
  return result;
}

void elect_everywhere(Draft& draft, std::int8_t type, std::vector<Record>& records,
                      wire::ElectLeadersResponse& response) {
  for (const TopicHandle& topic : draft.image().topics) {
    wire::ElectLeadersResponseReplicaElectionResult results{topic->name, {}};
    for (std::size_t index = 0; index < topic->partitions.size(); ++index) {
      Refusal refusal = elect(draft, *topic, index, type, records);
      // Nobody named this partition: that it needs nothing is no news.
      if (refusal.code == ErrorCode::election_not_needed) continue;
      results.partition_result.push_back(result_of(static_cast<std::int32_t>(index), std::move(refusal)));
    }
    if (!results.partition_result.empty()) response.replica_election_results.push_back(std::move(results));
  }
}

}  // namespace

wire::ElectLeadersResponse decide(Draft& draft, const wire::ElectLeadersRequest& request) {
  wire::ElectLeadersResponse response;
  if (request.election_type != kPreferred && request.election_type != kUnclean) {
    response.error_code = ErrorCode::invalid_request;
    return response;
  }
  std::vector<Record> records;
  if (!request.topic_partitions) {
    elect_everywhere(draft, request.election_type, records, response);
    draft.propose(records);
    return response;
  }
  std::set<std::pair<std::string_view, std::int32_t>> answered;
  for (const auto& wanted : *request.topic_partitions) {
    const TopicHandle topic = draft.image().topic(wanted.topic);
    auto& results = response.replica_election_results.emplace_back();
    results.topic = wanted.topic;
    for (const std::int32_t index : wanted.partitions) {
      if (!answered.emplace(wanted.topic, index).second) continue;
      Refusal refusal;
      if (topic == nullptr || topic->partition(PartitionId{index}) == nullptr) {
        refusal = {ErrorCode::unknown_topic_or_partition,
                   "There is no partition " + std::to_string(index) + " of topic '" + wanted.topic + "'"};
      } else {
        refusal = elect(draft, *topic, static_cast<std::size_t>(index), request.election_type, records);
      }
      results.partition_result.push_back(result_of(index, std::move(refusal)));
    }
  }
  draft.propose(records);
  return response;
}

ProducerIdBlock decide_producer_ids(Draft& draft, BrokerId broker) {
  const std::int64_t first = draft.image().next_producer_id;
  if (first > INT64_MAX - kProducerIdBlock) {
    return {static_cast<std::int16_t>(ErrorCode::unknown_server_error), -1, 0};
  }
  wire::ProducerIdsRecord record;
  record.broker_id = broker.value;
  const BrokerHandle registered = draft.image().broker(broker);
  record.broker_epoch = registered != nullptr ? registered->epoch : -1;
  record.next_producer_id = first + kProducerIdBlock;
  draft.propose({record});
  return {0, first, kProducerIdBlock};
}

void decide_brokers(Draft& draft, const std::vector<Registration>& registrations) {
  const std::vector<BrokerId> alive_before = draft.image().alive_brokers();
  std::vector<Record> records;
  std::set<BrokerId> present;
  for (const Registration& registration : registrations) {
    present.insert(registration.broker);
    const BrokerHandle known = draft.image().broker(registration.broker);
    if (known == nullptr || !same_as_registered(registration, *known)) {
      records.emplace_back(register_record(registration));
    }
  }
  for (const auto& [id, broker] : draft.image().brokers) {
    if (!broker->fenced && !present.contains(id)) {
      records.emplace_back(wire::FenceBrokerRecord{id.value, broker->epoch});
    }
  }
  draft.propose(records);
  if (draft.image().alive_brokers() != alive_before) follow_brokers(draft);
}

}  // namespace tailwater::cluster
