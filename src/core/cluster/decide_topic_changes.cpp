// Deleting topics and adding partitions to them.
#include <algorithm>
#include <map>
#include <set>

#include "core/cluster/decide.hpp"
#include "core/cluster/placement.hpp"

namespace tailwater::cluster {

namespace {

using wire::ErrorCode;
using DeletedTopic = wire::DeleteTopicsResponseDeletableTopicResult;
using WantedPartitions = wire::CreatePartitionsRequestCreatePartitionsTopic;

// A topic to delete: by name or by id.
struct Doomed {
  std::optional<std::string> name;
  Uuid id;
};

std::vector<Doomed> doomed_topics(const wire::DeleteTopicsRequest& request) {
  std::vector<Doomed> all;
  for (const auto& topic : request.topics) all.push_back({topic.name, topic.topic_id});
  for (const std::string& name : request.topic_names) all.push_back({name, Uuid{}});
  return all;
}

Refusal find_doomed(const Draft& draft, const Doomed& doomed, TopicHandle& found) {
  if (doomed.name && !doomed.id.is_zero()) {
    return {ErrorCode::invalid_request, "Name the topic or give its id, not both"};
  }
  if (!doomed.name && doomed.id.is_zero()) {
    return {ErrorCode::invalid_request, "Neither a name nor an id of a topic is given"};
  }
  found = doomed.name ? draft.image().topic(*doomed.name) : draft.image().topic(doomed.id);
  if (found != nullptr) return {};
  if (doomed.name) return {ErrorCode::unknown_topic_or_partition, "There is no topic '" + *doomed.name + "'"};
  return {ErrorCode::unknown_topic_id, "There is no topic with the id " + to_string(doomed.id)};
}

// Topics that a request means in both ways.
std::set<Uuid> named_and_given_by_id(const MetadataImage& image, const std::vector<Doomed>& all) {
  std::set<Uuid> given;
  for (const Doomed& doomed : all) {
    if (!doomed.name) given.insert(doomed.id);
  }
  std::set<Uuid> both;
  for (const Doomed& doomed : all) {
    if (!doomed.name || !doomed.id.is_zero()) continue;
    const TopicHandle topic = image.topic(*doomed.name);
    if (topic != nullptr && given.contains(topic->id)) both.insert(topic->id);
  }
  return both;
}

wire::CreatePartitionsResponseCreatePartitionsTopicResult result_of(const std::string& name,
                                                                    Refusal refusal) {
  wire::CreatePartitionsResponseCreatePartitionsTopicResult result;
  result.name = name;
  result.error_code = refusal.code;
  if (refusal) result.error_message = std::move(refusal.message);
  return result;
}

Refusal place_more(Draft& draft, const Topic& topic, const WantedPartitions& wanted,
                   std::vector<std::vector<BrokerId>>& placement) {
  const std::size_t more = static_cast<std::size_t>(wanted.count) - topic.partitions.size();
  const std::size_t replicas = topic.partitions.empty() ? 1 : topic.partitions.front().replicas.size();
  if (!wanted.assignments) {
    auto placed = place_replicas(draft.image(), more, replicas, topic.partitions.size(), draft.random());
    if (!placed) return {ErrorCode::invalid_replication_factor, placed.error().message};
    placement = *std::move(placed);
    return {};
  }
  if (wanted.assignments->size() != more) {
    return {ErrorCode::invalid_replica_assignment,
            std::to_string(more) + " partitions are added, but there are replica assignments for " +
                std::to_string(wanted.assignments->size())};
  }
  for (const auto& assignment : *wanted.assignments) {
    if (Refusal refusal = check_assignment(draft.image(), assignment.broker_ids, replicas)) return refusal;
    auto& chosen = placement.emplace_back();
    for (const std::int32_t broker : assignment.broker_ids) chosen.emplace_back(broker);
  }
  return {};
}

// How many partitions a request adds, as far as it can be followed.
std::int64_t partitions_added(const MetadataImage& image, const wire::CreatePartitionsRequest& request) {
  std::int64_t added = 0;
  for (const WantedPartitions& wanted : request.topics) {
    const TopicHandle topic = image.topic(wanted.name);
    if (topic == nullptr || topic->is_internal()) continue;
    added += std::max<std::int64_t>(wanted.count - static_cast<std::int64_t>(topic->partitions.size()), 0);
  }
  return added;
}

Refusal add_partitions(Draft& draft, const WantedPartitions& wanted, bool validate_only,
                       std::int64_t added_in_all) {
  const TopicHandle topic = draft.image().topic(wanted.name);
  if (topic == nullptr)
    return {ErrorCode::unknown_topic_or_partition, "There is no topic '" + wanted.name + "'"};
  if (topic->is_internal()) {
    return {ErrorCode::invalid_request, "The number of partitions of " + wanted.name +
                                            " cannot change: groups and transactions are spread by it"};
  }
  const auto present = static_cast<std::int64_t>(topic->partitions.size());
  if (wanted.count <= present) {
    return {ErrorCode::invalid_partitions, "Topic '" + wanted.name + "' has " + std::to_string(present) +
                                               " partitions; " + std::to_string(wanted.count) +
                                               " would be no increase"};
  }
  if (added_in_all > kPartitionsPerRequestMax) {
    return {ErrorCode::policy_violation,
            "One request may create at most " + std::to_string(kPartitionsPerRequestMax) + " partitions"};
  }
  std::vector<std::vector<BrokerId>> placement;
  if (Refusal refusal = place_more(draft, *topic, wanted, placement)) return refusal;
  if (!validate_only) {
    draft.propose(new_partition_records(draft, topic->id, static_cast<std::int32_t>(present), placement));
  }
  return {};
}

}  // namespace

wire::DeleteTopicsResponse decide(Draft& draft, const wire::DeleteTopicsRequest& request) {
  const std::vector<Doomed> all = doomed_topics(request);
  std::map<std::pair<std::string, Uuid>, std::size_t> times;
  for (const Doomed& doomed : all) ++times[{doomed.name.value_or(""), doomed.id}];
  const std::set<Uuid> twice = named_and_given_by_id(draft.image(), all);
  wire::DeleteTopicsResponse response;
  std::set<std::pair<std::string, Uuid>> answered;
  std::set<Uuid> refused;
  for (const Doomed& doomed : all) {
    const std::pair key{doomed.name.value_or(""), doomed.id};
    if (!answered.insert(key).second) continue;
    DeletedTopic result;
    result.name = doomed.name;
    result.topic_id = doomed.id;
    TopicHandle topic;
    Refusal refusal;
    if (!draft.config().delete_topic_enable) {
      refusal = {ErrorCode::topic_deletion_disabled,
                 "Topics cannot be deleted here: delete.topic.enable is false"};
    } else if (times[key] > 1) {
      refusal = {ErrorCode::invalid_request, "The request names this topic more than once"};
    } else {
      refusal = find_doomed(draft, doomed, topic);
    }
    if (topic != nullptr) {
      result.name = topic->name;
      result.topic_id = topic->id;
      if (!twice.contains(topic->id)) {
        draft.propose({wire::RemoveTopicRecord{topic->id}});
      } else if (refused.insert(topic->id).second) {
        refusal = {ErrorCode::invalid_request, "The request names this topic and gives its id, too"};
      } else {
        continue;  // it is answered already
      }
    }
    result.error_code = refusal.code;
    if (refusal) result.error_message = std::move(refusal.message);
    response.responses.push_back(std::move(result));
  }
  return response;
}

wire::CreatePartitionsResponse decide(Draft& draft, const wire::CreatePartitionsRequest& request) {
  std::map<std::string_view, std::size_t> times;
  for (const WantedPartitions& wanted : request.topics) ++times[wanted.name];
  const std::int64_t added = partitions_added(draft.image(), request);
  wire::CreatePartitionsResponse response;
  std::set<std::string_view> answered;
  for (const WantedPartitions& wanted : request.topics) {
    if (!answered.insert(wanted.name).second) continue;
    Refusal refusal = times[wanted.name] > 1
                          ? Refusal{ErrorCode::invalid_request,
                                    "The request names the topic '" + wanted.name + "' more than once"}
                          : add_partitions(draft, wanted, request.validate_only, added);
    response.results.push_back(result_of(wanted.name, std::move(refusal)));
  }
  return response;
}

}  // namespace tailwater::cluster
