// Questions to the metadata controller on shard 0 that clients did not ask themselves, on the way of their
// requests. Its store may hang, and they must not hang with it: after a time the answer is an error that
// clients try again for.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/cluster/controller.hpp"

namespace tailwater::node {

class Calls;

// Makes the topics that do not exist. What was not made within the time has LEADER_NOT_AVAILABLE.
void ensure_topics(Calls& calls, std::vector<std::string> names,
                   std::move_only_function<void(const cluster::EnsuredTopics& ensured)> done);

// A block of producer ids for this shard, or COORDINATOR_LOAD_IN_PROGRESS.
void allocate_producer_ids(Calls& calls,
                           std::move_only_function<void(const cluster::ProducerIdBlock& block)> done);

}  // namespace tailwater::node
