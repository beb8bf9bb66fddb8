#include "core/txn/decide.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace tailwater::txn {
namespace {

constexpr ProducerEpoch kNoEpoch{-1};

Decision refuse(ErrorCode error) {
  return {.kind = Decision::Kind::refuse, .error = error, .next = {}};
}
Decision write(Metadata next) {
  return {.kind = Decision::Kind::write, .error = {}, .next = std::move(next)};
}
constexpr auto wait = [] { return Decision{.kind = Decision::Kind::wait, .error = {}, .next = {}}; };
constexpr auto need_id = [] {
  return Decision{.kind = Decision::Kind::need_producer_id, .error = {}, .next = {}};
};

ProducerEpoch after(ProducerEpoch epoch) {
  CHECK(epoch.value < INT16_MAX);
  return ProducerEpoch{static_cast<std::int16_t>(epoch.value + 1)};
}

// An expected id is right if it is the producer's, or the one before it of a client that has not heard of the
// change.
bool knows_producer(const Metadata& current, const ProducerIdentity& expected) {
  if (current.producer.epoch == kNoEpoch || expected.id == current.producer.id) return true;
  return expected.id == current.previous_id && is_exhausted(expected.epoch);
}

Metadata begun_anew(const Metadata& current, const InitRequest& request, WallTime now) {
  Metadata next = current;
  next.state = State::empty;
  next.timeout_ms = request.timeout_ms;
  next.partitions.clear();
  next.start_ms = -1;
  next.last_update_ms = now.ms;
  next.next_id = ProducerId{-1};
  return next;
}

Decision decide_idle(const Metadata& current, const InitRequest& request, WallTime now,
                     std::optional<ProducerId> fresh_id) {
  Metadata next = begun_anew(current, request, now);
  const auto& expected = request.expected;
  const bool is_new = current.producer.epoch == kNoEpoch;
  // Its own initialization has aborted what it left open with the last epoch, and nobody can have the one above.
  const bool is_beyond =
      current.producer.epoch.value > kLastEpoch && expected && expected->epoch == current.last_epoch;
  const bool continues = !expected || is_new || is_beyond || expected->epoch == current.producer.epoch;
  if (!continues) {
    // The answer to this request was lost: it is the same again.
    return expected->epoch == current.last_epoch ? write(std::move(next))
                                                 : refuse(ErrorCode::producer_fenced);
  }
  next.last_epoch = expected && !is_new ? expected->epoch : kNoEpoch;
  if (is_new || is_exhausted(current.producer.epoch)) {
    if (!fresh_id) return need_id();
    if (!is_new) next.previous_id = current.producer.id;
    next.producer = {*fresh_id, ProducerEpoch{0}};
  } else {
    next.producer.epoch = after(current.producer.epoch);
  }
  return write(std::move(next));
}

// A client that bumps names an end that is already decided by the epoch before.
bool is_repeated_end(const Metadata& current, const EndRequest& request) {
  if (request.version < ClientVersion::bumping || current.version < ClientVersion::bumping) return false;
  const ProducerIdentity& asked = request.producer;
  if (asked.id == current.producer.id) return asked.epoch.value + 1 == current.producer.epoch.value;
  return asked.id == current.previous_id && asked.epoch.value == kLastEpoch &&
         current.producer.epoch.value == 0;
}

// Whether it is the producer. A client that bumps has its next identity as soon as an end is decided, and what
// it asks for with that has to wait. The epoch above the last one is nobody's.
ErrorCode check_producer(const Metadata& current, const ProducerIdentity& asked) {
  // Nobody was given an identity yet, not even one of -1.
  if (current.producer.epoch == kNoEpoch) return ErrorCode::invalid_producer_id_mapping;
  if (is_deciding(current.state) && asked == identity_after(current)) return ErrorCode::none;
  if (asked.id != current.producer.id) return ErrorCode::invalid_producer_id_mapping;
  const bool holds = asked.epoch == current.producer.epoch && asked.epoch.value <= kLastEpoch;
  return holds ? ErrorCode::none : ErrorCode::producer_fenced;
}

ErrorCode check_end(const Metadata& current, const EndRequest& request) {
  const bool may_repeat = is_deciding(current.state) || current.state == State::complete_commit ||
                          current.state == State::complete_abort;
  if (!may_repeat || !is_repeated_end(current, request)) return check_producer(current, request.producer);
  // No client aborts and then commits the same: this one was aborted by the coordinator, for its time was over.
  const bool overtaken = request.outcome == Outcome::commit && outcome_of(current.state) == Outcome::abort;
  return overtaken ? ErrorCode::producer_fenced : ErrorCode::none;
}

Decision decided(const Metadata& current, const EndRequest& request, WallTime now,
                 std::optional<ProducerId> fresh_id) {
  Metadata next = current;
  next.state = request.outcome == Outcome::commit ? State::prepare_commit : State::prepare_abort;
  next.last_update_ms = now.ms;
  if (current.state != State::ongoing) {
    next.start_ms = now.ms;
    next.partitions.clear();
  }
  next.version = request.version;
  if (request.version < ClientVersion::bumping) return write(std::move(next));
  if (is_exhausted(current.producer.epoch)) {
    if (!fresh_id) return need_id();
    next.next_id = *fresh_id;
  }
  next.last_epoch = current.producer.epoch;
  next.producer.epoch = after(current.producer.epoch);
  return write(std::move(next));
}

}  // namespace

Decision decide(const Metadata& current, const InitRequest& request, WallTime now,
                std::optional<ProducerId> fresh_id) {
  if (is_deciding(current.state)) return wait();
  if (request.expected && !knows_producer(current, *request.expected)) {
    return refuse(ErrorCode::producer_fenced);
  }
  if (current.state != State::ongoing) return decide_idle(current, request, now, fresh_id);
  // Whoever has lost the epoch must not end the transaction of whoever has it.
  if (request.expected && request.expected->epoch != current.producer.epoch) {
    return refuse(ErrorCode::producer_fenced);
  }
  const ProducerEpoch last_epoch = request.expected ? request.expected->epoch : kNoEpoch;
  auto next = fenced(current, now, fresh_id, last_epoch);
  if (!next) return need_id();
  return {.kind = Decision::Kind::write_then_ask, .error = {}, .next = std::move(*next)};
}

Decision decide(const Metadata& current, const AddRequest& request, WallTime now) {
  const ErrorCode error = check_producer(current, request.producer);
  if (error != ErrorCode::none) return refuse(error);
  if (is_deciding(current.state)) return wait();
  const bool begun = current.state == State::ongoing;
  const auto is_known = [&](const TopicPartition& each) { return current.partitions.contains(each); };
  if (begun && std::ranges::all_of(request.partitions, is_known)) return refuse(ErrorCode::none);
  Metadata next = current;
  next.state = State::ongoing;
  if (!begun) {
    next.start_ms = now.ms;
    next.partitions.clear();
  }
  next.last_update_ms = now.ms;
  next.partitions.insert(request.partitions.begin(), request.partitions.end());
  next.version = request.version;
  return write(std::move(next));
}

Decision decide(const Metadata& current, const EndRequest& request, WallTime now,
                std::optional<ProducerId> fresh_id) {
  if (const ErrorCode error = check_end(current, request); error != ErrorCode::none) return refuse(error);
  const bool bumping = request.version >= ClientVersion::bumping;
  const bool commit = request.outcome == Outcome::commit;
  switch (current.state) {
    case State::ongoing:
      return decided(current, request, now, fresh_id);
    case State::prepare_commit:
    case State::prepare_abort:
      // A client that bumps is the next producer as soon as the end is decided: it ends its next transaction.
      if (current.version >= ClientVersion::bumping && request.producer == identity_after(current)) {
        return wait();
      }
      return outcome_of(current.state) == request.outcome ? wait() : refuse(ErrorCode::invalid_txn_state);
    case State::complete_commit:
    case State::complete_abort:
      if (!bumping || is_repeated_end(current, request)) {
        return refuse(outcome_of(current.state) == request.outcome ? ErrorCode::none
                                                                   : ErrorCode::invalid_txn_state);
      }
      return commit ? refuse(ErrorCode::invalid_txn_state) : decided(current, request, now, fresh_id);
    case State::empty:
      return bumping && !commit ? decided(current, request, now, fresh_id)
                                : refuse(ErrorCode::invalid_txn_state);
    case State::dead:
    case State::prepare_epoch_fence:
      break;
  }
  return refuse(ErrorCode::invalid_producer_id_mapping);
}

Decision decide(const Metadata& current, const VerifyRequest& request) {
  const ErrorCode error = check_producer(current, request.producer);
  if (error != ErrorCode::none) return refuse(error);
  if (is_deciding(current.state)) return wait();
  return refuse(ErrorCode::none);
}

std::optional<Metadata> fenced(const Metadata& current, WallTime now, std::optional<ProducerId> fresh_id,
                               ProducerEpoch last_epoch) {
  CHECK(current.state == State::ongoing);
  Metadata next = current;
  next.state = State::prepare_abort;
  // A client that bumps may still abort this transaction, and is told who it is from then on.
  if (current.version >= ClientVersion::bumping && is_exhausted(current.producer.epoch)) {
    if (!fresh_id) return std::nullopt;
    next.next_id = *fresh_id;
  }
  if (current.producer.epoch.value <= kLastEpoch) next.producer.epoch = after(current.producer.epoch);
  next.last_epoch = last_epoch;
  next.last_update_ms = now.ms;
  return next;
}

Metadata completed(const Metadata& current, WallTime now) {
  CHECK(is_deciding(current.state));
  Metadata next = current;
  next.state = current.state == State::prepare_commit ? State::complete_commit : State::complete_abort;
  next.partitions.clear();
  next.last_update_ms = now.ms;
  if (current.next_id != ProducerId{-1}) {
    next.previous_id = current.producer.id;
    next.producer = {current.next_id, ProducerEpoch{0}};
    next.next_id = ProducerId{-1};
  }
  return next;
}

bool is_overdue(const Metadata& current, WallTime now) {
  return current.state == State::ongoing && now.ms - current.start_ms > current.timeout_ms;
}

bool is_expired(const Metadata& current, WallTime now, Duration expiration) {
  return is_idle(current.state) && now.ms - current.last_update_ms >= expiration.to_ms();
}

ProducerIdentity identity_after(const Metadata& metadata) {
  if (metadata.next_id == ProducerId{-1}) return metadata.producer;
  return {metadata.next_id, ProducerEpoch{0}};
}

}  // namespace tailwater::txn
