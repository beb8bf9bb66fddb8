#include "core/txn/state.hpp"

namespace tailwater::txn {
namespace {

constexpr std::string_view kNames[] = {"Empty",        "Ongoing",          "PrepareCommit",
                                       "PrepareAbort", "CompleteCommit",   "CompleteAbort",
                                       "Dead",         "PrepareEpochFence"};

}  // namespace

std::string_view name_of(State state) {
  return kNames[static_cast<std::size_t>(state)];
}

std::optional<State> state_named(std::string_view name) {
  for (std::size_t each = 0; each < std::size(kNames); ++each) {
    if (kNames[each] == name) return static_cast<State>(each);
  }
  return std::nullopt;
}

bool may_follow(State from, State to) {
  switch (to) {
    case State::empty:
      return is_idle(from);
    case State::ongoing:
      return from == State::ongoing || is_idle(from);
    case State::prepare_commit:
      return from == State::ongoing;
    case State::prepare_abort:  // of an idle one: a client that bumps its epoch aborts without having begun
      return from == State::ongoing || is_idle(from);
    case State::complete_commit:
      return from == State::prepare_commit;
    case State::complete_abort:
      return from == State::prepare_abort;
    case State::dead:
      return is_idle(from);
    case State::prepare_epoch_fence:
      return false;
  }
  return false;
}

}  // namespace tailwater::txn
