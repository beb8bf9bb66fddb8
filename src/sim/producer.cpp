#include "sim/producer.hpp"

#include "base/check.hpp"

namespace tailwater::sim {

namespace {

constexpr std::int16_t kProduceVersion = 9;
constexpr std::int16_t kInitProducerIdVersion = 4;
constexpr Duration kPauseMax = Duration::from_ms(4);
constexpr Duration kRetryMax = Duration::from_ms(20);
constexpr std::uint64_t kRecordsMax = 20;
constexpr std::uint64_t kPaddingMax = 300;

}  // namespace

Producer::Producer(Agenda& agenda, Broker& broker, std::string name, std::string topic,
                   std::int32_t partitions, std::uint64_t records_wanted)
    : agenda_(agenda),
      client_(broker, std::move(name), [this] { again(); }),
      topic_(std::move(topic)),
      wanted_(records_wanted),
      sent_(static_cast<std::size_t>(partitions), 0) {}

void Producer::again() {
  agenda_.soon(kRetryMax, [this] { step(); });
}

void Producer::step() {
  if (client_.busy()) return;
  if (producer_id_ < 0) return ask_id();
  if (count_ == 0) {
    if (finished()) return;
    make_batch();
  }
  send_batch();
}

void Producer::ask_id() {
  wire::InitProducerIdRequest request;
  client_.ask(kInitProducerIdVersion, request, [this](wire::InitProducerIdResponse&& response) {
    if (response.error_code == wire::ErrorCode::none) producer_id_ = response.producer_id;
    again();
  });
}

void Producer::make_batch() {
  Prng& random = agenda_.random();
  partition_ = static_cast<std::int32_t>(random.below(sent_.size()));
  count_ = 1 + random.below(kRecordsMax);
  const std::uint64_t first = sent_[static_cast<std::size_t>(partition_)];
  records::BatchBuilder builder({.producer_id = ProducerId{producer_id_},
                                 .producer_epoch = ProducerEpoch{0},
                                 .base_sequence = static_cast<std::int32_t>(first)});
  for (std::uint64_t number = first; number < first + count_; ++number) {
    const std::string value =
        client_.name() + ":" + std::to_string(number) + ":" + std::string(random.below(kPaddingMax), 'x');
    CHECK(builder.add(agenda_.both().wall.ms, as_bytes(client_.name()), as_bytes(value)));
  }
  batch_.clear();
  CHECK(builder.finish(batch_).has_value());
}

void Producer::send_batch() {
  wire::ProduceRequest request;
  request.acks = -1;
  request.timeout_ms = 30'000;
  auto& topic = request.topic_data.emplace_back();
  topic.name = topic_;
  topic.partition_data.push_back({.index = partition_, .records = Bytes(batch_)});
  client_.ask(kProduceVersion, request, [this](wire::ProduceResponse&& response) {
    if (response.responses.size() != 1 || response.responses[0].partition_responses.size() != 1) {
      complaint_ = name() + ": an answer for other partitions";
      return;
    }
    const auto& answer = response.responses[0].partition_responses[0];
    if (answer.error_code != wire::ErrorCode::none) {
      if (!wire::retriable(answer.error_code)) {
        complaint_ = name() + ": refused with " + std::string(wire::name(answer.error_code));
        return;
      }
      return again();
    }
    sent_[static_cast<std::size_t>(partition_)] += count_;
    acknowledged_ += count_;
    count_ = 0;
    agenda_.soon(kPauseMax, [this] { step(); });
  });
}

}  // namespace tailwater::sim
