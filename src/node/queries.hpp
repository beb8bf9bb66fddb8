// Questions about partitions of this shard (ListOffsets, OffsetForLeaderEpoch, DeleteRecords, sizes):
// answered at once, after blocks were read, or when what they changed is durable.
#pragma once

#include <cstdint>
#include <map>
#include <variant>
#include <vector>

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
  void ask(ShardId from, std::uint64_t gather, std::uint32_t part, const ProducersQuery& query);
  void ask(ShardId from, std::uint64_t gather, std::uint32_t part, const MarkerCall& call);

  // Blocks of a ticket have been read.
  void ready(log::ReadTicket ticket);
  // Answers the deletions that have become durable, or never will.
  void settle();

 private:
  struct Waiting {
    ShardId from;
    std::uint64_t gather = 0;
    std::uint32_t part = 0;
    OffsetQuery query;
  };
  struct Deleting {
    ShardId from;
    std::uint64_t gather = 0;
    std::uint32_t part = 0;
    DeleteRecordsQuery query;
  };
  void step(Waiting waiting);
  bool step(Deleting& deleting);

  Context& context_;
  Partitions& partitions_;
  std::multimap<std::uint64_t, Waiting> waiting_;  // by ticket
  std::vector<Deleting> deleting_;
};

}  // namespace tailwater::node
