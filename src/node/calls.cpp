#include "node/calls.hpp"

#include "base/check.hpp"
#include "node/context.hpp"

namespace tailwater::node {

void Calls::Gather::ask(ShardId shard, std::uint32_t part, CallBody body) {
  calls_.context_.send(shard, CallMail{id_, part, std::move(body)});
}

Calls::Gather Calls::begin(std::size_t parts, Finish finish) {
  const std::uint64_t id = pending_.take();
  Pending& pending = *pending_.find(id);
  pending.answers.resize(parts);
  pending.is_answered.assign(parts, false);
  pending.outstanding = parts;
  pending.finish = std::move(finish);
  if (parts == 0) {
    Calls::finish(pending);
    give_back(id);
  }
  return Gather(*this, id);
}

Calls::Gather Calls::begin(std::size_t parts, Finish finish, Duration limit, AnswerBody otherwise) {
  const Gather gather = begin(parts, std::move(finish));
  if (Pending* pending = pending_.find(gather.id_)) {
    const Instant until = context_.now.monotonic + limit;
    bounds_.emplace(until, gather.id_);
    pending->bound = Bound{until, std::move(otherwise)};
  }
  return gather;
}

void Calls::tick() {
  while (!bounds_.empty() && bounds_.begin()->first <= context_.now.monotonic) {
    Pending* const over = pending_.find(bounds_.begin()->second);
    CHECK(over != nullptr);
    bounds_.erase(bounds_.begin());
    for (std::size_t part = 0; part < over->answers.size(); ++part) {
      if (!over->is_answered[part]) over->answers[part] = over->bound->otherwise;
    }
    finish(*over);
  }
}

Instant Calls::next_deadline() const {
  return bounds_.empty() ? Instant::max() : bounds_.begin()->first;
}

void Calls::answered(std::uint64_t gather, std::uint32_t part, AnswerBody body) {
  Pending* const pending = pending_.find(gather);
  CHECK(pending != nullptr);
  CHECK(part < pending->answers.size());
  --pending->outstanding;
  if (pending->finish) {
    pending->answers[part] = std::move(body);
    pending->is_answered[part] = true;
    if (pending->outstanding > 0) return;
    if (pending->bound) bounds_.erase({pending->bound->until, gather});
    finish(*pending);
  }
  if (pending->outstanding == 0) give_back(gather);
}

// It may begin the next gather.
void Calls::finish(Pending& pending) {
  Finish finish = std::move(pending.finish);
  finish(pending.answers);
}

void Calls::give_back(std::uint64_t gather) {
  constexpr std::size_t kAnswersKept = 64;
  Pending& pending = *pending_.find(gather);
  pending.answers.clear();
  if (pending.answers.capacity() > kAnswersKept) pending.answers = {};
  pending.bound.reset();
  pending_.give(gather);
}

}  // namespace tailwater::node
