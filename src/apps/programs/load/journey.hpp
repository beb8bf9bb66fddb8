// From producer to consumer: the times at which batches were meant to be sent, by partition and offset, for
// whoever receives them. REQUIRES: one connection writes a partition, so that offsets come in its order.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

namespace tailwater::load {

class Journey {
 public:
  // `begins`: the offset that the next batch of each partition will get.
  Journey(const std::vector<std::int64_t>& begins, std::uint32_t records_of_batch)
      : records_(records_of_batch) {
    for (const std::int64_t begin : begins) partitions_.push_back({begin, {}});
  }

  void sent(std::uint32_t partition, std::int64_t intended_ns) {
    partitions_.at(partition).intended.push_back(intended_ns);
  }
  // When the batch at `offset` was to be sent; nothing if no batch is due there.
  std::optional<std::int64_t> received(std::uint32_t partition, std::int64_t offset) {
    Partition& way = partitions_.at(partition);
    if (way.intended.empty() || way.next != offset) return std::nullopt;
    way.next += records_;
    const std::int64_t intended = way.intended.front();
    way.intended.pop_front();
    return intended;
  }
  // Whether all that was sent came.
  bool is_over() const {
    for (const Partition& way : partitions_) {
      if (!way.intended.empty()) return false;
    }
    return true;
  }

 private:
  struct Partition {
    std::int64_t next;
    std::deque<std::int64_t> intended;
  };
  std::uint32_t records_;
  std::vector<Partition> partitions_;
};

}  // namespace tailwater::load
