// One transactional id as the log of transactions keeps it, and the states it goes through.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string_view>

#include "core/txn/types.hpp"

namespace tailwater::txn {

// Values and names of Kafka's log and APIs.
enum class State : std::int8_t {
  empty = 0,                // a producer, and nothing begun
  ongoing = 1,              // partitions were added; neither committed nor aborted
  prepare_commit = 2,       // decided, for ever: markers are being written
  prepare_abort = 3,        // the same
  complete_commit = 4,      // every partition has its marker
  complete_abort = 5,       // the same
  dead = 6,                 // expired: a tombstone is being written
  prepare_epoch_fence = 7,  // of Kafka's memory only; here fencing and aborting are one step
};

std::string_view name_of(State state);
std::optional<State> state_named(std::string_view name);

// The gate: whether an id in state `from` may be written as `to`.
bool may_follow(State from, State to);

inline constexpr bool is_deciding(State state) {
  return state == State::prepare_commit || state == State::prepare_abort;
}
inline constexpr bool is_idle(State state) {
  return state == State::empty || state == State::complete_commit || state == State::complete_abort;
}
inline constexpr Outcome outcome_of(State state) {
  return state == State::prepare_commit || state == State::complete_commit ? Outcome::commit : Outcome::abort;
}

struct Metadata {
  ProducerIdentity producer;  // epoch -1: nobody was told of it yet
  ProducerId previous_id{-1};
  // The id that the producer has after this transaction, because its epochs are used up; -1 if it stays.
  ProducerId next_id{-1};
  // The epoch before, if the client that asks again with it shall get the same answer again. Not in the log.
  ProducerEpoch last_epoch{-1};
  std::int32_t timeout_ms = 0;
  State state = State::empty;
  std::set<TopicPartition> partitions;
  std::int64_t start_ms = -1;
  std::int64_t last_update_ms = -1;
  ClientVersion version = ClientVersion::plain;

  friend bool operator==(const Metadata&, const Metadata&) = default;
};

// The largest epoch that a client is given; the one above is for fencing it.
inline constexpr std::int16_t kLastEpoch = 32'766;

inline constexpr bool is_exhausted(ProducerEpoch epoch) {
  return epoch.value >= kLastEpoch;
}

}  // namespace tailwater::txn
