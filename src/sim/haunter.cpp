#include "sim/haunter.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "wire/api/add_partitions_to_txn.hpp"
#include "wire/api/end_txn.hpp"
#include "wire/api/produce.hpp"
#include "wire/api/txn_offset_commit.hpp"

namespace tailwater::sim {

namespace {

using wire::ApiKey;
using wire::ErrorCode;

constexpr Duration kSoon = Duration::from_ms(500);
constexpr Duration kLate = Duration::from_ms(120'000);
constexpr Duration kRestMax = Duration::from_ms(2'000);  // of the copies, when all comes to its end
constexpr std::uint64_t kCopyOneIn = 4;
constexpr std::size_t kCopiesMax = 64;

bool is_copied(ApiKey key) {
  return key == ApiKey::produce || key == ApiKey::add_partitions_to_txn || key == ApiKey::end_txn ||
         key == ApiKey::txn_offset_commit;
}

template <class Response>
std::optional<Response> decoded(ApiKey key, std::int16_t version, Bytes answer) {
  wire::Reader reader(answer);
  Response response;
  if (!wire::decode_response_header(reader, key, version) || !decode(reader, version, response))
    return std::nullopt;
  return response;
}

}  // namespace

// A Produce may be answered with where its records have been all along. An EndTxn of version 5 may be taken
// for the one that ended its own transaction.
bool says_done(ApiKey key, std::int16_t version, Bytes answer) {
  const auto done = [](ErrorCode error) { return error == ErrorCode::none; };
  if (key == ApiKey::add_partitions_to_txn) {
    const auto response = decoded<wire::AddPartitionsToTxnResponse>(key, version, answer);
    return response && std::ranges::any_of(response->results_by_topic_v3_and_below, [&](const auto& topic) {
             return std::ranges::any_of(topic.results_by_partition,
                                        [&](const auto& each) { return done(each.partition_error_code); });
           });
  }
  if (key == ApiKey::txn_offset_commit) {
    const auto response = decoded<wire::TxnOffsetCommitResponse>(key, version, answer);
    return response && std::ranges::any_of(response->topics, [&](const auto& topic) {
             return std::ranges::any_of(topic.partitions,
                                        [&](const auto& each) { return done(each.error_code); });
           });
  }
  if (key == ApiKey::end_txn && version < 5) {
    const auto response = decoded<wire::EndTxnResponse>(key, version, answer);
    return response && done(response->error_code);
  }
  return false;
}

Haunter::Haunter(Agenda& agenda, Network& network, Ledger& ledger, TxnWatch& watch, FaultCounts& counts)
    : agenda_(agenda),
      ledger_(ledger),
      watch_(watch),
      counts_(counts),
      client_(agenda, network, "haunter", [] {}) {}

std::string Haunter::state() const {
  return "haunter: " + std::to_string(copies_.size()) + " copies wait, " +
         std::to_string(client_.unanswered()) + " requests unanswered";
}

void Haunter::follow(Client& client, Epochs epochs, std::function<ProducerIdentity()> identity) {
  client.set_tap(
      [this, epochs, identity = std::move(identity)](ApiKey key, std::int16_t version, const Buffer& frame) {
        if (finishing_ || !is_copied(key) || copies_.size() >= kCopiesMax) return;
        Prng& random = agenda_.random();
        if (!random.one_in(kCopyOneIn)) return;
        const std::uint64_t number = next_++;
        copies_[number] = {key, version, identity(), epochs, frame};
        agenda_.soon(random.one_in(2) ? kSoon : kLate, [this, number] { send(number); });
      });
}

void Haunter::send(std::uint64_t number) {
  const auto node = copies_.extract(number);
  if (node.empty()) return;
  Copy copy = std::move(node.mapped());
  const bool over = watch_.is_over(copy.identity);
  if (copy.epochs == Epochs::one_for_many && copy.key != ApiKey::produce && !over) return;
  counts_.add(Fault::late_request);
  agenda_.note("a copy of a request of epoch " + std::to_string(copy.identity.epoch) + " is sent, API " +
               std::to_string(static_cast<int>(copy.key)));
  client_.repeat(std::move(copy.frame), [this, key = copy.key, version = copy.version, over](Bytes answer) {
    if (over && says_done(key, version, answer))
      ledger_.fail("I10: a request of an epoch that was over was carried out, API " +
                   std::to_string(static_cast<int>(key)));
  });
}

void Haunter::finish() {
  finishing_ = true;
  for (const auto& each : copies_) agenda_.soon(kRestMax, [this, number = each.first] { send(number); });
}

}  // namespace tailwater::sim
