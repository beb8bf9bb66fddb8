#include "core/group/coordinator.hpp"

#include <utility>

#include "base/check.hpp"

namespace tailwater::group {

GroupCoordinator::GroupCoordinator(const Options& options, Prng random)
    : options_(options), random_(random) {}

ErrorCode GroupCoordinator::availability() const {
  switch (phase_) {
    case Phase::loading:
      return ErrorCode::coordinator_load_in_progress;
    case Phase::active:
      return ErrorCode::none;
    case Phase::stopped:
      return ErrorCode::not_coordinator;
  }
  return ErrorCode::unknown_server_error;
}

Group* GroupCoordinator::find(std::string_view group_id) {
  const auto found = groups_.find(group_id);
  return found == groups_.end() ? nullptr : &found->second;
}

const Group* GroupCoordinator::find_living(std::string_view group_id) const {
  const auto found = groups_.find(group_id);
  if (found == groups_.end() || found->second.deletion_in_flight) return nullptr;
  return &found->second;
}

Group& GroupCoordinator::create(const std::string& group_id, WallTime now) {
  const std::uint64_t serial = next_serial_++;
  const auto [created, is_new] = groups_.try_emplace(group_id, group_id, serial, now);
  CHECK(is_new);
  return created->second;
}

void GroupCoordinator::erase(Group& group) {
  CHECK(group.size() == 0);
  if (group.scheduled != Instant::max()) agenda_.erase({group.scheduled, group.serial()});
  memory_ -= group.accounted;
  const std::string id = group.id();
  groups_.erase(id);
}

bool GroupCoordinator::may_be_forgotten(const Group& group) const {
  return group.is(State::empty) && !group.has_record && group.pending().empty() && group.offsets.empty() &&
         group.appends_in_flight == 0;
}

void GroupCoordinator::settle(Group& group) {
  if (may_be_forgotten(group)) return erase(group);
  const std::size_t weight = group.weight();
  memory_ += weight - group.accounted;
  group.accounted = weight;
}

}  // namespace tailwater::group
