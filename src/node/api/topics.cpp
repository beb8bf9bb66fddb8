// Requests that the metadata controller on shard 0 decides: passed on whole, its answer passed back.
#include "node/api/handlers.hpp"
#include "node/shard_state.hpp"

namespace tailwater::node {

namespace {

template <class Asked>
void pass_to_controller(ShardState& shard, const Request& request, Asked&& asked) {
  using Response = typename wire::ApiOf<std::remove_cvref_t<Asked>>::Response;
  auto gather = shard.calls.begin(1, [&shard, request](std::vector<AnswerBody>& answers) {
    shard.connections.answer(request,
                             std::get<Response>(std::get<cluster::ControllerResponse>(answers.front())));
  });
  gather.ask(ShardId{0}, 0, std::forward<Asked>(asked));
}

}  // namespace

void serve(ShardState& shard, const Request& request, wire::CreateTopicsRequest&& asked) {
  pass_to_controller(shard, request, std::move(asked));
}

void serve(ShardState& shard, const Request& request, wire::DeleteTopicsRequest&& asked) {
  constexpr std::int16_t kFirstVersionWithIds = 6;
  if (request.version < kFirstVersionWithIds) {
    for (std::string& name : asked.topic_names)
      asked.topics.push_back({.name = std::move(name), .topic_id = {}});
    asked.topic_names.clear();
  }
  pass_to_controller(shard, request, std::move(asked));
}

void serve(ShardState& shard, const Request& request, wire::CreatePartitionsRequest&& asked) {
  pass_to_controller(shard, request, std::move(asked));
}

void serve(ShardState& shard, const Request& request, wire::ElectLeadersRequest&& asked) {
  pass_to_controller(shard, request, std::move(asked));
}

void serve(ShardState& shard, const Request& request, wire::AlterPartitionReassignmentsRequest&& asked) {
  pass_to_controller(shard, request, std::move(asked));
}

void serve(ShardState& shard, const Request& request, wire::ListPartitionReassignmentsRequest&& asked) {
  shard.connections.answer(request, cluster::list_reassignments(*shard.context.image, asked));
}

void serve(ShardState& shard, const Request& request, wire::UpdateFeaturesRequest&& asked) {
  pass_to_controller(shard, request, std::move(asked));
}

void serve(ShardState& shard, const Request& request, wire::AlterConfigsRequest&& asked) {
  pass_to_controller(shard, request, std::move(asked));
}

void serve(ShardState& shard, const Request& request, wire::IncrementalAlterConfigsRequest&& asked) {
  pass_to_controller(shard, request, std::move(asked));
}

}  // namespace tailwater::node
