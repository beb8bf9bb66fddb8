#include "node/calls.hpp"

#include "base/check.hpp"
#include "node/context.hpp"

namespace tailwater::node {

void Calls::Gather::ask(ShardId shard, std::uint32_t part, CallBody body) {
  calls_.context_.send(shard, CallMail{id_, part, std::move(body)});
}

Calls::Gather Calls::begin(std::size_t parts, Finish finish) {
  const std::uint64_t id = next_++;
  std::vector<AnswerBody> answers(parts);
  if (parts == 0) {
    finish(answers);
  } else {
    pending_.emplace(id, Pending{std::move(answers), parts, std::move(finish)});
  }
  return Gather(*this, id);
}

void Calls::answered(std::uint64_t gather, std::uint32_t part, AnswerBody body) {
  const auto at = pending_.find(gather);
  CHECK(at != pending_.end());
  Pending& pending = at->second;
  CHECK(part < pending.answers.size());
  pending.answers[part] = std::move(body);
  if (--pending.outstanding > 0) return;
  Pending whole = std::move(pending);
  pending_.erase(at);
  whole.finish(whole.answers);
}

}  // namespace tailwater::node
