// What becomes of transactions, kept by the simulation: a reader of committed records sees each transaction
// whole or not at all, never before its commit was asked for, never after it was aborted. The first
// contradiction goes to the ledger.
//
//   transaction  identified by its writer and a number; its records are numbered, too
//   outcome      open: its commit was not asked for, so nobody may see it; ending: it was, and is not
//                answered; fenced: it was open when its transactional id was given to somebody else, and
//                whatever is asked for it from then on comes too late
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "sim/ledger.hpp"

namespace tailwater::sim {

// What a producer is to the broker.
struct ProducerIdentity {
  std::int64_t id = -1;
  std::int16_t epoch = -1;
};

class TxnWatch {
 public:
  explicit TxnWatch(Ledger& ledger) : ledger_(ledger) {}

  // Writers may share a transactional id.
  std::uint32_t add_writer(std::string transactional_id = {}) {
    writers_.push_back({.transactional_id = std::move(transactional_id), .transactions = {}});
    return static_cast<std::uint32_t>(writers_.size() - 1);
  }

  // --- writers
  // InitProducerId was answered: what others of the same id began with an older epoch is fenced.
  void identified(std::uint32_t writer, ProducerIdentity identity);
  // InitProducerId gave this epoch, or something of it was carried out: older ones of the producer id are over, and all
  // markers of their transactions are written.
  void epoch_used(ProducerIdentity identity);
  bool is_over(ProducerIdentity identity) const;
  std::uint64_t begin(std::uint32_t writer, ProducerIdentity identity = {});
  // The value of the transaction's next record, which is the next of a writer in the ledger, too.
  std::string next_value(WriterNumber in_ledger, std::uint32_t writer, std::uint64_t transaction,
                         std::size_t padding);
  void commit_asked(std::uint32_t writer, std::uint64_t transaction);
  void committed(std::uint32_t writer, std::uint64_t transaction);
  void aborted(std::uint32_t writer, std::uint64_t transaction);

  // --- readers of committed records; a record is shown once to each
  struct Shown {
    using Records = std::set<std::pair<std::uint64_t, std::uint64_t>>;  // transaction, record
    Records records;
    Records damaged;
    std::size_t size() const { return records.size(); }
  };
  void seen(Bytes value, Shown& shown);
  // The reader was told that this record, as the ledger knows it, cannot be read any more.
  void told_damaged(WriterNumber in_ledger, std::uint64_t number, Shown& shown) const;
  // All that is there was shown to this reader.
  void judge(const Shown& shown);
  std::uint64_t committed_count() const { return committed_; }

 private:
  enum class Outcome : std::uint8_t { open, ending, committed, aborted, fenced };
  struct Transaction {
    ProducerIdentity identity;
    Outcome outcome = Outcome::open;
    std::uint64_t records = 0;
  };
  struct Writer {
    std::string transactional_id;
    std::vector<Transaction> transactions;
  };
  Transaction& at(std::uint32_t writer, std::uint64_t transaction) {
    return writers_[writer].transactions[transaction];
  }
  static std::string text(std::uint32_t writer, std::uint64_t transaction) {
    return "transaction " + std::to_string(transaction) + " of writer " + std::to_string(writer);
  }

  Ledger& ledger_;
  static std::uint64_t key_of(std::uint64_t writer, std::uint64_t transaction) {
    return writer << 40 | transaction;
  }

  std::vector<Writer> writers_;
  std::map<WriterNumber, std::vector<std::pair<std::uint64_t, std::uint64_t>>>
      names_;                                    // by the ledger's number
  std::map<std::int64_t, std::int16_t> epochs_;  // the newest that is in use, by producer id
  std::uint64_t committed_ = 0;
};

}  // namespace tailwater::sim
