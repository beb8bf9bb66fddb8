// The ground under a coordinator of groups or of transactions: its partition of an internal topic. It is read
// whole before the coordinator serves; then it takes the coordinator's batches in their order and says which
// of them are durable. GUARANTEES: outcomes of successful writes come in the order of the writes; each write
// has one outcome; a write that the log refuses takes those with it that wait behind it, but for one that is
// larger than the log takes at all, which is refused before it waits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "base/wait_queue.hpp"
#include "node/context.hpp"
#include "node/mail.hpp"
#include "node/partitions.hpp"

namespace tailwater::node {

class CoordinatorLog {
 public:
  struct Outcome {
    std::uint64_t token = 0;
    wire::ErrorCode error{};
  };
  using Replay = std::function<Result<void>(Bytes batch)>;

  CoordinatorLog(Context& context, Partitions& partitions, PartitionKey key);

  const PartitionKey& key() const { return key_; }
  // Null if the partition is gone or its directory is offline.
  PartitionState* partition() const { return partitions_.find(key_); }

  // Hands on some batches, from where the last step ended: little enough for the shard to go on meanwhile.
  // What cannot be read at all leaves it loading for ever: clients are told to wait, and nothing is answered
  // from half of the state.
  enum class LoadStep : std::uint8_t { none, taken, done };
  LoadStep load(const Replay& replay);
  // Whether a step may get on: not while blocks are being read.
  bool can_load() const { return loading_ && !load_failed_ && !ticket_; }
  void ready(log::ReadTicket ticket) {
    if (ticket_ == ticket) ticket_.reset();
  }
  bool loading() const { return loading_; }

  // Larger batches are refused, as the topic is configured now.
  std::size_t batch_bytes_max() const;
  // True if it is in the log now, if not durable.
  bool write(std::uint64_t token, Buffer batch);
  // While the journal has no room writes wait here; call it turn by turn.
  void retry();
  // The partition's durable end moved: outcomes of what lies below `end`, which is durable.
  void advanced(Offset end);
  void advanced();
  // Its directory may have failed.
  void directory_failed();

  // In place of what `outcomes` had.
  void take_outcomes(std::vector<Outcome>& outcomes) {
    outcomes.clear();
    outcomes.swap(outcomes_);
  }
  // It has to be looked at in each turn.
  bool is_restless() const { return (loading_ && !load_failed_) || !deferred_.empty(); }

 private:
  struct Writing {
    Offset last;
    std::uint64_t token = 0;
  };
  struct Deferred {
    std::uint64_t token = 0;
    Buffer batch;
  };
  bool write_now(PartitionState& partition, std::uint64_t token, Bytes batch);
  std::string name() const;

  Context& context_;
  Partitions& partitions_;
  PartitionKey key_;
  bool loading_ = true;
  bool begun_ = false;
  bool load_failed_ = false;
  Offset next_{0};
  std::optional<log::ReadTicket> ticket_;  // blocks are being read
  Buffer load_buffer_;
  WaitQueue<Writing> writing_;  // in log order
  std::deque<Deferred> deferred_;
  std::vector<Outcome> outcomes_;
};

}  // namespace tailwater::node
