#include "sim/producer.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "records/builder.hpp"

namespace tailwater::sim {

namespace {

constexpr int kFirstWithIds = 13;  // of Produce
constexpr Duration kRetryMax = Duration::from_ms(50);
constexpr std::size_t kUnderWayMax = 5;
constexpr std::uint64_t kPoisonOneIn = 40;

}  // namespace

Producer::Producer(Agenda& agenda, Network& network, Ledger& ledger, ProducerSetup setup)
    : agenda_(agenda),
      ledger_(ledger),
      setup_(std::move(setup)),
      writer_(ledger.add_writer(setup_.name, setup_.promise)),
      produce_version_(draw_version_for<wire::ProduceRequest>(agenda.random(), setup_.topic, kFirstWithIds)),
      id_version_(draw_version<wire::InitProducerIdRequest>(agenda.random())),
      client_(agenda, network, setup_.name, [this] { lost(); }),
      partitions_(setup_.tracks.size()) {}

bool Producer::finished() const {
  return finishing_ && !client_.busy() &&
         std::ranges::all_of(partitions_, [](const Partition& each) { return each.batches.empty(); });
}

std::string Producer::state() const {
  std::string text = setup_.name + ": ";
  for (const Partition& partition : partitions_) text += std::to_string(partition.batches.size()) + " ";
  return text + "batches open, " + std::to_string(client_.unanswered()) + " requests unanswered";
}

void Producer::again() {
  if (step_asked_) return;
  step_asked_ = true;
  const auto delay =
      static_cast<std::int64_t>(agenda_.random().below(static_cast<std::uint64_t>(kRetryMax.nanoseconds)));
  agenda_.at(std::max(rest_until_, agenda_.now() + Duration{delay}), [this] {
    step_asked_ = false;
    step();
  });
}

// The outcome of everything under way is unknown.
void Producer::lost() {
  for (Partition& partition : partitions_) {
    for (Batch& batch : partition.batches) {
      batch.in_doubt = batch.in_doubt || batch.under_way;
      batch.under_way = false;
    }
    give_up_or_keep(partition);
  }
  again();
}

// A plain producer sometimes lets a batch go whose outcome it does not know.
void Producer::give_up_or_keep(Partition& partition) {
  if (!idempotent() && !partition.batches.empty() && agenda_.random().one_in(2))
    partition.batches.pop_front();
}

void Producer::step() {
  if (finished()) return;
  if (idempotent() && producer_id_ < 0) {
    if (!client_.busy()) ask_id();
    return;
  }
  while (client_.unanswered() < (idempotent() ? kUnderWayMax : 1)) {
    if (!send_next()) return again();
    if (!client_.connected()) return;
  }
}

void Producer::ask_id() {
  wire::InitProducerIdRequest request;
  client_.ask(id_version_, request, [this](wire::InitProducerIdResponse&& response) {
    if (response.error_code == wire::ErrorCode::none) producer_id_ = response.producer_id;
    again();
  });
}

Producer::Batch* Producer::sendable(Partition& partition) {
  const auto waiting =
      std::ranges::find_if(partition.batches, [](const Batch& each) { return !each.under_way; });
  if (waiting == partition.batches.end()) return nullptr;
  // What was sent after it has to come back first: else the order would be lost.
  const bool overtaken =
      std::any_of(waiting, partition.batches.end(), [](const Batch& each) { return each.under_way; });
  return overtaken ? nullptr : &*waiting;
}

bool Producer::send_next() {
  for (std::size_t partition = 0; partition < partitions_.size(); ++partition) {
    if (Batch* batch = sendable(partitions_[partition])) {
      send(partition, *batch);
      return true;
    }
  }
  if (finishing_ || agenda_.now() < rest_until_) return false;
  const std::size_t chosen = agenda_.random().below(partitions_.size());
  const auto& open = partitions_[chosen].batches;
  // More than this many open batches of one producer the broker need not remember. The very first goes alone:
  // of a producer that it does not know a broker takes any sequence.
  const std::size_t most = partitions_[chosen].known ? kUnderWayMax : 1;
  // Nor does one that comes back wait behind new ones: the broker may have it, and only remembers the last few.
  const bool waits = std::ranges::any_of(open, [](const Batch& each) { return !each.under_way; });
  if (open.size() >= most || waits) return false;
  make_batch(chosen);
  send(chosen, partitions_[chosen].batches.back());
  const auto pause = agenda_.random().below(static_cast<std::uint64_t>(setup_.pause_max.nanoseconds));
  // Several batches at once, then a pause.
  if (!agenda_.random().one_in(3)) rest_until_ = agenda_.now() + Duration{static_cast<std::int64_t>(pause)};
  return true;
}

void Producer::make_batch(std::size_t index) {
  Prng& random = agenda_.random();
  Partition& partition = partitions_[index];
  Batch batch;
  batch.first = ledger_.next_number(writer_);
  batch.count = 1 + random.below(setup_.records_max);
  batch.poison = !idempotent() && random.one_in(kPoisonOneIn);
  records::BatchOptions options;
  if (idempotent()) {
    options.producer_id = ProducerId{producer_id_};
    options.producer_epoch = ProducerEpoch{0};
    options.base_sequence = partition.next_sequence;
    partition.next_sequence += static_cast<std::int32_t>(batch.count);
  }
  records::BatchBuilder builder(options);
  const Bytes key = as_bytes(setup_.name);
  for (std::uint64_t each = 0; each < batch.count; ++each) {
    const std::size_t padding = random.below(setup_.padding_max + 1);
    const std::string value = Ledger::value_of(writer_, batch.first + each, padding);
    ledger_.sent(writer_, setup_.tracks[index], as_bytes(value));
    CHECK(builder.add(agenda_.both().wall.ms, key, as_bytes(value)));
  }
  CHECK(builder.finish(batch.bytes).has_value());
  if (batch.poison) batch.bytes.back() ^= std::byte{1};
  partition.batches.push_back(std::move(batch));
}

void Producer::send(std::size_t index, Batch& batch) {
  for (std::uint64_t each = 0; each < batch.count; ++each) ledger_.sent_again(writer_, batch.first + each);
  wire::ProduceRequest request;
  request.acks = setup_.acks;
  request.timeout_ms = 10'000;
  auto& topic = request.topic_data.emplace_back();
  topic.name = setup_.topic.name;
  topic.topic_id = setup_.topic.id;
  topic.partition_data.push_back({.index = static_cast<std::int32_t>(index), .records = Bytes(batch.bytes)});
  batch.under_way = true;
  client_.ask(produce_version_, request,
              [this, index, first = batch.first](wire::ProduceResponse&& response) {
                answered(index, first, response);
              });
}

void Producer::answered(std::size_t index, std::uint64_t first, const wire::ProduceResponse& response) {
  Partition& partition = partitions_[index];
  const auto found =
      std::ranges::find_if(partition.batches, [&](const Batch& each) { return each.first == first; });
  if (found == partition.batches.end() || response.responses.size() != 1 ||
      response.responses[0].partition_responses.size() != 1) {
    return ledger_.fail(setup_.name + ": an answer for something else");
  }
  Batch& batch = *found;
  batch.under_way = false;
  const auto& answer = response.responses[0].partition_responses[0];
  if (answer.error_code != wire::ErrorCode::none) {
    refused(partition, batch, answer.error_code);
    return again();
  }
  if (batch.poison) ledger_.fail("S6: a batch with a wrong CRC was accepted");
  for (std::uint64_t each = 0; each < batch.count; ++each) {
    ledger_.acknowledged(writer_, first + each, answer.base_offset + static_cast<std::int64_t>(each));
  }
  const bool gap =
      std::any_of(partition.batches.begin(), found, [](const Batch& earlier) { return !earlier.in_doubt; });
  if (gap) ledger_.fail("I6: " + setup_.name + "'s batch was accepted before the one that it follows");
  partition.batches.erase(found);
  partition.known = true;
  again();
}

void Producer::refused(Partition& partition, Batch& batch, wire::ErrorCode error) {
  const auto drop = [&] {
    for (std::uint64_t each = 0; each < batch.count; ++each) ledger_.refused(writer_, batch.first + each);
    std::erase_if(partition.batches, [&](const Batch& other) { return &other == &batch; });
  };
  if (batch.poison && error == wire::ErrorCode::corrupt_message) return drop();
  if (error == wire::ErrorCode::request_timed_out) batch.in_doubt = true;
  if (wire::retriable(error)) return give_up_or_keep(partition);
  // What stands in front of it was not accepted, so it cannot be either; both are sent again.
  if (error == wire::ErrorCode::out_of_order_sequence_number && &batch != &partition.batches.front()) return;
  ledger_.fail("I18: " + setup_.name + " was refused with " + std::string(wire::name(error)));
}

}  // namespace tailwater::sim
