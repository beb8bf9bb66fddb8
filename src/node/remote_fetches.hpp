// Fetch, the owner's side: partitions of this shard are read for fetches whose connections live on other
// shards. An answer that needs blocks of the disk and has nothing else to give waits for them.
#pragma once

#include <cstdint>
#include <map>

#include "node/context.hpp"
#include "node/mail.hpp"
#include "node/partitions.hpp"

namespace tailwater::node {

class RemoteFetches {
 public:
  RemoteFetches(Context& context, Partitions& partitions) : context_(context), partitions_(partitions) {}

  void asked(ShardId from, FetchMail&& mail);
  void unwatch(ShardId from, const UnwatchMail& mail);
  void ready(log::ReadTicket ticket);

 private:
  struct Waiting {
    ShardId from;
    FetchMail mail;
  };

  Context& context_;
  Partitions& partitions_;
  std::multimap<std::uint64_t, Waiting> waiting_;  // by ticket
};

}  // namespace tailwater::node
