// Order among operations that name paths: two of them run one after the other, in the order of their
// submission, if they share the first component of a path (the partition's folder); all others may overlap.
// Listing a log directory itself waits for everything that was submitted before it. Numbers of operations
// only ever grow.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

namespace tailwater::shell {

class PathLanes {
 public:
  enum class After : std::uint8_t { same_keys, everything };

  // True if the operation may run at once. REQUIRES: number is above all earlier ones; keys are distinct.
  bool add(std::uint64_t number, std::vector<std::string> keys, After after = After::same_keys);
  // The operation has ended: appends the numbers of those that may run now.
  void finish(std::uint64_t number, std::vector<std::uint64_t>& freed);
  bool empty() const { return nodes_.empty(); }

 private:
  struct Node {
    std::vector<std::string> keys;
    std::size_t blockers = 0;
  };

  std::unordered_map<std::string, std::deque<std::uint64_t>> lanes_;
  std::unordered_map<std::uint64_t, Node> nodes_;
  std::vector<std::uint64_t> barriers_;  // operations that wait for everything before them
};

}  // namespace tailwater::shell
