// What goes into a group coordinator and what comes out of it.
// A request's answer is a Reply with the ticket that came with the request; each ticket is answered exactly
// once, at once or later. An Append is one whole record batch for the coordinator's own __consumer_offsets
// partition; its outcome comes back as GroupCoordinator::persisted(token, error), tokens of successful
// appends in the order of the appends. Replies that depend on an append are given only by that call, so the
// shell has no ordering rule to get wrong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "base/uuid.hpp"
#include "wire/api/delete_groups.hpp"
#include "wire/api/heartbeat.hpp"
#include "wire/api/join_group.hpp"
#include "wire/api/leave_group.hpp"
#include "wire/api/offset_commit.hpp"
#include "wire/api/offset_delete.hpp"
#include "wire/api/sync_group.hpp"
#include "wire/api/txn_offset_commit.hpp"
#include "wire/error_code.hpp"

namespace tailwater::group {

using wire::ErrorCode;

using Ticket = StrongId<struct TicketTag, std::uint64_t>;
using AppendToken = StrongId<struct AppendTokenTag, std::uint64_t>;

// Beside each: the broker's key, where Kafka has one.
struct Options {
  Duration session_timeout_min = Duration::from_ms(6'000);      // group.min.session.timeout.ms
  Duration session_timeout_max = Duration::from_ms(1'800'000);  // group.max.session.timeout.ms
  Duration initial_rebalance_delay = Duration::from_ms(3'000);  // group.initial.rebalance.delay.ms
  std::int32_t group_size_max = INT32_MAX;                      // group.max.size
  Duration offsets_retention = Duration::from_ms(604'800'000);  // offsets.retention.minutes
  Duration expiry_interval = Duration::from_ms(600'000);        // offsets.retention.check.interval.ms
  std::size_t offset_metadata_max = 4'096;                      // offset.metadata.max.bytes, in UTF-16 units
  Duration new_member_timeout = Duration::from_ms(300'000);  // a joiner that knows no id yet waits this long
  // Ours: no group grows without bound.
  std::size_t member_metadata_max = std::size_t{1} << 20;  // names and metadata of one member's protocols
  std::size_t member_protocols_max = 1'000;
  std::size_t pending_members_max = 10'000;             // ids given out in a group and not used yet
  std::size_t batch_bytes_max = std::size_t{16} << 20;  // of one append
  std::size_t memory_max = std::size_t{256} << 20;      // of all groups of this coordinator
};

// Whether the topic of this name and id is no more; of a zero id the name alone tells.
using IsGone = std::function<bool(std::string_view topic, const Uuid& id)>;

// Who asks, and when. The texts are borrowed for the time of the call.
struct Call {
  Ticket ticket;
  std::int16_t version = 0;
  std::string_view client_id;
  std::string_view client_host;
  Now now;
  const IsGone* is_gone = nullptr;  // of topics that went after the question came; null: none did
};

// DeleteGroups is asked group by group, so its answer is one result.
using ReplyBody =
    std::variant<wire::JoinGroupResponse, wire::SyncGroupResponse, wire::HeartbeatResponse,
                 wire::LeaveGroupResponse, wire::OffsetCommitResponse, wire::TxnOffsetCommitResponse,
                 wire::OffsetDeleteResponse, wire::DeleteGroupsResponse::DeletableGroupResult>;

struct Reply {
  Ticket ticket;
  ReplyBody body;
};

struct Append {
  AppendToken token;
  Buffer batch;  // magic 2, not compressed, base offset 0: the log sets offset and leader epoch
};

// Filled by the coordinator, emptied by its owner after each turn; keeps its memory.
struct GroupEffects {
  std::vector<Reply> replies;
  std::vector<Append> appends;
  std::optional<Instant>
      wake_at;  // call tick() then, at the latest; a later request takes the place of this one

  void clear() {
    replies.clear();
    appends.clear();
    wake_at.reset();
  }
};

}  // namespace tailwater::group
