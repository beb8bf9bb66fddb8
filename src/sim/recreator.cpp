#include "sim/recreator.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "records/builder.hpp"
#include "sim/consumer.hpp"
#include "wire/api/create_topics.hpp"
#include "wire/api/delete_topics.hpp"
#include "wire/api/metadata.hpp"

namespace tailwater::sim {

namespace {

using wire::ErrorCode;

constexpr std::int16_t kCreateTopicsVersion = 5;
constexpr std::int16_t kMetadataVersion = 12;
constexpr int kFirstWithIds = 13;  // of Produce and Fetch
constexpr std::int16_t kDeleteTopicsVersion = 6;
constexpr Duration kRetryMax = Duration::from_ms(50);
constexpr Duration kPauseMax = Duration::from_ms(1'500);
constexpr std::uint64_t kRoundsMax = 5;
constexpr std::uint64_t kBatchesMax = 16;  // of a round
constexpr std::uint64_t kRecordsMax = 3;   // of a batch
// A batch fits into the smallest journal, and a life's batches are worth a flush.
constexpr std::uint64_t kPaddingMax = 15'000;

}  // namespace

Recreator::Recreator(Agenda& agenda, Network& network, Ledger& ledger, RecreatorSetup setup)
    : agenda_(agenda),
      ledger_(ledger),
      setup_(std::move(setup)),
      writer_(ledger.add_writer(setup_.name, Promise::at_least_once)),
      produce_version_(draw_version<wire::ProduceRequest>(agenda.random(), kFirstWithIds)),
      fetch_version_(draw_version<wire::FetchRequest>(agenda.random(), kFirstWithIds)),
      client_(agenda, network, setup_.name, [this] { again(kRetryMax); }) {}

std::string Recreator::state() const {
  return setup_.name + ": phase " + std::to_string(static_cast<int>(phase_)) + " of life " +
         std::to_string(life_);
}

void Recreator::finish() {
  finishing_ = true;
  again(kRetryMax);
}

void Recreator::again(Duration most) {
  if (step_asked_) return;
  step_asked_ = true;
  agenda_.soon(most, [this] {
    step_asked_ = false;
    step();
  });
}

void Recreator::step() {
  if (client_.busy()) return;
  switch (phase_) {
    case Phase::creating:
      return create();
    case Phase::finding:
      return find();
    case Phase::writing:
      return write();
    case Phase::reading:
      return read();
    case Phase::deleting:
      return remove();
    case Phase::over:
      return;
  }
}

void Recreator::create() {
  wire::CreateTopicsRequest request;
  request.timeout_ms = 10'000;
  auto& topic = request.topics.emplace_back();
  topic.name = setup_.topic;
  topic.num_partitions = setup_.partitions;
  topic.replication_factor = 1;
  topic.configs.push_back({.name = "file.delete.delay.ms", .value = std::to_string(setup_.delete_delay_ms)});
  client_.ask(kCreateTopicsVersion, request, [this](wire::CreateTopicsResponse&& response) {
    const ErrorCode error = response.topics.at(0).error_code;
    // An earlier attempt may have done it.
    if (error == ErrorCode::none || error == ErrorCode::topic_already_exists) {
      phase_ = Phase::finding;
    } else if (!wire::retriable(error)) {
      ledger_.fail("I18: " + setup_.name + " cannot create its topic: " + std::string(wire::name(error)));
    }
    again(kRetryMax);
  });
}

void Recreator::find() {
  wire::MetadataRequest request;
  request.topics.emplace().push_back({.topic_id = {}, .name = setup_.topic});
  request.allow_auto_topic_creation = false;
  client_.ask(kMetadataVersion, request, [this](wire::MetadataResponse&& response) {
    const auto& topic = response.topics.at(0);
    if (topic.error_code == ErrorCode::none) {
      begin_life(topic.topic_id);
    } else if (topic.error_code == ErrorCode::unknown_topic_or_partition) {
      phase_ = Phase::creating;
    } else if (!wire::retriable(topic.error_code)) {
      ledger_.fail("I18: " + setup_.name +
                   " cannot find its topic: " + std::string(wire::name(topic.error_code)));
    }
    again(kRetryMax);
  });
}

void Recreator::begin_life(Uuid id) {
  if (id == id_) return ledger_.fail("I2: " + setup_.topic + " was deleted, and is the same again");
  id_ = id;
  ++life_;
  partitions_.clear();
  for (std::int32_t index = 0; index < setup_.partitions; ++index) {
    const std::string name =
        setup_.topic + "-" + std::to_string(index) + " (life " + std::to_string(life_) + ")";
    partitions_.push_back({.track = ledger_.add_track(name, Retention::keeps), .floor = {}});
  }
  rounds_ = 1 + agenda_.random().below(kRoundsMax);
  batches_ = 1 + agenda_.random().below(kBatchesMax);
  phase_ = Phase::writing;
}

// --- writing

void Recreator::write() {
  if (batch_.empty()) make_batch();
  wire::ProduceRequest request;
  request.acks = -1;
  request.timeout_ms = 10'000;
  auto& topic = request.topic_data.emplace_back();
  topic.topic_id = id_;
  topic.partition_data.push_back({.index = static_cast<std::int32_t>(partition_), .records = Bytes(batch_)});
  client_.ask(produce_version_, request, [this](wire::ProduceResponse&& response) { written(response); });
}

void Recreator::make_batch() {
  Prng& random = agenda_.random();
  partition_ = random.below(partitions_.size());
  first_ = ledger_.next_number(writer_);
  count_ = 1 + random.below(kRecordsMax);
  records::BatchBuilder builder(records::BatchOptions{});
  for (std::uint64_t each = 0; each < count_; ++each) {
    const std::string value = Ledger::value_of(writer_, first_ + each, random.below(kPaddingMax + 1));
    ledger_.sent(writer_, partitions_[partition_].track, as_bytes(value));
    CHECK(builder.add(agenda_.both().wall.ms, as_bytes(setup_.name), as_bytes(value)));
  }
  CHECK(builder.finish(batch_).has_value());
}

void Recreator::written(const wire::ProduceResponse& response) {
  const auto& answer = response.responses.at(0).partition_responses.at(0);
  if (answer.error_code != ErrorCode::none) {
    if (!wire::retriable(answer.error_code))
      ledger_.fail("I18: " + setup_.name + " was refused with " + std::string(wire::name(answer.error_code)));
    return again(kRetryMax);
  }
  for (std::uint64_t each = 0; each < count_; ++each)
    ledger_.acknowledged(writer_, first_ + each, answer.base_offset + static_cast<std::int64_t>(each));
  batch_.clear();
  if (--batches_ == 0) end_round();
  again(kRetryMax);
}

// Some lives end in a hurry: what was just written is still on its way then, or in the journal only.
void Recreator::end_round() {
  if (rounds_ == 1 && agenda_.random().below(3) > 0) {
    rounds_ = 0;
    phase_ = Phase::deleting;
    return;
  }
  begin_reading();
}

// --- reading

void Recreator::begin_reading() {
  for (Partition& partition : partitions_) {
    partition.position = 0;
    partition.at_end = false;
  }
  phase_ = Phase::reading;
}

void Recreator::read() {
  wire::FetchRequest request;
  request.min_bytes = 1;
  request.max_bytes = 4 * 1024 * 1024;
  auto& topic = request.topics.emplace_back();
  topic.topic_id = id_;
  for (std::size_t index = 0; index < partitions_.size(); ++index) {
    Partition& partition = partitions_[index];
    if (partition.at_end) continue;
    partition.floor = ledger_.floor(partition.track);
    topic.partitions.push_back({.partition = static_cast<std::int32_t>(index),
                                .fetch_offset = partition.position,
                                .partition_max_bytes = 1024 * 1024});
  }
  client_.ask(fetch_version_, request, [this](wire::FetchResponse&& response) { take(response); });
}

void Recreator::take(const wire::FetchResponse& response) {
  for (const auto& topic : response.responses) {
    for (const auto& answer : topic.partitions) {
      Partition& partition = partitions_.at(static_cast<std::size_t>(answer.partition_index));
      if (answer.error_code == ErrorCode::offset_out_of_range) {
        ledger_.out_of_range(partition.track, partition.position);
      } else if (answer.error_code == ErrorCode::none) {
        partition.position =
            check_fetched(ledger_, partition.track, partition.floor, partition.position, answer);
        partition.at_end = partition.position >= answer.high_watermark;
      } else if (!wire::retriable(answer.error_code)) {
        ledger_.fail("I18: fetch refused with " + std::string(wire::name(answer.error_code)));
      }
    }
  }
  if (!std::ranges::all_of(partitions_, &Partition::at_end)) return again(kRetryMax);
  --rounds_;
  batches_ = 1 + agenda_.random().below(kBatchesMax);
  phase_ = rounds_ == 0 || finishing_ ? Phase::deleting : Phase::writing;
  again(kPauseMax);
}

// --- the end of a life

void Recreator::remove() {
  wire::DeleteTopicsRequest request;
  request.timeout_ms = 10'000;
  request.topics.push_back({.name = std::nullopt, .topic_id = id_});
  client_.ask(kDeleteTopicsVersion, request, [this](wire::DeleteTopicsResponse&& response) {
    const ErrorCode error = response.responses.at(0).error_code;
    // An earlier attempt may have done it.
    if (error == ErrorCode::none || error == ErrorCode::unknown_topic_id) {
      end_life();
    } else if (!wire::retriable(error)) {
      ledger_.fail("I18: " + setup_.name + " cannot delete its topic: " + std::string(wire::name(error)));
    }
    again(kRetryMax);
  });
}

void Recreator::end_life() {
  for (const Partition& partition : partitions_) ledger_.deletion_done(partition.track, INT64_MAX);
  phase_ = finishing_ ? Phase::over : Phase::creating;
}

}  // namespace tailwater::sim
