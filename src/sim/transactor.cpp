#include "sim/transactor.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "records/builder.hpp"

namespace tailwater::sim {

namespace {

using wire::ErrorCode;

constexpr int kAddPartitionsOfClientsMax = 3;  // later ones are for brokers
constexpr int kFirstWithIds = 13;              // of Produce
// From these on whoever speaks them takes a new epoch for each transaction.
constexpr int kFirstBumpingProduce = 12;
constexpr int kFirstBumpingEnd = 5;
constexpr Duration kRetryMax = Duration::from_ms(50);
constexpr std::uint64_t kBatchesMax = 5;
constexpr std::uint64_t kRecordsMax = 5;  // of a batch
constexpr std::uint64_t kGoneOneIn = 20;
constexpr Duration kFencedRestMax = Duration::from_ms(8'000);

TransactorSetup with_id(TransactorSetup setup) {
  if (setup.transactional_id.empty()) setup.transactional_id = setup.name;
  return setup;
}

}  // namespace

Transactor::Transactor(Agenda& agenda, Network& network, Ledger& ledger, TxnWatch& watch,
                       TransactorSetup setup)
    : agenda_(agenda),
      ledger_(ledger),
      watch_(watch),
      setup_(with_id(std::move(setup))),
      writer_(watch.add_writer(setup_.transactional_id)),
      in_ledger_(ledger.add_writer(setup_.name, Promise::exactly_once)),
      versions_(draw_versions(agenda.random(), setup_)),
      client_(agenda, network, setup_.name, [this] { again(); }) {
  if (setup_.input)
    fetching_.emplace(agenda.random(), ledger, setup_.input->topic, Fetching::Sessions::never);
}

Transactor::Versions Transactor::draw_versions(Prng& random, const TransactorSetup& setup) {
  Versions versions;
  versions.init_producer_id = draw_version<wire::InitProducerIdRequest>(random);
  versions.add_partitions =
      draw_version<wire::AddPartitionsToTxnRequest>(random, 0, kAddPartitionsOfClientsMax);
  if (setup.bumping) {
    versions.produce =
        draw_version_for<wire::ProduceRequest>(random, setup.topic, kFirstWithIds, kFirstBumpingProduce);
    versions.end = draw_version<wire::EndTxnRequest>(random, kFirstBumpingEnd);
  } else {
    versions.produce = draw_version<wire::ProduceRequest>(random, 0, kFirstBumpingProduce - 1);
    versions.end = draw_version<wire::EndTxnRequest>(random, 0, kFirstBumpingEnd - 1);
  }
  if (setup.input) draw_input_versions(random, setup, versions);
  return versions;
}

std::string Transactor::state() const {
  return setup_.name + ": phase " + std::to_string(static_cast<int>(phase_)) + " of transaction " +
         std::to_string(transaction_) + (commits_ ? ", commits" : ", aborts");
}

void Transactor::finish() {
  finishing_ = true;
  again();
}

void Transactor::again() {
  if (step_asked_) return;
  step_asked_ = true;
  Duration most = phase_ == Phase::idle ? setup_.pause_max : kRetryMax;
  if (resting_) most = kFencedRestMax;
  agenda_.soon(most, [this] {
    step_asked_ = resting_ = false;
    step();
  });
}

void Transactor::step() {
  if (client_.busy()) return;
  switch (phase_) {
    case Phase::starting:
      return ask_id();
    case Phase::idle:
      if (finishing_) return;
      if (!setup_.input) return begin();
      phase_ = Phase::finding;
      return find_position();
    case Phase::finding:
      return find_position();
    case Phase::finding_start:
      return find_start();
    case Phase::consuming:
      return consume();
    case Phase::adding:
      return add_partitions();
    case Phase::producing:
      return produce();
    case Phase::adding_offsets:
      return add_offsets();
    case Phase::committing_offsets:
      return commit_offsets();
    case Phase::ending:
      return end();
  }
}

// Ends what an earlier life of this producer left open.
void Transactor::ask_id() {
  wire::InitProducerIdRequest request;
  request.transactional_id = setup_.transactional_id;
  request.transaction_timeout_ms = setup_.timeout_ms;
  client_.ask(versions_.init_producer_id, request, [this](wire::InitProducerIdResponse&& response) {
    if (response.error_code == ErrorCode::none) {
      producer_id_ = response.producer_id;
      epoch_ = response.producer_epoch;
      watch_.identified(writer_, identity());
      sequences_.clear();
      phase_ = Phase::idle;
    } else if (!wire::retriable(response.error_code)) {
      ledger_.fail("I18: " + setup_.name +
                   " gets no producer id: " + std::string(wire::name(response.error_code)));
    }
    again();
  });
}

void Transactor::begin() {
  Prng& random = agenda_.random();
  transaction_ = watch_.begin(writer_, identity());
  commits_ = !random.one_in(3);
  to_write_.clear();
  for (std::uint64_t batches = 1 + random.below(kBatchesMax); batches > 0; --batches)
    to_write_.push_back(static_cast<std::int32_t>(random.below(setup_.tracks.size())));
  batch_.clear();
  phase_ = setup_.bumping ? Phase::producing : Phase::adding;
  step();
}

bool Transactor::put_off(ErrorCode error) {
  if (error == ErrorCode::none) return false;
  if (wire::retriable(error)) {
    again();
    return true;
  }
  switch (error) {
    case ErrorCode::invalid_producer_epoch:
    case ErrorCode::producer_fenced:
    case ErrorCode::invalid_txn_state:
    case ErrorCode::transaction_abortable:
    case ErrorCode::invalid_producer_id_mapping:
      // It took too long, and was aborted for it; or its id is somebody else's now.
      resting_ = setup_.has_rival && !finishing_;
      give_up();
      return true;
    default:
      ledger_.fail("I18: " + setup_.name + " was refused with " + std::string(wire::name(error)));
      return true;
  }
}

void Transactor::give_up() {
  // An earlier request, or somebody's copy of it, may have committed it before the id was somebody else's.
  if (setup_.has_rival && phase_ == Phase::ending && commits_) {
    if (setup_.input) doubtful_position_ = next_position_;
  } else if (is_in_transaction()) {
    watch_.aborted(writer_, transaction_);
  }
  phase_ = finishing_ ? Phase::idle : Phase::starting;
  again();
}

void Transactor::add_partitions() {
  wire::AddPartitionsToTxnRequest request;
  request.v3_and_below_transactional_id = setup_.transactional_id;
  request.v3_and_below_producer_id = producer_id_;
  request.v3_and_below_producer_epoch = epoch_;
  std::vector<std::int32_t> partitions = to_write_;
  std::ranges::sort(partitions);
  const auto [again_from, end] = std::ranges::unique(partitions);
  partitions.erase(again_from, end);
  request.v3_and_below_topics.push_back({setup_.topic.name, partitions});
  client_.ask(versions_.add_partitions, request, [this](wire::AddPartitionsToTxnResponse&& response) {
    for (const auto& topic : response.results_by_topic_v3_and_below) {
      for (const auto& result : topic.results_by_partition) {
        // The others were not looked at for this one's sake.
        if (result.partition_error_code == ErrorCode::operation_not_attempted) continue;
        if (put_off(result.partition_error_code)) return;
      }
    }
    phase_ = Phase::producing;
    again();
  });
}

void Transactor::produce() {
  Prng& random = agenda_.random();
  // Gone: what is open now is the broker's to end.
  if (random.one_in(kGoneOneIn)) return give_up();
  const std::int32_t partition = to_write_.back();
  if (batch_.empty()) {
    batch_records_ = static_cast<std::int32_t>(1 + random.below(kRecordsMax));
    batch_first_ = ledger_.next_number(in_ledger_);
    records::BatchBuilder builder({.producer_id = ProducerId{producer_id_},
                                   .producer_epoch = ProducerEpoch{epoch_},
                                   .base_sequence = sequences_[partition],
                                   .transactional = true});
    for (std::int32_t each = 0; each < batch_records_; ++each) {
      const std::string value =
          watch_.next_value(in_ledger_, writer_, transaction_, random.below(setup_.padding_max + 1));
      ledger_.sent(in_ledger_, setup_.tracks[static_cast<std::size_t>(partition)], as_bytes(value));
      CHECK(builder.add(agenda_.both().wall.ms, as_bytes(setup_.name), as_bytes(value)));
    }
    CHECK(builder.finish(batch_).has_value());
  }
  wire::ProduceRequest request;
  request.transactional_id = setup_.transactional_id;
  request.acks = -1;
  request.timeout_ms = 10'000;
  auto& topic = request.topic_data.emplace_back();
  topic.name = setup_.topic.name;
  topic.topic_id = setup_.topic.id;
  topic.partition_data.push_back({.index = partition, .records = Bytes(batch_)});
  client_.ask(versions_.produce, request, [this, partition](wire::ProduceResponse&& response) {
    const auto& answer = response.responses.at(0).partition_responses.at(0);
    if (put_off(answer.error_code)) return;
    // Not before: a late commit of offsets may join the transaction before as long as its markers are on their way.
    if (setup_.bumping) watch_.epoch_used(identity());
    for (std::int32_t each = 0; each < batch_records_; ++each)
      ledger_.acknowledged(in_ledger_, batch_first_ + static_cast<std::uint64_t>(each),
                           answer.base_offset + each);
    sequences_[partition] += batch_records_;
    batch_.clear();
    to_write_.pop_back();
    if (to_write_.empty()) phase_ = phase_behind_records();
    again();
  });
}

void Transactor::end() {
  if (commits_) {
    watch_.commit_asked(writer_, transaction_);
  } else {
    watch_.aborted(writer_, transaction_);
  }
  wire::EndTxnRequest request;
  request.transactional_id = setup_.transactional_id;
  request.producer_id = producer_id_;
  request.producer_epoch = epoch_;
  request.committed = commits_;
  client_.ask(versions_.end, request, [this](wire::EndTxnResponse&& response) {
    if (put_off(response.error_code)) return;
    if (commits_) {
      watch_.committed(writer_, transaction_);
      if (setup_.input) position_ = next_position_;
    }
    if (setup_.bumping) {
      producer_id_ = response.producer_id;
      epoch_ = response.producer_epoch;
      sequences_.clear();
    }
    phase_ = Phase::idle;
    again();
  });
}

}  // namespace tailwater::sim
