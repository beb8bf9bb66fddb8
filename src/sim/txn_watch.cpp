#include "sim/txn_watch.hpp"

#include <charconv>
#include <iterator>
#include <string_view>

namespace tailwater::sim {

namespace {

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

std::uint64_t TxnWatch::begin(std::uint32_t writer) {
  writers_[writer].emplace_back();
  return writers_[writer].size() - 1;
}

std::string TxnWatch::next_value(std::uint32_t writer, std::uint64_t transaction, std::size_t padding) {
  return std::to_string(writer) + ":" + std::to_string(transaction) + ":" +
         std::to_string(at(writer, transaction).records++) + ":" + std::string(padding, 't');
}

void TxnWatch::commit_asked(std::uint32_t writer, std::uint64_t transaction) {
  at(writer, transaction).outcome = Outcome::ending;
}

void TxnWatch::committed(std::uint32_t writer, std::uint64_t transaction) {
  at(writer, transaction).outcome = Outcome::committed;
  ++committed_;
}

void TxnWatch::aborted(std::uint32_t writer, std::uint64_t transaction) {
  at(writer, transaction).outcome = Outcome::aborted;
}

void TxnWatch::seen(Bytes value, Shown& shown) {
  std::uint64_t numbers[3];
  if (!parse(as_text(value), numbers) || numbers[0] >= writers_.size() ||
      numbers[1] >= writers_[numbers[0]].size() || numbers[2] >= writers_[numbers[0]][numbers[1]].records)
    return ledger_.fail("S6: a reader of committed records was shown something that was never sent");
  const auto writer = static_cast<std::uint32_t>(numbers[0]);
  const Outcome outcome = at(writer, numbers[1]).outcome;
  if (outcome == Outcome::open) ledger_.fail("I8: " + text(writer, numbers[1]) + " is shown before its end");
  if (outcome == Outcome::aborted)
    ledger_.fail("I8: " + text(writer, numbers[1]) + " is shown, and was aborted");
  if (!shown.emplace(numbers[0] << 40 | numbers[1], numbers[2]).second)
    ledger_.fail("I3: a record of " + text(writer, numbers[1]) + " is shown twice");
}

void TxnWatch::judge(const Shown& shown) {
  for (std::uint32_t writer = 0; writer < writers_.size(); ++writer) {
    for (std::uint64_t number = 0; number < writers_[writer].size(); ++number) {
      const Transaction& transaction = at(writer, number);
      const std::uint64_t key = std::uint64_t{writer} << 40 | number;
      const auto from = shown.lower_bound({key, 0});
      const auto count = static_cast<std::uint64_t>(std::distance(from, shown.lower_bound({key + 1, 0})));
      const bool whole = count == transaction.records;
      if (transaction.outcome == Outcome::committed && !whole)
        ledger_.fail("I1: of " + text(writer, number) + ", which was committed, " + std::to_string(count) +
                     " records are left of " + std::to_string(transaction.records));
      if (count > 0 && !whole) ledger_.fail("I8: " + text(writer, number) + " is shown in part");
    }
  }
}

}  // namespace tailwater::sim
