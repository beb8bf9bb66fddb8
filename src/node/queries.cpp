#include "node/queries.hpp"

#include <utility>
#include <vector>

namespace tailwater::node {

void Queries::step(Waiting waiting) {
  const auto outcome = partitions_.query(waiting.query);
  if (outcome.wait) {
    waiting_.emplace(outcome.wait->value, std::move(waiting));
    return;
  }
  context_.send(waiting.from, AnswerMail{waiting.gather, waiting.part, outcome.answer});
}

void Queries::ask(ShardId from, std::uint64_t gather, std::uint32_t part, const OffsetQuery& query) {
  step({from, gather, part, query});
}

void Queries::ask(ShardId from, std::uint64_t gather, std::uint32_t part, const EpochQuery& query) {
  context_.send(from, AnswerMail{gather, part, partitions_.query(query).answer});
}

void Queries::ask(ShardId from, std::uint64_t gather, std::uint32_t part, const DeleteRecordsQuery& query) {
  Deleting deleting{from, gather, part, query};
  if (!step(deleting)) deleting_.push_back(deleting);
}

bool Queries::step(Deleting& deleting) {
  const auto outcome = partitions_.query(deleting.query);
  if (outcome.settled)
    context_.send(deleting.from, AnswerMail{deleting.gather, deleting.part, outcome.answer});
  return outcome.settled;
}

void Queries::settle() {
  std::erase_if(deleting_, [this](Deleting& deleting) { return step(deleting); });
}

void Queries::ask(ShardId from, std::uint64_t gather, std::uint32_t part, const LogSizesQuery&) {
  context_.send(from, AnswerMail{gather, part, partitions_.sizes()});
}

void Queries::ask(ShardId from, std::uint64_t gather, std::uint32_t part, const ProducersQuery& query) {
  context_.send(from, AnswerMail{gather, part, partitions_.query(query)});
}

void Queries::ask(ShardId from, std::uint64_t gather, std::uint32_t part, const MarkerCall& call) {
  partitions_.mark({from, gather, part}, call);
}

void Queries::ready(log::ReadTicket ticket) {
  std::vector<Waiting> due;
  const auto [first, last] = waiting_.equal_range(ticket.value);
  for (auto at = first; at != last; ++at) due.push_back(std::move(at->second));
  waiting_.erase(first, last);
  for (Waiting& waiting : due) step(std::move(waiting));
}

}  // namespace tailwater::node
