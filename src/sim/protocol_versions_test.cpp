// Goal: every API that ApiVersions names is answered in every version, with a message that its version can
// read to the end; whatever else arrives closes its connection and no other.
// Method: one small request per API, asked in all versions over a simulated broker.
#include <concepts>
#include <map>
#include <set>

#include "sim/txn_client.hpp"
#include "wire/api/alter_configs.hpp"
#include "wire/api/alter_partition_reassignments.hpp"
#include "wire/api/alter_replica_log_dirs.hpp"
#include "wire/api/api_versions.hpp"
#include "wire/api/create_acls.hpp"
#include "wire/api/create_partitions.hpp"
#include "wire/api/delete_acls.hpp"
#include "wire/api/delete_groups.hpp"
#include "wire/api/delete_records.hpp"
#include "wire/api/delete_topics.hpp"
#include "wire/api/describe_acls.hpp"
#include "wire/api/describe_cluster.hpp"
#include "wire/api/describe_configs.hpp"
#include "wire/api/describe_groups.hpp"
#include "wire/api/describe_log_dirs.hpp"
#include "wire/api/describe_quorum.hpp"
#include "wire/api/describe_topic_partitions.hpp"
#include "wire/api/elect_leaders.hpp"
#include "wire/api/heartbeat.hpp"
#include "wire/api/incremental_alter_configs.hpp"
#include "wire/api/init_producer_id.hpp"
#include "wire/api/join_group.hpp"
#include "wire/api/leave_group.hpp"
#include "wire/api/list_config_resources.hpp"
#include "wire/api/list_groups.hpp"
#include "wire/api/list_offsets.hpp"
#include "wire/api/list_partition_reassignments.hpp"
#include "wire/api/offset_commit.hpp"
#include "wire/api/offset_delete.hpp"
#include "wire/api/offset_fetch.hpp"
#include "wire/api/offset_for_leader_epoch.hpp"
#include "wire/api/sasl_authenticate.hpp"
#include "wire/api/sasl_handshake.hpp"
#include "wire/api/sync_group.hpp"
#include "wire/api/update_features.hpp"

namespace tailwater::sim {
namespace {

using wire::ErrorCode;

class Versions : public OverShards {
 protected:
  // Asks in every version that is named; `fill` may adapt the request to the version.
  template <class Request, class Fill>
  void speak(Fill fill) {
    for (std::int16_t version = Request::kMinVersion; version <= newest(wire::ApiOf<Request>::key);
         ++version) {
      Request request;
      fill(request, version);
      line.ask(version, request);
      ASSERT_FALSE(HasFailure()) << Request::kName << " v" << version;
    }
    spoken_.insert(static_cast<std::int16_t>(wire::ApiOf<Request>::key));
  }
  template <class Request>
  void speak() {
    speak<Request>([](Request&, std::int16_t) {});
  }

  std::int16_t newest(wire::ApiKey key) {
    if (named_.empty()) named_ = line.ask(0, wire::ApiVersionsRequest{}).api_keys;
    for (const auto& api : named_) {
      if (api.api_key == static_cast<std::int16_t>(key)) return api.max_version;
    }
    return -1;
  }

  void speak_of_transactions(const Uuid& id) {
    make_transaction_coordinators(line);
    speak<wire::AddPartitionsToTxnRequest>([](auto& request, std::int16_t version) {
      if (version < 4) {
        request.v3_and_below_transactional_id = "x";
        request.v3_and_below_topics.push_back({"t", {0, 99}});
      } else {
        request.transactions.push_back({.transactional_id = "x", .topics = {{"t", {0}}}});
        request.transactions.push_back(
            {.transactional_id = "y", .verify_only = true, .topics = {{"t", {0, 99}}}});
      }
    });
    speak<wire::AddOffsetsToTxnRequest>([](auto& request, std::int16_t) {
      request.transactional_id = "x";
      request.group_id = "g";
    });
    speak<wire::TxnOffsetCommitRequest>([&](auto& request, std::int16_t version) {
      request.transactional_id = "x";
      request.group_id = "loner";
      request.topics.push_back({.name = version < 6 ? "t" : "",
                                .topic_id = id,
                                .partitions = {{.partition_index = 0, .committed_offset = 1}}});
    });
    speak<wire::EndTxnRequest>([](auto& request, std::int16_t) { request.transactional_id = "x"; });
    speak<wire::WriteTxnMarkersRequest>([](auto& request, std::int16_t) {
      request.markers.push_back({.producer_id = 7, .topics = {{.name = "t", .partition_indexes = {1, 99}}}});
    });
    speak<wire::DescribeProducersRequest>([](auto& request, std::int16_t) {
      request.topics.push_back({.name = "t", .partition_indexes = {0}});
    });
    speak<wire::DescribeTransactionsRequest>(
        [](auto& request, std::int16_t) { request.transactional_ids = {"x", ""}; });
    speak<wire::ListTransactionsRequest>();
  }

  void speak_of_data(const Uuid& id) {
    const Buffer batch = batch_of(3, 1'700'000'000'000);
    speak<wire::ProduceRequest>([&](auto& request, std::int16_t version) {
      request = production(version < 13 ? "t" : "", 0, batch);
      request.topic_data[0].topic_id = id;
    });
    speak<wire::FetchRequest>([&](auto& request, std::int16_t) {
      request = fetching("t", 0, 0);
      request.topics[0].topic_id = id;
    });
    speak<wire::ListOffsetsRequest>([](auto& request, std::int16_t) {
      request.topics.push_back({.name = "t", .partitions = {{.partition_index = 0, .timestamp = -1}}});
    });
    speak<wire::OffsetForLeaderEpochRequest>([](auto& request, std::int16_t) {
      request.topics.push_back({.topic = "t", .partitions = {{.partition = 0, .leader_epoch = 0}}});
    });
    speak<wire::DeleteRecordsRequest>([](auto& request, std::int16_t) {
      request.topics.push_back({.name = "t", .partitions = {{.partition_index = 0, .offset = 1}}});
    });
    speak<wire::DescribeLogDirsRequest>();
    speak<wire::AlterReplicaLogDirsRequest>([](auto& request, std::int16_t) {
      request.dirs.push_back({.path = "d", .topics = {{.name = "t", .partitions = {0}}}});
    });
    speak<wire::InitProducerIdRequest>();
  }

  void speak_of_topics() {
    speak<wire::MetadataRequest>([](auto& request, std::int16_t) { request.topics.emplace(); });
    speak<wire::CreateTopicsRequest>([](auto& request, std::int16_t version) {
      request = creation("made-" + std::to_string(version), 1);
    });
    speak<wire::CreatePartitionsRequest>([](auto& request, std::int16_t version) {
      request.topics.push_back({.name = "t", .count = 10 + version, .assignments = {}});
    });
    speak<wire::DeleteTopicsRequest>([](auto& request, std::int16_t version) {
      const std::string name = "made-" + std::to_string(version);
      if (version < 6) {
        request.topic_names.push_back(name);
      } else {
        request.topics.push_back({.name = name, .topic_id = {}});
      }
    });
    speak<wire::DescribeConfigsRequest>([](auto& request, std::int16_t) {
      request.resources.push_back({.resource_type = 2, .resource_name = "t", .configuration_keys = {}});
    });
    speak<wire::AlterConfigsRequest>([](auto& request, std::int16_t) {
      request.resources.push_back({.resource_type = 2, .resource_name = "t", .configs = {}});
    });
    speak<wire::IncrementalAlterConfigsRequest>([](auto& request, std::int16_t) {
      request.resources.push_back({.resource_type = 2, .resource_name = "t", .configs = {}});
    });
    speak<wire::ElectLeadersRequest>([](auto& request, std::int16_t) {
      request.topic_partitions.emplace().push_back({.topic = "t", .partitions = {0}});
    });
    speak<wire::AlterPartitionReassignmentsRequest>([](auto& request, std::int16_t) {
      request.topics.push_back({.name = "t", .partitions = {{.partition_index = 0, .replicas = {{1}}}}});
    });
    speak<wire::ListPartitionReassignmentsRequest>();
    speak<wire::ListConfigResourcesRequest>();
    speak<wire::DescribeTopicPartitionsRequest>();
  }

  void speak_of_groups(const Uuid& id) {
    speak<wire::FindCoordinatorRequest>([](auto& request, std::int16_t version) {
      if (version < 4) {
        request.key = "g";
      } else {
        request.coordinator_keys = {"g", "h"};
      }
    });
    speak<wire::JoinGroupRequest>([](auto& request, std::int16_t version) {
      request.group_id = "g" + std::to_string(version);
      request.session_timeout_ms = 10'000;
      request.rebalance_timeout_ms = 10'000;
      request.protocol_type = "consumer";
      request.protocols.push_back({.name = "range", .metadata = {}});
    });
    speak<wire::SyncGroupRequest>([](auto& request, std::int16_t) { request.group_id = "g"; });
    speak<wire::HeartbeatRequest>([](auto& request, std::int16_t) { request.group_id = "g"; });
    speak<wire::LeaveGroupRequest>([](auto& request, std::int16_t version) {
      request.group_id = "g";
      if (version >= 3) request.members.push_back({.member_id = "nobody"});
    });
    speak<wire::OffsetCommitRequest>([&](auto& request, std::int16_t version) {
      request.group_id = "loner";
      request.topics.push_back({.name = version < 10 ? "t" : "",
                                .topic_id = id,
                                .partitions = {{.partition_index = 0, .committed_offset = 1}}});
    });
    speak<wire::OffsetFetchRequest>([&](auto& request, std::int16_t version) {
      if (version < 8) {
        request.group_id = "loner";
        request.topics.emplace().push_back({.name = "t", .partition_indexes = {0}});
      } else {
        auto& group = request.groups.emplace_back();
        group.group_id = "loner";
        group.topics.emplace().push_back(
            {.name = version < 10 ? "t" : "", .topic_id = id, .partition_indexes = {0}});
      }
    });
    speak<wire::OffsetDeleteRequest>([](auto& request, std::int16_t) { request.group_id = "loner"; });
    speak<wire::ListGroupsRequest>();
    speak<wire::DescribeGroupsRequest>([](auto& request, std::int16_t) { request.groups = {"loner", "?"}; });
    speak<wire::DeleteGroupsRequest>([](auto& request, std::int16_t) { request.groups_names = {"loner"}; });
  }

  std::set<std::int16_t> spoken_;
  std::vector<wire::ApiVersionsResponse::ApiVersion> named_;
};

TEST_P(Versions, every_version_of_every_api_is_answered) {
  const Uuid id = create_topic(line, "t", 4);
  speak_of_data(id);
  speak_of_topics();
  speak_of_groups(id);
  speak_of_transactions(id);
  speak<wire::DescribeAclsRequest>();
  speak<wire::CreateAclsRequest>([](auto& request, std::int16_t) { request.creations.emplace_back(); });
  speak<wire::DeleteAclsRequest>([](auto& request, std::int16_t) { request.filters.emplace_back(); });
  speak<wire::DescribeClusterRequest>();
  speak<wire::DescribeQuorumRequest>([](auto& request, std::int16_t) {
    request.topics.push_back({.topic_name = "__cluster_metadata", .partitions = {{.partition_index = 0}}});
  });
  speak<wire::SaslHandshakeRequest>();
  speak<wire::SaslAuthenticateRequest>();
  speak<wire::UpdateFeaturesRequest>();
  speak<wire::ApiVersionsRequest>([](auto& request, std::int16_t) {
    request.client_software_name = "test";
    request.client_software_version = "1.0";
  });

  const auto response = line.ask(0, wire::ApiVersionsRequest{});
  std::set<std::int16_t> named;
  for (const auto& api : response.api_keys) named.insert(api.api_key);
  EXPECT_EQ(named, spoken_) << "what is named and what this test asks are the same";
}

TEST_P(Versions, an_unknown_version_of_api_versions_is_told_the_range) {
  Buffer frame = line.frame_of(18, 99);
  const std::int32_t correlation = 1;
  line.send_raw(std::move(frame));
  const auto response = line.take<wire::ApiVersionsRequest>(0, correlation);
  EXPECT_EQ(response.error_code, ErrorCode::unsupported_version);
  ASSERT_EQ(response.api_keys.size(), 1U);
  EXPECT_EQ(response.api_keys[0].api_key, 18);
  EXPECT_EQ(response.api_keys[0].min_version, 0);
  EXPECT_EQ(response.api_keys[0].max_version, wire::ApiVersionsRequest::kMaxVersion);
  EXPECT_EQ(line.ask(0, wire::ApiVersionsRequest{}).error_code, ErrorCode::none) << "the connection goes on";
}

TEST_P(Versions, api_versions_name_what_transactions_can_do) {
  wire::ApiVersionsRequest request;
  request.client_software_name = "test";
  request.client_software_version = "1.0";
  for (const std::int16_t version : std::initializer_list<std::int16_t>{3, 4}) {
    const auto response = line.ask(version, request);
    ASSERT_EQ(response.finalized_features.size(), 1U);
    EXPECT_EQ(response.finalized_features[0].name, "transaction.version");
    EXPECT_EQ(response.finalized_features[0].max_version_level, 2);
    EXPECT_GE(response.finalized_features_epoch, 0);
    ASSERT_EQ(response.supported_features.size(), 1U);
    // Clients before version 4 take a smallest level of 0 for an error.
    EXPECT_EQ(response.supported_features[0].min_version, version < 4 ? 1 : 0);
  }
}

TEST_P(Versions, the_level_of_a_feature_is_told_when_it_was_changed) {
  wire::UpdateFeaturesRequest change;
  auto& wanted = change.feature_updates.emplace_back();
  wanted.feature = "transaction.version";
  wanted.max_version_level = 1;
  EXPECT_EQ(line.ask(2, change).error_code, ErrorCode::invalid_update_version)
      << "it does not say that it goes down";
  wanted.upgrade_type = 2;
  EXPECT_EQ(line.ask(2, change).error_code, ErrorCode::none);
  wire::ApiVersionsRequest request;
  request.client_software_name = "test";
  request.client_software_version = "1.0";
  const auto response = line.ask(3, request);
  ASSERT_EQ(response.finalized_features.size(), 1U);
  EXPECT_EQ(response.finalized_features[0].max_version_level, 1);
}

TEST_P(Versions, api_versions_refuses_bad_software_names) {
  const auto ask = [&](std::string name, std::string version) {
    wire::ApiVersionsRequest request;
    request.client_software_name = std::move(name);
    request.client_software_version = std::move(version);
    return line.ask(3, request);
  };
  EXPECT_EQ(ask("apache-kafka-java", "4.0.0").error_code, ErrorCode::none);
  for (const char* bad : {"", "-x", "x-", "with space", "x\n"}) {
    EXPECT_EQ(ask(bad, "1").error_code, ErrorCode::invalid_request) << bad;
    EXPECT_EQ(ask("x", bad).error_code, ErrorCode::invalid_request) << bad;
    EXPECT_TRUE(ask(bad, "1").api_keys.empty());
  }
}

TEST_P(Versions, api_versions_5_checks_who_it_speaks_to) {
  wire::ApiVersionsRequest request;
  request.client_software_name = "test";
  request.client_software_version = "1";
  request.cluster_id = "another";
  request.node_id = 1;
  EXPECT_EQ(line.ask(5, request).error_code, ErrorCode::rebootstrap_required);
  request.node_id = -1;
  EXPECT_EQ(line.ask(5, request).error_code, ErrorCode::invalid_request);
  request.cluster_id = line.ask(13, wire::MetadataRequest{}).cluster_id;
  request.node_id = 1;
  EXPECT_EQ(line.ask(5, request).error_code, ErrorCode::none);
}

// --- what is not understood

// The broker answers nobody on `bad`, closes it, and serves `good` as before.
void expect_only_this_is_closed(Line& bad, Line& good) {
  EXPECT_TRUE(bad.is_closed());
  EXPECT_FALSE(bad.whole_frame());
  EXPECT_EQ(good.ask(0, wire::ApiVersionsRequest{}).error_code, ErrorCode::none);
}

TEST_P(Versions, apis_and_versions_that_are_not_served_close_the_connection) {
  // LeaderAndIsr, UpdateMetadata, CreateDelegationToken, DescribeClientQuotas, a key that nobody knows, and
  // none.
  for (const std::int16_t key : std::initializer_list<std::int16_t>{4, 6, 38, 48, 12345, -1}) {
    Line bad(world);
    Buffer frame(14);
    store_big(frame.data(), std::uint32_t{10});
    store_big(frame.data() + 4, static_cast<std::uint16_t>(key));
    bad.send_raw(std::move(frame));
    SCOPED_TRACE(key);
    expect_only_this_is_closed(bad, line);
  }
  const std::pair<std::int16_t, std::int16_t> versions[] = {{0, 2},  {0, 14}, {1, 3},  {1, 19},
                                                            {3, 14}, {3, -1}, {19, 1}, {9, 0}};
  for (const auto& [key, version] : versions) {
    Line bad(world);
    Buffer frame(14);
    store_big(frame.data(), std::uint32_t{10});
    store_big(frame.data() + 4, static_cast<std::uint16_t>(key));
    store_big(frame.data() + 6, static_cast<std::uint16_t>(version));
    bad.send_raw(std::move(frame));
    SCOPED_TRACE(std::to_string(key) + " v" + std::to_string(version));
    expect_only_this_is_closed(bad, line);
  }
}

TEST_P(Versions, impossible_sizes_close_the_connection) {
  for (const std::uint32_t size : {0x80000000U, 0xffffffffU, 0x7fffffffU, 104'857'601U}) {
    Line bad(world);
    Buffer frame(4);
    store_big(frame.data(), size);
    bad.send_raw(std::move(frame));
    SCOPED_TRACE(size);
    expect_only_this_is_closed(bad, line);
  }
}

TEST_P(Versions, bodies_cut_short_close_the_connection) {
  for (const std::int16_t key : std::initializer_list<std::int16_t>{0, 1, 2, 8, 10, 11, 19, 22, 24, 25, 26}) {
    Line bad(world);
    bad.send_raw(bad.frame_of(key, 4));  // a header and nothing behind it
    SCOPED_TRACE(key);
    expect_only_this_is_closed(bad, line);
  }
}

TEST_P(Versions, garbage_closes_the_connection) {
  Prng random(7);
  for (int attempt = 0; attempt < 30; ++attempt) {
    Line bad(world);
    Buffer noise(64 + random.below(400));
    for (auto& byte : noise) byte = static_cast<std::byte>(random.below(256));
    store_big(noise.data(), static_cast<std::uint32_t>(noise.size() - 4));
    store_big(noise.data() + 4, static_cast<std::uint16_t>(random.below(80)));
    store_big(noise.data() + 6, static_cast<std::uint16_t>(random.below(14)));
    bad.send_raw(std::move(noise));
    world.pass(Duration::from_ms(50));  // some noise may be a request that makes sense
  }
  EXPECT_EQ(line.ask(0, wire::ApiVersionsRequest{}).error_code, ErrorCode::none);
}

INSTANTIATE_TEST_SUITE_P(Shards, Versions, testing::Values(1U, 3U));

}  // namespace
}  // namespace tailwater::sim
