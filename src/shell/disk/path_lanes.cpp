#include "shell/disk/path_lanes.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace tailwater::shell {

bool PathLanes::add(std::uint64_t number, std::vector<std::string> keys, After after) {
  Node node;
  if (after == After::everything) {
    node.blockers = nodes_.size();
    if (node.blockers > 0) barriers_.push_back(number);
  } else {
    for (const std::string& key : keys) {
      auto& lane = lanes_[key];
      if (!lane.empty()) ++node.blockers;
      lane.push_back(number);
    }
    node.keys = std::move(keys);
  }
  const bool free = node.blockers == 0;
  CHECK(nodes_.emplace(number, std::move(node)).second);
  return free;
}

void PathLanes::finish(std::uint64_t number, std::vector<std::uint64_t>& freed) {
  const auto found = nodes_.find(number);
  CHECK(found != nodes_.end());
  CHECK(found->second.blockers == 0);
  const std::vector<std::string> keys = std::move(found->second.keys);
  nodes_.erase(found);

  const auto unblock = [&](std::uint64_t waiting) {
    if (--nodes_.at(waiting).blockers == 0) freed.push_back(waiting);
  };
  for (const std::string& key : keys) {
    const auto lane = lanes_.find(key);
    lane->second.pop_front();
    if (lane->second.empty()) {
      lanes_.erase(lane);
    } else {
      unblock(lane->second.front());
    }
  }
  std::erase_if(barriers_, [&](std::uint64_t barrier) {
    if (barrier < number) return false;
    unblock(barrier);
    return nodes_.at(barrier).blockers == 0;
  });
}

}  // namespace tailwater::shell
