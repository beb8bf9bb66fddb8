// Calls: a question to the shard that owns the matter, and its answer. A request that touches several
// partitions or groups asks several questions at once and is finished when the last answer is there. What a
// gather needs is the memory of one before it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/ids.hpp"
#include "base/inline_function.hpp"
#include "base/places.hpp"
#include "base/time.hpp"
#include "base/uuid.hpp"
#include "core/cluster/controller.hpp"
#include "core/group/coordinator.hpp"
#include "core/log/log.hpp"
#include "core/txn/types.hpp"
#include "node/metrics.hpp"
#include "wire/api/describe_groups.hpp"
#include "wire/api/describe_transactions.hpp"
#include "wire/api/list_groups.hpp"
#include "wire/api/list_transactions.hpp"
#include "wire/api/offset_fetch.hpp"
#include "wire/error_code.hpp"

namespace tailwater::node {

// --- questions to the shard of a partition

// What ListOffsets may ask for in the place of a timestamp.
namespace special_timestamp {
inline constexpr std::int64_t kLatest = -1;
inline constexpr std::int64_t kEarliest = -2;
inline constexpr std::int64_t kLargest = -3;
inline constexpr std::int64_t kEarliestLocal = -4;
inline constexpr std::int64_t kLatestTiered = -5;
inline constexpr std::int64_t kEarliestPendingUpload = -6;
}  // namespace special_timestamp

struct OffsetQuery {  // ListOffsets of one partition
  Uuid topic_id;
  PartitionId partition;
  std::int64_t timestamp = special_timestamp::kLatest;  // a special one, or a real one, which is not negative
  std::int32_t current_leader_epoch = -1;
  bool read_committed = false;
};

struct EpochQuery {  // OffsetForLeaderEpoch of one partition
  Uuid topic_id;
  PartitionId partition;
  std::int32_t current_leader_epoch = -1;
  std::int32_t leader_epoch = -1;
};

struct DeleteRecordsQuery {
  Uuid topic_id;
  PartitionId partition;
  std::int64_t before = -1;  // -1: the high watermark
};

struct PartitionAnswer {
  wire::ErrorCode error{};
  std::int64_t offset = -1;
  std::int64_t timestamp = -1;
  std::int32_t leader_epoch = -1;
};

struct LogSizesQuery {};  // of all partitions of the asked shard

struct LogSize {
  Uuid topic_id;
  PartitionId partition;
  DirId dir;
  std::uint64_t bytes = 0;
};

struct LogSizesAnswer {
  std::vector<LogSize> logs;
};

// The end of a transaction, to be written into one partition; answered when it is on stable storage.
struct MarkerCall {
  Uuid topic_id;
  PartitionId partition;
  txn::ProducerIdentity producer;
  txn::Outcome outcome = txn::Outcome::abort;
  txn::ClientVersion version = txn::ClientVersion::plain;
  std::int32_t coordinator_epoch = 0;
  // The partition of __transaction_state that will note what became of this, -1 if none will. If its log
  // cannot keep that note without the marker, the answer does not wait for that.
  std::int32_t coordinator = -1;
};

struct ProducersQuery {
  Uuid topic_id;
  PartitionId partition;
};

struct ProducersAnswer {
  wire::ErrorCode error{};
  std::vector<log::ProducerFacts> producers;
};

// --- questions to the shard of a group's coordinator

struct GroupCaller {
  std::int16_t version = 0;
  std::string client_id;
  std::string client_host;
  cluster::MetadataVersion image;  // that the question was looked at with
};

using GroupRequest = std::variant<wire::JoinGroupRequest, wire::SyncGroupRequest, wire::HeartbeatRequest,
                                  wire::LeaveGroupRequest, wire::OffsetCommitRequest,
                                  wire::TxnOffsetCommitRequest, wire::OffsetDeleteRequest>;

struct GroupCall {
  std::int32_t coordinator = 0;  // partition of __consumer_offsets
  GroupCaller caller;
  GroupRequest request;
};

struct OffsetFetchCall {
  std::int32_t coordinator = 0;
  wire::OffsetFetchRequest::OffsetFetchRequestGroup group;
  group::GroupCoordinator::Stability stability{};
};

struct DescribeGroupCall {
  std::int32_t coordinator = 0;
  std::string group;
  std::int16_t version = 0;
};

struct DeleteGroupCall {
  std::int32_t coordinator = 0;
  std::string group;
  GroupCaller caller;
};

struct ListGroupsCall {  // of all coordinators of the asked shard
  wire::ListGroupsRequest request;
};

struct ListGroupsAnswer {
  wire::ErrorCode error{};
  std::vector<wire::ListGroupsResponse::ListedGroup> groups;
};

// --- questions to the shard of a transaction's coordinator

struct TxnCall {
  std::int32_t coordinator = 0;  // partition of __transaction_state
  std::variant<txn::InitRequest, txn::AddRequest, txn::VerifyRequest, txn::EndRequest> request;
};

struct DescribeTransactionCall {
  std::int32_t coordinator = 0;
  std::string transactional_id;
};

struct ListTransactionsCall {  // of all coordinators of the asked shard
  wire::ListTransactionsRequest request;
};

struct ListTransactionsAnswer {
  wire::ErrorCode error{};
  std::vector<wire::ListTransactionsResponse::TransactionState> transactions;
};

struct OpenTransactionsQuery {             // whether any coordinator of the asked shard knows of them
  std::vector<txn::OpenTransaction> open;  // in the order of their producers' ids
};

struct OpenTransactionsAnswer {
  std::vector<bool> may_be_open;  // true as well while that is not known
};

// --- questions to shard 0, which has the metadata controller

struct EnsureTopicsCall {
  std::vector<std::string> names;
};
struct ProducerIdsCall {};

using CallBody =
    std::variant<OffsetQuery, EpochQuery, DeleteRecordsQuery, LogSizesQuery, MarkerCall, ProducersQuery,
                 GroupCall, OffsetFetchCall, DescribeGroupCall, DeleteGroupCall, ListGroupsCall, TxnCall,
                 DescribeTransactionCall, ListTransactionsCall, OpenTransactionsQuery, EnsureTopicsCall,
                 ProducerIdsCall, wire::CreateTopicsRequest, wire::DeleteTopicsRequest,
                 wire::CreatePartitionsRequest, wire::AlterConfigsRequest,
                 wire::IncrementalAlterConfigsRequest, wire::ElectLeadersRequest,
                 wire::AlterPartitionReassignmentsRequest, wire::UpdateFeaturesRequest>;

using AnswerBody =
    std::variant<PartitionAnswer, LogSizesAnswer, ProducersAnswer, txn::Answer, ListTransactionsAnswer,
                 OpenTransactionsAnswer, wire::DescribeTransactionsResponse::TransactionState,
                 group::ReplyBody, wire::OffsetFetchResponse::OffsetFetchResponseGroup,
                 wire::DescribeGroupsResponse::DescribedGroup, ListGroupsAnswer, cluster::ControllerResponse>;

struct Context;

// The asking side of one shard.
class Calls {
 public:
  using Finish = InlineFunction<void(std::vector<AnswerBody>& answers), 320>;

  explicit Calls(Context& context) : context_(context) {}

  // A request that asks `parts` questions; `finish` gets the answers by part. With no parts it is called at
  // once.
  class Gather {
   public:
    void ask(ShardId shard, std::uint32_t part, CallBody body);

   private:
    friend class Calls;
    Gather(Calls& calls, std::uint64_t id) : calls_(calls), id_(id) {}
    Calls& calls_;
    std::uint64_t id_;
  };
  Gather begin(std::size_t parts, Finish finish);
  // The same, but it does not wait for ever: parts that have not answered within the limit are taken to have
  // said `otherwise`, and what they say later counts no more.
  Gather begin(std::size_t parts, Finish finish, Duration limit, AnswerBody otherwise);
  void tick();
  Instant next_deadline() const;

  void answered(std::uint64_t gather, std::uint32_t part, AnswerBody body);

 private:
  struct Bound {
    Instant until;
    AnswerBody otherwise;
  };
  struct Pending {
    std::vector<AnswerBody> answers;
    std::vector<bool> is_answered;
    std::size_t outstanding = 0;
    Finish finish;  // empty: it has ended by its limit, and only waits for what comes too late
    std::optional<Bound> bound;
  };
  static void finish(Pending& pending);
  void give_back(std::uint64_t gather);

  Context& context_;
  Places<Pending> pending_;
  std::set<std::pair<Instant, std::uint64_t>> bounds_;  // when each bounded gather ends
};

}  // namespace tailwater::node
