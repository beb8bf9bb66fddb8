// The decisions of the controller, one function for each kind of request: they check it against the draft,
// propose records for what is granted, and answer item by item. Nothing here knows of stores or waiting. A
// request that only validates proposes nothing.
#pragma once

#include <string>
#include <vector>

#include "core/cluster/controller.hpp"
#include "core/cluster/draft.hpp"

namespace tailwater::cluster {

// So many partitions may one request create.
inline constexpr std::int64_t kPartitionsPerRequestMax = 100'000;
inline constexpr std::int32_t kProducerIdBlock = 1000;

wire::CreateTopicsResponse decide(Draft& draft, const wire::CreateTopicsRequest& request);
EnsuredTopics decide_ensure_topics(Draft& draft, const std::vector<std::string>& names);
wire::DeleteTopicsResponse decide(Draft& draft, const wire::DeleteTopicsRequest& request);
wire::CreatePartitionsResponse decide(Draft& draft, const wire::CreatePartitionsRequest& request);
wire::AlterConfigsResponse decide(Draft& draft, const wire::AlterConfigsRequest& request);
wire::IncrementalAlterConfigsResponse decide(Draft& draft,
                                             const wire::IncrementalAlterConfigsRequest& request);
wire::ElectLeadersResponse decide(Draft& draft, const wire::ElectLeadersRequest& request);
wire::UpdateFeaturesResponse decide(Draft& draft, const wire::UpdateFeaturesRequest& request);
wire::AlterPartitionResponse decide(Draft& draft, const wire::AlterPartitionRequest& request);
wire::AlterPartitionReassignmentsResponse decide(Draft& draft,
                                                 const wire::AlterPartitionReassignmentsRequest& request);
ProducerIdBlock decide_producer_ids(Draft& draft, BrokerId broker);
void decide_bootstrap(Draft& draft, const std::string& cluster_id);
void decide_brokers(Draft& draft, const std::vector<Registration>& registrations);

// An error of one item: Kafka's code and a sentence.
struct Refusal {
  wire::ErrorCode code = wire::ErrorCode::none;
  std::string message;
  explicit operator bool() const { return code != wire::ErrorCode::none; }
};

// Whether these overrides make sense for a topic, alone and together.
Refusal check_topic_configs(const ConfigValues& overrides, const BrokerConfig& broker);

// The records of new partitions from `first` on, with log ids and directories.
std::vector<Record> new_partition_records(const Draft& draft, const Uuid& topic, std::int32_t first,
                                          const std::vector<std::vector<BrokerId>>& placement);
// A list of brokers that a user gave for one partition; `expected` replicas, 0: any number.
Refusal check_assignment(const MetadataImage& image, const std::vector<std::int32_t>& brokers,
                         std::size_t expected);

}  // namespace tailwater::cluster
