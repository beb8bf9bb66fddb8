// What becomes of transactions, kept by the simulation: a reader of committed records sees each transaction
// whole or not at all, never before its commit was asked for, never after it was aborted. The first
// contradiction goes to the ledger.
//
//   transaction  identified by its writer and a number; its records are numbered, too
//   outcome      open: its commit was not asked for, so nobody may see it; ending: it was, and is not
//                answered
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "sim/ledger.hpp"

namespace tailwater::sim {

class TxnWatch {
 public:
  explicit TxnWatch(Ledger& ledger) : ledger_(ledger) {}

  std::uint32_t add_writer() {
    writers_.emplace_back();
    return static_cast<std::uint32_t>(writers_.size() - 1);
  }

  // --- writers
  std::uint64_t begin(std::uint32_t writer);
  // The value of the transaction's next record.
  std::string next_value(std::uint32_t writer, std::uint64_t transaction, std::size_t padding);
  void commit_asked(std::uint32_t writer, std::uint64_t transaction);
  void committed(std::uint32_t writer, std::uint64_t transaction);
  void aborted(std::uint32_t writer, std::uint64_t transaction);

  // --- readers of committed records; a record is shown once to each
  using Shown = std::set<std::pair<std::uint64_t, std::uint64_t>>;
  void seen(Bytes value, Shown& shown);
  // All that is there was shown to this reader.
  void judge(const Shown& shown);
  std::uint64_t committed_count() const { return committed_; }

 private:
  enum class Outcome : std::uint8_t { open, ending, committed, aborted };
  struct Transaction {
    Outcome outcome = Outcome::open;
    std::uint64_t records = 0;
  };
  Transaction& at(std::uint32_t writer, std::uint64_t transaction) { return writers_[writer][transaction]; }
  static std::string text(std::uint32_t writer, std::uint64_t transaction) {
    return "transaction " + std::to_string(transaction) + " of writer " + std::to_string(writer);
  }

  Ledger& ledger_;
  std::vector<std::vector<Transaction>> writers_;
  std::uint64_t committed_ = 0;
};

}  // namespace tailwater::sim
