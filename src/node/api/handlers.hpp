// One handler per API that is served: from a decoded request to its answer, at once or when other shards have
// answered. They translate between the protocol and the parts of the shard; they decide nothing about
// storage, groups or metadata.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "core/cluster/image.hpp"
#include "node/request.hpp"
#include "wire/api/add_offsets_to_txn.hpp"
#include "wire/api/add_partitions_to_txn.hpp"
#include "wire/api/alter_configs.hpp"
#include "wire/api/alter_partition_reassignments.hpp"
#include "wire/api/alter_replica_log_dirs.hpp"
#include "wire/api/api_versions.hpp"
#include "wire/api/create_acls.hpp"
#include "wire/api/create_partitions.hpp"
#include "wire/api/create_topics.hpp"
#include "wire/api/delete_acls.hpp"
#include "wire/api/delete_groups.hpp"
#include "wire/api/delete_records.hpp"
#include "wire/api/delete_topics.hpp"
#include "wire/api/describe_acls.hpp"
#include "wire/api/describe_cluster.hpp"
#include "wire/api/describe_configs.hpp"
#include "wire/api/describe_groups.hpp"
#include "wire/api/describe_log_dirs.hpp"
#include "wire/api/describe_producers.hpp"
#include "wire/api/describe_quorum.hpp"
#include "wire/api/describe_topic_partitions.hpp"
#include "wire/api/describe_transactions.hpp"
#include "wire/api/elect_leaders.hpp"
#include "wire/api/end_txn.hpp"
#include "wire/api/find_coordinator.hpp"
#include "wire/api/heartbeat.hpp"
#include "wire/api/incremental_alter_configs.hpp"
#include "wire/api/init_producer_id.hpp"
#include "wire/api/join_group.hpp"
#include "wire/api/leave_group.hpp"
#include "wire/api/list_config_resources.hpp"
#include "wire/api/list_groups.hpp"
#include "wire/api/list_offsets.hpp"
#include "wire/api/list_partition_reassignments.hpp"
#include "wire/api/list_transactions.hpp"
#include "wire/api/metadata.hpp"
#include "wire/api/offset_commit.hpp"
#include "wire/api/offset_delete.hpp"
#include "wire/api/offset_fetch.hpp"
#include "wire/api/offset_for_leader_epoch.hpp"
#include "wire/api/sasl_authenticate.hpp"
#include "wire/api/sasl_handshake.hpp"
#include "wire/api/sync_group.hpp"
#include "wire/api/txn_offset_commit.hpp"
#include "wire/api/update_features.hpp"
#include "wire/api/write_txn_markers.hpp"

namespace tailwater::node {

class ShardState;

// about.cpp: what the broker is
void serve(ShardState& shard, const Request& request, wire::ApiVersionsRequest&& asked);
void serve(ShardState& shard, const Request& request, wire::DescribeClusterRequest&& asked);
void serve(ShardState& shard, const Request& request, wire::DescribeQuorumRequest&& asked);
void serve(ShardState& shard, const Request& request, wire::FindCoordinatorRequest&& asked);
void serve(ShardState& shard, const Request& request, wire::SaslHandshakeRequest&& asked);
void serve(ShardState& shard, const Request& request, wire::SaslAuthenticateRequest&& asked);
void serve(ShardState& shard, const Request& request, wire::DescribeAclsRequest&& asked);
void serve(ShardState& shard, const Request& request, wire::CreateAclsRequest&& asked);
void serve(ShardState& shard, const Request& request, wire::DeleteAclsRequest&& asked);
void serve(ShardState& shard, const Request& request, wire::InitProducerIdRequest&& asked);
// The answer to an ApiVersions request of a version that is not known here.
void serve_unknown_api_versions(ShardState& shard, const Request& request);

// metadata.cpp
void serve(ShardState& shard, const Request& request, wire::MetadataRequest&& asked);
void serve(ShardState& shard, const Request& request, wire::DescribeTopicPartitionsRequest&& asked);

// topics.cpp: changes of topics and the like, decided by the controller
void serve(ShardState& shard, const Request& request, wire::CreateTopicsRequest&& asked);
void serve(ShardState& shard, const Request& request, wire::DeleteTopicsRequest&& asked);
void serve(ShardState& shard, const Request& request, wire::CreatePartitionsRequest&& asked);
void serve(ShardState& shard, const Request& request, wire::ElectLeadersRequest&& asked);
void serve(ShardState& shard, const Request& request, wire::AlterPartitionReassignmentsRequest&& asked);
void serve(ShardState& shard, const Request& request, wire::ListPartitionReassignmentsRequest&& asked);
void serve(ShardState& shard, const Request& request, wire::UpdateFeaturesRequest&& asked);

// configs.cpp
void serve(ShardState& shard, const Request& request, wire::ListConfigResourcesRequest&& asked);
void serve(ShardState& shard, const Request& request, wire::DescribeConfigsRequest&& asked);
void serve(ShardState& shard, const Request& request, wire::AlterConfigsRequest&& asked);
void serve(ShardState& shard, const Request& request, wire::IncrementalAlterConfigsRequest&& asked);

// offsets.cpp: questions to partitions
void serve(ShardState& shard, const Request& request, wire::ListOffsetsRequest&& asked);
void serve(ShardState& shard, const Request& request, wire::OffsetForLeaderEpochRequest&& asked);
void serve(ShardState& shard, const Request& request, wire::DeleteRecordsRequest&& asked);
void serve(ShardState& shard, const Request& request, wire::DescribeLogDirsRequest&& asked);
void serve(ShardState& shard, const Request& request, wire::AlterReplicaLogDirsRequest&& asked);

// groups.cpp: questions to group coordinators. The texts of the first three lie in the block.
void serve(ShardState& shard, const Request& request, wire::HeartbeatRequest&& asked,
           const session::BlockRef& block);
void serve(ShardState& shard, const Request& request, wire::OffsetCommitRequest&& asked,
           const session::BlockRef& block);
void serve(ShardState& shard, const Request& request, wire::TxnOffsetCommitRequest&& asked,
           const session::BlockRef& block);
void serve(ShardState& shard, const Request& request, wire::JoinGroupRequest&& asked);
void serve(ShardState& shard, const Request& request, wire::SyncGroupRequest&& asked);
void serve(ShardState& shard, const Request& request, wire::LeaveGroupRequest&& asked);
void serve(ShardState& shard, const Request& request, wire::OffsetFetchRequest&& asked);
void serve(ShardState& shard, const Request& request, wire::OffsetDeleteRequest&& asked);
void serve(ShardState& shard, const Request& request, wire::ListGroupsRequest&& asked);
void serve(ShardState& shard, const Request& request, wire::DescribeGroupsRequest&& asked);
void serve(ShardState& shard, const Request& request, wire::DeleteGroupsRequest&& asked);

// transactions.cpp: questions to transaction coordinators, and markers
void serve(ShardState& shard, const Request& request, wire::AddPartitionsToTxnRequest&& asked);
void serve(ShardState& shard, const Request& request, wire::AddOffsetsToTxnRequest&& asked);
void serve(ShardState& shard, const Request& request, wire::EndTxnRequest&& asked);
void serve(ShardState& shard, const Request& request, wire::WriteTxnMarkersRequest&& asked);
void serve(ShardState& shard, const Request& request, wire::DescribeProducersRequest&& asked);
void serve(ShardState& shard, const Request& request, wire::DescribeTransactionsRequest&& asked);
void serve(ShardState& shard, const Request& request, wire::ListTransactionsRequest&& asked);
// REQUIRES: a transactional id.
void serve_transactional_init(ShardState& shard, const Request& request,
                              const wire::InitProducerIdRequest& asked);

// What everybody may do to a resource while there is no authorizer, as the bit set that Kafka answers.
std::int32_t authorized_operations(wire::Resource resource);

}  // namespace tailwater::node
