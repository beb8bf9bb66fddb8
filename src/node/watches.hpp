// Who wants to hear of the next change of a partition: targets of fetch sessions, of this shard and of
// others. A watch is told once and is over then, so that a reader that is behind costs a busy partition
// nothing.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/ids.hpp"

namespace tailwater::node {

// A target of a fetch session; both numbers are of the shard where the session is.
struct Watch {
  ShardId shard;
  std::uint64_t session = 0;
  std::uint32_t target = 0;
  friend auto operator<=>(const Watch&, const Watch&) = default;
};

class WatchList {
 public:
  // False if the partition has too many watches already.
  bool add(const Watch& watch);
  void drop(const Watch& watch);
  // Moves all to the end of `told`.
  void fire(std::vector<Watch>& told);
  std::size_t size() const { return watches_.size(); }

 private:
  std::vector<Watch> watches_;  // in order
};

}  // namespace tailwater::node
