// The committed offsets of one group, with what is on its way to the log.
// Only durable values are ever shown: a commit that is in flight changes nothing until it is applied.
// Deciding sees what is in flight through begin()/end(): an entry with a write in flight neither expires nor
// is forgotten.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "core/group/records.hpp"

namespace tailwater::group {

struct OffsetEntry {
  std::optional<CommittedOffset> committed;
  std::uint32_t writes_in_flight = 0;
};

class OffsetTable {
 public:
  using Partitions = std::map<std::int32_t, OffsetEntry>;
  using Topics = std::map<std::string, Partitions, std::less<>>;

  const CommittedOffset* find(std::string_view topic, std::int32_t partition) const;
  bool knows(std::string_view topic, std::int32_t partition) const;
  const Topics& topics() const { return topics_; }
  // No offset, and none on its way.
  bool empty() const { return topics_.empty(); }

  // A write of this partition's offset was handed to the log; each begin() has its end().
  void begin(std::string_view topic, std::int32_t partition);
  void end(std::string_view topic, std::int32_t partition);
  // The log holds this value; none is a tombstone.
  void apply(std::string_view topic, std::int32_t partition, std::optional<CommittedOffset> value);

  std::size_t weight() const { return weight_; }

 private:
  OffsetEntry& entry(std::string_view topic, std::int32_t partition);
  void drop_if_idle(std::string_view topic, std::int32_t partition);

  Topics topics_;
  std::size_t weight_ = 0;
};

}  // namespace tailwater::group
