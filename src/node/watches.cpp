#include "node/watches.hpp"

#include <algorithm>

namespace tailwater::node {

namespace {
constexpr std::size_t kWatchesMax = 20'000;  // of one partition; beyond it fetches look by their deadlines
}  // namespace

bool WatchList::add(const Watch& watch) {
  const auto at = std::ranges::lower_bound(watches_, watch);
  if (at != watches_.end() && *at == watch) return true;
  if (watches_.size() >= kWatchesMax) return false;
  watches_.insert(at, watch);
  return true;
}

void WatchList::drop(const Watch& watch) {
  const auto at = std::ranges::lower_bound(watches_, watch);
  if (at != watches_.end() && *at == watch) watches_.erase(at);
}

void WatchList::fire(std::vector<Watch>& told) {
  told.insert(told.end(), watches_.begin(), watches_.end());
  watches_.clear();
}

}  // namespace tailwater::node
