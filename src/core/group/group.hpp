// One classic group: its state, its members, its offsets. It keeps its own counts and indexes consistent and
// decides nothing about requests, time or records; that is the coordinator's part (coordinator.hpp).
// GUARANTEES: states change along the legal moves only; member pointers stay valid until that member is
// removed. Single-threaded, no locks.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "core/group/member.hpp"
#include "core/group/offset_table.hpp"
#include "core/group/records.hpp"
#include "core/group/state.hpp"

namespace tailwater::group {

// The protocol type of groups whose members speak Kafka's consumer protocol.
inline constexpr std::string_view kConsumerProtocolType = "consumer";

// The running join phase; meaningful in State::preparing.
struct JoinPhase {
  Instant started;
  Instant deadline;
  bool initial = false;           // the first rebalance of an empty group waits for more members
  bool newcomer_arrived = false;  // since the initial delay last began
  Duration delay;                 // the running piece of the initial delay
  Duration remaining;             // what the initial delay may still be extended by
};

// What each member is given, by member id.
using Assignments = std::map<std::string, Buffer, std::less<>>;

class Group {
 public:
  using Members = std::map<std::string, Member, std::less<>>;

  Group(std::string id, std::uint64_t serial, WallTime now);

  const std::string& id() const { return id_; }
  // Never reused: a group that was deleted and created anew has another.
  std::uint64_t serial() const { return serial_; }

  State state() const { return state_; }
  // None for groups loaded from records of old brokers, which did not keep it.
  std::optional<WallTime> state_since() const { return state_since_; }
  bool is(State state) const { return state_ == state; }
  void move_to(State to, WallTime now);

  std::int32_t generation() const { return generation_; }
  const std::optional<std::string>& protocol_type() const { return protocol_type_; }
  const std::optional<std::string>& protocol_name() const { return protocol_name_; }
  const std::optional<std::string>& leader() const { return leader_; }
  bool is_leader(const Member& member) const { return leader_ == member.id; }
  bool uses_consumer_protocol() const { return protocol_type_ == kConsumerProtocolType; }
  // True also where the subscription cannot be read: rather keep an offset than lose it.
  bool is_subscribed_to(std::string_view topic) const;
  bool knows_subscription() const { return subscribed_.has_value(); }
  // To be called where members changed their metadata and no new generation begins.
  void refresh_subscription();

  // ---- members
  const Members& members() const { return members_; }
  Members& members() { return members_; }
  std::size_t size() const { return members_.size(); }
  Member* find(std::string_view member_id);
  Member* find_static(std::string_view instance_id);
  // The first member's protocol type becomes the group's. REQUIRES: neither the id nor the instance id is
  // taken.
  Member& add(Member member, std::string_view protocol_type);
  void remove(std::string_view member_id);
  void set_protocols(Member& member, std::vector<Protocol> protocols);
  void set_assignment(Member& member, Buffer assignment);
  void set_client(Member& member, std::string_view client_id, std::string_view client_host);
  // Gives a static member another id; the member stays where it is in memory. REQUIRES: it waits for nothing.
  void rename(Member& member, std::string new_id);

  void wait_for_join(Member& member, Waiting waiting);
  std::optional<Waiting> take_join(Member& member);
  std::size_t joined_count() const { return joined_; }
  // Every member waits for its join's answer, and no id that was given out is still to come.
  bool all_joined() const { return joined_ == members_.size() && pending_.empty(); }

  // ---- who was told of the generation and has not asked for its assignment yet
  void expect_syncs();  // everybody
  void expect_no_syncs();
  void synced(Member& member);
  std::size_t pending_syncs() const { return pending_syncs_; }

  // Whether a member with these protocols could be in one group with all members but `except`.
  bool supports(std::string_view type, const std::vector<Protocol>& protocols, const Member* except) const;
  // The protocol that most members prefer among those that all support. REQUIRES: members.
  std::string select_protocol() const;
  // False if no member has joined. Keeps the leader if it has.
  bool elect_joined_leader();
  // Ends a join phase: generation + 1; completing with members, empty without.
  void start_generation(WallTime now);
  Duration rebalance_timeout_max() const;

  // ---- ids that were given out and have not joined yet
  const std::map<std::string, Instant, std::less<>>& pending() const { return pending_; }
  bool is_pending(std::string_view member_id) const { return pending_.contains(member_id); }
  void add_pending(std::string member_id, Instant deadline);
  void remove_pending(std::string_view member_id);

  // ---- what the log keeps
  // The group as its record says it. In a rebalance the members are left out: whoever loads such a record
  // makes them join again, while half a generation would give them empty assignments.
  GroupRecord record() const;
  // The group as it will be once these assignments are durable.
  GroupRecord record_with(const Assignments& assignments, WallTime since) const;
  // Takes the place of whatever membership there was. REQUIRES: nobody waits.
  void load(const GroupRecord& record);

  // Bytes held in memory, near enough for a budget.
  std::size_t weight() const;

  // ---- the coordinator's own notes about this group
  JoinPhase join_phase;
  std::optional<Instant> sync_deadline;  // members that have not synced by then are removed
  OffsetTable offsets;
  bool has_record = false;          // the log holds (or is being given) a record of this group's membership
  bool deletion_in_flight = false;  // as good as dead, unless its tombstones cannot be written
  std::uint32_t appends_in_flight = 0;
  std::optional<std::int32_t> assignment_in_flight;  // the generation whose assignment is being written
  Instant due = Instant::max();                      // no deadline of this group lies before it
  Instant scheduled = Instant::max();                // where the coordinator's agenda has it
  std::size_t accounted = 0;                         // of weight(), what the coordinator's budget has counted

 private:
  GroupRecord bare_record() const;
  MemberRecord member_record(const Member& member) const;
  void count_protocols(const Member& member, std::int32_t change);
  const Member* first_joined() const;

  std::string id_;
  std::uint64_t serial_;
  State state_ = State::empty;
  std::optional<WallTime> state_since_;
  std::int32_t generation_ = 0;
  std::optional<std::string> protocol_type_;
  std::optional<std::string> protocol_name_;
  std::optional<std::string> leader_;
  std::optional<std::set<std::string, std::less<>>> subscribed_;
  Members members_;
  std::map<std::string, std::string, std::less<>> static_members_;  // instance id -> member id
  std::map<std::string, Instant, std::less<>> pending_;
  std::map<std::string, std::size_t, std::less<>> support_;  // protocol -> members that support it
  std::size_t joined_ = 0;
  std::size_t pending_syncs_ = 0;
  std::uint64_t next_order_ = 0;
  std::size_t member_weight_ = 0;
  std::size_t pending_weight_ = 0;
};

}  // namespace tailwater::group
