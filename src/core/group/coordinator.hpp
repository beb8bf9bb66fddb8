// The classic group coordinator of one __consumer_offsets partition: memberships, generations, assignments,
// offsets. A pure machine: typed calls in, effects out (types.hpp). Requests are decided in Kafka's order of
// checks; what must outlive the process is first written (Append), then applied and answered (persisted()).
// Between two generations membership lives in memory only. Offsets of transactions are held until
// transaction_ended().
// Life: constructed loading -> replay() per batch of the partition, in log order -> loaded() -> requests,
// persisted() and tick() -> unload() when the partition's leadership goes. One object per leadership, never
// reused.
// GUARANTEES: one assignment per generation; every ticket is answered exactly once; nothing that a client, a
// clock or a disk hands in ends the process; memory stays within Options. Single-threaded, no locks.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "base/check.hpp"
#include "base/prng.hpp"
#include "base/result.hpp"
#include "core/group/group.hpp"
#include "core/group/types.hpp"
#include "records/builder.hpp"
#include "records/compression.hpp"
#include "wire/api/describe_groups.hpp"
#include "wire/api/list_groups.hpp"
#include "wire/api/offset_fetch.hpp"

namespace tailwater::group {

// What replay() made of one batch.
struct Replayed {
  std::uint32_t applied = 0;
  std::uint32_t foreign = 0;  // of other kinds of groups, control records, records of transactions
  std::uint32_t damaged = 0;  // records that could not be read and were passed over
  friend bool operator==(const Replayed&, const Replayed&) = default;
};

class GroupCoordinator {
 public:
  GroupCoordinator(const Options& options, Prng random);

  // ---- life
  // One whole batch. An error means that the batch as such cannot be read; the caller decides whether to go
  // on.
  Result<Replayed> replay(Bytes batch, records::Codecs* codecs = nullptr);
  void loaded(Now now, GroupEffects& out);
  // Answers everybody who waits with NOT_COORDINATOR, and everybody who comes from now on.
  void unload(GroupEffects& out);
  // The log holds the marker that ends this producer's transaction.
  void transaction_ended(ProducerId producer, bool commits, Now now, GroupEffects& out);
  // The outcome of an append; unknown tokens are ignored.
  void persisted(AppendToken token, ErrorCode error, Now now, GroupEffects& out);
  // The offsets of these topics go, as nobody can use them any more. Does nothing while it is loading.
  void forget_topics(const IsGone& is_gone, Now now, GroupEffects& out);
  // The log takes no larger batches; none is made that is larger than this or Options::batch_bytes_max.
  void limit_batches(std::size_t bytes_max) { log_bytes_max_ = bytes_max; }
  void tick(Now now, GroupEffects& out);

  // ---- requests, each answered by a Reply
  void join(const Call& call, const wire::JoinGroupRequest& request, GroupEffects& out);
  void sync(const Call& call, const wire::SyncGroupRequest& request, GroupEffects& out);
  void heartbeat(const Call& call, const wire::HeartbeatRequest& request, GroupEffects& out);
  void leave(const Call& call, const wire::LeaveGroupRequest& request, GroupEffects& out);
  // Every topic carries its name; topics with ids (v10) carry both.
  void offset_commit(const Call& call, const wire::OffsetCommitRequest& request, GroupEffects& out);
  // REQUIRES: the producer's transaction is open, and this partition belongs to it.
  void txn_offset_commit(const Call& call, const wire::TxnOffsetCommitRequest& request, GroupEffects& out);
  void offset_delete(const Call& call, const wire::OffsetDeleteRequest& request, GroupEffects& out);
  void delete_group(const Call& call, const std::string& group_id, GroupEffects& out);

  // ---- requests that change nothing, answered at once
  // Names as in the request; topic ids, where both sides know one, must agree. Without topics: all, with
  // their ids. Who requires stable offsets is told where an open transaction may yet change one.
  enum class Stability : std::uint8_t { as_committed, required };
  wire::OffsetFetchResponse::OffsetFetchResponseGroup offset_fetch(
      const wire::OffsetFetchRequest::OffsetFetchRequestGroup& request,
      Stability stability = Stability::as_committed) const;
  // Appends the groups that pass the filters.
  ErrorCode list_groups(const wire::ListGroupsRequest& request,
                        std::vector<wire::ListGroupsResponse::ListedGroup>& out) const;
  wire::DescribeGroupsResponse::DescribedGroup describe_group(const std::string& group_id,
                                                              std::int16_t version) const;

  // For metrics and for looking inside: every group, in the order of their ids.
  const std::map<std::string, Group, std::less<>>& groups() const { return groups_; }
  std::size_t group_count() const { return groups_.size(); }
  std::size_t memory() const { return memory_; }
  bool is_active() const { return phase_ == Phase::active; }

 private:
  enum class Phase : std::uint8_t { loading, active, stopped };

  // What one call works with.
  struct Turn {
    Now now;
    GroupEffects& out;
  };
  struct Joiner;

  // ---- appends: what to do when the log has, or refuses, a batch
  struct OffsetWrites {
    std::vector<OffsetWrite> changes;
  };
  struct CommitAppend {
    Ticket ticket;
    wire::OffsetCommitResponse response;
    OffsetWrites writes;
  };
  struct TxnCommitAppend {
    Ticket ticket;
    ProducerId producer;
    wire::TxnOffsetCommitResponse response;
    OffsetWrites writes;
  };
  struct OffsetDeleteAppend {
    Ticket ticket;
    wire::OffsetDeleteResponse response;
    OffsetWrites writes;
  };
  struct ExpiryAppend {
    OffsetWrites writes;
    bool deletes_group = false;
  };
  struct GroupDeleteAppend {
    Ticket ticket;
    OffsetWrites writes;
    bool is_last = true;  // else more of the group is to go
  };
  struct AssignmentAppend {
    std::int32_t generation = 0;
    WallTime since;  // as the record says it
    Assignments assignments;
  };
  struct StaticMemberAppend {
    std::int32_t generation = 0;
    std::string member_id;
    std::string previous_leader;
    Ticket ticket;
  };
  struct EmptyGroupAppend {};
  using AppendPurpose =
      std::variant<CommitAppend, TxnCommitAppend, OffsetDeleteAppend, ExpiryAppend, GroupDeleteAppend,
                   AssignmentAppend, StaticMemberAppend, EmptyGroupAppend>;
  struct PendingAppend {
    std::string group_id;
    std::uint64_t serial = 0;
    AppendPurpose purpose;
  };

  // ---- groups
  ErrorCode availability() const;
  Group* find(std::string_view group_id);
  // Not groups that are being deleted.
  const Group* find_living(std::string_view group_id) const;
  Group& create(const std::string& group_id, WallTime now);
  void erase(Group& group);
  // The last word about a group in each call: budget, agenda, and groups that hold nothing are forgotten.
  void settle(Group& group);
  bool memory_is_full() const { return memory_ >= options_.memory_max; }

  // ---- join.cpp
  ErrorCode check_join(const wire::JoinGroupRequest& request) const;
  bool has_room_for(Group& group, const wire::JoinGroupRequest& request) const;
  void refuse_join(const Joiner& joiner, ErrorCode error);
  void join_newcomer(Joiner& joiner, Group& group);
  void join_pending(Joiner& joiner, Group& group);
  void join_known(Joiner& joiner, Group& group);
  void give_member_id(Joiner& joiner, Group& group, std::string member_id);
  void add_member(Joiner& joiner, Group& group, std::string member_id);
  void park(Joiner& joiner, Group& group, Member& member);
  void update_member(Joiner& joiner, Group& group, Member& member);
  void replace_static_member(Joiner& joiner, Group& group, Member& member, std::string member_id);
  void answer_static_member(Turn& turn, Group& group, const StaticMemberAppend& append, ErrorCode error);
  std::string new_member_id(Group& group, std::string_view prefix);

  // ---- rebalance.cpp
  void rebalance_or_complete(Turn& turn, Group& group);
  void prepare_rebalance(Turn& turn, Group& group);
  void complete_join_if_ready(Turn& turn, Group& group);
  void complete_join(Turn& turn, Group& group);
  void join_deadline_passed(Turn& turn, Group& group);
  void answer_join(Turn& turn, Group& group, Member& member);
  void refuse_waiting(Turn& turn, Group& group, Member& member, ErrorCode error);
  void remove_member(Turn& turn, Group& group, Member& member, ErrorCode error);

  // ---- sync.cpp
  ErrorCode check_sync(Group& group, const wire::SyncGroupRequest& request) const;
  void store_assignment(Turn& turn, Group& group, const wire::SyncGroupRequest& request);
  void assignment_stored(Turn& turn, Group& group, AssignmentAppend& append, ErrorCode error);
  void answer_sync(Turn& turn, Group& group, Member& member);
  void fail_syncs(Turn& turn, Group& group, ErrorCode error);
  void sync_deadline_passed(Turn& turn, Group& group);

  // ---- membership.cpp
  ErrorCode check_member(Group& group, std::string_view member_id,
                         const std::optional<std::string_view>& instance_id) const;
  void refresh_session(Group& group, Member& member, Instant now);
  ErrorCode leave_one(Turn& turn, Group& group, std::string_view member_id,
                      const std::optional<std::string>& instance_id, std::uint32_t& removed);

  // ---- offsets.cpp, expiry.cpp
  ErrorCode check_commit(Group& group, const wire::OffsetCommitRequest& request) const;
  ErrorCode check_commit(Group& group, const wire::TxnOffsetCommitRequest& request) const;
  // Partition by partition: what is refused gets its error, the rest becomes a write, and a record of the
  // batch that is being built. Where these outgrow the batch everything is refused, and nothing is decided or
  // copied beyond. True if there is a batch to append.
  template <class Request, class Commit>
  bool decide_commit(const Turn& turn, const Call& call, const Group& group, const Request& request,
                     Commit& commit);
  ErrorCode check_offset(const Group& group, std::string_view topic, std::int32_t partition,
                         std::string_view metadata) const;
  void hold_writes(Group* group, TxnCommitAppend& commit, ErrorCode error);
  void begin_writes(Group& group, const OffsetWrites& writes);
  void end_writes(Group* group, OffsetWrites& writes, ErrorCode error);
  void sweep(Turn& turn);
  void expire_offsets(Turn& turn, Group& group, std::size_t& left);
  // In-flight offsets by their place: whether all of them are of topics that are gone.
  using Place = std::tuple<std::string_view, std::string_view, std::int32_t>;
  std::map<Place, bool> gone_in_flight(const IsGone& is_gone) const;
  void forget_topics(Turn& turn, Group& group, const IsGone& is_gone, const std::map<Place, bool>& in_flight);
  // What was added to the batch goes out, if anything was.
  void remove_offsets(Turn& turn, Group& group, ExpiryAppend removal);

  // ---- admin.cpp
  // The next batch of a deletion, or, if there is nothing left to write, how it ended.
  std::optional<ErrorCode> delete_more(Turn& turn, Group& group, Ticket ticket);
  bool may_be_forgotten(const Group& group) const;

  // ---- timers.cpp
  void note_deadline(Group& group, Instant deadline);
  void deadlines_passed(Turn& turn, Group& group);
  void finish(Turn& turn);

  // ---- append.cpp
  // One batch is built at a time: begun, added to, finished.
  void begin_batch(const records::BatchOptions& options = {}) { builder_.reset(options); }
  std::size_t batch_bytes_max() const { return std::min(options_.batch_bytes_max, log_bytes_max_); }
  // False, and nothing is added, if the batch would be larger than it may be.
  [[nodiscard]] bool add_to_batch(const Turn& turn, const Group& group, const OffsetWrite& write);
  [[nodiscard]] bool add_to_batch(const Turn& turn, const GroupChange& change);
  [[nodiscard]] bool add_record(const Turn& turn);
  Buffer finish_batch();
  // Of this one record. Nothing if it is too large.
  std::optional<Buffer> make_batch(const Turn& turn, const GroupChange& change);
  void append(Turn& turn, Group& group, Buffer batch, AppendPurpose purpose);
  void append_empty_group(Turn& turn, Group& group);

  // ---- load.cpp
  void replay_change(Change& change);
  void replay_held(ProducerId producer, Change& change);
  void replay_offset(OffsetChange& change);
  void replay_group(GroupChange& change);

  Options options_;
  Prng random_;
  Phase phase_ = Phase::loading;
  std::map<std::string, Group, std::less<>> groups_;  // ordered: lists and sweeps reach effects
  std::map<std::pair<Instant, std::uint64_t>, Group*> agenda_;
  std::map<AppendToken, PendingAppend> appends_;
  std::map<ProducerId, std::set<std::string, std::less<>>> holders_;  // groups that hold offsets of them
  records::BatchBuilder builder_;
  KeyValue record_;  // that is being added; kept for its memory
  std::size_t log_bytes_max_ = SIZE_MAX;
  std::uint64_t next_serial_ = 1;
  std::uint64_t next_append_ = 1;
  std::size_t memory_ = 0;
  Instant next_sweep_ = Instant::max();
  std::optional<std::string> sweep_at_;  // the last group that the running sweep has seen
  Instant announced_ = Instant::max();   // the wake-up that the shell was last asked for
};

// ---- OffsetFetch before v8 asks for one group in other structs; these convert between the forms.
wire::OffsetFetchRequest::OffsetFetchRequestGroup as_group_request(const wire::OffsetFetchRequest& request);
// One answer of all groups' answers, in the form of `version`.
wire::OffsetFetchResponse merge_offset_fetch(
    const wire::OffsetFetchRequest& request, std::int16_t version,
    std::vector<wire::OffsetFetchResponse::OffsetFetchResponseGroup> groups);

}  // namespace tailwater::group
