// The committed offsets of one group, with what is on its way to the log.
// Only durable values are ever shown: a commit that is in flight changes nothing until it is applied.
// Deciding sees what is in flight through begin()/end(): an entry with a write in flight neither expires nor
// is forgotten. Offsets of open transactions are held beside it: the log has them, but they count only when
// their transaction commits, and then only where nothing was committed after them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "core/group/records.hpp"

namespace tailwater::group {

struct HeldOffset {
  ProducerId producer;
  CommittedOffset value;
  std::uint64_t order = 0;
};

struct OffsetEntry {
  std::optional<CommittedOffset> committed;
  std::uint64_t order = 0;       // of the committed one: its place among this group's writes in the log
  std::vector<HeldOffset> held;  // of open transactions, one of each producer
  std::uint32_t writes_in_flight = 0;
};

class OffsetTable {
 public:
  using Partitions = std::map<std::int32_t, OffsetEntry>;
  using Topics = std::map<std::string, Partitions, std::less<>>;

  const CommittedOffset* find(std::string_view topic, std::int32_t partition) const;
  bool knows(std::string_view topic, std::int32_t partition) const;
  // Whether an open transaction may yet change it.
  bool is_unstable(std::string_view topic, std::int32_t partition) const;
  const Topics& topics() const { return topics_; }
  // No offset, and none on its way.
  bool empty() const { return topics_.empty(); }

  // A write of this partition's offset was handed to the log; each begin() has its end().
  void begin(std::string_view topic, std::int32_t partition);
  void end(std::string_view topic, std::int32_t partition);
  // The log holds this value; none is a tombstone, which also takes what transactions hold.
  void apply(std::string_view topic, std::int32_t partition, std::optional<CommittedOffset> value);
  // The log holds this value of a transaction of the producer.
  void hold(ProducerId producer, std::string_view topic, std::int32_t partition, CommittedOffset value);
  // The producer's transaction has ended.
  void release(ProducerId producer, bool commits);

  std::size_t weight() const { return weight_; }

 private:
  const OffsetEntry* look(std::string_view topic, std::int32_t partition) const;
  OffsetEntry& entry(std::string_view topic, std::int32_t partition);
  void drop_if_idle(std::string_view topic, std::int32_t partition);

  Topics topics_;
  std::map<ProducerId, std::vector<std::pair<std::string, std::int32_t>>> holders_;
  std::uint64_t next_order_ = 1;
  std::size_t weight_ = 0;
};

}  // namespace tailwater::group
