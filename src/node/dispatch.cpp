#include "node/dispatch.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "node/api/handlers.hpp"
#include "node/shard_state.hpp"
#include "wire/api/fetch.hpp"
#include "wire/api/produce.hpp"

namespace tailwater::node {

namespace {

using Handler = Result<void> (*)(ShardState&, const Request&, wire::Reader&, session::Frame&);

struct Entry {
  ServedApi api;
  Handler handler = nullptr;
};

// An API is served only if its schema declares who may call it.
template <class Asked>
concept Declared = requires {
  { wire::ApiOf<Asked>::resource } -> std::convertible_to<wire::Resource>;
  { wire::ApiOf<Asked>::operation } -> std::convertible_to<wire::Operation>;
  { wire::ApiOf<Asked>::before_authentication } -> std::convertible_to<bool>;
};

template <Declared Asked>
Result<void> decode_and_serve(ShardState& shard, const Request& request, wire::Reader& reader,
                              session::Frame& frame) {
  Asked asked;
  const Result<void> decoded = decode(reader, request.version, asked);
  if (!decoded) {
    return fail(decoded.error().code, "sent a malformed " + std::string(wire::find_api(request.key)->name) +
                                          " request: " + decoded.error().message);
  }
  if constexpr (requires { serve(shard, request, std::move(asked), frame.block); }) {
    serve(shard, request, std::move(asked), frame.block);
  } else {
    serve(shard, request, std::move(asked));
  }
  return {};
}

template <Declared Asked>
constexpr Entry entry(std::int16_t max_version = INT16_MAX) {
  const std::int16_t spoken = Asked::kMaxVersion;
  return {{wire::ApiOf<Asked>::key, std::min(spoken, max_version)}, decode_and_serve<Asked>};
}

Result<void> serve_produce(ShardState& shard, const Request& request, wire::Reader& reader,
                           session::Frame& frame) {
  return shard.produces.serve(request, frame.bytes.subspan(reader.position()), frame.block);
}

Result<void> serve_fetch(ShardState& shard, const Request& request, wire::Reader& reader,
                         session::Frame& frame) {
  return shard.fetches.serve(request, frame.bytes.subspan(reader.position()));
}

static_assert(Declared<wire::ProduceRequest> && Declared<wire::FetchRequest>);

constexpr std::array kServed = {
    Entry{{wire::ApiKey::produce, wire::ProduceRequest::kMaxVersion}, serve_produce},
    Entry{{wire::ApiKey::fetch, wire::FetchRequest::kMaxVersion}, serve_fetch},
    entry<wire::ListOffsetsRequest>(),
    entry<wire::MetadataRequest>(),
    entry<wire::OffsetCommitRequest>(),
    entry<wire::OffsetFetchRequest>(),
    entry<wire::FindCoordinatorRequest>(),
    entry<wire::JoinGroupRequest>(),
    entry<wire::HeartbeatRequest>(),
    entry<wire::LeaveGroupRequest>(),
    entry<wire::SyncGroupRequest>(),
    entry<wire::DescribeGroupsRequest>(),
    entry<wire::ListGroupsRequest>(),
    entry<wire::SaslHandshakeRequest>(),
    entry<wire::ApiVersionsRequest>(),
    entry<wire::CreateTopicsRequest>(),
    entry<wire::DeleteTopicsRequest>(),
    entry<wire::DeleteRecordsRequest>(),
    entry<wire::InitProducerIdRequest>(),
    entry<wire::OffsetForLeaderEpochRequest>(),
    entry<wire::AddPartitionsToTxnRequest>(),
    entry<wire::AddOffsetsToTxnRequest>(),
    entry<wire::EndTxnRequest>(),
    entry<wire::WriteTxnMarkersRequest>(),
    entry<wire::TxnOffsetCommitRequest>(),
    entry<wire::DescribeAclsRequest>(),
    entry<wire::CreateAclsRequest>(),
    entry<wire::DeleteAclsRequest>(),
    entry<wire::DescribeConfigsRequest>(),
    entry<wire::AlterConfigsRequest>(),
    entry<wire::AlterReplicaLogDirsRequest>(),
    entry<wire::DescribeLogDirsRequest>(),
    entry<wire::SaslAuthenticateRequest>(),
    entry<wire::CreatePartitionsRequest>(),
    entry<wire::DeleteGroupsRequest>(),
    entry<wire::ElectLeadersRequest>(),
    entry<wire::IncrementalAlterConfigsRequest>(),
    entry<wire::AlterPartitionReassignmentsRequest>(),
    entry<wire::ListPartitionReassignmentsRequest>(),
    entry<wire::OffsetDeleteRequest>(),
    entry<wire::DescribeQuorumRequest>(),
    entry<wire::UpdateFeaturesRequest>(),
    entry<wire::DescribeClusterRequest>(),
    entry<wire::DescribeProducersRequest>(),
    entry<wire::DescribeTransactionsRequest>(),
    entry<wire::ListTransactionsRequest>(),
    entry<wire::ListConfigResourcesRequest>(),
    entry<wire::DescribeTopicPartitionsRequest>(),
};

constexpr auto kServedApis = [] {
  std::array<ServedApi, kServed.size()> apis{};
  for (std::size_t at = 0; at < kServed.size(); ++at) apis[at] = kServed[at].api;
  return apis;
}();

static_assert(std::ranges::is_sorted(kServedApis, {}, &ServedApi::key));

}  // namespace

std::span<const ServedApi> served_apis() {
  return kServedApis;
}

Result<void> dispatch(ShardState& shard, const Request& request, wire::Reader& reader,
                      session::Frame& frame) {
  const auto at =
      std::ranges::lower_bound(kServed, request.key, {}, [](const Entry& each) { return each.api.key; });
  if (at == kServed.end() || at->api.key != request.key) {
    return fail(Errc::unsupported, "sent a request of API " + std::string(wire::find_api(request.key)->name) +
                                       ", which is not served");
  }
  const wire::ApiInfo& info = *wire::find_api(request.key);
  if (request.version < info.min_version || request.version > at->api.max_version) {
    if (request.key == wire::ApiKey::api_versions) {
      serve_unknown_api_versions(shard, request);
      return {};
    }
    return fail(Errc::unsupported, "sent a " + std::string(info.name) + " request of version " +
                                       std::to_string(request.version) + "; " +
                                       std::to_string(info.min_version) + " to " +
                                       std::to_string(at->api.max_version) + " are served");
  }
  return at->handler(shard, request, reader, frame);
}

}  // namespace tailwater::node
