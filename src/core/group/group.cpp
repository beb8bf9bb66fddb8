#include "core/group/group.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"

namespace tailwater::group {
namespace {

constexpr std::size_t kGroupWeight = 1'024;
constexpr std::size_t kPendingWeight = 96;

Duration duration_of(std::int32_t milliseconds) {
  return Duration::from_ms(std::max(milliseconds, 0));
}

std::int32_t milliseconds_of(Duration duration) {
  return static_cast<std::int32_t>(std::clamp<std::int64_t>(duration.to_ms(), 0, INT32_MAX));
}

Member member_of(const MemberRecord& record, const std::string& protocol_name) {
  Member member;
  member.id = record.member_id;
  member.instance_id = record.instance_id;
  member.client_id = record.client_id;
  member.client_host = record.client_host;
  member.session_timeout = duration_of(record.session_timeout_ms);
  member.rebalance_timeout =
      record.rebalance_timeout_ms < 0 ? member.session_timeout : duration_of(record.rebalance_timeout_ms);
  member.protocols.push_back({protocol_name, record.subscription});
  member.assignment = record.assignment;
  return member;
}

}  // namespace

Group::Group(std::string id, std::uint64_t serial, WallTime now)
    : id_(std::move(id)), serial_(serial), state_since_(now) {}

void Group::move_to(State to, WallTime now) {
  CHECK(is_legal(state_, to));
  state_ = to;
  state_since_ = now;
}

bool Group::is_subscribed_to(std::string_view topic) const {
  return subscribed_ ? subscribed_->contains(topic) : uses_consumer_protocol();
}

Member* Group::find(std::string_view member_id) {
  const auto found = members_.find(member_id);
  return found == members_.end() ? nullptr : &found->second;
}

Member* Group::find_static(std::string_view instance_id) {
  const auto found = static_members_.find(instance_id);
  return found == static_members_.end() ? nullptr : find(found->second);
}

Member& Group::add(Member member, std::string_view protocol_type) {
  CHECK(!members_.contains(member.id));
  CHECK(!member.join && !member.sync);
  remove_pending(member.id);
  member.order = next_order_++;
  if (member.instance_id) {
    const bool is_new = static_members_.emplace(*member.instance_id, member.id).second;
    CHECK(is_new);
  }
  if (members_.empty()) {
    protocol_type_.reset();
    if (!protocol_type.empty()) protocol_type_ = protocol_type;
  }
  if (!leader_ || members_.empty()) leader_ = member.id;
  count_protocols(member, +1);
  member_weight_ += member.weight();
  std::string id = member.id;
  return members_.emplace(std::move(id), std::move(member)).first->second;
}

void Group::remove(std::string_view member_id) {
  const auto found = members_.find(member_id);
  CHECK(found != members_.end());
  const Member& member = found->second;
  CHECK(!member.join && !member.sync);
  count_protocols(member, -1);
  member_weight_ -= member.weight();
  if (member.pending_sync) --pending_syncs_;
  if (member.instance_id) static_members_.erase(*member.instance_id);
  const bool led = is_leader(member);
  members_.erase(found);
  if (!led) return;
  leader_.reset();
  const auto next =
      std::ranges::min_element(members_, {}, [](const auto& entry) { return entry.second.order; });
  if (next != members_.end()) leader_ = next->first;
}

void Group::set_protocols(Member& member, std::vector<Protocol> protocols) {
  count_protocols(member, -1);
  member_weight_ -= member.weight();
  member.protocols = std::move(protocols);
  member_weight_ += member.weight();
  count_protocols(member, +1);
}

void Group::set_assignment(Member& member, Buffer assignment) {
  member_weight_ -= member.weight();
  member.assignment = std::move(assignment);
  member_weight_ += member.weight();
}

void Group::set_client(Member& member, std::string_view client_id, std::string_view client_host) {
  member_weight_ -= member.weight();
  member.client_id = client_id;
  member.client_host = client_host;
  member_weight_ += member.weight();
}

void Group::rename(Member& member, std::string new_id) {
  CHECK(!member.join && !member.sync);
  CHECK(!members_.contains(new_id));
  if (is_leader(member)) leader_ = new_id;
  if (member.instance_id) static_members_.find(*member.instance_id)->second = new_id;
  member_weight_ -= member.weight();
  auto node = members_.extract(member.id);
  node.key() = new_id;
  member.id = std::move(new_id);
  member_weight_ += member.weight();
  members_.insert(std::move(node));
}

void Group::wait_for_join(Member& member, Waiting waiting) {
  CHECK(!member.join);
  member.join = waiting;
  ++joined_;
}

std::optional<Waiting> Group::take_join(Member& member) {
  if (member.join) --joined_;
  return std::exchange(member.join, std::nullopt);
}

void Group::expect_syncs() {
  for (auto& [id, member] : members_) member.pending_sync = true;
  pending_syncs_ = members_.size();
}

void Group::expect_no_syncs() {
  for (auto& [id, member] : members_) member.pending_sync = false;
  pending_syncs_ = 0;
}

void Group::synced(Member& member) {
  if (std::exchange(member.pending_sync, false)) --pending_syncs_;
}

bool Group::supports(std::string_view type, const std::vector<Protocol>& protocols,
                     const Member* except) const {
  if (type.empty() || protocols.empty()) return false;
  const std::size_t others = members_.size() - (except != nullptr ? 1 : 0);
  if (members_.empty()) return true;
  if (protocol_type_ != type) return false;
  return others == 0 || std::ranges::any_of(protocols, [&](const Protocol& offered) {
           const auto found = support_.find(offered.name);
           if (found == support_.end()) return false;
           const bool counts_itself = except != nullptr && except->metadata_of(offered.name) != nullptr;
           return found->second - (counts_itself ? 1 : 0) == others;
         });
}

std::string Group::select_protocol() const {
  CHECK(!members_.empty());
  const auto leading = leader_ ? members_.find(*leader_) : members_.end();
  const Member& leader = leading == members_.end() ? members_.begin()->second : leading->second;
  std::map<std::string_view, std::size_t> votes;
  for (const auto& [id, member] : members_) {
    for (const Protocol& own : member.protocols) {
      if (support_.find(own.name)->second != members_.size()) continue;
      ++votes[own.name];
      break;
    }
  }
  // Equal votes: the leader's order of preference decides.
  const Protocol* best = nullptr;
  std::size_t best_votes = 0;
  for (const Protocol& own : leader.protocols) {
    const auto found = votes.find(own.name);
    if (found == votes.end() || found->second <= best_votes) continue;
    best = &own;
    best_votes = found->second;
  }
  // Nothing in common is possible only for members that a damaged record brought along.
  if (best == nullptr) return leader.protocols.empty() ? std::string() : leader.protocols.front().name;
  return best->name;
}

const Member* Group::first_joined() const {
  const Member* first = nullptr;
  for (const auto& [id, member] : members_) {
    if (member.join && (first == nullptr || member.order < first->order)) first = &member;
  }
  return first;
}

bool Group::elect_joined_leader() {
  if (leader_) {
    const Member* current = find(*leader_);
    if (current != nullptr && current->join) return true;
  }
  const Member* first = first_joined();
  if (first == nullptr) return false;
  leader_ = first->id;
  return true;
}

void Group::start_generation(WallTime now) {
  generation_ = generation_ == INT32_MAX ? 1 : generation_ + 1;
  if (members_.empty()) {
    protocol_name_.reset();
    leader_.reset();
    move_to(State::empty, now);
  } else {
    protocol_name_ = select_protocol();
    move_to(State::completing, now);
  }
  refresh_subscription();
}

Duration Group::rebalance_timeout_max() const {
  Duration longest;
  for (const auto& [id, member] : members_) longest = std::max(longest, member.rebalance_timeout);
  return longest;
}

void Group::add_pending(std::string member_id, Instant deadline) {
  pending_weight_ += kPendingWeight + member_id.size();
  const bool is_new = pending_.emplace(std::move(member_id), deadline).second;
  CHECK(is_new);
}

void Group::remove_pending(std::string_view member_id) {
  const auto found = pending_.find(member_id);
  if (found == pending_.end()) return;
  pending_weight_ -= kPendingWeight + found->first.size();
  pending_.erase(found);
}

GroupRecord Group::bare_record() const {
  return {.protocol_type = protocol_type_.value_or(std::string()),
          .generation = generation_,
          .state_since_ms = state_since_ ? state_since_->ms : -1};
}

MemberRecord Group::member_record(const Member& member) const {
  const Buffer* subscription = protocol_name_ ? member.metadata_of(*protocol_name_) : nullptr;
  return {.member_id = member.id,
          .instance_id = member.instance_id,
          .client_id = member.client_id,
          .client_host = member.client_host,
          .rebalance_timeout_ms = milliseconds_of(member.rebalance_timeout),
          .session_timeout_ms = milliseconds_of(member.session_timeout),
          .subscription = subscription != nullptr ? *subscription : Buffer(),
          .assignment = member.assignment};
}

GroupRecord Group::record() const {
  GroupRecord record = bare_record();
  if (state_ != State::stable) return record;
  record.protocol_name = protocol_name_;
  record.leader = leader_;
  for (const auto& [id, member] : members_) record.members.push_back(member_record(member));
  return record;
}

GroupRecord Group::record_with(const Assignments& assignments, WallTime since) const {
  GroupRecord record = bare_record();
  record.protocol_name = protocol_name_;
  record.leader = leader_;
  record.state_since_ms = since.ms;
  for (const auto& [id, member] : members_) {
    MemberRecord& added = record.members.emplace_back(member_record(member));
    const auto given = assignments.find(id);
    added.assignment = given == assignments.end() ? Buffer() : given->second;
  }
  return record;
}

void Group::load(const GroupRecord& record) {
  CHECK(joined_ == 0);
  members_.clear();
  static_members_.clear();
  support_.clear();
  pending_.clear();
  member_weight_ = 0;
  pending_weight_ = 0;
  leader_.reset();
  generation_ = record.generation;
  protocol_type_.reset();
  if (!record.protocol_type.empty()) protocol_type_ = record.protocol_type;
  protocol_name_ = record.protocol_name;
  // Damaged or foreign records may name a member or an instance twice; the first one counts.
  for (const MemberRecord& each : record.members) {
    if (each.member_id.empty() || members_.contains(each.member_id)) continue;
    Member member = member_of(each, protocol_name_.value_or(std::string()));
    if (member.instance_id && static_members_.contains(*member.instance_id)) member.instance_id.reset();
    add(std::move(member), record.protocol_type);
  }
  if (record.leader && members_.contains(*record.leader)) leader_ = record.leader;
  // Loading is no move: the state is what the record says, whatever was there before.
  state_ = members_.empty() ? State::empty : State::stable;
  state_since_.reset();
  if (record.state_since_ms >= 0) state_since_ = WallTime{record.state_since_ms};
  refresh_subscription();
}

std::size_t Group::weight() const {
  return kGroupWeight + 2 * id_.size() + member_weight_ + pending_weight_ + offsets.weight();
}

void Group::refresh_subscription() {
  subscribed_.reset();
  if (!uses_consumer_protocol()) return;
  std::set<std::string, std::less<>> topics;
  for (const auto& [id, member] : members_) {
    const Buffer* subscription = protocol_name_ ? member.metadata_of(*protocol_name_) : nullptr;
    if (subscription == nullptr) return;
    auto read = subscribed_topics(*subscription);
    if (!read) return;
    for (std::string& topic : *read) topics.insert(std::move(topic));
  }
  subscribed_ = std::move(topics);
}

void Group::count_protocols(const Member& member, std::int32_t change) {
  for (const Protocol& own : member.protocols) {
    std::size_t& count = support_[own.name];
    if (change > 0) {
      ++count;
    } else {
      CHECK(count > 0);
      if (--count == 0) support_.erase(own.name);
    }
  }
}

}  // namespace tailwater::group
