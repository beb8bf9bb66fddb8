// The transaction coordinator of one __transaction_state partition: who may write under a transactional id,
// which partitions its transaction has touched, and how it ends. A pure machine: typed calls in, effects out
// (types.hpp). "Propose, then apply": a request is decided (decide.hpp) on what is written or being written,
// the proposal goes to the log, and when it is durable it is applied and answered. Proposals follow each
// other without waiting, since the log keeps their order; an answer that proposes nothing waits for the
// writes that it speaks of. What meets an unfinished predecessor waits for Options::patience before it is
// told CONCURRENT_TRANSACTIONS.
//   life  constructed loading -> replay() per batch of the partition, in log order -> loaded() -> requests,
//         persisted(), marked(), tick() -> unload() when the partition's leadership goes; never reused
// GUARANTEES: every state change goes through the gate (state.hpp); once a prepared state is durable its
// markers are written, however often that fails, and only then the id is free; every ticket is answered once;
// nothing that a client, a clock or a disk hands in ends the process. Single-threaded, no locks.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "core/txn/decide.hpp"
#include "core/txn/records.hpp"
#include "core/txn/types.hpp"
#include "records/builder.hpp"
#include "records/compression.hpp"
#include "wire/api/describe_transactions.hpp"
#include "wire/api/list_transactions.hpp"

namespace tailwater::txn {

// What replay() made of one batch.
struct Replayed {
  std::uint32_t applied = 0;
  std::uint32_t foreign = 0;
  std::uint32_t damaged = 0;  // records that could not be read and were passed over
  friend bool operator==(const Replayed&, const Replayed&) = default;
};

class TxnCoordinator {
 public:
  explicit TxnCoordinator(const Options& options) : options_(options) {}

  // ---- life
  // One whole batch. An error means that the batch as such cannot be read; the caller decides whether to go
  // on.
  Result<Replayed> replay(Bytes batch, records::Codecs* codecs = nullptr);
  // `epoch` is the leader epoch of the partition: markers carry it, so that one of an older leader is
  // refused.
  void loaded(std::int32_t epoch, Now now, TxnEffects& out);
  // Answers everybody who waits with NOT_COORDINATOR, and everybody who comes from now on.
  void unload(TxnEffects& out);
  // The append is in the log, if not durable. `goes_before` tells of which partitions the logs keep nothing
  // that is appended from now on unless this append is kept: they need not wait for it.
  using GoesBefore = std::function<bool(const TopicPartition&)>;
  void placed(AppendToken token, const GoesBefore& goes_before, Now now, TxnEffects& out);
  // The outcomes of appends and markers; unknown tokens are ignored.
  void persisted(AppendToken token, ErrorCode error, Now now, TxnEffects& out);
  void marked(MarkerToken token, ErrorCode error, Now now, TxnEffects& out);
  void give_producer_id(ProducerId id, Now now, TxnEffects& out);
  void no_producer_id(Now now, TxnEffects& out);
  void tick(Now now, TxnEffects& out);
  // The log takes no larger batches; a transaction whose record would be larger gets no more partitions.
  void limit_batches(std::size_t bytes_max) { log_bytes_max_ = bytes_max; }

  // ---- requests, each answered by a Reply
  void init(Ticket ticket, InitRequest request, Now now, TxnEffects& out);
  void add(Ticket ticket, AddRequest request, Now now, TxnEffects& out);
  void verify(Ticket ticket, VerifyRequest request, Now now, TxnEffects& out);
  void end(Ticket ticket, EndRequest request, Now now, TxnEffects& out);

  // ---- questions, answered at once
  wire::DescribeTransactionsResponse::TransactionState describe(const std::string& transactional_id) const;
  // Appends the transactions that pass the filters; unknown names of states pass none.
  ErrorCode list(const wire::ListTransactionsRequest& request, WallTime now,
                 std::vector<wire::ListTransactionsResponse::TransactionState>& out) const;
  // Marks in `known` those which this coordinator runs or ends, and all as long as it cannot say that.
  // REQUIRES: `asked` is in the order of its producers' ids, and `known` as long.
  void find_open(std::span<const OpenTransaction> asked, std::vector<bool>& known) const;

  bool is_active() const { return phase_ == Phase::active; }
  std::size_t size() const { return transactions_.size(); }
  std::size_t memory() const { return memory_; }

 private:
  enum class Phase : std::uint8_t { loading, active, stopped };
  using Request = std::variant<InitRequest, AddRequest, VerifyRequest, EndRequest>;

  struct Turn {
    Now now;
    TxnEffects& out;
  };
  struct Waiter {
    Ticket ticket;
    Request request;
    Instant until;
  };
  // What a proposal makes of the state before it. Of the partitions it has only the change: many additions may
  // be on their way, each to all that were before. Of the only one on its way `newest` says it all: its change is
  // noted when another follows.
  struct InFlight {
    AppendToken token;
    Metadata next;                      // without partitions
    bool begins_anew = false;           // those that were before are not in it
    std::vector<TopicPartition> added;  // in order
    std::optional<std::pair<Ticket, Answer>> then;
    std::vector<TopicPartition> led;     // it is the leader of these who is answered then
    std::set<TopicPartition> undecided;  // their markers wait until this decision is durable
  };
  struct Transaction {
    Metadata committed;
    std::deque<InFlight> in_flight;  // in log order
    Metadata newest;                 // what they make of it, if there are any
    std::deque<Waiter> waiting;
    // Of the newest decision: markers that are being written, and that have failed, until the next try.
    std::map<MarkerToken, TopicPartition> unmarked;
    std::set<TopicPartition> retries;
    Instant retry_at = Instant::max();
    Instant abort_at = Instant::max();  // of an ongoing one: the end of its timeout
    Instant due = Instant::max();       // where the agenda has it
    std::size_t accounted = 0;

    // What new requests see.
    const Metadata& proposed() const { return in_flight.empty() ? committed : newest; }
  };
  using Entry = std::map<std::string, Transaction, std::less<>>::value_type;

  ErrorCode availability() const;
  Transaction* find(std::string_view id);
  void reply(Turn& turn, Ticket ticket, Answer answer);
  void refuse(Turn& turn, Ticket ticket, ErrorCode error);

  // ---- coordinator.cpp
  void ask(Turn& turn, Waiter waiter);
  void ask_known(Turn& turn, Entry& entry, Waiter waiter);
  Decision decide_for(const Transaction& transaction, const Request& request, Now now) const;
  void carry_out(Turn& turn, Entry& entry, Waiter waiter, Decision decision);
  void wait(Turn& turn, Entry& entry, Waiter waiter);
  void wake(Turn& turn, Entry& entry);
  void propose(Turn& turn, Entry& entry, Metadata next, std::optional<std::pair<Ticket, Answer>> then);
  static void note_change(InFlight& step, const std::set<TopicPartition>& before,
                          const std::set<TopicPartition>& after);
  static void take_step(Metadata& metadata, const InFlight& step);
  void applied(Turn& turn, Entry& entry, InFlight done);
  void withdraw(Turn& turn, Entry& entry, AppendToken from, ErrorCode error);
  bool fits_batch(std::string_view id, const Metadata& next) const;
  Answer answer_of(const Request& request, const Metadata& metadata) const;
  void take_producer_id(const Metadata& before, const Metadata& next);
  void want_producer_id(Turn& turn);
  void settle(Entry& entry);
  void forget(std::string_view id);

  // ---- markers.cpp
  void send_markers(Turn& turn, Entry& entry, const Metadata& decided,
                    const std::set<TopicPartition>& partitions);
  void recall_markers(Transaction& transaction);
  void complete_if_marked(Turn& turn, Entry& entry);

  // ---- timers.cpp
  void schedule(Entry& entry);
  void due(Turn& turn, Entry& entry);
  void abort_overdue(Turn& turn);
  void set_abort_time(Entry& entry, Now now);
  void expire(Turn& turn);
  void finish(Turn& turn);

  Options options_;
  Phase phase_ = Phase::loading;
  std::int32_t epoch_ = 0;
  std::map<std::string, Transaction, std::less<>> transactions_;  // ordered: lists and scans reach effects
  std::map<AppendToken, std::string> appends_;
  std::map<MarkerToken, std::string> markers_;
  std::set<std::pair<Instant, std::string>> agenda_;
  std::set<std::string, std::less<>> ongoing_;  // ids with an ongoing transaction
  std::vector<Waiter> waiting_for_ids_;
  std::optional<ProducerId> fresh_id_;
  bool id_asked_ = false;
  records::BatchBuilder builder_;
  std::size_t log_bytes_max_ = SIZE_MAX;
  std::uint64_t next_append_ = 1;
  std::uint64_t next_marker_ = 1;
  std::size_t memory_ = 0;
  Instant next_abort_scan_ = Instant::max();
  Instant next_expiry_scan_ = Instant::max();
  std::string expiry_from_;  // where the next scan for expired ids begins
  Instant announced_ = Instant::max();
};

}  // namespace tailwater::txn
