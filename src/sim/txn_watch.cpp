#include "sim/txn_watch.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <string_view>

namespace tailwater::sim {

namespace {

// Without what the ledger knows a record by, "<its writer>:<its number>:".
std::string_view behind_ledger_part(std::string_view value) {
  for (int part = 0; part < 2; ++part) {
    const std::size_t end = value.find(':');
    if (end == std::string_view::npos) return {};
    value.remove_prefix(end + 1);
  }
  return value;
}

// "<writer>:<transaction>:<record>:<padding>"
bool parse(std::string_view value, std::uint64_t (&numbers)[3]) {
  const char* at = value.data();
  const char* const end = at + value.size();
  for (std::uint64_t& number : numbers) {
    const auto parsed = std::from_chars(at, end, number);
    if (parsed.ec != std::errc() || parsed.ptr == end || *parsed.ptr != ':') return false;
    at = parsed.ptr + 1;
  }
  return true;
}

}  // namespace

void TxnWatch::identified(std::uint32_t writer, ProducerIdentity identity) {
  epoch_used(identity);
  for (std::uint32_t other = 0; other < writers_.size(); ++other) {
    if (other == writer || writers_[other].transactional_id != writers_[writer].transactional_id ||
        writers_[other].transactions.empty())
      continue;
    Transaction& last = writers_[other].transactions.back();
    const bool older = last.identity.id == identity.id && last.identity.epoch < identity.epoch;
    if (older && last.outcome == Outcome::open) last.outcome = Outcome::fenced;
  }
}

void TxnWatch::epoch_used(ProducerIdentity identity) {
  const auto [at, fresh] = epochs_.emplace(identity.id, identity.epoch);
  if (!fresh) at->second = std::max(at->second, identity.epoch);
}

bool TxnWatch::is_over(ProducerIdentity identity) const {
  const auto at = epochs_.find(identity.id);
  return at != epochs_.end() && identity.epoch < at->second;
}

std::uint64_t TxnWatch::begin(std::uint32_t writer, ProducerIdentity identity) {
  writers_[writer].transactions.push_back({.identity = identity});
  return writers_[writer].transactions.size() - 1;
}

std::string TxnWatch::next_value(WriterNumber in_ledger, std::uint32_t writer, std::uint64_t transaction,
                                 std::size_t padding) {
  names_[in_ledger].emplace_back(key_of(writer, transaction), at(writer, transaction).records);
  return std::to_string(in_ledger.value) + ":" + std::to_string(ledger_.next_number(in_ledger)) + ":" +
         std::to_string(writer) + ":" + std::to_string(transaction) + ":" +
         std::to_string(at(writer, transaction).records++) + ":" + std::string(padding, 't');
}

void TxnWatch::commit_asked(std::uint32_t writer, std::uint64_t transaction) {
  Outcome& outcome = at(writer, transaction).outcome;
  if (outcome != Outcome::fenced) outcome = Outcome::ending;
}

void TxnWatch::committed(std::uint32_t writer, std::uint64_t transaction) {
  if (at(writer, transaction).outcome == Outcome::fenced)
    ledger_.fail("I10: " + text(writer, transaction) + " was fenced, and is committed");
  at(writer, transaction).outcome = Outcome::committed;
  ++committed_;
}

void TxnWatch::aborted(std::uint32_t writer, std::uint64_t transaction) {
  at(writer, transaction).outcome = Outcome::aborted;
}

void TxnWatch::seen(Bytes value, Shown& shown) {
  std::uint64_t numbers[3];
  if (!parse(behind_ledger_part(as_text(value)), numbers) || numbers[0] >= writers_.size() ||
      numbers[1] >= writers_[numbers[0]].transactions.size() ||
      numbers[2] >= at(static_cast<std::uint32_t>(numbers[0]), numbers[1]).records)
    return ledger_.fail("S6: a reader of committed records was shown something that was never sent");
  const auto writer = static_cast<std::uint32_t>(numbers[0]);
  const Outcome outcome = at(writer, numbers[1]).outcome;
  if (outcome == Outcome::open) ledger_.fail("I5: " + text(writer, numbers[1]) + " is shown before its end");
  if (outcome == Outcome::fenced)
    ledger_.fail("I10: " + text(writer, numbers[1]) + " is shown, and was fenced before its end");
  if (outcome == Outcome::aborted)
    ledger_.fail("I4: " + text(writer, numbers[1]) + " is shown, and was aborted");
  if (!shown.records.emplace(key_of(numbers[0], numbers[1]), numbers[2]).second)
    ledger_.fail("I3: a record of " + text(writer, numbers[1]) + " is shown twice");
}

void TxnWatch::told_damaged(WriterNumber in_ledger, std::uint64_t number, Shown& shown) const {
  const auto at = names_.find(in_ledger);
  if (at == names_.end() || number >= at->second.size()) return;
  const auto& name = at->second[number];
  if (!shown.records.contains(name)) shown.damaged.insert(name);
}

void TxnWatch::judge(const Shown& shown) {
  for (std::uint32_t writer = 0; writer < writers_.size(); ++writer) {
    for (std::uint64_t number = 0; number < writers_[writer].transactions.size(); ++number) {
      const Transaction& transaction = at(writer, number);
      const std::uint64_t key = key_of(writer, number);
      const auto count_of = [key](const Shown::Records& records) {
        return static_cast<std::uint64_t>(
            std::distance(records.lower_bound({key, 0}), records.lower_bound({key + 1, 0})));
      };
      const std::uint64_t count = count_of(shown.records);
      const bool whole = count + count_of(shown.damaged) == transaction.records;
      if (transaction.outcome == Outcome::committed && !whole)
        ledger_.fail("I1: of " + text(writer, number) + ", which was committed, " + std::to_string(count) +
                     " records are left of " + std::to_string(transaction.records));
      if (count > 0 && !whole) ledger_.fail("I5: " + text(writer, number) + " is shown in part");
    }
  }
}

}  // namespace tailwater::sim
