#include "node/calls.hpp"

#include "base/check.hpp"
#include "node/context.hpp"

namespace tailwater::node {

void Calls::Gather::ask(ShardId shard, std::uint32_t part, CallBody body) {
  calls_.context_.send(shard, CallMail{id_, part, std::move(body)});
}

Calls::Gather Calls::begin(std::size_t parts, Finish finish) {
  const std::uint64_t id = next_++;
  Pending pending{std::vector<std::optional<AnswerBody>>(parts), parts, std::move(finish), std::nullopt};
  if (parts == 0) {
    Calls::finish(std::move(pending));
  } else {
    pending_.emplace(id, std::move(pending));
  }
  return Gather(*this, id);
}

Calls::Gather Calls::begin(std::size_t parts, Finish finish, Duration limit, AnswerBody otherwise) {
  const Gather gather = begin(parts, std::move(finish));
  if (const auto at = pending_.find(gather.id_); at != pending_.end()) {
    const Instant until = context_.now.monotonic + limit;
    bounds_.emplace(until, gather.id_);
    at->second.bound = Bound{until, std::move(otherwise)};
  }
  return gather;
}

void Calls::tick() {
  while (!bounds_.empty() && bounds_.begin()->first <= context_.now.monotonic) {
    const auto at = pending_.find(bounds_.begin()->second);
    CHECK(at != pending_.end());
    bounds_.erase(bounds_.begin());
    late_.emplace(at->first, at->second.outstanding);
    Pending over = std::move(at->second);
    pending_.erase(at);
    finish(std::move(over));
  }
}

Instant Calls::next_deadline() const {
  return bounds_.empty() ? Instant::max() : bounds_.begin()->first;
}

void Calls::answered(std::uint64_t gather, std::uint32_t part, AnswerBody body) {
  if (const auto late = late_.find(gather); late != late_.end()) {
    if (--late->second == 0) late_.erase(late);
    return;
  }
  const auto at = pending_.find(gather);
  CHECK(at != pending_.end());
  Pending& pending = at->second;
  CHECK(part < pending.answers.size());
  pending.answers[part] = std::move(body);
  if (--pending.outstanding > 0) return;
  if (pending.bound) bounds_.erase({pending.bound->until, gather});
  Pending whole = std::move(pending);
  pending_.erase(at);
  finish(std::move(whole));
}

void Calls::finish(Pending pending) {
  std::vector<AnswerBody> answers;
  answers.reserve(pending.answers.size());
  for (auto& answer : pending.answers) {
    CHECK(answer || pending.bound);
    answers.push_back(answer ? std::move(*answer) : pending.bound->otherwise);
  }
  pending.finish(answers);
}

}  // namespace tailwater::node
