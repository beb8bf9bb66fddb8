// Questions about partitions of this shard (ListOffsets, OffsetForLeaderEpoch, DeleteRecords, sizes):
// answered at once, or after blocks were read.
#pragma once

#include <cstdint>
#include <map>
#include <variant>

#include "node/calls.hpp"
#include "node/context.hpp"
#include "node/partitions.hpp"

namespace tailwater::node {

class Queries {
 public:
  Queries(Context& context, Partitions& partitions) : context_(context), partitions_(partitions) {}

  void ask(ShardId from, std::uint64_t gather, std::uint32_t part, const OffsetQuery& query);
  void ask(ShardId from, std::uint64_t gather, std::uint32_t part, const EpochQuery& query);
  void ask(ShardId from, std::uint64_t gather, std::uint32_t part, const DeleteRecordsQuery& query);
  void ask(ShardId from, std::uint64_t gather, std::uint32_t part, const LogSizesQuery& query);

  // Blocks of a ticket have been read.
  void ready(log::ReadTicket ticket);

 private:
  struct Waiting {
    ShardId from;
    std::uint64_t gather = 0;
    std::uint32_t part = 0;
    OffsetQuery query;
  };
  void step(Waiting waiting);

  Context& context_;
  Partitions& partitions_;
  std::multimap<std::uint64_t, Waiting> waiting_;  // by ticket
};

}  // namespace tailwater::node
