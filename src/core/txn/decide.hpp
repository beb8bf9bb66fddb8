// What becomes of a request that meets a transactional id in some state: pure functions, in Kafka's order of
// checks. They propose; the coordinator has the proposal written, and only then applies it.
#pragma once

#include <optional>

#include "core/txn/state.hpp"

namespace tailwater::txn {

struct Decision {
  enum class Kind : std::uint8_t {
    refuse,           // with `error`; `none` is a success that changes nothing
    write,            // `next`, then answer
    write_then_ask,   // `next`, and ask again when it is over
    wait,             // for what is unfinished; CONCURRENT_TRANSACTIONS if that lasts
    need_producer_id  // ask again with a fresh one
  };
  Kind kind = Kind::refuse;
  ErrorCode error{};
  Metadata next;
};

Decision decide(const Metadata& current, const InitRequest& request, WallTime now,
                std::optional<ProducerId> fresh_id);
Decision decide(const Metadata& current, const AddRequest& request, WallTime now);
Decision decide(const Metadata& current, const EndRequest& request, WallTime now,
                std::optional<ProducerId> fresh_id);
// `none`, or why no partition of it can belong.
Decision decide(const Metadata& current, const VerifyRequest& request);

// A transaction is aborted and its epoch fenced: it has outlived its timeout, or its id begins anew. A producer that
// names `last_epoch` when it initializes gets the epoch that follows it. Nothing: ask again with a fresh producer
// id. REQUIRES: ongoing.
std::optional<Metadata> fenced(const Metadata& current, WallTime now, std::optional<ProducerId> fresh_id,
                               ProducerEpoch last_epoch = ProducerEpoch{-1});
// All markers are written. REQUIRES: is_deciding(current.state).
Metadata completed(const Metadata& current, WallTime now);

bool is_overdue(const Metadata& current, WallTime now);
bool is_expired(const Metadata& current, WallTime now, Duration expiration);

// Who the producer is from now on, as its client is told at the end of a transaction.
ProducerIdentity identity_after(const Metadata& metadata);

}  // namespace tailwater::txn
