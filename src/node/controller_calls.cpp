#include "node/controller_calls.hpp"

#include <utility>

#include "node/calls.hpp"

namespace tailwater::node {

namespace {

// Far above what a store takes, and below the time after which clients give their connection up.
constexpr Duration kStoreWait = Duration::from_ms(5'000);

template <class Answer>
void ask_controller(Calls& calls, CallBody question, Answer otherwise,
                    std::move_only_function<void(const Answer&)> done) {
  auto gather = calls.begin(
      1,
      [done = std::move(done)](std::vector<AnswerBody>& answers) mutable {
        done(std::get<Answer>(std::get<cluster::ControllerResponse>(answers.front())));
      },
      kStoreWait, cluster::ControllerResponse(std::move(otherwise)));
  gather.ask(ShardId{0}, 0, std::move(question));
}

}  // namespace

void ensure_topics(Calls& calls, std::vector<std::string> names,
                   std::move_only_function<void(const cluster::EnsuredTopics& ensured)> done) {
  cluster::EnsuredTopics waited;
  for (const std::string& name : names) {
    waited.topics.push_back({.name = name,
                             .error_code = static_cast<std::int16_t>(wire::ErrorCode::leader_not_available),
                             .message = "The metadata store has not answered yet."});
  }
  ask_controller(calls, EnsureTopicsCall{std::move(names)}, std::move(waited), std::move(done));
}

void allocate_producer_ids(Calls& calls,
                           std::move_only_function<void(const cluster::ProducerIdBlock& block)> done) {
  cluster::ProducerIdBlock none;
  none.error_code = static_cast<std::int16_t>(wire::ErrorCode::coordinator_load_in_progress);
  ask_controller(calls, ProducerIdsCall{}, none, std::move(done));
}

}  // namespace tailwater::node
