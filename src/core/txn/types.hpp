// What goes into a transaction coordinator and what comes out of it.
// A request's answer is a Reply with the ticket that came with the request; each ticket is answered exactly
// once, at once or later. An Append is one whole record batch for the coordinator's own __transaction_state
// partition; its outcome comes back as TxnCoordinator::persisted(token, error), tokens of successful appends
// in the order of the appends. A log that refuses an append refuses also those that were wished behind it. A
// Marker is to be written to the log of one partition; its outcome comes back as
// TxnCoordinator::marked(token, error) when nothing that is appended from then on can outlive it. Nothing is
// answered, and no marker wished, before what it rests on is durable, with one exception: a log that cannot
// keep anything without what was appended here before it (placed()) does not wait for that.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "wire/error_code.hpp"

namespace tailwater::txn {

using wire::ErrorCode;

using Ticket = StrongId<struct TicketTag, std::uint64_t>;
using AppendToken = StrongId<struct AppendTokenTag, std::uint64_t>;
using MarkerToken = StrongId<struct MarkerTokenTag, std::uint64_t>;

struct TopicPartition {
  std::string topic;
  std::int32_t partition = 0;
  friend auto operator<=>(const TopicPartition&, const TopicPartition&) = default;
};

// A producer as it names itself in a request.
struct ProducerIdentity {
  ProducerId id{-1};
  ProducerEpoch epoch{-1};
  friend auto operator<=>(const ProducerIdentity&, const ProducerIdentity&) = default;
};

// A transaction that a partition has seen open.
struct OpenTransaction {
  ProducerIdentity producer;
  TopicPartition partition;
};

// How a client works with transactions (the feature transaction.version). From `bumping` on every end of a
// transaction raises the producer's epoch, so that nothing of it can be mistaken for a part of the next one
// (KIP-890).
enum class ClientVersion : std::int16_t { plain = 0, flexible = 1, bumping = 2 };

enum class Outcome : std::uint8_t { commit, abort };

// --- requests

struct InitRequest {
  std::string transactional_id;
  std::int32_t timeout_ms = 0;
  std::optional<ProducerIdentity> expected;  // KIP-360: who the client thinks it is
};

struct AddRequest {
  std::string transactional_id;
  ProducerIdentity producer;
  std::vector<TopicPartition> partitions;
  ClientVersion version = ClientVersion::plain;
  // The asker is the leader of all of them, and only wants to append behind this addition.
  bool by_leader = false;
};

// Whether partitions belong to the transaction that runs; asked by their leaders.
struct VerifyRequest {
  std::string transactional_id;
  ProducerIdentity producer;
  std::vector<TopicPartition> partitions;
};

struct EndRequest {
  std::string transactional_id;
  ProducerIdentity producer;
  Outcome outcome = Outcome::abort;
  ClientVersion version = ClientVersion::plain;
};

struct Answer {
  ErrorCode error{};
  ProducerIdentity producer;            // of InitRequest, and of EndRequest by a client that bumps
  std::vector<TopicPartition> missing;  // of VerifyRequest: those that do not belong, in its order
};

// --- effects

struct Reply {
  Ticket ticket;
  Answer answer;
};

struct Append {
  AppendToken token;
  Buffer batch;  // magic 2, not compressed, base offset 0: the log sets offset and leader epoch
};

struct Marker {
  MarkerToken token;
  TopicPartition partition;
  ProducerIdentity producer;
  Outcome outcome = Outcome::abort;
  ClientVersion version = ClientVersion::plain;
  std::int32_t coordinator_epoch = 0;
};

// Filled by the coordinator, emptied by its owner after each turn; keeps its memory.
struct TxnEffects {
  std::vector<Reply> replies;
  std::vector<Append> appends;
  std::vector<Marker> markers;
  bool producer_id_wanted = false;  // call give_producer_id() or no_producer_id(), once
  std::optional<Instant> wake_at;  // call tick() then, at the latest; a later one takes the place of this one
  std::vector<std::string> notes;  // what an operator should know

  bool empty() const {
    return replies.empty() && appends.empty() && markers.empty() && !producer_id_wanted && !wake_at &&
           notes.empty();
  }
  void clear() {
    replies.clear();
    appends.clear();
    markers.clear();
    producer_id_wanted = false;
    wake_at.reset();
    notes.clear();
  }
};

// Beside each: the broker's key, where Kafka has one.
struct Options {
  Duration timeout_max = Duration::from_ms(900'000);        // transaction.max.timeout.ms
  Duration id_expiration = Duration::from_ms(604'800'000);  // transactional.id.expiration.ms
  // transaction.abort.timed.out.transaction.cleanup.interval.ms
  Duration abort_interval = Duration::from_ms(10'000);
  // transaction.remove.expired.transaction.cleanup.interval.ms
  Duration expiry_interval = Duration::from_ms(3'600'000);
  // Ours: what meets an unfinished predecessor waits this long before CONCURRENT_TRANSACTIONS; a client's
  // back-off would cost more.
  Duration patience = Duration::from_ms(100);
  std::size_t waiting_max = 64;  // of one transactional id; more are refused at once
  Duration marker_retry = Duration::from_ms(100);
  std::size_t batch_bytes_max = std::size_t{16} << 20;  // of one append
  std::size_t memory_max = std::size_t{256} << 20;      // of all transactional ids of this coordinator
};

}  // namespace tailwater::txn
