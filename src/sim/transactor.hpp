// A model transactional producer: one transaction after the other, each with a few batches to several
// partitions, committed or aborted; what is unknown is asked again until it is known. Plain ones add their
// partitions themselves; bumping ones (transaction.version 2) leave that to the broker and take a new epoch
// after every end. Now and then it goes away in the middle, and what it left open is the broker's to end.
// One that consumes reads a partition, and commits how far it came within its transactions: where its group
// stands is always the end of its last committed transaction, not more and not less (I9).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/client.hpp"
#include "sim/consumer.hpp"
#include "sim/fetching.hpp"
#include "sim/txn_watch.hpp"
#include "wire/api/add_partitions_to_txn.hpp"
#include "wire/api/end_txn.hpp"
#include "wire/api/init_producer_id.hpp"
#include "wire/api/produce.hpp"

namespace tailwater::sim {

// What a transactor reads.
struct TransactorInput {
  std::string group;
  Topic topic;
  std::int32_t partition = 0;
  TrackNumber track;
};

struct TransactorSetup {
  std::string name;
  std::string transactional_id = {};  // the name, if empty
  // Somebody else comes with the same id: it is fenced now and then, and rests before it comes again.
  bool has_rival = false;
  Topic topic;
  std::vector<TrackNumber> tracks = {};  // by partition
  bool bumping = false;
  std::int32_t timeout_ms = 5'000;
  Duration pause_max = Duration::from_ms(100);
  std::size_t padding_max = 300;
  std::optional<TransactorInput> input;
};

class Transactor {
 public:
  Transactor(Agenda& agenda, Network& network, Ledger& ledger, TxnWatch& watch, TransactorSetup setup);

  void start() { step(); }
  // Begins nothing new. A transaction that is open is brought to its end, or left to the broker.
  void finish();
  bool finished() const { return finishing_ && phase_ == Phase::idle && !client_.busy(); }
  Client& client() { return client_; }
  std::string state() const;
  // As its requests say it now.
  ProducerIdentity identity() const { return {producer_id_, epoch_}; }
  bool bumping() const { return setup_.bumping; }

 private:
  enum class Phase : std::uint8_t {
    starting,
    idle,
    // of one that consumes:
    finding,        // where its group stands
    finding_start,  // of its partition
    consuming,
    adding,
    producing,
    adding_offsets,  // the same
    committing_offsets,
    ending,
  };

  void again();
  void step();
  void ask_id();
  void begin();
  void add_partitions();
  void produce();
  void end();
  Phase phase_behind_records() const {
    if (!setup_.input) return Phase::ending;
    return setup_.bumping ? Phase::committing_offsets : Phase::adding_offsets;
  }
  bool is_in_transaction() const { return phase_ >= Phase::adding; }
  void find_position();
  void found_position(wire::ErrorCode error, std::int64_t committed);
  void find_start();
  void consume();
  void consumed(const wire::FetchResponsePartitionData& answer);
  void add_offsets();
  void commit_offsets();
  // True if the answer settles nothing, and is to be asked again or given up.
  bool put_off(wire::ErrorCode error);
  // The transaction is over for this producer, without having been committed.
  void give_up();

  Agenda& agenda_;
  Ledger& ledger_;
  TxnWatch& watch_;
  TransactorSetup setup_;
  std::uint32_t writer_;
  WriterNumber in_ledger_;
  struct Versions {
    std::int16_t init_producer_id = 0;
    std::int16_t add_partitions = 0;
    std::int16_t produce = 0;
    std::int16_t end = 0;
    // of one that consumes:
    std::int16_t offset_fetch = 0;
    std::int16_t list_offsets = 0;
    std::int16_t add_offsets = 0;
    std::int16_t commit_offsets = 0;
  };
  static Versions draw_versions(Prng& random, const TransactorSetup& setup);
  static void draw_input_versions(Prng& random, const TransactorSetup& setup, Versions& versions);
  Versions versions_;
  std::optional<Fetching> fetching_;
  Client client_;
  Phase phase_ = Phase::starting;
  std::int64_t producer_id_ = -1;
  std::int16_t epoch_ = -1;
  std::map<std::int32_t, std::int32_t> sequences_;

  std::uint64_t transaction_ = 0;
  bool commits_ = false;
  bool resting_ = false;
  std::vector<std::int32_t> to_write_;  // partitions, last first
  Buffer batch_;                        // the one that is to be sent (again)
  std::uint64_t batch_first_ = 0;       // its first record's number in the ledger
  std::int32_t batch_records_ = 0;
  std::int64_t position_ = -1;      // of its group, after the last committed transaction
  std::int64_t next_position_ = 0;  // after the present one
  // Where its group stands if the last transaction was committed after all.
  std::optional<std::int64_t> doubtful_position_;
  Ledger::Floor floor_;
  bool finishing_ = false;
  bool step_asked_ = false;
};

}  // namespace tailwater::sim
