// Which replicas a partition has and which of them are in sync: changes of the set in sync that leaders
// propose, and reassignments that operators ask for.
//
// A reassignment begins with all replicas, those of the target first in its order, then those that are to go.
// It ends as soon as every new one is in sync: then those that are to go are dropped, and if the leader is
// among them, another one that is in sync takes over.
#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "core/cluster/decide.hpp"
#include "core/cluster/image_editor.hpp"
#include "core/cluster/placement.hpp"

namespace tailwater::cluster {

namespace {

using wire::ErrorCode;
using ProposedIsr = wire::AlterPartitionRequestPartitionData;

std::vector<std::int32_t> numbers_of(const BrokerIds& ids) {
  std::vector<std::int32_t> all;
  for (const BrokerId id : ids) all.push_back(id.value);
  return all;
}

std::vector<std::int32_t> without(const std::vector<std::int32_t>& all,
                                  const std::vector<std::int32_t>& gone) {
  std::vector<std::int32_t> left;
  for (const std::int32_t id : all) {
    if (std::ranges::find(gone, id) == gone.end()) left.push_back(id);
  }
  return left;
}

bool contains_all(const std::vector<std::int32_t>& all, const std::vector<std::int32_t>& wanted) {
  return std::ranges::all_of(wanted,
                             [&](std::int32_t id) { return std::ranges::find(all, id) != all.end(); });
}

// The first of the replicas that is alive and in sync.
std::int32_t leader_among(const MetadataImage& image, const std::vector<std::int32_t>& replicas,
                          const std::vector<std::int32_t>& isr) {
  for (const std::int32_t id : replicas) {
    if (image.is_alive(BrokerId{id}) && std::ranges::find(isr, id) != isr.end()) return id;
  }
  return kNoBroker.value;
}

// Turns a change into the one that also ends the reassignment, if it has come so far.
void end_reassignment(const MetadataImage& image, const Partition& before,
                      wire::PartitionChangeRecord& change) {
  const Partition after = changed_partition(before, change);
  if (after.adding.empty() && after.removing.empty()) return;
  const std::vector<std::int32_t> removing = numbers_of(after.removing);
  const std::vector<std::int32_t> target = without(numbers_of(after.replica_ids()), removing);
  const std::vector<std::int32_t> isr = without(numbers_of(after.isr), removing);
  if (isr.empty() || !contains_all(isr, numbers_of(after.adding))) return;
  std::int32_t leader = after.leader.value;
  if (std::ranges::find(target, leader) == target.end()) leader = leader_among(image, target, isr);
  if (leader == kNoBroker.value) return;
  change.replicas = target;
  change.directories.reset();
  change.isr = isr;
  change.adding_replicas.emplace();
  change.removing_replicas.emplace();
  // A dropped replica must not be taken for one in sync by a leader of this epoch: the epoch is raised.
  if (!removing.empty()) change.leader = leader;
}

wire::PartitionChangeRecord change_of(const Topic& topic, std::int32_t index) {
  wire::PartitionChangeRecord change;
  change.partition_id = index;
  change.topic_id = topic.id;
  return change;
}

// --- the set in sync

Refusal check_isr(const MetadataImage& image, BrokerId leader, const Partition& partition,
                  const ProposedIsr& proposed, std::vector<std::int32_t>& isr) {
  if (proposed.leader_epoch > partition.leader_epoch.value ||
      proposed.partition_epoch > partition.partition_epoch) {
    return {ErrorCode::not_controller, {}};
  }
  if (proposed.leader_epoch < partition.leader_epoch.value) return {ErrorCode::fenced_leader_epoch, {}};
  if (leader != partition.leader) return {ErrorCode::invalid_request, {}};
  if (proposed.partition_epoch < partition.partition_epoch) return {ErrorCode::invalid_update_version, {}};
  isr = proposed.new_isr;
  for (const auto& state : proposed.new_isr_with_epochs) isr.push_back(state.broker_id);
  if (std::ranges::find(isr, leader.value) == isr.end() ||
      std::set(isr.begin(), isr.end()).size() != isr.size() ||
      !contains_all(numbers_of(partition.replica_ids()), isr) || proposed.leader_recovery_state != 0) {
    return {ErrorCode::invalid_request, {}};
  }
  for (const std::int32_t id : isr) {
    const BrokerHandle broker = image.broker(BrokerId{id});
    if (broker == nullptr || broker->fenced || (broker->in_controlled_shutdown && BrokerId{id} != leader)) {
      return {ErrorCode::ineligible_replica, {}};
    }
  }
  for (const auto& state : proposed.new_isr_with_epochs) {
    // -1: the leader does not know the epoch.
    if (state.broker_epoch != -1 && image.broker(BrokerId{state.broker_id})->epoch != state.broker_epoch) {
      return {ErrorCode::ineligible_replica, {}};
    }
  }
  return {};
}

wire::AlterPartitionResponsePartitionData alter(Draft& draft, BrokerId leader, const TopicHandle& topic,
                                                const ProposedIsr& proposed) {
  wire::AlterPartitionResponsePartitionData result;
  result.partition_index = proposed.partition_index;
  if (topic == nullptr) {
    result.error_code = ErrorCode::unknown_topic_id;
    return result;
  }
  const Partition* partition = topic->partition(PartitionId{proposed.partition_index});
  if (partition == nullptr) {
    result.error_code = ErrorCode::unknown_topic_or_partition;
    return result;
  }
  std::vector<std::int32_t> isr;
  if (const Refusal refusal = check_isr(draft.image(), leader, *partition, proposed, isr)) {
    result.error_code = refusal.code;
    return result;
  }
  wire::PartitionChangeRecord change = change_of(*topic, proposed.partition_index);
  if (isr != numbers_of(partition->isr)) change.isr = isr;
  end_reassignment(draft.image(), *partition, change);
  const Partition after = change == change_of(*topic, proposed.partition_index)
                              ? *partition
                              : changed_partition(*partition, change);
  if (after != *partition) draft.propose({change});
  // The old leader has nothing more to do with the partition; it waits for the new image.
  if (after.leader != leader) {
    result.error_code = ErrorCode::new_leader_elected;
    return result;
  }
  result.leader_id = after.leader.value;
  result.leader_epoch = after.leader_epoch.value;
  result.isr = numbers_of(after.isr);
  result.partition_epoch = after.partition_epoch;
  return result;
}

// --- reassignments

// Goes back to the replicas of before.
Refusal cancel(const MetadataImage& image, const Partition& partition, wire::PartitionChangeRecord& change) {
  if (partition.adding.empty() && partition.removing.empty()) {
    return {ErrorCode::no_reassignment_in_progress, "No reassignment of this partition is under way"};
  }
  const std::vector<std::int32_t> adding = numbers_of(partition.adding);
  const std::vector<std::int32_t> replicas = without(numbers_of(partition.replica_ids()), adding);
  const std::vector<std::int32_t> isr = without(numbers_of(partition.isr), adding);
  if (isr.empty()) {
    return {ErrorCode::invalid_replica_assignment,
            "The reassignment cannot be given up: none of the former replicas is in sync"};
  }
  change.replicas = replicas;
  change.isr = isr;
  change.adding_replicas.emplace();
  change.removing_replicas.emplace();
  const bool leader_stays = std::ranges::find(replicas, partition.leader.value) != replicas.end();
  change.leader = leader_stays ? partition.leader.value : leader_among(image, replicas, isr);
  return {};
}

// Records that begin the reassignment, or end it at once where nothing new has to be fetched.
Refusal begin(const Draft& draft, const Topic& topic, std::int32_t index,
              const std::vector<std::int32_t>& target, bool may_change_count, std::vector<Record>& records) {
  const MetadataImage& image = draft.image();
  const Partition& partition = topic.partitions[static_cast<std::size_t>(index)];
  if (Refusal refusal = check_assignment(image, target, 0)) return refusal;
  const std::vector<std::int32_t> present = numbers_of(partition.replica_ids());
  const std::vector<std::int32_t> settled = without(present, numbers_of(partition.adding));
  if (!may_change_count && target.size() != settled.size()) {
    return {ErrorCode::invalid_replication_factor,
            "The reassignment would change the number of replicas from " + std::to_string(settled.size()) +
                " to " + std::to_string(target.size())};
  }
  if (target == present && partition.adding.empty() && partition.removing.empty()) return {};
  wire::PartitionChangeRecord change = change_of(topic, index);
  const std::vector<std::int32_t> removing = without(present, target);
  change.replicas = target;
  change.replicas->insert(change.replicas->end(), removing.begin(), removing.end());
  change.adding_replicas = without(target, settled);
  change.removing_replicas = removing;
  DirectoryChooser directories(image, draft.self(), draft.config());
  auto& chosen = change.directories.emplace();
  ReplicaLogsRecord logs{topic.id, index, {}};
  std::uint64_t next_log = image.next_log_id;
  for (const std::int32_t id : *change.replicas) {
    const bool is_new = std::ranges::find(present, id) == present.end();
    chosen.push_back(is_new ? directories.choose(BrokerId{id}) : Uuid{});
    logs.logs.push_back(is_new ? next_log++ : 0);
  }
  const bool any_new = next_log != image.next_log_id;
  if (!any_new) end_reassignment(image, partition, change);
  records.emplace_back(std::move(change));
  if (any_new) records.emplace_back(std::move(logs));
  return {};
}

Refusal reassign(Draft& draft, const TopicHandle& topic,
                 const wire::AlterPartitionReassignmentsRequestReassignablePartition& wanted,
                 bool may_change_count) {
  const Partition* partition =
      topic == nullptr ? nullptr : topic->partition(PartitionId{wanted.partition_index});
  if (partition == nullptr) return {ErrorCode::unknown_topic_or_partition, "There is no such partition"};
  std::vector<Record> records;
  Refusal refusal;
  if (wanted.replicas) {
    refusal = begin(draft, *topic, wanted.partition_index, *wanted.replicas, may_change_count, records);
  } else {
    wire::PartitionChangeRecord change = change_of(*topic, wanted.partition_index);
    refusal = cancel(draft.image(), *partition, change);
    records.emplace_back(std::move(change));
  }
  if (!refusal) draft.propose(records);
  return refusal;
}

void list_partition(const Topic& topic, std::size_t index,
                    wire::ListPartitionReassignmentsResponseOngoingTopicReassignment& ongoing) {
  const Partition& partition = topic.partitions[index];
  if (partition.adding.empty() && partition.removing.empty()) return;
  auto& found = ongoing.partitions.emplace_back();
  found.partition_index = static_cast<std::int32_t>(index);
  found.replicas = numbers_of(partition.replica_ids());
  found.adding_replicas = numbers_of(partition.adding);
  found.removing_replicas = numbers_of(partition.removing);
}

}  // namespace

wire::AlterPartitionResponse decide(Draft& draft, const wire::AlterPartitionRequest& request) {
  wire::AlterPartitionResponse response;
  const BrokerId leader{request.broker_id};
  const BrokerHandle broker = draft.image().broker(leader);
  if (broker == nullptr || broker->epoch != request.broker_epoch) {
    response.error_code = ErrorCode::stale_broker_epoch;
    return response;
  }
  for (const auto& wanted : request.topics) {
    auto& result = response.topics.emplace_back();
    result.topic_id = wanted.topic_id;
    for (const ProposedIsr& proposed : wanted.partitions) {
      result.partitions.push_back(alter(draft, leader, draft.image().topic(wanted.topic_id), proposed));
    }
  }
  return response;
}

wire::AlterPartitionReassignmentsResponse decide(Draft& draft,
                                                 const wire::AlterPartitionReassignmentsRequest& request) {
  wire::AlterPartitionReassignmentsResponse response;
  response.allow_replication_factor_change = request.allow_replication_factor_change;
  for (const auto& wanted : request.topics) {
    auto& result = response.responses.emplace_back();
    result.name = wanted.name;
    for (const auto& partition : wanted.partitions) {
      Refusal refusal = reassign(draft, draft.image().topic(wanted.name), partition,
                                 request.allow_replication_factor_change);
      auto& item = result.partitions.emplace_back();
      item.partition_index = partition.partition_index;
      item.error_code = refusal.code;
      if (refusal) item.error_message = std::move(refusal.message);
    }
  }
  return response;
}

wire::ListPartitionReassignmentsResponse list_reassignments(
    const MetadataImage& image, const wire::ListPartitionReassignmentsRequest& request) {
  wire::ListPartitionReassignmentsResponse response;
  const auto add = [&](const Topic& topic, const std::set<std::int32_t>* indexes) {
    wire::ListPartitionReassignmentsResponseOngoingTopicReassignment ongoing{topic.name, {}};
    for (std::size_t index = 0; index < topic.partitions.size(); ++index) {
      const bool wanted = indexes == nullptr || indexes->contains(static_cast<std::int32_t>(index));
      if (wanted) list_partition(topic, index, ongoing);
    }
    if (!ongoing.partitions.empty()) response.topics.push_back(std::move(ongoing));
  };
  if (!request.topics) {
    for (const TopicHandle& topic : image.topics) add(*topic, nullptr);
    return response;
  }
  std::map<std::string_view, std::set<std::int32_t>> wanted;
  for (const auto& topic : *request.topics) {
    wanted[topic.name].insert(topic.partition_indexes.begin(), topic.partition_indexes.end());
  }
  for (const auto& [name, indexes] : wanted) {
    if (const TopicHandle topic = image.topic(name)) add(*topic, &indexes);
  }
  return response;
}

}  // namespace tailwater::cluster
